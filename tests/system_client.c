/* SPDX-License-Identifier: MIT */
/* mimobox run, ls and rm, where there is no terminal; those of a terminal are in system_attach.c.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

static void client_start(void)
{
	fixture_start();
	cr_assert_eq(chdir("/tmp"), 0); /* where a session is as well */
	setenv("MIMOBOX", fixture.mount, 1);
	unsetenv("XDG_RUNTIME_DIR");
}

static void client_stop(void)
{
	if (fixture.daemon)
		cr_expect_str_eq(session_names(), "");
	fixture_stop();
}

TestSuite(client, .init = client_start, .fini = client_stop, .timeout = 120);

static const char *client(void)
{
	const char *path = getenv("CLIENT");

	cr_assert(path != NULL, "CLIENT: the program's path: run by meson test");
	return path;
}

/* As sh, with C the client. */
static struct run with_client(const char *script)
{
	setenv("C", client(), 1);
	return run_for(60, (const char *const[]){ "sh", "-c", script, NULL });
}

/* $R is nothing, or `mimobox run`. */
static const char *const pipelines[] = {
	/* bytes */
	"$R true",
	"$R echo hello world",
	"$R printf 'no newline'",
	"$R printf '\\0\\001\\377\\r\\n\\033[1m'",
	"$R printf '%s|' 'a b' '' '\"' '\\' \"'\" '*' 'ä€𝄞'",
	"$R printf '%s|' 'two\nlines' '\t' '$HOME' '`x`' '#' '{\"a\":[1]}'",
	"$R head -c 3000000 /dev/zero | md5sum",
	"$R seq 200000 | md5sum",
	"$R cat /etc/os-release",
	"$R pwd",
	"$R sh -c 'echo $0 $# \"$@\"' a b 'c d'",
	/* errors apart */
	"$R ls /nonexistent",
	"$R sh -c 'echo out; echo err >&2'",
	"$R sh -c 'echo err >&2' 2>/dev/null",
	"$R sh -c 'echo out; echo err >&2' 2>&1 >/dev/null | tr a-z A-Z",
	"$R sh -c 'seq 50000 >&2; seq 50000' 2>&1 | md5sum",
	"$R sh -c 'for i in $(seq 300); do echo $i; echo e $i >&2; done' 2>&1",
	"$R sh -c 'kill -TERM $$' 2>&1; echo $?",
	"$R /nonexistent 2>&1 >/dev/null | wc -l",
	"$R /nonexistent >/dev/null 2>&1; echo $?",
	"$R /etc/passwd >/dev/null 2>&1; echo $?",
	"$R cat /nonexistent; echo $?",
	/* input */
	"$R cat",
	"$R cat </dev/null",
	"$R cat </etc/passwd",
	"echo x | $R cat",
	"printf 'b\\na\\nc' | $R sort",
	"printf '\\003\\004\\032\\177\\r' | $R od -c",
	"seq 300000 | $R md5sum",
	"head -c 5000000 /dev/zero | $R wc -c",
	"head -c 5000000 /dev/zero | $R cat | md5sum",
	"head -c 20000 /dev/zero | tr '\\0' x | $R wc -L",
	"yes | $R true",
	"yes | $R head -n 3",
	"yes | $R sh -c 'exec <&-; echo closed'",
	"echo one | $R sh -c 'read a; echo got $a; read b || echo end'",
	"seq 10 | $R sed -n 3p | $R tr 0-9 a-j",
	"$R sh <<-'X'\n\techo script $((6*7))\nX",
	/* statuses */
	"$R false",
	"$R sh -c 'exit 3'",
	"$R sh -c 'exit 255'",
	"$R sh -c 'exit 129'",
	"$R true && echo yes || echo no",
	"$R false && echo yes || echo no",
	"$R test -d /tmp",
	"$R grep -q nothing /etc/passwd; echo $?",
	"for i in 1 2 3; do $R sh -c \"exit $i\" || echo $?; done",
	"if $R sh -c 'exit 1'; then echo yes; else echo no; fi",
	/* signals */
	"$R sh -c 'kill -TERM $$'",
	"$R sh -c 'kill -KILL $$'",
	"$R sh -c 'kill -INT $$'",
	"$R sh -c 'kill -SEGV $$'; echo $?",
	"$R sh -c 'kill -HUP $$'; echo $?",
	"$R sh -c 'kill -USR1 $$; echo not reached'; echo $?",
	"$R sh -c 'kill -ABRT $$'; echo $?",
	"$R sh -c 'trap \"echo caught\" TERM; kill -TERM $$; echo on'",
	/* dash says "Terminated" or not, as the moment has it */
	"$R sh -c 'exec 2>/dev/null; sleep 5 & kill $!; wait $!; echo $?'",
	"$R yes | head -n 1",
	"{ $R yes; echo $? >&2; } | head -n 1",
	"$R seq 1000000 | head -n 2",
	"timeout 0.5 $R sleep 5; echo $?",
	"timeout -s HUP 0.5 $R sleep 5; echo $?",
	"timeout -s USR1 0.5 $R sleep 5; echo $?",
};

