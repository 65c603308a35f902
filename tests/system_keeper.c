/* SPDX-License-Identifier: MIT */
/*
 * What a keeper is for, one thing at a time: the server is killed at a known moment, or something
 * beside it is, and all goes on; or the keeper is killed, and nothing is left.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "crew.h"
#include "fixture.h"
#include "outside.h"

enum { GONE_MS = 20000, ROUNDS = 12 };

static pid_t server, unmounter;

static bool is_there(const void *unused)
{
	(void)unused;
	server = fixture_server();
	return server != 0 && process_state(server) != 'Z';
}

static bool is_another(const void *before)
{
	return is_there(NULL) && server != *(const pid_t *)before;
}

static void find_server(void)
{
	cr_assert(await(is_there, NULL, GONE_MS), "there is no server");
}

static void kill_server(void)
{
	find_server();
	pid_t before = server;

	cr_assert_eq(kill(before, SIGKILL), 0);
	cr_assert(await(is_another, &before, GONE_MS), "there is no other server");
}

static void pause_up_to(unsigned milliseconds)
{
	unsigned number = 0;

	cr_assert_eq(getrandom(&number, sizeof(number), 0), (ssize_t)sizeof(number));
	pause_ms(number % milliseconds);
}

static void serve(const char *option, const char *value)
{
	fixture_daemon((const char *const[]){ option, value, NULL });
}

static void start(void)
{
	fixture_prepare();
	serve(NULL, NULL);
}

TestSuite(keeper, .init = start, .fini = fixture_stop, .timeout = 200);
TestSuite(keeper_of, .init = fixture_prepare, .fini = fixture_stop, .timeout = 200);

/* What is open */

/* The one ESTALE there may be: told of by poll(2) or not, it comes once, and then what is kept. */
Test(keeper, estale_comes_once)
{
	for (unsigned polls = 0; polls < 2; polls++) {
		int reader;
		char *all, data[4096];
		size_t size = 0, kept;
		ssize_t got = 0;

		session_start("a", "terminal no\nretain 64K\noverflow drop\ncommand printf begin; "
				   "read x; seq 1 100000; read x; seq 1 3\n");
		reader = open(at("a/output"), O_RDONLY | O_CLOEXEC);
		cr_assert(reader >= 0);
		cr_assert_eq(read(reader, data, 5), 5);
		put_all("a/input", "\n");
		get("a/wait/match@0:100000", NULL);
		if (polls)
			cr_assert(poll_one(reader, POLLIN, GONE_MS));
		kill_server();
		cr_assert_eq(read(reader, data, sizeof(data)), -1);
		cr_assert_eq(errno, ESTALE, "%s", strerror(errno));
		kill_server();
		get("a/transcript", &kept);
		all = keep(malloc(kept + 1024));
		/* It goes on at the oldest byte. */
		while (size < kept && (got = read(reader, all + size, kept - size)) > 0)
			size += (size_t)got;
		cr_assert_eq(size, kept, "%zu of %zu: %s", size, kept, strerror(errno));
		put_all("a/input", "\n");
		cr_assert_eq(session_exit("a"), 0);
		while ((got = read(reader, all + size, kept + 1024 - size)) > 0)
			size += (size_t)got;
		cr_assert_eq(got, 0, "%s", strerror(errno));
		cr_assert_eq(strncmp(all + size - 13, "100000\n1\n2\n3\n", 13), 0);
		close(reader);
		cr_assert_eq(rmdir(at("a")), 0);
	}
}

