/* SPDX-License-Identifier: MIT */
/* Many sessions: nothing lost, nothing leaked. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

enum { ROUNDS = 1000, IN_FLIGHT = 8, AT_ONCE = 100 };

TestSuite(load, .init = fixture_start, .fini = fixture_stop, .timeout = 200);

static void begin(unsigned round)
{
	session_start(text("r%u", round),
		      text("command printf X%u; exit %u\n", round, round % 256));
}

static void finish(unsigned round)
{
	char *name = text("r%u", round);
	char *output = get(text("%s/output", name), NULL);
	int status = session_exit(name);

	cr_assert_str_eq(output, text("X%u", round));
	cr_assert_eq(status, (int)(round % 256), "round %u: %d", round, status);
	cr_assert_eq(rmdir(at("%s", name)), 0);
}

/* 1,000 times printf and exit; the descriptors of the daemon are as many after as before. */
Test(load, nothing_is_lost_or_leaked)
{
	unsigned before;

	begin(0);
	finish(0);
	fixture_pool_filled();
	before = fixture_descriptors();
	for (unsigned i = 1; i <= ROUNDS + IN_FLIGHT; i++) {
		if (i <= ROUNDS)
			begin(i);
		if (i > IN_FLIGHT)
			finish(i - IN_FLIGHT);
	}
	for (int i = 0; i < 100 && fixture_descriptors() != before; i++)
		pause_ms(10);
	cr_assert_eq(fixture_descriptors(), before, "%u descriptors, %u before",
		     fixture_descriptors(), before);
}

static int one_of_many(const void *number)
{
	begin(*(const unsigned *)number);
	finish(*(const unsigned *)number);
	return 0;
}

Test(load, a_hundred_at_once)
{
	static unsigned numbers[AT_ONCE];
	pid_t clients[AT_ONCE];
	unsigned before;
	int status;

	begin(0);
	finish(0);
	fixture_pool_filled();
	before = fixture_descriptors();
	for (unsigned i = 0; i < AT_ONCE; i++) {
		numbers[i] = i + 1;
		clients[i] = spawn_function(one_of_many, &numbers[i]);
	}
	for (unsigned i = 0; i < AT_ONCE; i++) {
		cr_assert(ended(clients[i], 60000, &status), "client %u", i);
		cr_assert_eq(status, 0, "client %u: %d", i, status);
	}
	for (int i = 0; i < 100 && fixture_descriptors() != before; i++)
		pause_ms(10);
	cr_assert_eq(fixture_descriptors(), before);
}

/* Of several that end, the kernel tells but once. The server is one of the children. */
static bool none_to_wait_for(const void *parent)
{
	pid_t pid = *(const pid_t *)parent;
	char *children = sh(text("cat /proc/%d/task/%d/children", pid, pid));

	cr_assert_str_not_empty(children);
	for (char *child = strtok(children, " \n"); child; child = strtok(NULL, " \n"))
		if (process_state(atoi(child)) == 'Z')
			return false;
	return true;
}

/* A hundred that live at the same time, each with its own answer, and end together. */
Test(load, a_hundred_alive)
{
	for (unsigned i = 0; i < AT_ONCE; i++)
		session_start(text("r%u", i),
			      text("command read x; printf $x-%u; exit %u\n", i, i));
	cr_assert_str_eq(sh("cat $M/*/status | grep -c '^state running$'"), "100\n");
	for (unsigned i = 0; i < AT_ONCE; i++)
		put_all(text("r%u/input", i), text("in%u\n", i));
	for (unsigned i = 0; i < AT_ONCE; i++) {
		char *output = get(text("r%u/output", i), NULL);

		cr_expect_str_eq(output, text("in%u\r\nin%u-%u", i, i, i));
		cr_expect_eq(session_exit(text("r%u", i)), (int)i);
	}
	cr_expect(await(none_to_wait_for, &fixture.daemon, 5000));
}

/* Sessions made and removed in every state, from several clients, leave nothing. */
static int churn(const void *number)
{
	unsigned client = *(const unsigned *)number;

	for (unsigned i = 0; i < 25; i++) {
		char *name = text("c%u-%u", client, i);

		session_make(name);
		if (i % 5 > 0)
			put(text("%s/config", name), "command trap '' TERM; sleep 60\n");
		if (i % 5 > 1)
			put(text("%s/ctl", name), "start\n");
		if (i % 5 > 2)
			put(text("%s/ctl", name), "kill\n");
		if (i % 5 > 3)
			get(text("%s/exit", name), NULL);
		if (rmdir(at("%s", name)))
			return 1;
	}
	return 0;
}

Test(load, churn)
{
	static const unsigned numbers[] = { 0, 1, 2, 3 };
	pid_t clients[4];
	unsigned before;
	int status;

	begin(0);
	finish(0);
	fixture_pool_filled();
	before = fixture_descriptors();
	for (unsigned i = 0; i < 4; i++)
		clients[i] = spawn_function(churn, &numbers[i]);
	for (unsigned i = 0; i < 4; i++) {
		cr_assert(ended(clients[i], 60000, &status));
		cr_assert_eq(status, 0);
	}
	for (int i = 0; i < 500 && fixture_descriptors() != before; i++)
		pause_ms(10);
	cr_assert_eq(fixture_descriptors(), before, "%u descriptors, %u before",
		     fixture_descriptors(), before);
}

TestSuite(bounded, .fini = fixture_stop, .timeout = 60);

Test(bounded, max_sessions)
{
	struct run done;

	fixture_prepare();
	fixture_daemon((const char *const[]){ "--max-sessions", "3", NULL });
	session_make("a");
	session_make("b");
	session_make("c");
	done = run_shell("sh", "mkdir $M/d");
	cr_assert_neq(done.status, 0);
	cr_assert(has(done.err, strerror(EAGAIN)), "%s", done.err);
	cr_assert_eq(rmdir(at("b")), 0);
	session_make("d");
}