enum { PIPELINES = sizeof(pipelines) / sizeof(*pipelines) };

Test(client, in_a_pipeline_it_is_as_if_it_were_not_there)
{
	char *prefix = text("%s run --", client());

	cr_assert_geq(PIPELINES, 50);
	for (unsigned i = 0; i < PIPELINES; i++) {
		struct run without, within;

		setenv("R", "", 1);
		without = run_shell("sh", pipelines[i]);
		setenv("R", prefix, 1);
		within = run_shell("sh", pipelines[i]);
		cr_expect_eq(within.status, without.status, "%s: %d, not %d: %s", pipelines[i],
			     within.status, without.status, within.err);
		cr_expect(within.out_size == without.out_size &&
				  !memcmp(within.out, without.out, without.out_size),
			  "%s: '%s', not '%s'", pipelines[i], within.out, without.out);
		cr_expect_str_eq(within.err, without.err, "%s: '%s', not '%s'", pipelines[i],
				 within.err, without.err);
	}
}

/* Much in both directions, through a command that takes its time, in both ways around. */
Test(client, both_directions_at_once)
{
	struct run done = with_client("head -c 100M /dev/zero | $C run -- cat | wc -c");

	cr_assert_str_eq(done.out, "104857600\n", "%s", done.err);
	/* all of the output, though the input is full and is never read */
	done = with_client("yes | $C run -- sh -c 'seq 500000; seq 500000 >&2' 2>&1 | wc -l");
	cr_assert_str_eq(done.out, "1000000\n", "%s", done.err);
	/* all of the input, though nobody takes the output before it has gone in */
	done = with_client("mkfifo $M/../fifo; (cat > $M/../all; wc -c < $M/../all) < $M/../fifo & "
			   "head -c 20M /dev/zero | $C run -- cat > $M/../fifo; wait");
	cr_assert_str_eq(done.out, "20971520\n", "%s", done.err);
}

