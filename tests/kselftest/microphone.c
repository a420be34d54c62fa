// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Children that record on command. Each owns its sound files and mappings; the
 * test talks to it over a socket pair and never touches a sound device itself.
 * Uses system calls only, so that what is tested is the kernel.
 */
#include "microphone.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "passing.h"

struct order {
	int op, slot, a;
	char where[40];
	mic_fn fn;
};

/* ---- in the child ---------------------------------------------------------------------------------------------- */

static long control(int fd, unsigned long command, void *argument)
{
	return ioctl(fd, command, argument) < 0 ? -errno : 0;
}

/* A substream is chosen by asking the card's control file, which must stay open for the while. */
static long open_device(struct mic_state *s, const struct order *o)
{
	unsigned int card, device, sub;
	int ctl = -1, chosen, fd;
	char path[64], direction;
	long err = 0;

	if (sscanf(o->where, "pcmC%uD%u%c/%u", &card, &device, &direction, &sub) == 4) {
		snprintf(path, sizeof(path), "/dev/snd/controlC%u", card);
		ctl = open(path, O_RDWR | O_CLOEXEC);
		chosen = sub;
		if (ctl < 0 || ioctl(ctl, SNDRV_CTL_IOCTL_PCM_PREFER_SUBDEVICE, &chosen) < 0)
			return -errno;
		snprintf(path, sizeof(path), "/dev/snd/pcmC%uD%u%c", card, device, direction);
	} else {
		snprintf(path, sizeof(path), "%s", o->where);
	}
	fd = open(path, O_RDWR | o->a);
	if (fd < 0 && errno == EACCES && o->where[0] == '/')
		fd = open(path, O_RDONLY | o->a);
	if (fd < 0)
		err = -errno;
	else
		s->fd[o->slot] = fd;
	if (ctl >= 0)
		close(ctl);
	return err;
}

static struct snd_interval *interval(struct snd_pcm_hw_params *p, int which)
{
	return &p->intervals[which - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];
}

static void any(struct snd_pcm_hw_params *p)
{
	int i;

	memset(p, 0, sizeof(*p));
	memset(p->masks, 0xff, sizeof(p->masks));
	for (i = SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL; i++)
		interval(p, i)->max = ~0u;
	p->rmask = ~0u;
	p->info = ~0u;
}

static void choose(struct snd_pcm_hw_params *p, int mask, int value)
{
	struct snd_mask *m = &p->masks[mask - SNDRV_PCM_HW_PARAM_FIRST_MASK];

	memset(m, 0, sizeof(*m));
	m->bits[value / 32] = 1u << value % 32;
}

static void fix(struct snd_pcm_hw_params *p, int which, unsigned int value)
{
	struct snd_interval *i = interval(p, which);

	i->min = i->max = value;
	i->integer = 1;
}

static long software(int fd, unsigned int wake)
{
	struct snd_pcm_sw_params sw = {
		.period_step = 1,
		.avail_min = wake,
		.start_threshold = 1,
		/* No overrun: a test on a busy machine is slow. */
		.stop_threshold = 1u << 30,
		.proto = SNDRV_PCM_VERSION,
	};

	return control(fd, SNDRV_PCM_IOCTL_SW_PARAMS, &sw);
}

static long params(int fd, int access)
{
	struct snd_pcm_hw_params p;

	any(&p);
	choose(&p, SNDRV_PCM_HW_PARAM_ACCESS,
	       access == MIC_MAP ? SNDRV_PCM_ACCESS_MMAP_INTERLEAVED
				 : SNDRV_PCM_ACCESS_RW_INTERLEAVED);
	choose(&p, SNDRV_PCM_HW_PARAM_FORMAT, SNDRV_PCM_FORMAT_S16_LE);
	choose(&p, SNDRV_PCM_HW_PARAM_SUBFORMAT, SNDRV_PCM_SUBFORMAT_STD);
	fix(&p, SNDRV_PCM_HW_PARAM_CHANNELS, access == MIC_STEREO ? 2 : 1);
	fix(&p, SNDRV_PCM_HW_PARAM_RATE, access == MIC_STEREO ? 48000 : MIC_RATE);
	fix(&p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, MIC_PERIOD);
	fix(&p, SNDRV_PCM_HW_PARAM_BUFFER_SIZE, MIC_BUFFER);
	return control(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &p) ?: software(fd, MIC_PERIOD);
}

