/* SPDX-License-Identifier: MIT */
/*
 * contrib/picture: what it draws of a session's `cast` is well-formed, and its last screen has the
 * text of the session's `screen`. And the picture of the README is one that contrib/demo makes.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fixture.h"

/* The text of the last screen, in as many rows as are asked for. */
#define TEXT_OF                                                                            \
	"import sys, xml.etree.ElementTree as tree\n"                                      \
	"rows, svg = {}, '{http://www.w3.org/2000/svg}'\n"                                 \
	"root = tree.parse(sys.argv[1]).getroot()\n"                                       \
	"for last in root.iter(svg + 'g'):\n"                                              \
	"    for row in last.iter(svg + 'text') if last.get('class') == 'last' else ():\n" \
	"        assert row.get('y') not in rows\n"                                        \
	"        rows[row.get('y')] = ''.join(row.itertext()).rstrip(' ')\n"               \
	"for y in range(int(sys.argv[2])): print(rows.pop(str(y * 18 + 13), ''))\n"        \
	"assert not rows, rows\n"

static void picture_prepare(void)
{
	cr_assert(getenv("SOURCE") != NULL, "run by meson test");
	fixture_start();
	setenv("TEXT_OF", TEXT_OF, 1);
	setenv("MIMOBOX", fixture.mount, 1);
}

TestSuite(picture, .init = picture_prepare, .fini = fixture_stop, .timeout = 90);

/* Draws the session `a`, which has `rows`: the text of the last screen, and of `screen`. */
static void same_text(const char *what, unsigned rows)
{
	char *drawn = sh("\"$SOURCE\"/contrib/picture $M/a/cast > $M/../a.svg");
	char *wanted = sh("sed 's/\\xef\\xbf[\\xbe\\xbf]/\\xef\\xbf\\xbd/g' $M/a/screen");

	cr_assert_str_eq(drawn, "");
	drawn = sh(text("python3 -c \"$TEXT_OF\" $M/../a.svg %u", rows));
	cr_expect_str_eq(drawn, wanted, "%s: drawn:\n%s\nscreen:\n%s", what, drawn, wanted);
	cr_expect_str_eq(
		sh("rmdir $M/a; tr -d '\\0-\\10\\13-\\37' < $M/../a.svg | cmp - $M/../a.svg"), "");
}

/* What dash's printf makes of it is printed on a terminal of 10 by 40. */
static void shows(const char *format)
{
	session_make("a");
	put_all("a/size", "10 40\n");
	put_all("a/config", text("command printf '%s'\n", format));
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 0);
	same_text(format, 10);
}

Test(picture, text_is_that_of_the_screen)
{
	static const char *const formats[] = {
		"plain\\nlines\\n\\n  and   blanks  \\n",
		"\\033[1;31mred\\033[0m \\033[38;5;208morange\\033[48;2;1;2;3m true\\033[m "
		"\\033[7mback"
		"\\033[27m \\033[44mblue\\033[K\\n\\033[0;4munder lined  \\033[0m\\n",
		"<b>&amp; \"]]> <!-- --> &#0; </text>\\n",
		"\\346\\274\\242\\345\\255\\227| e\\314\\201\\314\\202 "
		"\\033[7m\\355\\225\\234\\033[m."
		"\\r\\033[C-\\n\\n\\033[40G\\346\\274\\242",
		"primary\\n\\033[?1049h\\033[2J\\033[3;5Halternate\\033[?1049l and back\\n",
		"primary\\n\\033[?1049h\\033[44m\\033[2J\\033[3;5Halternate",
		"\\001\\002\\003a\\bb\\016\\017\\177\\t|\\v\\f\\357\\277\\276\\357\\277\\277\\n",
		"\\377\\300 \\355\\240\\200 cut\\342\\202\\n\\033]0;a "
		"title\\007\\033Pstring\\033\\134!",
		"1\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n9\\n\\033[3;6r\\033[6;1H\\n\\n\\033[3;"
		"1H\\033M\\033[r"
		"\\033[8;1H\\033[2L\\033[1;1H\\033[M",
		"abcdefgh\\r\\033[3@\\033[2C\\033[2P\\033[X\\033[4hxy\\033[4l\\n"
		"\\033(0lqk\\033(B\\n-\\033[5b|\\033[s\\033[2;3HZ\\033[u!",
		"0123456789012345678901234567890123456789wrapped \\033[?7l"
		"0123456789012345678901234567890123456789\\033[?7h\\n\\033[5;5Hx\\033[1K\\033[J",
	};

	for (unsigned i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		shows(formats[i]);
}

/* A session that goes on, resized meanwhile; and again from its transcript's bytes in pieces. */
Test(picture, sizes_and_time)
{
	session_make("a");
	put_all("a/size", "6 20\n");
	put_all("a/config", "command stty -echo; for i in 1 2 3 4 5 6 7 8; do echo line $i; done;"
			    " while read x; do printf '\\033[3%sm%s\\033[0m\\n' $x $x; done\n");
	put_all("a/ctl", "start\n");
	get("a/wait/match@0:line 8", NULL);
	get("a/wait/idle:100ms", NULL); /* long enough to be seen */
	put_all("a/size", "4 30\n");
	put_all("a/input", "1\n");
	get("a/wait/match@0:31m1", NULL);
	put_all("a/size", "8 10\n");
	put_all("a/input", "2\n3\n");
	put_all("a/ctl", "eof\n");
	cr_assert_eq(session_exit("a"), 0);
	same_text("sizes", 8);
	/* what was there before is in it too */
	cr_assert(has(sh("cat $M/../a.svg"), ">line 5<"));
	cr_assert(has(sh("cat $M/../a.svg"), "fill:#e0616b"));
}

Test(picture, complains)
{
	struct run done = run_shell("sh", "\"$SOURCE\"/contrib/picture $M/nothing");

	cr_assert_eq(done.status, 2, "%d", done.status);
	cr_assert(has(done.err, "nothing"), "%s", done.err);
	done = run_shell("sh", "\"$SOURCE\"/contrib/picture < /dev/null");
	cr_assert_eq(done.status, 1, "%d", done.status);
	cr_assert_str_eq(done.err, "picture: this is no asciicast of version 2\n");
}

static const char *const demonstrated[] = { "Permission denied\n",
					    "Could not resolve host",
					    "Operation not permitted\n",
					    "mimobox-init\n",
					    ", then: Resource temporarily unavailable\n",
					    "Killed\n",
					    "exit 3\n" };

static void demonstrates(const char *path)
{
	char *shown = sh(text("python3 -c \"$TEXT_OF\" %s 24", path));

	for (unsigned i = 0; i < sizeof(demonstrated) / sizeof(*demonstrated); i++)
		cr_expect(has(shown, demonstrated[i]), "%s: %s:\n%s", path, demonstrated[i], shown);
	/* for an <img>: nothing that acts, nothing from elsewhere */
	cr_expect_str_eq(
		sh(text("grep -ciE '<script|href|url\\(|@import|@font-face' %s || :", path)),
		"0\n");
	cr_expect_lt(atoi(sh(text("wc -c < %s", path))), 200000);
}

Test(picture, demonstration)
{
	demonstrates("\"$SOURCE\"/contrib/demo.svg");
	sh("\"$SOURCE\"/contrib/demo 8 > $M/../demo.svg");
	cr_assert_str_eq(session_names(), "");
	demonstrates("$M/../demo.svg");
}
