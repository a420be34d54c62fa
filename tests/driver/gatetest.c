// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sound card for tests, whose capture PCMs do what few drivers do:
 *
 *	0 "nonatomic"	its stream lock is a mutex, as on most cards behind USB or I2C
 *	1 "changing"	hw_params gives it another table of operations: for one channel
 *			one that has a copy operation, for two one that has none
 *	2 "copying"	a copy operation of its own, over a buffer that is nobody's to map
 *
 * Owns the card. Knows nothing of the gate, and is loaded by tests only. Whatever runs
 * fills its buffer with LOUD. PCM 0 has a playback stream as well, to be linked. The card is
 * bound and unbound through sysfs.
 */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include <sound/core.h>
#include <sound/initval.h>
#include <sound/pcm.h>

#include "platform.h"

#define LOUD	   0x5a
#define TICK	   msecs_to_jiffies(20)
#define BUFFER_MAX 65536

enum {
	NONATOMIC,
	CHANGING,
	COPYING,
	PCMS
};

/* Of an open substream. @running is written by the trigger. */
struct run {
	struct snd_pcm_substream *substream;
	struct delayed_work tick;
	ktime_t since;
	snd_pcm_uframes_t period;
	bool running;
};

static bool playback = true;
module_param(playback, bool, 0600);
MODULE_PARM_DESC(playback, "PCM 0 has a playback stream, when it is bound");

static bool refuse_pause;
module_param(refuse_pause, bool, 0600);
MODULE_PARM_DESC(refuse_pause, "says that it can pause, and then does not");

static uint start_ms;
module_param(start_ms, uint, 0600);
MODULE_PARM_DESC(start_ms, "how long a start of PCM 0 takes");

static int starting;
module_param(starting, int, 0400);
MODULE_PARM_DESC(starting, "read only: PCM 0 is being started");

static const struct snd_pcm_hardware hardware = {
	.info = SNDRV_PCM_INFO_INTERLEAVED | SNDRV_PCM_INFO_MMAP | SNDRV_PCM_INFO_MMAP_VALID |
		SNDRV_PCM_INFO_BLOCK_TRANSFER | SNDRV_PCM_INFO_PAUSE,
	.formats = SNDRV_PCM_FMTBIT_S16_LE,
	.rates = SNDRV_PCM_RATE_8000_48000,
	.rate_min = 8000,
	.rate_max = 48000,
	.channels_min = 1,
	.channels_max = 2,
	.buffer_bytes_max = BUFFER_MAX,
	.period_bytes_min = 64,
	.period_bytes_max = BUFFER_MAX / 2,
	.periods_min = 2,
	.periods_max = 64,
};

static u64 frames_since(const struct run *run)
{
	return div_u64((u64)ktime_to_us(ktime_sub(ktime_get(), run->since)) *
			       run->substream->runtime->rate,
		       USEC_PER_SEC);
}

static void tick(struct work_struct *work)
{
	struct run *run = container_of(work, struct run, tick.work);
	struct snd_pcm_runtime *runtime = run->substream->runtime;
	u64 period;

	if (!READ_ONCE(run->running))
		return;
	if (run->substream->stream == SNDRV_PCM_STREAM_CAPTURE)
		memset(runtime->dma_area, LOUD, runtime->dma_bytes);
	period = div_u64(frames_since(run), runtime->period_size);
	if (period != run->period) {
		run->period = period;
		snd_pcm_period_elapsed(run->substream);
	}
	schedule_delayed_work(&run->tick, TICK);
}

static int gatetest_open(struct snd_pcm_substream *substream)
{
	struct run *run = kzalloc(sizeof(*run), GFP_KERNEL);

	if (!run)
		return -ENOMEM;
	run->substream = substream;
	INIT_DELAYED_WORK(&run->tick, tick);
	substream->runtime->private_data = run;
	substream->runtime->hw = hardware;
	if (substream->pcm->device == COPYING)
		substream->runtime->hw.info &= ~(SNDRV_PCM_INFO_MMAP | SNDRV_PCM_INFO_MMAP_VALID);
	return 0;
}

static int gatetest_close(struct snd_pcm_substream *substream)
{
	struct run *run = substream->runtime->private_data;

	cancel_delayed_work_sync(&run->tick);
	kfree(run);
	return 0;
}

static int gatetest_prepare(struct snd_pcm_substream *substream)
{
	return 0;
}

/* Without tick's lock: cancelling for certain would wait for one that waits for the stream lock. */
static int gatetest_sync_stop(struct snd_pcm_substream *substream)
{
	struct run *run = substream->runtime->private_data;

	cancel_delayed_work_sync(&run->tick);
	return 0;
}