Test(client, says_what_is_wrong)
{
	static const struct {
		const char *script;
		int status;
		const char *part;
	} cases[] = {
		{ "$C", 2, "no command given" },
		{ "$C frobnicate", 2, "unknown command 'frobnicate'" },
		{ "$C run", 2, "no command to run" },
		{ "$C run --", 2, "no command to run" },
		{ "$C run --memory", 2, "--memory needs a value" },
		{ "$C run -x true", 2, "unknown option '-x'" },
		{ "$C run --memroy 3 true", 2, "unknown key 'memroy'" },
		{ "$C run --memory 3Z true", 2, "malformed" },
		{ "$C run --open-files=1 true", 2, "out of bounds" },
		{ "$C run --terminal maybe true", 2, "neither yes nor no" },
		{ "$C run --env 'A=1\nmemory none' true", 2, "one line of config" },
		{ "$C run --'memory 16M\nnetwork' host true", 2, "one line of config" },
		{ "$C run --cwd '/tmp\r' true", 2, "one line of config" },
		{ "$C run --ro x/../y true", 2, "without '.' and '..'" },
		{ "d=\"$M/../$(printf 'a\nb')\"; mkdir \"$d\" && cd \"$d\" &&"
		  "$C run --cwd . true; x=$?; rmdir \"$d\"; exit $x",
		  125, "cannot name the directory" },
		{ "printf 'x\\033[31m\\342\\200\\256 1\n' > $M/../bad; $C run --config $M/../bad "
		  "true",
		  2, "unknown key 'x?[31m?'" },
		{ "$C run --name ../x true", 2, "no name of a session" },
		{ "$C run --config /nonexistent true", 125, "/nonexistent: No such file" },
		{ "$C run --ro /nonexistent true", 125, "/nonexistent" },
		{ "$C run --cwd /nonexistent true", 125, "/nonexistent" },
		{ "$C run nonexistent", 127, "nonexistent: No such file" },
		{ "$C run /nonexistent", 127, "/nonexistent: No such file" },
		{ "$C run /etc/passwd", 126, "/etc/passwd: Permission denied" },
		{ "$C run /etc", 126, "/etc: Permission denied" },
		{ "$C run --mount /nonexistent true", 125, "nothing is mounted at /nonexistent" },
		{ "MIMOBOX=/tmp $C ls", 125, "nothing is mounted at /tmp" },
		{ "mkdir $M/a; $C run --name a true; x=$?; rmdir $M/a; exit $x", 125,
		  "session 'a' already" },
		{ "head -c 5000 /dev/zero | tr '\\0' x | $C run --terminal yes cat", 125,
		  "longer than a terminal takes" },
		{ "$C attach", 2, "one name" },
		{ "$C attach a", 125, "no such session" },
		{ "$C attach -e ab a", 2, "no key" },
		{ "$C ls a", 2, "no names" },
		{ "$C rm", 2, "names" },
		{ "$C rm a", 125, "no such session" },
		{ "$C rm .", 2, "no name of a session" },
		{ "$C ls --frobnicate", 2, "frobnicate" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct run done = with_client(cases[i].script);

		cr_expect_eq(done.status, cases[i].status, "%s: %d %s", cases[i].script,
			     done.status, done.err);
		cr_expect(has(done.err, cases[i].part), "%s: %s", cases[i].script, done.err);
		cr_expect_eq(strchr(done.err, '\n'), done.err + done.err_size - 1,
			     "%s: not one line: %s", cases[i].script, done.err);
		cr_expect_str_eq(done.out, "");
	}
	cr_assert(has(with_client("$C --help").out, "usage: mimobox"));
	cr_assert(has(with_client("$C --version").out, "mimobox 0."));
	cr_assert_eq(with_client("$C --help > /dev/full").status, 125);
}

/* Each key that `config` shows can be given as it stands there. */
Test(client, every_key_is_an_option)
{
	struct run done = with_client(
		"mkdir $M/k; echo 'ro /usr/share' > $M/k/config; echo 'rw /var/cache' > "
		"$M/k/config;"
		"cut -d' ' -f1 $M/k/config | grep -vx reset | sort -u > $M/../keys; set --;"
		"while read -r key value; do [ $key = reset ] || set -- \"$@\" --$key \"$value\"; "
		"done < $M/k/config;"
		"rmdir $M/k; wc -l < $M/../keys; $C run \"$@\" --terminal no sh -c 'echo done'");

	cr_assert_eq(done.status, 0, "%s", done.err);
	cr_assert_str_eq(done.out, "29\ndone\n");
	done = with_client(
		"printf 'env A=file\\nenv B=file\\nfile-size 1M\\n' > $M/../conf;"
		"$C run --config $M/../conf --env B=option sh -c 'echo $A $B; ulimit -f'");
	cr_assert_str_eq(done.out, "file option\n2048\n", "%s", done.err);
	done = with_client("echo 'memroy 3' > $M/../conf; $C run --config $M/../conf true");
	cr_assert(done.status == 2 && has(done.err, "config line 1: unknown key 'memroy'"), "%s",
		  done.err);
}

/* From where the client is: a config takes no relative path. */
Test(client, relative_paths)
{
	struct run done = with_client(
		"mkdir -p $M/../d/e && chmod -R a+rwx $M/../d && cd $M/../d/e && echo text > f &&"
		"$C run --ro . --cwd . -- sh -c 'cat f; pwd; ! touch g 2>/dev/null' &&"
		"$C run --rw ../e --cwd ../e -- touch g && ls &&"
		"$C run --ro ./f:/g cat /g && cd .. && $C run --ro e/f cat $PWD/e/f");

	cr_assert_eq(done.status, 0, "%s", done.err);
	cr_assert_str_eq(done.out, text("text\n%s/d/e\nf\ng\ntext\ntext\n", fixture.dir), "%s",
			 done.out);
}

/* Whatever it is called. */
Test(client, relative_paths_from_an_odd_directory)
{
	struct run done =
		with_client("d=\"$M/../$(printf 'a:b\\\\c\td\n\303\266 .')\"; d=\"${d%.}\"; mkdir "
			    "-p \"$d/e\" &&"
			    "chmod -R a+rwx \"$d\" && cd \"$d/e\" && echo text > f &&"
			    "$C run --rw . -- sh -c 'cat \"$1/f\"; echo more > \"$1/g\"' sh "
			    "\"$PWD\" && cat g &&"
			    "$C run --ro .. -- cat \"$PWD/f\" && mkdir x:y && echo z > x:y/z &&"
			    "$C run --ro 'x\\:y:/z' cat /z/z");

	cr_assert_eq(done.status, 0, "%s", done.err);
	cr_assert_str_eq(done.out, "text\nmore\ntext\nz\n", "%s", done.err);
}

/* The id of root's session cannot change a directory of root's. */
Test(client, tells_of_paths_that_may_not_be_written)
{
	static const char line[] = "/d: the session may not write there (sessions of root";
	struct run done =
		with_client("mkdir $M/../d; d=$(realpath $M/../d); $C run --rw $d -- touch $d/f");

	cr_expect_neq(done.status, 0);
	cr_expect(has(done.err, "Permission denied") && has(done.err, "mimobox: rw ") &&
			  has(done.err, line),
		  "%s", done.err);
	/* the control */
	done = with_client("d=$(realpath $M/../d); chmod 777 $d; $C run --rw $d -- sh -c "
			   "'touch $0/f; exit 3' $d");
	cr_expect_eq(done.status, 3);
	cr_expect_str_eq(done.err, "");
}

/* Without XDG_RUNTIME_DIR, as from cron; but not in a directory of another's. */
Test(client, finds_the_users_own_mount)
{
	static const char script[] =
		"exec unshare -m sh -c 'mount -t tmpfs none /run && mkdir -p /run/user/0/mimobox &&"
		"mount --bind $M /run/user/0/mimobox; unset MIMOBOX; %s'";
	struct run done = with_client(text(script, "exec $C run echo found"));

	cr_assert_str_eq(done.out, "found\n", "%s", done.err);
	done = with_client(text(script, "XDG_RUNTIME_DIR=/tmp exec $C run true"));
	cr_assert(has(done.err, "nothing is mounted at /run/mimobox"), "%s", done.err);
	done = with_client(text(script, "chown 1 /run/user/0; exec $C run true"));
	cr_assert(has(done.err, "nothing is mounted at /run/mimobox"), "%s", done.err);
}

/* Which limit it was: the shell in a session knows no more than that something was killed. */
Test(client, says_which_limit)
{
	static const char eat[] = "python3 -c 'x = [bytearray(1 << 20) for i in range(99)]'";
	struct run done = with_client(text("$C run --memory 32M -- %s", eat));

	cr_expect(has(done.err, "limit of memory, 32M"), "%d %s", done.status, done.err);
	done = with_client(text("$C run --memory 32M -- sh -c \"%s; exit 5\"", eat));
	cr_expect(done.status == 5 && has(done.err, "limit of memory, 32M"), "%s", done.err);
	done = with_client("$C run --timeout 200ms sleep 60");
	cr_expect(done.status == 143 && has(done.err, "timeout of 200ms"), "%s", done.err);
	done = with_client("$C run --processes 2 -- sh -c 'sleep 1 & sleep 1 & wait'");
	cr_expect(done.status != 0 && has(done.err, "limit of processes, 2"), "%s", done.err);
	/* no limit had to do with it */
	done = with_client("$C run --memory 32M --timeout 1h -- sh -c 'exit 3'");
	cr_expect_str_eq(done.err, "");
	done = with_client(
		text("$C run --memory 32M -- sh -c \"%s; exit 0\" 2>&1 | grep limit", eat));
	cr_expect_str_eq(done.out, "");
}

/* Typed into a terminal, though from a pipe. */
Test(client, a_terminal_that_was_asked_for)
{
	struct run done = with_client("printf 'test -t 0 && exit 4\\n' | $C run --terminal yes sh");

	cr_assert(done.status == 4 && has(done.out, "exit 4\r\n"), "%d %s", done.status, done.out);
	done = with_client("echo text | $C run --terminal yes cat"); /* until its end */
	cr_assert_str_eq(done.out, "text\r\ntext\r\n", "%s", done.err);
}

/* Signals, to a client at work */

static bool one_runs(const void *data)
{
	(void)data;
	return has(sh("cat $M/*/status 2>/dev/null || :"), "state running");
}

static bool none_there(const void *data)
{
	(void)data;
	return !strcmp(session_names(), "");
}

static pid_t start(const char *command)
{
	pid_t pid =
		spawn((const char *const[]){ client(), "run", "--", "sh", "-c", command, NULL });

	cr_assert(await(one_runs, NULL, 10000));
	return pid;
}

/* Nothing is begun in it: a shell that is about to can take a signal for the child's, and dash
 * does. */
#define SPIN "echo; while :; do :; done"

Test(client, signals_are_passed_on)
{
	static const struct {
		int signal;
		const char *command;
		int status;
	} cases[] = {
		{ SIGINT, SPIN, -SIGINT },
		{ SIGTERM, SPIN, -SIGTERM },
		{ SIGHUP, SPIN, -SIGHUP },
		{ SIGQUIT, SPIN, -SIGQUIT },
		{ SIGUSR2, SPIN, -SIGUSR2 },
		{ SIGINT, "trap 'exit 6' INT; echo; while :; do sleep 0.02; done", 6 },
		{ SIGTERM, "trap 'exit 7' TERM; echo; while :; do sleep 0.02; done", 7 },
		{ SIGTERM, "trap '' TERM; echo; while :; do sleep 0.02; done", -SIGKILL },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		pid_t pid = start(cases[i].command);
		int status = 0;

		if (has(cases[i].command, "echo"))
			sh("cat $M/*/wait/match@0:^$");
		kill(pid, cases[i].signal);
		cr_assert(ended(pid, 10000, &status), "case %u", i);
		cr_expect_eq(status, cases[i].status, "case %u: %d", i, status);
		cr_expect_str_eq(session_names(), "");
	}
}

Test(client, sigkill_leaves_no_session)
{
	char *sleeper = text("%u", marker());
	pid_t pid = start(text("setsid sleep %s & sleep %s", sleeper, sleeper));
	int status;

	kill(pid, SIGKILL);
	cr_assert(ended(pid, 10000, &status) && status == -SIGKILL);
	cr_assert(await(none_there, NULL, 10000), "%s", session_names());
	cr_assert(await(none_with, sleeper, 10000));
}

static bool keeper_stopped(const void *data)
{
	char *keepers = sh("ps -o pid=,stat= --ppid \"$CLIENT_PID\" | grep -c ' T'; :");
	(void)data;
	return atoi(keepers) > 0;
}

static bool none_runs(const void *data)
{
	return !one_runs(data);
}

/* The keeper cannot remove it: the server ends it. */
Test(client, sigkill_of_all_of_it_leaves_no_process)
{
	char *sleeper = text("%u", marker());
	pid_t pid = start(text("setsid sleep %s & sleep %s", sleeper, sleeper));
	int status;

	setenv("CLIENT_PID", text("%d", pid), 1);
	sh("pkill -STOP -P $CLIENT_PID");
	cr_assert(await(keeper_stopped, NULL, 10000));
	sh("pkill -KILL -P $CLIENT_PID");
	kill(pid, SIGKILL);
	cr_assert(ended(pid, 10000, &status) && status == -SIGKILL);
	cr_assert(await(none_runs, NULL, 10000));
	cr_assert(await(none_with, sleeper, 10000));
	cr_expect(has(sh("cat $M/*/log"), "the file that owned it was closed"));
	sh("rmdir $M/run-*");
}

/* As a connection of ssh(1) that breaks; where one end is there still, the command goes on. */
Test(client, whose_user_has_gone)
{
	char *sleeper = text("%u", marker());
	int ends[3][2], status;
	pid_t pid;

	for (int i = 0; i < 3; i++)
		cr_assert_eq(i == 1 ? pipe2(ends[i], O_CLOEXEC)
				    : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i]),
			     0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			dup2(ends[i][1], i);
		execlp(client(), client(), "run", "--", "sleep", sleeper, NULL);
		_exit(127);
	}
	for (int i = 0; i < 3; i++)
		close(ends[i][1]);
	cr_assert(await(one_runs, NULL, 10000));
	close(ends[0][0]);
	close(ends[1][0]);
	cr_expect(!ended(pid, 500, &status));
	cr_expect(any_with(sleeper));
	close(ends[2][0]);
	cr_assert(ended(pid, 10000, &status));
	cr_expect_eq(status, -SIGHUP, "%d", status);
	cr_expect_str_eq(session_names(), "");
}

