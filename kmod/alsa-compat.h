/* SPDX-License-Identifier: GPL-2.0-only */
/* What the ALSA files meet differently between kernels; probed by type, or by Kbuild, not by version number. */
#ifndef CALLGATE_ALSA_COMPAT_H
#define CALLGATE_ALSA_COMPAT_H

#include <linux/device.h>
#include <linux/device/class.h>
#include <sound/core.h>
#include <sound/pcm.h>

/* snd_pcm_str.dev was the device itself before it became a pointer with driver data. */
#define CALLGATE_PCM_DEV_EMBEDDED \
	__builtin_types_compatible_p(typeof_member(struct snd_pcm_str, dev), struct device)

/* The stream of a device of a PCM minor. */
static inline struct snd_pcm_str *callgate_pcm_str(struct device *dev)
{
	if (CALLGATE_PCM_DEV_EMBEDDED)
		return (void *)dev - offsetof(struct snd_pcm_str, dev);
	return dev_get_drvdata(dev);
}

static inline bool callgate_pcm_str_is(const struct snd_pcm_str *pstr, const struct device *dev)
{
	const void *field = &pstr->dev;

	return CALLGATE_PCM_DEV_EMBEDDED ? field == dev
					 : *(const struct device *const *)field == dev;
}

/* sound_class was a pointer before it became the class itself. */
#define CALLGATE_SOUND_CLASS                                                                   \
	__builtin_choose_expr(__builtin_types_compatible_p(typeof(sound_class), struct class), \
			      &sound_class, sound_class)

/* Does the driver bring its own copy op? With one, the PCM core leaves the buffer uncleared. */
static inline bool callgate_pcm_has_copy(const struct snd_pcm_ops *ops)
{
#ifdef CALLGATE_HAVE_PCM_COPY_USER
	return ops->copy_user;
#else
	return ops->copy;
#endif
}

#endif
