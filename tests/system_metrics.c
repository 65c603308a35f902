/* SPDX-License-Identifier: MIT */
/*
 * `metrics`: what the parsers of others make of it, whose sessions it tells of, and that it is as
 * large with many sessions as with few.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

enum { MANY = 1000, ANN = 23451 };

/* As root: a daemon that serves every user, with the options. */
static void start_with(const char *option)
{
	fixture_prepare();
	chmod(fixture.dir, 0755);
	fixture_daemon((const char *const[]){ option, NULL });
}

static void start(void)
{
	start_with(NULL);
}

static void start_with_sessions(void)
{
	start_with("--metrics-sessions");
}

TestSuite(metrics, .init = start, .fini = fixture_stop, .timeout = 120);
TestSuite(metrics_sessions, .init = start_with_sessions, .fini = fixture_stop, .timeout = 120);

/* Runs it to its end. */
static void ran(const char *name, const char *config)
{
	int status;

	(void)session_run(name, config, &status);
}

/* The value of a sample, with its labels; NULL: there is none. */
static char *sample(const char *metrics, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = metrics; line && *line;) {
		if (!strncmp(line, name, length) && line[length] == ' ')
			return text("%.*s", (int)strcspn(line + length + 1, "\n"),
				    line + length + 1);
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return NULL;
}

static void is(const char *name, const char *value)
{
	char *metrics = get("metrics", NULL), *found = sample(metrics, name);

	cr_assert(found != NULL, "%s is not in\n%s", name, metrics);
	cr_expect_str_eq(found, value, "%s: %s", name, found);
}

/* Both formats, by the programs that others read them with. */
static void parses(void)
{
	struct run lint = run_shell("sh", "promtool check metrics < $M/metrics");
	struct run read = run_shell(
		"sh", "/usr/bin/python3 -c 'import sys\n"
		      "from prometheus_client.openmetrics.parser import *\n"
		      "for family in text_string_to_metric_families(sys.stdin.read()):\n"
		      "    print(family.name, family.type, len(family.samples))' < $M/metrics");

	cr_assert_eq(lint.status, 0, "%d: %s%s", lint.status, lint.out, lint.err);
	cr_assert_eq(lint.out_size + lint.err_size, 0, "%s%s", lint.out, lint.err);
	cr_assert_eq(read.status, 0, "%s", read.err);
	cr_assert(has(read.out, "mimobox_sessions gauge 5\n"), "%s", read.out);
	cr_assert(has(read.out, "mimobox_start_duration_seconds histogram "), "%s", read.out);
	cr_assert(has(read.out, "mimobox_failed_starts_total unknown 1\n"), "%s", read.out);
}

Test(metrics, are_read_by_others)
{
	struct run broken = run_shell("sh", "echo 'x{ 1' | promtool check metrics");

	cr_assert_neq(broken.status, 0, "promtool takes anything");
	parses();
	ran("a", "command echo hello\n");
	session_start("b", "command read x\n");
	parses();
}

Test(metrics, count)
{
	int status;

	is("mimobox_sessions{state=\"created\"}", "0");
	is("mimobox_start_duration_seconds_count", "0");
	cr_assert_str_eq(session_run("a", "command printf 12345; exit 3\n", &status), "12345");
	cr_assert_eq(status, 3);
	session_make("b");
	session_start("c", "command echo x; read x\n");
	ran("t", "command sleep 1000\ntimeout 50ms\n");
	is("mimobox_sessions{state=\"created\"}", "1");
	is("mimobox_sessions{state=\"running\"}", "1");
	is("mimobox_sessions{state=\"exited\"}", "2");
	is("mimobox_start_duration_seconds_count", "3");
	is("mimobox_start_duration_seconds_bucket{le=\"+Inf\"}", "3");
	is("mimobox_ends_total{reason=\"exit\"}", "1");
	is("mimobox_ends_total{reason=\"timeout\"}", "1");
	is("mimobox_failed_starts_total", "0");
	cr_assert_geq(atoi(sample(get("metrics", NULL), "mimobox_output_kept_bytes")), 5);
	cr_assert_gt(
		strtod(sample(get("metrics", NULL), "mimobox_start_duration_seconds_sum"), NULL),
		0);
	sh("rmdir $M/*/");
	is("mimobox_sessions{state=\"exited\"}", "0");
	is("mimobox_ends_total{reason=\"exit\"}", "1");
}

