/* SPDX-License-Identifier: MIT */
/*
 * `wait/`: questions that are answered when they are true, and by the end at the latest.
 *
 * What is asked is a name, so most of this is done with cat and sh, as a script would. Nothing
 * here sleeps to let something happen; the programs inside go on when they are typed to.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

TestSuite(wait, .init = fixture_start, .fini = fixture_stop, .timeout = 90);

/* The answer to a question about `a`. */
static char *ask(const char *question)
{
	return get(text("a/wait/%s", question), NULL);
}

/* The answer if there is one now, else "". */
static char *ask_now(const char *question)
{
	char data[4096];
	ssize_t size = get_now(text("a/wait/%s", question), data);

	cr_assert(size > 0 || size == -EAGAIN, "%s: %s", question, strerror((int)-size));
	return text("%.*s", size > 0 ? (int)size : 0, data);
}

static pid_t ask_later(const char *question)
{
	pid_t pid = spawn((const char *const[]){ "cat", at("a/wait/%s", question), NULL });

	cr_assert(await(any_with, text("a/wait/%s", question), 5000));
	cr_assert(await(process_waits, &pid, 5000));
	return pid;
}

Test(wait, exit)
{
	session_start("a", "command printf 12345; read x; exit 3\n");
	cr_assert_str_eq(ask("match@0:5"), "match 5\n");
	cr_assert_str_eq(ask_now("exit"), "");
	put_all("a/input", "\n");
	cr_assert_str_eq(ask("exit"), "exit 7\n"); /* and the echo */
	cr_assert_str_eq(ask("exit"), "exit 7\n");
	cr_assert_eq(session_exit("a"), 3);
}

/* From when it was asked: what is quiet already is waited for all the same. */
Test(wait, idle_counts_from_asking)
{
	uint64_t begin;

	session_start("a", "command printf 12345; read x\n");
	cr_assert_str_eq(ask("match@0:5"), "match 5\n");
	for (int i = 0; i < 2; i++) {
		begin = now_ms();
		cr_assert_str_eq(ask("idle:400ms"), "idle 5\n");
		cr_assert(now_ms() - begin >= 395, "%u ms", (unsigned)(now_ms() - begin));
	}
}

/* Each output begins it anew. The session's program is what sleeps here. */
Test(wait, idle_is_put_off_by_output)
{
	uint64_t begin = now_ms();
	unsigned silence = scaled(1500); /* no pause of the program's may be as long */

	session_start("a", "command i=0; while [ $i -lt 20 ]; do printf x; sleep 0.1; i=$((i+1)); "
			   "done; read x\n");
	cr_assert_str_eq(ask(text("idle:%ums", silence)), "idle 20\n");
	cr_assert(now_ms() - begin >= 1900 + silence - 5, "%u ms", (unsigned)(now_ms() - begin));
}

Test(wait, idle_ends_with_the_session)
{
	pid_t asker;

	session_start("a", "command printf 12345; read x\n");
	asker = ask_later("idle:1h");
	put_all("a/input", "\n");
	cr_assert(ended(asker, 5000, NULL));
	cr_assert_str_eq(ask("idle:1h"), "exit 7\n");
}

