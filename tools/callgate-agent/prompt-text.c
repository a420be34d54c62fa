// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the window of callgate-prompt says: one column of facts and the buttons
 * below it. Called by prompt-window.c, once.
 *
 * Security: what others chose (names, paths, labels) stands as plain text in
 * rows of its own, each under a heading of ours, between isolating marks, so that
 * it can neither imitate a heading nor turn the text around it. What a program
 * only claims is said to be a claim beside it.
 */
#include "prompt-window.h"

#include "question.h"

#include <glib/gi18n.h>
#include <string.h>

#define KIND_MICROPHONE 1
#define KIND_CAMERA	2
#define KIND_BOTH	3
#define KIND_SPEAKER	4

#define VALUE_CHARS	40
#define COLUMN_PIXELS	420
/* Of a window: what a desktop may put around it; its own margins; the least that is worth scrolling. */
#define FRAME_PIXELS	80
#define AROUND_PIXELS	60
#define VIEW_PIXELS_MIN 80

static const char *text_of(GHashTable *facts, const char *name)
{
	const char *text = g_hash_table_lookup(facts, name);

	return text ? text : "";
}

static bool flag_of(GHashTable *facts, const char *name)
{
	return strcmp(text_of(facts, name), "1") == 0;
}

static unsigned kinds_of(GHashTable *facts)
{
	return (unsigned)g_ascii_strtoull(text_of(facts, "Kinds"), NULL, 10) &
	       (KIND_BOTH | KIND_SPEAKER);
}

static GtkWidget *label_new(const char *text, const char *css_class)
{
	GtkWidget *widget = gtk_label_new(text);
	GtkLabel *label = GTK_LABEL(widget);

	gtk_label_set_wrap(label, TRUE);
	gtk_label_set_wrap_mode(label, PANGO_WRAP_WORD_CHAR);
	gtk_label_set_max_width_chars(label, VALUE_CHARS);
	gtk_label_set_xalign(label, 0);
	if (css_class)
		gtk_widget_add_css_class(widget, css_class);
	return widget;
}

static GtkWidget *heading_new(const char *text)
{
	GtkWidget *widget = label_new(text, "dim-label");

	gtk_widget_add_css_class(widget, "caption-heading");
	return widget;
}

/* A heading of ours, a value of anybody's, and what is to be said of it. */
static void add_remarked(GtkBox *box, const char *heading, const char *value, const char *remark,
			 const char *css_class)
{
	GtkWidget *row = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0), *what, *widget;
	g_autofree char *isolated = g_strdup_printf("\u2068%s\u2069", value);
	g_autofree char *spoken = NULL;

	what = heading_new(heading);
	widget = label_new(isolated, NULL);
	/* One name for both: a screen reader that goes from one to the next hears what belongs together. */
	spoken = g_strdup_printf("%s: %s", heading, isolated);
	window_name(widget, spoken);
	gtk_box_append(GTK_BOX(row), what);
	gtk_box_append(GTK_BOX(row), widget);
	if (remark) {
		widget = label_new(remark, "caption");
		gtk_widget_add_css_class(widget, css_class);
		gtk_box_append(GTK_BOX(row), widget);
	}
	gtk_box_append(box, row);
}

static void add_fact(GtkBox *box, const char *heading, const char *value, const char *remark)
{
	add_remarked(box, heading, value, remark, "warning");
}

