/* SPDX-License-Identifier: MIT */
/* The end of contrib/test: tests/summary.py on logs as meson and Criterion write them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(summary, .timeout = 60);

static char path[] = "/tmp/mimobox-summary.XXXXXX";
static char said[64 * 1024];

static FILE *begin_log(void)
{
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	return fdopen(fd, "w");
}

static void add_test(FILE *log, const char *name, int status, const char *output)
{
	fprintf(log,
		"{\"name\": \"mimobox:system / %s\", \"result\": \"%s\", \"returncode\": %d, "
		"\"stdout\": \"\", \"stderr\": \"%s\"}\n",
		name, status ? "FAIL" : "OK", status, output);
}

/* Closes the log, runs the script on it and gives its status; `said` is what it printed. */
static int summary(FILE *log, const char *failed)
{
	char command[512];
	FILE *pipe;
	size_t length;

	cr_assert(!fclose(log));
	snprintf(command, sizeof(command), "python3 '%s'/tests/summary.py %s %s", getenv("SOURCE"),
		 failed, path);
	pipe = popen(command, "r");
	length = fread(said, 1, sizeof(said) - 1, pipe);
	said[length] = '\0';
	unlink(path);
	return pclose(pipe);
}

#define CLOSING(passing, failing)                                                                \
	"[====] Synthesis: Tested: 9 | Passing: " passing " | Failing: " failing " | Crashing: " \
	"0\\n"

Test(summary, names_no_failure_where_there_is_none)
{
	FILE *log = begin_log();

	add_test(log, "one", 0, CLOSING("9", "0"));
	cr_expect_eq(summary(log, "0"), 0, "%s", said);
	cr_expect_not(strstr(said, "what failed"), "%s", said);
	cr_expect(strstr(said, "| system / one\n9 passed, 0 failed\n"), "%s", said);
}

Test(summary, tells_each_failed_test_with_its_assertions)
{
	FILE *log = begin_log();

	add_test(log, "one", 1,
		 "[----] ../../tests/system_one.c:12: Assertion Failed\\n[----]   \\n"
		 "[----]   no daemon\\n[----]   in sight\\n[----]   \\n"
		 "[----] ../../tests/system_one.c:13: Assertion Failed\\n[----]   second\\n"
		 "[FAIL] one::begins: (0.10s)\\n"
		 "[----] one.c:6: Unexpected signal caught below this line!\\n"
		 "[FAIL] one::crashes: CRASH!\\n[FAIL] one::hangs: Timed out. (1.0s)\\n" CLOSING(
			 "6", "3"));
	add_test(log, "two", 1, "READY\\nhalf a word");
	cr_expect_neq(summary(log, "1"), 0);
	cr_expect(strstr(said, "== what failed\n"
			       "system / one: FAIL\n"
			       "  one::begins: system_one.c:12: no daemon in sight\n"
			       "    system_one.c:13: second\n"
			       "  one::crashes (CRASH!): one.c:6: Unexpected signal"),
		  "%s", said);
	cr_expect(strstr(said, "  one::hangs (Timed out)\n"
			       "system / two: FAIL, after\n    READY\n    half a word\n"
			       "6 passed, 5 failed\n"),
		  "%s", said);
}

Test(summary, is_bounded)
{
	static char output[1 << 16];
	FILE *log = begin_log();
	unsigned lines = 0;
	char name[8];

	for (unsigned i = 0; i < 40; i++)
		sprintf(output + strlen(output),
			"[----] a.c:%u: Assertion Failed\\n[----]   %0800u\\n[FAIL] a::b%u: "
			"(0s)\\n",
			i, i, i);
	strcat(output, CLOSING("0", "40"));
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		add_test(log, name, 1, output);
	}
	cr_expect_neq(summary(log, "0"), 0);
	cr_assert(strstr(said, "== what failed\n"), "%s", said);
	for (char *line = strtok(strstr(said, "== what"), "\n"); line; line = strtok(NULL, "\n")) {
		cr_expect(strlen(line) <= 300, "%s", line);
		lines++;
	}
	cr_expect_eq(lines, 62, "%u lines", lines);
}