/* Half of each of them is read before, and half after. */
Test(keeper, texts_are_of_one_moment)
{
	static const char *const files[] = { "cast", "screen", "transcript", "status", "log" };
	enum { FILES = sizeof(files) / sizeof(*files), HALF = 40 };
	char *expected[FILES], both[65536], *screen, *cast;
	int fds[FILES];

	session_start("a", "command stty -echo; printf '\\033[31mred\\n'; seq 1 30; echo ready; "
			   "read x; echo more\n");
	get("a/wait/match@0:ready[^a-z]", NULL);
	for (unsigned i = 0; i < FILES; i++) {
		expected[i] = i == 3 ? NULL : get(text("a/%s", files[i]), NULL);
		fds[i] = open(at("a/%s", files[i]), O_RDONLY | O_CLOEXEC);
		cr_assert(fds[i] >= 0);
		cr_assert_eq(read(fds[i], both, HALF), HALF);
		cr_assert(!expected[i] || memcmp(both, expected[i], HALF) == 0, "%s", files[i]);
	}
	screen = expected[1];
	kill_server();
	for (unsigned i = 0; i < FILES; i++) {
		size_t size = 0;
		ssize_t got;

		while ((got = read(fds[i], both + size, sizeof(both) - 1 - size)) > 0)
			size += (size_t)got;
		cr_assert_eq(got, 0);
		both[size] = '\0';
		if (expected[i])
			cr_assert_str_eq(both, expected[i] + HALF, "%s", files[i]);
		else
			cr_assert(has(both, "\nseccomp "), "%s", both);
		close(fds[i]);
	}
	cr_assert_str_eq(get("a/screen", NULL), screen);
	put_all("a/input", "\n");
	cr_assert_eq(session_exit("a"), 0);
	cr_assert(has(get("a/screen", NULL), "more"));
	/* A recording that was read in part is the beginning of the whole. */
	cast = get("a/cast", NULL);
	cr_assert_eq(strncmp(cast, expected[0], strlen(expected[0])), 0);
	cr_assert_eq(rmdir(at("a")), 0);
}

/* Who else is killed */

/* Whatever helps the server ends with it, and another comes with the next. */
Test(keeper, with_each_helper)
{
	static const char *const names[] = { "mimobox-forker",    "mimobox-spawner",
					     "mimobox-sweeper",   "mimobox-remover",
					     "mimobox-unmounter", "mimobox-changer" };

	counter_start("a");
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		for (unsigned j = 0; j < 2; j++) {
			find_server();
			pid_t before = server,
			      helper = fixture_child(i == 4 ? before : fixture.daemon, names[i]);
			int status;

			cr_assert_neq(helper, 0, "%s", names[i]);
			/* The unmounter is nobody's to end but its own. */
			cr_assert_eq(kill(helper, j || i == 4 ? SIGKILL : SIGSTOP), 0);
			cr_assert_eq(kill(before, SIGKILL), 0);
			cr_assert(await(is_another, &before, GONE_MS));
			cr_assert(await(process_gone, &helper, GONE_MS), "%s is left", names[i]);
			counter_counts("a", 2 * i + j + 1);
			session_run("b", "command mkdir /workspace/d; touch /workspace/d/f; exit 4",
				    &status);
			cr_assert_eq(status, 4);
			cr_assert_eq(rmdir(at("b")), 0);
		}
	counter_end("a");
}

static int descriptors_of(pid_t pid)
{
	return atoi(sh(text("ls /proc/%d/fd | wc -l", pid)));
}

/* The server runs out of them first, and then refuses what is new; the keeper would lose all. */
Test(keeper, has_no_more_descriptors_than_the_server)
{
	enum { SESSIONS = 8 };
	int kept, served;

	for (unsigned i = 0; i < SESSIONS; i++)
		counter_start(text("s%u", i));
	kill_server();
	for (unsigned i = 0; i < SESSIONS; i++)
		counter_counts(text("s%u", i), 1);
	fixture_pool_filled();
	kept = descriptors_of(fixture.daemon);
	served = descriptors_of(fixture_server());
	for (unsigned i = 0; i < SESSIONS; i++)
		counter_end(text("s%u", i));
	fixture_pool_filled();
	kept -= descriptors_of(fixture.daemon);
	served -= descriptors_of(fixture_server());
	cr_expect_leq(kept, served);
}

/* Neither by one that has been made to take another path for its own. */
Test(keeper, what_is_mounted_over_it_stays)
{
	sh("mount -t tmpfs none $M && touch $M/there");
	kill(fixture.daemon, SIGTERM);
	cr_assert(ended(fixture.daemon, GONE_MS, NULL));
	fixture.daemon = 0;
	sh("test -e $M/there && umount $M && if grep -q \" $M \" /proc/mounts; then umount $M; fi");
	cr_expect(!fixture_mounted());
}

