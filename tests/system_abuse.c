/* SPDX-License-Identifier: MIT */
/*
 * What a client or a program once could make the daemon keep, do or lose: one test for each.
 */
#include <criterion/criterion.h>
#include <dirent.h>
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

TestSuite(abuse, .init = fixture_start, .fini = fixture_stop, .timeout = 120);
TestSuite(abuse_bare, .fini = fixture_stop, .timeout = 60);

/* Ignores SIGTERM, and has told so once it does. */
#define STUBBORN "command trap '' TERM; echo ready; while :; do sleep 1; done\n"

static void until(const char *name, const char *question)
{
	char *answer = get(text("%s/wait/match@0:%s", name, question), NULL);

	cr_assert(has(answer, "match"), "%s: '%s': %s", name, question, answer);
}

static char *filled(const char *start, size_t size)
{
	char *line = keep(malloc(size + 2));
	size_t length = strlen(start);

	memset(line, 'x', size);
	memcpy(line, start, length);
	line[size] = '\n';
	line[size + 1] = '\0';
	return line;
}

/* (a) What a session keeps is bounded, and is told of at once. */

static void too_big(const char *data, const char *why)
{
	put_refused("a/config", data, E2BIG);
	cr_expect(has(get("a/log", NULL), why), "'%s' not in the log:\n%s", why,
		  get("a/log", NULL));
}

Test(abuse, environment)
{
	char *all = text("%s", "");
	unsigned lines = 0;
	ssize_t taken;

	session_make("a");
	for (unsigned i = 0; i < 600; i++)
		all = text("%senv N%03u=%03u\n", all, i, i);
	taken = put("a/config", all);
	cr_assert(taken > 0 && taken < (ssize_t)strlen(all), "%zd", taken);
	for (ssize_t i = 0; i < taken; i++)
		lines += all[i] == '\n';
	cr_assert(lines >= 480 && lines <= 512, "%u", lines);
	too_big(text("env N%03u=x\n", lines), "no more than 512 variables");
	put_all("a/config", "env N000=another\n"); /* one in the place of another */
	put_all("a/config", "command echo $N000 $N400; env | grep -c ^N\n");
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 0, "%s", get("a/log", NULL));
	cr_assert_str_eq(plain(get("a/output", NULL)), text("another 400\n%u\n", lines));
}

Test(abuse, environment_of_great_size)
{
	session_make("a");
	put_all("a/config", filled("env A=", 100000));
	too_big(filled("env B=", 100000), "128 KiB");
	put_all("a/config", "env A=small\n");
	put_all("a/config", filled("env B=", 100000));
	put_all("a/config", "command echo ${#A} ${#B}\n");
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 0, "%s", get("a/log", NULL));
	cr_assert_str_eq(plain(get("a/output", NULL)), "5 99994\n");
}

Test(abuse, paths)
{
	char *all = text("%s", "");
	unsigned lines = 0;
	ssize_t taken;

	session_make("a");
	for (unsigned i = 0; i < 200; i++)
		all = text("%sro /etc/hostname:/srv/p%u\n", all, i);
	taken = put("a/config", all);
	cr_assert(taken > 0 && taken < (ssize_t)strlen(all), "%zd", taken);
	for (ssize_t i = 0; i < taken; i++)
		lines += all[i] == '\n';
	cr_assert(lines >= 100 && lines <= 128, "%u", lines);
	too_big(text("ro /etc/hostname:/srv/p%u\n", lines), "too many");
	put_all("a/config", "command ls /srv | grep -c p\n");
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 0, "%s", get("a/log", NULL));
	cr_assert_str_eq(plain(get("a/output", NULL)), text("%u\n", lines));
}

Test(abuse, long_lines)
{
	session_make("a");
	too_big(filled("command : ", 200000), "line of more than 196608 bytes");
	put_all("a/config", filled("command exit 7;: ", 100000));
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 7);
}