static long refine(int fd)
{
	struct snd_pcm_hw_params p;
	struct snd_pcm_info info = {};
	int version, stamp = SNDRV_PCM_TSTAMP_TYPE_MONOTONIC;

	any(&p);
	return control(fd, SNDRV_PCM_IOCTL_PVERSION, &version) ?:
	       control(fd, SNDRV_PCM_IOCTL_INFO, &info) ?:
	       control(fd, SNDRV_PCM_IOCTL_TTSTAMP, &stamp) ?:
		       control(fd, SNDRV_PCM_IOCTL_HW_REFINE, &p);
}

static long status(int fd)
{
	struct snd_pcm_status st = {};
	struct snd_pcm_channel_info channel = {};
	struct snd_pcm_sync_ptr sync = { .flags = SNDRV_PCM_SYNC_PTR_APPL };
	snd_pcm_sframes_t delay;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return control(fd, SNDRV_PCM_IOCTL_STATUS, &st) ?:
	       control(fd, SNDRV_PCM_IOCTL_CHANNEL_INFO, &channel) ?:
	       control(fd, SNDRV_PCM_IOCTL_SYNC_PTR, &sync) ?:
	       control(fd, SNDRV_PCM_IOCTL_DELAY, &delay) ?:
	       poll(&p, 1, 0) < 0 ? -errno : 0;
}

static long state(int fd)
{
	struct snd_pcm_status st = {};
	long err = control(fd, SNDRV_PCM_IOCTL_STATUS, &st);

	return err ?: st.state;
}

static long loud(const int16_t *data, long frames)
{
	long i, n = 0;

	for (i = 0; data && i < frames; i++)
		n += data[i] != 0;
	return n;
}

static long transfer(struct mic_state *s, const struct order *o)
{
	struct snd_xferi x = { .buf = s->data, .frames = o->a };
	long err;

	s->got = 0;
	memset(s->data, 0, sizeof(s->data));
	if (o->a > MIC_BUFFER)
		return -E2BIG;
	err = control(s->fd[o->slot], SNDRV_PCM_IOCTL_READI_FRAMES, &x);
	if (err)
		return err;
	s->got = x.result;
	return x.result;
}

static void make_tone(struct mic_state *s)
{
	int i;

	for (i = 0; i < MIC_BUFFER; i++)
		s->data[i] = i / 10 % 2 ? 8000 : -8000;
}

static long fill(struct mic_state *s, int fd)
{
	struct snd_xferi x = { .buf = s->data, .frames = MIC_BUFFER };
	long err;

	make_tone(s);
	err = control(fd, SNDRV_PCM_IOCTL_WRITEI_FRAMES, &x);
	return err ?: x.result;
}

static long play(struct mic_state *s, int fd)
{
	struct snd_xferi x = { .buf = s->data, .frames = MIC_PERIOD };
	long err;

	make_tone(s);
	for (;;) {
		err = control(fd, SNDRV_PCM_IOCTL_WRITEI_FRAMES, &x);
		if (err == -EPIPE)
			err = control(fd, SNDRV_PCM_IOCTL_PREPARE, NULL);
		if (err)
			return err;
	}
}

static long map(struct mic_state *s, int slot)
{
	void *p = mmap(NULL, MIC_BUFFER * 2, PROT_READ, MAP_SHARED, s->fd[slot],
		       SNDRV_PCM_MMAP_OFFSET_DATA);

	if (p == MAP_FAILED)
		return -errno;
	s->map[slot] = p;
	return 0;
}

static long unmap(struct mic_state *s, int slot)
{
	if (s->map[slot])
		munmap(s->map[slot], MIC_BUFFER * 2);
	s->map[slot] = NULL;
	return 0;
}

static long close_device(struct mic_state *s, int slot)
{
	unmap(s, slot);
	return close(s->fd[slot]) ? -errno : 0;
}

static void serve(struct mic_state *s);

static long do_fork(struct mic_state *s)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return -errno;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		close(s->sock);
		s->sock = pair[1];
		serve(s);
	}
	close(pair[1]);
	passing_send(s->sock, &(long){ pid }, sizeof(long), pair[0]);
	close(pair[0]);
	return 0;
}

