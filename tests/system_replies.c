/* SPDX-License-Identifier: MIT */
/* A program that asks its terminal gets one answer: the session's, or that of one who is attached.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "seat.h"

static void replies_start(void)
{
	fixture_start();
	setenv("MIMOBOX", fixture.mount, 1);
	setenv("TERM", "xterm", 1);
	signal(SIGHUP, SIG_DFL);
}

TestSuite(replies, .init = replies_start, .fini = fixture_stop, .timeout = 200);

/*
 * A program that asks where its cursor is when it gets an `a`, which status its terminal has when
 * it gets an `s`, and shows each other byte that it gets between angle brackets, ESC as an E.
 */
#define ASKER                                                                                  \
	"command stty raw -echo; printf 'ready\\r\\n'; "                                       \
	"while c=$(dd bs=1 count=1 2>/dev/null; echo .); [ \"$c\" != . ]; do case ${c%.} in "  \
	"a) printf '\\033[6n';; s) printf '\\033[5n';; \"$(printf '\\033')\") printf '<E>';; " \
	"*) printf '<%s>' \"${c%.}\";; esac; done\n"

static void ask_start(const char *config)
{
	session_start("a", text("%s%s", ASKER, config));
	sh("cat $M/a/wait/match@0:ready");
}

/* How often `part` has been printed in all. */
static unsigned printed(const char *part)
{
	unsigned count = 0;

	for (const char *at = get("a/transcript", NULL); (at = strstr(at, part)); at++)
		count++;
	return count;
}

/* What was typed before is shown. */
static void reaches(const char *key)
{
	put_all("a/input", key);
	sh(text("cat '%s'", at("a/wait/match@0:<%s>", key)));
}

Test(replies, by_the_session)
{
	ask_start("");
	put_all("a/input", "a");
	reaches("1");
	sh("cat $M/a/wait/match@0:R");
	/* behind the line that it printed */
	cr_expect(has(get("a/transcript", NULL), "<E><[><2><;>"), "%s", get("a/transcript", NULL));
	put_all("a/input", "s");
	sh("cat $M/a/wait/match@0:E.....0..n");
	reaches("2");
	cr_expect_eq(printed("<R>"), 1);
	cr_expect_eq(printed("<n>"), 1);
	/* two letters to ask by, and two marks: answers are nobody's input */
	cr_expect_str_eq(get_value("stats", "bytes-in"), "4");
	cr_expect_str_eq(get_value("a/status", "answers"), "session");
}

Test(replies, by_nobody)
{
	ask_start("replies never\n");
	put_all("a/input", "as");
	reaches("1");
	sh("cat $M/a/wait/idle:300ms");
	cr_expect_eq(printed("<E>"), 0, "%s", get("a/transcript", NULL));
	cr_expect_str_eq(get_value("a/status", "answers"), "nothing");
}

/* The terminal would echo the answer into the output of a program that does not wait for it. */
Test(replies, not_echoed_into_what_a_program_prints)
{
	session_start("a",
		      "command stty raw -opost; printf 'x\\033[6ny\\033[5nz'; cat >/dev/null\n");
	sh("cat $M/a/wait/match@0:z");
	sh("cat $M/a/wait/idle:300ms");
	cr_expect_str_eq(get("a/transcript", NULL), "x\033[6ny\033[5nz");
}

Test(replies, not_to_one_that_prints_what_is_typed)
{
	session_start("a", "command stty raw -echo; printf ready; exec cat\n");
	sh("cat $M/a/wait/match@0:ready");
	put_all("a/input", "x\033[6ny\033[cz");
	sh("cat $M/a/wait/match@0:z");
	sh("cat $M/a/wait/idle:300ms");
	cr_expect_str_eq(get("a/transcript", NULL), "readyx\033[6ny\033[cz");
}

Test(replies, with_echo_to_one_that_waits)
{
	session_start("a", "command stty raw; printf '\\033[6n'; "
			   "dd bs=1 count=6 2>/dev/null | tr '\\033R' EX; sleep 1000\n");
	sh("cat $M/a/wait/'match@0:E.1;1X'");
}

