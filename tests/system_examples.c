/* SPDX-License-Identifier: MIT */
/*
 * contrib/examples: each program does what it says, for an ordinary user at a mount that root
 * serves at /run/mimobox; and the documents show what the files hold, byte for byte.
 */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

/* H is a directory of ann's, E where a package has the examples; all of it is the test's own. */
static void examples_prepare(void)
{
	outside_prepare();
	cr_assert(getenv("SOURCE") && getenv("CLIENT"), "run by meson test");
	setenv("H", text("%s/ann", fixture.dir), 1);
	setenv("E", "/usr/share/doc/mimobox/examples", 1);
	outside_directory(getenv("H"), ANN, 0700);
	sh("for d in /run /srv /usr/share/doc; do mount -t tmpfs none $d; done;"
	   "mkdir -p $E /run/bin && cp \"$SOURCE\"/contrib/examples/* $E && cp \"$CLIENT\" "
	   "/run/bin");
	strcpy(fixture.mount, "/run/mimobox");
	setenv("PATH", text("/run/bin:%s", getenv("PATH")), 1);
	unsetenv("MIMOBOX");
	fixture_daemon(NULL);
}

TestSuite(examples, .init = examples_prepare, .fini = outside_stop, .timeout = 90);

/* What ann's script prints; it succeeds, and leaves no session. */
static char *ann(const char *script)
{
	struct run done = run_as(ANN, text("cd $H && %s", script));

	cr_assert_eq(done.status, 0, "%s: status %d\n%s%s", script, done.status, done.out,
		     done.err);
	cr_assert_str_eq(session_names(), "", "%s leaves %s", script, session_names());
	return plain(done.out);
}

static void prints(const char *script, const char *wanted)
{
	char *out = ann(script);

	cr_assert_str_eq(out, wanted, "%s printed:\n%s", script, out);
}

/* Six jobs, four lines of events each, of which one is never started. */
Test(examples, shell_queue)
{
	char *out =
		ann("exec 4< /run/mimobox/events && printf '%s\\n' 'sleep 0.5; echo slow' "
		    "'exit 4' '' 'echo quick' 'kill -9 $$' 'sleep 0.1' | $E/queue 2 2>&1 ||"
		    "head -n 22 <&4 | awk '/ started/ && ++n > most { most = n } / exited/ { n-- }"
		    " END { print \"most\", most }'; echo true | $E/queue 1");

	cr_assert(has(out, "exit 4: 4\n"), "%s", out);
	cr_assert(has(out, "key 'command' has no value\n"), "%s", out);
	cr_assert(has(out, "quick\necho quick: 0\n"), "%s", out);
	cr_assert(has(out, "kill -9 $$: -9\n"), "%s", out);
	cr_assert(has(out, "sleep 0.1: 0\n"), "%s", out);
	cr_assert(has(out, "slow\nsleep 0.5; echo slow: 0\n"), "%s", out);
	cr_assert(has(out, "most 2\n"), "%s", out);
	cr_assert_lt(strstr(out, "quick\n"), strstr(out, "slow\n"), "%s", out);
}

/* Bytes as they are printed, more than is kept, a mount with blanks in its path, and no other line.
 */
Test(examples, shell_queue_of_anything)
{
	/* what follows is where no command can write */
	prints("printf '%s\\n' 'printf a' '-n' | $E/queue 1 2> log; echo; grep -c '' log; sed -n "
	       "'$p' log",
	       "a/bin/sh: 1: -n: not found\n\n3\n-n: 127\n");
	prints("printf '%s\\n' \"printf 'a\\0b'; echo exit 3: 0\" | $E/queue 1 2> log | od -An -c; "
	       "sed "
	       "'s/.*: //' log",
	       "   a  \\0   b   e   x   i   t       3   :       0  \\r  \\n\n0\n");
	prints("mkdir 'a b' && ln -s /run/mimobox 'a b/the mount' &&"
	       "echo 'echo hi' | MIMOBOX=\"$PWD/a b/the mount\" $E/queue 1 2>&1; rm -r 'a b'",
	       "hi\necho hi: 0\n");
	/* all that it needs by itself is less than one of its outputs */
	prints("(ulimit -v 60000; echo 'head -c 200M /dev/zero' | $E/queue 1 | wc -c)",
	       "67108864\n");
	prints("printf 'echo a\\rrw /srv\\n' | $E/queue 1 2>&1 || echo failed",
	       "a control character in: echo a^Mrw /srv\nfailed\n");
}

