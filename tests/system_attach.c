/* SPDX-License-Identifier: MIT */
/* mimobox attach, and run, on a terminal. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

static void attach_start(void)
{
	fixture_start();
	setenv("MIMOBOX", fixture.mount, 1);
	setenv("TERM", "xterm", 1);
	signal(SIGHUP, SIG_DFL);
}

TestSuite(attach, .init = attach_start, .fini = fixture_stop, .timeout = 90);

/* A terminal with a client on it. */
struct user {
	struct stream screen; /* of the master */
	struct termios modes; /* before */
	pid_t pid;
	const char *const *arguments;
};

static void resize(const struct user *user, unsigned short rows, unsigned short cols)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };

	cr_assert_eq(ioctl(user->screen.fd, TIOCSWINSZ, &size), 0);
}

/* In the child. */
static int be_client(const void *data)
{
	const struct user *user = data;
	const char *argv[16] = { getenv("CLIENT") };
	int slave = open(ptsname(user->screen.fd), O_RDWR);

	for (unsigned i = 0; user->arguments[i] && i < 14; i++)
		argv[i + 1] = user->arguments[i];
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	for (int fd = 0; fd < 3; fd++)
		dup2(slave, fd);
	close_range(3, ~0u, 0);
	execv(argv[0], (char **)argv);
	return 99;
}

static void user_start(struct user *user, const char *const arguments[])
{
	cr_assert(getenv("CLIENT") != NULL);
	*user = (struct user){ .arguments = arguments };
	user->screen.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert(user->screen.fd >= 0 && !grantpt(user->screen.fd) && !unlockpt(user->screen.fd));
	user->screen.room = 1;
	user->screen.data = keep(calloc(1, 1));
	resize(user, 24, 80);
	cr_assert_eq(tcgetattr(user->screen.fd, &user->modes), 0);
	user->pid = spawn_function(be_client, user);
}

