// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How long a caller waits until somebody in user space has said no: a held request of the gate, a seccomp notification, and
 * a permission event of fanotify on a regular file, in turns, so that all see the same machine. Beside them
 * two programs that only wake each other. Then more askers at once than the gate holds. Called in the virtual
 * machine by tests/bench/guest-ask.
 *
 * Each is answered by the shortest program that can: it waits, reads one question, and writes one answer, no. With "daemon" the gate's
 * requests are answered by callgated, which runs already. To compare that with, notifications are answered from an event loop, too, and
 * from one by who asks.
 *
 * Usage: ask bare|counted|daemon|counted-daemon|counted-rest [REPETITIONS [SEED]]
 *   counted: in a machine that counts instructions, a thousand of them for a microsecond; without the crowd
 *   rest: the daemon comes to rest before each question
 * Where instructions are counted, who is woken waits until who woke it sleeps: else what is left to do after an answer is counted
 * now with this question, now with the next. The seed is that of the order in each turn: what comes at an interval hits each of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "gate.h"
#include "grants.h"
#include "harness.h"
#include "passing.h"
#include "sample.h"

#define EACH		 20 /* questions of one way in a repetition */
#define REPETITIONS	 11
#define ASKED_FILE	 "/tmp/asked"
/* kmod/limits.h */
#define MAX_REQUESTS	 256
#define MAX_REQUESTS_UID 32
#define SURPLUS		 64
#define ONE_USER	 320 /* askers of one user, beside others */
#define OTHERS		 8   /* users with one each */
#define REST_US		 2000
#define DAEMON_REST_US	 300000 /* it writes a denial down and tells it within half of that */
#define ALLOWED		 "/usr/bin/caller" /* nobody here is */

static struct gate *gate;
static int camera = -1;
static bool counted;
/* Before a question of the gate, and before each other. */
static useconds_t gate_rest, rest;
/* Of who asks, and of who answers. */
static int wakes[2];

/* ---- the three questions: errno of the answer ------------------------------------------------------------------ */

static int ask_gate(void)
{
	struct v4l2_requestbuffers request = { .count = 2,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };

	return ioctl(camera, VIDIOC_REQBUFS, &request) ? errno : 0;
}

static int ask_seccomp(void)
{
	return syscall(SYS_getpgid, 0) < 0 ? errno : 0;
}

