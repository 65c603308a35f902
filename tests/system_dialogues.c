/* SPDX-License-Identifier: MIT */
/*
 * Dialogues as people write them: by sh with wait/, by expect, by pexpect. None of them sleeps:
 * each goes on when what it waits for has been printed.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "fixture.h"

TestSuite(dialogues, .init = fixture_start, .fini = fixture_stop, .timeout = 90);

#define LOGIN                                                                              \
	"command while :; do printf 'login: '; read u; stty -echo; printf 'Password: '; "  \
	"read p; stty echo; echo; [ $u:$p = ann:hidden ] && break; echo Login incorrect; " \
	"done; echo Welcome $u; exit 7\n"
#define MENU                                                                       \
	"argv [\"bash\",\"-c\",\"PS3='choice> '; select x in apple pear quit; do " \
	"echo \\\"picked $x\\\"; [ \\\"$x\\\" != quit ] || exit 6; done\"]\n"
#define PAGER "command seq -f 'line %g' 500 > /tmp/f; exec less /tmp/f\n"
#define BASH "argv [\"bash\",\"--norc\",\"-i\"]\nenv PS1=ready> \n"
#define VIM "argv [\"vim\",\"-u\",\"NONE\",\"-N\",\"/tmp/file\"]\n"
/* Keys that come within a millisecond are keys, and no pasted text. */
#define TMUX                                                                              \
	"argv [\"tmux\",\"-f\",\"/dev/null\",\"set\",\"-g\",\"assume-paste-time\",\"0\"," \
	"\";\",\"new\",\"sh\"]\n"

static void need(const char *command)
{
	if (run_shell("sh", command).status)
		cr_skip_test("not here: %s", command);
}

static char *transcript(void)
{
	return get("a/transcript", NULL);
}

static void succeeds(struct run done)
{
	cr_assert_eq(done.status, 0, "status %d\n%s%s\nof the session:\n%s", done.status, done.out,
		     done.err, transcript());
}

/* The password was typed, and is nowhere. */
static void login_was_quiet(void)
{
	cr_assert_eq(session_exit("a"), 7);
	cr_assert(has(transcript(), "login: ann") && has(transcript(), "Welcome ann"), "%s",
		  transcript());
	cr_assert(!has(transcript(), "hidden") && !has(transcript(), "wrong"), "%s", transcript());
}

/* sh: each question from where the last answer ended. */

static void by_sh(const char *config, const char *script)
{
	session_start("a", config);
	succeeds(run_shell(
		"sh", text("cd $M/a; at=0\n"
			   "see() {\n"
			   "	set -- $(cat \"wait/match@$at:$1\"); at=$2\n"
			   "	[ $1 = match ] || { echo \"no: $1\"; exit 9; }\n"
			   "}\n"
			   "key() { printf \"$1\" > input; }\n"
			   "say() { printf '%%s\\n' \"$1\" > input; }\n"
			   "shown() { sed -n \"$1\" screen; }\n"
			   "is() { [ \"$1\" = \"$2\" ] || { echo \"'$1', not '$2'\"; exit 8; }; }\n"
			   "set -e\n%s",
			   script)));
}

Test(dialogues, login_by_sh)
{
	by_sh(LOGIN, "see 'login: $'; say ann; see 'Password: $'; say wrong; see incorrect\n"
		     "see 'login: $'; say ann; see 'Password: $'; say hidden; see 'Welcome ann'\n"
		     "is $(cat exit) 7\n");
	login_was_quiet();
}

Test(dialogues, menu_by_sh)
{
	by_sh(MENU, "see '^3\\) quit'; see 'choice> $'; say 2; see '^picked pear'\n"
		    "see 'choice> $'; say 9; see '^picked .$'; see 'choice> $'; say 3\n"
		    "see '^picked quit'; is $(cat exit) 6\n");
}

Test(dialogues, pager_by_sh)
{
	need("command -v less");
	by_sh(PAGER, "see '^line 23'; see 'tmp.f'; is \"$(shown 1p)\" 'line 1'\n"
		     "key ' '; see '^line 46'; see '^:'\n"
		     "is \"$(shown 1p)\" 'line 24'; is \"$(shown 23p)\" 'line 46'\n"
		     "key '/line 300\\r'; see '^line 322'; see '^:'\n"
		     "is \"$(shown 1p)\" 'line 300'; is \"$(shown 23p)\" 'line 322'\n"
		     "key q; is $(cat exit) 0\n");
}

