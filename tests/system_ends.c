/* SPDX-License-Identifier: MIT */
/*
 * How sessions end. When `exit` can be read, no process of the session may be left: each program
 * here has a number of its own in its command line, which is looked for in all of /proc.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

TestSuite(ends, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

/* Starts `config`, in which %s is `sleeper`, and waits for its READY. */
static void start_ready(const char *name, const char *config, const char *sleeper,
			struct stream *output)
{
	char *whole = text("%s", "");
	const char *place;

	while ((place = strstr(config, "%s"))) {
		whole = text("%s%.*s%s", whole, (int)(place - config), config, sleeper);
		config = place + 2;
	}
	session_start(name, text("%s%s", whole, config));
	stream_open(output, text("%s/output", name));
	stream_until(output, "READY");
	/* some say READY before they are what they are to be */
	cr_assert(await(any_with, sleeper, 5000), "%s%s does not run", whole, config);
}

struct way {
	const char *config;
	int status;
	unsigned least_ms;
	const char *output;
};

static const struct way ways[] = {
	{ "argv [\"sh\",\"-c\",\"echo READY; exec sleep %s\"]\n", -SIGTERM, 0, NULL },
	{ "command echo READY; sleep %s; echo unreached\n", -SIGTERM, 0, NULL },
	/* ignores SIGTERM */
	{ "command trap '' TERM; echo READY; sleep %s\n", -SIGKILL, 150, NULL },
	/* has left the process group, or its parent, or both */
	{ "command setsid sleep %s & echo READY; sleep %s\n", -SIGTERM, 0, NULL },
	{ "command (sleep %s & ); echo READY; sleep %s\n", -SIGTERM, 0, NULL },
	{ "command setsid sh -c '(trap \"\" TERM; setsid sleep %s & )' & echo READY; sleep %s\n",
	  -SIGTERM, 0, NULL },
	{ "argv [\"bash\",\"-ic\",\"sleep %s & sleep %s & echo READY; wait\"]\n", -SIGKILL, 0,
	  NULL },
	/* has its chance, and takes it */
	{ "command trap 'echo BYE; exit 5' TERM; echo READY; sleep %s & wait\n", 5, 0, "BYE" },
	{ "kill-grace 1h\ncommand trap 'sleep 0.4; echo LATE; exit 6' TERM; echo READY; sleep %s & "
	  "wait\n",
	  6, 400, "LATE" },
	/* is stopped */
	{ "command sleep %s & kill -STOP $!; echo READY; kill -STOP $$\n", -SIGTERM, 0, NULL },
	{ "kill-grace 0ms\ncommand trap '' TERM; echo READY; sleep %s\n", -SIGKILL, 0, NULL },
};

Test(ends, kill)
{
	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		char *sleeper = text("%u", marker());
		struct stream output;
		uint64_t begin;
		int status;

		start_ready(text("s%u", i), ways[i].config, sleeper, &output);
		begin = now_ms();
		put_all(text("s%u/ctl", i), "kill\n");
		status = session_exit(text("s%u", i));
		cr_expect(none_with(sleeper), "%s: %u processes left", ways[i].config,
			  processes_with(sleeper));
		begin = now_ms() - begin;
		cr_expect_geq(begin, ways[i].least_ms, "%s: %u ms", ways[i].config,
			      (unsigned)begin);
		/* what is stopped does not act on SIGTERM, and gets the rest */
		cr_expect(status == ways[i].status ||
				  (has(ways[i].config, "STOP") && status == -SIGKILL),
			  "%s: %d", ways[i].config, status);
		stream_rest(&output);
		if (ways[i].output)
			cr_expect(has(output.data, ways[i].output), "%s", output.data);
		stream_close(&output);
		cr_expect_str_eq(get_value(text("s%u/status", i), "state"), "exited");
		cr_expect_eq(rmdir(at("s%u", i)), 0);
	}
}