/* The next as well, as soon as it is there, or a moment later; sessions start meanwhile. */
Test(keeper, again_while_it_takes_up)
{
	unsigned number = 0;
	int status;

	counter_start("a");
	for (unsigned i = 0; i < ROUNDS; i++) {
		pid_t starter = spawn((const char *const[]){
			"sh", "-c",
			text("cd %s && mkdir b && echo 'command echo in >/workspace/f; exit 4' "
			     ">b/config && echo start >b/ctl && test $(cat b/exit) = 4 && rmdir b",
			     fixture.mount),
			NULL });
		pid_t typist = spawn((const char *const[]){
			"sh", "-c", text("echo line >%s", at("a/input")), NULL });

		kill_server();
		for (unsigned j = 0; j < 2; j++) {
			pause_up_to(i % 3 ? 30 : 4);
			kill_server();
		}
		cr_assert(ended(typist, GONE_MS, &status) && status == 0, "%d", status);
		get(text("a/wait/match@0:<%u line>", ++number), NULL);
		cr_assert(ended(starter, GONE_MS, &status) && status == 0, "%d", status);
		pause_ms(500); /* that many deaths are forgiven */
	}
	counter_end("a");
}

/* It comes to its end all the same: nothing is left. */
Test(keeper_of, one_that_is_killed_while_it_ends)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		serve(NULL, NULL);
		session_start("a", "command trap '' TERM HUP; touch /workspace/f; echo ready; "
				   "sleep 1000 & wait\n");
		session_start("b", "command echo ready; cat\n");
		get("a/wait/match@0:ready", NULL);
		get("b/wait/match@0:ready", NULL);
		find_server();
		cr_assert_eq(kill(fixture.daemon, SIGTERM), 0);
		pause_up_to(i % 2 ? 400 : 100);
		for (unsigned j = 0; j < 2; j++) {
			if (is_there(NULL))
				kill(server, SIGKILL);
			pause_up_to(60);
		}
		fixture_daemon_ended(0);
	}
}

static void nobody_is_left(void)
{
	cr_assert(await(fixture_alone, NULL, GONE_MS), "processes are left");
}

/* With the keeper goes all, the mount too; and its place is anybody's. */
static void kill_keeper(const char *option, const char *value)
{
	char *sleeper = text("%u", marker());
	pid_t dead, serving;
	int status;

	serve(option, value);
	session_start("a", text("command trap '' TERM HUP; setsid sleep %s & sleep %s\n", sleeper,
				sleeper));
	cr_assert(await(any_with, sleeper, 5000));
	kill_server();
	dead = fixture.daemon;
	serving = server;
	unmounter = fixture_child(server, "mimobox-unmounter");
	fixture.crashed = true;
	cr_assert_eq(kill(dead, SIGKILL), 0);
	cr_assert(ended(dead, 5000, &status));
	cr_assert(await(none_with, sleeper, GONE_MS), "%u live on", processes_with(sleeper));
	cr_assert(await(process_gone, &serving, GONE_MS), "the server lives on");
	cr_assert(await(fixture_unmounted, NULL, GONE_MS), "the mount is left");
	cr_assert(await(process_gone, &unmounter, GONE_MS));
	nobody_is_left();
	serve(option, value);
	session_run("a", "command exit 8", &status);
	cr_assert_eq(status, 8);
	fixture_daemon_ended(SIGTERM);
	fixture_nothing_left(dead);
}

Test(keeper_of, one_that_is_killed_itself)
{
	kill_keeper(NULL, NULL);
}

Test(keeper_of, one_that_is_killed_itself_where_fusermount_unmounts)
{
	kill_keeper("-o", "auto_unmount");
}

/* The last does no more than to end it all. */
static bool is_given_up(const void *unused)
{
	(void)unused;
	if (can_open("defaults", O_RDONLY) < 0)
		return true;
	if (is_there(NULL))
		kill(server, SIGKILL);
	return false;
}