Test(examples, python_session)
{
	char *out = ann("echo 'print(6 * 7); open(\"/etc/shadow\")' | $E/session.py");

	cr_assert(has(out, "42\n"), "%s", out);
	cr_assert(has(out, "PermissionError"), "%s", out);
	cr_assert(has(out, "\nexit 1 reason exit cpu 0."), "%s", out);
	out = ann("echo 'x = [bytearray(1 << 20) for i in range(1000)]' | $E/session.py");
	cr_assert(has(out, "exit -9 reason oom cpu 0."), "%s", out);
	out = ann("echo 'while True: print(\"x\" * 99)' | $E/session.py | tail -c 50");
	cr_assert(has(out, "exit -15 reason kill cpu 0."), "%s", out);
	/* the last line is not the code's to begin */
	out = ann("echo 'import sys; sys.stderr.write(\"exit 0 reason exit cpu 0 \"); exit(3)' |"
		  "$E/session.py | tail -n 1");
	cr_assert(!strncmp(out, "exit 3 reason exit cpu 0.", 25), "%s", out);
}

/* A value makes no second line of config. */
Test(examples, a_value_is_one_line)
{
	char *out;

	prints("$E/run.mjs \"$(printf 'test -d /h || echo none\\nrw /srv:/h')\" 2>/dev/null",
	       "none\n");
	prints("cp $E/session.py . && python3 -c \"\n"
	       "from session import Session\n"
	       "for config in {'cwd': '/tmp\\nrw /srv'}, {'memory 1G\\nrw': '/srv'}, {'env': "
	       "'A=\\r'}:\n"
	       "    with Session(['true'], **config) as session:\n"
	       "        try: session.start()\n"
	       "        except ValueError as error: print('refused')\n"
	       "\"",
	       "refused\nrefused\nrefused\n");
	out = ann("! $E/nightly /srv \"$(printf 'true\\nrw /srv')\" 2>&1");
	cr_assert(has(out, "a control character"), "%s", out);
	out = ann("! $E/nightly \"$(printf '/tmp\\nrw /srv')\" true 2>&1");
	cr_assert(has(out, "a control character"), "%s", out);
}

/* As a module; an error says why. */
Test(examples, python_says_why)
{
	prints("cp $E/session.py . && python3 -c \"\n"
	       "from session import Session\n"
	       "with Session(['true'], memroy='1M') as session:\n"
	       "    try: session.start()\n"
	       "    except OSError as error: print(error.strerror, error.__notes__[0][25:])\n"
	       "with Session(['sh', '-c', 'cat file; exit 3'], {'file': b'x'}, open_files=20) as "
	       "s:\n"
	       "    s.start()\n"
	       "    print(s.read('output'), s.read('exit'), s.status()['exit'])\n"
	       "\"",
	       "Invalid argument config line 1: unknown key 'memroy'\nb'x' b'3\\n' 3\n");
}

Test(examples, node_streams)
{
	char *out;

	prints("$E/run.mjs 'sleep 0.5; echo slow' 'echo quick; exit 3' 2>&1",
	       "quick\necho quick; exit 3: 3 (exit)\nslow\nsleep 0.5; echo slow: 0 (exit)\n");
	/* more than Node has threads, one of them ended by its timeout */
	out = ann("$E/run.mjs 'sleep 99' $(seq -f 'sleep.%g' 8) 2>&1");
	cr_assert(has(out, "sleep 99: -15 (timeout)\n"), "%s", out);
	for (int i = 1; i <= 8; i++)
		cr_assert(has(out, text("sleep.%d: 127 (exit)\n", i)), "%s", out);
}

