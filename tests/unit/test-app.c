// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which app a process is: names out of units, mounts and arguments, and what is proven of a real process. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app-name.h"
#include "app.h"
#include "util/macro.h"

#define USER "/user.slice/user-1000.slice/user@1000.service/app.slice/"

static void units_name_apps(void **state)
{
	static const struct {
		const char *cgroup, *class, *id;
	} cases[] = {
		{ USER "app-gnome-org.gnome.Cheese-4711.scope", "", "org.gnome.Cheese" },
		{ USER "app-gnome-firefox\\x2desr-4711.scope", "", "firefox-esr" },
		{ USER "app-org.example.App-4711.scope", "", "org.example.App" },
		{ USER "app-firefox\\x2desr@1f2e.service", "", "firefox-esr" },
		{ USER "app-KDE-org.kde.konsole.service", "", "org.kde.konsole" },
		{ USER "app-flatpak-org.gnome.Cheese-99.scope", "flatpak:", "org.gnome.Cheese" },
		{ USER "app-flatpak-a.b.C-99.scope/sub", "flatpak:", "a.b.C" },
		{ USER "snap.firefox.firefox-0a1b.scope", "snap:", "firefox" },
		{ "/user.slice/snap.cheese.cheese.0a1b-22.scope", "snap:", "cheese" },
		{ "/system.slice/snap.lxd.daemon.service", "snap:", "lxd" },
		{ USER "app-a\\x2fb-1.scope", "", "a/b" },
	};
	static const char *const none[] = {
		"",
		"/",
		"/init.scope",
		USER "session-2.scope",
		USER "app-.scope",
		USER "app-x.scope",
		USER "app--1.scope",
		USER "snap.scope",
		USER "snap..x.scope",
		USER "app-a\\x00b-1.scope",
		USER "app-a\\xzz-1.scope",
		USER "app-a\\x2-1.scope",
		USER "xapp-a-1.scope",
		USER "app-a-1",
		"/a/app-flatpak-x-1.slice",
	};
	char id[APP_ID_MAX + 1], longest[2 * APP_ID_MAX];
	const char *class;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(app_name_unit(cases[i].cgroup, &class, id));
		assert_string_equal(class, cases[i].class);
		assert_string_equal(id, cases[i].id);
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (app_name_unit(none[i], &class, id))
			fail_msg("'%s' names '%s'", none[i], id);
	snprintf(longest, sizeof(longest), "app-%0*d-1.scope", APP_ID_MAX, 7);
	assert_true(app_name_unit(longest, &class, id));
	snprintf(longest, sizeof(longest), "app-%0*d-1.scope", APP_ID_MAX + 1, 7);
	assert_false(app_name_unit(longest, &class, id));
}

static void mounts_name_images(void **state)
{
	static const char mounts[] =
		"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
		"61 22 0:44 / /tmp/.mount_CallMeAbC123 ro,nosuid,nodev,relatime shared:9 - fuse.CallMe.AppImage "
		"CallMe.AppImage ro,user_id=1000,group_id=1000\n"
		"62 22 0:45 / /tmp/.mount_plain ro - squashfs /home/u/x.img ro\n"
		"63 22 0:46 / /tmp/.mount_deep ro - fuse.x /home/u/Apps/Deep.AppImage ro\n"
		"64 22 0:47 / /tmp/.mount_bare ro - fuse Bare.AppImage ro\n"
		"65 22 8:2 / /tmp/.mount_disk ro - fuseblk /dev/sdb1 ro\n";
	char name[APP_ID_MAX + 1];

	assert_true(app_name_image(mounts, "/tmp/.mount_CallMeAbC123/usr/bin/callme", name));
	assert_string_equal(name, "CallMe.AppImage");
	assert_true(app_name_image(mounts, "/tmp/.mount_deep/AppRun", name));
	assert_string_equal(name, "Deep.AppImage");
	assert_true(app_name_image(mounts, "/tmp/.mount_bare/AppRun", name));
	assert_string_equal(name, "Bare.AppImage");
	assert_false(app_name_image(mounts, "/tmp/.mount_disk/x", name));
	assert_false(app_name_image(mounts, "/tmp/.mount_CallMeAbC1234/usr/bin/callme", name));
	assert_false(app_name_image(mounts, "/tmp/.mount_plain/x", name));
	assert_false(app_name_image(mounts, "/usr/bin/callme", name));
	assert_false(app_name_image("", "/tmp/.mount_x/y", name));
	assert_false(app_name_image("nonsense - fuse.\n - fuse.x\n", "/tmp/.mount_x/y", name));
}