/* Servers that die as soon as they are there are given up, and nothing is left. */
Test(keeper_of, too_many)
{
	int status;
	pid_t dead;

	serve(NULL, NULL);
	counter_start("a");
	fixture.crashed = true;
	dead = fixture.daemon;
	cr_assert(await(is_given_up, NULL, 3 * GONE_MS), "there is always another");
	cr_assert(ended(dead, GONE_MS, &status));
	cr_assert_eq(status, 1);
	fixture.daemon = 0;
	cr_assert(await(fixture_unmounted, NULL, GONE_MS), "the mount is left");
	nobody_is_left();
}

/* How it is mounted */

Test(keeper_of, one_that_fusermount_unmounts_after)
{
	serve("-o", "auto_unmount");
	counter_start("a");
	for (unsigned i = 1; i < 4; i++) {
		kill_server();
		counter_counts("a", i);
	}
	counter_end("a");
}

Test(keeper_of, one_without_standard_descriptors)
{
	sh(text("%s --spool %s --workspaces %s %s <&- >&- 2>&-", mimoboxfs(), fixture.spool,
		fixture.workspaces, fixture.mount));
	fixture_adopt();
	counter_start("a");
	for (unsigned i = 1; i < 4; i++) {
		kill_server();
		counter_counts("a", i);
	}
	counter_end("a");
}

/* An ordinary user's: without a cgroup, and unmounted by fusermount3. */

static void own_prepare(void)
{
	outside_prepare();
	sh("mkdir $M/../dev && mount -t tmpfs -o mode=755 none $M/../dev &&"
	   "mknod -m 666 $M/../dev/fuse c 10 229 && mount --bind $M/../dev/fuse /dev/fuse");
	sh(text("cp %s %s", mimoboxfs(), outside("mimoboxfs")));
	cr_assert_eq(chown(fixture.dir, ANN, ANN), 0);
	cr_assert_eq(chown(fixture.mount, ANN, ANN), 0);
}

static char *ann(const char *script)
{
	struct run done = run_as(ANN, script);

	cr_assert_eq(done.status, 0, "%s: %d: %s%s", script, done.status, done.out, done.err);
	return done.out;
}

static void own_serve(void)
{
	ann(text("%s/mimoboxfs --spool %s --workspaces %s $M", fixture.dir, fixture.spool,
		 fixture.workspaces));
	fixture_adopt();
}

TestSuite(keeper_own, .init = own_prepare, .fini = outside_stop, .timeout = 200);

Test(keeper_own, server_is_killed)
{
	own_serve();
	ann("mkdir $M/a; echo 'command stty -echo; echo ready; while read x; do echo got $x; done; "
	    "exit 6' >$M/a/config; echo start >$M/a/ctl; cat $M/a/wait/match@0:ready");
	for (unsigned i = 0; i < 3; i++) {
		kill_server();
		ann(text("echo %u >$M/a/input; cat \"$M/a/wait/match@0:got %u\"", i, i));
		ann("mkdir $M/b; echo 'exit 3' >$M/b/input; test $(cat $M/b/exit) = 3; rmdir $M/b");
	}
	cr_assert(has(ann("echo eof >$M/a/ctl; cat $M/a/output; cat $M/a/exit; rmdir $M/a"),
		      "ready\r\ngot 0\r\ngot 1\r\ngot 2\r\n6\n"));
}

Test(keeper_own, keeper_is_killed)
{
	char *sleeper = text("%u", marker());
	pid_t dead;
	int status;

	own_serve();
	ann(text("mkdir $M/a; echo 'command sleep %s' >$M/a/config; echo start >$M/a/ctl",
		 sleeper));
	kill_server();
	dead = fixture.daemon;
	unmounter = fixture_child(server, "mimobox-unmounter");
	fixture.crashed = true;
	cr_assert_eq(kill(dead, SIGKILL), 0);
	cr_assert(ended(dead, 5000, &status));
	cr_assert(await(none_with, sleeper, GONE_MS));
	cr_assert(await(process_gone, &server, GONE_MS));
	cr_assert(await(fixture_unmounted, NULL, GONE_MS), "the mount is left");
	cr_assert(await(process_gone, &unmounter, GONE_MS));
	fixture.daemon = 0;
	nobody_is_left();
	own_serve();
	ann("mkdir $M/a; echo 'exit 3' >$M/a/input; test $(cat $M/a/exit) = 3");
}
