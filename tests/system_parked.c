/* SPDX-License-Identifier: MIT */
/* Readers that wait: they hold nobody up, and they go when they are told to. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

enum { READERS = 100 };

TestSuite(parked, .init = fixture_start, .fini = fixture_stop, .timeout = 90);

/* Half of them at the output, half at the exit: cat, as a user has it. */
static void park(pid_t readers[READERS])
{
	session_start("a", "command read x; echo the rest; exit 3\n");
	for (unsigned i = 0; i < READERS; i++)
		readers[i] = spawn((const char *const[]){
			"sh", "-c",
			text("exec cat $M/a/%s > $M/../read.%u", i % 2 ? "exit" : "output", i),
			NULL });
	for (unsigned i = 0; i < READERS; i++)
		cr_assert(await(process_reads, &readers[i], 10000), "reader %u", i);
}

static void assert_answered(void)
{
	struct stat st;

	for (unsigned i = 0; i < 10; i++)
		cr_assert_eq(stat(at("a/%s", i % 2 ? "output" : "exit"), &st), 0);
	get("a/status", NULL);
}

Test(parked, readers_hold_nobody_up)
{
	pid_t readers[READERS];
	int status;

	park(readers);
	assert_answered();
	session_run("b", "command exit 5\n", &status); /* other sessions go on */
	cr_assert_eq(status, 5);
	for (unsigned i = 0; i < READERS; i++) /* all the while */
		cr_assert(process_reads(&readers[i]), "reader %u", i);
	put_all("a/input", "\n");
	for (unsigned i = 0; i < READERS; i++) {
		cr_assert(ended(readers[i], 5000, &status), "reader %u", i);
		cr_assert_eq(status, 0);
	}
	for (unsigned i = 0; i < READERS; i++)
		cr_assert_str_eq(sh(text("cat $M/../read.%u", i)),
				 i % 2 ? "3\n" : "\r\nthe rest\r\n");
}

static void ended_by_signal(int signal)
{
	pid_t readers[READERS];
	int status;

	park(readers);
	for (unsigned i = 0; i < READERS; i++)
		kill(readers[i], signal);
	for (unsigned i = 0; i < READERS; i++) {
		cr_assert(ended(readers[i], 3000, &status), "reader %u: state %c", i,
			  process_state(readers[i]));
		cr_assert_eq(status, -signal, "%d", status);
	}
	assert_answered();
	put_all("a/input", "\n");
	cr_assert_eq(session_exit("a"), 3);
}

Test(parked, sigint_ends_readers_at_once)
{
	ended_by_signal(SIGINT);
}

Test(parked, sigkill_ends_readers_at_once)
{
	ended_by_signal(SIGKILL);
}

Test(parked, rmdir_gives_readers_the_rest)
{
	pid_t readers[READERS];
	int status;

	park(readers);
	cr_assert_eq(rmdir(at("a")), 0);
	for (unsigned i = 0; i < READERS; i++) {
		cr_assert(ended(readers[i], 5000, &status), "reader %u", i);
		cr_assert_eq(status, 0, "reader %u: %d", i, status);
	}
	cr_assert_str_eq(sh("cat $M/../read.1"), text("%d\n", -SIGTERM));
}

/* Nothing has run, so there is no exit: but readers are not left waiting. */
Test(parked, rmdir_of_a_session_never_started)
{
	pid_t output, ending;
	int status;

	session_make("a");
	output = spawn((const char *const[]){ "cat", at("a/output"), NULL });
	ending = spawn((const char *const[]){ "cat", at("a/exit"), NULL });
	cr_assert(await(process_reads, &output, 5000) && await(process_reads, &ending, 5000));
	cr_assert_eq(rmdir(at("a")), 0);
	cr_assert(ended(output, 3000, &status));
	cr_assert_eq(status, 0);
	cr_assert(ended(ending, 3000, &status));
}

/* Readers that come before the start see all of it. */
Test(parked, readers_before_the_start)
{
	pid_t reader;
	int status;

	session_make("a");
	reader = spawn((const char *const[]){
		"sh", "-c", "exec cat $M/a/output $M/a/exit > $M/../read", NULL });
	cr_assert(await(process_reads, &reader, 5000));
	put_all("a/config", "command echo seen; exit 6\n");
	put_all("a/ctl", "start\n");
	cr_assert(ended(reader, 5000, &status));
	cr_assert_str_eq(sh("cat $M/../read"), "seen\r\n6\n");
}