/* (b) Ends of input, while the program does not read. */
Test(abuse, ends_of_input)
{
	char *lines = filled("", 40000);

	for (unsigned i = 99; i < 40000; i += 100)
		lines[i] = '\n';
	lines[40000] = '\0';
	session_start("a", "command stty -echo; echo ready; while ! [ -e /workspace/go ]; do "
			   "sleep 0.02; done; n=0; while [ $n -lt 64 ]; do cat | wc -c; "
			   "n=$((n+1)); done; echo done\n");
	until("a", "ready");
	put_all("a/input", lines); /* more than the terminal holds: all else waits behind it */
	for (unsigned i = 0; i < 64; i++)
		put_all("a/ctl", "eof\n");
	put_refused("a/ctl", "eof\n", EAGAIN);
	put_refused("a/ctl", "eof\n", EAGAIN);
	sh("touch $M/a/workspace/go");
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_str_eq(sh("tr -d '\\r' < $M/a/output | uniq -c | sed 's/^ *//'"),
			 "1 ready\n1 40000\n63 0\n1 done\n");
}

/* (c) A path whose filesystem's server does not answer. */

struct hung {
	char mount[80];
	pid_t daemon;
};

static bool is_mounted(const void *path)
{
	struct stat st;

	return !stat(text("%s/defaults", (const char *)path), &st);
}

static void hung_start(struct hung *hung)
{
	snprintf(hung->mount, sizeof(hung->mount), "%s/other", fixture.dir);
	sh("mkdir $M/../other $M/../other.spool");
	hung->daemon = spawn((const char *const[]){
		mimoboxfs(), "-f", "--keeper", "no", "--spool", text("%s.spool", hung->mount),
		"--workspaces", text("%s.workspaces", hung->mount), hung->mount, NULL });
	cr_assert(await(is_mounted, hung->mount, 10000));
	cr_assert_eq(mkdir(text("%s/s", hung->mount), 0755), 0);
	kill(hung->daemon, SIGSTOP);
	cr_assert(await(process_stopped, &hung->daemon, 5000));
}

static void hung_end(struct hung *hung)
{
	int status;

	kill(hung->daemon, SIGCONT);
	kill(hung->daemon, SIGTERM);
	cr_assert(ended(hung->daemon, 15000, &status));
	cr_assert_eq(status, 0);
}

static int write_start(const void *name)
{
	int fd = open(at("%s/ctl", (const char *)name), O_WRONLY);

	return write(fd, "start\n", 6) == 6 ? 0 : errno;
}

static bool is_created(const void *name)
{
	return !strcmp(get_value(text("%s/status", (const char *)name), "state"), "created");
}

/* The starter, who waits for an answer. */
static pid_t start_hangs(const char *name, const char *path)
{
	pid_t starter;

	session_make(name);
	put_all(text("%s/config", name), text("ro %s:/srv/x\ncommand exit 6\n", path));
	starter = spawn_function(write_start, name);
	cr_assert(await(session_is_starting, name, 5000), "%s", get(text("%s/log", name), NULL));
	cr_assert(await(process_waits, &starter, 5000));
	return starter;
}

static unsigned inits(void)
{
	char *count = sh(text("pgrep -c -P %d -x mimobox-init || :", fixture.daemon));

	return (unsigned)atoi(count);
}

static bool one_inside(const void *unused)
{
	(void)unused;
	return inits() == 1;
}

static bool none_inside(const void *unused)
{
	(void)unused;
	return inits() == 0;
}

/*
 * By rmdir, or by Ctrl-C and `kill`. While the starter waits, the kernel holds the lock of `ctl`
 * for it, and a `kill` that is written there by another would wait as long.
 */
