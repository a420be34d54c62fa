// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The system-call fuzzer: processes with threads do random things to the camera
 * and the microphone, pass each other their files and fork, while a controller
 * grants and revokes at random. What is watched: nobody is let in without a grant.
 *
 * Usage: fuzz_syscall SECONDS [SEED]	prints TAP
 *
 * A seed decides what each thread does, one thread of one process for itself;
 * the order between them is the scheduler's. Runs as root in the virtual machine.
 *
 * Each process has one epoch for each kind, kept by the controller: odd from
 * before a grant is asked for until after its revocation was answered. Who finds
 * the same even epoch before and after an operation had no grant meanwhile. One
 * process is never granted anything, nor is any forked child.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "camera.h"
#include "fuzz_ops.h"
#include "gate.h"
#include "harness.h"
#include "microphone.h"
#include "old_map.h"

#define WORKERS	    5
#define STRANGER    0 /* never granted */
#define LONER	    1 /* shares no file, so that its mappings are its own */
#define QUIET	    2 /* shares its files, and others go on using them */
#define THREADS	    2
#define SLOTS	    3
#define LIFE_MS	    4000
#define PLAYERS	    8 /* each substream hears the tone */
/* Two looks at a mapping after the end of a grant; the stop is a worker's and may be late on a busy machine. */
#define SETTLED	    3000000000ull
#define LOOK_MS	    150
#define LONG	    300 /* seconds */
#define MIC_NODE    "/dev/snd/pcmC0D0c"
#define VIDEO_MAJOR 81
#define SOUND_MAJOR 116
#define DESCRIBED   20 /* of those who were let in */

/**
 * struct worker - in shared memory
 * @epoch: see above
 * @since: when an epoch began
 * @pid: of the process that plays it now
 */
struct worker {
	atomic_uint epoch[FUZZ_KINDS];
	_Atomic uint64_t since[FUZZ_KINDS];
	atomic_int pid;
};

/**
 * struct violation - somebody was let in without a grant
 * @complete: false: its process was ended before it could say what it had seen
 * @me: its worker; -1: a forked child
 * @epoch: even
 * @since: the epoch began; 0: it never had a grant
 * @begun: the operation, or the look at a mapping
 * @ended: the same
 */
struct violation {
	atomic_bool complete;
	bool printed;
	int me;
	pid_t pid;
	const char *what;
	char where[64];
	long value;
	unsigned int epoch;
	uint64_t since, begun, ended;
};

static struct shared {
	struct worker workers[WORKERS];
	struct violation list[DESCRIBED];
	atomic_ulong operations, let_in[FUZZ_KINDS], data[FUZZ_KINDS], judged, denied;
	atomic_ulong passed, forks, maps_heard;
	atomic_ulong looks[FUZZ_KINDS], lively[FUZZ_KINDS];
	atomic_ulong violations;
} * shared;

static char camera[64];
/* A file for a worker goes into its mailbox. */
static int mailbox[WORKERS][2];
static uint64_t seed;
/* A debug kernel takes its time: grants and processes live longer there, or nobody gets to use one. */
static unsigned int slowness = 1;

/* ---- one thread ------------------------------------------------------------------------------------------------ */

/**
 * struct fuzzer - a thread, or a forked child
 * @me: its worker; -1: a forked child, never granted
 */
struct fuzzer {
	int me;
	uint64_t random;
	struct fuzz_map maps[FUZZ_KINDS];
};

/* Shared by the threads of a process. */
static atomic_int files[FUZZ_KINDS][SLOTS];

static bool never_granted(const struct fuzzer *f)
{
	return f->me == STRANGER || f->me < 0;
}

static unsigned int epoch(const struct fuzzer *f, enum fuzz_kind kind)
{
	return never_granted(f) ? 0 : atomic_load(&shared->workers[f->me].epoch[kind]);
}

/*
 * Into shared memory, for its process may be killed at any time, and a forked child's stdout be locked for ever.
 * @fd: -1 where there is none
 */
