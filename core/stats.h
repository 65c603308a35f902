/* SPDX-License-Identifier: MIT */
/* Counters of a box, over all of its sessions since it was made. */
#ifndef STATS_H
#define STATS_H

#include "names.h"

#include <stdint.h>

/* Latencies by powers of two, eight steps each: a percentile is told to within an eighth. */
enum { STATS_STEPS = 8, STATS_BUCKETS = 40 * STATS_STEPS, STATS_ENDS = 16 };

struct stats {
	uint64_t starts, failed_starts;
	uint64_t pool_hits, pool_misses;
	uint64_t bytes_in, bytes_out;
	uint64_t ends[STATS_ENDS];         /* by enum end_reason */
	struct names_counters network;     /* by names */
	uint64_t latencies[STATS_BUCKETS]; /* of starts that succeeded */
	uint64_t latency_sum;
};

void stats_add_latency(struct stats *stats, uint64_t ns);
/* The latency that `percent` of the starts did not exceed, in ns; 0: there were none. */
uint64_t stats_latency(const struct stats *stats, unsigned percent);

/* The first bucket with latencies of 2^power ns and more. */
unsigned stats_bucket_from(unsigned power);

#endif