static void a_start_ends(struct hung *hung, const char *below, bool removed)
{
	pid_t starter = start_hangs("a", text("%s%s", hung->mount, below));
	int status;

	cr_assert(await(one_inside, NULL, 5000));
	session_run("b", "command exit 5\n", &status); /* nobody else is held up */
	cr_assert_eq(status, 5);
	session_remove("b");
	if (removed)
		session_remove("a");
	else
		kill(starter, SIGINT);
	cr_assert(ended(starter, 5000, &status), "%s: the start goes on", below);
	cr_expect_eq(status, removed ? ECANCELED : -SIGINT, "%s", strerror(status));
	if (!removed)
		put_all("a/ctl", "kill\n");
	cr_assert(await(none_inside, NULL, 3000), "%u are left", inits());
	if (removed)
		return;
	cr_assert(await(is_created, "a", 3000));
	cr_assert(has(get("a/log", NULL), "start failed"), "%s", get("a/log", NULL));
	put_all("a/config", "reset\ncommand exit 4\n"); /* it can be mended */
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 4);
	session_remove("a");
}

Test(abuse_bare, a_start_that_hangs)
{
	struct hung hung;

	fixture_prepare();
	fixture_daemon((const char *const[]){ "--pool", "0", NULL });
	hung_start(&hung);
	a_start_ends(&hung, "/s/log", false);
	a_start_ends(&hung, "/s/log", true);
	a_start_ends(&hung, "/nothing", false);
	/* the control: where its server answers, it is refused for what it is */
	kill(hung.daemon, SIGCONT);
	session_make("c");
	put_all("c/config", text("ro %s/s/log:/srv/x\n", hung.mount));
	put_refused("c/ctl", "start\n", EPERM);
	hung_end(&hung);
}

/* (d) What is left unread of the control messages does not hide how the command ended. */
Test(abuse, exit_status_behind_unread_words)
{
	enum { TIMES = 40 };

	for (unsigned i = 0; i < TIMES; i++) {
		session_start("a", "kill-grace 10s\ncommand trap 'exit 5' TERM; echo ready; "
				   "while :; do sleep 0.05; done\n");
		until("a", "ready");
		put("a/ctl", "kill\nsignal CONT\nsignal CONT\nsignal CONT\nsignal CONT\n");
		cr_assert_eq(session_exit("a"), 5, "time %u: %d", i, session_exit("a"));
		session_remove("a");
	}
}

/* (e) A removed session counts as long as something of it lives, and that is not long. */

static bool can_make(const void *name)
{
	return mkdir(at("%s", (const char *)name), 0755) == 0;
}

Test(abuse_bare, removed_sessions_count)
{
	pid_t init;

	fixture_prepare();
	fixture_daemon((const char *const[]){ "--max-sessions", "2", NULL });
	session_make("idle");
	session_start("a", "kill-grace 1h\n" STUBBORN);
	until("a", "ready");
	init = session_init("a");
	session_remove("a");
	cr_assert(mkdir(at("b"), 0755) < 0 && errno == EAGAIN, "%s", strerror(errno));
	cr_assert(await(can_make, "b", 5000));
	cr_assert(process_gone(&init));
	cr_assert(mkdir(at("c"), 0755) < 0 && errno == EAGAIN);
	session_remove("b");
	session_make("c");
}

/* (f) The end of the daemon is not to be put off by a session. */
Test(abuse, a_daemon_that_is_told_to_end)
{
	session_start("a", "kill-grace 1h\n" STUBBORN);
	session_start("b", "terminal no\nends last-process\nkill-grace 1h\n" STUBBORN);
	until("a", "ready");
	until("b", "ready");
	fixture_daemon_ended(SIGTERM);
}

