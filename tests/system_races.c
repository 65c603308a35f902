/* SPDX-License-Identifier: MIT */
/*
 * What comes at the same time, or in the middle of something: starts against starts, kills against
 * starts, interrupts against answers, noise against everything.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

TestSuite(races, .init = fixture_start, .fini = fixture_stop, .timeout = 120);

static int start(const void *name)
{
	return (int)-put(text("%s/ctl", (const char *)name), "start\n");
}

Test(races, one_start_wins)
{
	for (unsigned round = 0; round < 10; round++) {
		char *name = text("s%u", round);
		pid_t clients[8];
		unsigned won = 0;

		session_make(name);
		put_all(text("%s/config", name), "command read x; exit 7\n");
		for (unsigned i = 0; i < 8; i++)
			clients[i] = spawn_function(start, name);
		for (unsigned i = 0; i < 8; i++) {
			int status;

			cr_assert(ended(clients[i], 10000, &status));
			if (status == ((int)-strlen("start\n") & 0xff))
				won++;
			else
				cr_assert_eq(status, EBUSY, "%d", status);
		}
		cr_assert_eq(won, 1, "%u", won);
		put_all(text("%s/input", name), "\n");
		cr_assert_eq(session_exit(name), 7);
	}
}

static int type(const void *letter)
{
	return put("a/input", text("%c\n", *(const char *)letter)) != 2;
}

/* Each of the first writes starts the session, and none is lost. */
Test(races, first_inputs)
{
	pid_t clients[8];
	char *output;
	int status;

	session_make("a");
	put_all("a/config", "command stty -echo; head -n 8 | sort\n");
	for (unsigned i = 0; i < 8; i++)
		clients[i] = spawn_function(type, &"ABCDEFGH"[i]);
	for (unsigned i = 0; i < 8; i++) {
		cr_assert(ended(clients[i], 10000, &status));
		cr_assert_eq(status, 0);
	}
	output = plain(get("a/output", NULL));
	cr_assert(has(output, "A\nB\nC\nD\nE\nF\nG\nH\n"), "%s", output);
}

/* A client that is killed while its start is under way leaves a session that works. */
Test(races, starters_are_killed)
{
	for (unsigned round = 0; round < 40; round++) {
		char *name = text("s%u", round);
		pid_t client;
		ssize_t again;

		session_make(name);
		put_all(text("%s/config", name), "command exit 7\n");
		client = spawn_function(start, name);
		usleep(round * 300);
		kill(client, SIGKILL);
		cr_assert(ended(client, 5000, NULL));
		again = put(text("%s/ctl", name), "start\n");
		cr_assert(again == 6 || again == -EBUSY, "%zd", again);
		cr_assert_eq(session_exit(name), 7);
	}
}

Test(races, kill_and_rmdir_during_the_start)
{
	char *sleeper = text("%u", marker());

	for (unsigned round = 0; round < 40; round++) {
		char *name = text("s%u", round);
		pid_t client;

		session_make(name);
		put_all(text("%s/config", name),
			text("command trap '' TERM HUP; setsid sleep %s & sleep %s\n", sleeper,
			     sleeper));
		client = spawn_function(start, name);
		usleep(round * 300);
		if (round % 2)
			put(text("%s/ctl", name), "kill\n");
		cr_assert_eq(rmdir(at("%s", name)), 0, "%s", strerror(errno));
		cr_assert(ended(client, 5000, NULL));
	}
	cr_assert(await(none_with, sleeper, 5000), "%u processes left", processes_with(sleeper));
	cr_assert_str_eq(session_names(), "");
}

/* An interrupted read has read nothing: what it would have got comes with the next one. */
static volatile sig_atomic_t alarms;

static void count_alarm(int signal)
{
	(void)signal;
	alarms++;
}