/* The facts, above which nothing and below which the buttons stand. */
static GtkBox *column_new(GtkWindow *gtk, const char *icon, const char *title)
{
	GtkWidget *all = gtk_box_new(GTK_ORIENTATION_VERTICAL, 12);
	GtkWidget *column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 12), *head, *widget;

	gtk_widget_set_size_request(all, COLUMN_PIXELS, -1);
	gtk_widget_set_margin_top(all, 18);
	gtk_widget_set_margin_bottom(all, 18);
	gtk_widget_set_margin_start(all, 24);
	gtk_widget_set_margin_end(all, 24);
	gtk_box_append(GTK_BOX(all), column);
	head = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
	widget = gtk_image_new_from_icon_name(icon);
	gtk_image_set_pixel_size(GTK_IMAGE(widget), 32);
	gtk_accessible_update_state(GTK_ACCESSIBLE(widget), GTK_ACCESSIBLE_STATE_HIDDEN, TRUE, -1);
	gtk_box_append(GTK_BOX(head), widget);
	gtk_box_append(GTK_BOX(head), label_new(title, "title-2"));
	gtk_box_append(GTK_BOX(column), head);
	gtk_window_set_child(gtk, all);
	return GTK_BOX(column);
}

static GtkBox *buttons_new(GtkBox *column)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);

	gtk_widget_set_halign(box, GTK_ALIGN_END);
	gtk_widget_set_margin_top(box, 6);
	gtk_box_append(GTK_BOX(gtk_widget_get_parent(GTK_WIDGET(column))), box);
	return GTK_BOX(box);
}

/* Where the screen is too small: the buttons one below the other, and the facts in a view that scrolls. */
static void fit(GtkWindow *gtk, int width, int height)
{
	GtkWidget *all = gtk_window_get_child(gtk), *view;
	GtkWidget *column = gtk_widget_get_first_child(all),
		  *buttons = gtk_widget_get_last_child(all);
	int wide, tall, below;

	gtk_widget_measure(all, GTK_ORIENTATION_HORIZONTAL, -1, NULL, &wide, NULL, NULL);
	if (wide > width) {
		gtk_orientable_set_orientation(GTK_ORIENTABLE(buttons), GTK_ORIENTATION_VERTICAL);
		gtk_widget_measure(all, GTK_ORIENTATION_HORIZONTAL, -1, NULL, &wide, NULL, NULL);
	}
	gtk_widget_measure(all, GTK_ORIENTATION_VERTICAL, wide, NULL, &tall, NULL, NULL);
	if (tall <= height)
		return;
	gtk_widget_measure(buttons, GTK_ORIENTATION_VERTICAL, wide, NULL, &below, NULL, NULL);
	view = gtk_scrolled_window_new();
	gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(view), GTK_POLICY_NEVER,
				       GTK_POLICY_ALWAYS);
	gtk_scrolled_window_set_overlay_scrolling(GTK_SCROLLED_WINDOW(view), FALSE);
	gtk_widget_set_size_request(view, -1, MAX(height - below - AROUND_PIXELS, VIEW_PIXELS_MIN));
	g_object_ref(column);
	gtk_box_remove(GTK_BOX(all), column);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(view), column);
	g_object_unref(column);
	gtk_box_prepend(GTK_BOX(all), view);
}

static void fit_screen(GtkWindow *gtk)
{
	GListModel *monitors = gdk_display_get_monitors(gdk_display_get_default());
	GdkRectangle least = { .width = G_MAXINT, .height = G_MAXINT }, one;

	/* It may come to the smallest. */
	for (guint i = 0; i < g_list_model_get_n_items(monitors); i++) {
		g_autoptr(GdkMonitor) monitor = g_list_model_get_item(monitors, i);

		gdk_monitor_get_geometry(monitor, &one);
		least.width = MIN(least.width, one.width);
		least.height = MIN(least.height, one.height);
	}
	fit(gtk, least.width - FRAME_PIXELS, least.height - FRAME_PIXELS);
}

/* A contact, and what is known of its key. */
static void add_contact(GtkBox *box, const char *heading, GHashTable *facts)
{
	const char *authentication = text_of(facts, "PeerAuthentication");
	const char *contact = text_of(facts, "Contact");

	if (strcmp(authentication, "verified") == 0)
		add_remarked(box, heading, contact,
			     _("Their key is known, and you compared the numbers."), "success");
	else if (strcmp(authentication, "pinned") == 0)
		add_fact(box, heading, contact,
			 _("Their key is known, but you never compared the numbers."));
	else
		add_fact(box, heading, contact, _("New: no key of theirs is known yet."));
}

