// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgate-prompt: one question in one window. Started by callgate-agent with
 * the question at standard input, its answer goes to standard output; it holds no
 * right of its own. Must not decide: what an answer is worth is the broker's to say.
 *
 * Security: nothing can be allowed before the window has been on the screen for
 * a second, nor in the second after it came back to the front or after more was
 * chosen than before. Return, Escape and closing say no. An answer names the press
 * that gave it, which the broker holds against the hand that it saw; a button that
 * was activated without a press (by the accessibility bus, say) gives no answer.
 * Every word about identity is plain text, never markup, and isolated from the text
 * around it. Fonts and theme are ours: under X11 any program may name others.
 */
#include "prompt-window.h"

#include "question.h"

#include <errno.h>
#include <fcntl.h>
#include <gdk/wayland/gdkwayland.h>
#include <gdk/x11/gdkx.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-client-core.h>

#define ARM_MS 1000

/**
 * struct window - the window and its state
 * @allowing: buttons that give something away; insensitive until armed
 * @arm: the timer, or 0
 * @armed_at: since when they can be pressed, as events count time
 * @pressed: the one of them on which a pointer or a finger is, which has not let go
 * @press_by, @press_at: the last press on one of them; NULL: none
 * @narrow: chosen: the microphone only
 * @password: an answer need not be pressed
 */
struct window {
	GtkWindow *gtk;
	GMainLoop *loop;
	GtkWidget *deny;
	GPtrArray *allowing;
	guint arm;
	guint32 armed_at;
	GtkWidget *pressed;
	const char *press_by;
	guint32 press_at;
	GtkCheckButton *narrow;
	bool password;
	bool answered;
};

static void answer(struct window *window, const char *word)
{
	const char *by = window->press_by ? window->press_by : "nothing";

	if (window->answered)
		return;
	window->answered = true;
	if (printf("%s %s %u\n", word, by, window->press_at) < 0 || fflush(stdout) != 0)
		g_warning("the answer could not be given");
	/* Inside of an event the window would outlive its own end. */
	g_main_loop_quit(window->loop);
}

static void forget_press(struct window *window)
{
	window->pressed = NULL;
	window->press_by = NULL;
}

/* ---- arming ------------------------------------------------------------------------------------ */

static void set_armed(struct window *window, bool armed)
{
	for (guint i = 0; i < window->allowing->len; i++)
		gtk_widget_set_sensitive(g_ptr_array_index(window->allowing, i), armed);
	forget_press(window);
}

static gboolean on_arm(gpointer userdata)
{
	struct window *window = userdata;

	window->arm = 0;
	window->armed_at = (guint32)(g_get_monotonic_time() / 1000);
	set_armed(window, true);
	return G_SOURCE_REMOVE;
}

static void restart_arming(struct window *window, bool visible)
{
	g_clear_handle_id(&window->arm, g_source_remove);
	set_armed(window, false);
	if (visible)
		window->arm = g_timeout_add(ARM_MS, on_arm, window);
}

static void on_map(GtkWidget *widget, gpointer userdata)
{
	restart_arming(userdata, true);
}

static void on_unmap(GtkWidget *widget, gpointer userdata)
{
	restart_arming(userdata, false);
}

static void on_active(GObject *object, GParamSpec *spec, gpointer userdata)
{
	restart_arming(userdata, gtk_widget_get_mapped(GTK_WIDGET(object)));
}

/* ---- answers ----------------------------------------------------------------------------------- */

static void on_allow(GtkWidget *button, gpointer userdata)
{
	struct window *window = userdata;
	const char *word = g_object_get_data(G_OBJECT(button), "word");

	if (!gtk_widget_is_sensitive(button))
		return;
	/*
	 * By its letter, or from the accessibility bus: the space bar is still to be pressed, unless the
	 * broker asks for the password then.
	 */
	if (!window->press_by && !window->password) {
		gtk_widget_grab_focus(button);
		return;
	}
	if (window->narrow && gtk_check_button_get_active(window->narrow))
		word = "allow-microphone";
	answer(window, word);
}

static bool is_within(GtkWidget *widget, GtkWidget *button)
{
	return widget && (widget == button || gtk_widget_is_ancestor(widget, button));
}

/* The armed button that contains this widget, or NULL. */
static GtkWidget *find_allowing(struct window *window, GtkWidget *widget)
{
	for (guint i = 0; i < window->allowing->len; i++) {
		GtkWidget *button = g_ptr_array_index(window->allowing, i);

		if (is_within(widget, button) && gtk_widget_is_sensitive(button))
			return button;
	}
	return NULL;
}

