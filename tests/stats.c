/* SPDX-License-Identifier: MIT */
/* Percentiles out of buckets: to within an eighth, over the whole range. */
#include "stats.h"

#include <criterion/criterion.h>

Test(stats, none)
{
	struct stats stats = { 0 };
	cr_expect_eq(stats_latency(&stats, 50), 0);
}

Test(stats, one_value_is_told_to_within_an_eighth)
{
	for (uint64_t ns = 1; ns < UINT64_C(100000000000); ns = ns * 3 / 2 + 1) {
		struct stats stats = { 0 };
		stats_add_latency(&stats, ns);
		uint64_t told = stats_latency(&stats, 50);
		cr_expect(told >= ns && told <= ns + ns / 8, "%llu is told as %llu",
			  (unsigned long long)ns, (unsigned long long)told);
	}
}

Test(stats, percentiles)
{
	struct stats stats = { 0 };
	for (int i = 0; i < 98; i++)
		stats_add_latency(&stats, 1000);
	stats_add_latency(&stats, 1000000);
	stats_add_latency(&stats, 1000000);
	cr_expect_lt(stats_latency(&stats, 50), 1200);
	cr_expect_lt(stats_latency(&stats, 98), 1200);
	cr_expect_geq(stats_latency(&stats, 99), 1000000);
}