static const char *name_kinds(unsigned kinds)
{
	switch (kinds & KIND_BOTH) {
	case KIND_MICROPHONE:
		return _("Microphone");
	case KIND_CAMERA:
		return _("Camera");
	case KIND_BOTH:
		return _("Camera and microphone");
	}
	return kinds & KIND_SPEAKER ? _("What is played here")
				    : _("Nothing: to listen and watch only");
}

static void add_played(GtkBox *column, const char *heading, unsigned kinds)
{
	if (kinds & KIND_SPEAKER)
		add_fact(column, heading, _("What is played here, the other side too"), NULL);
}

static GtkWidget *choice_new(const char *label)
{
	return window_named(gtk_check_button_new_with_mnemonic(label), label);
}

static void add_kinds(struct window *window, GtkBox *column, unsigned kinds)
{
	GtkWidget *both, *narrow;

	add_played(column, _("Also hears"), kinds);
	if ((kinds & KIND_BOTH) != KIND_BOTH) {
		add_fact(column, _("May capture with"), name_kinds(kinds), NULL);
		return;
	}
	gtk_box_append(column, heading_new(_("May capture with")));
	both = choice_new(_("_Camera and microphone"));
	narrow = choice_new(_("_Microphone only"));
	gtk_check_button_set_group(GTK_CHECK_BUTTON(narrow), GTK_CHECK_BUTTON(both));
	gtk_check_button_set_active(GTK_CHECK_BUTTON(both), TRUE);
	gtk_box_append(column, both);
	gtk_box_append(column, narrow);
	window_narrow(window, GTK_CHECK_BUTTON(narrow));
}

/* Name and icon are those that root installed for it; the label beside them says how far that is proven. */
static void add_app(GtkBox *column, const char *heading, GHashTable *facts)
{
	const char *name = text_of(facts, "AppName"), *icon = text_of(facts, "AppIcon");
	GtkIconTheme *theme =
		gtk_icon_theme_get_for_display(gtk_widget_get_display(GTK_WIDGET(column)));
	g_autofree char *isolated = g_strdup_printf("\u2068%s\u2069", name);
	GtkWidget *row, *widget;

	if (*name) {
		row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
		if (*icon && gtk_icon_theme_has_icon(theme, icon)) {
			widget = gtk_image_new_from_icon_name(icon);
			gtk_image_set_pixel_size(GTK_IMAGE(widget), 32);
			gtk_accessible_update_state(GTK_ACCESSIBLE(widget),
						    GTK_ACCESSIBLE_STATE_HIDDEN, TRUE, -1);
			gtk_box_append(GTK_BOX(row), widget);
		}
		gtk_box_append(GTK_BOX(row), label_new(isolated, "heading"));
		gtk_box_append(column, row);
	}
	add_fact(column, heading, text_of(facts, "App"),
		 flag_of(facts, "AppProven") ? NULL
					     : _("Not proven: this is only the app’s word."));
}

/* How far sound and picture are bound to the call, in words that promise no more than doc/protocol.md does. */
static void add_level(GtkBox *column, GHashTable *facts, const char *none)
{
	const char *level = text_of(facts, "Level"),
		   *heading = _("Protection of sound and picture");

	if (strcmp(level, "keyed") == 0)
		add_remarked(column, heading, _("With the keys of the call"),
			     _("Both apps took the keys. What they do with them is theirs."),
			     "success");
	else if (strcmp(level, "channel") == 0)
		add_remarked(
			column, heading, _("Only while the call lives"),
			_("The app carries them in its own way, without the keys of the call."),
			"dim-label");
	else
		add_remarked(column, heading, _("None yet"), none, "dim-label");
}