Test(ends, kill_again_and_after)
{
	struct stream output;

	session_start("a", "command trap '' TERM; echo READY; sleep 60\n");
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	stream_close(&output);
	for (unsigned i = 0; i < 5; i++)
		put_all("a/ctl", "kill\n");
	cr_assert_eq(session_exit("a"), -SIGKILL);
	put_all("a/ctl", "kill\nhangup\neof\nkill\n");
	put_all("a/size", "30 90\n");
	put_refused("a/ctl", "signal INT\n", ESRCH);
	put_refused("a/ctl", "start\n", EBUSY);
	put_refused("a/config", "timeout 5s\n", EBUSY);
	cr_assert_eq(put("a/input", "x"), -EPIPE);
	cr_assert_eq(session_exit("a"), -SIGKILL);
}

Test(ends, before_the_start)
{
	session_make("a");
	put_refused("a/ctl", "signal INT\n", ESRCH);
	cr_assert_str_eq(get_value("a/status", "state"), "created");
	put_all("a/ctl", "start\nkill\n");
	cr_assert_lt(session_exit("a"), 0);
}

/* The original killed a go-between, and the program lived on. */
Test(ends, control_c_reaches_the_program)
{
	char *sleeper = text("%u", marker());
	struct stream output;

	session_start("a", NULL);
	stream_open(&output, "a/output");
	put_all("a/input", text("echo READ''Y; sleep %s\n", sleeper));
	stream_until(&output, "READY\r\n");
	cr_assert(await(any_with, sleeper, 5000));
	put_all("a/input", "\x03");
	put_all("a/input", "echo status $?\n");
	stream_until(&output, "status 130\r\n");
	cr_assert(none_with(sleeper));
	put_all("a/input", "exit 7\n");
	cr_assert_eq(session_exit("a"), 7);
	stream_close(&output);
}

Test(ends, control_c_ends_a_command)
{
	char *sleeper = text("%u", marker());
	struct stream output;

	start_ready("a", "argv [\"sh\",\"-c\",\"echo READY; exec sleep %s\"]\n", sleeper, &output);
	put_all("a/input", "\x03");
	cr_assert_eq(session_exit("a"), -SIGINT);
	cr_assert(none_with(sleeper));
	stream_close(&output);
}

/* The original's program was PID 1, and deaf to what it did not handle. */
Test(ends, signals_have_their_defaults)
{
	static const struct {
		const char *name;
		int status;
	} signals[] = {
		{ "TERM", -SIGTERM },    { "SIGTERM", -SIGTERM }, { "15", -SIGTERM },
		{ "INT", -SIGINT },      { "QUIT", -SIGQUIT },    { "HUP", -SIGHUP },
		{ "KILL", -SIGKILL },    { "USR1", -SIGUSR1 },    { "10", -SIGUSR1 },
		{ "SIGUSR2", -SIGUSR2 },
	};

	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		char *sleeper = text("%u", marker());
		struct stream output;
		int status;

		start_ready(text("s%u", i), "argv [\"sh\",\"-c\",\"echo READY; exec sleep %s\"]\n",
			    sleeper, &output);
		put_all(text("s%u/ctl", i), text("signal %s\n", signals[i].name));
		status = session_exit(text("s%u", i));
		cr_expect_eq(status, signals[i].status, "%s: %d", signals[i].name, status);
		stream_close(&output);
	}
}

Test(ends, a_signal_is_the_programs_to_handle)
{
	struct stream output;

	session_start("a", "command trap 'echo GOT' USR1; echo READY; while :; do read x || :; "
			   "done\n");
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	put_all("a/ctl", "signal USR1\n");
	/* A shell looks at its traps between commands, and may have been on its way into read. */
	put_all("a/input", "\n");
	stream_until(&output, "GOT\r\n");
	put_all("a/ctl", "kill\n");
	stream_close(&output);
}