/* Each in one piece, and never in the midst of what a client writes. */
Test(replies, between_writes)
{
	enum { ROUNDS = 200 };
	static const char word[] = "a(0123456789abbcdefghijklmnopqrtuvwxyz)s";
	static const char whole[] = "(0123456789a\033[6nbbcdefghijklmnopqrtuvwxyz)s\033[5n";
	unsigned words = 0;

	session_start("a", "command stty raw -echo; printf ready; "
			   "cat | sed -u 's/a/a\\x1b[6n/g; s/s/s\\x1b[5n/g'\n");
	sh("cat $M/a/wait/match@0:ready");
	for (unsigned i = 0; i < ROUNDS; i++)
		put_all("a/input", text("%s\n", word));
	sh("cat $M/a/wait/idle:500ms");
	const char *all = get("a/transcript", NULL);
	for (const char *at = all; (at = strstr(at, "(0123456789")); at++, words++)
		cr_assert(!strncmp(at, whole, strlen(whole)), "%.60s", at);
	cr_expect_eq(words, ROUNDS);
	cr_expect(has(all, "\033[0n"));
}

enum { LINES = 200, WRITERS = 3 };

/* A line that may be too long for the terminal, as far as the server knows: init is asked. */
static int write_lines(const void *unused)
{
	char line[3801];
	struct stream stream;

	(void)unused;
	memset(line, 'x', sizeof(line));
	strcpy(line + sizeof(line) - 3, "y\n");
	stream_open(&stream, "a/output");
	for (unsigned i = 0; i < LINES; i++) {
		stream_until(&stream, text("GO %u\r\n", i));
		put_all("a/input", line);
	}
	return 0;
}

/* One write is asked at a time: an answer that finds another there has its turn after that. */
Test(replies, behind_writes_that_init_is_asked_about)
{
	struct stream stream;

	session_start(
		"a",
		text("argv "
		     "[\"python3\",\"-c\",\"import os,termios\\nm=termios.tcgetattr(0)\\n"
		     "m[3]&=~termios.ECHO\\nm[6][termios.VEOL]=b'n'\\ntermios.tcsetattr(0,0,m)\\n"
		     "print('ready',flush=True)\\nos.read(0,1)\\n"
		     "for i in range(%u):\\n"
		     "  print('GO',i,flush=True)\\n  data=''\\n  asked=False\\n"
		     "  while data.count('y')<%u or chr(27)+'[0n' not in data:\\n"
		     "    data+=os.read(0,65536).decode()\\n"
		     "    if 'y' in data and not asked: print(end=chr(27)+'[5n',flush=True)\\n"
		     "    asked|='y' in data\\n"
		     "print('ALL',flush=True)\"]\n",
		     LINES, WRITERS));
	stream_open(&stream, "a/output");
	stream_until(&stream, "ready");
	for (unsigned i = 0; i < WRITERS; i++)
		spawn_function(write_lines, NULL);
	put_all("a/input", "\n");
	stream_until(&stream, "ALL");
	stream_close(&stream);
}

Test(replies, once_the_screen_is_made)
{
	/* more than is drawn in one go */
	session_start("a", "command stty raw -echo; seq 1000000; printf '\\rabc\\033[6n'; "
			   "dd bs=1 count=7 2>/dev/null | tr '\\033' E\n");
	session_exit("a");
	cr_expect(has(get("a/transcript", NULL), "E[24;4R"), "%.40s",
		  strstr(get("a/transcript", NULL), "abc"));
}

/* It asks and asks, and reads nothing: what it costs is bounded, and the server has time for
 * others. */
Test(replies, to_one_without_end)
{
	session_start("b", "command cat\n");
	session_start("a", "command stty raw -echo; printf ready; "
			   "yes \"$(printf '\\033[6n\\033[c\\033]11;?\\007')\"\n");
	sh("cat $M/a/wait/match@0:ready");
	for (unsigned i = 0; i < 20; i++) {
		put_all("b/input", text("word%u\n", i));
		sh(text("cat '%s'", at("b/wait/match@0:word%u", i)));
		pause_ms(20);
	}
	/* what is typed waits, and then there is no room: it is refused, not lost in between */
	cr_expect_eq(put("a/input", "x"), 1);
	put_all("a/ctl", "kill\n");
	session_exit("a");
}

