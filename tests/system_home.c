/* SPDX-License-Identifier: MIT */
/*
 * A home on the host's disk: it has room, no other session sees it, and it goes with the session.
 * The control is the session without one.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(home, .init = outside_start, .fini = outside_stop, .timeout = 90);

static const uid_t users[] = { ROOT, ANN };

/* A kind of sandbox: sealed before its session is known, and with a path of its own. */
static char *config_of(unsigned kind, const char *more)
{
	outside_file(outside("file"), "text\n", ROOT, 0644);
	return text("%s%s", kind ? text("ro %s:/srv/file\n", outside("file")) : "", more);
}

/* The path of a session's home on the host; "" where it has none. */
static char *home_of(const char *name)
{
	char path[512] = "";

	cr_assert_gt(readlink(at("%s/workspace", name), path, sizeof(path) - 1), 0);
	return text("%s/~home%s", fixture.workspaces, strrchr(path, '-'));
}

static bool is_gone(const void *path)
{
	return access(path, F_OK) < 0 && errno == ENOENT;
}

Test(home, has_the_room_of_the_disk)
{
	static const char fill[] = "for d in ~ $TMPDIR; do head -c 100M /dev/zero >$d/f && stat -c "
				   "%s $d/f && rm $d/f; done";

	for (unsigned i = 0; i < 4; i++) {
		int status;
		char *output = session_run_as(
			users[i % 2], "a", config_of(i / 2, text("command %s\n", fill)), &status);

		cr_expect_str_eq(output, "104857600\n104857600\n", "%s", output);
		session_remove("a");
		/* the control */
		output = session_run_as(users[i % 2], "a",
					config_of(i / 2, text("home none\ncommand %s\n", fill)),
					&status);
		cr_expect(has(output, "No space left on device"), "%s", output);
		session_remove("a");
	}
}

Test(home, is_what_programs_are_told)
{
	static const char tell[] =
		"command echo $HOME $TMPDIR; getent passwd sandbox | cut -d: -f6; mktemp | cut "
		"-d/ -f1-4; stat -c '%a %U' ~ $TMPDIR; python3 -c 'import "
		"os,pwd;print(pwd.getpwuid(os.getuid()).pw_dir)'\n";

	for (unsigned i = 0; i < 4; i++) {
		int status;
		char *output = session_run_as(users[i % 2], "a", config_of(i / 2, tell), &status);

		cr_expect_str_eq(output,
				 "/home/sandbox /home/sandbox/tmp\n/home/sandbox\n/home/sandbox/"
				 "tmp\n700 sandbox\n700 sandbox\n/home/sandbox\n",
				 "%s", output);
		session_remove("a");
		output = session_run_as(
			users[i % 2], "a",
			config_of(i / 2, "home none\ncommand echo $HOME $TMPDIR; getent passwd "
					 "sandbox | cut -d: -f6; ls -d /home/*\n"),
			&status);
		cr_expect(has(output, "/tmp /tmp\n/tmp\n") && has(output, "No such file"), "%s",
			  output);
		session_remove("a");
	}
}

/* A variable that was set stays, and a path over the home takes its place. */
Test(home, gives_way)
{
	int status;
	char *output = session_run_as(ANN, "a", "env HOME=/workspace\ncommand echo $HOME $TMPDIR\n",
				      &status);

	cr_expect_str_eq(output, "/workspace /home/sandbox/tmp\n");
	output = session_run_as(ANN, "b",
				"ro /usr/share:/home\ncommand echo $HOME; test -d /home/doc || ls "
				"/home; getent passwd sandbox | cut -d: -f6\n",
				&status);
	cr_expect_str_eq(output, "/tmp\n/tmp\n", "%s", output);
	outside_file(outside("file"), "text\n", ROOT, 0644);
	output = session_run_as(ANN, "c",
				text("ro %s:/home/ann/file\ncommand cat /home/ann/file; echo x "
				     ">~/y; ls -1 ~\n",
				     outside("file")),
				&status);
	cr_expect_str_eq(output, "text\ntmp\ny\n", "%s", output);
	/* What `config` shows reads back as the same. */
	put_all("a/config", "");
	session_make("d");
	put_all("d/config", get("b/config", NULL));
	cr_expect_str_eq(get("d/config", NULL), get("b/config", NULL));
	put_all("d/config", "reset\nhome none\n");
	cr_expect(has(get("d/config", NULL), "env HOME=/tmp\n"));
	put_all("d/config", "home 0\n");
	cr_expect(has(get("d/config", NULL), "env HOME=/home/sandbox\n"));
}

