/* SPDX-License-Identifier: MIT */
/*
 * Without a terminal: bytes as they are, standard error apart, an end of input that is the pipe's.
 * And `ends last-process`, with a terminal and without.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(pipes, .init = fixture_start, .fini = fixture_stop, .timeout = 120);

static void start(const char *command)
{
	session_start("a", text("terminal no\ncommand %s\n", command));
}

static void until(const char *question)
{
	char *answer = get(text("a/wait/match@0:%s", question), NULL);

	cr_assert(has(answer, "match"), "'%s': %s%s", question, answer, get("a/output", NULL));
}

Test(pipes, exact_bytes)
{
	size_t size;
	char *output;

	start("printf 'a\\nb\\n\\0\\377'; printf 'e\\n' >&2; cat");
	put_all("a/input", "typed\n\003\004\021\177");
	put_all("a/ctl", "eof\n");
	output = get("a/output", &size);
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_eq(size, 6 + 10, "%zu: %s", size, output);
	cr_assert_eq(memcmp(output, "a\nb\n\0\377typed\n\003\004\021\177", 16), 0);
	cr_assert_str_eq(get("a/stderr", NULL), "e\n");
	cr_assert_eq(get("a/transcript", &size)[0], 'a');
	cr_assert_eq(size, 16);
	cr_assert_str_eq(get_value("a/status", "stderr-end"), "2");
}

Test(pipes, no_terminal_anywhere)
{
	start("for i in 0 1 2; do [ -t $i ] && echo $i; done; tty; (: < /dev/tty) && echo tty");
	cr_assert_eq(session_exit("a") != 0, true);
	cr_assert_str_eq(get("a/output", NULL), "not a tty\n");
}

/* `stderr` is there only while it has a meaning. */
Test(pipes, stderr_is_a_file_only_then)
{
	struct stat st;
	struct stream errors;

	session_make("a");
	cr_assert(stat(at("a/stderr"), &st) < 0 && errno == ENOENT);
	cr_assert_str_eq(sh("ls $M/a | grep -c stderr || :"), "0\n");
	put_all("a/config", "terminal no\n");
	cr_assert_eq(stat(at("a/stderr"), &st), 0);
	cr_assert_eq(st.st_mode, S_IFREG | 0400, "%o", st.st_mode);
	cr_assert_str_eq(sh("ls $M/a | grep -c stderr"), "1\n");
	put_all("a/config", "terminal yes\n");
	cr_assert(stat(at("a/stderr"), &st) < 0 && errno == ENOENT);
	put_all("a/config", "terminal no\ncommand echo out; echo err >&2; read x; echo more >&2\n");
	stream_open(&errors, "a/stderr"); /* before the start, and blocking at its end */
	put_all("a/ctl", "start\n");
	stream_until(&errors, "err\n");
	cr_assert_eq(get_now("a/stderr", (char[4096]){ 0 }), 4);
	cr_assert_str_eq(get_value("a/status", "state"), "running");
	put_all("a/input", "\n");
	stream_rest(&errors);
	cr_assert_str_eq(errors.data, "err\nmore\n");
	stream_close(&errors);
	cr_assert_str_eq(get("a/output", NULL), "out\n");
	session_start("b", "command echo err >&2\n");
	cr_assert_str_eq(get("b/output", NULL), "err\r\n");
	cr_assert(stat(at("b/stderr"), &st) < 0 && errno == ENOENT);
}

Test(pipes, eof_closes_standard_input)
{
	start("cat; echo after; while ! [ -e /workspace/go ]; do sleep 0.02; done; exit 4");
	put_all("a/input", "one");
	until("one");
	cr_assert_eq(get_now("a/wait/match@0:after", (char[4096]){ 0 }), -EAGAIN);
	put_all("a/ctl", "eof\n");
	until("after");
	put_refused("a/input", "two", EPIPE);
	put_refused("a/ctl", "eof\n", EPIPE);
	sh("touch $M/a/workspace/go");
	cr_assert_eq(session_exit("a"), 4);
	put_refused("a/input", "three", EPIPE);
	put_all("a/ctl", "eof\n");
	cr_assert_str_eq(get("a/output", NULL), "oneafter\n");
}

