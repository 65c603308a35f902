/* SPDX-License-Identifier: MIT */
/* Programs that use the whole screen, resized while they run, driven through the files alone. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

TestSuite(interactive, .init = fixture_start, .fini = fixture_stop, .timeout = 90);

static void need(const char *program)
{
	if (run_shell("sh", text("command -v %s", program)).status)
		cr_skip_test("no %s here", program);
}

Test(interactive, vim)
{
	struct stream output;

	need("vim");
	session_start("a", "argv [\"vim\",\"-u\",\"NONE\",\"-N\",\"/tmp/file\"]\n");
	stream_open(&output, "a/output");
	stream_until(&output, "/file\" [New]"); /* the status line */
	put_all("a/input", "ione\rtwo\x1b");
	stream_until(&output, "two");
	put_all("a/size", "40 120\n");
	stream_until(&output, "one"); /* drawn anew */
	put_all("a/input", ":echo 'size' &lines &columns\r");
	stream_until(&output, "size 40 120");
	put_all("a/size", "12 60\n");
	stream_until(&output, "one"); /* drawn anew */
	put_all("a/input", ":echo 'size' &lines &columns\r");
	stream_until(&output, "size 12 60");
	put_all("a/input", ":w\r");
	stream_until(&output, "written");
	put_all("a/input", ":!cat /tmp/file\r");
	stream_until(&output, "one");
	put_all("a/input", "\r:q\r");
	stream_rest(&output);
	cr_assert_eq(session_exit("a"), 0);
	stream_close(&output);
}

Test(interactive, python)
{
	struct stream output;

	/* with readline: since 3.13 it has an editor of its own, which draws lines again */
	session_start("a", "env PYTHON_BASIC_REPL=1\nargv [\"python3\",\"-q\"]\n");
	stream_open(&output, "a/output");
	stream_until(&output, ">>> ");
	put_all("a/input", "print(6*7)\n");
	stream_until(&output, "\n42\r\n");
	put_all("a/input", "import os, signal\n"
			   "signal.signal(signal.SIGWINCH, lambda *a: os.write(1, b'WINCH\\n'))\n");
	stream_until(&output, ">>> ");
	put_all("a/input", "print('re' + 'ady')\n");
	stream_until(&output, "\nready\r\n");
	stream_until(&output, ">>> ");
	put_all("a/size", "40 120\n");
	put_all("a/input", "print(os.get_terminal_size())\n");
	stream_until(&output, "columns=120, lines=40");
	put_all("a/input", "while True: pass\n\n");
	pause_ms(100);
	put_all("a/input", "\x03");
	stream_until(&output, "KeyboardInterrupt");
	put_all("a/input", "print('W' + 'here')\n");
	stream_until(&output, "Where");
	stream_until(&output, ">>> "); /* Control-D means the end to readline, at its prompt */
	cr_assert(has(output.data, "WINCH\r\n"), "%s", output.data);
	put_all("a/ctl", "eof\n");
	stream_rest(&output);
	cr_assert_eq(session_exit("a"), 0);
	stream_close(&output);
}

/*
 * It draws anew once a minute, and when the size changes. A change in the middle of a drawing
 * interrupts its write, which it takes for an error at the end: so let it finish.
 */
static void top_draws(struct stream *output)
{
	stream_until(output, "top - ");
	stream_until(output, "PID");
	stream_until(output, "top");
	pause_ms(100);
}

Test(interactive, top)
{
	struct stream output;

	need("top");
	session_start("a", "argv [\"top\",\"-d\",\"60\"]\n");
	stream_open(&output, "a/output");
	top_draws(&output);
	put_all("a/size", "20 60\n");
	stream_until(&output, "top - ");
	pause_ms(100);
	put_all("a/size", "40 132\n");
	top_draws(&output);
	put_all("a/input", "q");
	stream_rest(&output);
	cr_assert_eq(session_exit("a"), 0, "%d: %s", session_exit("a"), output.data);
	stream_close(&output);
}

/* Keys that come within a millisecond are pasted text to tmux, and no commands. */
static void prefix(void)
{
	pause_ms(50);
	put_all("a/input", "\x02");
	pause_ms(50);
}

Test(interactive, tmux)
{
	struct stream output;
	char *sleeper = text("%u", marker());

	need("tmux");
	session_start("a", "argv [\"tmux\",\"-f\",\"/dev/null\",\"new\",\"sh\"]\n");
	stream_open(&output, "a/output");
	stream_until(&output, "[0] 0:sh");
	put_all("a/input", "stty size\n");
	stream_until(&output, "23 80");
	put_all("a/size", "40 120\n");
	stream_until(&output, "[0] 0:sh"); /* drawn anew */
	put_all("a/input", "stty size\n");
	stream_until(&output, "39 120");
	prefix(); /* another window */
	put_all("a/input", "c");
	stream_until(&output, "1:sh");
	put_all("a/input", text("setsid sleep %s & echo in''side\n", sleeper));
	stream_until(&output, "inside");
	cr_assert(await(any_with, sleeper, 5000));
	put_all("a/input", "exit\n");
	stream_until(&output, "0:sh*"); /* back in the first window */
	put_all("a/input", "exit\n");
	stream_rest(&output);
	cr_assert_eq(session_exit("a"), 0);
	cr_assert(none_with(sleeper)); /* the server had left the session by a double fork */
	stream_close(&output);
}

Test(interactive, bash_with_job_control)
{
	struct stream output;

	session_start("a", "argv [\"bash\",\"--norc\",\"-i\"]\n");
	stream_open(&output, "a/output");
	put_all("a/input", "sleep 777\n");
	stream_until(&output, "sleep 777\r\n");
	pause_ms(200);
	put_all("a/input", "\x1a");
	stream_until(&output, "Stopped");
	put_all("a/input", "jobs; bg; kill %1; wait; echo do''ne\n");
	stream_until(&output, "done\r\n");
	cr_assert(!has(output.data, "no job control"), "%s", output.data);
	put_all("a/input", "exit 5\n");
	cr_assert_eq(session_exit("a"), 5);
	stream_close(&output);
}
