/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * The generic netlink family "callgate", and the file from which held callers
 * are read: constants shared by the module, the daemon and the tests.
 * callgate.yaml beside this file is the family's manual; a test compares the two.
 */
#ifndef _UAPI_CALLGATE_H
#define _UAPI_CALLGATE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CALLGATE_GENL_NAME    "callgate"
#define CALLGATE_GENL_VERSION 1

/* Bits of CALLGATE_A_KINDS. */
#define CALLGATE_KIND_MICROPHONE 1
#define CALLGATE_KIND_CAMERA	 2
#define CALLGATE_KIND_ALL	 3

/* Longest strings in bytes, without the final zero. */
#define CALLGATE_NAME_MAX 63
#define CALLGATE_NODE_MAX 31
#define CALLGATE_PATH_MAX 1023

/* A grant's deadline lies at most this far ahead; seconds on CLOCK_BOOTTIME. */
#define CALLGATE_GRANT_MAX_SECONDS 10
/* A request that is not read within this time is denied. */
#define CALLGATE_READ_SECONDS	   2
/* A caller is held at most this long. */
#define CALLGATE_HOLD_SECONDS	   65

enum callgate_verdict {
	CALLGATE_VERDICT_DENY,
	CALLGATE_VERDICT_ALLOW,
};

enum callgate_mode {
	CALLGATE_MODE_ENFORCING,
	CALLGATE_MODE_PERMISSIVE,
};

/* CALLGATE_A_OP: what the caller was doing. */
enum callgate_op {
	CALLGATE_OP_UNSPEC,
	CALLGATE_OP_BUFFERS, /* V4L2 REQBUFS, CREATE_BUFS, REMOVE_BUFS, EXPBUF, PREPARE_BUF */
	CALLGATE_OP_START,   /* V4L2 STREAMON, OVERLAY; ALSA trigger */
	CALLGATE_OP_QUEUE,   /* V4L2 QBUF */
	CALLGATE_OP_DEQUEUE, /* V4L2 DQBUF */
	CALLGATE_OP_READ,    /* V4L2 read(); ALSA copy */
	CALLGATE_OP_POLL,
	CALLGATE_OP_MMAP,
};

/* CALLGATE_A_REASON of a stopped stream. */
enum callgate_reason {
	CALLGATE_REASON_UNSPEC,
	CALLGATE_REASON_STOPPED, /* by its owner, or closed */
	CALLGATE_REASON_REVOKED, /* its grant was revoked or reached its deadline */
	CALLGATE_REASON_REMOVED, /* the device went away */
};

enum callgate_attr {
	CALLGATE_A_UNSPEC,
	CALLGATE_A_PAD,
	CALLGATE_A_TGID,	 /* u32: process id in the initial pid namespace */
	CALLGATE_A_COOKIE,	 /* u64: names one process image; changes with exec */
	CALLGATE_A_START_TIME,	 /* u64: ns on CLOCK_BOOTTIME */
	CALLGATE_A_UID,		 /* u32: in the initial user namespace */
	CALLGATE_A_CGROUP,	 /* u64: id of a cgroup of the unified hierarchy */
	CALLGATE_A_CGROUP_FD,	 /* u32: an open directory of that hierarchy, in the sender */
	CALLGATE_A_EXE,		 /* string: path of the executable, for people only */
	CALLGATE_A_TRACED,	 /* u8: 1 while a debugger is attached */
	CALLGATE_A_DEVICE,	 /* u32: id of a gated device, never re-used */
	CALLGATE_A_KINDS,	 /* u32: CALLGATE_KIND_* */
	CALLGATE_A_NAME,	 /* string: the device's own name */
	CALLGATE_A_NODE,	 /* string: "video0", "pcmC1D0c/0" */
	CALLGATE_A_SESSION,	 /* u64: chosen by the controller, not 0 */
	CALLGATE_A_GRANT,	 /* u64: id of a grant, never re-used */
	CALLGATE_A_DEADLINE,	 /* u64: ns on CLOCK_BOOTTIME */
	CALLGATE_A_REQUESTS_FD,	 /* u32: a requests file, open in the sender */
	CALLGATE_A_MODE,	 /* u8: enum callgate_mode */
	CALLGATE_A_OP,		 /* u8: enum callgate_op */
	CALLGATE_A_SINCE,	 /* u64: ns on CLOCK_BOOTTIME */
	CALLGATE_A_REASON,	 /* u8: enum callgate_reason */
	CALLGATE_A_COUNT,	 /* u32: denied attempts since the last event of the same kind */
	CALLGATE_A_STREAM,	 /* u64: id of a stream, never re-used */
	CALLGATE_A_STAT_CHECKS,	 /* u64: statistics, see callgate.yaml */
	CALLGATE_A_STAT_DENIED,	 /* u64 */
	CALLGATE_A_STAT_ASKED,	 /* u64 */
	CALLGATE_A_STAT_REVOKED, /* u64 */
	CALLGATE_A_STAT_LOST,	 /* u64: events that did not reach the controller */