/* A program that closes its input, or never looks at it: the daemon and the session live on. */
Test(pipes, input_that_nobody_reads)
{
	char *data = keep(malloc(100000));
	ssize_t count = 0;
	size_t all = 0;

	start("exec < /dev/null; echo closed; while ! [ -e /workspace/go ]; do sleep 0.02; done");
	until("closed");
	put("a/input", "into the void");
	sh("touch $M/a/workspace/go");
	cr_assert_eq(session_exit("a"), 0);
	session_remove("a");
	memset(data, 'x', 100000);
	start("echo ready; while ! [ -e /workspace/go ]; do sleep 0.02; done; wc -c");
	until("ready");
	while (all < (4u << 20) && (count = put_bytes("a/input", data, 100000, 0)) > 0)
		all += (size_t)count;
	cr_assert_eq(count, -EAGAIN, "%zd", count);
	cr_assert(all >= (1u << 20) && all < (2u << 20), "%zu", all);
	put_all("a/ctl", "eof\n");
	sh("touch $M/a/workspace/go");
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_str_eq(get("a/output", NULL), text("ready\n%zu\n", all));
}

enum { BULK = 50000000 };

/* The whole file, with EAGAIN taken for what it is. */
static int feed(const void *path)
{
	static char piece[131072];
	int from = open(path, O_RDONLY), to = open(at("a/input"), O_WRONLY);
	ssize_t size, count;

	while ((size = read(from, piece, sizeof(piece))) > 0)
		for (ssize_t done = 0; done < size; done += count) {
			count = write(to, piece + done, (size_t)(size - done));
			if (count < 0 && errno != EAGAIN)
				return errno;
			if (count < 0)
				count = 0;
		}
	return size < 0 ? errno : 0;
}

Test(pipes, fifty_megabytes_through)
{
	char *path = text("%s/data", fixture.dir);
	uint64_t begin;
	struct run sum;
	pid_t feeder;
	int status;

	sh("head -c 50000000 /dev/urandom > $M/../data");
	start("cat; echo done >&2");
	begin = now_ms();
	feeder = spawn_function(feed, path);
	cr_assert(ended(feeder, 60000, &status), "%s", get("a/status", NULL));
	cr_assert_eq(status, 0, "%s", strerror(status));
	put_all("a/ctl", "eof\n");
	cr_assert_eq(session_exit("a"), 0);
	fprintf(stderr, "%d bytes in and out in %u ms\n", BULK, (unsigned)(now_ms() - begin));
	sum = run_for(60, (const char *const[]){ "sh", "-c", "md5sum < $M/a/output", NULL });
	cr_assert_str_eq(sum.out, sh("md5sum < $M/../data"));
	cr_assert_str_eq(get("a/stderr", NULL), "done\n");
}

Test(pipes, exit_statuses)
{
	static const struct {
		const char *command;
		int status;
	} ends[] = {
		{ "exit 0", 0 },
		{ "exit 7", 7 },
		{ "exit 255", 255 },
		{ "kill -9 $$", -9 },
		{ "kill -TERM $$", -15 },
		{ "kill -SEGV $$", -11 },
		{ "exec 1>&- 2>&-; exit 3", 3 },
	};

	for (unsigned i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		start(ends[i].command);
		cr_expect_eq(session_exit("a"), ends[i].status, "%s", ends[i].command);
		cr_assert_str_eq(get("a/output", NULL), "");
		session_remove("a");
	}
}

Test(pipes, signals)
{
	static const struct {
		const char *command, *verb;
		int status;
	} signals[] = {
		{ "trap 'exit 5' USR1", "signal USR1\n", 5 },
		{ "trap 'exit 6' INT", "signal INT\n", 6 },
		{ ":", "signal QUIT\n", -SIGQUIT },
		{ ":", "kill\n", -SIGTERM },
		{ "trap 'exit 7' TERM", "kill\n", 7 },
		{ "trap '' TERM", "kill\n", -SIGKILL },
		{ "trap 'exit 8' HUP", "hangup\n", 8 },
		{ ":", "hangup\n", -SIGHUP },
	};

	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		start(text("%s; echo ready; exec 2> /dev/null; while :; do sleep 0.05; done",
			   signals[i].command));
		until("ready");
		put_all("a/ctl", signals[i].verb);
		cr_expect_eq(session_exit("a"), signals[i].status, "%s, %s: %d", signals[i].command,
			     signals[i].verb, session_exit("a"));
		session_remove("a");
	}
}

