// SPDX-License-Identifier: LGPL-2.1-or-later
/* Name and icon of an app: whose desktop entry counts. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "app-entry.h"

/* Not below /tmp: everybody may write there. */
#define DIR "/var/lib/callgate-test-entries"

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), DIR "/%s", name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
	assert_int_equal(chmod(path, 0644), 0);
}

static void drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), DIR "/%s", name);
	unlink(path);
}

static const char *name_of(const char *label)
{
	static struct app_entry entry;

	return app_entry_find(DIR, label, &entry) ? entry.name : NULL;
}

static int begin(void **state)
{
	return mkdir(DIR, 0755) < 0 && errno != EEXIST ? -1 : chmod(DIR, 0755);
}

static int end(void **state)
{
	drop("app.desktop");
	drop("org.example.App.desktop");
	drop("memo_memo.desktop");
	return rmdir(DIR);
}

#define ENTRY(exec) \
	"# why\n[Desktop Entry]\nName=Camera\nName[de]=Kamera\nIcon=camera\nExec=" exec "\n"

static void an_executable_has_the_entry_that_starts_it(void **state)
{
	struct app_entry entry;

	put("app.desktop",
	    ENTRY("/usr/bin/env %U") "[Desktop Action x]\nName=Other\nExec=/usr/bin/id\n");
	assert_true(app_entry_find(DIR, "exe:/usr/bin/env", &entry));
	assert_string_equal(entry.name, "Camera");
	assert_string_equal(entry.icon, "camera");
	assert_null(name_of("exe:/usr/bin/id"));
	assert_null(name_of("exe:/usr/bin/app"));
	assert_null(name_of("user:/usr/bin/env"));
	assert_null(name_of("script:/usr/bin/env"));
	put("app.desktop", ENTRY("env"));
	assert_string_equal(name_of("exe:/usr/bin/env"), "Camera");
	put("app.desktop", ENTRY("nothing-of-that-name"));
	assert_null(name_of("exe:/usr/bin/env"));
}

static void a_sandboxed_app_has_the_entry_of_its_name(void **state)
{
	put("org.example.App.desktop", ENTRY("/usr/bin/flatpak run org.example.App"));
	put("memo_memo.desktop", ENTRY("/snap/bin/memo"));
	assert_string_equal(name_of("flatpak:org.example.App"), "Camera");
	assert_null(name_of("flatpak:org.example.Ap"));
	assert_null(name_of("flatpak:../org.example.App"));
	assert_string_equal(name_of("snap:memo"), "Camera");
	assert_null(name_of("snap:mem"));
}

static void what_others_can_write_does_not_count(void **state)
{
	put("app.desktop", ENTRY("/usr/bin/env"));
	assert_string_equal(name_of("exe:/usr/bin/env"), "Camera");
	assert_int_equal(chmod(DIR "/app.desktop", 0664), 0);
	assert_null(name_of("exe:/usr/bin/env"));
	assert_int_equal(chmod(DIR "/app.desktop", 0644), 0);
	assert_int_equal(chown(DIR "/app.desktop", 1, 0), 0);
	assert_null(name_of("exe:/usr/bin/env"));
	assert_int_equal(chown(DIR "/app.desktop", 0, 0), 0);
	assert_int_equal(chmod(DIR, 0777), 0);
	assert_null(name_of("exe:/usr/bin/env"));
	assert_int_equal(chmod(DIR, 0755), 0);
	assert_string_equal(name_of("exe:/usr/bin/env"), "Camera");
}

static void names_and_icons_are_checked(void **state)
{
	struct app_entry entry;

	put("app.desktop", "[Desktop Entry]\nName=a\x1b[2Jb\nExec=env\n");
	assert_null(name_of("exe:/usr/bin/env"));
	put("app.desktop", "[Desktop Entry]\nName=Good\nIcon=/home/u/evil.png\nExec=env\n");
	assert_true(app_entry_find(DIR, "exe:/usr/bin/env", &entry));
	assert_string_equal(entry.icon, "");
}

int main(void)
{
	struct unit u = {};

	if (geteuid() != 0) {
		unit_skip(&u, "entries", "needs root, to make files of root's and of others");
		return unit_run(&u);
	}
	begin(NULL);
	UNIT(&u, an_executable_has_the_entry_that_starts_it);
	UNIT(&u, a_sandboxed_app_has_the_entry_of_its_name);
	UNIT(&u, what_others_can_write_does_not_count);
	UNIT(&u, names_and_icons_are_checked);
	int r = unit_run(&u);

	end(NULL);
	return r;
}