Test(races, interrupted_reads_lose_nothing)
{
	struct sigaction action = { .sa_handler = count_alarm };
	struct itimerval often = { { 0, 700 }, { 0, 700 } };
	char data[500], *whole = NULL;
	size_t size = 0;
	unsigned interrupted = 0;
	ssize_t count;
	int fd;

	session_start("a", "command stty -opost; for i in $(seq 2000); do echo line $i; "
			   "test $((i % 10)) = 0 && sleep 0.001; done; exit 3\n");
	fd = open(at("a/output"), O_RDONLY | O_CLOEXEC);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while ((count = read(fd, data, sizeof(data))) != 0) {
		if (count < 0) {
			cr_assert_eq(errno, EINTR, "%s", strerror(errno));
			interrupted++;
			continue;
		}
		whole = realloc(whole, size + (size_t)count + 1);
		memcpy(whole + size, data, (size_t)count);
		size += (size_t)count;
		whole[size] = '\0';
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	close(fd);
	cr_assert(whole != NULL);
	keep(whole);
	cr_assert_str_eq(whole, sh("for i in $(seq 2000); do echo line $i; done"));
	cr_assert_gt(interrupted, 10, "%u", interrupted);
}

/* Bytes without sense, to every file that can be written. */
Test(races, noise)
{
	static const char *const files[] = { "config", "ctl", "size", "input" };
	static const char *const words[] = {
		"memory", "start", "argv", "[\"",      "\n",  " ",       "env", "A=",    "0",
		"99999",  "-1",    "K",    "\"]",      "cwd", "/",       "#",   "reset", "\xff",
		"signal", "kill",  "INT",  "command ", "x",   "timeout", "ms",
	};
	char *noise = keep(malloc(70001));
	int status;

	srandom(7);
	for (unsigned round = 0; round < 600; round++) {
		const char *file = files[(unsigned)random() % 4];
		size_t size = 0;

		if (round % 100 == 0)
			session_make(text("s%u", round / 100));
		if (round % 50 == 49) {
			size = 70000;
			memset(noise, 'a' + (int)round % 26, size);
		}
		for (unsigned i = (unsigned)random() % 12; size < 70000 && i > 0; i--)
			size += (size_t)sprintf(
				noise + size, "%s",
				words[(unsigned)random() % (sizeof(words) / sizeof(*words))]);
		noise[size] = '\0';
		/* zeros too */
		if (round % 7 == 0 && size > 2)
			noise[size / 2] = '\0';
		put_bytes(text("s%u/%s", round / 100, file), noise, size, O_TRUNC | O_NONBLOCK);
	}
	for (unsigned i = 0; i < 6; i++) {
		get(text("s%u/config", i), NULL);
		get(text("s%u/log", i), NULL);
		get(text("s%u/status", i), NULL);
		cr_assert_eq(rmdir(at("s%u", i)), 0);
	}
	session_run("a", "command exit 7\n", &status);
	cr_assert_eq(status, 7);
}

static bool has_dropped(const void *status)
{
	return strtoul(get_value(status, "output-start"), NULL, 10) > 0;
}

/* A flood of output, with somebody who reads it, holds nobody up. */
Test(races, flood)
{
	pid_t reader;
	int status;

	session_start("flood", "retain 1M\ncommand exec yes\n");
	reader = spawn((const char *const[]){ "cat", at("flood/output"), NULL });
	for (unsigned i = 0; i < 10; i++) {
		session_run(text("s%u", i), "command exit 7\n", &status);
		cr_assert_eq(status, 7);
		get("flood/status", NULL);
	}
	cr_assert(await(has_dropped, "flood/status", 20000));
	put_all("flood/ctl", "kill\n");
	cr_assert_lt(session_exit("flood"), 0);
	cr_assert(ended(reader, 5000, &status));
	cr_assert_eq(status, 0);
}

/* From outside, past all files: the command, and the sandbox's first process. */
Test(races, processes_are_killed_from_outside)
{
	for (unsigned i = 0; i < 2; i++) {
		char *sleeper = text("%u", marker());
		char *name = text("s%u", i);
		struct stream output;

		session_start(name, text("command setsid sleep %s & echo READY; sleep %s\n",
					 sleeper, sleeper));
		stream_open(&output, text("%s/output", name));
		stream_until(&output, "READY");
		stream_close(&output);
		kill(i ? session_init(name) : session_pid(name), SIGKILL);
		cr_assert_eq(session_exit(name), -SIGKILL);
		cr_assert(none_with(sleeper));
	}
}

TestSuite(crash, .init = fixture_prepare, .fini = fixture_stop, .timeout = 120);

/* For await(): what was left is reaped, and the guardian alone is there. */
static bool none_remain(const void *unused)
{
	pid_t pids[64];
	unsigned count = children(pids, 64);

	(void)unused;
	for (unsigned i = 0; i < count && i < 64; i++)
		if (process_state(pids[i]) == 'Z' && !was_spawned(pids[i]))
			waitpid(pids[i], NULL, 0);
	return children(NULL, 0) == 1;
}

/* The daemon dies in the middle of starts. */
Test(crash, during_starts)
{
	fixture.crashed = true;
	for (unsigned round = 0; round < 8; round++) {
		char *sleeper = text("%u", marker());
		pid_t clients[8];

		fixture_daemon(NULL);
		for (unsigned i = 0; i < 8; i++) {
			session_make(text("s%u", i));
			put_all(text("s%u/config", i),
				text("command trap '' TERM HUP; setsid sleep %s & sleep %s\n",
				     sleeper, sleeper));
		}
		for (unsigned i = 0; i < 8; i++)
			clients[i] = spawn_function(start, text("s%u", i));
		usleep(round * 2000);
		kill(fixture.daemon, SIGKILL);
		cr_assert(ended(fixture.daemon, 5000, NULL));
		for (unsigned i = 0; i < 8; i++)
			cr_assert(ended(clients[i], 5000, NULL), "client %u: state %c", i,
				  process_state(clients[i]));
		cr_assert(await(none_with, sleeper, 5000), "%u processes live on",
			  processes_with(sleeper));
		cr_assert(await(none_remain, NULL, 5000), "%u children left", children(NULL, 0));
	}
	fixture_daemon(NULL);
}
