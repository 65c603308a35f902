/* SPDX-License-Identifier: MIT */
/* `screen` and `cast` of real programs: what a person would see, and what a player would play. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fixture.h"

TestSuite(view, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

static unsigned lines_in(const char *screen)
{
	unsigned count = 0;
	for (; *screen; screen++)
		count += *screen == '\n';
	return count;
}

static void type_and_settle(const char *name, const char *keys)
{
	put_all(text("%s/input", name), keys);
	get(text("%s/wait/idle:300ms", name), NULL);
}

Test(view, before_the_start_it_is_blank)
{
	session_make("a");
	cr_assert_eq(lines_in(get("a/screen", NULL)), 24);
	put_all("a/size", "7 33\n");
	char *screen = get("a/screen", NULL);
	cr_assert_str_eq(screen, "\n\n\n\n\n\n\n");
}

Test(view, an_editor_resized_and_left)
{
	session_make("a");
	put_all("a/size", "10 60\n");
	put_all("a/ctl", "start\n");
	get("a/wait/match@0:\\$ ", NULL);
	type_and_settle("a", "printf 'one\\ntwo\\n' > /tmp/f; clear; vi -u NONE /tmp/f\n");
	char *screen = get("a/screen", NULL);
	cr_expect_eq(lines_in(screen), 10, "%s", screen);
	cr_expect_eq(strncmp(screen, "one\ntwo\n~\n", 10), 0, "%s", screen);
	put_all("a/size", "5 40\n");
	type_and_settle("a", "Onew\033");
	screen = get("a/screen", NULL);
	cr_expect_eq(lines_in(screen), 5, "%s", screen);
	cr_expect(has(screen, "new\none\ntwo\n"), "%s", screen);
	type_and_settle("a", ":q!\r");
	screen = get("a/screen", NULL);
	cr_expect(!has(screen, "~"), "the alternate screen is left: %s", screen);
	put_all("a/input", "exit 4\n");
	cr_assert_eq(session_exit("a"), 4);
	cr_expect(has(get("a/screen", NULL), "exit 4"), "it can be looked at after the end");
}

Test(view, the_sizes_that_it_was_printed_at)
{
	session_make("a");
	cr_expect_str_eq(get("a/sizes", NULL), "0 24 80\n");
	put_all("a/size", "10 60\n"); /* is the one that it starts with */
	put_all("a/config", "retain 1M\ncommand echo 1; read x; echo 4; read x; seq -w 400000\n");
	put_all("a/ctl", "start\n");
	get("a/wait/match@0:1", NULL);
	cr_expect_str_eq(get("a/sizes", NULL), "0 10 60\n");
	put_all("a/size", "20 70\n");
	cr_expect_str_eq(get("a/sizes", NULL), "0 10 60\n3 20 70\n");
	put_all("a/size", "30 90\n"); /* nothing was printed meanwhile */
	put_all("a/input", "\n");
	get("a/wait/match@0:4", NULL);
	cr_expect_str_eq(get("a/sizes", NULL), "0 10 60\n3 30 90\n");
	put_all("a/size", "31 91\n");
	cr_expect_str_eq(get("a/sizes", NULL), "0 10 60\n3 30 90\n8 31 91\n");
	put_all("a/input", "\n");
	cr_assert_eq(session_exit("a"), 0);
	cr_expect_str_eq(get("a/sizes", NULL),
			 text("%s 31 91\n", get_value("a/status", "output-start")));
}

Test(view, modes_outlast_the_output_that_set_them)
{
	session_start("a", "retain 1M\ncommand printf 'main\\033[?1049h\\033[?1h'; read x; "
			   "seq -w 400000; read x; printf '\\033[?1049l'\n");
	get("a/wait/match@0:main", NULL);
	cr_expect_str_eq(get("a/modes", NULL), "");
	put_all("a/input", "\n");
	get("a/wait/match@0:400000", NULL);
	cr_expect_str_eq(get("a/modes", NULL), "\033[?1049h\033[?1h");
	cr_expect(
		has(get("a/cast", NULL), "\n[0.000000, \"o\", \"\\u001b[?1049h\\u001b[?1h\"]\n["));
	cr_expect(has(get("a/screen", NULL), "399999\n400000\n"));
	put_all("a/input", "\n");
	cr_assert_eq(session_exit("a"), 0);
	cr_expect(!has(get("a/screen", NULL), "4"), "the alternate screen is left");
}

Test(view, a_first_look_at_much_holds_nobody_up)
{
	session_start("a", "command yes 'a line of text' | head -n 400000; echo last\n");
	session_make("b");
	cr_assert_eq(session_exit("a"), 0);
	pid_t looker = spawn((const char *[]){ "cat", at("a/screen"), NULL });
	unsigned asked = 0;
	int status;
	uint64_t longest = 0;
	while (!ended(looker, 0, &status)) {
		uint64_t begun = now_ms();
		get("b/status", NULL);
		uint64_t took = now_ms() - begun;
		longest = took > longest ? took : longest;
		asked++;
	}
	fprintf(stderr, "%u looks at another, the longest %llu ms\n", asked,
		(unsigned long long)longest);
	cr_assert_eq(status, 0);
	cr_expect_gt(asked, 1);
	cr_expect(has(get("a/screen", NULL), "a line of text\nlast\n"));
}

Test(view, a_recording_plays_to_what_was_printed)
{
	char *cast, *played;
	session_start("a", "command printf 'caf\\303\\251 \\377\\n'; stty size; echo end\n");
	cr_assert_eq(session_exit("a"), 0);
	cast = get("a/cast", NULL);
	cr_expect_eq(strncmp(cast, "{\"version\": 2, \"width\": 80, \"height\": 24, ", 42), 0, "%s",
		     cast);
	setenv("C", at("a/cast"), 1);
	played = sh("/usr/bin/python3 -c '\n"
		    "import json, sys\n"
		    "lines = open(sys.argv[1]).read().splitlines()\n"
		    "last = 0\n"
		    "for line in lines[1:]:\n"
		    "    time, kind, data = json.loads(line)\n"
		    "    assert time >= last\n"
		    "    last = time\n"
		    "    if kind == \"o\": sys.stdout.write(data)\n"
		    "' \"$C\"");
	cr_expect_str_eq(plain(played), "caf\xc3\xa9 \xef\xbf\xbd\n24 80\nend\n");
	cr_expect_str_eq(get("a/cast", NULL), cast, "what was read once stays");
}
