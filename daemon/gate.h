/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's side, kmod/uapi/callgate.h. tests/bus/fake/fake-gate.c implements the same for tests. */
#ifndef CALLGATE_GATE_H
#define CALLGATE_GATE_H

#include <systemd/sd-event.h>

#include "capture.h"
#include "process.h"

struct gate;

enum gate_mode {
	GATE_ABSENT,
	GATE_PRESENT,
	GATE_PERMISSIVE,
};

/**
 * struct gate_hooks - news from the kernel, called from the event loop only
 * @changed: gate_mode() changed. When it became absent every device, stream and grant is forgotten.
 * @forget: events were lost; devices and streams are reported anew after this
 * @request: a caller is held until it is answered with gate_verdict(@attempt->id), now or later
 */
struct gate_hooks {
	void (*changed)(void *userdata);
	void (*forget)(void *userdata);
	void (*request)(void *userdata, const struct capture *attempt);
	void (*denied)(void *userdata, const struct capture *attempt);
	void (*stream_started)(void *userdata, const struct capture *stream);
	void (*stream_stopped)(void *userdata, uint64_t stream);
	void (*device_added)(void *userdata, const struct capture_device *device);
	void (*device_removed)(void *userdata, uint32_t device);
};

/**
 * struct gate_grant - what gate_grant() asks for
 * @cgroup_fd: a control group; or -1, then @who names one process image
 * @deadline: ns on CLOCK_BOOTTIME
 */
struct gate_grant {
	uint64_t session;
	int cgroup_fd;
	const struct process_facts *who;
	uint32_t kinds;
	uint64_t deadline;
};

/**
 * struct gate_held - one grant that the kernel has
 * @pid: @cookie: of a process image; 0 where the subject is @cgroup
 */
struct gate_held {
	uint64_t id;
	uint64_t session;
	pid_t pid;
	uint64_t cookie;
	uint64_t cgroup;
	uid_t uid;
	uint32_t kinds;
};

/* Never fails for want of a gate: it is then absent. */
int gate_new(struct gate **ret_gate, sd_event *event, const struct gate_hooks *hooks,
	     void *userdata);
/* Ends every grant that is left: the kernel does so when the socket closes. Returns NULL. */
struct gate *gate_free(struct gate *gate);

/* Becomes the controller if that is possible now; needs CAP_MAC_ADMIN. Does nothing while present. */
void gate_look(struct gate *gate);
enum gate_mode gate_mode(const struct gate *gate);
/**
 * gate_adopt() - take over a socket that an earlier process of the daemon has bound
 * @fd: taken, also where that fails
 *
 * Of what the earlier process knew only the socket is trusted: what it left unread is read away, and devices, requests and
 * streams are asked for as after binding.
 * Return: 0; a negative errno: nobody obeys the socket, and the gate is absent.
 */
int gate_adopt(struct gate *gate, int fd);
/* The bound socket, to be kept for the next process; -1 while absent. */
int gate_fd(const struct gate *gate);

/* All: -ENODEV without a gate. */
/* gate_mode() is what the kernel answered, also where that is not what was asked. */
int gate_set_mode(struct gate *gate, bool permissive);
int gate_identify(struct gate *gate, pid_t pid, struct process_facts *ret_facts);
/* @ret_id: what the kernel calls it, for gate_revoke_grant(); may be NULL. */
int gate_grant(struct gate *gate, const struct gate_grant *grant, uint64_t *ret_id);
/* Every grant of the session. */
int gate_revoke(struct gate *gate, uint64_t session);
/* Ends the grants that @known does not know. 0, or why one may be left, until its deadline. */
int gate_revoke_unknown(struct gate *gate,
			bool (*known)(void *userdata, const struct gate_held *held),
			void *userdata);
int gate_revoke_grant(struct gate *gate, uint64_t id);
int gate_verdict(struct gate *gate, uint64_t request, bool allow);

#endif