static long do_exec(const struct mic_state *s)
{
	char numbers[MIC_SLOTS + 1][16];
	int i;

	snprintf(numbers[0], sizeof(numbers[0]), "%d", s->sock);
	for (i = 0; i < MIC_SLOTS; i++)
		snprintf(numbers[i + 1], sizeof(numbers[0]), "%d", s->fd[i]);
	execl("/proc/self/exe", "mic", "--mic", numbers[0], numbers[1], numbers[2], numbers[3],
	      numbers[4], NULL);
	return -errno;
}

static long obey(struct mic_state *s, const struct order *o, int fd)
{
	int slot = o->slot;

	switch ((enum mic_op)o->op) {
	case MIC_OPEN:
		return open_device(s, o);
	case MIC_CLOSE:
		return close_device(s, slot);
	case MIC_REFINE:
		return refine(s->fd[slot]);
	case MIC_PARAMS:
		return params(s->fd[slot], o->a);
	case MIC_PATIENT:
		return software(s->fd[slot], MIC_BUFFER);
	case MIC_PREPARE:
		return control(s->fd[slot], SNDRV_PCM_IOCTL_PREPARE, NULL);
	case MIC_START:
		return control(s->fd[slot], SNDRV_PCM_IOCTL_START, NULL);
	case MIC_DROP:
		return control(s->fd[slot], SNDRV_PCM_IOCTL_DROP, NULL);
	case MIC_PAUSE:
		return control(s->fd[slot], SNDRV_PCM_IOCTL_PAUSE, (void *)(long)o->a);
	case MIC_LINK:
		return control(s->fd[slot], SNDRV_PCM_IOCTL_LINK, (void *)(long)s->fd[o->a]);
	case MIC_READ:
		return transfer(s, o);
	case MIC_LOUD:
		return loud(s->data, s->got);
	case MIC_MMAP:
		return map(s, slot);
	case MIC_MUNMAP:
		return unmap(s, slot);
	case MIC_MAP_LOUD:
		return loud(s->map[slot], MIC_BUFFER);
	case MIC_STATE:
		return state(s->fd[slot]);
	case MIC_STATUS:
		return status(s->fd[slot]);
	case MIC_PLAY:
		return play(s, s->fd[slot]);
	case MIC_FILL:
		return fill(s, s->fd[slot]);
	case MIC_DSP_READ:
		s->got = read(s->fd[slot], s->data, o->a);
		return s->got < 0 ? -errno : s->got;
	case MIC_EXEC:
		return do_exec(s);
	case MIC_FORK:
		return do_fork(s);
	case MIC_GIVE:
		passing_send(s->sock, &(long){ 0 }, sizeof(long), s->fd[slot]);
		return 0;
	case MIC_TAKE:
		s->fd[slot] = fd;
		return 0;
	case MIC_RUN:
		return o->fn(s, slot, o->a);
	}
	return -ENOSYS;
}

static void serve(struct mic_state *s)
{
	struct order o;
	long r;
	int fd;

	while (passing_receive(s->sock, &o, sizeof(o), 0, &fd) == sizeof(o)) {
		r = obey(s, &o, fd);
		/* These two have answered with a descriptor. */
		if ((o.op == MIC_FORK || o.op == MIC_GIVE) && r == 0)
			continue;
		passing_send(s->sock, &r, sizeof(r), -1);
	}
	_exit(0);
}

void mic_main(int argc, char **argv)
{
	static struct mic_state s;
	int i;

	if (argc != 3 + MIC_SLOTS || strcmp(argv[1], "--mic"))
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	s.sock = atoi(argv[2]);
	for (i = 0; i < MIC_SLOTS; i++)
		s.fd[i] = atoi(argv[3 + i]);
	passing_send(s.sock, &(long){ 0 }, sizeof(long), -1);
	serve(&s);
}

/* ---- in the test ----------------------------------------------------------------------------------------------- */

struct mic *mic_start(uid_t uid)
{
	static struct mic_state s = { .fd = { -1, -1, -1, -1 } };
	struct mic *mic = calloc(1, sizeof(*mic));
	struct stat st = {};
	int pair[2];

