/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pace.h"

Test(factor, takes_whole_and_decimal_numbers, .timeout = 20)
{
	static const struct {
		const char *text;
		unsigned factor;
	} cases[] = { { "1", 1 },   { "5", 5 },    { "1.0", 1 },     { "1.1", 2 },
		      { "2.5", 3 }, { "12.", 12 }, { "1000", 1000 }, { "999.5", 1000 } };
	unsigned factor;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		factor = 0;
		cr_expect(pace_parse(cases[i].text, &factor), "%s", cases[i].text);
		cr_expect_eq(factor, cases[i].factor, "%s: %u", cases[i].text, factor);
	}
}

Test(factor, refuses_what_is_less_than_one_or_no_number, .timeout = 20)
{
	static const char *const texts[] = { "",    "0",  "0.9", "-1",  "+2",  " 2",   "2 ",
					     "two", "2x", "nan", "inf", "1e9", "1001", "1,5" };
	unsigned factor = 7;

	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cr_expect_not(pace_parse(texts[i], &factor), "'%s'", texts[i]);
	cr_expect_eq(factor, 7);
}

Test(factor, is_that_of_the_slowest_part, .timeout = 20)
{
	const struct pace nothing = { 0 }, quick = { 600, 12, 100000 };
	struct pace pace = quick;

	cr_expect_eq(pace_factor(&nothing), 1);
	cr_expect_eq(pace_factor(&quick), 1);
	pace.spawn = 3000;
	cr_expect_eq(pace_factor(&pace), 5);
	pace.exchange = 12 * 6.5;
	cr_expect_eq(pace_factor(&pace), 7);
	pace.work = 800000;
	cr_expect_eq(pace_factor(&pace), 8);
	pace.work = 1e12;
	cr_expect_eq(pace_factor(&pace), PACE_FACTOR_MAX);
}

static double cpu_us(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

/* One processor for this process and its children, whichever it has now. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET((unsigned)sched_getcpu(), &here);
	cr_assert_eq(sched_setaffinity(0, sizeof(here), &here), 0);
}

/* Compared with the time of the processor that it took, in the same run: no machine's speed counts.
 */
Test(factor, tells_of_load, .timeout = 60)
{
	pid_t loops[4];
	double used, took;

	stay_here();
	for (int i = 0; i < 4; i++) {
		loops[i] = fork();
		if (loops[i] == 0) {
			alarm(600);
			for (;;)
				__asm__ volatile("");
		}
	}
	used = cpu_us();
	took = pace_work();
	used = cpu_us() - used;
	for (int i = 0; i < 4; i++) {
		kill(loops[i], SIGKILL);
		waitpid(loops[i], NULL, 0);
	}
	cr_expect_gt(took, 2 * used, "%.0f us of work took %.0f us", used, took);
}

Test(factor, is_measured, .timeout = 60)
{
	struct pace pace = { 0 };

	cr_assert_eq(pace_measure(&pace), 0);
	cr_expect(pace.spawn > 0 && pace.exchange > 0 && pace.work > 0);
	cr_expect_geq(pace_factor(&pace), 1);
}

Test(factor, scales_every_bound_of_this_run, .timeout = 20)
{
	const char *given = getenv(PACE_VARIABLE);
	unsigned expected = 0;
	double timeout;

	cr_assert(given != NULL, "the runner has not set it");
	cr_assert(pace_parse(given, &expected));
	cr_expect_eq(factor(), expected);
	cr_expect_eq(scaled(20), 20 * expected);
	/* Criterion has it at an address that is not aligned */
	memcpy(&timeout,
	       (const char *)criterion_current_test->data +
		       offsetof(struct criterion_test_extra_data, timeout),
	       sizeof(timeout));
	cr_expect_eq(timeout, 20.0 * expected, "%g", timeout);
}