Test(ends, stop_and_cont)
{
	char *sleeper = text("%u", marker());
	struct stream output;
	pid_t pid;

	session_start("a",
		      text("command echo READY %s; while read x; do echo got $x; done\n", sleeper));
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	pid = session_pid("a");
	put_all("a/ctl", "stop\n");
	cr_assert(await(process_stopped, &pid, 5000), "state %c", process_state(pid));
	put_all("a/input", "one\n");
	pause_ms(150);
	stream_until(&output, "one\r\n"); /* the terminal's echo is no work of the program */
	cr_assert_eq(get_now("a/exit", (char[4096]){ 0 }), -EAGAIN);
	cr_assert(!has(get("a/transcript", NULL), "got"));
	put_all("a/ctl", "cont\n");
	stream_until(&output, "got one\r\n");
	put_all("a/ctl", "stop\n");
	put_all("a/ctl", "kill\n"); /* also what is stopped */
	cr_assert_lt(session_exit("a"), 0);
	cr_assert(none_with(sleeper));
	stream_close(&output);
}

Test(ends, hangup)
{
	char *sleeper = text("%u", marker());
	struct stream output;

	start_ready("a", "argv [\"sh\",\"-c\",\"echo READY; exec sleep %s\"]\n", sleeper, &output);
	put_all("a/ctl", "hangup\n");
	cr_assert_eq(session_exit("a"), -SIGHUP);
	stream_rest(&output);
	stream_close(&output);
	session_start("b", NULL); /* an interactive shell goes too */
	put_all("b/ctl", "hangup\n");
	session_exit("b");
}

Test(ends, eof)
{
	static const struct {
		const char *typed, *output;
	} examples[] = {
		{ "", "END 0\r\n" },
		{ "line\n", "line\r\nline\r\nEND 0\r\n" },
		{ "line\nabc", "line\r\nabcline\r\nabcEND 0\r\n" },
		{ "abc", "abcabcEND 0\r\n" },
	};

	for (unsigned i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		char *out;

		session_start(text("s%u", i), "command cat; echo END $?\n");
		if (*examples[i].typed)
			put_all(text("s%u/input", i), examples[i].typed);
		put_all(text("s%u/ctl", i), "eof\n");
		out = get(text("s%u/output", i), NULL);
		/* how echo and output mix is the terminal's affair: compare what is there */
		cr_expect_eq(strlen(out), strlen(examples[i].output), "'%s': '%s'",
			     examples[i].typed, out);
		cr_expect(has(out, "END 0\r\n"), "'%s': '%s'", examples[i].typed, out);
	}
}

Test(ends, timeout)
{
	static const struct {
		const char *timeout;
		unsigned least_ms;
	} timeouts[] = { { "100ms", 100 }, { "1s", 1000 }, { "0.5s", 500 } };

	for (unsigned i = 0; i < 3; i++) {
		char *sleeper = text("%u", marker());
		uint64_t begin = now_ms();
		int status;

		session_run(text("s%u", i),
			    text("timeout %s\ncommand setsid sleep %s & sleep %s\n",
				 timeouts[i].timeout, sleeper, sleeper),
			    &status);
		begin = now_ms() - begin;
		cr_expect_eq(status, -SIGTERM, "%d", status);
		cr_expect_geq(begin, timeouts[i].least_ms, "timeout %s: %u ms", timeouts[i].timeout,
			      (unsigned)begin);
		cr_expect_str_eq(get_value(text("s%u/status", i), "reason"), "timeout");
		cr_expect(none_with(sleeper));
	}
	session_start("c", "timeout none\ncommand exit 0\n");
	cr_assert_eq(session_exit("c"), 0);
	cr_assert_str_neq(get_value("c/status", "reason"), "timeout");
}

/* What stays in the background holds neither the end of the session nor that of its output. */
Test(ends, background_process_that_keeps_the_terminal)
{
	static const char *const configs[] = {
		"command sleep %s & echo READY; sleep 0.2; exit 3\n",
		"command (setsid sleep %s &); echo READY; sleep 0.2; exit 3\n",
		"command (trap '' HUP TERM; sleep %s) & echo READY; sleep 0.2; exit 3\n",
	};

	for (unsigned i = 0; i < 3; i++) {
		char *sleeper = text("%u", marker());
		struct stream output;

		start_ready(text("s%u", i), configs[i], sleeper, &output);
		cr_expect_eq(session_exit(text("s%u", i)), 3);
		cr_expect(none_with(sleeper), "%s", configs[i]);
		stream_rest(&output);
		cr_expect_str_eq(output.data, "READY\r\n");
		stream_close(&output);
	}
}

