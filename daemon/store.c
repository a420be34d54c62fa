// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The service manager's store of descriptors, sd_notify(3): the only one who speaks to it about them. Must not know what they
 * are for. Called by manager.c and handover.c.
 *
 * Security: what comes out of the store was put there by an earlier main process of this service; others' notifications are
 * not taken (NotifyAccess=main). Whoever can start the daemon with descriptors of his own is root, or gets a
 * daemon without any privilege.
 */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "util/macro.h"

#define SETTLE_US 2000000u

static const char *const names[STORE_MAX] = { STORE_GATE, STORE_SESSIONS, STORE_SESSIONS_KEY };

static int find(const char *name)
{
	for (int i = 0; i < STORE_MAX; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

void store_init(struct store *store)
{
	char **given = NULL;
	int n = sd_listen_fds_with_names(true, &given);

	for (int i = 0; i < STORE_MAX; i++)
		store->fds[i] = -1;
	for (int i = 0; i < n; i++) {
		int which = find(given[i]);

		/* Two of one name: neither is trusted to be the right one, and the first stays. */
		if (which < 0 || store->fds[which] >= 0)
			close(SD_LISTEN_FDS_START + i);
		else
			store->fds[which] = SD_LISTEN_FDS_START + i;
		free(given[i]);
	}
	free(given);
}

void store_deinit(struct store *store)
{
	for (int i = 0; i < STORE_MAX; i++) {
		if (store->fds[i] >= 0)
			close(store->fds[i]);
		store->fds[i] = -1;
	}
}

int store_take(struct store *store, const char *name)
{
	return take_fd(&store->fds[find(name)]);
}

bool store_put(const char *name, int fd)
{
	char state[128];

	/* Not polled: that somebody hung up is no reason to close it. */
	snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	return sd_pid_notify_with_fds(0, false, state, &fd, 1) > 0;
}

void store_remove(const char *name)
{
	sd_notifyf(false, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void store_settle(void)
{
	sd_notify_barrier(false, SETTLE_US);
}