Test(examples, make_recipes)
{
	char *out = ann("cp $E/Makefile . && make -j 2 check CFLAGS=-O1");

	cr_assert(has(out, "cc -O1 -o hello hello.c\n"), "%s", out);
	prints("make -s check && ls hello hello.c && make -s clean && ls",
	       "hello\nhello.c\nMakefile\n");
	prints("printf 'include Makefile\\nwrite:\\n\\techo x > /srv/ann.out\\n' > more.mk &&"
	       "if make -s -f more.mk write > log 2>&1; then echo made; fi; grep -c nonexistent "
	       "log;"
	       "grep -c 'more.mk' log",
	       "1\n1\n");
	cr_assert_neq(access("/srv/ann.out", F_OK), 0);
}

/* The very line, as cron runs it; then with nothing new, of which cron's mail tells. */
Test(examples, cron_line)
{
	const char *line = "cd /tmp && line=$(grep '^[0-9]' $E/crontab | cut -d ' ' -f 6-) &&"
			   "env -i HOME=/tmp LOGNAME=mimo-ann SHELL=/bin/sh PATH=/usr/bin:/bin "
			   "/bin/sh -c \"$line\"";
	char *out;

	outside_directory("/srv/reports", ANN, 0700);
	prints(text("printf 'b\\na\\n' > /srv/reports/new && %s", line), "");
	prints("cd /srv/reports && ls && cat all", "all\na\nb\n");
	out = ann(text("! { %s; }", line));
	cr_assert(has(out, "cannot remove 'new'"), "%s", out);
	cr_assert(has(out, "\nexit 1\nreason exit\n"), "%s", out);
	out = ann("! $E/nightly /srv/nowhere true");
	cr_assert(has(out, "/srv/nowhere: No such file"), "%s", out);
	prints("$E/nightly /srv/reports 'cat; rm -f /srv/x; cat < all > /srv/reports/b'", "");
}

Test(examples, expect_dialogue)
{
	prints("$E/dialogue.exp 40 2", "the sum is 42\n");
}

/* Documents */

static bool is_file(const char *block, const char *name)
{
	return !strcmp(block, outside_read(text("%s/%s", getenv("E"), name)));
}

static char *file_of(const char *path)
{
	return outside_read(text("%s/%s", getenv("SOURCE"), path));
}

/* mandoc_char(7): \e is a backslash, \& is nothing, where a line begins with a dot. */
static char *from_mdoc(const char *line)
{
	char *plain_line = text("%s", ""), *to = plain_line = text("%s", line);

	for (const char *from = line; *from; from++) {
		if (!strncmp(from, "\\&", 2)) {
			from++;
			continue;
		}
		*to++ = *from;
		if (!strncmp(from, "\\e", 2))
			from++;
	}
	*to = '\0';
	return plain_line;
}

/* The manual page has each of them, whole, below its name; the judge is too long for that. */
Test(examples, manual_page_shows_the_files)
{
	char *page = file_of("contrib/man/mimobox-examples.7"), *name = NULL, *block = NULL;
	unsigned shown = 0;

	for (char *line; (line = strsep(&page, "\n"));) {
		if (!strncmp(line, ".Ss ", 4)) {
			name = line + 4;
		} else if (!strcmp(line, ".Bd -literal")) {
			block = text("%s", "");
		} else if (block && !strcmp(line, ".Ed")) {
			cr_expect(is_file(block, name), "contrib/examples/%s is not:\n%s", name,
				  block);
			block = NULL;
			shown++;
		} else if (block) {
			block = text("%s%s\n", block, from_mdoc(line));
		}
	}
	cr_assert_str_eq(sh("ls $E | grep -vx judge | wc -l"), text("%u\n", shown));
}

/* What the README shows that is not to be typed is a file; and its table has them all. */
Test(examples, readme_shows_the_files)
{
	char *readme = file_of("README.md"), *block = NULL;
	unsigned shown = 0;

	for (char *line; (line = strsep(&readme, "\n"));) {
		if (!strcmp(line, "```shell")) {
			block = text("%s", "");
		} else if (block && !strcmp(line, "```")) {
			cr_expect(is_file(block, "queue"), "%s", block);
			block = NULL;
			shown++;
		} else if (block) {
			block = text("%s%s\n", block, line);
		}
	}
	cr_assert_eq(shown, 1);
	cr_assert_str_eq(
		sh("for f in $(ls $E); do grep -c \"^| .*\\`$f\\`\" $SOURCE/README.md; done"
		   "| sort -u"),
		"1\n");
}