static int gatetest_trigger(struct snd_pcm_substream *substream, int cmd)
{
	struct run *run = substream->runtime->private_data;

	/* A PCM with a mutex may sleep here, and one that believes otherwise is found out. */
	if (substream->pcm->nonatomic)
		might_sleep();
	/* Also the release, with which the PCM core takes a failed pause back. */
	if (refuse_pause &&
	    (cmd == SNDRV_PCM_TRIGGER_PAUSE_PUSH || cmd == SNDRV_PCM_TRIGGER_PAUSE_RELEASE))
		return -EIO;
	if (substream->pcm->nonatomic && cmd == SNDRV_PCM_TRIGGER_START && start_ms) {
		WRITE_ONCE(starting, 1);
		msleep(start_ms);
		WRITE_ONCE(starting, 0);
	}
	switch (cmd) {
	case SNDRV_PCM_TRIGGER_START:
	case SNDRV_PCM_TRIGGER_PAUSE_RELEASE:
		run->since = ktime_get();
		run->period = 0;
		WRITE_ONCE(run->running, true);
		schedule_delayed_work(&run->tick, TICK);
		return 0;
	case SNDRV_PCM_TRIGGER_STOP:
	case SNDRV_PCM_TRIGGER_PAUSE_PUSH:
		WRITE_ONCE(run->running, false);
		return 0;
	default:
		return -EINVAL;
	}
}

static snd_pcm_uframes_t gatetest_pointer(struct snd_pcm_substream *substream)
{
	struct run *run = substream->runtime->private_data;
	u64 frames = READ_ONCE(run->running) ? frames_since(run) : 0;
	u32 rest;

	div_u64_rem(frames, substream->runtime->buffer_size, &rest);
	return rest;
}

#ifdef GATETEST_COPY_USER
static int gatetest_copy_user(struct snd_pcm_substream *substream, int channel, unsigned long pos,
			      void __user *buf, unsigned long bytes)
{
	return copy_to_user(buf, substream->runtime->dma_area + pos, bytes) ? -EFAULT : 0;
}

static int gatetest_copy_kernel(struct snd_pcm_substream *substream, int channel, unsigned long pos,
				void *buf, unsigned long bytes)
{
	memcpy(buf, substream->runtime->dma_area + pos, bytes);
	return 0;
}

#define COPY .copy_user = gatetest_copy_user, .copy_kernel = gatetest_copy_kernel
#else
static int gatetest_copy(struct snd_pcm_substream *substream, int channel, unsigned long pos,
			 struct iov_iter *iter, unsigned long bytes)
{
	return copy_to_iter(substream->runtime->dma_area + pos, bytes, iter) == bytes ? 0 : -EFAULT;
}

#define COPY .copy = gatetest_copy
#endif

#define COMMON                                                                       \
	.open = gatetest_open, .close = gatetest_close, .prepare = gatetest_prepare, \
	.trigger = gatetest_trigger, .pointer = gatetest_pointer, .sync_stop = gatetest_sync_stop

static int changing_hw_params(struct snd_pcm_substream *substream,
			      struct snd_pcm_hw_params *params);

static const struct snd_pcm_ops plain_ops = { COMMON };
static const struct snd_pcm_ops copying_ops = { COMMON, COPY };
static const struct snd_pcm_ops changing_mono_ops = {
	COMMON,
	COPY,
	.hw_params = changing_hw_params,
};
static const struct snd_pcm_ops changing_stereo_ops = {
	COMMON,
	.hw_params = changing_hw_params,
};

static int changing_hw_params(struct snd_pcm_substream *substream, struct snd_pcm_hw_params *params)
{
	substream->ops = params_channels(params) == 1 ? &changing_mono_ops : &changing_stereo_ops;
	return 0;
}

static int add_pcm(struct snd_card *card, int number, const char *id, bool both,
		   const struct snd_pcm_ops *ops)
{
	struct snd_pcm *pcm;
	int err;

	err = snd_pcm_new(card, id, number, both, 1, &pcm);
	if (err)
		return err;
	strscpy(pcm->name, id, sizeof(pcm->name));
	pcm->nonatomic = number == NONATOMIC;
	snd_pcm_set_ops(pcm, SNDRV_PCM_STREAM_CAPTURE, ops);
	if (both)
		snd_pcm_set_ops(pcm, SNDRV_PCM_STREAM_PLAYBACK, ops);
	return snd_pcm_set_managed_buffer_all(pcm, SNDRV_DMA_TYPE_VMALLOC, NULL, 0, BUFFER_MAX);
}

static int gatetest_probe(struct platform_device *pdev)
{
	struct snd_card *card;
	int err;

	err = snd_card_new(&pdev->dev, SNDRV_DEFAULT_IDX1, "GateTest", THIS_MODULE, 0, &card);
	if (err)
		return err;
	strscpy(card->driver, "gatetest", sizeof(card->driver));
	strscpy(card->shortname, "GateTest", sizeof(card->shortname));
	strscpy(card->longname, "GateTest", sizeof(card->longname));
	err = add_pcm(card, NONATOMIC, "nonatomic", playback, &plain_ops);
	if (!err)
		err = add_pcm(card, CHANGING, "changing", 0, &changing_stereo_ops);
	if (!err)
		err = add_pcm(card, COPYING, "copying", 0, &copying_ops);
	if (!err)
		err = snd_card_register(card);
	if (err) {
		snd_card_free(card);
		return err;
	}
	platform_set_drvdata(pdev, card);
	return 0;
}

static void gatetest_remove(struct platform_device *pdev)
{
	snd_card_free(platform_get_drvdata(pdev));
}

GATE_PLATFORM_DRIVER("gatetest", gatetest_probe, gatetest_remove);
MODULE_DESCRIPTION("Capture devices for Callgate's tests");
MODULE_LICENSE("GPL");
