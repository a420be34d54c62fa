// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Giving up what only the start needed. Called by main.c, and by manager.c once a gate is bound later.
 *
 * The kernel checks CAP_MAC_ADMIN when a controller binds, both of whoever
 * opened the socket and of whoever sends. A daemon that found no gate keeps
 * that one capability, so that it can bind when the module is loaded, and drops it then.
 */
#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bounds.h"

#define FILES (4 * BOUND_SESSIONS)

static int set_capabilities(uint64_t mask)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)mask, .permitted = (uint32_t)mask },
		{ .effective = (uint32_t)(mask >> 32), .permitted = (uint32_t)(mask >> 32) },
	};

	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int privilege_drop(uid_t uid, gid_t gid, bool keep_bind)
{
	if (prctl(PR_SET_KEEPCAPS, keep_bind) < 0)
		return -errno;
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap != CAP_MAC_ADMIN && prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL)
			return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return set_capabilities(keep_bind ? (uint64_t)1 << CAP_MAC_ADMIN : 0);
}

int privilege_bound(void)
{
	return set_capabilities(0);
}

int privilege_close(void)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };
	struct rlimit files;

	/* Each session holds its subject; select(), for which the usual limit is low, is not used here. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES) {
		files.rlim_cur = files.rlim_max < FILES ? files.rlim_max : FILES;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
