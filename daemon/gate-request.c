// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Held callers: the requests file that the kernel opens for its controller,
 * struct callgate_request in kmod/uapi/callgate.h. Owns that file. Called by
 * gate.c, and by the event loop when somebody is held. Must not decide: each
 * goes up through the hook, and the verdict comes down as a function.
 *
 * A caller that was read is held until it is answered, so the hook answers or
 * keeps each. The kernel names the image; what it is called is asked for here,
 * and stays unknown where it is another one by then.
 */
#include "gate-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Then the rest of the daemon has its turn. */
#define READ_AT_ONCE 4

static void name(struct gate *gate, const struct callgate_request *request,
		 struct process_facts *ret_who)
{
	struct process_facts facts;
	pid_t pid = (pid_t)request->tgid;

	*ret_who = (struct process_facts){ .cookie = request->cookie };
	if (gate->asker.cookie != request->cookie && gate_identify(gate, pid, &facts) == 0)
		gate->asker = facts;
	if (gate->asker.cookie == request->cookie)
		*ret_who = gate->asker;
	ret_who->pid = pid;
	ret_who->uid = request->uid;
	ret_who->cgroup = request->cgroup;
	ret_who->proven = true;
}

static void deliver(struct gate *gate, const struct callgate_request *request)
{
	struct capture attempt = {
		.id = request->id,
		.device = request->device,
		.kinds = request->kinds,
	};

	name(gate, request, &attempt.who);
	gate->hooks->request(gate->userdata, &attempt);
}

/* Too late is no error: the caller is denied then. */
static int answer(struct gate *gate, struct callgate_request *request)
{
	if (gate->requests < 0)
		return -ENODEV;
	if (ioctl(gate->requests, CALLGATE_IOC_ANSWER, request) < 0 && errno != ENOENT)
		return gate_check_lost(gate, -EIO, false);
	return 0;
}

/* What is answered at once goes with the call that asks for the next. */
static int on_held(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct callgate_request request = { .id = 0 };
	struct gate *gate = userdata;

	for (unsigned int i = 0; i < READ_AT_ONCE && gate->requests >= 0; i++) {
		if (ioctl(gate->requests, CALLGATE_IOC_NEXT, &request) < 0) {
			if (errno == ENOTCONN)
				gate_check_lost(gate, -EIO, false);
			return 0;
		}
		gate->answer = (struct callgate_request){ .id = 0 };
		gate->delivered = request.id;
		deliver(gate, &request);
		gate->delivered = 0;
		request = gate->answer;
	}
	if (request.id != 0)
		answer(gate, &request);
	return 0;
}

static void take_fd(struct gate *gate, struct nlattr **attrs, void *ret)
{
	if (attrs[CALLGATE_A_REQUESTS_FD] != NULL)
		*(int *)ret = (int)gate_u32(attrs, CALLGATE_A_REQUESTS_FD);
}

int gate_requests_open(struct gate *gate)
{
	int r;

	gate_requests_close(gate);
	r = gate_command(gate, gate_message(gate, CALLGATE_CMD_REQUESTS, NLM_F_ACK), take_fd,
			 &gate->requests);
	if (r >= 0 && gate->requests < 0)
		r = -EIO;
	if (r >= 0 && fcntl(gate->requests, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		r = -errno;
	if (r >= 0)
		r = sd_event_add_io(gate->event, &gate->held, gate->requests, EPOLLIN, on_held,
				    gate);
	return r;
}

void gate_requests_close(struct gate *gate)
{
	gate->held = sd_event_source_unref(gate->held);
	if (gate->requests >= 0)
		close(gate->requests);
	gate->requests = -1;
}

int gate_verdict(struct gate *gate, uint64_t request, bool allow)
{
	struct callgate_request said = {
		.id = request,
		.verdict = allow ? CALLGATE_VERDICT_ALLOW : CALLGATE_VERDICT_DENY,
	};

	if (request != gate->delivered)
		return answer(gate, &said);
	gate->answer = said;
	return 0;
}
