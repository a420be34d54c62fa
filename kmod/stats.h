/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters since the module was loaded, per CPU: the path writes no shared cache line. */
#ifndef CALLGATE_STATS_H
#define CALLGATE_STATS_H

#include <linux/percpu.h>

enum callgate_stat {
	CALLGATE_STAT_CHECKS,
	CALLGATE_STAT_DENIED,
	CALLGATE_STAT_ASKED,
	CALLGATE_STAT_REVOKED,
	CALLGATE_STAT_LOST,
	CALLGATE_STAT_COUNT,
};

struct callgate_stats {
	u64 count[CALLGATE_STAT_COUNT];
};

DECLARE_PER_CPU(struct callgate_stats, callgate_stats);

static inline void callgate_stat_inc(enum callgate_stat stat)
{
	this_cpu_inc(callgate_stats.count[stat]);
}

static inline u64 callgate_stat_sum(enum callgate_stat stat)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(callgate_stats, cpu).count[stat]);
	return sum;
}

#endif
