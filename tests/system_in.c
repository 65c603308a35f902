/* SPDX-License-Identifier: MIT */
/*
 * Sessions in the sandbox of another: one sandbox, whose limits, layers and end they share; but
 * terminals, signals and ends of their own.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(in, .init = outside_start, .fini = outside_stop, .timeout = 120);

static const uid_t users[] = { ROOT, ANN };

/* The first session: a shell that waits for a line, by one of the ways that sandboxes are made. */
static void start_host(uid_t user, unsigned kind, const char *more)
{
	static const char *const kinds[] = { "", "terminal no\n", "ends last-process\n" };

	outside_file(outside("file"), "text\n", ROOT, 0644);
	session_start_as(user, "a",
			 text("%s%s%scommand echo READY; read x; exit 7\n", kinds[kind % 3],
			      kind >= 3 ? text("ro %s:/srv/file\n", outside("file")) : "", more));
	get("a/wait/match@0:READY", NULL);
}

static char *run_in(uid_t user, const char *name, const char *config, int *status)
{
	return session_run_as(user, name, text("in a\n%s", config), status);
}

static void end_host(void)
{
	put_all("a/input", "\n");
	cr_expect_eq(session_exit("a"), 7);
	session_remove("a");
}

/* What the kernel says of a process; the same for two in one sandbox. */
#define FACTS                                                                                 \
	"readlink /proc/self/ns/user /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/ipc "  \
	"/proc/self/ns/uts /proc/self/ns/net /proc/self/ns/cgroup; id; pwd; cat "             \
	"/proc/self/cgroup; grep -E '^(Seccomp|NoNewPrivs|Cap|Uid|Gid|Groups)' "              \
	"/proc/self/status; ulimit -n; ulimit -c; ulimit -f; umask; sort /proc/self/mounts; " \
	"hostname; echo $HOME $TMPDIR; cat /proc/self/oom_score_adj"

Test(in, is_the_same_sandbox)
{
	for (unsigned i = 0; i < 12; i++) {
		int status;
		char *first, *second;

		start_host(users[i % 2], i / 2, "open-files 99\nfile-size 7M\n");
		second = run_in(users[i % 2], "b", "open-files 77\ncommand " FACTS "\n", &status);
		cr_expect_eq(status, 0);
		put_all("a/input", "\n");
		session_exit("a");
		session_remove("a");
		session_remove("b");
		/* the same, of a first one */
		session_start_as(users[i % 2], "a",
				 text("open-files 99\nfile-size 7M\n%scommand " FACTS "\n",
				      i >= 6 ? text("ro %s:/srv/file\n", outside("file")) : ""));
		cr_expect_eq(session_exit("a"), 0);
		first = plain(get("a/output", NULL));
		session_remove("a");
		/* but for numbers, where the workspace is, and the order of mounts */
		setenv("ONE", first, 1);
		setenv("OTHER", second, 1);
		cr_expect_str_eq(sh("f='s/\\[[0-9]*\\]//; s/[ug]id=[0-9]*//g; /workspace/d; "
				    "/home/d'; echo \"$ONE\" | sed "
				    "\"$f\" | sort"),
				 sh("f='s/\\[[0-9]*\\]//; s/[ug]id=[0-9]*//g; /workspace/d; "
				    "/home/d'; echo \"$OTHER\" | sed "
				    "\"$f\" | sort"));
	}
}

Test(in, they_see_each_other)
{
	for (unsigned i = 0; i < 6; i++) {
		const char *place = text("%u", marker());
		struct stream stream;
		int status;
		char *output;

		session_start_as(
			users[i % 2], "a",
			text("%scommand sleep %s & echo one >/tmp/f; echo READY; read x; cat "
			     "/tmp/g; ls /workspace; exit 7\n",
			     i >= 2 ? text("ro %s:/srv/file\n", outside("file")) : "", place));
		outside_file(outside("file"), "text\n", ROOT, 0644);
		stream_open(&stream, "a/output");
		stream_until(&stream, "READY");
		output = run_in(users[i % 2], "b",
				text("command readlink /proc/self/ns/pid; cat /tmp/f; pgrep -fx "
				     "'sleep %s' >/dev/null && echo seen; pkill -fx 'sleep %s' && "
				     "echo killed; echo two >/tmp/g; echo >/workspace/h\n",
				     place, place),
				&status);
		cr_expect(has(output, "one\nseen\nkilled\n"), "%s", output);
		put_all("a/input", "\n");
		stream_until(&stream, "two\r\nh\r\n");
		stream_close(&stream);
		cr_expect_eq(session_exit("a"), 7);
		session_remove("b");
		session_remove("a");
	}
}

