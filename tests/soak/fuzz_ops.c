// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The operations of the system-call fuzzer.
 *
 * Owns nothing. Most arguments are nearly right, so that the driver gets to see
 * them, and some are rubbish. Called in processes with several threads and in
 * their forked children, so it allocates nothing.
 */
#include "fuzz_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sound/asound.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

uint32_t fuzz_draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 16;
}

uint32_t fuzz_pick(uint64_t *state, uint32_t below)
{
	return fuzz_draw(state) % below;
}

/* In a script: arguments as a program would choose them. */
static __thread bool plain;

static bool one_in(uint64_t *random, uint32_t n)
{
	return fuzz_pick(random, n) == 0 && !plain;
}

static void rubbish(void *data, size_t size, uint64_t *random)
{
	unsigned char *byte = data;
	size_t i;

	for (i = 0; i < size; i++)
		byte[i] = fuzz_draw(random);
}

int fuzz_open(enum fuzz_kind kind, const char *node, uint64_t *random)
{
	int flags = one_in(random, 8) ? O_RDONLY : O_RDWR;
	int fd;

	flags |= one_in(random, 12) ? 0 : O_NONBLOCK;
	/* Attaches to a running capture. */
	if (kind == FUZZ_MIC && one_in(random, 3))
		flags |= O_APPEND;
	fd = open(node, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static long control(int fd, unsigned long command, void *argument)
{
	return ioctl(fd, command, argument) < 0 ? -errno : 0;
}

static struct fuzz_result result(const char *name, long value)
{
	return (struct fuzz_result){ .name = name, .value = value };
}

/* Of an operation that only a grant's holder may finish. */
static struct fuzz_result gated(const char *name, long value, bool data)
{
	return (struct fuzz_result){
		.name = name, .value = value, .in = value >= 0, .data = data && value >= 0
	};
}

static struct fuzz_result poll_for(const char *name, int fd, bool is_gated, uint64_t *random)
{
	struct pollfd p = { .fd = fd, .events = one_in(random, 4) ? fuzz_draw(random) : POLLIN };
	int n = poll(&p, 1, plain ? 200 : fuzz_pick(random, 20));
	bool input = n > 0 && p.revents & (POLLIN | POLLRDNORM);

	if (!is_gated || !input)
		return result(name, n < 0 ? -errno : p.revents);
	return gated(name, p.revents, false);
}

/* ---- V4L2 ------------------------------------------------------------------------------------------------------ */

static const uint32_t types[] = { V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_CAPTURE,
				  V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
				  V4L2_BUF_TYPE_META_CAPTURE,  V4L2_BUF_TYPE_VIDEO_OUTPUT };
static const uint32_t memories[] = { V4L2_MEMORY_MMAP, V4L2_MEMORY_MMAP, V4L2_MEMORY_MMAP,
				     V4L2_MEMORY_USERPTR, V4L2_MEMORY_DMABUF };

static uint32_t some_type(uint64_t *random)
{
	return types[plain ? 0 : fuzz_pick(random, sizeof(types) / sizeof(types[0]))];
}

static uint32_t some_memory(uint64_t *random)
{
	return memories[plain ? 0 : fuzz_pick(random, sizeof(memories) / sizeof(memories[0]))];
}

/* A target of USERPTR, where a frame may land. */
static char target[1 << 20] __attribute__((aligned(4096)));

static struct v4l2_buffer some_buffer(uint64_t *random)
{
	struct v4l2_buffer b = { .index = fuzz_pick(random, 4),
				 .type = some_type(random),
				 .memory = some_memory(random) };

	if (one_in(random, 16))
		rubbish(&b, sizeof(b), random);
	else if (b.memory == V4L2_MEMORY_USERPTR) {
		b.m.userptr = (unsigned long)target;
		b.length = sizeof(target);
	}
	/* Planes would be read from where these point. */
	if (b.type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE)
		b.length = 0;
	return b;
}

static struct fuzz_result ask_for_buffers(int fd, uint64_t *random)
{
	struct v4l2_requestbuffers r = { .count = plain ? 4 : fuzz_pick(random, 5),
					 .type = some_type(random),
					 .memory = some_memory(random) };
	struct v4l2_create_buffers c = { .count = fuzz_pick(random, 3),
					 .memory = some_memory(random),
					 .format.type = some_type(random) };
	uint32_t count;
	long value;

	if (one_in(random, 3)) {
		control(fd, VIDIOC_G_FMT, &c.format);
		count = c.count;
		value = control(fd, VIDIOC_CREATE_BUFS, &c);
		return count ? gated("CREATE_BUFS", value, false) : result("CREATE_BUFS 0", value);
	}
	count = r.count;
	value = control(fd, VIDIOC_REQBUFS, &r);
	return count ? gated("REQBUFS", value, false) : result("REQBUFS 0", value);
}

static struct fuzz_result export_buffer(int fd, uint64_t *random)
{
	struct v4l2_exportbuffer e = { .type = some_type(random), .index = fuzz_pick(random, 4) };
	long value = control(fd, VIDIOC_EXPBUF, &e);

	if (!value)
		close(e.fd);
	return gated("EXPBUF", value, false);
}

static void replace(struct fuzz_map *map, void *at, size_t length)
{
	if (map->at)
		munmap(map->at, map->length);
	*map = (struct fuzz_map){ .at = at, .length = length };
}

static struct fuzz_result map_buffer(int fd, struct fuzz_map *map, uint64_t *random)
{
	struct v4l2_buffer b = { .index = fuzz_pick(random, 4),
				 .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
				 .memory = V4L2_MEMORY_MMAP };
	void *at;

	/* A guess: the first buffer of a queue lies at 0. */
	if (control(fd, VIDIOC_QUERYBUF, &b) || !b.length)
		b.length = 4096 << fuzz_pick(random, 9), b.m.offset = 0;
	at = mmap(NULL, b.length, PROT_READ, MAP_SHARED, fd, b.m.offset);
	if (at == MAP_FAILED)
		return gated("mmap", -errno, false);
	replace(map, at, b.length);
	return gated("mmap", 0, false);
}

/* What is not gated, but goes through the same hook and changes what the queue is. */
static struct fuzz_result harmless_ioctl(int fd, uint64_t *random)
{
	static const unsigned long commands[] = {
		VIDIOC_QUERYCAP,	VIDIOC_ENUM_FMT,	 VIDIOC_G_FMT,
		VIDIOC_S_FMT,		VIDIOC_TRY_FMT,		 VIDIOC_QUERYBUF,
		VIDIOC_G_PARM,		VIDIOC_S_PARM,		 VIDIOC_ENUMINPUT,
		VIDIOC_G_INPUT,		VIDIOC_S_INPUT,		 VIDIOC_QUERYCTRL,
		VIDIOC_G_CTRL,		VIDIOC_G_SELECTION,	 VIDIOC_S_SELECTION,
		VIDIOC_SUBSCRIBE_EVENT, VIDIOC_DQEVENT,		 VIDIOC_G_PRIORITY,
		VIDIOC_EXPBUF + 64,	VIDIOC_STREAMOFF + 1000, VIDIOC_G_EXT_CTRLS,
		VIDIOC_ENUM_FRAMESIZES,
	};
	unsigned char argument[512] __attribute__((aligned(8))) = {};
	unsigned long command = commands[fuzz_pick(random, sizeof(commands) / sizeof(commands[0]))];

	if (one_in(random, 4))
		rubbish(argument, sizeof(argument), random);
	else
		memcpy(argument, &(uint32_t){ some_type(random) }, 4);
	/* It would follow pointers into this program and write there. */
	if (command == VIDIOC_G_EXT_CTRLS)
		memset(argument, 0, sizeof(argument));
	return result("another ioctl", control(fd, command, argument));
}

static struct fuzz_result on_camera(unsigned int op, int fd, struct fuzz_map *map, uint64_t *random)
{
	static __thread char frame[1 << 16];
	struct v4l2_buffer b = some_buffer(random);
	int type = some_type(random);
	long value;

	switch (op) {
	case 0:
	case 1:
		return ask_for_buffers(fd, random);
	case 2:
	case 3:
		return gated("QBUF", control(fd, VIDIOC_QBUF, &b), false);
	case 4:
	case 5:
		return gated("DQBUF", control(fd, VIDIOC_DQBUF, &b), true);
	case 6:
	case 7:
		return gated("STREAMON", control(fd, VIDIOC_STREAMON, &type), false);
	case 8:
		return result("STREAMOFF", control(fd, VIDIOC_STREAMOFF, &type));
	case 9:
		return map_buffer(fd, map, random);
	case 10:
		return export_buffer(fd, random);
	case 11:
		return gated("PREPARE_BUF", control(fd, VIDIOC_PREPARE_BUF, &b), false);
	case 12:
		value = read(fd, frame, one_in(random, 4) ? 0 : sizeof(frame));
		return gated("read", value < 0 ? -errno : value, value > 0);
	case 13:
		return poll_for("poll of the camera", fd, true, random);
	case 14:
		return gated("OVERLAY", control(fd, VIDIOC_OVERLAY, &(int){ 1 }), false);
	default:
		return harmless_ioctl(fd, random);
	}
}

/* ---- ALSA ------------------------------------------------------------------------------------------------------ */

static void fix(struct snd_pcm_hw_params *p, int which, unsigned int value)
{
	p->intervals[which - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL] =
		(struct snd_interval){ .min = value, .max = value, .integer = 1 };
}

static void choose(struct snd_pcm_hw_params *p, int which, unsigned int value)
{
	struct snd_mask *mask = &p->masks[which - SNDRV_PCM_HW_PARAM_FIRST_MASK];

	memset(mask, 0, sizeof(*mask));
	mask->bits[value / 32] = 1u << value % 32;
}

static long set_hardware(int fd, uint64_t *random)
{
	static const unsigned int accesses[] = { SNDRV_PCM_ACCESS_MMAP_INTERLEAVED,
						 SNDRV_PCM_ACCESS_RW_INTERLEAVED };
	struct snd_pcm_hw_params p = { .rmask = ~0u };
	int i;

	memset(p.masks, 0xff, sizeof(p.masks));
	for (i = SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL; i++)
		p.intervals[i - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL] =
			(struct snd_interval){ .max = ~0u };
	choose(&p, SNDRV_PCM_HW_PARAM_ACCESS, accesses[plain ? 0 : fuzz_pick(random, 2)]);
	choose(&p, SNDRV_PCM_HW_PARAM_FORMAT, SNDRV_PCM_FORMAT_S16_LE);
	fix(&p, SNDRV_PCM_HW_PARAM_CHANNELS, 1);
	fix(&p, SNDRV_PCM_HW_PARAM_RATE, 8000);
	fix(&p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, 800);
	fix(&p, SNDRV_PCM_HW_PARAM_BUFFER_SIZE, 6400);
	if (one_in(random, 16))
		rubbish(&p, sizeof(p), random);
	return control(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &p);
}

/* Nobody is asked at a mapping of a clean buffer: what is in it is judged by whoever has it. */
static struct fuzz_result map_sound(int fd, struct fuzz_map *map)
{
	size_t length = 6400 * 2;
	void *at = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, SNDRV_PCM_MMAP_OFFSET_DATA);

	if (at == MAP_FAILED)
		return result("mmap of the microphone", -errno);
	replace(map, at, length);
	return result("mmap of the microphone", 0);
}

static struct fuzz_result record(int fd, uint64_t *random)
{
	static __thread short samples[1600];
	struct snd_xferi i = { .buf = samples, .frames = 1 + fuzz_pick(random, 1600) };
	void *channels[] = { samples };
	struct snd_xfern n = { .bufs = channels, .frames = i.frames };
	long value;

	if (one_in(random, 4)) {
		value = control(fd, SNDRV_PCM_IOCTL_READN_FRAMES, &n);
		return gated("READN_FRAMES", value ?: n.result, n.result > 0);
	}
	value = control(fd, SNDRV_PCM_IOCTL_READI_FRAMES, &i);
	return gated("READI_FRAMES", value ?: i.result, i.result > 0);
}

static struct fuzz_result harmless_sound(int fd, uint64_t *random)
{
	static const unsigned long commands[] = {
		SNDRV_PCM_IOCTL_INFO,	   SNDRV_PCM_IOCTL_HW_REFINE, SNDRV_PCM_IOCTL_HW_FREE,
		SNDRV_PCM_IOCTL_SW_PARAMS, SNDRV_PCM_IOCTL_STATUS,    SNDRV_PCM_IOCTL_DELAY,
		SNDRV_PCM_IOCTL_HWSYNC,	   SNDRV_PCM_IOCTL_SYNC_PTR,  SNDRV_PCM_IOCTL_CHANNEL_INFO,
		SNDRV_PCM_IOCTL_RESET,	   SNDRV_PCM_IOCTL_DROP,      SNDRV_PCM_IOCTL_XRUN,
		SNDRV_PCM_IOCTL_REWIND,	   SNDRV_PCM_IOCTL_FORWARD,   SNDRV_PCM_IOCTL_UNLINK,
	};
	unsigned char argument[1024] __attribute__((aligned(8))) = {};

	if (one_in(random, 2))
		rubbish(argument, sizeof(argument), random);
	return result("another ioctl of the microphone",
		      control(fd,
			      commands[fuzz_pick(random, sizeof(commands) / sizeof(commands[0]))],
			      argument));
}

bool fuzz_links;

static struct fuzz_result on_mic(unsigned int op, int fd, int other, struct fuzz_map *map,
				 uint64_t *random)
{
	switch (op) {
	case 0:
	case 1:
	case 2:
		return result("HW_PARAMS", set_hardware(fd, random));
	case 3:
	case 4:
		return result("PREPARE", control(fd, SNDRV_PCM_IOCTL_PREPARE, NULL));
	case 5:
	case 6:
		return gated("START", control(fd, SNDRV_PCM_IOCTL_START, NULL), false);
	case 7:
	case 8:
	case 9:
		return record(fd, random);
	case 10:
	case 11:
		return map_sound(fd, map);
	case 12:
		if (one_in(random, 2))
			return result("PAUSE", control(fd, SNDRV_PCM_IOCTL_PAUSE, (void *)1));
		return gated("PAUSE_RELEASE", control(fd, SNDRV_PCM_IOCTL_PAUSE, NULL), false);
	case 13:
		if (!fuzz_links)
			return harmless_sound(fd, random);
		return result("LINK", control(fd, SNDRV_PCM_IOCTL_LINK, (void *)(long)other));
	case 14:
		return poll_for("poll of the microphone", fd, false, random);
	default:
		return harmless_sound(fd, random);
	}
}

/* The order in which a program captures; the numbers are those of on_camera() and on_mic(). */
static const unsigned char scripts[FUZZ_KINDS][8] = {
	[FUZZ_CAMERA] = { 0, 9, 2, 2, 2, 6, 13, 4 },
	[FUZZ_MIC] = { 0, 10, 3, 5, 14, 14, 14, 14 },
};

struct fuzz_result fuzz_do(enum fuzz_kind kind, int place, int fd, int other, struct fuzz_map *map,
			   uint64_t *random)
{
	unsigned int op = place < 0 ? fuzz_pick(random, 16) : scripts[kind][place];
	struct fuzz_result r;

	plain = place >= 0;
	r = kind == FUZZ_CAMERA ? on_camera(op, fd, map, random)
				: on_mic(op, fd, other, map, random);
	plain = false;
	return r;
}
