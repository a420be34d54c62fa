/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of struct channel, shared by channel*.c and by nobody else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"
#include "channel-wire.h"
#include "noise.h"
#include "util/window.h"

/* Send times kept: more messages than can be sent in a dead time, so what is forgotten proves nothing any more. */
#define SENT_MAX 64
_Static_assert(SENT_MAX > CHANNEL_DEAD_INTERVALS * CHANNEL_URGENT_FRACTION + CHANNEL_CLOSE_COPIES,
	       "a proof of life within the dead time finds its send time");

/* Few, because whoever has a channel takes its output after each call. */
#define QUEUE_MAX 4
_Static_assert(QUEUE_MAX >= CHANNEL_CLOSE_COPIES, "the farewell fits");
#define READY_SEQ 1 /* DATA counts from 1; 0 stands for FIN in an echo */
#define SEQ_LIMIT (UINT64_MAX - 1)
#define PEER(dir) ((enum channel_dir) !(dir))

struct blob {
	size_t len;
	uint8_t bytes[CHANNEL_BLOB_MAX];
};

/*
 * The lists of programs; not secret, hence not in the channel's own page.
 * @own: as it is now; @said: the one whose piece @at is next
 * @hearing: a round that is coming in, @have its pieces; @peer: the last whole one
 */
struct programs {
	bool tells, hears, heard;
	struct channel_programs own, said, hearing, peer;
	unsigned int at, have;
	uint8_t round, hearing_round;
};

struct channel {
	enum channel_role role;
	uint8_t sid[CHANNEL_SID_LEN];
	bool (*peer_allowed)(void *data, const uint8_t key[CHANNEL_KEY_LEN]);
	void (*random)(void *data, void *ret, size_t len);
	void *data;
	uint8_t stock[192]; /* random bytes; the first @stock_left are still to be used */
	size_t stock_left;
	uint64_t born, now; /* @now: the latest time seen */

	/* The offer, as both ends bind it. */
	uint8_t prologue[WIRE_PROLOGUE_MAX];
	size_t prologue_len;
	struct wire_init offer;
	uint16_t accepted[2];
	bool takes_programs[2]; /* by direction: offered and accepted */
	unsigned int interval_ms;

	/* Made or taken, each at most once; their presence is the step of the handshake. */
	struct blob init, resp, fin, ready;
	uint64_t step_at, resend_at, resend_gap;

	struct noise_handshake hs, next;
	uint8_t own_static[CHANNEL_KEY_LEN], peer_static[CHANNEL_KEY_LEN];
	bool has_peer_static;
	uint8_t nonce[32], peer_nonce[32], commitment[32], m_i[32];
	uint32_t sas;
	bool has_sas;

	bool has_keys;
	struct noise_cipher tx, rx;
	uint8_t prk[CRYPTO_SHA512_LEN];
	uint64_t tx_seq, rx_seq; /* highest sent, highest authenticated; 0 for none */
	struct window rx_window;
	uint64_t sent_at[SENT_MAX]; /* by seq % SENT_MAX, for the last SENT_MAX of them */
	uint64_t fin_at;

	bool confirmed;
	uint64_t alive_until;
	uint64_t beat_at, last_beat;
	uint16_t fetched[2];
	struct channel_claims local, peer;
	bool has_peer_claims;
	struct programs *programs; /* NULL: no list was told or heard */

	enum channel_end end;
	uint8_t peer_reason;

	struct blob queue[QUEUE_MAX];
	unsigned int queue_first, queue_len;
};

/* With what guards it, so that it takes one locked page and not two. */
_Static_assert(sizeof(struct channel) <= 4096 - 64, "a channel fits into a page");

/* ---- channel.c ---- */

void channel_draw(struct channel *c, void *ret, size_t len);
void channel_pass_time(struct channel *c, uint64_t now);
void channel_queue_put(struct channel *c, const struct blob *b);
/* Forgets every secret. What stays: who it was, why it ended, blobs that wait to be carried. */
void channel_finish(struct channel *c, enum channel_end why);
enum channel_result channel_end_with(struct channel *c, enum channel_end reason);
/* PRK0; afterwards nothing of the handshake is left. */
void channel_media_establish(struct channel *c, const uint8_t *m_r);

/* ---- channel-data.c ---- */

/* Seals one DATA blob. The caller fills type, m_r and reason. False: no number is left. */
bool channel_data_make(struct channel *c, struct wire_data *d, struct blob *ret);
enum channel_result channel_data_receive(struct channel *c, const uint8_t *blob, size_t len);
void channel_data_beat(struct channel *c);
/* A heartbeat as soon as one may be sent. */
void channel_data_beat_soon(struct channel *c);

/* ---- channel-programs.c ---- */

/* What the heartbeat that is being made is to carry; false: nothing. */
bool channel_programs_next(struct channel *c, struct wire_program *ret);
/* A piece, newer than any before. */
void channel_programs_hear(struct channel *c, const struct wire_program *piece);

/* ---- channel-facts.c ---- */

uint64_t channel_interval_ns(const struct channel *c);
enum channel_level channel_own_level(const struct channel *c, unsigned int kind);