/* As a shell with readline has it: what is printed begins behind a sequence and a CR. */
Test(wait, text_is_without_control_sequences)
{
	session_start("a",
		      "command stty -opost -echo; "
		      "printf 'a\\033[?2004l\\rt\\033[1mex\\033[0mt: \\303\\251\\r\\n"
		      "b\\033]0;title\\007c\\rd\\n\\ne\\377f'; read x; printf later; read x\n");
	cr_assert_str_eq(ask("match@0:e.f"), "match 47\n");
	cr_expect_str_eq(ask("text@0:^text: "), "match 24\n");
	cr_expect_str_eq(ask("text@0:text: \303\251$"), "match 27\n");
	cr_expect_str_eq(ask("text@0:^bc$"), "match 41\n");
	cr_expect_str_eq(ask("text@0:^d$"), "match 43\n");
	cr_expect_str_eq(ask("text@0:e\357\277\275f"), "match 47\n");
	cr_expect_str_eq(ask("text@24:^.."), "match 26\n");
	cr_expect_str_eq(ask_now("text@0:title"), "");
	cr_expect_str_eq(ask_now("text@0:[0-9]"), "");
	/* two ends of a line are one empty line; CR and LF are one end */
	cr_expect_str_eq(ask("text@24:^$"), "match 44\n");
	/* the control: bytes are matched as they are */
	cr_expect_str_eq(ask_now("match@0:^text"), "");
	cr_expect_str_eq(ask("match@0:title"), "match 38\n");
	/* from now on */
	pid_t asker = ask_later("text:^later$");
	pid_t other = ask_later("text:later");
	put_all("a/input", "\n");
	cr_assert(ended(other, 5000, NULL));
	put_all("a/input", "\n");
	cr_assert(ended(asker, 5000, NULL));
	cr_assert_str_eq(ask("text@0:never"), "exit 52\n");
	cr_assert_eq(can_open("a/wait/text", O_RDONLY), -ENOENT);
	cr_assert_eq(can_open("a/wait/text@x:a", O_RDONLY), -EINVAL);
	cr_assert_eq(can_open("a/wait/text:(", O_RDONLY), -EINVAL);
}

Test(wait, match_sees_what_comes_and_match_at_what_was)
{
	struct stream answer;

	session_start("a", "command stty -echo; printf hello; read x; printf ' hello'; read x\n");
	cr_assert_str_eq(ask("match@0:hello"), "match 5\n");
	cr_assert_str_eq(ask("match@0:l+"), "match 3\n"); /* the first that is complete */
	cr_assert_str_eq(ask("match@3:l"), "match 4\n");
	cr_assert_str_eq(ask_now("match:hello"), "");
	cr_assert_str_eq(ask_now("match@1:hello"), "");
	stream_open(&answer, "a/wait/match:hello");
	put_all("a/input", "\n");
	stream_rest(&answer);
	cr_assert_str_eq(answer.data, "match 11\n");
	stream_close(&answer);
}

/* Prints so many x, then a word, so that the word lies across `border`. */
static void around(unsigned border)
{
	char *answer;

	session_start("a", text("command stty raw -opost; head -c %u /dev/zero | tr '\\0' x; "
				"printf NEEDLE; read x\n",
				border - 3));
	answer = ask("match@0:NEEDLE");
	cr_expect_str_eq(answer, text("match %u\n", border + 3), "%u: %s", border, answer);
	cr_expect_str_eq(ask("match@0:x(N)EEDLE$"), text("match %u\n", border + 3));
	cr_expect_str_eq(ask(text("match@%u:DLE", border)), text("match %u\n", border + 3));
	cr_expect_str_eq(ask_now(text("match@%u:NEEDLE", border)), "");
	put_all("a/ctl", "kill\n");
	cr_expect_str_eq(ask("match@0:NEEDLE"), text("match %u\n", border + 3));
	cr_assert_eq(rmdir(at("a")), 0);
}

