/* SPDX-License-Identifier: MIT */
/* What ordinary programs and their users find in a session, and at its files, without asking. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(everyday, .init = fixture_start, .fini = fixture_stop, .timeout = 120);
TestSuite(everyday_host, .init = outside_start, .fini = outside_stop, .timeout = 120);

/* The locale */

static const char *client_says(const char *variables, const char *command)
{
	setenv("C", getenv("CLIENT"), 1);
	setenv("MIMOBOX", fixture.mount, 1);
	return sh(text("env -u LANG -u LC_ALL -u LC_CTYPE -u LOCPATH %s $C run -- %s", variables,
		       command));
}

Test(everyday, text_is_utf8_by_default)
{
	int status;
	char *out = session_run("a",
				"command cd /workspace; touch 'caf\xc3\xa9'; locale charmap; ls; "
				"find . -name 'caf?' | wc -l\n",
				&status);

	cr_expect_str_eq(out, "UTF-8\ncaf\xc3\xa9\n1\n", "%s", out);
	/* the control */
	out = session_run("b", "env LANG=C\ncommand locale charmap\n", &status);
	cr_expect_str_eq(out, "ANSI_X3.4-1968\n", "%s", out);
}

Test(everyday, run_hands_on_a_locale_that_is_there)
{
	const char *show = "sh -c 'echo $LANG,$LC_ALL,$LC_TIME,$LC_OTHER'";

	cr_expect_str_eq(client_says("", show), "C.UTF-8,,,\n");
	cr_expect_str_eq(client_says("LANG=C LC_TIME=POSIX LC_OTHER=C", show), "C,,POSIX,\n");
	cr_expect_str_eq(client_says("LC_ALL=C.UTF-8", show), "C.UTF-8,C.UTF-8,,\n");
	/* one that no system has */
	cr_expect_str_eq(client_says("LANG=C LC_TIME=xx_XX", show), "C.UTF-8,,,\n");
	cr_expect_str_eq(client_says("LANG=C LOCPATH=/nowhere", show), "C.UTF-8,,,\n");
	/* an option is later */
	cr_expect_str_eq(client_says("LANG=C", "true; env LANG=C $C run --env LANG=POSIX -- "
					       "sh -c 'echo $LANG'"),
			 "POSIX\n");
}

/* The host's name */

static const char look_up[] = "command getent hosts mimobox localhost; hostname -f; "
			      "cat /etc/hostname; cat /etc/hosts\n";

static char *hosts_of(uid_t user, const char *config)
{
	int status;
	char *out = session_run_as(user, "a", text("%s%s", config, look_up), &status);

	session_remove("a");
	return out;
}

Test(everyday_host, the_own_name_resolves)
{
	const uid_t users[] = { ROOT, ANN };

	sh("printf '127.0.0.1 localhost\\n10.9.8.7 db.secret.example' >/etc/hosts");
	for (unsigned i = 0; i < 2; i++) {
		char *out = hosts_of(users[i], "");

		cr_expect(has(out, "127.0.0.1       mimobox\n"), "%s", out);
		cr_expect(has(out, "\nmimobox\nmimobox\n"), "%s", out);
		cr_expect(!has(out, "secret"), "%s", out);
	}
	if (!outside_landlock(false))
		return;
	/* The names of a network that can be reached are there. */
	for (unsigned i = 0; i < 2; i++) {
		char *out = hosts_of(users[i], text("%snetwork host\n", outside_landlock(false)));

		cr_expect(has(out, "127.0.0.1       mimobox\n"), "%s", out);
		cr_expect(has(out, "10.9.8.7 db.secret.example\n127.0.0.1\tmimobox\n"), "%s", out);
	}
}

/* What the owner may not read, and what is too large for the root, is as it is on the host. */
Test(everyday_host, other_files_of_hosts)
{
	const char *network = outside_landlock(false);
	char *out;

	if (!network)
		cr_skip_test("the host's network is refused here");
	network = text("%snetwork host\n", network);
	sh("echo '10.9.8.7 db.secret.example' >/etc/hosts; chmod 600 /etc/hosts");
	out = hosts_of(ANN, network);
	cr_expect(has(out, "Permission denied") && !has(out, "secret"), "%s", out);
	sh("for i in $(seq 999); do echo 10.9.8.7 db$i.example; done >/etc/hosts; "
	   "chmod 644 /etc/hosts");
	out = hosts_of(ANN, network);
	cr_expect(has(out, "db999.example") && !has(out, "mimobox\n127"), "%s", out);
	sh("rm /etc/hosts");
	out = hosts_of(ANN, network);
	cr_expect(has(out, "/etc/hosts: No such file"), "%s", out);
	sh("mkfifo /etc/hosts"); /* nobody writes to it */
	out = hosts_of(ANN, text("%stimeout 5s\ncommand echo started\n#", network));
	cr_expect(has(out, "started"), "%s", out);
}

