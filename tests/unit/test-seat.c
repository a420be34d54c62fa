// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who is in front and who is elsewhere, by logind's files: here the test's own, in mounts of its own. */
#include "unit.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "seat.h"

#define UID 4711

static void put(const char *path, const char *text)
{
	char fresh[128];
	FILE *file;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
	assert_int_equal(rename(fresh, path), 0);
}

static void user(const char *text)
{
	put("/run/systemd/users/4711", text);
}

static bool away(void)
{
	struct seats seats = { .monitor = NULL };

	return seats_away(&seats, UID);
}

static void who_has_no_seat_is_not_away(void **state)
{
	assert_false(away());
	user("NAME=x\nSTATE=online\nONLINE_SESSIONS=3\n");
	assert_false(away());
	/* One that is being closed is nobody's any more. */
	user("NAME=x\nSTATE=closing\nSEATS=seat0\n");
	assert_false(away());
}

static void who_is_in_front_is_not_away(void **state)
{
	user("NAME=x\nSTATE=active\nONLINE_SEATS=seat0\nACTIVE_SEATS=seat0\n");
	assert_false(away());
	user("NAME=x\nSTATE=active\nONLINE_SEATS=seat0 seat1\nACTIVE_SEATS=seat1\n");
	assert_false(away());
}

static void who_is_behind_somebody_else_is_away(void **state)
{
	user("NAME=x\nSTATE=online\nONLINE_SEATS=seat0\n");
	assert_true(away());
	user("NAME=x\nSTATE=online\nONLINE_SEATS=seat0\nACTIVE_SEATS=\n");
	assert_true(away());
	/* Is still there over the network: whoever is at the machine is somebody else. */
	user("NAME=x\nSTATE=active\nONLINE_SESSIONS=1 2\nONLINE_SEATS=seat0\nACTIVE_SESSIONS=2\n");
	assert_true(away());
}

/* This process is in no session; its user has these. */
static void without_a_session_any_remote_one_counts(void **state)
{
	put("/run/systemd/sessions/1", "UID=4711\nACTIVE=1\nREMOTE=0\n");
	put("/run/systemd/sessions/2", "UID=4711\nACTIVE=1\nREMOTE=1\n");
	user("NAME=x\nSTATE=active\n");
	assert_false(seats_remote(getpid(), UID));
	user("NAME=x\nSTATE=active\nONLINE_SESSIONS=1\n");
	assert_false(seats_remote(getpid(), UID));
	user("NAME=x\nSTATE=active\nONLINE_SESSIONS=1 2\n");
	assert_true(seats_remote(getpid(), UID));
	/* One of which nothing is known. */
	user("NAME=x\nSTATE=active\nONLINE_SESSIONS=1 9\n");
	assert_true(seats_remote(getpid(), UID));
}

static bool own_files(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       (mkdir("/run/systemd", 0755) == 0 || errno == EEXIST) &&
	       mount("none", "/run/systemd", "tmpfs", 0, NULL) == 0 &&
	       mkdir("/run/systemd/users", 0755) == 0 && mkdir("/run/systemd/sessions", 0755) == 0;
}

int main(void)
{
	struct unit u = {};

	if (!own_files()) {
		unit_skip(&u, "seats", "needs root, to mount");
		return unit_run(&u);
	}
	UNIT(&u, who_has_no_seat_is_not_away);
	UNIT(&u, who_is_in_front_is_not_away);
	UNIT(&u, who_is_behind_somebody_else_is_away);
	UNIT(&u, without_a_session_any_remote_one_counts);
	return unit_run(&u);
}