/* The verb */

static int claim(const char *name)
{
	int fd = open(at("%s/ctl", name), O_WRONLY | O_CLOEXEC);

	cr_assert(fd >= 0);
	if (write(fd, "answer\n", 7) == 7)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

static pid_t server;

/* One may be about to take over. */
static bool server_is_there(const void *unused)
{
	(void)unused;
	server = fixture_server();
	return server != 0 && process_state(server) != 'Z';
}

static void kill_server(void)
{
	cr_assert(await(server_is_there, NULL, 5000));
	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert(await(process_gone, &server, 5000));
}

Test(replies, by_one_client)
{
	int fd, other;

	ask_start("");
	cr_assert((fd = claim("a")) >= 0);
	cr_expect_str_eq(get_value("a/status", "answers"),
			 text("attached %s", get_value("a/status", "output-end")));
	cr_expect_eq(write(fd, "answer\n", 7), 7); /* it does already */
	cr_expect_eq(claim("a"), -EBUSY);
	put_refused("a/ctl", "answer\n", EBUSY);
	put_all("a/input", "as");
	reaches("1");
	sh("cat $M/a/wait/idle:300ms");
	cr_expect_eq(printed("<E>"), 0, "%s", get("a/transcript", NULL));
	close(fd);
	cr_expect_str_eq(get_value("a/status", "answers"), "session");
	put_all("a/input", "s");
	sh("cat $M/a/wait/match@0:E.....0..n");
	cr_assert((other = claim("a")) >= 0);
	/* another server goes on with that */
	kill_server();
	put_all("a/input", "s");
	reaches("2");
	sh("cat $M/a/wait/idle:300ms");
	cr_expect_eq(printed("<n>"), 1, "%s", get("a/transcript", NULL));
	close(other);
	put_all("a/input", "s");
	sh("cat $M/a/wait/match@0:n.*n");
}

/* Or not at all: the server may be killed between a question and its answer. */
Test(replies, once_over_deaths)
{
	enum { DEATHS = 8 };

	ask_start("");
	for (unsigned i = 1; i <= DEATHS; i++) {
		put_all("a/input", "s");
		kill_server();
		reaches(text("%u", i));
		cr_assert_leq(printed("<n>"), i, "%s", get("a/transcript", NULL));
	}
	sh("cat $M/a/wait/idle:300ms");
	unsigned before = printed("<n>");
	cr_assert_leq(before, DEATHS);
	put_all("a/input", "s");
	sh("cat $M/a/wait/idle:500ms");
	cr_expect_eq(printed("<n>"), before + 1, "%s", get("a/transcript", NULL));
}

Test(replies, cannot_be_claimed)
{
	session_make("a");
	put_all("a/config", "terminal no\n");
	put_refused("a/ctl", "answer\n", ENOTTY);
	cr_expect(get_value("a/status", "answers") == NULL);
	session_make("b");
	put_all("b/config", "replies always\n");
	put_refused("b/ctl", "answer\n", EBUSY);
	cr_expect_str_eq(get_value("b/status", "answers"), "always");
	put_refused("b/config", "replies maybe\n", EINVAL);
}

/* Attached */

/* As an emulator: an answer to each question that it gets, with its own number. */
static void answer(struct user *user, size_t *seen, unsigned number)
{
	for (const char *at; (at = strstr(user->screen.data + *seen, "\033[6n"));
	     *seen = (size_t)(at - user->screen.data) + 1)
		type(user, text("\033[%u;1R", number));
}

/*
 * The program asks; both terminals have got all that it printed, and have answered what they were
 * asked; and all that they said has come to the program.
 */
static void ask_all(struct user *users, size_t *seen, unsigned count, const char *mark)
{
	put_all("a/input", "a");
	put_all("a/input", mark);
	for (unsigned i = 0; i < count; i++) {
		stream_until(&users[i].screen, text("<%s>", mark));
		answer(&users[i], &seen[i], 11 * (i + 1));
		type(&users[i], text("%c", 'A' + (int)i));
	}
	sh("cat $M/a/wait/idle:300ms");
}

static const char *last_answer(void)
{
	const char *all = get("a/transcript", NULL), *last = NULL;

	for (const char *at = all; (at = strstr(at, "<E><[>")); at++)
		last = at;
	return last ? text("%.12s", last + 6) : "";
}

static bool client_answers(const void *unused)
{
	(void)unused;
	return strncmp(get_value("a/status", "answers"), "attached", 8) == 0;
}

Test(replies, by_one_of_the_attached)
{
	struct user users[2];
	size_t seen[2] = { 0, 0 };

	ask_start("");
	user_start(&users[0], ARGUMENTS("attach", "a"));
	stream_until(&users[0].screen, "ready");
	cr_assert(await(client_answers, NULL, 5000));
	ask_all(users, seen, 1, "1");
	cr_expect_eq(printed("<R>"), 1, "%s", get("a/transcript", NULL));
	cr_expect_str_eq(last_answer(), "<1><1><;><1>");
	user_start(&users[1], ARGUMENTS("attach", "a"));
	stream_until(&users[1].screen, "ready");
	ask_all(users, seen, 2, "2");
	cr_expect_eq(printed("<R>"), 2, "%s", get("a/transcript", NULL));
	cr_expect_str_eq(last_answer(), "<1><1><;><1>");
	/* the first goes: the other notices by the next question, which the session answers */
	type(&users[0], "\x1c");
	user_ended(&users[0], 0);
	ask_all(users + 1, seen + 1, 1, "3");
	cr_expect_eq(printed("<R>"), 3, "%s", get("a/transcript", NULL));
	cr_assert(await(client_answers, NULL, 5000));
	ask_all(users + 1, seen + 1, 1, "4");
	cr_expect_eq(printed("<R>"), 4, "%s", get("a/transcript", NULL));
	cr_expect_str_eq(last_answer(), "<1><1><;><1>");
	cr_expect(has(users[1].screen.data, "\033[6n"));
	/* stopped, it does not answer; the session does */
	kill(users[1].pid, SIGTSTP);
	cr_assert(await(process_stopped, &users[1].pid, 5000));
	put_all("a/input", "a");
	reaches("5");
	sh("cat $M/a/wait/idle:300ms");
	cr_expect_eq(printed("<R>"), 5, "%s", get("a/transcript", NULL));
	cr_expect_str_neq(last_answer(), "<1><1><;><1>");
	kill(users[1].pid, SIGKILL);
	cr_assert(ended(users[1].pid, 5000, NULL));
	close(users[1].screen.fd);
}

Test(replies, always_by_the_session)
{
	struct user user;
	size_t seen = 0;

	ask_start("replies always\n");
	user_start(&user, ARGUMENTS("attach", "a"));
	stream_until(&user.screen, "ready");
	ask_all(&user, &seen, 1, "1");
	cr_expect_eq(printed("<R>"), 1, "%s", get("a/transcript", NULL));
	cr_expect(!has(user.screen.data, "\033[6n"));
	/* its log has no line for each question */
	cr_expect(!has(get("a/log", NULL), "answer"), "%s", get("a/log", NULL));
	type(&user, "\x1c");
	user_ended(&user, 0);
}

/* It has a terminal of its own, and its own key says who answers there. */
Test(replies, of_one_in_the_sandbox_of_another)
{
	session_start("host", "replies never\ncommand echo ready; sleep 1000\n");
	sh("cat $M/host/wait/match@0:ready");
	ask_start("in host\n");
	put_all("a/input", "a");
	reaches("1");
	sh("cat $M/a/wait/match@0:R");
	cr_expect(has(get("a/transcript", NULL), "<E><[><2><;>"), "%s", get("a/transcript", NULL));
	cr_expect_str_eq(get_value("a/status", "answers"), "session");
	cr_expect_str_eq(get_value("host/status", "answers"), "nothing");
}

/* A terminal that answers nothing is not asked. */
Test(replies, not_by_a_dumb_terminal)
{
	struct user user;
	size_t seen = 0;

	ask_start("");
	setenv("TERM", "dumb", 1);
	user_start(&user, ARGUMENTS("attach", "a"));
	stream_until(&user.screen, "ready");
	ask_all(&user, &seen, 1, "1");
	cr_expect_eq(printed("<R>"), 1, "%s", get("a/transcript", NULL));
	cr_expect(!has(user.screen.data, "\033[6n"));
	type(&user, "\x1c");
	user_ended(&user, 0);
}

/* From the first byte on. */
Test(replies, by_the_terminal_of_run)
{
	struct user user;

	user_start(&user, ARGUMENTS("run", "sh", "-c",
				    "stty raw -echo; printf '\\033[6n'; "
				    "dd bs=1 count=7 2>/dev/null | tr '\\033' E; echo; sleep .3"));
	stream_until(&user.screen, "\033[6n");
	type(&user, "\033[33;1R");
	stream_until(&user.screen, "E[33;1R");
	user_ended(&user, 0);
}

/* Real programs */

/* What waits for an answer of its terminal, or would take a second one for keys. */
static const struct {
	const char *program, *config;
	const char *ready; /* in its text, or NULL: when it is quiet */
	const char *keys, *does;
	const char *quits;
} programs[] = {
	{ "irb", "command irb -f\nmemory 1G\n", "irb.*0.*", "puts 6*7\r", "42", "exit\r" },
	{ "fzf", "command seq 100 | fzf --height 10\n", "100.100", "77", "1.100", "\r" },
	{ "vim", "command vim -u NONE -N /tmp/file\n", NULL, "ione two\x1b", "one two", ":q!\r" },
	{ "less", "command seq 1000 > /tmp/n; less /tmp/n\n", NULL, "G", "1000", "q" },
	{ "htop", "command htop\n", NULL, "h", "Arrows", "qq" },
	{ "mc", "command mc -u /tmp\n", NULL, "echo $((6*7)) there\r", "42 there", "exit\r" },
	{ "fish", "command fish -N\nmemory 1G\n", NULL, "echo (math 6 x 7) there\r", "42 there",
	  "exit\r" },
	{ "zsh", "command zsh -f\n", NULL, "echo $((6*7)) there\r", "42 there", "exit\r" },
	{ "bash", "command bash --norc\n", NULL, "echo $((6*7)) there\r", "42 there", "exit\r" },
};
enum { PROGRAMS = sizeof(programs) / sizeof(*programs) };

static void is_ready(unsigned i)
{
	if (programs[i].ready)
		sh(text("cat '%s'", at("a/wait/text@0:%s", programs[i].ready)));
	else
		sh("cat $M/a/wait/idle:500ms");
}

/* By files alone, or beside so many real emulators that are attached. */
static void use_program(unsigned i, unsigned attached)
{
	session_start("a", programs[i].config);
	for (unsigned j = 0; j < attached; j++)
		sh(text("exec tmux -S $D/tmux%u -f /dev/null new -d -x 80 -y 24 $C attach a", j));
	is_ready(i);
	put_all("a/input", programs[i].keys);
	sh(text("cat '%s'", at("a/wait/text@0:%s", programs[i].does)));
	put_all("a/input", programs[i].quits);
	session_exit("a");
	for (unsigned j = 0; j < attached; j++)
		run_shell("sh", text("tmux -S $D/tmux%u kill-server", j));
	sh("rmdir $M/a");
}

static bool is_here(const char *program)
{
	return run_shell("sh", text("command -v %s", program)).status == 0;
}

static void use_programs(unsigned attached)
{
	unsigned used = 0;

	setenv("D", fixture.dir, 1);
	setenv("C", getenv("CLIENT"), 1);
	for (unsigned i = 0; i < PROGRAMS; i++)
		if (is_here(programs[i].program)) {
			use_program(i, attached);
			used++;
		}
	cr_assert_gt(used, 0);
}

Test(replies, programs_that_ask_the_session)
{
	use_programs(0);
}

Test(replies, programs_that_ask_one_who_is_attached)
{
	if (!is_here("tmux"))
		cr_skip_test("no tmux here");
	use_programs(1);
	use_programs(2);
}