/* A long search goes on after the end, a piece at a time. */
Test(wait, after_the_end_of_a_lot)
{
	int fd;

	session_start("a", "command stty raw -opost; head -c 3000000 /dev/zero; printf NEEDLE\n");
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_str_eq(ask("match@0:NEEDLE"), "match 3000006\n");
	cr_assert_str_eq(ask("match@0:THREAD"), "exit 3000006\n");
	fd = open(at("a/wait/match@0:NEED"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert(poll_one(fd, POLLIN, 10000));
	cr_assert_eq(read(fd, (char[64]){ 0 }, 64), 14);
	close(fd);
}

/* Every border that there is between pieces: of the spool's reads, of looks, of what is held. */
Test(wait, match_across_borders)
{
	around(4095);
	around(4096);
	around(8192);
	around(65536);
	around(131072);
	around(262144);
	around(524288);
}

/* A word that comes in two writes, with all the time in between. */
Test(wait, match_across_writes)
{
	struct stream answer;

	session_start("a", "command stty -echo; printf nee; read x; printf dle; read x\n");
	stream_open(&answer, "a/wait/match@0:needle");
	cr_assert_str_eq(ask("match@0:nee"), "match 3\n");
	cr_assert_str_eq(ask_now("match@0:needle"), "");
	put_all("a/input", "\n");
	stream_rest(&answer);
	cr_assert_str_eq(answer.data, "match 6\n");
	stream_close(&answer);
}

Test(wait, after_the_end)
{
	session_start("a", "command printf 'one two'\n");
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_str_eq(ask("match@0:one"), "match 3\n");
	cr_assert_str_eq(ask("match@0:two$"), "match 7\n");
	cr_assert_str_eq(ask("match@0:three"), "exit 7\n");
	cr_assert_str_eq(ask("match@4:one"), "exit 7\n");
	cr_assert_str_eq(ask("match@7:two"), "exit 7\n");
	cr_assert_str_eq(ask("match@999999:x"), "exit 7\n");
	cr_assert_str_eq(ask("match:one"), "exit 7\n");
	cr_assert_str_eq(ask("idle:1h"), "exit 7\n");
}

/* `$` is the end of what there is so far: a prompt, and not the same words in a text. */
Test(wait, prompt)
{
	session_start("a",
		      "command stty -echo; printf 'a $ b'; read x; printf '\\na $ '; read x\n");
	cr_assert_str_eq(ask("match@0:b"), "match 5\n");
	cr_assert_str_eq(ask("match@0:\\$ "), "match 4\n");
	cr_assert_str_eq(ask_now("match@0:\\$ $"), "");
	put_all("a/input", "\n");
	cr_assert_str_eq(ask("match@0:\\$ $"), "match 11\n");
}

/* As a script has it: each question from where the last answer ended. */
Test(wait, login_dialogue)
{
	char *transcript;

	session_start("a", "command while :; do printf 'login: '; read u; stty -echo; "
			   "printf 'Password: '; read p; stty echo; echo; "
			   "[ $u:$p = ann:hidden ] && break; echo Login incorrect; done; "
			   "while :; do printf '1) one\\n2) quit\\nchoice> '; read c; case $c in "
			   "1) echo picked one;; 2) echo bye; exit 7;; *) echo 'what?';; esac; "
			   "done\n");
	cr_assert_str_eq(
		sh("cd $M/a; at=0;"
		   "see() { set -- $(cat \"wait/match@$at:$1\"); at=$2; [ $1 = match ] || exit 9; "
		   "};"
		   "say() { printf '%s\\n' \"$1\" > input; };"
		   "see 'login: $'; say ann; see 'Password: $'; say wrong; see 'incorrect';"
		   "see 'login: $'; say ann; see 'Password: $'; say hidden;"
		   "see 'choice> $'; say 3; see 'what\\?'; see 'choice> $'; say 1;"
		   "see '^picked (one|two)'; see 'choice> $'; say 2;"
		   "set -- $(cat wait/exit); echo $1; cat exit; [ $2 = $(wc -c < output) ]"),
		"exit\n7\n");
	transcript = get("a/transcript", NULL);
	cr_assert(has(transcript, "login: ann") && has(transcript, "bye"), "%s", transcript);
	cr_assert(!has(transcript, "hidden") && !has(transcript, "wrong"), "%s", transcript);
}

Test(wait, malformed)
{
	static const struct {
		const char *question;
		int error;
	} malformed[] = {
		{ "match:[", EINVAL },
		{ "match:(a", EINVAL },
		{ "match:(a)\\1", EINVAL },
		{ "match:a{2,1}", EINVAL },
		{ "match:a{300}", EINVAL },
		{ "match:((((a{99}){99}){99}){99}", EINVAL },
		{ "match:[[:nothing:]]", EINVAL },
		{ "match@:a", EINVAL },
		{ "match@x:a", EINVAL },
		{ "match@-1:a", EINVAL },
		{ "match@5", EINVAL },
		{ "match@99999999999999999999:a", EINVAL },
		{ "idle:", EINVAL },
		{ "idle:soon", EINVAL },
		{ "idle:-1s", EINVAL },
		{ "idle:99999999999999999999h", ERANGE },
	};

	session_make("a");
	for (unsigned i = 0; i < sizeof(malformed) / sizeof(*malformed); i++) {
		const char *question = malformed[i].question;
		int error = can_open(text("a/wait/%s", question), O_RDONLY);
		char *log = get("a/log", NULL);
		char *line = strstr(log, text("wait: '%.100s': ", question));

		cr_expect_eq(error, -malformed[i].error, "%s: %d", question, error);
		cr_expect(line && strlen(strstr(line, "': ")) > 8, "%s: no reason in the log: %s",
			  question, log);
	}
	cr_assert_eq(can_open("a/wait/match:[a-z]{2,5}(x|y)*", O_RDONLY), 0);
}

Test(wait, unknown_names_and_what_a_directory_may)
{
	static const char *const unknown[] = { "x", "Exit", "exit2", "idle", "match", ".x" };
	struct stat st;
	DIR *dir;

	session_make("a");
	for (unsigned i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		cr_expect_eq(can_open(text("a/wait/%s", unknown[i]), O_RDONLY), -ENOENT, "%s",
			     unknown[i]);
	cr_assert_eq(can_open("a/wait/exit", O_RDONLY), 0);
	cr_assert_eq(can_open("a/wait/exit", O_WRONLY), -EACCES);
	cr_assert_eq(stat(at("a/wait"), &st), 0);
	cr_assert_eq(st.st_mode, S_IFDIR | 0500, "%o", st.st_mode);
	cr_assert_eq(stat(at("a/wait/idle:1s"), &st), 0);
	cr_assert_eq(st.st_mode, S_IFREG | 0400, "%o", st.st_mode);
	dir = opendir(at("a/wait"));
	cr_assert(dir != NULL);
	cr_assert_str_eq(sh("ls -A $M/a/wait; ls $M/a | grep wait"), "wait\n");
	closedir(dir);
	cr_assert_lt(mkdir(at("a/wait/d"), 0700), 0);
}

/* Asked once, and the answer stays. */
Test(wait, nonblocking)
{
	char answer[64];
	int fd;

	session_start("a", "command stty -echo; printf a; read x; printf b; read x\n");
	cr_assert_str_eq(ask("match@0:a"), "match 1\n");
	fd = open(at("a/wait/match@0:b"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert(fd >= 0);
	cr_assert(read(fd, answer, 64) == -1 && errno == EAGAIN, "%s", strerror(errno));
	put_all("a/input", "\n");
	cr_assert(poll_one(fd, POLLIN, 10000) & POLLIN);
	cr_assert_eq(read(fd, answer, 64), 8);
	cr_assert_eq(memcmp(answer, "match 2\n", 8), 0);
	cr_assert_eq(read(fd, answer, 64), 0);
	cr_assert_eq(pread(fd, answer, 64, 6), 2);
	close(fd);
}

Test(wait, edge_triggered_epoll)
{
	const char *const questions[] = { "match@0:b", text("idle:%ums", scaled(700)), "exit" };
	struct epoll_event event;
	int epoll = epoll_create1(EPOLL_CLOEXEC), fds[3];

	session_start("a", "command stty -echo; printf a; read x; printf b; read x\n");
	cr_assert_str_eq(ask("match@0:a"), "match 1\n");
	for (uint32_t i = 0; i < 3; i++) {
		event = (struct epoll_event){ .events = EPOLLIN | EPOLLET, .data.u32 = i };
		fds[i] = open(at("a/wait/%s", questions[i]), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		cr_assert(fds[i] >= 0);
		cr_assert_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event), 0);
	}
	cr_assert_eq(epoll_wait(epoll, &event, 1, 0), 0);
	for (uint32_t i = 0; i < 3; i++) { /* one after the other, as typed */
		if (i != 1)
			put_all("a/input", "\n");
		do /* those that were answered may tell of their end again */
			cr_assert_eq(epoll_wait(epoll, &event, 1, (int)scaled(10000)), 1, "%s",
				     questions[i]);
		while (event.data.u32 < i);
		cr_assert_eq(event.data.u32, i, "%s", questions[event.data.u32]);
		cr_assert(event.events & EPOLLIN);
		cr_assert_gt(read(fds[i], (char[64]){ 0 }, 64), 0);
	}
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close(epoll);
}

Test(wait, signals_end_a_parked_question)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGKILL };
	pid_t askers[3];
	int status;

	session_start("a", "command read x\n");
	for (int i = 0; i < 3; i++) {
		static const char *const questions[] = { "exit", "idle:1h", "match:x" };

		for (int j = 0; j < 3; j++)
			askers[j] = ask_later(questions[j]);
		for (int j = 0; j < 3; j++) {
			kill(askers[j], signals[i]);
			cr_assert(ended(askers[j], 3000, &status), "%s, %d: state %c", questions[j],
				  signals[i], process_state(askers[j]));
			cr_assert_eq(status, -signals[i]);
		}
	}
	cr_assert_str_eq(get_value("a/status", "state"), "running");
}

static void rmdir_answers(const char *answer)
{
	pid_t asker = spawn((const char *const[]){
		"sh", "-c", "cat $M/a/wait/exit $M/a/wait/match:x $M/a/wait/idle:1h 3< $M/a",
		NULL });
	struct stream questions[3];
	int status;

	stream_open(&questions[0], "a/wait/exit");
	stream_open(&questions[1], "a/wait/idle:1h");
	stream_open(&questions[2], "a/wait/match:x");
	cr_assert(await(any_with, at("a/wait/exit"), 5000));
	cr_assert(await(process_waits, &asker, 5000));
	cr_assert_eq(rmdir(at("a")), 0);
	for (int i = 0; i < 3; i++) {
		stream_rest(&questions[i]);
		cr_assert_str_eq(questions[i].data, answer, "%d", i);
		stream_close(&questions[i]);
	}
	cr_assert(ended(asker, 5000, &status));
}

Test(wait, rmdir)
{
	session_start("a", "command printf 12345; read x\n");
	cr_assert_str_eq(ask("match@0:5"), "match 5\n");
	rmdir_answers("exit 5\n");
	/* nothing has run: no answer, but an end */
	session_make("a");
	rmdir_answers("");
}

enum { MANY = 500 };

static bool many_ask(const void *count)
{
	return processes_with("/wait/match@0:go") >= *(const unsigned *)count;
}

/* Each with a question of its own, half of them answered by the first line, half by the end. */
Test(wait, five_hundred)
{
	const unsigned all = MANY;
	uint64_t begin;
	pid_t askers;
	int status;

	session_start("a", "command stty -echo; read x; printf \"$x\"; read x\n");
	askers = spawn((const char *const[]){
		"sh", "-c",
		text("i=0; q=match@0:; while [ $i -lt %d ]; do g=go; [ $((i%%2)) = 1 ] && g=gone;"
		     "cat \"$M/a/wait/$q$g|never$i\" > $M/../w.$i & i=$((i+1)); done; wait",
		     MANY),
		NULL });
	cr_assert(await(many_ask, &all, 30000), "%u", processes_with("/wait/match@0:go"));
	begin = now_ms();
	cr_assert_eq(access(at("a/status"), F_OK), 0);
	put_all("a/input", "go\n");
	put_all("a/input", "\n");
	cr_assert_eq(session_exit("a"), 0);
	cr_assert(ended(askers, 20000, &status));
	fprintf(stderr, "%d questions answered in %u ms\n", MANY, (unsigned)(now_ms() - begin));
	cr_assert_str_eq(sh("cd $M/..; cat w.* | sort | uniq -c | sed 's/^ *//'"),
			 "250 exit 2\n250 match 2\n");
}

/* A pattern of a thousand threads to each byte, and a flood: they are slow, and nobody else is. */
Test(wait, a_costly_pattern_holds_nobody_up)
{
	uint64_t all = now_ms();
	struct stat st;
	pid_t asker;

	session_start("a", "command stty raw -opost; exec yes abababababababababababababababab\n");
	session_start("b", "command read x\n");
	asker = ask_later("match@0:([ab]?[ab]?[ab]?){150}z[ab]!");
	/* the flood has no end: who waited for the search would wait for ever */
	for (int i = 0; i < 200; i++)
		cr_assert_eq(stat(at("b/%s", i % 2 ? "status" : "output"), &st), 0);
	fprintf(stderr, "beside a costly pattern: %u ms for 200\n", (unsigned)(now_ms() - all));
	kill(asker, SIGKILL);
	cr_assert(ended(asker, 3000, NULL));
	put_all("a/ctl", "kill\n");
}