static GtkWidget *find_at(struct window *window, GdkEvent *event)
{
	double x, y, left, top;

	if (!gdk_event_get_position(event, &x, &y))
		return NULL;
	gtk_native_get_surface_transform(GTK_NATIVE(window->gtk), &left, &top);
	return find_allowing(window, gtk_widget_pick(GTK_WIDGET(window->gtk), x - left, y - top,
						     GTK_PICK_DEFAULT));
}

static void press(struct window *window, GdkEvent *event, GtkWidget *button, const char *by)
{
	guint32 at = gdk_event_get_time(event);

	forget_press(window);
	/*
	 * Some compositors let a program say when its pointer pressed: at a moment at
	 * which a hand pressed something else, before this could be pressed.
	 */
	if (!button || (gint32)(at - window->armed_at) < 0)
		return;
	window->press_by = by;
	window->press_at = at;
}

/*
 * Sees all events of the window before its buttons do, and decides itself about
 * pointer and touch: the toolkit looks for what is below the pointer when it moves, and
 * would lose the press of one that lay still where the button came.
 */
static gboolean on_event(GtkEventController *controller, GdkEvent *event, gpointer userdata)
{
	struct window *window = userdata;
	GdkEventType type = gdk_event_get_event_type(event);
	GtkWidget *button;

	if ((type == GDK_BUTTON_PRESS || type == GDK_BUTTON_RELEASE) &&
	    gdk_button_event_get_button(event) != GDK_BUTTON_PRIMARY) {
		forget_press(window);
		return GDK_EVENT_PROPAGATE;
	}
	switch ((int)type) {
	case GDK_BUTTON_PRESS:
	case GDK_TOUCH_BEGIN:
		button = find_at(window, event);
		press(window, event, button, type == GDK_TOUCH_BEGIN ? "touch" : "pointer");
		window->pressed = button;
		break;
	case GDK_BUTTON_RELEASE:
	case GDK_TOUCH_END:
		button = window->pressed;
		if (button && button == find_at(window, event)) {
			on_allow(button, window);
			return GDK_EVENT_STOP;
		}
		forget_press(window);
		break;
	case GDK_TOUCH_CANCEL:
		forget_press(window);
		break;
	case GDK_KEY_PRESS:
		button = find_allowing(window, gtk_window_get_focus(window->gtk));
		if (gdk_key_event_get_keyval(event) != GDK_KEY_space)
			button = NULL;
		press(window, event, button, "key");
		break;
	}
	return GDK_EVENT_PROPAGATE;
}

static void on_deny(GtkButton *button, gpointer userdata)
{
	answer(userdata, g_object_get_data(G_OBJECT(button), "word"));
}

/* Who closes it has not said that he wants to be left alone for a while. */
static gboolean on_close(GtkWindow *gtk, gpointer userdata)
{
	answer(userdata, "dismiss");
	return TRUE;
}

static gboolean on_key(GtkEventControllerKey *controller, guint key, guint code,
		       GdkModifierType state, gpointer userdata)
{
	switch (key) {
	case GDK_KEY_Return:
	case GDK_KEY_KP_Enter:
	case GDK_KEY_ISO_Enter:
	case GDK_KEY_Escape:
		answer(userdata, "dismiss");
		return GDK_EVENT_STOP;
	}
	return GDK_EVENT_PROPAGATE;
}

/* ---- what the questions put into it ------------------------------------------------------------ */

void window_name(GtkWidget *widget, const char *name)
{
	GtkAccessible *accessible = GTK_ACCESSIBLE(widget);

	gtk_accessible_reset_relation(accessible, GTK_ACCESSIBLE_RELATION_LABELLED_BY);
	gtk_accessible_update_property(accessible, GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
}

/* The toolkit gives a button its label as a name twice, once with the mark of its letter. */
GtkWidget *window_named(GtkWidget *button, const char *label)
{
	g_auto(GStrv) parts = g_strsplit(label, "_", -1);
	g_autofree char *name = g_strjoinv("", parts);

	window_name(button, name);
	return button;
}

void window_allow(struct window *window, GtkBox *box, const char *label, const char *word,
		  bool suggested)
{
	GtkWidget *button = window_named(gtk_button_new_with_mnemonic(label), label);

	g_object_set_data(G_OBJECT(button), "word", (gpointer)word);
	g_signal_connect(button, "clicked", G_CALLBACK(on_allow), window);
	if (suggested)
		gtk_widget_add_css_class(button, "suggested-action");
	gtk_widget_set_sensitive(button, FALSE);
	gtk_box_append(box, button);
	g_ptr_array_add(window->allowing, button);
}

void window_deny(struct window *window, GtkBox *box, const char *label, const char *word)
{
	GtkWidget *button = window_named(gtk_button_new_with_mnemonic(label), label);

	g_object_set_data(G_OBJECT(button), "word", (gpointer)word);
	g_signal_connect(button, "clicked", G_CALLBACK(on_deny), window);
	gtk_box_append(box, button);
	window->deny = button;
}

/* Somebody else may have widened the choice just before the press. */
static void on_narrow(GtkCheckButton *button, gpointer userdata)
{
	if (!gtk_check_button_get_active(button))
		restart_arming(userdata, gtk_widget_get_mapped(GTK_WIDGET(button)));
}

void window_narrow(struct window *window, GtkCheckButton *button)
{
	window->narrow = button;
	g_signal_connect(button, "toggled", G_CALLBACK(on_narrow), window);
}

/* ---- beginning and end ------------------------------------------------------------------------- */

static char *read_all(size_t *ret_length)
{
	g_autofree char *buffer = g_malloc(QUESTION_BYTES_MAX);
	size_t length = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, buffer + length, QUESTION_BYTES_MAX - length)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return NULL;
		length += n;
		if (length == QUESTION_BYTES_MAX)
			return NULL;
	}
	if (length == 0 || buffer[length - 1] != '\0' || !g_utf8_validate(buffer, -1, NULL))
		return NULL;
	*ret_length = length;
	return g_steal_pointer(&buffer);
}