/* Each has its terminal, size, input, signals and exit status. */
Test(in, terminals_and_signals_are_apart)
{
	for (unsigned i = 0; i < 4; i++) {
		struct stream first, second;

		session_start_as(
			users[i % 2], "a",
			text("%scommand trap 'echo got-a' INT; tty; stty size; while :; do read "
			     "x && echo \"a<$x>\"; done\n",
			     i >= 2 ? "ends last-process\n" : ""));
		session_start_as(
			users[i % 2], "b",
			text("in a\n%scommand trap 'echo got-b' INT; tty; stty size; while "
			     "read x; do echo \"b<$x>\"; done; exit 3\n",
			     i >= 2 ? "ends last-process\n" : ""));
		stream_open(&first, "a/output");
		stream_open(&second, "b/output");
		stream_until(&first, "/dev/pts/0\r\n24 80");
		stream_until(&second, "/dev/pts/1\r\n24 80");
		put_all("b/size", "30 100\n");
		put_all("b/input", "one\n");
		stream_until(&second, "b<one>");
		put_all("b/ctl", "signal INT\n");
		put_all("a/input", "two\n");
		stream_until(&second, "got-b");
		stream_until(&first, "a<two>");
		put_all("a/ctl", "signal INT\n");
		stream_until(&first, "got-a");
		cr_expect(!has(get("b/transcript", NULL), "got-a"));
		cr_expect(!has(get("a/transcript", NULL), "got-b"));
		cr_expect_str_eq(get("a/size", NULL), "24 80\n");
		put_all("b/ctl", "eof\n");
		cr_expect_eq(session_exit("b"), i >= 2 ? 3 : 3);
		/* and the first goes on */
		put_all("a/input", "three\n");
		stream_until(&first, "a<three>");
		stream_close(&first);
		stream_close(&second);
		put_all("a/ctl", "kill\n");
		cr_expect_lt(session_exit("a"), 0);
		session_remove("a");
		session_remove("b");
	}
}

/* Whatever it did; and nothing of the first one's. */
Test(in, its_end_ends_what_it_has_started)
{
	static const char *const ends[] = { "", "kill-grace 0s\n", "timeout 1s\n" };

	for (unsigned i = 0; i < 6; i++) {
		const char *stays = text("%u", marker()), *goes = text("%u", marker());
		struct stream stream;

		session_start_as(users[i % 2], "a",
				 text("command sleep %s & read x; exit 7\n", stays));
		session_start_as(
			users[i % 2], "b",
			text("in a\n%scommand trap '' TERM HUP; sleep %s & setsid sleep %s & "
			     "(setsid sh "
			     "-c 'trap \"\" TERM HUP; sleep %s & sleep %s' &); echo READY; %s\n",
			     ends[i / 2], goes, goes, goes, goes,
			     i < 2 ? "exit 5" : "while :; do sleep 1000; done"));
		stream_open(&stream, "b/output");
		stream_until(&stream, "READY");
		stream_close(&stream);
		if (i / 2 == 1)
			put_all("b/ctl", "kill\n");
		if (i < 2)
			cr_expect_eq(session_exit("b"), 5);
		else
			cr_expect_lt(session_exit("b"), 0);
		cr_expect(none_with(goes), "%u", i);
		cr_expect(any_with(stays), "%u", i);
		session_remove("b");
		end_host();
		cr_expect(none_with(stays));
	}
}

Test(in, goes_on_until_its_last_process)
{
	int status;
	char *output;

	start_host(ANN, 0, "");
	output = run_in(ANN, "b",
			"ends last-process\ncommand (sleep 0.3; echo later) & echo now; exit 4\n",
			&status);
	cr_expect_str_eq(output, "now\nlater\n", "%s", output);
	cr_expect_eq(status, 4);
	end_host();
}

/* By its own end, by a kill, by rmdir; what it has printed is there. */
Test(in, ends_with_the_first)
{
	for (unsigned i = 0; i < 12; i++) {
		unsigned way = i / 2 % 3, kind = i / 6;
		const char *place = text("%u", marker());
		int status;
		char *output;

		start_host(users[i % 2], kind ? 3 : 0, "kill-grace 50ms\n");
		session_start_as(users[i % 2], "b",
				 text("in a\n%scommand echo printed; sleep %s & setsid sleep %s\n",
				      i % 2 ? "terminal no\n" : "", place, place));
		get("b/wait/match@0:printed", NULL);
		cr_expect(await(any_with, place, 20000));
		if (way == 0)
			put_all("a/input", "\n");
		else if (way == 1)
			put_all("a/ctl", "kill\n");
		else
			session_remove("a");
		status = session_exit("b");
		cr_expect_lt(status, 0, "%d", status);
		output = plain(get("b/output", NULL));
		cr_expect_str_eq(output, "printed\n", "%s", output);
		cr_expect(has(get("b/log", NULL), "the sandbox of a has ended"), "%s",
			  get("b/log", NULL));
		cr_expect(none_with(place));
		if (way < 2) {
			session_exit("a");
			session_remove("a");
		}
		session_remove("b");
	}
}