	__CALLGATE_A_MAX,
	CALLGATE_A_MAX = __CALLGATE_A_MAX - 1
};

enum callgate_cmd {
	CALLGATE_CMD_UNSPEC,
	CALLGATE_CMD_BIND,
	CALLGATE_CMD_IDENTIFY,
	CALLGATE_CMD_GRANT,
	CALLGATE_CMD_REVOKE,
	CALLGATE_CMD_REQUESTS,
	CALLGATE_CMD_MODE,
	CALLGATE_CMD_DETACH,
	CALLGATE_CMD_DEVICE_GET,
	CALLGATE_CMD_GRANT_GET,
	CALLGATE_CMD_STREAM_GET,
	CALLGATE_CMD_STATS_GET,

	/* Events, unicast to the controller. */
	CALLGATE_CMD_DENIED_EVENT,
	CALLGATE_CMD_STREAM_STARTED_EVENT,
	CALLGATE_CMD_STREAM_STOPPED_EVENT,
	CALLGATE_CMD_DEVICE_ADDED_EVENT,
	CALLGATE_CMD_DEVICE_REMOVED_EVENT,

	__CALLGATE_CMD_MAX,
	CALLGATE_CMD_MAX = __CALLGATE_CMD_MAX - 1
};

/**
 * struct callgate_request - a held caller, and its answer
 * @id: never re-used
 * @verdict: enum callgate_verdict, written by who answers
 * @op: enum callgate_op
 * @device: id of the gated device
 * @kinds: CALLGATE_KIND_* of the device
 * @tgid: process id in the initial pid namespace
 * @uid: in the initial user namespace
 * @cookie: the process image, as in CALLGATE_A_COOKIE
 * @cgroup: id of a cgroup of the unified hierarchy
 *
 * What the image is called, CALLGATE_CMD_IDENTIFY says.
 */
struct callgate_request {
	__u64 id;
	__u32 verdict;
	__u32 op;
	__u32 device;
	__u32 kinds;
	__u32 tgid;
	__u32 uid;
	__u64 cookie;
	__u64 cgroup;
};

/*
 * Of the requests file that CALLGATE_CMD_REQUESTS opens. ENOTCONN when the controller that opened it has gone, EINVAL for
 * an unknown verdict.
 *
 * NEXT gives @verdict to @id, unless that is 0 or held no more, and reads the next caller; without one it waits, or says EAGAIN with
 * O_NONBLOCK. poll() says when there is one. A caller is read once, by whichever file of the controller asks first, until another
 * file is opened: that begins with all who are held.
 * ANSWER gives @verdict to @id. ENOENT when that is held no more.
 *
 * Allow means that the caller is checked again: it still needs a grant.
 */
#define CALLGATE_IOC_NEXT   _IOWR(0xC6, 0, struct callgate_request)
#define CALLGATE_IOC_ANSWER _IOW(0xC6, 1, struct callgate_request)

#endif