/* Ann has two sessions, which have the same id on the host, and Bob has one. */
Test(home, is_of_its_session_alone)
{
	char *home;
	int status;

	session_start_as(ANN, "a", "command echo secret >~/f; echo READY; read x\n");
	get("a/wait/match@0:READY", NULL);
	home = home_of("a");
	for (unsigned i = 0; i < 2; i++) {
		char *output = session_run_as(
			i ? BOB : ANN, "b",
			text("command ls ~; cat %s/f ~/f; ls %s\n", home, fixture.workspaces),
			&status);

		cr_expect(!has(output, "secret"), "%s", output);
		session_remove("b");
	}
	/* the control: it is there, for its owner on the host alone */
	cr_expect_str_eq(run_as(ANN, text("cat %s/f", home)).out, "secret\n");
	cr_expect_neq(run_as(BOB, text("cat %s/f", home)).status, 0);
}

Test(home, goes_with_its_session)
{
	outside_file(outside("outside"), "stays\n", ANN, 0666);
	for (unsigned i = 0; i < 12; i++) {
		unsigned kind = i / 2 % 2, way = i / 4;
		char *home;

		session_start_as(
			users[i % 2], "a",
			config_of(kind, text("command %s echo READY; read x\n",
					     way ? text("mkdir -p ~/a/b; echo >~/a/b/c; ln -s %s "
							"~/l; chmod 0 ~/a; rmdir ~/tmp; ln -s / "
							"~/tmp;",
							outside("outside"))
						 : "")));
		get("a/wait/match@0:READY", NULL);
		home = home_of("a");
		cr_expect_eq(access(home, F_OK), 0, "%s", home);
		if (way == 2) {
			pid_t server = fixture_server();

			cr_assert_eq(kill(server, SIGKILL), 0);
			cr_assert(await(is_gone, text("/proc/%d/exe", (int)server), 10000));
		}
		session_remove("a");
		cr_expect(await(is_gone, home, 20000), "%s is left", home);
	}
	cr_expect_str_eq(outside_read(outside("outside")), "stays\n");
}

/* One that was never used, of a session that was never started too. */
Test(home, goes_unused)
{
	for (unsigned i = 0; i < 2; i++) {
		char *home;

		act_as(users[i]);
		session_make("a");
		act_as(ROOT);
		home = home_of("a");
		cr_expect_eq(access(home, F_OK), 0);
		session_remove("a");
		cr_expect(await(is_gone, home, 20000), "%s is left", home);
	}
}

/* The disk has to have so much at the start. */
Test(home, asks_for_room)
{
	int status;

	start_refused(ANN, "a", "home 900T\ncommand true\n", ENOSPC, "home: ");
	session_run_as(ANN, "b", "home 1K\ncommand true\n", &status);
	cr_expect_eq(status, 0);
	session_make("c");
	put_refused("c/config", "home many\n", EINVAL);
}

/* Somebody has removed it on the host; what was put into the workspace is still there. */
Test(home, is_made_again)
{
	for (unsigned i = 0; i < 4; i++) {
		int status;
		char *output,
			*config = config_of(i / 2, "command echo x >~/f && cat /workspace/f ~/f\n");

		act_as(users[i % 2]);
		session_make("a");
		put_all("a/config", config);
		sh(text("echo y >%s/workspace/f", at("a")));
		act_as(ROOT);
		sh(text("rm -r %s", home_of("a")));
		put_all("a/ctl", "start\n");
		status = session_exit("a");
		output = plain(get("a/output", NULL));
		cr_expect(status == 0 && strcmp(output, "y\nx\n") == 0, "%d: %s", status, output);
		session_remove("a");
	}
}