Test(ends, rmdir_of_a_live_session)
{
	char *sleeper = text("%u", marker());
	struct stream output;
	int status;

	start_ready("a", "command trap '' TERM; setsid sleep %s & echo READY; sleep %s\n", sleeper,
		    &output);
	cr_assert_eq(rmdir(at("a")), 0, "%s", strerror(errno));
	cr_assert_eq(access(at("a"), F_OK), -1);
	/* the name is free at once, and the new session is another one */
	session_run("a", "command exit 4\n", &status);
	cr_assert_eq(status, 4);
	stream_rest(&output);
	stream_close(&output);
	cr_assert(await(none_with, sleeper, 3000));
}

Test(ends, rmdir_before_the_start_and_after_the_end)
{
	int status;

	session_make("a");
	cr_assert_eq(rmdir(at("a")), 0);
	session_run("a", "command exit 4\n", &status);
	cr_assert_eq(rmdir(at("a")), 0);
	cr_assert_eq(rmdir(at("a")), -1);
	cr_assert_eq(errno, ENOENT);
}

/* The command's group is mostly the foreground one as well. */
Test(ends, a_program_is_told_once)
{
	for (unsigned i = 0; i < 40; i++) {
		struct stream output;
		const char *got;

		session_start("a", "kill-grace 20s\ncommand trap 'echo GOT' TERM; echo READY; "
				   "until read x; do :; done; echo END\n");
		stream_open(&output, "a/output");
		stream_until(&output, "READY");
		put_all("a/ctl", "kill\n");
		stream_until(&output, "GOT");
		put_all("a/input", "\n");
		stream_until(&output, "END");
		got = strstr(output.data, "GOT");
		cr_expect(got && !strstr(got + 1, "GOT"), "%s", output.data);
		stream_close(&output);
		rmdir(at("a"));
	}
}

/* An open file that owns the session */

static int own(const char *name)
{
	int fd = open(at("%s/ctl", name), O_WRONLY | O_CLOEXEC);

	cr_assert(fd >= 0 && write(fd, " own\n", 5) == 5, "%d", errno);
	return fd;
}

/* It ends with that file, not with others, and with nobody's before it has started. */
Test(ends, with_the_file_that_owns_it)
{
	char *sleeper = text("%u", marker());
	int fd, other;

	session_make("a");
	close(own("a"));
	session_start("b", text("command sleep %s\n", sleeper));
	fd = own("b");
	other = open(at("b/ctl"), O_WRONLY | O_CLOEXEC);
	cr_assert_geq(other, 0);
	close(other);
	close(open(at("b/status"), O_RDONLY | O_CLOEXEC));
	cr_expect_str_eq(get_value("b/status", "state"), "running");
	cr_expect(any_with(sleeper));
	close(fd);
	cr_expect_eq(session_exit("b"), -SIGTERM);
	cr_expect_str_eq(get_value("b/status", "reason"), "kill");
	cr_expect(none_with(sleeper));
	/* the one that had no process may still be started */
	put_all("a/config", "command exit 3\n");
	put_all("a/ctl", "start\n");
	cr_expect_eq(session_exit("a"), 3);
}

Test(ends, with_the_file_that_owns_it_after_a_servers_death)
{
	pid_t server = fixture_server();
	int fd;

	if (!server || server == fixture.daemon)
		cr_skip_test("there is no keeper");
	session_start("a", "command sleep 1000\n");
	fd = own("a");
	fixture.crashed = true;
	kill(server, SIGKILL);
	cr_expect_str_eq(get_value("a/status", "state"), "running");
	close(fd);
	cr_expect_eq(session_exit("a"), -SIGTERM);
}