static void type(const struct user *user, const char *keys)
{
	cr_assert_eq(write(user->screen.fd, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static bool modes_as_before(const void *data)
{
	const struct user *user = data;
	struct termios now;

	return tcgetattr(user->screen.fd, &now) == 0 && now.c_lflag == user->modes.c_lflag &&
	       now.c_iflag == user->modes.c_iflag && now.c_oflag == user->modes.c_oflag;
}

/* The client has ended so, and has left the terminal as it was. */
static void user_ended(struct user *user, int expected)
{
	int status = 0;

	cr_assert(ended(user->pid, SECONDS * 1000, &status), "%s", user->screen.data);
	cr_assert_eq(status, expected, "%d: %s", status, user->screen.data);
	cr_assert(await(modes_as_before, user, 5000));
	close(user->screen.fd);
}

static bool no_session(const void *data)
{
	(void)data;
	return !strcmp(session_names(), "");
}

#define ARGUMENTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* vim draws anew for a size, and drops what is typed in the meantime. */
static void drawn(void)
{
	sh("cat $M/a/wait/idle:300ms");
}

Test(attach, vim)
{
	struct user one, two;

	if (run_shell("sh", "command -v vim").status)
		cr_skip_test("no vim here");
	session_start("a", "argv [\"vim\",\"-u\",\"NONE\",\"-N\",\"/tmp/file\"]\n");
	sh("cat $M/a/wait/match@0:New");
	user_start(&one, ARGUMENTS("attach", "a"));
	stream_until(&one.screen, "/file\" [New]"); /* shown without anything being printed */
	drawn();
	type(&one, "ione two\x1b");
	stream_until(&one.screen, "two");
	resize(&one, 40, 120);
	stream_until(&one.screen, "one two"); /* drawn anew */
	drawn();
	type(&one, ":echo 'size' &lines &columns\r");
	stream_until(&one.screen, "size 40 120");
	/* a second one, smaller: its size is that of both */
	user_start(&two, ARGUMENTS("attach", "a"));
	stream_until(&two.screen, "one two");
	stream_until(&two.screen, "size 40 120");
	drawn();
	type(&two, ":echo 'size' &lines &columns\r");
	stream_until(&two.screen, "size 24 80");
	stream_until(&one.screen, "size 24 80");
	type(&one, "\x1c");
	stream_until(&one.screen, "[a: detached]\r\n");
	user_ended(&one, 0);
	/* back again; the end is that of both */
	user_start(&one, ARGUMENTS("attach", "a"));
	stream_until(&one.screen, "one two");
	type(&two, ":q!\r");
	stream_until(&one.screen, "[a: exited 0]\r\n");
	stream_until(&two.screen, "[a: exited 0]\r\n");
	user_ended(&one, 0);
	user_ended(&two, 0);
}

Test(attach, ends_as_the_session_does)
{
	struct user user;

	session_start("a", "command echo 'one line'; echo; read x; exit $x\n");
	sh("cat $M/a/wait/match@0:line");
	user_start(&user, ARGUMENTS("attach", "a"));
	stream_until(&user.screen, "one line");
	type(&user, "3\r");
	stream_until(&user.screen, "[a: exited 3]");
	user_ended(&user, 3);
	/* and shows one that is over */
	user_start(&user, ARGUMENTS("attach", "a"));
	stream_until(&user.screen, "one line");
	user_ended(&user, 3);
	session_start("b", "command read x\n");
	user_start(&user, ARGUMENTS("attach", "b"));
	stream_until(&user.screen, "\033[2J");
	put_all("b/ctl", "signal TERM\n");
	user_ended(&user, -SIGTERM);
}

Test(attach, another_key)
{
	struct user user;

	session_start("a", "command stty raw -echo; echo ready; cat -v\n");
	user_start(&user, ARGUMENTS("attach", "-e", "^]", "a"));
	stream_until(&user.screen, "ready");
	type(&user, "x\x1cy");
	stream_until(&user.screen, "^\\y");
	type(&user, "\x1d");
	user_ended(&user, 0);
	cr_assert_str_eq(get_value("a/status", "state"), "running");
}

/* However it dies, the session lives, and the terminal is as it was. */
Test(attach, killed)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGINT, SIGKILL };
	struct user user;

	session_start("a", "command echo here; while read x; do echo got $x; done\n");
	sh("cat $M/a/wait/match@0:here");
	for (unsigned i = 0; i < 4; i++) {
		user_start(&user, ARGUMENTS("attach", "a"));
		stream_until(&user.screen, "here");
		type(&user, "x\r");
		stream_until(&user.screen, "got x");
		kill(user.pid, signals[i]);
		user_ended(&user, -signals[i]);
	}
	/* its terminal goes */
	user_start(&user, ARGUMENTS("attach", "a"));
	stream_until(&user.screen, "here");
	close(user.screen.fd);
	cr_assert(ended(user.pid, 10000, NULL));
	cr_assert_str_eq(get_value("a/status", "state"), "running");
}

Test(attach, takes_a_terminal)
{
	struct run done;

	session_make("a");
	done = run(ARGUMENTS(getenv("CLIENT"), "attach", "a"));
	cr_assert(done.status == 125 && has(done.err, "takes a terminal"), "%s", done.err);
}

/* run */

Test(attach, run_on_a_terminal)
{
	struct user user;

	user_start(&user,
		   ARGUMENTS("run", "sh", "-c", "tty; stty size; echo $TERM; exec bash --norc"));
	stream_until(&user.screen, "/dev/pts/0\r\n24 80\r\nxterm\r\n");
	stream_until(&user.screen, "$ ");
	resize(&user, 30, 90);
	type(&user, "stty size\r");
	stream_until(&user.screen, "30 90");
	/* Ctrl-C and Ctrl-Z go in as keys */
	type(&user, "sleep 60\r");
	stream_until(&user.screen, "sleep 60\r\n");
	pause_ms(200);
	type(&user, "\x1a");
	stream_until(&user.screen, "Stopped");
	type(&user, "fg\r");
	stream_until(&user.screen, "sleep 60\r\n");
	pause_ms(200);
	type(&user, "\x03");
	stream_until(&user.screen, "$ ");
	type(&user, "exit 5\r");
	user_ended(&user, 5);
	cr_assert_str_eq(session_names(), "");
}

Test(attach, run_killed)
{
	static const int signals[] = { SIGHUP, SIGTERM, SIGKILL };
	struct user user;

	for (unsigned i = 0; i < 3; i++) {
		user_start(&user, ARGUMENTS("run", "sh", "-c", "echo ready; exec sleep 60"));
		stream_until(&user.screen, "ready");
		kill(user.pid, signals[i]);
		user_ended(&user, -signals[i]);
		cr_assert(await(no_session, NULL, 10000));
	}
	user_start(&user, ARGUMENTS("run", "sh", "-c", "echo ready; exec sleep 60"));
	stream_until(&user.screen, "ready");
	close(user.screen.fd);
	cr_assert(ended(user.pid, 10000, NULL));
	cr_assert(await(no_session, NULL, 10000));
}