Test(everyday_host, own_files_can_be_replaced)
{
	static const char *const names[] = { "hosts", "hostname", "passwd", "group" };

	outside_file(outside("f"), "given\n", ANN, 0644);
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int status;
		char *out = session_run_as(ANN, "a",
					   text("ro %s:/etc/%s\ncommand cat /etc/%s\n",
						outside("f"), names[i], names[i]),
					   &status);

		cr_expect_str_eq(out, "given\n", "%s: %s", names[i], out);
		session_remove("a");
	}
}

/* Configs as people write and copy them */

Test(everyday, configs_of_other_systems_and_editors)
{
	int status;
	char *out;

	session_make("a");
	put_all("a/config", "memory 64M\r\nenv A=1\r\ncommand echo $A\r\n");
	put_all("a/config", "cpu 2\n"); /* one key, and the others stay */
	cr_expect_str_eq(get_value("a/config", "memory"), "64M");
	cr_expect_str_eq(get_value("a/config", "cpu"), "2");
	/* What an editor does with a line that is deleted, and one that is changed. */
	sh("cd $M; sed '/^memory/d; /^env A=/d; s/^cpu .*/cpu 3/' a/config > ../edited; "
	   "cat ../edited > a/config");
	cr_expect_str_eq(get_value("a/config", "memory"), "512M");
	cr_expect_str_eq(get_value("a/config", "cpu"), "3");
	cr_expect(!has(get("a/config", NULL), "env A="));
	cr_expect_str_eq(get_value("a/config", "command"), "echo $A");
	/* A copy is the same. */
	session_make("b");
	put_all("b/config", "env B=1\nmemory 1M\n");
	cr_expect_str_eq(sh("cd $M; cp a/config b/config; cmp a/config b/config && echo same"),
			 "same\n");
	/* And so for what new sessions begin with. */
	put_all("defaults", "memory 32M\nenv D=1\n");
	put_all("a/config", "reset\n");
	cr_expect_str_eq(get_value("a/config", "memory"), "32M");
	sh("cd $M; sed '/^memory/d; /^env D=/d' defaults > ../edited; cat ../edited > defaults");
	cr_expect_str_eq(get_value("defaults", "memory"), "512M");
	out = session_run("c", "argv [\"printf\",\"%s\",\"\\udcff\\u00e9\"]\nterminal no\n",
			  &status);
	cr_expect_str_eq(out, "\xff\xc3\xa9");
}

Test(everyday, paths_with_colons_and_blanks)
{
	int status;
	char *out;

	sh("cd $M/..; mkdir 'a:b '; echo there > 'a:b /f'");
	out = session_run("a",
			  text("ro %s/a\\:b\\040:/in:side\ncommand cat /in:side/f\n", fixture.dir),
			  &status);
	cr_expect_str_eq(out, "there\n");
	session_make("b");
	put_refused("b/config", text("ro %s/a:b\n", fixture.dir), EINVAL);
	cr_expect(has(get("b/log", NULL), "(a ':' in a name is written \\:)"));
}

Test(everyday, a_failed_start_is_one_line_of_status)
{
	session_make("a");
	put_all("a/config", "argv [\"/x\\nstate running\"]\n");
	cr_expect_eq(put("a/ctl", "start\n"), -ENOENT);
	cr_expect(has(get_value("a/status", "start-failed"), "/x?state running"));
	cr_expect_str_eq(get_value("a/status", "state"), "created");
}

/* Tools for files and trees */

Test(everyday, cp_with_times_and_modes)
{
	struct run run;

	session_make("a");
	sh("cd $M/..; echo 'cpu 2' > profile; chmod 600 profile; touch -d 2001-01-01 profile; "
	   "cp -p profile m/a/config; touch m/a/config; chmod 600 m/a/config; chmod 400 m/a/log");
	cr_expect_str_eq(get_value("a/config", "cpu"), "2");
	/* the control: what the file cannot do */
	run = run_shell("sh", "LC_ALL=C chmod 750 $M/a/config");
	cr_expect(run.status == 1 && has(run.err, "Operation not permitted"), "%s", run.err);
}

Test(everyday, removal_of_a_tree_is_refused)
{
	struct run run;

	session_start("a", "command echo READY; read x\n");
	run = run_shell("sh", "LC_ALL=C rm -rf $M/a");
	cr_expect_eq(run.status, 1);
	cr_expect(has(run.err, "a/wait': Operation not permitted"), "%s", run.err);
	cr_expect(!has(run.err, "directory"), "%s", run.err);
	cr_expect_str_eq(get_value("a/status", "state"), "running");
	cr_expect(rmdir(at("a/input")) < 0 && errno == ENOTDIR);
	cr_expect(rmdir(at("a/wait")) < 0 && errno == EPERM);
	cr_expect_eq(rmdir(at("a")), 0);
}

