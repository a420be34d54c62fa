// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What samples come to: medians, their spread over repetitions, and a line of
 * JSON for each. Knows nothing of what is measured. Linked into every program
 * of this folder that measures inside the virtual machine.
 */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void push(double **list, size_t *count, size_t *room, double value)
{
	if (*count == *room) {
		*room = *room ? 2 * *room : 256;
		*list = realloc(*list, *room * sizeof(**list));
		if (!*list)
			abort();
	}
	(*list)[(*count)++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(double *list, size_t count, double q)
{
	qsort(list, count, sizeof(*list), compare);
	return list[(size_t)(q * (double)(count - 1) + 0.5)];
}

void sample_add(struct sample *s, double value)
{
	push(&s->value, &s->count, &s->room, value);
}

void sample_repetition(struct sample *s)
{
	size_t i, medians = s->repetitions ? s->repetitions - 1 : 0;

	if (!s->count)
		return;
	if (s->repetitions++) {
		s->medians = realloc(s->medians, (medians + 1) * sizeof(*s->medians));
		if (!s->medians)
			abort();
		s->medians[medians] = quantile(s->value, s->count, 0.5);
		for (i = 0; i < s->count; i++)
			push(&s->all, &s->all_count, &s->all_room, s->value[i]);
	}
	s->count = 0;
}

void sample_print(struct sample *s, const char *scenario, const char *what, const char *unit)
{
	size_t medians = s->repetitions ? s->repetitions - 1 : 0;

	if (medians)
		printf("{\"scenario\": \"%s\", \"what\": \"%s\", \"unit\": \"%s\", \"median\": %.9g, "
		       "\"low\": %.9g, \"high\": %.9g, \"p99\": %.9g, \"n\": %zu}\n",
		       scenario, what, unit, quantile(s->all, s->all_count, 0.5),
		       quantile(s->medians, medians, 0), quantile(s->medians, medians, 1),
		       quantile(s->all, s->all_count, 0.99), s->all_count);
	fflush(stdout);
	free(s->value);
	free(s->all);
	free(s->medians);
	*s = (struct sample){};
}

void sample_print_one(const char *scenario, const char *what, const char *unit, double value)
{
	printf("{\"scenario\": \"%s\", \"what\": \"%s\", \"unit\": \"%s\", \"median\": %.9g, \"n\": 1}\n",
	       scenario, what, unit, value);
	fflush(stdout);
}

uint64_t sample_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}