static void violation(const struct fuzzer *f, enum fuzz_kind kind, const char *what, long value,
		      int fd, uint64_t begun)
{
	unsigned long n = atomic_fetch_add(&shared->violations, 1);
	struct violation *v = &shared->list[n];
	char link[32];

	if (n >= DESCRIBED)
		return;
	v->me = f->me;
	v->pid = getpid();
	v->what = what;
	v->value = value;
	v->epoch = epoch(f, kind);
	v->since = never_granted(f) ? 0 : atomic_load(&shared->workers[f->me].since[kind]);
	v->begun = begun;
	v->ended = harness_now();
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fd < 0 || readlink(link, v->where, sizeof(v->where) - 1) < 0)
		snprintf(v->where, sizeof(v->where), "%s", kind == FUZZ_CAMERA ? camera : MIC_NODE);
	atomic_store(&v->complete, true);
}

/* @all: also those that nobody will complete any more. */
static void print_violations(bool all)
{
	unsigned long n, count = atomic_load(&shared->violations);
	struct violation *v;

	for (n = 0; n < count && n < DESCRIBED; n++) {
		v = &shared->list[n];
		if (v->printed || (!all && !atomic_load(&v->complete)))
			continue;
		v->printed = true;
		if (!atomic_load(&v->complete)) {
			printf("# LET IN without a grant: by a process that was ended at that moment\n");
			continue;
		}
		printf("# LET IN without a grant: worker %d (process %d), %s on %s: %ld, in %.3f s, epoch %u",
		       v->me, v->pid, v->what, v->where, v->value, (v->ended - v->begun) / 1e9,
		       v->epoch);
		if (v->since)
			printf(", which began %.3f s before", (v->ended - v->since) / 1e9);
		printf("\n");
	}
	if (all && count > DESCRIBED)
		printf("# LET IN without a grant: %lu times more\n", count - DESCRIBED);
	fflush(stdout);
}

/* @fd: nobody else closes it. */
static void judge(const struct fuzzer *f, enum fuzz_kind kind, unsigned int before, int fd,
		  uint64_t begun, const struct fuzz_result *r)
{
	bool without = before % 2 == 0 && epoch(f, kind) == before;

	atomic_fetch_add(&shared->operations, 1);
	atomic_fetch_add(&shared->judged, without);
	atomic_fetch_add(&shared->denied, r->value == -EACCES);
	if (r->in && without)
		violation(f, kind, r->name, r->value, fd, begun);
	if (r->in && !without)
		atomic_fetch_add(&shared->let_in[kind], 1);
	if (r->data && !without)
		atomic_fetch_add(&shared->data[kind], 1);
}

/* The tone is played to every substream: what is not silence has been heard. */
static void listen_at_mapping(struct fuzzer *f)
{
	const volatile int16_t *at = f->maps[FUZZ_MIC].at;
	uint64_t begun = harness_now();
	size_t i;

	for (i = 0; at && i < f->maps[FUZZ_MIC].length / 2; i++) {
		if (!at[i])
			continue;
		if (never_granted(f))
			violation(f, FUZZ_MIC, "a mapping with sound in it", at[i], -1, begun);
		else
			atomic_fetch_add(&shared->maps_heard, 1);
		return;
	}
}

/* Who is granted seldom, so that what it maps is also looked at long after the grant. */
static bool is_quiet(int me)
{
	return me == LONER || me == QUIET;
}

static void put_file(enum fuzz_kind kind, int slot, int fd)
{
	int old = atomic_exchange(&files[kind][slot], fd);

	if (old >= 0)
		close(old);
}

