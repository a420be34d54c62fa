/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the three files of a call share: call.c, call-open.c, call-peer.c. */
#ifndef CALLGATE_CALL_PRIVATE_H
#define CALLGATE_CALL_PRIVATE_H

#include "call.h"

/* Releases everything, says nothing to anybody. */
void call_free(struct call *call);
/* Before the user is asked. @init: the first blob of a call that came in, or NULL. 0; 1: refused; negative errno. */
int call_peer_prepare(struct call *call, const void *init, size_t len, uint64_t now,
		      struct refusal *ret_refusal);
/* The user said yes: the channel's one run begins. */
int call_peer_begin(struct call *call, uint64_t now);
/* The channel is confirmed: looks the key up, asks to compare unless it is verified. */
void call_peer_confirmed(struct call *call);

#endif
