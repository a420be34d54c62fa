// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tells the user, by the desktop's notifications, that a question could not be
 * asked. Called by prompt-window.c in the place of a window; needs no display. A
 * notification has no buttons and nobody waits for an answer: the answer was no.
 */
#include "prompt-window.h"

#include <gio/gio.h>
#include <glib/gi18n.h>

#define ANSWER_MS 5000

int prompt_tell(const char *why)
{
	g_autofree char *text =
		g_strdup_printf(_("You could not be asked: %s. On a text console “callgatectl "
				  "agent” asks."),
				why);
	g_autofree char *escaped = g_markup_escape_text(text, -1);
	g_autoptr(GDBusConnection) bus = NULL;
	g_autoptr(GVariant) reply = NULL;
	g_autoptr(GError) error = NULL;

	bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, &error);
	if (bus)
		reply = g_dbus_connection_call_sync(
			bus, "org.freedesktop.Notifications", "/org/freedesktop/Notifications",
			"org.freedesktop.Notifications", "Notify",
			g_variant_new("(susssasa{sv}i)", "Callgate", 0, "dialog-warning",
				      _("A program was denied without a question"), escaped, NULL,
				      NULL, -1),
			NULL, G_DBUS_CALL_FLAGS_NONE, ANSWER_MS, NULL, &error);
	return reply ? 0 : 1;
}