Test(dialogues, interrupt_by_sh)
{
	unsigned number = marker();

	by_sh(BASH, text("see 'ready>'; say \"sh -c 'echo run\\\"\\\"ning; exec sleep %u'\"\n"
			 "see 'running'; key '\\003'; see 'ready>'; say 'echo status-$?'\n"
			 "see 'status-130'; say 'exit 4'; is $(cat exit) 4\n",
			 number));
	cr_assert(none_with(text("%u", number)));
}

Test(dialogues, suspend_and_resume_by_sh)
{
	by_sh(BASH, "see 'ready>'; say \"sh -c 'echo run\\\"\\\"ning; exec cat'\"\n"
		    "see 'running'; say one; see '^one'; see '^one'\n"
		    "key '\\032'; see 'Stopped'; see 'ready>'\n"
		    "say 'fg'; see 'sh -c'; say two; see '^two'; see '^two'\n"
		    "echo eof > ctl; see 'ready>'; say 'exit 3'; is $(cat exit) 3\n");
}

/* What vim thinks of its size, and what is on the screen of that size. */
Test(dialogues, resize_of_vim_by_sh)
{
	need("command -v vim");
	by_sh(VIM,
	      "tell() { key ':echo \"size\" &lines &columns\\r'; see \"size $1 $2\"; }\n"
	      "see 'New.'; key 'ihello\\033'; see hello; tell 24 80\n"
	      "is $(wc -l < screen) 24; is $(grep -c '^~' screen) 22\n"
	      "echo 10 40 > size; see hello; tell 10 40\n"
	      "is $(wc -l < screen) 10; is $(grep -c '^~' screen) 8; is \"$(shown 1p)\" hello\n"
	      "is \"$(shown '$p')\" 'size 10 40'\n"
	      "echo 40 120 > size; see hello; tell 40 120\n"
	      "is $(wc -l < screen) 40; is $(grep -c '^~' screen) 38\n"
	      "key ':q!\\r'; is $(cat exit) 0\n");
}

Test(dialogues, tmux_inside_by_sh)
{
	need("command -v tmux");
	by_sh(TMUX, "see '0:sh\\*'; say \"echo first\\$((1+1))\"; see 'first2'\n"
		    "key '\\002c'; see '1:sh\\*'; say 'exit'; see '0:sh\\*'\n"
		    "shown 1,4p | grep -q 'first2$'; shown '$p' | grep -q '^.0. 0:sh\\*'\n"
		    "say 'exit'; see 'exited'; is $(cat exit) 0\n");
}

/* expect: `cat output` on one side, a channel of Tcl's to `input` on the other. */

static void by_expect(const char *config, const char *spawn, const char *script)
{
	need("command -v expect");
	session_start("a", config);
	succeeds(run((const char *const[]){
		"expect", "-c",
		text("set timeout 15\nlog_user 0\nset m $env(M)/a\n%s\n"
		     "set input [open $m/input w]\n"
		     "fconfigure $input -buffering none -translation binary\n"
		     "proc say what { puts -nonewline $::input $what }\n"
		     "proc see what {\n"
		     "	expect {\n"
		     "		-re $what { }\n"
		     "		timeout { puts \"no $what\"; exit 9 }\n"
		     "		eof { puts \"an end before $what\"; exit 8 }\n"
		     "	}\n"
		     "}\n"
		     "proc over status {\n"
		     "	expect {\n"
		     "		eof { }\n"
		     "		timeout { puts {no end}; exit 7 }\n"
		     "	}\n"
		     "	exit [expr {[exec cat $::m/exit] != $status}]\n"
		     "}\n%s",
		     spawn, script),
		NULL }));
}

#define BY_CAT "spawn cat $m/output"
#define BY_CHANNEL "spawn -open [open $m/output r]"

static const char expect_login[] = "see {login: $}; say ann\\n; see {Password: $}; say wrong\\n\n"
				   "see incorrect; see {login: $}; say ann\\n; see {Password: $}\n"
				   "say hidden\\n; see {Welcome ann}; over 7\n";

Test(dialogues, login_by_expect)
{
	by_expect(LOGIN, BY_CAT, expect_login);
	login_was_quiet();
}

/* The same, without a cat in between. */
Test(dialogues, login_by_expect_on_the_file)
{
	by_expect(LOGIN, BY_CHANNEL, expect_login);
	login_was_quiet();
}

Test(dialogues, menu_by_expect)
{
	by_expect(MENU, BY_CAT,
		  "see {3\\) quit}; see {choice> $}; say 2\\n; see {picked pear}\n"
		  "see {choice> $}; say 3\\n; see {picked quit}; over 6\n");
}

