// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the file STATE/mode: one word, "enforcing" or "permissive". The module
 * always loads enforcing, so that nothing is open before the daemon runs; a
 * daemon whose file says so makes it permissive. It never goes the other way by
 * itself: a module that was loaded permissive, from the kernel's command line,
 * stays so. Called by manager.c and bus-mode.c.
 */
#include "mode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/file.h"
#include "util/log.h"

static const char *const words[] = { [false] = "enforcing\n", [true] = "permissive\n" };

bool mode_load(int state_dir)
{
	char text[16];
	ssize_t n = file_read_private(state_dir, "mode", text, sizeof(text));

	if (n == -ENOENT)
		return false;
	for (int permissive = 0; permissive <= 1; permissive++)
		if (n == (ssize_t)strlen(words[permissive]) &&
		    memcmp(text, words[permissive], (size_t)n) == 0)
			return permissive;
	log_event(LOG_EVENT_STATE_FAILED, LOG_NOBODY,
		  "The file 'mode' in the state directory cannot be used (%s): enforcing. "
		  "'callgatectl enforce' or 'callgatectl permissive' writes it anew.",
		  n < 0 ? strerror((int)-n) : "it holds neither enforcing nor permissive");
	return false;
}

int mode_save(int state_dir, bool permissive)
{
	return file_write_private(state_dir, "mode", words[permissive], strlen(words[permissive]));
}
