// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether one rule covers one process image on one device at one time.
 *
 * Owns nothing: no kernel object is followed, no lock is taken, pointers are
 * compared as numbers. Called by grant.c under RCU, and by the unit tests.
 *
 * The answer starts as no. Every fact that the rule names must be equal, and a
 * fact that is absent (0 or NULL) on either side never counts as equal.
 */
#include "verdict.h"

bool callgate_rule_covers(const struct callgate_rule *rule, const struct callgate_image *image,
			  u32 device, u32 kinds, u64 now)
{
	if (!image->user || now >= rule->deadline)
		return false;
	if (!kinds || (rule->kinds & kinds) != kinds)
		return false;
	if (rule->device && rule->device != device)
		return false;
	if (image->uid != rule->uid || image->euid != rule->uid || image->suid != rule->uid)
		return false;
	if (rule->pid)
		return image->pid == rule->pid && image->exec_id == rule->exec_id && rule->exe &&
		       image->exe == rule->exe;
	return rule->cgroup && image->cgroup == rule->cgroup;
}