Test(dialogues, pager_by_expect)
{
	need("command -v less");
	by_expect(PAGER, BY_CAT,
		  "see {line 23.*/tmp/f}; say { }; see {line 46\\s+:}\n"
		  "say \"/line 300\\r\"; see {line 322\\s+:}\n"
		  "set top [exec head -n 1 $m/screen]\n"
		  "if {$top ne {line 300}} { puts $top; exit 6 }\n"
		  "say q; over 0\n");
}

/* pexpect, on a descriptor of `output`; and by a spawn of cat. */

static void by_pexpect(const char *config, const char *script)
{
	need("/usr/bin/python3 -c 'import pexpect.fdpexpect'");
	session_start("a", config);
	succeeds(run((const char *const[]){
		"/usr/bin/python3", "-c",
		text("import os, pexpect, pexpect.fdpexpect\n"
		     "m = os.environ['M'] + '/a/'\n"
		     "entry = open(m + 'input', 'wb', 0)\n"
		     "say = entry.write\n"
		     "def on_file(**more):\n"
		     "    fd = os.open(m + 'output', os.O_RDONLY)\n"
		     "    return pexpect.fdpexpect.fdspawn(fd, timeout=15, **more)\n"
		     "def on_cat():\n"
		     "    return pexpect.spawn('cat', [m + 'output'], timeout=15)\n"
		     "def over(child, status):\n"
		     "    child.expect(pexpect.EOF)\n"
		     "    assert int(open(m + 'exit').read()) == status\n"
		     "%s",
		     script),
		NULL }));
}

#define PEXPECT_LOGIN                                                                \
	"child.expect('login: $'); say(b'ann\\n')\n"                                 \
	"child.expect('Password: $'); say(b'wrong\\n'); child.expect('incorrect')\n" \
	"child.expect('login: $'); say(b'ann\\n')\n"                                 \
	"child.expect('Password: $'); say(b'hidden\\n')\n"                           \
	"child.expect('Welcome ann'); over(child, 7)\n"

Test(dialogues, login_by_pexpect)
{
	by_pexpect(LOGIN, "child = on_file()\n" PEXPECT_LOGIN);
	login_was_quiet();
}

Test(dialogues, login_by_pexpect_that_polls)
{
	by_pexpect(LOGIN, "child = on_file(use_poll=True)\n" PEXPECT_LOGIN);
	login_was_quiet();
}

Test(dialogues, login_by_pexpect_on_cat)
{
	by_pexpect(LOGIN, "child = on_cat()\n" PEXPECT_LOGIN);
	login_was_quiet();
}

Test(dialogues, menu_by_pexpect)
{
	by_pexpect(MENU, "child = on_file()\n"
			 "child.expect('3\\\\) quit'); child.expect('choice> $'); say(b'2\\n')\n"
			 "child.expect('picked pear'); child.expect('choice> $'); say(b'3\\n')\n"
			 "child.expect('picked quit'); over(child, 6)\n");
}

/* And what is not printed in time is a TIMEOUT, not a hang. */
Test(dialogues, pager_by_pexpect)
{
	need("command -v less");
	by_pexpect(PAGER, "child = on_file()\n"
			  "child.expect('line 23.*/tmp/f'); say(b' ')\n"
			  "child.expect('line 46\\\\s+:'); say(b'/line 300\\r')\n"
			  "child.expect('line 322\\\\s+:')\n"
			  "assert open(m + 'screen').readline() == 'line 300\\n'\n"
			  "assert child.expect(['line 999', pexpect.TIMEOUT], timeout=0.2) == 1\n"
			  "say(b'q'); over(child, 0)\n");
}

/* tmux outside: one pane shows `output`, what is typed into another goes to `input`. */

static char *tmux(const char *command)
{
	return sh(text("tmux -S $M/../tmux -f /dev/null %s", command));
}

static bool pane_shows(const void *part)
{
	return has(tmux("capture-pane -p -t shows"), part);
}

Test(dialogues, tmux_outside)
{
	need("command -v tmux");
	session_start("a", LOGIN);
	tmux("new-session -d -s shows -x 80 -y 24 \"cat $M/a/output; cat\"");
	tmux("new-session -d -s types -x 80 -y 24 \"cat > $M/a/input\"");
	cr_assert(await(pane_shows, "login:", 20000));
	tmux("send-keys -t types ann Enter");
	cr_assert(await(pane_shows, "Password:", 20000));
	tmux("send-keys -t types hidden Enter");
	cr_assert(await(pane_shows, "Welcome ann", 20000), "%s", tmux("capture-pane -p -t shows"));
	login_was_quiet();
	cr_assert(!has(tmux("capture-pane -p -t shows"), "hidden"));
	tmux("kill-server");
}
