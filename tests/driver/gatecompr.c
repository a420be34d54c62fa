// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sound card for tests whose processor encodes: compressed capture (device 0) and playback (device 1),
 * both with the same table of operations, as drivers have it.
 *
 * Owns the card. Knows nothing of the gate, and is loaded by tests only. Whatever runs gives LOUD to every
 * reader, RATE bytes a second. Bound and unbound through sysfs.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <sound/compress_driver.h>
#include <sound/core.h>
#include <sound/initval.h>

#include "platform.h"

#define LOUD 0x5a
#define RATE 8000

#ifdef GATECOMPR_TSTAMP64
#define tstamp snd_compr_tstamp64
#else
#define tstamp snd_compr_tstamp
#endif

/* Of an open file. */
struct run {
	ktime_t since;
	u64 before;
	bool running;
};

struct both {
	struct snd_compr capture, playback;
};

static int running;
module_param(running, int, 0400);
MODULE_PARM_DESC(running, "read only: captures that run");

static int gatecompr_open(struct snd_compr_stream *stream)
{
	stream->runtime->private_data = kzalloc(sizeof(struct run), GFP_KERNEL);
	return stream->runtime->private_data ? 0 : -ENOMEM;
}

static int gatecompr_free(struct snd_compr_stream *stream)
{
	kfree(stream->runtime->private_data);
	return 0;
}

static int gatecompr_set_params(struct snd_compr_stream *stream, struct snd_compr_params *params)
{
	return 0;
}

static u64 bytes(const struct run *run)
{
	u64 now = 0;

	if (run->running)
		now = div_u64((u64)ktime_to_us(ktime_sub(ktime_get(), run->since)) * RATE,
			      USEC_PER_SEC);
	return run->before + now;
}

static void set_running(struct snd_compr_stream *stream, bool on)
{
	struct run *run = stream->runtime->private_data;

	if (stream->direction == SND_COMPRESS_CAPTURE && run->running != on)
		WRITE_ONCE(running, running + (on ? 1 : -1));
	run->running = on;
}

static int gatecompr_trigger(struct snd_compr_stream *stream, int cmd)
{
	struct run *run = stream->runtime->private_data;

	switch (cmd) {
	case SNDRV_PCM_TRIGGER_START:
		run->before = 0;
		fallthrough;
	case SNDRV_PCM_TRIGGER_PAUSE_RELEASE:
		run->since = ktime_get();
		set_running(stream, true);
		return 0;
	case SNDRV_PCM_TRIGGER_STOP:
	case SNDRV_PCM_TRIGGER_PAUSE_PUSH:
		run->before = bytes(run);
		set_running(stream, false);
		return 0;
	default:
		return -EINVAL;
	}
}

static int gatecompr_pointer(struct snd_compr_stream *stream, struct tstamp *now)
{
	now->copied_total = bytes(stream->runtime->private_data);
	return 0;
}

static int gatecompr_copy(struct snd_compr_stream *stream, char __user *buf, size_t count)
{
	size_t i;

	for (i = 0; stream->direction == SND_COMPRESS_CAPTURE && i < count; i++) {
		if (put_user((char)LOUD, buf + i))
			return -EFAULT;
	}
	return count;
}

static struct snd_compr_ops ops = {
	.open = gatecompr_open,
	.free = gatecompr_free,
	.set_params = gatecompr_set_params,
	.trigger = gatecompr_trigger,
	.pointer = gatecompr_pointer,
	.copy = gatecompr_copy,
};

static int add(struct snd_card *card, struct both *both)
{
	int err;

	both->capture.ops = &ops;
	both->playback.ops = &ops;
	err = snd_compress_new(card, 0, SND_COMPRESS_CAPTURE, "capture", &both->capture);
	if (err)
		return err;
	return snd_compress_new(card, 1, SND_COMPRESS_PLAYBACK, "playback", &both->playback);
}

static int gatecompr_probe(struct platform_device *pdev)
{
	struct snd_card *card;
	int err;

	err = snd_card_new(&pdev->dev, SNDRV_DEFAULT_IDX1, "GateCompr", THIS_MODULE,
			   sizeof(struct both), &card);
	if (err)
		return err;
	strscpy(card->driver, "gatecompr", sizeof(card->driver));
	strscpy(card->shortname, "GateCompr", sizeof(card->shortname));
	strscpy(card->longname, "GateCompr", sizeof(card->longname));
	err = add(card, card->private_data);
	if (!err)
		err = snd_card_register(card);
	if (err) {
		snd_card_free(card);
		return err;
	}
	platform_set_drvdata(pdev, card);
	return 0;
}

static void gatecompr_remove(struct platform_device *pdev)
{
	snd_card_free(platform_get_drvdata(pdev));
}

GATE_PLATFORM_DRIVER("gatecompr", gatecompr_probe, gatecompr_remove);
MODULE_DESCRIPTION("Compressed capture for Callgate's tests");
MODULE_LICENSE("GPL");