/* SIGTERM ends it though nobody reads what it prints. */
Test(client, no_reader_holds_up_the_end)
{
	int ends[2], status;
	pid_t pid;

	cr_assert_eq(pipe(ends), 0);
	setenv("FD", text("/proc/%d/fd/%d", getpid(), ends[1]), 1);
	pid = spawn((const char *const[]){ "sh", "-c", "exec \"$0\" run -- yes > $FD", client(),
					   NULL });
	cr_assert(await(one_runs, NULL, 10000));
	kill(pid, SIGTERM);
	cr_assert(ended(pid, 10000, &status));
	cr_assert_eq(status, -SIGTERM, "%d", status);
	close(ends[0]);
	close(ends[1]);
}

/* One that won't hear of SIGPIPE is not kept on printing for nobody. */
Test(client, a_reader_that_leaves)
{
	struct run done = with_client(
		"{ $C run -- python3 -c 'while True: print(1)'; echo $? >&2; } | head -n 1");

	cr_assert_str_eq(done.out, "1\n");
	cr_assert(has(done.err, "143\n"), "%s", done.err);
}

Test(client, ctrl_z_and_fg)
{
	/* not a shell's loop: one that is stopped while it forks (vfork(2)) is in state D */
	pid_t pid = start("exec sleep 60");
	pid_t command = (pid_t)strtol(sh("sed -n 's/^pid //p' $M/*/status"), NULL, 10);

	kill(pid, SIGTSTP);
	cr_assert(await(process_stopped, &pid, 5000) && await(process_stopped, &command, 5000));
	kill(pid, SIGCONT);
	cr_assert(await(process_waits, &pid, 5000));
	for (unsigned tries = 0; process_stopped(&command) && tries < 500; tries++)
		pause_ms(10);
	cr_assert(!process_stopped(&command));
	kill(pid, SIGTERM);
	cr_assert(ended(pid, 10000, NULL));
}

