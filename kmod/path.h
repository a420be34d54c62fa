/* SPDX-License-Identifier: GPL-2.0-only */
/* What an executable is called, for people. */
#ifndef CALLGATE_PATH_H
#define CALLGATE_PATH_H

#include <linux/slab.h>
#include <linux/types.h>

#include "callgate.h"

struct file;

/**
 * struct callgate_path - a name, in itself where it is as short as most are
 * @name: NULL where it is unknown
 * @len: of it
 * @large: to be freed, or NULL
 * @small: where short names are
 */
struct callgate_path {
	const char *name;
	size_t len;
	char *large;
	char small[192];
};

static inline void callgate_path_none(struct callgate_path *ret_path)
{
	ret_path->name = NULL;
	ret_path->len = 0;
	ret_path->large = NULL;
}

/*
 * callgate_path_of() - the path of @exe as the initial mount namespace names it
 * Unknown where that namespace does not reach it, where it was unlinked, where it is longer than
 * CALLGATE_PATH_MAX, and where memory is short. Give it back with callgate_path_end(). May sleep.
 */
void callgate_path_of(struct file *exe, struct callgate_path *ret_path);

static inline void callgate_path_end(struct callgate_path *path)
{
	kfree(path->large);
}

#endif
