// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The relay simulator's program. TAP on standard output.
 *
 *	relay [--seed N] [--count N] [--seconds N] [--verbose]
 *
 * Plays --count schedules (default: as many as fit into --seconds, 20) from the printed seed; one that breaks an invariant is
 * shrunk and printed, and "--seed N --count 1 --verbose" with the number that is printed with it shows it again.
 */
#include "sim.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct world world;
static struct tally tally;
static unsigned int result;
static bool bad;

static void report(bool good, const char *what)
{
	printf("%s %u - %s\n", good ? "ok" : "not ok", ++result, what);
	fflush(stdout);
	bad |= !good;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t seed_of(uint64_t seed, uint64_t n)
{
	uint64_t rng = seed + n * UINT64_C(0xd1342543de82ef95);

	return n ? draw(&rng) : seed;
}

static void show(struct schedule *s, enum sabotage sabotage, const char *what)
{
	unsigned int before = s->n;

	printf("# seed %" PRIu64 ": %s\n", s->seed, what);
	schedule_shrink(&world, s, sabotage);
	printf("# %u of %u steps are enough:\n", s->n, before);
	schedule_play(&world, s, sabotage, true);
}

static void holds(uint64_t seed, uint64_t count, double limit, bool verbose)
{
	double begun = seconds();
	static struct schedule s;
	const char *what = NULL;
	uint64_t n;

	for (n = 0; n < count && !what; n++) {
		if (limit > 0 && n % 64 == 0 && seconds() - begun > limit)
			break;
		schedule_make(&s, seed_of(seed, n));
		what = schedule_play(&world, &s, SABOTAGE_NONE, verbose);
	}
	printf("# %" PRIu64 " schedules from seed %" PRIu64 " in %.1f s, %" PRIu64
	       " of them cut short\n",
	       n, seed, seconds() - begun, tally.cut);
	if (what)
		show(&s, SABOTAGE_NONE, what);
	report(!what && n > 0, "every invariant holds after each step");
}

/* A simulator in which nothing happens would hold everything. */
static void reaches(void)
{
	static const enum channel_end ends[] = {
		CHANNEL_END_HANGUP,	CHANNEL_END_SAS_DIFFERS,  CHANNEL_END_PEER_REFUSED,
		CHANNEL_END_LOST,	CHANNEL_END_AGE,	  CHANNEL_END_VIOLATION,
		CHANNEL_END_MEDIA,	CHANNEL_END_ECHO,	  CHANNEL_END_PEER_CLOSED,
		CHANNEL_END_NO_ANSWER,	CHANNEL_END_NOT_ACCEPTED, CHANNEL_END_NOT_CONFIRMED,
		CHANNEL_END_WEAK_POINT,
	};
	bool all = tally.captures && tally.live[0] && tally.live[1] && tally.stalled &&
		   tally.honest_ends;

	printf("# runs %" PRIu64 ", sealed %" PRIu64 ", delivered %" PRIu64 ", confirmed %" PRIu64
	       " and %" PRIu64 ", stalled %" PRIu64 ", captures looked at %" PRIu64
	       ", honest calls in the end %" PRIu64 "\n",
	       tally.runs, tally.seals, tally.delivered, tally.live[0], tally.live[1],
	       tally.stalled, tally.captures, tally.honest_ends);
	for (unsigned int i = 0; i < CHANNEL_RESULT_COUNT; i++)
		printf("# result %s: %" PRIu64 "\n", channel_result_name(i), tally.results[i]);
	for (unsigned int i = 1; i < CHANNEL_END_COUNT; i++)
		printf("# end %s: %" PRIu64 "\n", channel_end_name(i), tally.ends[i]);
	for (unsigned int i = 0; i < CHANNEL_RESULT_COUNT; i++)
		all &= tally.results[i] > 0;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		all &= tally.ends[ends[i]] > 0;
	for (unsigned int i = 1; i < LIE_COUNT; i++)
		all &= tally.lies[i] > 0;
	report(all, "the schedules reach every result, every end and every lie");
}

static void notices(uint64_t seed)
{
	static const char *const names[SABOTAGE_COUNT] = {
		[SABOTAGE_ALIVE_FROM_ARRIVAL] =
			"a proof of life counted from its arrival is noticed",
		[SABOTAGE_NO_WINDOW] = "a number taken twice is noticed",
		[SABOTAGE_NUMBER_TWICE] = "a nonce used twice is noticed",
		[SABOTAGE_OTHER_KEYS] = "different keys at the two ends are noticed",
		[SABOTAGE_NEVER_LOST] = "a session without an end is noticed",
		[SABOTAGE_NOT_WIPED] = "a key that outlives its session is noticed",
		[SABOTAGE_STALE_FACTS] = "a capture that outlives the channel is noticed",
	};
	static struct schedule s;
	const char *what;

	for (enum sabotage i = 1; i < SABOTAGE_COUNT; i++) {
		what = NULL;
		for (uint64_t n = 0; n < 300 && !what; n++) {
			schedule_make(&s, seed_of(seed, n));
			what = schedule_play(&world, &s, i, false);
		}
		if (what)
			show(&s, i, what);
		report(what != NULL, names[i]);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' },
						 { "count", required_argument, NULL, 'c' },
						 { "seconds", required_argument, NULL, 't' },
						 { "verbose", no_argument, NULL, 'v' },
						 {} };
	const char *limit = getenv("SIM_SECONDS");
	uint64_t seed = (uint64_t)time(NULL), count = UINT64_MAX;
	double time_limit = limit ? atof(limit) : 20;
	bool verbose = false;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			count = strtoull(optarg, NULL, 0);
			time_limit = 0;
			break;
		case 't':
			time_limit = atof(optarg);
			break;
		case 'v':
			verbose = true;
			break;
		default:
			fprintf(stderr,
				"usage: relay [--seed N] [--count N] [--seconds N] [--verbose]\n");
			return 2;
		}
	}
	if (crypto_init() < 0) {
		puts("Bail out! libsodium did not start");
		return 1;
	}
	world.tally = &tally;
	puts("TAP version 13");
	holds(seed, count, time_limit, verbose);
	if (!bad && count > 2000)
		reaches();
	if (!bad && count > 2000)
		notices(seed);
	printf("1..%u\n", result);
	return bad;
}