Test(client, session_removed_or_kept)
{
	struct run done = with_client("$C run --keep sh -c 'echo kept; exit 4'");
	char *name = strrchr(done.err, ' ') + 1;

	cr_assert(done.status == 4 && has(done.err, "kept as run-"), "%s", done.err);
	name[strcspn(name, "\n")] = '\0';
	cr_assert_str_eq(get(text("%s/output", name), NULL), "kept\n");
	session_remove(name);
	with_client("$C run --keep nonexistent");
	cr_assert_str_eq(session_names(), "");
	done = with_client(
		"{ $C run --name mine sleep 60; echo $?; } & "
		"while ! grep -q running $M/mine/status 2>/dev/null; do sleep 0.02; done;"
		"$C rm mine; wait");
	cr_assert_str_eq(done.out, "143\n", "%s", done.err);
}

Test(client, ls_and_rm)
{
	struct run done;

	cr_assert_str_eq(with_client("$C ls").out, "NAME  STATE  AGE  CPU  MEMORY  COMMAND\n");
	session_start("able", "argv [\"sh\",\"-c\",\"printf \\\"a b\\\"; read x\"]\n");
	session_make("new");
	/* a control, and those that turn the direction of what follows */
	session_start("over-and-out", "command exit 3 #\033[31m\u202ea\u2066b\u200fc \u00e4\n");
	cr_assert_eq(session_exit("over-and-out"), 3);
	done = with_client("LC_ALL=C.UTF-8 $C ls | sed -E 's/ [0-9]+s / AGE /; s/ [0-9.]+s / CPU /;"
			   "s/ [0-9.]+[BKM] / MEM /; s/  +/  /g'");
	cr_assert_str_eq(done.out,
			 "NAME  STATE  AGE  CPU  MEMORY  COMMAND\n"
			 "able  running  AGE  CPU  MEM  sh -c printf \"a b\"; read x\n"
			 "new  created  AGE  -  -  /bin/sh\n"
			 "over-and-out  exited 3  AGE  CPU  MEM  exit 3 #?[31m?a?b?c \u00e4\n",
			 "%s", done.out);
	done = with_client("$C ls | cut -c -12 | grep -c '  $'; $C ls -q");
	cr_assert_str_eq(done.out, "3\nable\nnew\nover-and-out\n", "%s", done.out);
	done = with_client("$C rm able nosuch new");
	cr_assert(done.status == 125 && has(done.err, "nosuch"), "%s", done.err);
	cr_assert_str_eq(session_names(), "over-and-out\n");
	cr_assert_eq(with_client("$C rm over-and-out").status, 0);
}

/* A daemon that dies under it, and nobody takes the dead mount away. */
Test(client, daemon_dies)
{
	pid_t pid = start("sleep 60"), daemon = fixture.daemon;
	int status;

	kill(fixture_child(fixture.server, "mimobox-unmounter"), SIGKILL);
	fixture.daemon = 0;
	fixture.crashed = true;
	kill(daemon, SIGKILL);
	cr_assert(ended(daemon, 10000, NULL));
	cr_assert(ended(pid, 10000, &status));
	cr_assert_eq(status, 125, "%d", status);
	cr_assert(has(with_client("$C ls").err, "has died; mount it again"));
}