/* Names to values; NULL for what is no question. */
static GHashTable *read_question(void)
{
	g_autoptr(GHashTable)
		facts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autofree char *buffer = NULL;
	size_t length = 0;

	buffer = read_all(&length);
	if (!buffer)
		return NULL;
	for (const char *p = buffer; p < buffer + length;) {
		const char *name = p, *value = name + strlen(name) + 1;

		if (value >= buffer + length || !g_utf8_validate(value, -1, NULL) ||
		    g_hash_table_size(facts) >= QUESTION_PAIRS_MAX)
			return NULL;
		g_hash_table_replace(facts, g_strdup(name), g_strdup(value));
		p = value + strlen(value) + 1;
	}
	return g_steal_pointer(&facts);
}

static const char contrast_css[] =
	"window { background: #fff; color: #000; }"
	".dim-label { opacity: 1; }"
	".warning, .success { color: #000; font-weight: bold; }"
	"button { border: 2px solid #000; background: #fff; color: #000; }"
	"button.suggested-action { background: #000; color: #fff; }"
	"button:disabled { border-style: dashed; }"
	"radio { border: 2px solid #000; }"
	"*:focus-visible { outline: 3px solid #00f; }";

static void add_contrast(void)
{
	g_autoptr(GtkCssProvider) provider = gtk_css_provider_new();

	gtk_css_provider_load_from_data(provider, contrast_css, -1);
	gtk_style_context_add_provider_for_display(gdk_display_get_default(),
						   GTK_STYLE_PROVIDER(provider),
						   GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
}

/*
 * Text in percent of its usual size, and the colours. What is not known changes nothing.
 * Set here, the rest cannot be set by whoever calls itself the settings' keeper of the
 * X display.
 */
static void set_style(GHashTable *facts)
{
	const char *style = g_hash_table_lookup(facts, QUESTION_STYLE);
	const char *scale = g_hash_table_lookup(facts, QUESTION_SCALE);
	guint64 percent = scale ? g_ascii_strtoull(scale, NULL, 10) : 100;

	if (percent < 50 || percent > 300)
		percent = 100;
	g_object_set(gtk_settings_get_default(), "gtk-xft-dpi", (int)(96 * 1024 * percent / 100),
		     "gtk-font-name", "Cantarell, Sans 11", "gtk-icon-theme-name", "Adwaita",
		     "gtk-xft-antialias", 1, "gtk-xft-hinting", 1, "gtk-xft-hintstyle",
		     "hintslight", "gtk-xft-rgba", "none", "gtk-enable-animations", FALSE,
		     "gtk-im-module", "gtk-im-context-simple", NULL);
	if (g_strcmp0(style, "contrast") == 0)
		add_contrast();
	adw_style_manager_set_color_scheme(adw_style_manager_get_default(),
					   g_strcmp0(style, "dark") == 0
						   ? ADW_COLOR_SCHEME_FORCE_DARK
						   : ADW_COLOR_SCHEME_FORCE_LIGHT);
}

static int find_connection(GdkDisplay *display)
{
	if (GDK_IS_WAYLAND_DISPLAY(display))
		return wl_display_get_fd(gdk_wayland_display_get_wl_display(display));
	if (GDK_IS_X11_DISPLAY(display))
		return ConnectionNumber(gdk_x11_display_get_xdisplay(display));
	return -1;
}

/*
 * Is the other end of our connection the process that the broker looked at? Another
 * may have come between: libraries try more than one socket for a display's name.
 */
static bool is_connected_right(GHashTable *facts)
{
	const char *server = g_hash_table_lookup(facts, QUESTION_SERVER);
	socklen_t length = sizeof(struct ucred);
	struct ucred peer = { 0 };

	/* Only somebody who wants to look at it starts this program without the broker. */
	if (!server)
		return true;
	return getsockopt(find_connection(gdk_display_get_default()), SOL_SOCKET, SO_PEERCRED,
			  &peer, &length) == 0 &&
	       peer.pid > 0 && (guint64)peer.pid == g_ascii_strtoull(server, NULL, 10);
}

static void on_destroy(GtkWidget *widget, gpointer loop)
{
	g_main_loop_quit(loop);
}

static int run(GHashTable *facts)
{
	g_autoptr(GPtrArray) allowing = g_ptr_array_new();
	struct window window = { .allowing = allowing };
	g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
	GtkEventController *keys = gtk_event_controller_key_new();
	GtkEventController *events = gtk_event_controller_legacy_new();

	window.loop = loop;
	window.password = g_strcmp0(g_hash_table_lookup(facts, QUESTION_PASSWORD), "1") == 0;
	/* Of such a window a screen reader says what stands in it. */
	window.gtk = GTK_WINDOW(g_object_new(GTK_TYPE_WINDOW, "accessible-role",
					     GTK_ACCESSIBLE_ROLE_ALERT_DIALOG, NULL));
	gtk_window_set_title(window.gtk, _("Callgate"));
	gtk_window_set_resizable(window.gtk, FALSE);
	if (!window_fill(&window, window.gtk, facts)) {
		fprintf(stderr, "callgate-prompt: this question is not known\n");
		gtk_window_destroy(window.gtk);
		return 2;
	}
	gtk_event_controller_set_propagation_phase(keys, GTK_PHASE_CAPTURE);
	g_signal_connect(keys, "key-pressed", G_CALLBACK(on_key), &window);
	gtk_widget_add_controller(GTK_WIDGET(window.gtk), keys);
	gtk_event_controller_set_propagation_phase(events, GTK_PHASE_CAPTURE);
	g_signal_connect(events, "event", G_CALLBACK(on_event), &window);
	gtk_widget_add_controller(GTK_WIDGET(window.gtk), events);
	g_signal_connect(window.gtk, "map", G_CALLBACK(on_map), &window);
	g_signal_connect(window.gtk, "unmap", G_CALLBACK(on_unmap), &window);
	g_signal_connect(window.gtk, "notify::is-active", G_CALLBACK(on_active), &window);
	g_signal_connect(window.gtk, "close-request", G_CALLBACK(on_close), &window);
	g_signal_connect(window.gtk, "destroy", G_CALLBACK(on_destroy), loop);
	gtk_window_set_focus(window.gtk, window.deny);
	gtk_window_present(window.gtk);
	g_main_loop_run(loop);
	g_clear_handle_id(&window.arm, g_source_remove);
	return 0;
}

static int usage(FILE *out)
{
	fputs("Usage: callgate-prompt [--locale-dir DIR]\n\n"
	      "Shows one question of callgate-agent, which starts it. See callgate-agent(1).\n",
	      out);
	return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	const char *locale_dir = "/usr/share/locale";
	g_autoptr(GHashTable) facts = NULL;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	if (argc == 3 && strcmp(argv[1], "--locale-dir") == 0)
		locale_dir = argv[2];
	else if (argc != 1)
		return usage(stderr);
	setlocale(LC_ALL, "");
	bindtextdomain("callgate", locale_dir);
	bind_textdomain_codeset("callgate", "UTF-8");
	textdomain("callgate");
	g_set_prgname("callgate-prompt");
	g_set_application_name(_("Callgate"));
	facts = read_question();
	if (!facts) {
		fprintf(stderr, "callgate-prompt: standard input holds no question; "
				"callgate-agent starts this program\n");
		return 2;
	}
	if (g_strcmp0(g_hash_table_lookup(facts, QUESTION_KIND), "tell") == 0 &&
	    g_hash_table_contains(facts, QUESTION_SUBJECT))
		return prompt_tell(g_hash_table_lookup(facts, QUESTION_SUBJECT));
	if (!gtk_init_check()) {
		fprintf(stderr, "callgate-prompt: there is no display to ask on\n");
		return 1;
	}
	if (!is_connected_right(facts)) {
		fprintf(stderr,
			"callgate-prompt: this display is not served by the seat's own server\n");
		return 1;
	}
	adw_init();
	/* The translation says it: without one the words are English, whatever the language is. */
	/* TRANSLATORS: "rtl" where the language is written from right to left. */
	if (strcmp(_("ltr"), "rtl") == 0)
		gtk_widget_set_default_direction(GTK_TEXT_DIR_RTL);
	set_style(facts);
	return run(facts);
}
