// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A daemon without the commitment: every caller commits to the same zeros, whatever it will reveal. Linked in place of
 * wire_commitment() (the linker's --wrap) into a daemon that tests/bus/mitm.py lets a man in the middle win against.
 */
#include <string.h>

#include "channel-wire.h"

void __wrap_wire_commitment(const uint8_t *sid, const uint8_t *s_i, const uint8_t *r_i,
			    uint8_t ret[32]);

void __wrap_wire_commitment(const uint8_t *sid, const uint8_t *s_i, const uint8_t *r_i,
			    uint8_t ret[32])
{
	memset(ret, 0, 32);
}