#define ARGUMENTS(text) text, sizeof(text)

static void arguments_name_scripts(void **state)
{
	static const struct {
		const char *exe, *arguments;
		size_t length;
		const char *script;
	} cases[] = {
		{ "/usr/bin/python3.11", ARGUMENTS("python3\0/usr/bin/app\0--video"),
		  "/usr/bin/app" },
		{ "/usr/bin/python3.11", ARGUMENTS("x\0-u\0-W\0ignore\0app.py"), "app.py" },
		{ "/usr/bin/python3.11", ARGUMENTS("x\0-Im\0http.server"), "http.server" },
		{ "/usr/bin/python3", ARGUMENTS("x\0-m\0http.server\0-d"), "http.server" },
		{ "/usr/bin/python3", ARGUMENTS("x\0-c\0import os"), "-" },
		{ "/usr/bin/python3", ARGUMENTS("x\0-Ic\0import os\0y"), "-" },
		{ "/usr/bin/python3", ARGUMENTS("python3"), "-" },
		{ "/usr/bin/python3", ARGUMENTS("python3\0-\0x"), "-" },
		{ "/usr/bin/python3", "python3\0app", 11, "-" },
		{ "/usr/bin/python3", "", 0, "-" },
		{ "/usr/bin/dash", ARGUMENTS("/bin/sh\0/usr/bin/call"), "/usr/bin/call" },
		{ "/usr/bin/bash", ARGUMENTS("bash\0-c\0arecord"), "-" },
		{ "/usr/bin/bash", ARGUMENTS("bash\0-o\0posix\0--\0/x"), "/x" },
		{ "/usr/bin/perl5.36.0", ARGUMENTS("perl\0-ne\0print"), "-" },
		{ "/usr/bin/perl", ARGUMENTS("perl\0-w\0/usr/bin/p"), "/usr/bin/p" },
		{ "/usr/bin/node", ARGUMENTS("node\0--eval=1\0x"), "-" },
		{ "/usr/bin/node", ARGUMENTS("node\0-r\0mod\0/srv/main.js"), "/srv/main.js" },
		{ "/usr/lib/jvm/x/bin/java",
		  ARGUMENTS("java\0-cp\0/a:/b\0-Xmx1g\0-jar\0/opt/a.jar"), "/opt/a.jar" },
		{ "/usr/lib/jvm/x/bin/java", ARGUMENTS("java\0-cp\0/a\0org.Main"), "org.Main" },
	};
	char script[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		app_name_script(cases[i].exe, cases[i].arguments, cases[i].length, script,
				sizeof(script));
		if (strcmp(script, cases[i].script) != 0)
			fail_msg("case %zu: '%s', not '%s'", i, script, cases[i].script);
	}
	assert_false(app_name_is_interpreter("/usr/bin/pythonic"));
	assert_false(app_name_is_interpreter("/usr/bin/shutdown"));
	assert_false(app_name_is_interpreter("/usr/bin/firefox"));
	assert_false(app_name_is_interpreter("/opt/python3/bin/app"));
}

/* A child that runs this program, as the gate would describe it. */
static struct process_facts start(char *const argv[], const char *exe)
{
	struct process_facts facts = { .proven = true };
	int ready[2];
	char end;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	facts.pid = fork();
	if (facts.pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	close(ready[1]);
	/* It is in there once its own end is closed. */
	assert_int_equal(read(ready[0], &end, 1), 0);
	close(ready[0]);
	snprintf(facts.exe, sizeof(facts.exe), "%s", exe);
	return facts;
}

static void finish(const struct process_facts *facts)
{
	kill(facts->pid, SIGKILL);
	waitpid(facts->pid, NULL, 0);
}

static void a_script_is_named_and_not_proven(void **state)
{
	char *argv[] = { "/bin/sleep", "1000", NULL };
	/* What the kernel says counts: a program that only calls itself an interpreter is none, and the reverse. */
	struct process_facts facts = start(argv, "/usr/bin/env");
	struct app app;

	assert_int_equal(app_identify(&facts, &app), 0);
	assert_string_equal(app.label, "exe:/usr/bin/env");
	assert_string_equal(app.exe, "");
	assert_true(app.proven);
	snprintf(facts.exe, sizeof(facts.exe), "/usr/bin/bash");
	assert_int_equal(app_identify(&facts, &app), 0);
	assert_string_equal(app.label, "script:1000");
	assert_string_equal(app.exe, "exe:/usr/bin/bash");
	assert_false(app.proven);
	finish(&facts);
	/* Gone: the executable is an interpreter still, and nobody says what it ran. */
	assert_int_equal(app_identify(&facts, &app), 0);
	assert_string_equal(app.label, "script:-");
	assert_false(app.proven);
}

static void run_script(const char *dir, const char *name, const char *label)
{
	char path[64], *argv[] = { "/bin/sh", path, NULL };
	struct process_facts facts;
	struct app app;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs("kill -STOP $$\n", file) >= 0 && fclose(file) == 0);
	facts = start(argv, "/usr/bin/dash");
	assert_int_equal(app_identify(&facts, &app), 0);
	assert_string_equal(app.label, label[0] == '-' ? "script:-" : label);
	assert_string_equal(app.exe, "exe:/usr/bin/dash");
	finish(&facts);
	unlink(path);
}