Test(everyday, df_shows_the_disk_of_the_output)
{
	struct statvfs is, disk;

	cr_assert_eq(statvfs(fixture.mount, &is), 0);
	cr_assert_eq(statvfs(fixture.spool, &disk), 0);
	cr_expect(is.f_blocks > 0 && is.f_blocks == disk.f_blocks && is.f_frsize == disk.f_frsize);
	cr_expect(has(sh("df"), fixture.mount));
}

Test(everyday, transcripts_are_mapped_privately)
{
	int status, fd;

	session_run("a", "command echo hello\n", &status);
	fd = open(at("a/transcript"), O_RDONLY);
	cr_assert_geq(fd, 0);
	char *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	cr_assert_neq(map, MAP_FAILED, "%s", strerror(errno));
	cr_expect(!strncmp(map, "hello", 5));
	munmap(map, 4096);
	/* As the manual says. */
	cr_expect_eq(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	cr_expect_eq(errno, ENODEV);
	close(fd);
}

/* Files that grow */

struct followed {
	const char *path, *part;
};

static bool shows(const void *data)
{
	const struct followed *followed = data;
	char *shown = sh(text("cat %s 2>/dev/null || :", followed->path));

	return has(shown, followed->part);
}

static void follow(const char *file, const char *to)
{
	spawn((const char *const[]){
		"sh", "-c", text("exec tail -n +1 -s 0.05 -f %s >%s 2>&1", at("%s", file), to),
		NULL });
}

Test(everyday, tail_follows)
{
	const char *log = text("%s/log", fixture.dir), *out = text("%s/out", fixture.dir);
	struct stat st;

	session_make("a");
	put_refused("a/config", "first\n", EINVAL);
	session_start("b", "command echo one; read x; echo two; read x\n");
	follow("a/log", log);
	follow("b/transcript", out);
	cr_assert(await(shows, &(struct followed){ log, "first" }, 5000));
	cr_assert(await(shows, &(struct followed){ out, "one" }, 5000));
	put_refused("a/config", "second\n", EINVAL);
	put_all("b/input", "\n");
	cr_expect(await(shows, &(struct followed){ log, "second" }, 10000));
	cr_expect(await(shows, &(struct followed){ out, "two" }, 10000));
	cr_expect(!has(sh(text("cat %s", log)), "truncated"));
	/* Others copy what there is. */
	cr_assert_eq(stat(at("a/log"), &st), 0);
	cr_expect_eq((size_t)st.st_size, strlen(get("a/log", NULL)));
	cr_expect_str_eq(
		sh("cd $M; tar cf - a/log 2>/dev/null | tar xOf - | cmp - a/log && echo same"),
		"same\n");
}

/* What is older than fits goes, and a line says how much; a reader who is behind is told. */
Test(everyday, a_long_log)
{
	char byte;
	int fd;
	char *log;
	unsigned long dropped, lines = 0;

	session_make("a");
	fd = open(at("a/log"), O_RDONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(read(fd, &byte, 1), 1);
	for (unsigned i = 0; i < 1500; i++)
		cr_assert_eq(put("a/config", text("wrong%u\n", i)), -EINVAL);
	log = get("a/log", NULL);
	cr_assert_eq(sscanf(log, "# %lu older lines were dropped\n", &dropped), 1, "%.100s", log);
	for (char *at = log; *at; at++)
		lines += *at == '\n';
	/* the first is of the making, and one line is the one that says so */
	cr_expect_eq(dropped + lines - 1, 1501, "%lu %lu", dropped, lines);
	cr_expect(has(log, "wrong1499'\n"));
	cr_expect(!has(log + 1, "# "));
	cr_expect(read(fd, &byte, 1) < 0 && errno == ESTALE, "%s", strerror(errno));
	close(fd);
}

/* The screen */

Test(everyday, the_cursor)
{
	session_start("a", "command stty -echo; printf 'one\\r\\ntwo'; read x; "
			   "printf '\\033[?25l\\033[5;7H'; read x\n");
	get("a/wait/match@0:two", NULL);
	cr_expect_str_eq(get("a/cursor", NULL), "2 4 visible\n");
	put_all("a/input", "\n");
	get("a/wait/match@0:H", NULL);
	cr_expect_str_eq(get("a/cursor", NULL), "5 7 hidden\n");
	cr_expect(has(get("a/screen", NULL), "one\ntwo\n"));
	cr_expect_eq(can_open("a/cursor", O_WRONLY), -EACCES);
}
