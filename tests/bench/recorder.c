// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One capture from snd-aloop. Owns nothing but what is in a descriptor and, of a mapped one, how far the program has
 * come. Called by the programs that measure.
 */
#include "recorder.h"

#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sound/asound.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RATE	 48000
#define CHANNELS 2
#define BUFFER	 (RECORDER_PERIOD * 16)

static unsigned long boundary, applied;

static void fix(struct snd_pcm_hw_params *p, int which, unsigned int value)
{
	struct snd_interval *i = &p->intervals[which - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];

	i->min = i->max = value;
	i->integer = 1;
}

static void choose(struct snd_pcm_hw_params *p, int which, unsigned int value)
{
	struct snd_mask *m = &p->masks[which - SNDRV_PCM_HW_PARAM_FIRST_MASK];

	memset(m, 0, sizeof(*m));
	m->bits[value / 32] = 1u << value % 32;
}

static int set_params(int fd, bool mapped)
{
	struct snd_pcm_sw_params sw = { .period_step = 1,
					.avail_min = RECORDER_PERIOD,
					.start_threshold = 1,
					.stop_threshold = 1u << 30,
					.proto = SNDRV_PCM_VERSION };
	struct snd_pcm_hw_params p = { .rmask = ~0u, .info = ~0u };
	int i;

	memset(p.masks, 0xff, sizeof(p.masks));
	for (i = 0; i <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; i++)
		p.intervals[i].max = ~0u;
	choose(&p, SNDRV_PCM_HW_PARAM_ACCESS,
	       mapped ? SNDRV_PCM_ACCESS_MMAP_INTERLEAVED : SNDRV_PCM_ACCESS_RW_INTERLEAVED);
	choose(&p, SNDRV_PCM_HW_PARAM_FORMAT, SNDRV_PCM_FORMAT_S16_LE);
	fix(&p, SNDRV_PCM_HW_PARAM_CHANNELS, CHANNELS);
	fix(&p, SNDRV_PCM_HW_PARAM_RATE, RATE);
	fix(&p, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, RECORDER_PERIOD);
	fix(&p, SNDRV_PCM_HW_PARAM_BUFFER_SIZE, BUFFER);
	if (ioctl(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &p) || ioctl(fd, SNDRV_PCM_IOCTL_SW_PARAMS, &sw))
		return -1;
	boundary = sw.boundary;
	applied = 0;
	return 0;
}

int recorder_open(bool mapped)
{
	glob_t g;
	int fd;

	if (glob("/dev/snd/pcmC*D0c", 0, NULL, &g))
		return -1;
	fd = open(g.gl_pathv[0], O_RDWR | O_CLOEXEC | O_NONBLOCK);
	globfree(&g);
	if (fd < 0)
		return -1;
	if (set_params(fd, mapped) || ioctl(fd, SNDRV_PCM_IOCTL_PREPARE) ||
	    (mapped && mmap(NULL, BUFFER * CHANNELS * sizeof(int16_t), PROT_READ, MAP_SHARED, fd,
			    0) == MAP_FAILED) ||
	    ioctl(fd, SNDRV_PCM_IOCTL_START)) {
		close(fd);
		return -1;
	}
	return fd;
}

bool recorder_again(int fd)
{
	applied = 0;
	return !ioctl(fd, SNDRV_PCM_IOCTL_DROP) && !ioctl(fd, SNDRV_PCM_IOCTL_PREPARE) &&
	       !ioctl(fd, SNDRV_PCM_IOCTL_START);
}

bool recorder_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 10000) == 1 && p.revents & POLLIN;
}

long recorder_readi(int fd, int16_t *data, unsigned long frames)
{
	struct snd_xferi x = { .buf = data, .frames = frames };

	return ioctl(fd, SNDRV_PCM_IOCTL_READI_FRAMES, &x) ? -1 : x.result;
}

int recorder_advance(int fd, unsigned long frames)
{
	struct snd_pcm_sync_ptr sync = { .flags = SNDRV_PCM_SYNC_PTR_HWSYNC |
						  SNDRV_PCM_SYNC_PTR_AVAIL_MIN };

	applied += frames;
	if (applied >= boundary)
		applied -= boundary;
	sync.c.control.appl_ptr = applied;
	return ioctl(fd, SNDRV_PCM_IOCTL_SYNC_PTR, &sync);
}