Test(pipes, stop_and_cont)
{
	pid_t pid;

	start("echo ready; while read x; do echo got $x; done");
	until("ready");
	pid = session_pid("a");
	put_all("a/ctl", "stop\n");
	cr_assert(await(process_stopped, &pid, 5000));
	put_all("a/input", "one\n");
	cr_assert_str_eq(get("a/wait/idle:300ms", NULL), "idle 6\n");
	put_all("a/ctl", "cont\neof\n");
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_str_eq(get("a/output", NULL), "ready\ngot one\n");
}

Test(pipes, size_means_nothing_and_is_accepted)
{
	session_make("a");
	put_all("a/size", "40 100\n");
	put_all("a/config", "terminal no\ncommand echo ready; read x\n");
	put_all("a/ctl", "start\n");
	until("ready");
	put_all("a/size", "41 101\n");
	cr_assert_str_eq(get("a/size", NULL), "41 101\n");
	put_refused("a/size", "0 101\n", ERANGE);
	put_all("a/input", "\n");
	cr_assert_eq(session_exit("a"), 0);
	put_all("a/size", "42 102\n");
}

/* ends */

static bool has_ended(const void *unused)
{
	(void)unused;
	return strcmp(get_value("a/status", "state"), "running") != 0;
}

static bool sleeps(const void *number)
{
	return run_shell("sh", text("pgrep -x -f 'sleep %u'", *(const unsigned *)number)).status ==
	       0;
}

/* The command goes first; what it left in the background has the last word. */
static void background(const char *config)
{
	unsigned number = marker();
	pid_t command;
	char *pid_text;

	session_start("a", text("%sends last-process\ncommand (while ! [ -e /workspace/go ]; do "
				"sleep 0.02; done; echo late; sleep %u < /dev/null) & "
				"echo first; exit 5\n",
				config, number));
	until("first");
	pid_text = get_value("a/status", "pid");
	command = pid_text ? atoi(pid_text) : 0;
	if (command > 0)
		cr_assert(await(process_gone, &command, 5000));
	pause_ms(200);
	cr_assert(!has_ended(NULL));
	cr_assert_eq(get_now("a/exit", (char[4096]){ 0 }), -EAGAIN);
	sh("touch $M/a/workspace/go");
	until("late");
	cr_assert(await(sleeps, &number, 5000));
	sh(text("kill $(pgrep -x -f 'sleep %u')", number));
	cr_assert_eq(session_exit("a"), 5);
	cr_assert_str_eq(plain(get("a/output", NULL)), "first\nlate\n");
	session_remove("a");
}

Test(pipes, ends_with_the_last_process)
{
	background("terminal no\n");
	background("terminal yes\n");
}

/* The default, for the difference: the end of the command is the end of all. */
Test(pipes, ends_with_the_command)
{
	unsigned number = marker();

	session_start("a", text("terminal no\ncommand (sleep %u; echo late) & echo first; exit 5\n",
				number));
	cr_assert_eq(session_exit("a"), 5);
	cr_assert_str_eq(get("a/output", NULL), "first\n");
	cr_assert(none_with(text("%u", number)));
}

/* The status stays the command's, by whatever the others end. */
static void kill_all(const char *config)
{
	unsigned number = marker();

	session_start("a", text("%sends last-process\ncommand trap '' TERM HUP; sleep %u & "
				"setsid sleep %u & (sleep %u & ) ; echo first; exit 4\n",
				config, number, number, number));
	until("first");
	cr_assert(await(sleeps, &number, 5000));
	pause_ms(100);
	cr_assert(!has_ended(NULL));
	put_all("a/ctl", "kill\n");
	cr_assert_eq(session_exit("a"), 4, "%d", session_exit("a"));
	cr_assert(none_with(text("%u", number)));
	session_remove("a");
}

Test(pipes, kill_ends_all_that_outlives_the_command)
{
	kill_all("terminal no\n");
	kill_all("terminal yes\n");
}
