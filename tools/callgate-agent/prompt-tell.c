// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tells the user, by the desktop's notifications or its portal's, that a question
 * could not be asked. Called by prompt-window.c in the place of a window; needs no
 * display. A notification has no buttons and nobody waits for an answer: it was no.
 */
#include "prompt-window.h"

#include <gio/gio.h>
#include <glib/gi18n.h>

#define ANSWER_MS 5000

static GVariant *call(GDBusConnection *bus, const char *name, const char *path,
		      const char *interface, const char *method, GVariant *arguments)
{
	return g_dbus_connection_call_sync(bus, name, path, interface, method, arguments, NULL,
					   G_DBUS_CALL_FLAGS_NONE, ANSWER_MS, NULL, NULL);
}

static GVariant *notify(GDBusConnection *bus, const char *title, const char *text)
{
	g_autofree char *escaped = g_markup_escape_text(text, -1);

	return call(bus, "org.freedesktop.Notifications", "/org/freedesktop/Notifications",
		    "org.freedesktop.Notifications", "Notify",
		    g_variant_new("(susssasa{sv}i)", "Callgate", 0, "dialog-warning", title,
				  escaped, NULL, NULL, -1));
}

/* Where the desktop has only a portal. */
static GVariant *notify_portal(GDBusConnection *bus, const char *title, const char *text)
{
	GVariantBuilder facts;

	g_variant_builder_init(&facts, G_VARIANT_TYPE_VARDICT);
	g_variant_builder_add(&facts, "{sv}", "title", g_variant_new_string(title));
	g_variant_builder_add(&facts, "{sv}", "body", g_variant_new_string(text));
	g_variant_builder_add(&facts, "{sv}", "priority", g_variant_new_string("high"));
	return call(bus, "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop",
		    "org.freedesktop.portal.Notification", "AddNotification",
		    g_variant_new("(sa{sv})", "callgate", &facts));
}

int prompt_tell(const char *why)
{
	g_autofree char *text =
		g_strdup_printf(_("You could not be asked: %s. On a text console “callgatectl "
				  "agent” asks."),
				why);
	g_autoptr(GDBusConnection) bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, NULL);
	const char *title = _("A program was denied without a question");
	g_autoptr(GVariant) reply = NULL;

	if (bus)
		reply = notify(bus, title, text);
	if (bus && !reply)
		reply = notify_portal(bus, title, text);
	return reply ? 0 : 1;
}