static bool is_another(const void *before)
{
	pid_t now = fixture_server();

	return now && now != *(const pid_t *)before;
}

Test(metrics, outlive_the_server)
{
	pid_t server = fixture_server();
	char *sum;

	ran("a", "command exit 3\n");
	sum = sample(get("metrics", NULL), "mimobox_start_duration_seconds_sum");
	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert(await(is_another, &server, 10000));
	is("mimobox_ends_total{reason=\"exit\"}", "1");
	is("mimobox_start_duration_seconds_count", "1");
	is("mimobox_start_duration_seconds_sum", sum);
}

/* The numbers of its samples may be longer; nothing is added. */
Test(metrics, a_thousand_sessions_make_it_no_larger)
{
	char *before = get("metrics", NULL), *after;
	const char *names = "sed 's/ [0-9.]*$//' $M/metrics > ";

	sh(text("%s $M/../before", names));
	sh(text("cd $M; mkdir $(seq -f s%%g %d)", MANY));
	after = get("metrics", NULL);
	cr_assert_str_eq(sample(after, "mimobox_sessions{state=\"created\"}"), "1000");
	sh(text("%s $M/../after; cmp $M/../before $M/../after", names));
	cr_assert_lt(strlen(after), strlen(before) + 100);
	cr_assert(!has(after, "session=\""));
}

static char *as_ann(const char *script)
{
	struct run done =
		run((const char *const[]){ "setpriv", "--reuid", "23451", "--regid", "23451",
					   "--clear-groups", "sh", "-c", script, NULL });

	cr_assert_eq(done.status, 0, "%s: %s%s", script, done.out, done.err);
	return done.out;
}

/* What `stats` lets a user see: how many sessions they have, in which state. */
Test(metrics, are_of_ones_own)
{
	char *anns;

	ran("roots", "command echo hello\n");
	as_ann("mkdir $M/anns");
	anns = as_ann("cat $M/metrics");
	cr_expect_str_eq(sample(anns, "mimobox_sessions{state=\"created\"}"), "1");
	cr_expect_str_eq(sample(anns, "mimobox_sessions{state=\"exited\"}"), "0");
	cr_expect_str_eq(sample(anns, "mimobox_output_kept_bytes"), "0");
	cr_expect(!has(anns, "mimobox_start"), "%s", anns);
	cr_expect(!has(anns, "spool"), "%s", anns);
	is("mimobox_sessions{state=\"created\"}", "1");
	is("mimobox_sessions{state=\"exited\"}", "1");
	cr_expect_str_eq(as_ann("tail -n 1 $M/metrics"), "# EOF\n");
}

Test(metrics_sessions, are_told_one_by_one)
{
	char *anns;

	parses();
	ran("roots", "command printf 12345\nterminal no\n");
	session_start("runs", "command read x\n");
	as_ann("mkdir $M/anns");
	is("mimobox_session_running{session=\"roots\"}", "0");
	is("mimobox_session_running{session=\"runs\"}", "1");
	is("mimobox_session_output_bytes_total{session=\"roots\"}", "5");
	is("mimobox_session_running{session=\"anns\"}", "0");
	parses();
	anns = as_ann("cat $M/metrics");
	cr_expect(has(anns, "{session=\"anns\"}"), "%s", anns);
	cr_expect(!has(anns, "\"roots\"") && !has(anns, "\"runs\""), "%s", anns);
}
