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
#include "seat.h"

static void attach_start(void)
{
	fixture_start();
	setenv("MIMOBOX", fixture.mount, 1);
	setenv("TERM", "xterm", 1);
	signal(SIGHUP, SIG_DFL);
}

TestSuite(attach, .init = attach_start, .fini = fixture_stop, .timeout = 90);

static bool no_session(const void *data)
{
	(void)data;
	return !strcmp(session_names(), "");
}

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

/* The screen is text, whose lines end with their last letters; the cursor may be behind a blank. */
Test(attach, shows_the_cursor)
{
	struct user user;

	session_start("a",
		      "command printf 'first\\n\\nName: '; read x; printf '\\033[?25l'; read x\n");
	sh("cat $M/a/wait/match@0:Name");
	user_start(&user, ARGUMENTS("attach", "a"));
	stream_until(&user.screen, "Name:\033[?7h\033[3;7H");
	type(&user, "you\r");
	stream_until(&user.screen, "\033[?25l");
	cr_expect(!has(user.screen.data, "\033[3;7H\033[?25l"));
	type(&user, "\x1c");
	user_ended(&user, 0);
	user_start(&user, ARGUMENTS("attach", "a"));
	stream_until(&user.screen, "Name: you\033[?7h\033[4;1H\033[?25l");
	type(&user, "\x1c");
	user_ended(&user, 0);
	/* more rows than this terminal has: the uppermost go */
	session_make("b");
	put_all("b/size", "40 100\n");
	put_all("b/config", "command seq 30; printf '> '; read x\n");
	put_all("b/ctl", "start\n");
	sh("cat \"$M/b/wait/match@0:> \"");
	user_start(&user, ARGUMENTS("attach", "b"));
	stream_until(&user.screen, "\033[2J\033[?7l8\r\n9\r\n");
	stream_until(&user.screen, "30\r\n>\033[?7h\033[24;3H");
	type(&user, "\x1c");
	user_ended(&user, 0);
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

/* What a program can do to an emulator, and what the client has to say in the end. */
static const char altered[] =
	"\\033[?1049h\\033(0\\033)0\\016\\033[4h\\033[20h\\033[?5h\\033[?6h\\033[?7l\\033[2;9r"
	"\\033[?9h\\033[?1000;1002;1003;1004;1006;1015h\\033[?2004h\\033[?1h\\033=\\033[?25l"
	"\\033[1;31m\\033[5 q\\033]4;1;#123456\\007\\033]10;red\\007\\033]11;blue\\007"
	"\\033]12;green\\007\\033[>1u\\033[>4;2m\\033[?2026h";
static const struct {
	const char *mode;
	char final;
} modes[] = {
	{ "?1049", 'l' }, { "?5", 'l' },    { "?6", 'l' },    { "?7", 'h' },    { "?9", 'l' },
	{ "?1000", 'l' }, { "?1002", 'l' }, { "?1003", 'l' }, { "?1004", 'l' }, { "?1006", 'l' },
	{ "?1015", 'l' }, { "?2004", 'l' }, { "?1", 'l' },    { "?25", 'h' },   { "?2026", 'l' },
	{ "4", 'l' },     { "20", 'l' },
};
static const char *const others[] = {
	"\033(B",    "\033)B",         "\017",           "\033>",          "\033[0m",
	"\033[0 q",  "\033]104\033\\", "\033]110\033\\", "\033]111\033\\", "\033]112\033\\",
	"\033[<99u", "\033[>4m",       "\033[r",         "\033[!p",
};

/* How that mode was set last: h, l, or 0. */
static char mode_of(const char *all, const char *mode)
{
	bool private = mode[0] == '?';
	char found = 0;

	for (const char *at = all; (at = strstr(at, "\033["));) {
		at += 2;
		if ((*at == '?') != private)
			continue;
		at += private;
		size_t size = strspn(at, "0123456789;");
		const char *list = text(";%.*s;", (int)size, at);
		if ((at[size] == 'h' || at[size] == 'l') && has(list, text(";%s;", mode + private)))
			found = at[size];
	}
	return found;
}

/* All comes after what the program printed, the last of it `before`. */
static void expect_back(const char *all, const char *before, bool alternate)
{
	const char *end = strstr(all, before);

	cr_assert(end != NULL, "%s", all);
	for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (alternate || (strcmp(modes[i].mode, "?6") && strcmp(modes[i].mode, "?1049")))
			cr_expect_eq(mode_of(all, modes[i].mode), modes[i].final, "%s: %s",
				     modes[i].mode, end);
	for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (alternate || strcmp(others[i], "\033[r"))
			cr_expect(has(end, others[i]), "no ESC%s", others[i] + 1);
}

static void alter(struct user *user)
{
	session_start("a", text("command stty -echo; echo here; read x; printf '%s'; echo altered; "
				"read x\n",
				altered));
	sh("cat $M/a/wait/match@0:here");
	user_start(user, ARGUMENTS("attach", "a"));
	stream_until(&user->screen, "here");
	type(user, "\r");
	stream_until(&user->screen, "altered");
	cr_assert_eq(mode_of(user->screen.data, "?1000"), 'h');
}

/* Detached, ended, stopped for a while, or killed: the emulator is as it was. */
Test(attach, brings_the_terminal_back)
{
	static const int signals[] = { 0, SIGTERM, SIGKILL };
	struct user user;

	for (unsigned i = 0; i < 3; i++) {
		alter(&user);
		if (signals[i])
			kill(user.pid, signals[i]);
		else
			type(&user, "\x1c");
		cr_assert(ended(user.pid, SECONDS * 1000, NULL));
		stream_until(&user.screen, "\033]R\033\\");
		expect_back(user.screen.data, "altered", true);
		cr_assert(await(modes_as_before, &user, 5000));
		close(user.screen.fd);
		sh("rmdir $M/a");
	}
	alter(&user);
	kill(user.pid, SIGTSTP);
	stream_until(&user.screen, "\033]R\033\\");
	expect_back(user.screen.data, "altered", true);
	cr_assert(await(process_stopped, &user.pid, 5000));
	kill(user.pid, SIGCONT);
	stream_until(&user.screen, "\033[?1049h");
	stream_until(&user.screen, "\033[2J"); /* the screen again */
	type(&user, "\x1c");
	stream_until(&user.screen, "[a: detached]");
	user_ended(&user, 0);
}

/* The reason is told on the user's own screen, where it stays. */
Test(attach, says_why_when_the_terminal_is_back)
{
	struct user user;
	pid_t daemon = fixture.daemon;

	alter(&user);
	kill(fixture_child(fixture.server, "mimobox-unmounter"), SIGKILL);
	fixture.daemon = 0;
	fixture.crashed = true;
	kill(daemon, SIGKILL);
	cr_assert(ended(daemon, 10000, NULL));
	stream_until(&user.screen, "\033]R\033\\");
	expect_back(user.screen.data, "altered", true);
	stream_until(&user.screen, "mimobox: a: the mimoboxfs of this session has died");
	user_ended(&user, 125);
}

/* A command that prints controls, which nothing of its own takes back; and one that prints none. */
Test(attach, run_brings_the_terminal_back)
{
	struct user user;

	user_start(&user, ARGUMENTS("run", "sh", "-c", text("printf '%s'; echo altered", altered)));
	stream_until(&user.screen, "altered");
	stream_until(&user.screen, "\033]R\033\\");
	expect_back(user.screen.data, "altered", false);
	cr_assert(!has(user.screen.data, "\033[?1049l") && has(user.screen.data, "\033[?1047l"));
	user_ended(&user, 0);
	user_start(&user, ARGUMENTS("run", "sh", "-c", "echo plain; read x; echo $x"));
	stream_until(&user.screen, "plain");
	type(&user, "end\r");
	stream_until(&user.screen, "end\r\nend\r\n");
	cr_assert(ended(user.pid, SECONDS * 1000, NULL));
	cr_expect(!has(user.screen.data, "\033"), "%s", user.screen.data);
	close(user.screen.fd);
	user_start(&user, ARGUMENTS("run", "sh", "-c",
				    text("printf '%s'; echo altered; exec sleep 60", altered)));
	stream_until(&user.screen, "altered");
	kill(user.pid, SIGKILL);
	stream_until(&user.screen, "\033]R\033\\");
	expect_back(user.screen.data, "altered", false);
	user_ended(&user, -SIGKILL);
	cr_assert(await(no_session, NULL, 10000));
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
