/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A camera of one program's own, out of which comes what another camera gives. */
#ifndef CALLGATE_RELAY_H
#define CALLGATE_RELAY_H

#include <pipewire/pipewire.h>
#include <stdbool.h>
#include <stdint.h>

struct relay;

/**
 * relay_open() - makes a relay, whose camera appears a moment later
 * @path: object.path of its nodes, by which they are known
 * @camera: node.name of the camera that it captures from; NULL: what WirePlumber chooses, also later
 * @formats: that the camera has; copied
 *
 * It is shut. Returns NULL without memory, or when PipeWire takes no more streams.
 */
struct relay *relay_open(struct pw_core *core, const char *path, const char *camera,
			 const struct spa_pod **formats, uint32_t n_formats);
void relay_close(struct relay *relay);

/* Shut, it passes nothing on, whatever it is linked with. */
void relay_let(struct relay *relay, bool through);

#endif
