/* SPDX-License-Identifier: MIT */
/*
 * What `--json` of the client prints, read by jq: its names against those that mimobox(1) tells of,
 * the types of its values, and bytes that are not UTF-8.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

enum { MANY = 1000 };

static void start(void)
{
	fixture_prepare();
	chmod(fixture.dir, 0755);
	fixture_daemon(NULL);
	setenv("MIMOBOX", fixture.mount, 1);
	cr_assert(getenv("CLIENT") != NULL && getenv("SOURCE") != NULL);
}

TestSuite(json, .init = start, .fini = fixture_stop, .timeout = 120);

/* Runs it to its end. */
static void ran(const char *name, const char *config)
{
	int status;

	(void)session_run(name, config, &status);
}

/* What jq makes of what the client prints. */
static char *ask(const char *arguments, const char *filter)
{
	return sh(text("$CLIENT %s --json | jq -c '%s'", arguments, filter));
}

static void make_each_kind(void)
{
	session_start("runs", "idle-timeout 1h\ncommand read x\n");
	session_start("pipes", "terminal no\nargv [\"sleep\", \"1000\"]\n");
	session_start("inside", "in runs\ncommand read x\n");
	ran("ended", "command printf 12345; exit 3\n");
	session_make("made");
	session_make("failed");
	put_all("failed/config", "cwd /nowhere\n");
	cr_assert_lt(put("failed/ctl", "start\n"), 0);
	cr_assert_eq(setxattr(at("runs"), "user.team", "blue", 4, 0), 0);
}

Test(json, status)
{
	make_each_kind();
	cr_expect_str_eq(ask("status runs", "[.name,.owner,.state,.command,.labels.team]"),
			 "[\"runs\",0,\"running\",\"read x\",\"blue\"]\n");
	cr_expect_str_eq(ask("status runs", "[.pid,.cpu,.idle,.readers,.output_end]|map(type)|"
					    "unique"),
			 "[\"number\"]\n");
	cr_expect_str_eq(ask("status runs", ".namespaces|index(\"net\")|type"), "\"number\"\n");
	cr_expect_str_eq(ask("status runs", "[.no_new_privs,.output_paused]"), "[true,false]\n");
	cr_expect_str_eq(ask("status inside", "[.in,.answers,.ptrace]"),
			 "[\"runs\",\"session\",false]\n");
	cr_expect_str_eq(ask("status pipes", "[.argv,.stderr_end,.command,.labels,.in,.answers]"),
			 "[[\"sleep\",\"1000\"],0,null,{},null,null]\n");
	cr_expect_str_eq(ask("status ended", "[.state,.exit,.reason,.output_end]"),
			 "[\"exited\",3,\"exit\",5]\n");
	cr_expect_str_eq(ask("status made", "[.state,.exit,.pid]"), "[\"created\",null,null]\n");
	cr_expect(has(ask("status failed", ".start_failed"), "nowhere"));
	cr_expect_str_eq(sh("$CLIENT status ended | grep -v '^readers'"),
			 sh("grep -v '^readers' $M/ended/status"));
}

/* Both ways: each name that is printed is documented, and each that is documented is known. */
Test(json, names_are_those_of_the_manual)
{
	make_each_kind();
	sh("sed -n '/^An object of a session/,/^.El/p' $SOURCE/contrib/man/mimobox.1 |"
	   "sed -n 's/^.It Cm //p' | sed 's/ , /\\n/g' | sort > $M/../documented");
	sh("$CLIENT ls --json | jq -r '.[]|keys[]' | sort -u > $M/../printed");
	cr_expect_str_eq(sh("comm -13 $M/../documented $M/../printed"), "");
	/* What a machine need not have. */
	cr_expect_str_eq(sh("comm -23 $M/../documented $M/../printed | grep -v ^landlock_ |"
			    "grep -vx -e core_socket -e unlimited -e stuck || :"),
			 "");
	sh("$CLIENT doctor --json | jq -r '.[]|keys[]' | sort -u > $M/../printed");
	cr_expect_str_eq(sh("sed -n '/^An object of$/,/^.El/p' $SOURCE/contrib/man/mimobox.1 |"
			    "sed -n 's/^.It Cm //p' | sed 's/ , /\\n/g' | sort |"
			    "cmp - $M/../printed 2>&1"),
			 "");
}

Test(json, doctor)
{
	cr_expect_str_eq(ask("doctor", "[.[0].check,.[0].level]"), "[\"mount\",\"ok\"]\n");
	cr_expect_str_eq(sh("$CLIENT doctor --json | jq length"), sh("$CLIENT doctor | wc -l"));
}

Test(json, a_thousand_sessions)
{
	sh(text("cd $M; mkdir $(seq -f s%%04g %d)", MANY));
	cr_expect_str_eq(ask("ls", "[length,.[0].name,.[999].name,.[5].state]"),
			 "[1000,\"s0001\",\"s1000\",\"created\"]\n");
}

Test(json, bytes_that_are_not_utf8)
{
	session_make("a");
	cr_assert_eq(setxattr(at("a"),
			      "user.\xff"
			      "b",
			      "x\xc3\x28\xed\xa0\x80y", 7, 0),
		     0);
	cr_assert_eq(setxattr(at("a"), "user.ok", "\xc3\xa9\"\n\0z", 6, 0), 0);
	put_all("a/config", "command echo '\xff\xc3\xa9'\n");
	cr_expect_str_eq(ask("status a", ".labels[\"\xef\xbf\xbd"
					 "b\"]"),
			 "\"x\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy\"\n");
	cr_expect_str_eq(ask("status a", ".labels.ok"), "\"\xc3\xa9\\\"\\n\\u0000z\"\n");
	cr_expect_str_eq(ask("status a", ".command"), "\"echo '\xef\xbf\xbd\xc3\xa9'\"\n");
	/* On a terminal, nothing of it acts. */
	cr_expect(has(sh("LC_ALL=C.UTF-8 $CLIENT ls"), "\na     created  "));
	cr_expect(has(sh("LC_ALL=C.UTF-8 $CLIENT ls"), "?b=x?("));
}

Test(json, of_others_there_is_the_name)
{
	struct run done;

	session_make("a");
	cr_assert_eq(setxattr(at("a"), "user.team", "blue", 4, 0), 0);
	sh("cp $CLIENT $M/../client; chmod 755 $M/../client");
	done = run((const char *const[]){ "setpriv", "--reuid", "23451", "--regid", "23451",
					  "--clear-groups", "sh", "-c",
					  "$M/../client ls --json | jq -c .", NULL });
	cr_expect_str_eq(done.out, "[{\"name\":\"a\",\"owner\":0}]\n", "%s%s", done.out, done.err);
	done = run((const char *const[]){ "setpriv", "--reuid", "23451", "--regid", "23451",
					  "--clear-groups", "sh", "-c",
					  "$M/../client status --json a", NULL });
	cr_expect_eq(done.status, 125);
	cr_expect(has(done.err, "a: Permission denied"), "%s", done.err);
	cr_expect_eq(run_shell("sh", "$CLIENT status").status, 2);
	cr_expect_eq(run_shell("sh", "$CLIENT status nothing").status, 125);
}
