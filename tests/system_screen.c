/* SPDX-License-Identifier: MIT */
/*
 * The first screen of the contract, as a user pastes it, in three shells. Each line stays as it
 * is written there, and is followed by an echo of its exit status.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

static const char *const screen[] = {
	"mimoboxfs /run/mimobox                          # mount (a user may mount one elsewhere)",
	"mkdir /run/mimobox/build                        # a session: created, not started",
	"echo 'memory 512M' >> /run/mimobox/build/config # optional; cp profile.conf works too",
	"echo start          > /run/mimobox/build/ctl    # sandboxed /bin/sh on a terminal",
	"echo 'uname -a; exit 3' > /run/mimobox/build/input",
	"cat /run/mimobox/build/output                   # all it printed from the first byte",
	"cat /run/mimobox/build/exit                     # waits for the end; prints 3",
	"stty size > /run/mimobox/build/size             # resize to this terminal",
	"echo kill > /run/mimobox/build/ctl",
	"rmdir /run/mimobox/build                        # gone, with every process it had",
};
enum { LINES = sizeof(screen) / sizeof(*screen) };

static void show(const char *shell)
{
	char *path = text("%s/screen", fixture.dir);
	FILE *script = fopen(path, "we");
	struct utsname host;
	struct run done;
	const char *before, *after;

	cr_assert(script != NULL);
	fprintf(script, "PATH=%.*s:$PATH\n", (int)(strrchr(mimoboxfs(), '/') - mimoboxfs()),
		mimoboxfs());
	fprintf(script, "stty rows 31 cols 99\n"); /* this terminal */
	for (unsigned i = 0; i < LINES; i++) {
		fprintf(script, "%s\necho \"<$?>\"\n", screen[i]);
	}
	fclose(script);
	/* stty needs a terminal */
	done = run((const char *const[]){ "script", "-qec", text("%s %s", shell, path), "/dev/null",
					  NULL });
	fixture_adopt();
	cr_assert_eq(done.status, 0, "%s: status %d", shell, done.status);
	after = plain(done.out);
	for (unsigned i = 0; i < LINES; i++) {
		before = after;
		after = strstr(before, "<0>\n");
		cr_assert(after != NULL, "%s: %s\n%s", shell, screen[i], plain(done.out));
		after += 4;
		if (i == 5) {
			uname(&host);
			cr_assert(has(text("%.*s", (int)(after - before), before), "Linux "));
			cr_assert(has(text("%.*s", (int)(after - before), before), host.release));
		} else {
			cr_assert_str_eq(text("%.*s", (int)(after - before), before),
					 i == 6 ? "3\n<0>\n" : "<0>\n");
		}
	}
	cr_assert_neq(access(at("build"), F_OK), 0);
}

/* /run and /var/lib of the test's own, so that the lines can stay as they are. */
static void screen_prepare(void)
{
	fixture_private_mounts();
	fixture_prepare();
	sh("mount -t tmpfs none /run; mount -t tmpfs none /var/lib");
	strcpy(fixture.mount, "/run/mimobox");
}

TestSuite(screen, .init = screen_prepare, .fini = fixture_stop, .timeout = 60);

Test(screen, in_sh)
{
	show("sh");
}

Test(screen, in_bash)
{
	show("bash");
}

Test(screen, in_dash)
{
	show("dash");
}

TestSuite(clients, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

Test(clients, mktemp_gives_a_private_name)
{
	char *made = sh("umask 022; d=$(mktemp -d $M/XXXXXX) && stat -c %a $d && echo $d");

	cr_assert_eq(strncmp(made, "700\n", 4), 0, "%s", made);
	cr_assert(has(made, fixture.mount));
}

Test(clients, input_starts_a_session)
{
	cr_assert_str_eq(sh("mkdir $M/a && echo 'exit 4' > $M/a/input && cat $M/a/exit"), "4\n");
}

Test(clients, a_profile_is_copied)
{
	sh("printf 'timeout 7s\\ncommand exit 5\\n' > $M/../profile; mkdir $M/a;"
	   "cp $M/../profile $M/a/config; echo start > $M/a/ctl");
	cr_assert_str_eq(get_value("a/config", "timeout"), "7s");
	cr_assert_eq(session_exit("a"), 5);
}

Test(clients, a_second_command_after_the_first)
{
	char *out =
		sh("mkdir $M/a; echo 'X=on; echo ${X}e' > $M/a/input;"
		   "echo 'echo ${X}e-two; exit 42' > $M/a/input; cat $M/a/output; cat $M/a/exit");

	/* after the prompt, or not: when the shell prints that is its affair */
	cr_assert(has(plain(out), "one\n") && has(plain(out), "one-two\n"), "%s", out);
	cr_assert(has(out, "\n42\n"));
}

Test(clients, python)
{
	struct run done = run((const char *const[]){
		"/usr/bin/python3", "-c",
		"import os\n"
		"m = os.environ['M'] + '/p'\n"
		"os.mkdir(m)\n"
		"open(m + '/config', 'a').write('command echo $((6*7)); exit 9\\n')\n"
		"open(m + '/ctl', 'w').write('start\\n')\n"
		"print(open(m + '/output', newline='').read(), open(m + '/exit').read())\n"
		"os.rmdir(m)\n",
		NULL });

	cr_assert_str_eq(done.out, "42\r\n 9\n\n", "%s%s", done.out, done.err);
}

Test(clients, node)
{
	struct run done;

	if (run_shell("sh", "command -v node").status)
		cr_skip_test("no node here");
	done = run((const char *const[]){
		"node", "-e",
		"const fs = require('fs'), m = process.env.M + '/n';"
		"fs.mkdirSync(m);"
		"fs.writeFileSync(m + '/config', 'command echo $((6*7)); exit 9\\n');"
		"fs.writeFileSync(m + '/ctl', 'start\\n');"
		"fs.readFile(m + '/output', 'latin1', (e, out) => {"
		"  console.log(e, JSON.stringify(out), fs.readFileSync(m + '/exit', 'latin1'));"
		"  fs.rmdirSync(m);"
		"});",
		NULL });
	cr_assert_str_eq(done.out, "null \"42\\r\\n\" 9\n\n", "%s%s", done.out, done.err);
}

Test(clients, expect)
{
	struct run done;

	if (run_shell("sh", "command -v expect").status)
		cr_skip_test("no expect here");
	done = run((const char *const[]){ "expect", "-c",
					  "set timeout 15\n"
					  "set m $env(M)/e\n"
					  "file mkdir $m\n"
					  "spawn -noecho cat $m/output\n"
					  "exec echo {echo $((6*7))} > $m/input\n"
					  "expect {\n -ex 42 { }\n timeout { exit 8 }\n}\n"
					  "exec echo {exit 9} > $m/input\n"
					  "expect {\n eof { }\n timeout { exit 7 }\n}\n"
					  "exit [exec cat $m/exit]\n",
					  NULL });
	cr_assert_eq(done.status, 9, "status %d\n%s%s", done.status, done.out, done.err);
}