/* Also where the first waits for its last process: another session's are not its own. */
Test(in, does_not_hold_up_the_first)
{
	start_host(ANN, 2, "");
	session_start_as(ANN, "b", "in a\ncommand echo READY; sleep 1000\n");
	get("b/wait/match@0:READY", NULL);
	put_all("a/input", "\n");
	cr_expect_eq(session_exit("a"), 7);
	cr_expect_lt(session_exit("b"), 0);
}

Test(in, limits_are_shared)
{
	int status;
	char *output;

	/* processes: the first has two, one is left, for the other's shell */
	session_start_as(ANN, "a",
			 "processes 5\nmemory 96M\ncommand sleep 1000 & sleep 1000 & read x; "
			 "exit 7\n");
	output = run_in(ANN, "b",
			"processes none\nmemory none\ncommand for i in 1 2 3 4 5; do sleep 9 & "
			"done; echo end\n",
			&status);
	cr_expect(!has(output, "end\n") || has(output, "fork"), "%s", output);
	session_remove("b");
	/* memory */
	output = run_in(ANN, "b",
			"memory none\nargv [\"python3\",\"-c\",\"print(len(b'x'*(200<<20)))\"]\n",
			&status);
	cr_expect(status != 0 && !has(output, "209715200"), "%d: %s", status, output);
	session_remove("b");
	/* the control */
	output = session_run_as(
		ANN, "c", "memory 512M\nargv [\"python3\",\"-c\",\"print(len(b'x'*(200<<20)))\"]\n",
		&status);
	cr_expect_str_eq(output, "209715200\n");
	put_all("a/ctl", "kill\n");
	session_exit("a");
}

Test(in, layers_are_those_of_the_first)
{
	int status;
	char *output;

	start_host(ANN, 0, "fork no\nnetwork none\n");
	output = run_in(
		ANN, "b",
		"fork yes\nnetwork host\nseccomp compat\nrw /tmp:/srv/x\nptrace yes\nargv "
		"[\"python3\",\"-c\",\"import ctypes,os\\nprint(os.path.exists('/srv/x'))\\n"
		"try: os.fork()\\nexcept OSError as e: print(e.errno)\\n"
		"ctypes.CDLL(None,use_errno=True).msgget(0,0)\\nprint(ctypes.get_errno())\"]\n",
		&status);
	cr_expect_str_eq(output, "False\n1\n1\n", "%s", output);
	cr_expect(has(get("b/log", NULL), "refused: clone: "), "%s", get("b/log", NULL));
	cr_expect(!has(get("a/log", NULL), "refused: "));
	end_host();
}

Test(in, is_for_the_owner_alone)
{
	start_host(ANN, 0, "");
	start_refused(BOB, "b", "in a\ncommand true\n", EPERM, "in a: it is another user's");
	start_refused(ROOT, "c", "in a\ncommand true\n", EPERM, "in a: it is another user's");
	start_refused(ANN, "d", "in nobody\ncommand true\n", ENOENT, "in nobody: there is no such");
	start_refused(ANN, "e", "in e\ncommand true\n", ENOENT, "in e: there is no such");
	start_refused(ANN, "f", "in d\ncommand true\n", ESRCH, "in d: it does not run");
	start_refused(ANN, "g", "in a\nargv [\"/nowhere\"]\n", ENOENT, "exec: /nowhere");
	start_refused(ANN, "h", "in a\ncwd /nowhere\ncommand true\n", ENOENT, "cwd: /nowhere");
	/* one that could not start can be mended, and started */
	act_as(ANN);
	put_all("h/config", "cwd /\n");
	put_all("h/ctl", "start\n");
	cr_expect_eq(session_exit("h"), 0);
	act_as(ROOT);
	end_host();
	start_refused(ANN, "i", "in a\ncommand true\n", ENOENT, "in a: there is no such");
}

