/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CALLGATE_V4L2_H
#define CALLGATE_V4L2_H

/* Interposes every present and future V4L2 capture node. Process context. Negative errno: nothing is left behind. */
int callgate_v4l2_init(void);
/* True when every node can be given back: nobody sits on top and no gated file is open. */
int callgate_v4l2_detachable(void);
/* Does another module's table lie over one of ours? Process context. */
int callgate_v4l2_covered(void);
/* Gives every node back to its driver and forgets the class interface; callers then drain and callgate_v4l2_free(). */
void callgate_v4l2_detach(void);
/* After callgate_device_drain(): frees the records. */
void callgate_v4l2_free(void);

#endif