/* (g) A command cannot take from init, which has its identity, the descriptors it works with. */
Test(abuse, limits_of_init)
{
	int status;
	char *output = session_run(
		"a",
		"argv [\"python3\",\"-c\",\"import resource as r\\nr.prlimit(0, r.RLIMIT_NOFILE, "
		"(64, 64))\\nprint(r.getrlimit(r.RLIMIT_NOFILE))\\nfor pid in 1, 2, 2**31 - 1:\\n  "
		"try: print(r.prlimit(pid, r.RLIMIT_NOFILE, (0, 0)))\\n  except OSError as e: "
		"print(e.errno)\\nexit(6)\"]\n",
		&status);

	cr_assert_eq(status, 6, "%d: %s", status, output);
	cr_assert_str_eq(output, "(64, 64)\n1\n1\n1\n");
	output = session_run("b", "command prlimit --pid 1 --nofile=0:0; exit 5\n", &status);
	cr_assert_eq(status, 5);
	cr_assert(has(output, "Operation not permitted"), "%s", output);
}

/* (h) */
Test(abuse_bare, command_lines)
{
	static const char *const wrong[] = {
		"-o subtype=x $M",     "-o allow_other,subtype=y $M",
		"--spool $M/below $M", "--workspaces $M/below $M",
		"--spool $M $M",       "-o spool=$M/below $M",
	};

	fixture_prepare();
	sh("mkdir $M/below");
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct run done = run_shell("sh", text("exec %s %s", mimoboxfs(), wrong[i]));

		cr_expect_eq(done.status, 2, "%s: %d", wrong[i], done.status);
		cr_expect_eq(done.out_size, 0);
		cr_expect(done.err_size > 20 &&
				  strchr(done.err, '\n') == done.err + done.err_size - 1,
			  "%s: not one line: %s", wrong[i], done.err);
		cr_expect(!fixture_mounted(), "%s", wrong[i]);
	}
	fixture_daemon(NULL); /* the control */
}

/* (i) One writer at a time may have the beginning of a line kept. */
Test(abuse, unfinished_lines)
{
	char *start = filled("# a comment", 4096), *other = filled("# another", 4096);
	int one, two;

	session_make("a");
	one = open(at("a/config"), O_WRONLY | O_CLOEXEC);
	two = open(at("a/config"), O_WRONLY | O_CLOEXEC);
	cr_assert_eq(write(one, start, 4096), 4096);
	cr_assert(write(two, other, 4096) == -1 && errno == EBUSY, "%s", strerror(errno));
	cr_assert(has(get("a/log", NULL), "config refused: another writer"), "%s",
		  get("a/log", NULL));
	put_all("a/config", "timeout 22s\n"); /* whole lines are always taken */
	cr_assert_eq(write(one, "goes on\nopen-files 99\n", 22), 22);
	cr_assert_str_eq(get_value("a/config", "timeout"), "22s");
	cr_assert_str_eq(get_value("a/config", "open-files"), "99");
	cr_assert_eq(write(two, other, 4096), 4096); /* now it is the other's turn */
	cr_assert(write(one, start, 4096) == -1 && errno == EBUSY, "%s", strerror(errno));
	close(two);
	cr_assert_eq(write(one, start, 4096), 4096);
	close(one);
	put_all("a/config", "timeout 33s\n");
	cr_assert_str_eq(get_value("a/config", "timeout"), "33s");
}

/* (j) Nothing of how the daemon was called is told inside. */
Test(abuse, command_line_of_init)
{
	int status;
	char *output;

	cr_assert_gt(processes_with(fixture.spool), 0);
	output = session_run("a",
			     "command tr -d '\\0' < /proc/1/cmdline; echo; cat /proc/1/environ "
			     "| wc -c; cat /proc/1/comm\n",
			     &status);
	cr_assert_eq(status, 0, "%s", output);
	cr_assert(!strncmp(output, "mimobox-init\n", 13) && has(output, "\nmimobox-init\n"), "%s",
		  output);
	output = session_run("b",
			     "command grep -a mimobox-test /proc/1/cmdline /proc/self/cmdline "
			     "| tr -d '\\0' | wc -l\n",
			     &status);
	cr_assert_str_eq(output, "1\n"); /* its own, for the difference */
}
