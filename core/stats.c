/* SPDX-License-Identifier: MIT */
#include "stats.h"

static unsigned bucket_of(uint64_t ns)
{
	if (ns < STATS_STEPS)
		return (unsigned)ns;
	unsigned power = 63 - (unsigned)__builtin_clzll(ns);
	unsigned bucket = (power - 2) * STATS_STEPS + (unsigned)(ns >> (power - 3)) % STATS_STEPS;
	return bucket < STATS_BUCKETS ? bucket : STATS_BUCKETS - 1;
}

/* The highest value that falls into it. */
static uint64_t value_of(unsigned bucket)
{
	if (bucket < STATS_STEPS)
		return bucket;
	unsigned power = bucket / STATS_STEPS + 2;
	uint64_t step = UINT64_C(1) << (power - 3);
	return (UINT64_C(1) << power) + (bucket % STATS_STEPS + 1) * step - 1;
}

void stats_add_latency(struct stats *stats, uint64_t ns)
{
	stats->latencies[bucket_of(ns)]++;
	stats->latency_sum += ns;
}

uint64_t stats_latency(const struct stats *stats, unsigned percent)
{
	uint64_t total = 0, seen = 0;
	for (unsigned i = 0; i < STATS_BUCKETS; i++)
		total += stats->latencies[i];
	uint64_t wanted = (total * percent + 99) / 100;
	for (unsigned i = 0; i < STATS_BUCKETS && total; i++) {
		seen += stats->latencies[i];
		if (seen >= wanted)
			return value_of(i);
	}
	return 0;
}

unsigned stats_bucket_from(unsigned power)
{
	return bucket_of(UINT64_C(1) << power);
}
