// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The relay simulator's program. TAP on standard output.
 *
 *	relay [--seed N] [--count N] [--seconds N] [--jobs N] [--verbose]
 *
 * Plays --count schedules (default: as many as fit into --seconds, 40) from the printed seed, in --jobs processes (default: one for
 * each processor); one that breaks an invariant is shrunk and printed, and "--seed N --count 1 --verbose" with the number that is
 * printed with it shows it again.
 */
#include "sim.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define TELL	 10.0 /* seconds between two words about how far it is */

/* What one process did, for the one that started it. @bad: the schedule that broke an invariant, or UINT64_MAX. */
struct job {
	struct tally tally;
	uint64_t played, bad;
	bool done;
};

static struct world world;
static struct tally tally;
static struct job *jobs;
static unsigned int n_jobs;
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

static bool somebody_found(void)
{
	for (unsigned int i = 0; i < n_jobs; i++)
		if (jobs[i].bad != UINT64_MAX)
			return true;
	return false;
}

static uint64_t played(void)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < n_jobs; i++)
		n += jobs[i].played;
	return n;
}

/* Every schedule whose number is @me modulo the jobs. The first process also says how far all are. */
static void work(unsigned int me, uint64_t seed, uint64_t count, double limit, bool verbose)
{
	double begun = seconds(), told = begun;
	static struct schedule s;
	struct job *job = &jobs[me];

	world.tally = &job->tally;
	for (uint64_t n = me; n < count; n += n_jobs) {
		if (job->played % 64 == 0 && me == 0 && seconds() - told > TELL) {
			told = seconds();
			printf("# progress %" PRIu64 " schedules in %.0f s\n", played(),
			       told - begun);
			fflush(stdout);
		}
		if (job->played % 64 == 0 &&
		    (somebody_found() || (limit > 0 && seconds() - begun > limit)))
			break;
		schedule_make(&s, seed_of(seed, n));
		job->played++;
		if (schedule_play(&world, &s, SABOTAGE_NONE, verbose)) {
			job->bad = n;
			break;
		}
	}
	job->done = true;
}

static void add_up(void)
{
	uint64_t *sum = (uint64_t *)&tally;

	_Static_assert(sizeof(tally) % sizeof(*sum) == 0, "a tally is counters only");
	for (unsigned int i = 0; i < n_jobs; i++) {
		const uint64_t *one = (const uint64_t *)&jobs[i].tally;

		for (size_t k = 0; k < sizeof(tally) / sizeof(*sum); k++)
			sum[k] += one[k];
	}
}

static void holds(uint64_t seed, uint64_t count, double limit, bool verbose)
{
	double begun = seconds();
	static struct schedule s;
	uint64_t first = UINT64_MAX;
	const char *what = NULL;
	bool died = false;

	for (unsigned int i = 0; i < n_jobs; i++)
		jobs[i].bad = UINT64_MAX;
	fflush(stdout);
	for (unsigned int i = 1; i < n_jobs; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			puts("Bail out! fork() failed");
			exit(1);
		}
		if (pid == 0) {
			work(i, seed, count, limit, false);
			_exit(0);
		}
	}
	work(0, seed, count, limit, verbose);
	while (wait(NULL) > 0)
		;
	for (unsigned int i = 0; i < n_jobs; i++) {
		died |= !jobs[i].done;
		if (jobs[i].bad < first)
			first = jobs[i].bad;
	}
	add_up();
	printf("# progress %" PRIu64 " schedules from seed %" PRIu64 " in %.1f s, %" PRIu64
	       " of them cut short\n",
	       played(), seed, seconds() - begun, tally.cut);
	world.tally = &tally;
	if (first != UINT64_MAX) {
		schedule_make(&s, seed_of(seed, first));
		what = schedule_play(&world, &s, SABOTAGE_NONE, false);
		show(&s, SABOTAGE_NONE, what ?: "not when it was played again");
	}
	if (died)
		puts("# a process died");
	report(first == UINT64_MAX && !died && played() > 0,
	       "every invariant holds after each step");
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

/* What is left breaks the same invariant, and without any one of its steps no longer. */
static bool is_minimal(const struct schedule *s, enum sabotage sabotage, const char *what)
{
	static struct schedule less;

	if (schedule_play(&world, s, sabotage, false) != what)
		return false;
	for (unsigned int at = 0; at < s->n; at++) {
		less = *s;
		memmove(less.steps + at, less.steps + at + 1,
			(s->n - at - 1) * sizeof(s->steps[0]));
		less.n--;
		if (schedule_play(&world, &less, sabotage, false) == what)
			return false;
	}
	return true;
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
		[SABOTAGE_UNAPPROVED] = "a capture that nobody approved is noticed",
		[SABOTAGE_LOOSE_POLICY] = "a capture for an unverified peer is noticed",
		[SABOTAGE_BLOCK_IGNORED] = "a capture that is blocked is noticed",
	};
	static struct schedule s;
	unsigned int minimal = 0, shorter = 0, before;
	const char *what;

	for (enum sabotage i = 1; i < SABOTAGE_COUNT; i++) {
		what = NULL;
		for (uint64_t n = 0; n < 300 && !what; n++) {
			schedule_make(&s, seed_of(seed, n));
			what = schedule_play(&world, &s, i, false);
		}
		before = s.n;
		if (what) {
			show(&s, i, what);
			minimal += is_minimal(&s, i, what);
			shorter += s.n < before && s.n <= 12;
		}
		report(what != NULL, names[i]);
	}
	report(minimal == SABOTAGE_COUNT - 1 && shorter == SABOTAGE_COUNT - 1,
	       "each was shrunk to a few steps, none of which can be left out");
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' },
						 { "count", required_argument, NULL, 'c' },
						 { "seconds", required_argument, NULL, 't' },
						 { "jobs", required_argument, NULL, 'j' },
						 { "verbose", no_argument, NULL, 'v' },
						 {} };
	const char *limit = getenv("SIM_SECONDS");
	uint64_t seed = (uint64_t)time(NULL), count = UINT64_MAX;
	double time_limit = limit ? atof(limit) : 40;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
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
		case 'j':
			processors = atol(optarg);
			break;
		case 'v':
			verbose = true;
			break;
		default:
			fprintf(stderr,
				"usage: relay [--seed N] [--count N] [--seconds N] [--jobs N] [--verbose]\n");
			return 2;
		}
	}
	if (crypto_init() < 0) {
		puts("Bail out! libsodium did not start");
		return 1;
	}
	n_jobs = verbose || processors < 1 ? 1
		 : processors > JOBS_MAX   ? JOBS_MAX
					   : (unsigned int)processors;
	jobs = mmap(NULL, n_jobs * sizeof(*jobs), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (jobs == MAP_FAILED) {
		puts("Bail out! no memory");
		return 1;
	}
	puts("TAP version 13");
	holds(seed, count, time_limit, verbose);
	if (!bad && count > 2000)
		reaches();
	if (!bad && count > 2000)
		notices(seed);
	printf("1..%u\n", result);
	return bad;
}