	stat("/dev/snd/controlC0", &st);
	if (!mic || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair)) {
		perror("microphone: socketpair");
		exit(9);
	}
	mic->sock = pair[0];
	mic->pid = fork();
	if (mic->pid == 0) {
		/* No other program's socket, and nothing of the controller, may live on in this one. */
		close_range(3, pair[1] - 1, 0);
		close_range(pair[1] + 1, ~0u, 0);
		if (setgroups(0, NULL) || setresgid(st.st_gid, st.st_gid, st.st_gid) ||
		    setresuid(uid, uid, uid))
			_exit(9);
		/* A change of user clears it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		s.sock = pair[1];
		passing_send(s.sock, &(long){ 0 }, sizeof(long), -1);
		serve(&s);
	}
	close(pair[1]);
	/* A grant is for the user that it has become. */
	if (mic_result(mic, 15000)) {
		fprintf(stderr, "microphone: a program did not start\n");
		exit(9);
	}
	return mic;
}

void mic_end(struct mic *mic)
{
	struct pollfd p = { .fd = mic->sock, .events = POLLIN };
	char rest[64];

	kill(mic->pid, SIGKILL);
	/* A forked one is its parent's child; its end is seen by its socket. */
	if (waitpid(mic->pid, NULL, 0) < 0) {
		while (poll(&p, 1, 5000) == 1 && recv(mic->sock, rest, sizeof(rest), 0) > 0)
			;
	}
	close(mic->sock);
	free(mic);
}

static void order(struct mic *mic, enum mic_op op, int slot, int a, const char *where, mic_fn fn)
{
	struct order o = { .op = op, .slot = slot, .a = a, .fn = fn };

	snprintf(o.where, sizeof(o.where), "%s", where);
	passing_send(mic->sock, &o, sizeof(o), -1);
}

static long result_fd(struct mic *mic, int ms, int *ret_fd)
{
	struct pollfd p = { .fd = mic->sock, .events = POLLIN };
	long r;

	*ret_fd = -1;
	if (poll(&p, 1, ms) != 1)
		return MIC_BUSY;
	if (passing_receive(mic->sock, &r, sizeof(r), 0, ret_fd) != sizeof(r))
		return -ESRCH;
	return r;
}

void mic_send(struct mic *mic, enum mic_op op, int slot, int a)
{
	order(mic, op, slot, a, "", NULL);
}

long mic_result(struct mic *mic, int ms)
{
	int fd;

	return result_fd(mic, ms, &fd);
}

long mic_call(struct mic *mic, enum mic_op op, int slot, int a)
{
	mic_send(mic, op, slot, a);
	return mic_result(mic, 15000);
}

void mic_send_run(struct mic *mic, mic_fn fn, int slot, int a)
{
	order(mic, MIC_RUN, slot, a, "", fn);
}

long mic_run(struct mic *mic, mic_fn fn, int slot, int a)
{
	mic_send_run(mic, fn, slot, a);
	return mic_result(mic, 15000);
}

long mic_open(struct mic *mic, int slot, const char *where, int flags)
{
	order(mic, MIC_OPEN, slot, flags, where, NULL);
	return mic_result(mic, 15000);
}

long mic_ready(struct mic *mic, int slot, const char *where, int access)
{
	return mic_open(mic, slot, where, 0) ?: mic_call(mic, MIC_PARAMS, slot, access) ?:
							mic_call(mic, MIC_PREPARE, slot, 0);
}

struct mic *mic_fork(struct mic *mic)
{
	struct mic *child = calloc(1, sizeof(*child));
	long r;

	mic_send(mic, MIC_FORK, 0, 0);
	r = result_fd(mic, 15000, &child->sock);
	if (r <= 0 || child->sock < 0) {
		fprintf(stderr, "microphone: fork: %ld\n", r);
		exit(9);
	}
	child->pid = r;
	return child;
}

long mic_give(struct mic *from, int slot, struct mic *to, int to_slot)
{
	struct order o = { .op = MIC_TAKE, .slot = to_slot };
	long r;
	int fd;

	mic_send(from, MIC_GIVE, slot, 0);
	r = result_fd(from, 15000, &fd);
	if (r || fd < 0)
		return r ?: -EBADF;
	passing_send(to->sock, &o, sizeof(o), fd);
	close(fd);
	return mic_result(to, 15000);
}
