/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CALLGATE_ALSA_H
#define CALLGATE_ALSA_H

/* Interposes every present and future ALSA capture substream. Process context. Negative errno: nothing is left behind. */
int callgate_alsa_init(void);
/* True when every substream can be given back: nobody sits on top and no gated file is open. */
int callgate_alsa_detachable(void);
/* Does another module's table lie over one of ours? Process context. */
int callgate_alsa_covered(void);
/* Gives every substream back to its driver and forgets the class interface; callers then drain and callgate_alsa_free(). */
void callgate_alsa_detach(void);
/* After callgate_device_drain(): frees the records. */
void callgate_alsa_free(void);

#endif