static void names_that_cannot_be_shown_are_left_out(void **state)
{
	char dir[] = "/tmp/callgate-app-XXXXXX", label[64];

	assert_non_null(mkdtemp(dir));
	snprintf(label, sizeof(label), "script:%s/good", dir);
	run_script(dir, "good", label);
	run_script(dir, "a\x1b[2Jb", "-");
	run_script(dir, "1000\xe2\x80\xae", "-");
	rmdir(dir);
}

static void without_an_executable_and_a_unit_there_is_no_app(void **state)
{
	char *argv[] = { "/bin/sleep", "1000", NULL };
	struct process_facts facts = start(argv, "");
	struct app app;

	assert_int_equal(app_identify(&facts, &app), -ENXIO);
	facts.proven = false;
	snprintf(facts.exe, sizeof(facts.exe), "python3");
	assert_int_equal(app_identify(&facts, &app), 0);
	assert_string_equal(app.label, "name:python3");
	assert_false(app.proven);
	finish(&facts);
}

#define GROUPS	  "/callgate-test-units"
#define UNIT_NAME "app-flatpak-org.example.Test-4711.scope"

static const char *unified(void)
{
	static const char *const tops[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", tops[i]);
		if (access(path, W_OK) == 0)
			return tops[i];
	}
	return NULL;
}

/* Where the kernel has no path, and only there. */
static void in_a_sandbox_the_unit_names_the_app(void **state)
{
	char *argv[] = { "/bin/sleep", "1000", NULL }, path[256], unit[192], top[64];
	struct process_facts facts = start(argv, "");
	struct app app;
	FILE *procs;

	snprintf(top, sizeof(top), "%s/callgate-test-app-%d", unified(), getpid());
	snprintf(unit, sizeof(unit), "%s/" UNIT_NAME, top);
	snprintf(path, sizeof(path), "%s/cgroup.procs", unit);
	mkdir(top, 0755);
	mkdir(unit, 0755);
	procs = fopen(path, "we");
	assert_non_null(procs);
	fprintf(procs, "%d\n", facts.pid);
	assert_int_equal(fclose(procs), 0);
	assert_int_equal(app_identify(&facts, &app), 0);
	assert_string_equal(app.label, "flatpak:org.example.Test");
	assert_false(app.proven);
	snprintf(facts.exe, sizeof(facts.exe), "/usr/bin/env");
	assert_int_equal(app_identify(&facts, &app), 0);
	assert_string_equal(app.label, "exe:/usr/bin/env");
	finish(&facts);
	/* The kernel lets go of it a moment after the process. */
	for (int i = 0; i < 500 && rmdir(unit) < 0; i++)
		usleep(10000);
	rmdir(top);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, units_name_apps);
	UNIT(&u, mounts_name_images);
	UNIT(&u, arguments_name_scripts);
	UNIT(&u, a_script_is_named_and_not_proven);
	UNIT(&u, names_that_cannot_be_shown_are_left_out);
	UNIT(&u, without_an_executable_and_a_unit_there_is_no_app);
	if (unified() != NULL)
		UNIT(&u, in_a_sandbox_the_unit_names_the_app);
	else
		unit_skip(&u, "in_a_sandbox_the_unit_names_the_app",
			  "needs root and control groups of version 2");
	return unit_run(&u);
}