static void send_file(struct fuzzer *f, enum fuzz_kind kind, int fd)
{
	int to = fuzz_pick(&f->random, WORKERS);
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { .iov_base = &kind, .iov_len = sizeof(kind) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	if (f->me == LONER || to == LONER)
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	if (sendmsg(mailbox[to][0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		atomic_fetch_add(&shared->passed, 1);
}

static void receive_file(struct fuzzer *f)
{
	enum fuzz_kind kind;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &kind, .iov_len = sizeof(kind) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd;

	if (f->me < 0 || recvmsg(mailbox[f->me][1], &msg, MSG_DONTWAIT) <= 0)
		return;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	put_file(kind, fuzz_pick(&f->random, SLOTS), fd);
}

static void step(struct fuzzer *f);

/* A child has its parent's files and no grant. */
static void fork_child(struct fuzzer *f)
{
	struct fuzzer child = { .me = -1, .random = f->random ^ 0x5555 };
	pid_t pid;
	int i;

	if (f->me == LONER || f->me < 0)
		return;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(2);
		for (i = 0; i < 20; i++)
			step(&child);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	atomic_fetch_add(&shared->forks, 1);
}

static bool is_node(int fd, enum fuzz_kind kind)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISCHR(st.st_mode) &&
	       major(st.st_rdev) == (kind == FUZZ_CAMERA ? VIDEO_MAJOR : SOUND_MAJOR);
}

/*
 * On a number of its own: another thread may close the file at any time, and its number be that of a node of the
 * other kind, or of anything, and be the right one again when it is looked at.
 */
static void operate(struct fuzzer *f, enum fuzz_kind kind, int slot, int place)
{
	int fd = fcntl(atomic_load(&files[kind][slot]), F_DUPFD_CLOEXEC, 3);
	int other = atomic_load(&files[kind][(slot + 1) % SLOTS]);
	uint64_t begun = harness_now();
	struct fuzz_result r;
	unsigned int before;
	bool node;

	if (fd < 0)
		return;
	node = is_node(fd, kind);
	before = epoch(f, kind);
	r = fuzz_do(kind, place, fd, other, &f->maps[kind], &f->random);
	r.in &= node;
	judge(f, kind, before, fd, begun, &r);
	close(fd);
}

/* Luck alone seldom finds the way to a frame. */
static void run_script(struct fuzzer *f, enum fuzz_kind kind, int slot)
{
	int place;

	for (place = 0; place < FUZZ_SCRIPT; place++)
		operate(f, kind, slot, place);
	listen_at_mapping(f);
}

static void step(struct fuzzer *f)
{
	enum fuzz_kind kind = fuzz_pick(&f->random, FUZZ_KINDS);
	int slot = fuzz_pick(&f->random, SLOTS);
	int fd = atomic_load(&files[kind][slot]);

	if (fd < 0) {
		fd = fuzz_open(kind, kind == FUZZ_CAMERA ? camera : MIC_NODE, &f->random);
		put_file(kind, slot, fd < 0 ? -1 : fd);
		return;
	}
	switch (fuzz_pick(&f->random, 64)) {
	case 0:
		put_file(kind, slot, -1);
		break;
	case 1:
		put_file(kind, fuzz_pick(&f->random, SLOTS), fcntl(fd, F_DUPFD_CLOEXEC, 3));
		break;
	case 2:
		send_file(f, kind, fd);
		break;
	case 3:
	case 4:
		receive_file(f);
		break;
	case 5:
		fork_child(f);
		break;
	case 6:
		listen_at_mapping(f);
		break;
	case 7:
	case 8:
		run_script(f, kind, slot);
		break;
	default:
		operate(f, kind, slot, -1);
	}
}

/* ---- mappings that outlive their grant ------------------------------------------------------------------------- */

static bool is_granted(const struct fuzzer *f, enum fuzz_kind kind)
{
	return epoch(f, kind) % 2;
}

static bool is_settled(const struct fuzzer *f, enum fuzz_kind kind)
{
	return !is_granted(f, kind) &&
	       harness_now() - atomic_load(&shared->workers[f->me].since[kind]) > SETTLED;
}

/*
 * Captures into a mapping while it is granted, and goes on trying. What the mapping shows then is the twin of what it
 * must not show once the grant is over.
 */
static void watch_mapping(struct fuzzer *f, struct old_map *olds)
{
	enum fuzz_kind kind = FUZZ_CAMERA;
	unsigned int granted, before;
	struct old_map *old;
	uint64_t begun;
	bool fresh, started, lively = false;

	/* Others may have the device, and with a file of this process too. */
	do {
		while (!is_granted(f, kind)) {
			kind = fuzz_pick(&f->random, FUZZ_KINDS);
			poll(NULL, 0, 5);
		}
		granted = epoch(f, kind);
		old = &olds[kind];
		started = old_map_start(old, kind == FUZZ_CAMERA ? camera : MIC_NODE);
		poll(NULL, 0, started ? 0 : 5);
	} while (!started);
	/* It may be granted again meanwhile: then that grant's end is the one. */
	while (!is_settled(f, kind)) {
		fresh = old_map_shows_new(old, 50);
		if (!lively && fresh && epoch(f, kind) == granted) {
			atomic_fetch_add(&shared->lively[kind], 1);
			lively = true;
		}
		old_map_pump(old);
	}
	do {
		before = epoch(f, kind);
		begun = harness_now();
		fresh = old_map_shows_new(old, LOOK_MS);
		if (before % 2 || epoch(f, kind) != before)
			break;
		if (fresh)
			violation(f, kind,
				  kind == FUZZ_CAMERA ? "an old mapping that shows new frames"
						      : "an old mapping with new sound",
				  0, old->fd, begun);
		atomic_fetch_add(&shared->looks[kind], lively);
		old_map_pump(old);
	} while (fuzz_pick(&f->random, 8));
	old_map_end(old);
}

static void *run_thread(void *fuzzer)
{
	for (;;)
		step(fuzzer);
	return NULL;
}

static void *run_watcher(void *fuzzer)
{
	struct old_map olds[FUZZ_KINDS] = {
		[FUZZ_CAMERA] = { .kind = FUZZ_CAMERA, .fd = -1 },
		[FUZZ_MIC] = { .kind = FUZZ_MIC, .fd = -1 },
	};
	struct fuzzer *f = fuzzer;

	/* Before the others have taken all substreams. */
	old_map_start(&olds[FUZZ_MIC], MIC_NODE);
	for (;;)
		watch_mapping(f, olds);
	return NULL;
}

/* ---- one process ----------------------------------------------------------------------------------------------- */

static uint64_t seed_of(int worker, int life, int thread)
{
	uint64_t s = seed ^ (worker * 0x9e3779b97f4a7c15ull) ^ (life * 0xbf58476d1ce4e5b9ull) ^
		     (thread * 0x94d049bb133111ebull);

	s ^= s >> 31;
	s *= 0xff51afd7ed558ccdull;
	return (s ^ (s >> 33)) | 1;
}

static void become(int me)
{
	struct stat st = {};
	uid_t uid = 1000 + me;

	stat(MIC_NODE, &st);
	if (setgroups(0, NULL) || setresgid(st.st_gid, st.st_gid, st.st_gid) ||
	    setresuid(uid, uid, uid))
		_exit(9);
	/* Behind the drivers' own threads: a frame that comes late is one that no grant is long enough for. */
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){});
	setpriority(PRIO_PROCESS, 0, 5);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
}

static void live(int me, int life)
{
	static struct fuzzer fuzzers[THREADS];
	int i, keep, kind;
	pthread_t thread;

	/* What it needs of its parent's: the mailboxes, and not the controller's socket. */
	keep = mailbox[WORKERS - 1][1];
	close_range(keep + 1, ~0u, 0);
	become(me);
	for (kind = 0; kind < FUZZ_KINDS; kind++)
		for (i = 0; i < SLOTS; i++)
			atomic_store(&files[kind][i], -1);
	for (i = 0; i < THREADS; i++) {
		fuzzers[i] = (struct fuzzer){ .me = me, .random = seed_of(me, life, i) };
		if (i)
			pthread_create(&thread, NULL, run_thread, &fuzzers[i]);
	}
	if (is_quiet(me))
		run_watcher(&fuzzers[0]);
	run_thread(&fuzzers[0]);
}

static pid_t start(int me, int life)
{
	pid_t pid = fork();

	if (pid == 0)
		live(me, life);
	atomic_store(&shared->workers[me].pid, pid);
	return pid;
}

/* ---- the controller, and who keeps the processes --------------------------------------------------------------- */

static uint64_t session_of(int me)
{
	return 100 + me;
}

static void set_epochs(struct worker *w, unsigned int kinds, bool granted)
{
	static const unsigned int bits[FUZZ_KINDS] = { CALLGATE_KIND_CAMERA,
						       CALLGATE_KIND_MICROPHONE };
	int kind;

	for (kind = 0; kind < FUZZ_KINDS; kind++) {
		if (!(kinds & bits[kind]) || atomic_load(&w->epoch[kind]) % 2 == granted)
			continue;
		atomic_store(&w->since[kind], harness_now());
		atomic_fetch_add(&w->epoch[kind], 1);
	}
}

static void grant(struct gate *gate, int me, uint64_t *random)
{
	struct worker *w = &shared->workers[me];
	unsigned int kinds = 1 + fuzz_pick(random, CALLGATE_KIND_ALL);
	unsigned int ms = 20 + fuzz_pick(random, 2000 * (slowness > 4 ? 4 : slowness));

	set_epochs(w, kinds, true);
	/* A grant that is given anew with fewer kinds has lost the others when it is answered. */
	if (!gate_allow(gate, atomic_load(&w->pid), session_of(me), kinds, ms))
		set_epochs(w, CALLGATE_KIND_ALL & ~kinds, false);
}

static void take_back(struct gate *gate, int me)
{
	int err = gate_revoke(gate, 0, session_of(me));

	/* One that has expired is over as well. */
	if (!err || err == -ENOENT)
		set_epochs(&shared->workers[me], CALLGATE_KIND_ALL, false);
}

/* One at a time waits, or soon all workers would. */
static void answer(struct gate *gate, uint64_t *random)
{
	static uint64_t waits;
	struct callgate_request request;

	while (fuzz_pick(random, 8) && gate_read(gate, 0, &request)) {
		if (!waits && fuzz_pick(random, 4) == 0)
			waits = request.id;
		else
			gate_verdict(gate, request.id, fuzz_pick(random, 2));
	}
	if (waits && fuzz_pick(random, 8) == 0) {
		gate_verdict(gate, waits, fuzz_pick(random, 2));
		waits = 0;
	}
	/* Another file: all who are held are to be read again. */
	if (fuzz_pick(random, 64) == 0)
		close(gate_requests(gate));
	if (fuzz_pick(random, 8) == 0)
		gate_forget(gate);
}

static struct gate *controller(void)
{
	uint64_t end = harness_now() + 10000000000ull;
	struct gate *gate = gate_open();
	int err = gate ? gate_bind(gate, NULL) : -ENOENT;

	/* A process that was just started may not have closed its copy of the one before. */
	while (err == -EBUSY && harness_now() < end) {
		poll(NULL, 0, 10);
		err = gate_bind(gate, NULL);
	}
	if (err) {
		printf("Bail out! cannot become the controller: %s\n", strerror(-err));
		exit(1);
	}
	return gate;
}

static void renew_process(struct gate *gate, int me, pid_t *pid, int *life)
{
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	/* No grant is left of a process that is gone. */
	take_back(gate, me);
	*pid = start(me, ++*life);
}

static void play(void)
{
	char where[32];
	struct mic *mic;
	int i;

	for (i = 0; i < PLAYERS; i++) {
		mic = mic_start(1100 + i);
		snprintf(where, sizeof(where), "pcmC0D1p/%d", i);
		if (!mic_ready(mic, 0, where, MIC_RW))
			mic_send(mic, MIC_PLAY, 0, 0);
	}
}

static unsigned long run(unsigned int seconds)
{
	uint64_t end = harness_now() + seconds * 1000000000ull, due[WORKERS], random = seed | 1;
	struct gate *gate = controller();
	unsigned long turns = 0;
	pid_t pids[WORKERS];
	int life[WORKERS] = {}, me;

	/* Those whom it judges would leave it no time. */
	sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 10 });
	for (me = 0; me < WORKERS; me++) {
		pids[me] = start(me, 0);
		due[me] = harness_now() + (1 + me) * (slowness * LIFE_MS * 1000000ull / WORKERS);
	}
	while (harness_now() < end) {
		me = fuzz_pick(&random, WORKERS);
		/* The quiet ones are left alone for longer, so that their mappings settle. */
		if (me != STRANGER && (!is_quiet(me) || fuzz_pick(&random, 16) == 0)) {
			if (fuzz_pick(&random, 2))
				grant(gate, me, &random);
			else
				take_back(gate, me);
		}
		answer(gate, &random);
		if (harness_now() > due[me]) {
			renew_process(gate, me, &pids[me], &life[me]);
			/* Their mappings are looked at after they have settled. */
			due[me] = harness_now() +
				  slowness * LIFE_MS * 1000000ull * (is_quiet(me) ? 5 : 1);
		}
		if (fuzz_pick(&random, 256) == 0) {
			gate_close(gate);
			gate = controller();
		}
		poll(NULL, 0, fuzz_pick(&random, 60));
		print_violations(false);
		turns++;
	}
	for (me = 0; me < WORKERS; me++) {
		kill(pids[me], SIGKILL);
		waitpid(pids[me], NULL, 0);
	}
	gate_close(gate);
	print_violations(true);
	return turns;
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? atoi(argv[1]) : 0;
	unsigned long turns;
	struct utsname name;
	bool all_ways;
	int i;

	mic_main(argc, argv);
	if (!seconds) {
		fprintf(stderr, "Usage: fuzz_syscall SECONDS [SEED]\n");
		return 2;
	}
	if (argc > 2 && argv[2][0])
		seed = strtoull(argv[2], NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 1;
	/* Whose sound core tests/vm/debug-kernel has mended. */
	if (!uname(&name) && strstr(name.release, "-dbg")) {
		slowness = 8;
		fuzz_links = true;
	}
	printf("TAP version 13\n1..2\n# seed 0x%llx, %u s, %s\n", (unsigned long long)seed, seconds,
	       fuzz_links ? "microphones are linked" : "no microphone is linked");
	fflush(stdout);
	if (!camera_find(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE, camera, sizeof(camera)) ||
	    access(MIC_NODE, F_OK)) {
		printf("Bail out! no vivid camera or no microphone\n");
		return 1;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	for (i = 0; i < WORKERS; i++)
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, mailbox[i]))
			return 1;
	play();
	turns = run(seconds);

	printf("# %lu operations, %lu of them without a grant, %lu denied; %lu turns of the controller\n",
	       shared->operations, shared->judged, shared->denied, turns);
	printf("# let in with a grant: %lu at the camera (%lu with a frame), %lu at the microphone (%lu with samples), %lu mappings with sound\n",
	       shared->let_in[FUZZ_CAMERA], shared->data[FUZZ_CAMERA], shared->let_in[FUZZ_MIC],
	       shared->data[FUZZ_MIC], shared->maps_heard);
	printf("# %lu files passed on, %lu forks\n", shared->passed, shared->forks);
	printf("# looks at mappings after their grant: %lu of the camera, %lu of the microphone; new frames %lu times, new sound %lu times during one\n",
	       shared->looks[FUZZ_CAMERA], shared->looks[FUZZ_MIC], shared->lively[FUZZ_CAMERA],
	       shared->lively[FUZZ_MIC]);
	printf("%s 1 - nobody_is_let_in_without_a_grant\n", shared->violations ? "not ok" : "ok");
	/* The twin: what is watched happens as soon as there is a grant. A short run may see no new frame in a mapping. */
	all_ways = shared->data[FUZZ_CAMERA] && shared->data[FUZZ_MIC] && shared->maps_heard &&
		   shared->passed && shared->forks &&
		   (seconds < LONG || (shared->looks[FUZZ_CAMERA] && shared->lively[FUZZ_CAMERA]));
	printf("%s 2 - frames_and_samples_come_with_a_grant\n", all_ways ? "ok" : "not ok");
	return shared->violations || !all_ways;
}
