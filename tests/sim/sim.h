/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hostile relay between two machines, in one process and without a clock. world.c moves time and blobs, oracle.c knows what
 * really happened and holds the channels against it, schedule.c makes, prints and shrinks what the relay does.
 *
 * A run is one struct channel: one approval at one machine. All that is random follows from the seed of the schedule.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel-private.h"
#include "policy.h"
#include "session.h"

#define SEC  CHANNEL_NSEC_PER_SEC
#define MSEC CHANNEL_NSEC_PER_MSEC

#define RUNS_MAX    40
#define CARRIED_MAX 4096
#define PENDING_MAX 512
#define STEPS_MAX   160
#define WORK_MAX    150000 /* events of one schedule; what takes longer is cut off and counted */

/* What a genuine but dishonest end writes into its next DATA. */
enum lie {
	LIE_NONE,
	LIE_ECHO_FAR,
	LIE_ECHO_NEXT, /* the message that the other end is about to send */
	LIE_ECHO_EPOCH,
	LIE_ECHO_NONE,
	LIE_MEDIA,
	LIE_NUMBER,
	LIE_GATE,
	LIE_SAS,
	LIE_DIFFERS,
	LIE_PADDING,
	LIE_TYPE,
	LIE_READY,
	LIE_LEVEL, /* no error: an unknown level counts as none */
	LIE_COUNT,
};

/* What a defect in the product would do; main.c shows that each is noticed. */
enum sabotage {
	SABOTAGE_NONE,
	SABOTAGE_ALIVE_FROM_ARRIVAL,
	SABOTAGE_NO_WINDOW,
	SABOTAGE_NUMBER_TWICE,
	SABOTAGE_OTHER_KEYS,
	SABOTAGE_NEVER_LOST,
	SABOTAGE_NOT_WIPED,
	SABOTAGE_STALE_FACTS,
	SABOTAGE_UNAPPROVED,
	SABOTAGE_LOOSE_POLICY,
	SABOTAGE_BLOCK_IGNORED,
	SABOTAGE_COUNT,
};

/* One DATA as its maker sealed it. */
struct message {
	uint64_t at; /* maker's clock */
	uint8_t plain[WIRE_PAYLOAD_LEN];
	enum lie lie;
	bool taken;
};

struct run {
	struct world *w;
	unsigned int side, number;
	struct channel *c; /* NULL once the machine forgot it */
	uint64_t rng;
	unsigned int draws;
	uint64_t born; /* own clock, as all times here but @accept_at */
	uint64_t accept_at;
	bool approved;
	struct session_facts facts;

	/* What its keys are, kept beyond its end, and who else has them. */
	bool has_keys, has_prk, has_fin;
	uint8_t tx_key[32], rx_key[32], prk[CRYPTO_SHA512_LEN];
	uint32_t sas;
	struct run *partner;

	uint64_t fin_at;
	struct message *messages; /* by seq */
	size_t n_messages, room;
	uint64_t taken_highest, last_beat;
	uint64_t alive_expected; /* by the rule, from what it took */
	uint64_t alive_true;	 /* by what its partner really did */
	struct blob made[5];	 /* the one INIT, RESP, FIN and first DATA */
	bool ended_seen;
};

struct carried {
	struct blob b;
	unsigned int from;
	bool mutated;
};

struct pending {
	uint64_t due;
	uint64_t carried;
	unsigned int to, mutation;
	uint64_t random;
};

enum carriage {
	CARRY_PROMPTLY,
	CARRY_BADLY,
	CARRY_NOTHING,
	CARRY_COUNT,
};

struct machine {
	struct run *run;
	uint64_t offset, asleep_until;
	uint32_t blocked;
	bool gate;
	enum carriage mode; /* of what it sends */
	enum lie lie;
};

struct setting {
	uint16_t interval_ms, offered[2], accepted[2];
	uint64_t accept_after[2]; /* UINT64_MAX: never */
	uint64_t delay, late;
	bool refuse[2], honest_end, blobs_first;
	uint64_t offset[2];
	struct policy policy;
};

struct tally {
	uint64_t schedules, cut, runs, seals, delivered, live[2], stalled, captures, honest_ends;
	uint64_t results[CHANNEL_RESULT_COUNT], ends[CHANNEL_END_COUNT], lies[LIE_COUNT];
};

struct world {
	uint64_t now, rng;
	struct setting setting;
	struct machine machines[2];
	struct run runs[RUNS_MAX];
	unsigned int n_runs;
	struct carried carried[CARRIED_MAX];
	uint64_t n_carried;
	struct pending pending[PENDING_MAX];
	unsigned int n_pending;
	struct run *acting;
	uint64_t work;
	bool verbose, cut;
	enum sabotage sabotage;
	const char *
		wrong; /* the first invariant that did not hold; with a sabotage, of those that it is to break */
	struct tally *tally;
};

enum op {
	OP_RUN,
	OP_MODE,
	OP_DELIVER,
	OP_MUTATE,
	OP_FLUSH,
	OP_START,
	OP_CRASH,
	OP_CLOSE,
	OP_ACCEPT,
	OP_SUSPEND,
	OP_COMPARE,
	OP_MEDIA,
	OP_BLOCK,
	OP_GATE,
	OP_LIE,
	OP_COUNT,
};

struct step {
	enum op op;
	uint64_t a, b;
};

struct schedule {
	uint64_t seed;
	struct step steps[STEPS_MAX];
	unsigned int n;
};

/* ---- hooks.c ---- */

void hooks_begin(struct world *w);

/* ---- oracle.c ---- */

void wrong(struct world *w, const char *what);
/* DATA that is about to be sealed; @plain may change. */
void oracle_message(struct run *r, const uint8_t *key, uint64_t seq, uint8_t *plain);
void oracle_output(struct run *r, const struct blob *b);
void oracle_check(struct run *r);
void oracle_captures(struct run *r, uint32_t kinds, uint64_t until, uint64_t now);
/* Whether its time has passed, by the rules. */
bool oracle_over(const struct run *r, uint64_t now);
/* The channel has been ticked at this time, unless it is over. */
enum channel_result oracle_receive(struct run *r, const struct blob *b,
				   const struct carried *origin, uint64_t now);

/* ---- world.c ---- */

uint64_t draw(uint64_t *rng);
uint64_t local_clock(const struct world *w, unsigned int side);
bool run_open(const struct run *r);
void world_begin(struct world *w, const struct setting *s, uint64_t seed);
void world_end(struct world *w);
void world_pass(struct world *w, uint64_t ns);
void world_start(struct world *w, unsigned int side);
void world_crash(struct world *w, unsigned int side);
void world_accept(struct world *w, unsigned int side);
void world_deliver(struct world *w, unsigned int to, uint64_t carried, unsigned int mutation,
		   uint64_t random);
void world_after(struct run *r);
void trace(const struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define MUTATIONS 10

/* ---- schedule.c ---- */

void schedule_make(struct schedule *s, uint64_t seed);
/* NULL, or the invariant that did not hold. */
const char *schedule_play(struct world *w, const struct schedule *s, enum sabotage sabotage,
			  bool verbose);
/* Takes out every step without which the same invariant still fails. */
void schedule_shrink(struct world *w, struct schedule *s, enum sabotage sabotage);