static void fill_local(struct window *window, GtkWindow *gtk, GHashTable *facts)
{
	unsigned kinds = kinds_of(facts);
	g_autofree char *time = g_strdup_printf("%s s", text_of(facts, "Seconds"));
	GtkBox *column, *buttons;

	column = column_new(gtk,
			    kinds & KIND_CAMERA ? "camera-web-symbolic"
						: "audio-input-microphone-symbolic",
			    _("A program wants to capture outside a call. Allow it?"));
	add_app(column, _("Program"), facts);
	add_fact(column, _("What captures"), text_of(facts, "Subject"),
		 flag_of(facts, "Traced")
			 ? _("A debugger is attached to it and sees what it captures.")
			 : NULL);
	add_kinds(window, column, kinds);
	add_fact(column, _("For at most"), time,
		 _("Not a call, not encrypted: what the program captures it can keep or send to "
		   "anybody."));
	buttons = buttons_new(column);
	window_deny(window, buttons, _("_Deny"), "deny");
	window_allow(window, buttons, _("_Allow this once"), "allow", true);
}

static void fill_approve(struct window *window, GtkWindow *gtk, GHashTable *facts)
{
	bool incoming = flag_of(facts, "Incoming"), claimed = flag_of(facts, "ContactClaimed");
	unsigned kinds = kinds_of(facts);
	GtkBox *column, *buttons;

	if (flag_of(facts, "Local")) {
		fill_local(window, gtk, facts);
		return;
	}
	column = column_new(gtk,
			    kinds & KIND_CAMERA ? "camera-web-symbolic"
						: "audio-input-microphone-symbolic",
			    incoming ? _("A call comes in. Take it?")
				     : _("A program wants to make a call. Allow it?"));
	if (incoming && claimed)
		add_fact(column, _("The app says that it is"), text_of(facts, "Contact"),
			 _("Not proven: this is only the app’s word."));
	else
		add_contact(column, incoming ? _("From") : _("To"), facts);
	add_app(column, _("Through"), facts);
	add_fact(column, _("What captures"), text_of(facts, "Subject"),
		 flag_of(facts, "Traced")
			 ? _("A debugger is attached to it and sees what it captures.")
			 : NULL);
	add_kinds(window, column, kinds);
	add_level(column, facts,
		  _("Nothing is captured before the other side confirmed the keys of the call."));
	if (flag_of(facts, "TellsPrograms"))
		add_fact(column, _("The other side will be told"),
			 _("Which programs have the camera or the microphone during the call, and "
			   "for how long."),
			 NULL);
	buttons = buttons_new(column);
	window_deny(window, buttons, _("_Deny"), "deny");
	window_allow(window, buttons, _("_Allow for this call"), "allow", true);
}

/* Digit by digit, because "311" would be read as one number. */
static char *spell(const char *number)
{
	GString *text = g_string_new(NULL);

	for (const char *p = number; *p; p++)
		if (*p == ' ')
			g_string_append_c(text, ',');
		else
			g_string_append_printf(text, p == number ? "%c" : " %c", *p);
	return g_string_free(text, FALSE);
}

static void fill_compare(struct window *window, GtkWindow *gtk, GHashTable *facts)
{
	bool claimed = flag_of(facts, "ContactClaimed");
	GtkBox *column, *buttons;
	g_autofree char *spoken = spell(text_of(facts, QUESTION_SUBJECT)), *ordered = NULL;
	GtkWidget *number;

	column = column_new(gtk, "channel-secure-symbolic", _("Do you both see the same number?"));
	/* Where text runs from right to left its groups would change places. */
	ordered = g_strdup_printf("\u2066%s\u2069", text_of(facts, QUESTION_SUBJECT));
	number = gtk_label_new(ordered);
	gtk_widget_add_css_class(number, "title-1");
	gtk_widget_add_css_class(number, "numeric");
	window_name(number, spoken);
	gtk_box_append(column, number);
	add_contact(column, claimed ? _("The app says that it is") : _("With"), facts);
	add_level(column, facts, _("The other side has not told yet how its app carries them."));
	gtk_box_append(
		column,
		label_new(_("Read it to each other. If it is the same, nobody between your two "
			    "machines has the keys of this call."),
			  NULL));
	gtk_box_append(
		column,
		label_new(_("The app carries the voices and could imitate one: make sure whom you "
			    "hear, or compare another way."),
			  NULL));
	buttons = buttons_new(column);
	window_deny(window, buttons, _("They _differ: end the call"), "differs");
	window_allow(window, buttons, _("_Later: microphone only"), "unverified", false);
	window_allow(window, buttons, _("They are the _same"), "matches", true);
}