static int ask_fanotify(void)
{
	int fd = open(ASKED_FILE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int ask_eventfd(void)
{
	uint64_t one = 1;

	if (write(wakes[1], &one, sizeof(one)) != sizeof(one) ||
	    read(wakes[0], &one, sizeof(one)) != sizeof(one))
		return errno;
	return EACCES;
}

/* ---- who answers ----------------------------------------------------------------------------------------------- */

_Noreturn static void answer_gate(int requests)
{
	struct callgate_request request = {};

	while (!ioctl(requests, CALLGATE_IOC_NEXT, &request))
		request.verdict = CALLGATE_VERDICT_DENY;
	_exit(1);
}

/* The error that who asks gets, by his program. He may have ended since, and another have his number. */
static int judge(int listener, const struct seccomp_notif *question, const char *allowed)
{
	char path[32], exe[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", question->pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0 || ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &question->id))
		return -EACCES;
	exe[n] = '\0';
	return strcmp(exe, allowed) ? -EACCES : 0;
}

/* @allowed: a program; NULL: no, to everybody */
static void answer_notification(int listener, const char *allowed)
{
	struct seccomp_notif question = {};
	struct seccomp_notif_resp answer;

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question)) {
		if (errno == EINTR || errno == ENOENT)
			return;
		_exit(1);
	}
	answer = (struct seccomp_notif_resp){
		.id = question.id,
		.error = allowed ? judge(listener, &question, allowed) : -EACCES,
	};
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

_Noreturn static void answer_seccomp(int listener)
{
	for (;;)
		answer_notification(listener, NULL);
}

static int on_notification(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
	answer_notification(listener, userdata);
	return 0;
}

/* As a daemon does that has other things to do. */
_Noreturn static void run_loop(int listener, char *allowed)
{
	sd_event *event = NULL;

	if (sd_event_new(&event) >= 0 &&
	    sd_event_add_io(event, NULL, listener, EPOLLIN, on_notification, allowed) >= 0)
		sd_event_loop(event);
	_exit(1);
}

_Noreturn static void answer_seccomp_loop(int listener)
{
	run_loop(listener, NULL);
}

/* As callgated does. */
_Noreturn static void answer_seccomp_policy(int listener)
{
	run_loop(listener, ALLOWED);
}

_Noreturn static void answer_fanotify(int group)
{
	struct fanotify_event_metadata event[8];
	struct fanotify_response answer;
	ssize_t n;

	for (;;) {
		n = read(group, event, sizeof(event));
		if (n < 0)
			_exit(1);
		for (int i = 0; i < n / (ssize_t)sizeof(event[0]); i++) {
			answer = (struct fanotify_response){ .fd = event[i].fd,
							     .response = FAN_DENY };
			if (write(group, &answer, sizeof(answer)) != sizeof(answer))
				_exit(1);
			close(event[i].fd);
		}
	}
}

_Noreturn static void answer_eventfd(int none)
{
	uint64_t one;

	while (read(wakes[1], &one, sizeof(one)) == sizeof(one))
		if (write(wakes[0], &one, sizeof(one)) != sizeof(one))
			break;
	_exit(1);
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		grants_die("fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static int fanotify_group(void)
{
	int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);
	int fd = open(ASKED_FILE, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	if (group < 0 || fd < 0 ||
	    fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, ASKED_FILE))
		grants_die("fanotify");
	close(fd);
	return group;
}

/* Of this process from now on, getpgid() is a question. */
static int seccomp_listener(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	int fd;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		     &program);
	if (fd < 0)
		grants_die("seccomp");
	return fd;
}

/* ---- one after the other --------------------------------------------------------------------------------------- */

enum {
	GATE,
	SECCOMP,
	FANOTIFY,
	EVENTFD,
	LOOP,
	POLICY,
	WAYS
};

/* @error: the answer. @listens: who answers gets a listener from who asks. */
static const struct way {
	const char *name;
	int (*ask)(void);
	void (*answer)(int fd);
	int error;
	bool listens;
} ways[WAYS] = {
	[GATE] = { "gate", ask_gate, answer_gate, EACCES },
	[SECCOMP] = { "seccomp", ask_seccomp, answer_seccomp, EACCES, true },
	[FANOTIFY] = { "fanotify", ask_fanotify, answer_fanotify, EPERM },
	[EVENTFD] = { "eventfd", ask_eventfd, answer_eventfd, EACCES },
	[LOOP] = { "loop", ask_seccomp, answer_seccomp_loop, EACCES, true },
	[POLICY] = { "policy", ask_seccomp, answer_seccomp_policy, EACCES, true },
};

/* What counts time would count instructions of this program's own, and the kernel's idea of how fast the clock is. */
static uint64_t now(void)
{
	return counted ? sample_clock() : sample_now();
}

static void shuffle(int order[WAYS], uint32_t *random)
{
	for (uint32_t i = WAYS; i-- > 1;) {
		uint32_t other = 0;
		int kept = order[i];

		*random ^= *random << 13;
		*random ^= *random >> 17;
		*random ^= *random << 5;
		other = *random % (i + 1);
		order[i] = order[other];
		order[other] = kept;
	}
}

/**
 * struct turn - shared with the process that asks in one way
 * @thousands: what it took, of instructions or of nanoseconds
 * @got: the answer
 */
struct turn {
	double thousands;
	int got;
};

/*
 * Each way is asked by a process of its own: a filter of seccomp is run at every call of who has one. It asks when it gets a
 * byte, and gives one back.
 */
static int start_asker(const struct way *way, struct turn *turn, int *ret_listener)
{
	int pair[2], listener;
	uint64_t begun;
	char c = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		grants_die("socketpair");
	if (child()) {
		if (way->listens && passing_receive(pair[0], &c, sizeof(c), 0, ret_listener) < 0)
			grants_die("listener");
		close(pair[1]);
		return pair[0];
	}
	close(pair[0]);
	if (gate)
		close(gate_fd(gate));
	if (way->listens) {
		listener = seccomp_listener();
		passing_send(pair[1], &c, sizeof(c), listener);
		close(listener);
	}
	while (read(pair[1], &c, 1) == 1) {
		begun = now();
		turn->got = way->ask();
		turn->thousands = (double)(now() - begun) / 1000;
		if (write(pair[1], &c, 1) != 1)
			break;
	}
	_exit(0);
}

static void in_turns(const char *scenario, const int askers[WAYS], const struct turn *turns,
		     unsigned int repetitions, uint32_t random)
{
	struct sample sample[WAYS] = {};
	int order[WAYS] = { GATE, SECCOMP, FANOTIFY, EVENTFD, LOOP, POLICY };
	char c = 0;
	int w;

	for (unsigned int rep = 0; rep < repetitions; rep++) {
		for (int i = 0; i < EACH * WAYS; i++) {
			if (i % WAYS == 0)
				shuffle(order, &random);
			w = order[i % WAYS];
			if (rest)
				usleep(w == GATE ? gate_rest : rest);
			if (write(askers[w], &c, 1) != 1 || read(askers[w], &c, 1) != 1)
				grants_die(ways[w].name);
			sample_add(&sample[w], turns[w].thousands);
			if (turns[w].got != ways[w].error) {
				fprintf(stderr, "bench: %s: the answer is %d, not %d\n",
					ways[w].name, turns[w].got, ways[w].error);
				exit(1);
			}
		}
		for (w = 0; w < WAYS; w++)
			sample_repetition(&sample[w]);
	}
	for (w = 0; w < WAYS; w++)
		sample_print(&sample[w], scenario, ways[w].name,
			     counted ? "thousand instructions" : "us");
}

/* ---- many at once ---------------------------------------------------------------------------------------------- */

struct asker {
	uint64_t begun, ended;
	uid_t uid;
	int result;
};

/* Starts them all, from a process that does not listen to the gate, and keeps those who are held until all others have had their answer. */
static unsigned int hold(struct asker *askers, unsigned int n, uint64_t *requests)
{
	unsigned int held = 0, early = 0, i;
	struct callgate_request request;

	/* A child starts them, so that the controller listens meanwhile: who is not read within 2 s is denied. */
	if (!child()) {
		close(gate_fd(gate));
		for (i = 0; i < n; i++) {
			uid_t uid = askers[i].uid;

			if (child())
				continue;
			if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
				_exit(1);
			askers[i].begun = sample_now();
			askers[i].result = ask_gate();
			__atomic_store_n(&askers[i].ended, sample_now(), __ATOMIC_RELEASE);
			_exit(0);
		}
		while (wait4(-1, NULL, 0, NULL) > 0)
			;
		_exit(0);
	}
	while (held + early < n) {
		while (held < n && gate_read(gate, 20, &request))
			requests[held++] = request.id;
		for (i = early = 0; i < n; i++)
			early += __atomic_load_n(&askers[i].ended, __ATOMIC_ACQUIRE) != 0;
	}
	return held;
}

static uint64_t answer_all(const uint64_t *requests, unsigned int held)
{
	uint64_t answered = sample_now();

	for (unsigned int i = 0; i < held; i++)
		gate_verdict(gate, requests[i], CALLGATE_VERDICT_DENY);
	while (wait4(-1, NULL, 0, NULL) > 0)
		;
	return answered;
}

static struct asker *new_askers(unsigned int n, uint64_t **ret_requests)
{
	struct asker *askers = mmap(NULL, n * sizeof(*askers), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*ret_requests = calloc(n, sizeof(**ret_requests));
	if (askers == MAP_FAILED || !*ret_requests)
		grants_die("memory");
	for (unsigned int i = 0; i < n; i++)
		askers[i].result = -1;
	return askers;
}

/* More than the cap, of as many users as that takes. All must get an answer, and the surplus at once. */
static void crowd(void)
{
	unsigned int n = MAX_REQUESTS + SURPLUS, held, denied = 0, lost = 0;
	struct sample wait = {}, surplus = {};
	uint64_t *requests, answered;
	struct asker *askers = new_askers(n, &requests);
	unsigned int i;

	for (i = 0; i < n; i++)
		askers[i].uid = 20000 + i / MAX_REQUESTS_UID;
	held = hold(askers, n, requests);
	answered = answer_all(requests, held);
	for (i = 0; i < n; i++) {
		denied += askers[i].result == EACCES;
		lost += askers[i].result < 0;
		if (askers[i].ended > answered)
			sample_add(&wait, (double)(askers[i].ended - answered) / 1000);
		else
			sample_add(&surplus, (double)(askers[i].ended - askers[i].begun) / 1000);
	}
	sample_print_one("crowd", "askers", "count", n);
	sample_print_one("crowd", "held at once", "count", held);
	sample_print_one("crowd", "surplus, denied at once", "count", n - held);
	sample_print_one("crowd", "denied", "count", denied);
	sample_print_one("crowd", "lost", "count", lost);
	/* One repetition, which is not to be dropped. */
	wait.repetitions = surplus.repetitions = 1;
	sample_repetition(&wait);
	sample_repetition(&surplus);
	sample_print(&wait, "crowd", "from the first answer to one's own", "us");
	sample_print(&surplus, "crowd", "a surplus asker's wait", "us");
}

/* One user asks as often as he can; others, who come after him, once. */
static void greedy(void)
{
	unsigned int n = ONE_USER + OTHERS, others = 0, lost = 0;
	uint64_t *requests, answered;
	struct asker *askers = new_askers(n, &requests);
	unsigned int i, held;

	for (i = 0; i < n; i++)
		askers[i].uid = i < ONE_USER ? 20000 : 20001 + i - ONE_USER;
	held = hold(askers, n, requests);
	answered = answer_all(requests, held);
	for (i = 0; i < n; i++) {
		others += i >= ONE_USER && askers[i].ended > answered;
		lost += askers[i].result < 0;
	}
	sample_print_one("greedy", "askers of one user", "count", ONE_USER);
	sample_print_one("greedy", "of them held at once", "count", held - others);
	sample_print_one("greedy", "other users with one question each", "count", OTHERS);
	sample_print_one("greedy", "of them held at once, too", "count", others);
	sample_print_one("greedy", "lost, of all", "count", lost);
}

int main(int argc, char **argv)
{
	unsigned int repetitions = argc > 2 ? (unsigned int)atoi(argv[2]) : REPETITIONS;
	uint32_t seed = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1;
	bool bare = argc > 1 && (!strcmp(argv[1], "counted") || !strcmp(argv[1], "bare"));
	pid_t answering[WAYS] = {};
	int askers[WAYS], fds[WAYS];
	struct turn *turns;

	if (argc < 2 || argc > 4 || !seed) {
		fprintf(stderr,
			"usage: ask bare|counted|daemon|counted-daemon|counted-rest [REPETITIONS [SEED]]\n");
		return 2;
	}
	counted = !strncmp(argv[1], "counted", 7);
	if (counted && sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){}))
		grants_die("SCHED_BATCH");
	if (!strcmp(argv[1], "counted") || !strcmp(argv[1], "counted-rest")) {
		rest = REST_US;
		gate_rest = bare ? REST_US : DAEMON_REST_US;
	}
	camera = open("/dev/video0", O_RDWR | O_CLOEXEC);
	if (camera < 0)
		grants_die("/dev/video0");
	wakes[0] = eventfd(0, EFD_CLOEXEC);
	wakes[1] = eventfd(0, EFD_CLOEXEC);
	if (wakes[0] < 0 || wakes[1] < 0)
		grants_die("eventfd");
	turns = mmap(NULL, WAYS * sizeof(*turns), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (turns == MAP_FAILED)
		grants_die("memory");
	if (bare) {
		gate = gate_open();
		if (!gate || gate_bind(gate, NULL))
			grants_die("bind");
		fds[GATE] = gate_requests(gate);
	}
	fds[FANOTIFY] = fanotify_group();
	for (int i = 0; i < WAYS; i++)
		askers[i] = start_asker(&ways[i], &turns[i], &fds[i]);
	for (int i = bare ? GATE : GATE + 1; i < WAYS; i++) {
		answering[i] = child();
		if (!answering[i])
			ways[i].answer(fds[i]);
	}
	in_turns(argv[1], askers, turns, repetitions, seed);
	for (int i = 0; i < WAYS; i++) {
		if (answering[i]) {
			kill(answering[i], SIGKILL);
			waitpid(answering[i], NULL, 0);
		}
		close(askers[i]);
	}
	if (bare && !counted) {
		crowd();
		greedy();
	}
	return 0;
}
