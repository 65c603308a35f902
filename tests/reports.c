/* SPDX-License-Identifier: MIT */
/*
 * Linked to each runner. Each test is a process, and Criterion takes it as passed or failed when
 * the test proper has returned: what its .fini finds, and what LeakSanitizer finds at the end of
 * the process, would be printed, and change nothing. So both go to files in a directory, and each
 * file counts as a failure.
 */
#include "reports.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/internal/ordered-set.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pace.h"

static char directory[] = "/tmp/mimobox-report.XXXXXX";

/* Criterion's own bounds are constants; a suite's is that of each test which has none. */
static void scale_timeouts(const struct criterion_test_set *tests)
{
	FOREACH_SET(struct criterion_suite_set * suite, tests->suites)
	{
		if (suite->suite.data)
			suite->suite.data->timeout *= factor();
		FOREACH_SET(struct criterion_test * test, suite->tests)
		test->data->timeout *= factor();
	}
}

/* For the scripts that tests run, which find a whole number. */
static void settle_factor(void)
{
	const char *given = getenv(PACE_VARIABLE);
	unsigned whole = 1;
	char text[16];

	if (given && !pace_parse(given, &whole)) {
		fprintf(stderr, "%s: '%s' is no number from 1 to %d\n", PACE_VARIABLE, given,
			PACE_FACTOR_MAX);
		exit(2);
	}
	snprintf(text, sizeof(text), "%u", whole);
	setenv(PACE_VARIABLE, text, 1);
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
	char option[128];

	settle_factor();
	scale_timeouts(tests);
	if (!mkdtemp(directory))
		abort();
	setenv("MIMOBOX_REPORTS", directory, 1);
	snprintf(option, sizeof(option), "log_path=%s/sanitizer", directory);
	setenv("ASAN_OPTIONS", option, 1);
	snprintf(option, sizeof(option), "halt_on_error=1:log_path=%s/sanitizer", directory);
	setenv("UBSAN_OPTIONS", option, 1);
}

void report_failure(const char *format, ...)
{
	static unsigned count;
	char path[512];
	va_list arguments;
	FILE *report;

	snprintf(path, sizeof(path), "%s/failure.%d.%u", getenv("MIMOBOX_REPORTS"), getpid(),
		 count++);
	report = fopen(path, "we");
	cr_assert(report != NULL);
	fprintf(report, "%s::%s: ", criterion_current_test->category, criterion_current_test->name);
	va_start(arguments, format);
	vfprintf(report, format, arguments);
	va_end(arguments);
	fputc('\n', report);
	fclose(report);
}

static void print_and_remove(const char *path)
{
	FILE *report = fopen(path, "re");
	char line[1024];

	while (report && fgets(line, sizeof(line), report))
		fputs(line, stderr);
	if (report)
		fclose(report);
	unlink(path);
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
	DIR *listing = opendir(directory);
	struct dirent *entry;
	char path[512];

	while (listing && (entry = readdir(listing))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		print_and_remove(path);
		stats->tests_failed++;
	}
	if (listing)
		closedir(listing);
	rmdir(directory);
}