static void fill_history_key(GtkBox *column, GHashTable *facts)
{
	add_fact(column, _("Asks"), text_of(facts, "App"),
		 flag_of(facts, "AppProven") ? NULL
					     : _("Not proven: this is only the app’s word."));
	add_fact(column, _("Days that open with the old key only"), text_of(facts, "Days"), NULL);
	gtk_box_append(column,
		       label_new(_("Who has the new key can read what is recorded from now on. If "
				   "you did not start this yourself, deny it."),
				 NULL));
}

static bool fill_confirm(struct window *window, GtkWindow *gtk, GHashTable *facts)
{
	const char *action = text_of(facts, QUESTION_SUBJECT);
	GtkBox *column, *buttons;

	if (strcmp(action, "unblock") == 0) {
		column = column_new(gtk, "changes-allow-symbolic",
				    _("A program wants to lift your block. Allow it?"));
		add_fact(column, _("Unblocks"), name_kinds(kinds_of(facts)), NULL);
		add_played(column, _("Unblocks"), kinds_of(facts));
	} else if (strcmp(action, "ask-again") == 0) {
		column = column_new(
			gtk, "changes-allow-symbolic",
			_("A program wants you to be asked again about what you said no to. Allow it?"));
	} else if (strcmp(action, "rename") == 0) {
		column = column_new(gtk, "document-edit-symbolic",
				    _("A program wants to rename somebody you know. Allow it?"));
		add_fact(column, _("Now"), text_of(facts, "Name"), NULL);
		add_fact(column, _("Then"), text_of(facts, "NewName"), NULL);
	} else if (strcmp(action, "forget") == 0) {
		column = column_new(gtk, "user-trash-symbolic",
				    _("A program wants to forget somebody’s keys. Allow it?"));
		add_fact(column, _("Forgets"), text_of(facts, "Name"), NULL);
	} else if (strcmp(action, "verify") == 0) {
		column = column_new(gtk, "channel-secure-symbolic",
				    _("Did you compare this key with its owner yourself?"));
		add_fact(column, _("Of"), text_of(facts, "Name"), NULL);
		add_fact(column, _("Key"), text_of(facts, "Fingerprint"), NULL);
	} else if (strcmp(action, "history-key") == 0) {
		column = column_new(
			gtk, "dialog-password-symbolic",
			_("A program wants your call history to have another key. Allow it?"));
		fill_history_key(column, facts);
		buttons = buttons_new(column);
		window_deny(window, buttons, _("_Deny"), "deny");
		window_allow(window, buttons, _("_Allow"), "allow", true);
		return true;
	} else {
		return false;
	}
	/* Each app has contacts of its own: the same name may be somebody else's in another. */
	if (*text_of(facts, "App"))
		add_fact(column, _("Among the contacts of"), text_of(facts, "App"), NULL);
	buttons = buttons_new(column);
	window_deny(window, buttons, _("_Deny"), "deny");
	window_allow(window, buttons, _("_Allow"), "allow", true);
	return true;
}

bool window_fill(struct window *window, GtkWindow *gtk, GHashTable *facts)
{
	const char *kind = text_of(facts, QUESTION_KIND);
	bool known = true;

	if (strcmp(kind, "approve") == 0)
		fill_approve(window, gtk, facts);
	else if (strcmp(kind, "compare") == 0)
		fill_compare(window, gtk, facts);
	else
		known = strcmp(kind, "confirm") == 0 && fill_confirm(window, gtk, facts);
	if (known)
		fit_screen(gtk);
	return known;
}
