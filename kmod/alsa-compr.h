/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CALLGATE_ALSA_COMPR_H
#define CALLGATE_ALSA_COMPR_H

/* Interposes every present and future device of compressed capture. Process context. Negative errno: nothing is left behind. */
int callgate_compr_init(void);
/* True when every device can be given back: nobody sits on top and no gated file is open. */
int callgate_compr_detachable(void);
/* Does another module's operation stand in front of one of ours? */
int callgate_compr_covered(void);
/* Gives every device back to its driver and forgets the class interface; callers then drain. Idempotent. */
void callgate_compr_detach(void);

#endif