/* One in the second stands for the first. */
Test(in, one_in_another)
{
	int status;
	char *output;

	start_host(ANN, 0, "");
	session_start_as(ANN, "b", "in a\ncommand echo READY; read x; exit 5\n");
	get("b/wait/match@0:READY", NULL);
	output = session_run_as(ANN, "c", "in b\ncommand cat /proc/1/comm; pgrep -c -x sh\n",
				&status);
	cr_expect(has(output, "mimobox-init\n3\n"), "%s", output);
	/* which it outlives, then */
	session_start_as(ANN, "d", "in b\ncommand echo READY; read x; exit 6\n");
	get("d/wait/match@0:READY", NULL);
	put_all("b/input", "\n");
	cr_expect_eq(session_exit("b"), 5);
	put_all("d/input", "\n");
	cr_expect_eq(session_exit("d"), 6);
	end_host();
}

static bool is_another(const void *before)
{
	pid_t now = fixture_server();

	return now && now != *(const pid_t *)before;
}

static void kill_server(void)
{
	pid_t server = fixture_server();

	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert(await(is_another, &server, 10000));
	cr_assert_eq(access(at("stats"), F_OK), 0);
}

Test(in, after_a_servers_death)
{
	for (unsigned i = 0; i < 2; i++) {
		struct stream stream;
		int status;
		char *output;

		start_host(users[i], i ? 3 : 0, "");
		session_start_as(users[i], "b",
				 "in a\ncommand while read x; do echo \"<$x>\"; done; exit 5\n");
		stream_open(&stream, "b/output");
		for (unsigned n = 0; n < 3; n++) {
			put_all("b/input", text("%u\n", n));
			stream_until(&stream, text("<%u>", n));
			kill_server();
		}
		output = run_in(users[i], "c", "command pgrep -c -x sh\n", &status);
		cr_expect_str_eq(output, "3\n", "%s", output);
		session_remove("c");
		put_all("b/ctl", "eof\n");
		cr_expect_eq(session_exit("b"), 5);
		stream_close(&stream);
		session_remove("b");
		/* and it ends with the first, whose server is another than when it began */
		session_start_as(users[i], "b", "in a\ncommand echo READY; sleep 1000\n");
		get("b/wait/match@0:READY", NULL);
		kill_server();
		put_all("a/input", "\n");
		cr_expect_eq(session_exit("a"), 7);
		cr_expect_lt(session_exit("b"), 0);
		session_remove("a");
		session_remove("b");
	}
}

/* A start that a server dies of is done, once. */
Test(in, starts_while_servers_die)
{
	start_host(ANN, 0, "");
	for (unsigned i = 0; i < 8; i++) {
		pid_t server = fixture_server();
		pid_t child;
		int status;

		act_as(ANN);
		session_make("b");
		put_all("b/config", "in a\ncommand echo once >>/tmp/count; exit 5\n");
		act_as(ROOT);
		child = fork();
		if (child == 0) {
			put("b/ctl", "start\n");
			_exit(0);
		}
		pause_ms(i);
		kill(server, SIGKILL);
		waitpid(child, &status, 0);
		cr_assert(await(is_another, &server, 10000));
		cr_expect_eq(session_exit("b"), 5, "%u: %s", i, get("b/log", NULL));
		session_remove("b");
	}
	{
		int status;
		char *output = run_in(ANN, "c", "command wc -l </tmp/count\n", &status);

		cr_expect_str_eq(output, "8\n", "%s", output);
	}
	end_host();
}

Test(in, the_client)
{
	struct run done;

	setenv("C", getenv("CLIENT"), 1);
	setenv("MIMOBOX", fixture.mount, 1);
	start_host(ROOT, 0, "");
	done = run_shell("sh", "echo typed | $C exec a -- sh -c 'cat; pgrep -c -x sh; echo error "
			       ">&2; exit 9'");
	cr_expect_eq(done.status, 9);
	cr_expect_str_eq(done.out, "typed\n2\n");
	cr_expect(strncmp(done.err, "error\n", 6) == 0, "%s", done.err);
	done = run_shell("sh", "$C exec --cwd /usr --env A=1 a sh -c 'pwd; echo $A'");
	cr_expect_str_eq(done.out, "/usr\n1\n");
	done = run_shell("sh", "$C exec nobody true");
	cr_expect(done.status == 125 && has(done.err, "in nobody: there is no such session"), "%s",
		  done.err);
	done = run_shell("sh", "$C exec a");
	cr_expect_neq(done.status, 0);
	done = run_shell("sh", "$C exec -- true");
	cr_expect_neq(done.status, 0);
	done = run_shell("sh", "$C exec a nowhere");
	cr_expect_eq(done.status, 127);
	cr_expect_str_eq(session_names(), "a\n");
	end_host();
}
