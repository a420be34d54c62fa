/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples of one quantity, and the line of JSON that says what they come to. */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct sample - one quantity, in repetitions
 * @value: of the current repetition
 * @count: of them
 * @all: of every repetition but the first
 * @all_count: of them
 * @medians: one of each repetition but the first
 * @repetitions: that have ended
 */
struct sample {
	double *value;
	size_t count, room;
	double *all;
	size_t all_count, all_room;
	double *medians;
	size_t repetitions;
};

void sample_add(struct sample *s, double value);
/* Ends a repetition. The first one warms caches up, and is dropped. */
void sample_repetition(struct sample *s);
/*
 * Prints {"scenario": , "what": , "unit": , "median": , "low": , "high": , "p99": , "n": }: the median and p99 of all, the
 * lowest and highest median of a repetition. Empties @s.
 */
void sample_print(struct sample *s, const char *scenario, const char *what, const char *unit);
/* A single value. */
void sample_print_one(const char *scenario, const char *what, const char *unit, double value);

/* The processor's own clock. Where QEMU counts instructions, each moves it by one. */
static inline uint64_t sample_clock(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

/* CLOCK_MONOTONIC in ns. */
uint64_t sample_now(void);

#endif
