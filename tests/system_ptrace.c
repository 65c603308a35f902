/* SPDX-License-Identifier: MIT */
/*
 * `ptrace yes`: real debuggers, as root's and as a user's session, and what they may not change.
 * The control is the same without the key. That nothing else is within reach is in system_escape.c.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(ptrace, .init = outside_start, .fini = outside_stop, .timeout = 150);

static const uid_t users[] = { ROOT, ANN };
static const char *const profiles[] = { "essential", "network", "compat" };

static const char leaking[] = "#include <stdio.h>\n"
			      "#include <stdlib.h>\n"
			      "int main(int argc, char **argv)\n"
			      "{\n"
			      "	char *volatile lost = argc > 1 ? malloc(10) : NULL;\n"
			      "	lost = NULL;\n"
			      "	puts(\"done\");\n"
			      "	return 0;\n"
			      "}\n";

static bool is_there(const char *program)
{
	return system(text("command -v %s >/dev/null", program)) == 0;
}

/* With the key, and without: what `script` prints has `with`, or has not. */
static void compare(uid_t user, const char *profile, const char *more, const char *script,
		    const char *with)
{
	for (unsigned i = 0; i < 2; i++) {
		int status;
		char *output = session_run_as(
			user, "a",
			text("%sseccomp %s\nptrace %s\ncwd /workspace\nmemory 1G\ncommand %s\n",
			     more, profile, i ? "yes" : "no", script),
			&status);

		cr_expect_eq(has(output, with), i == 1, "user %u, %s, ptrace %s: %s", user, profile,
			     i ? "yes" : "no", output);
		session_remove("a");
	}
}

static void everywhere(const char *more, const char *script, const char *with)
{
	for (unsigned i = 0; i < 2; i++)
		for (unsigned p = 0; p < 3; p++)
			compare(users[i], profiles[p], more, script, with);
}

static const char *leaking_program(void)
{
	outside_file(outside("leak.c"), leaking, ROOT, 0644);
	sh(text("cd %s && gcc -g -fsanitize=address leak.c -o leak", fixture.dir));
	return text("ro %s:/srv/leak\n", outside("leak"));
}

Test(ptrace, leak_check)
{
	const char *program = leaking_program();

	everywhere(program, "/srv/leak && echo no-leak", "no-leak");
	everywhere(program, "/srv/leak more 2>&1", "10 byte(s) leaked in 1 allocation(s)");
}

Test(ptrace, strace)
{
	if (!is_there("strace"))
		cr_skip_test("no strace here");
	everywhere("", "strace -f -e trace=execve sh -c '/bin/true; /bin/true' 2>&1 | grep -c true",
		   "3\n");
	/* One that runs already. */
	everywhere("", "mkfifo p; sleep 60 & strace -o /dev/null -p $! 2>p & grep -m 1 attached <p",
		   "attached");
}

Test(ptrace, gdb)
{
	const char *program;

	if (!is_there("gdb"))
		cr_skip_test("no gdb here");
	sh(text("cd %s && echo '%s' >twice.c && gcc -g twice.c -o twice", fixture.dir,
		"int twice(int n) { return 2 * n; } int main(void) { return twice(4); }"));
	program = text("ro %s:/srv/twice\n", outside("twice"));
	everywhere(program,
		   "gdb -q -batch -ex 'break twice' -ex run -ex 'set var n = 21' -ex finish "
		   "/srv/twice 2>&1",
		   "Value returned is $1 = 42");
}

/* In Python: `trace` is ptrace(2), with -1 and errno for what failed. */
#define TRACE                                   \
	"import ctypes,os,signal,sys,time\\n"   \
	"c=ctypes.CDLL(None,use_errno=True)\\n" \
	"def trace(n,pid=0,data=0):\\n"         \
	"    r=c.ptrace(n,pid,0,data)\\n"       \
	"    return r if r>=0 else -ctypes.get_errno()\\n"

static char *python(const char *script)
{
	return text("ptrace yes\nenv PYTHONUNBUFFERED=1\nargv [\"python3\",\"-c\",\"%s%s\"]\n",
		    TRACE, script);
}

/* Init has the command for a child. It lets it go, and is told of no end that is none. */
Test(ptrace, a_command_that_init_should_trace)
{
	static const char *const kinds[] = { "", "ends last-process\n", "terminal no\n" };

	for (unsigned i = 0; i < 6; i++) {
		int status;
		char *output = session_run_as(
			users[i % 2], "a",
			text("%s%s", kinds[i / 2],
			     python("print(trace(0))\\n"
				    "os.kill(os.getpid(),signal.SIGCONT)\\n"
				    "print('goes on')\\n"
				    "print(open('/proc/self/status').read())\\n"
				    "trace(0)\\n"
				    "os.execvp('sh',['sh','-c','echo executed; exit 7'])")),
			&status);

		cr_expect(has(output, "0\ngoes on\n"), "%s", output);
		cr_expect(has(output, "TracerPid:\t0\n"), "%s", output);
		cr_expect(has(output, "executed\n"), "%s", output);
		cr_expect_eq(status, 7, "%d", status);
		session_remove("a");
	}
}

/* A stop, or a tracer that sleeps, keeps nothing from its end. */
Test(ptrace, what_is_traced_ends)
{
	const char *place = text("%u", marker());
	const char *script = text("pid=os.fork()\\n"
				  "if pid==0:\\n"
				  "    trace(0)\\n"
				  "    os.execvp('sleep',['sleep','%s'])\\n"
				  "os.waitpid(pid,0)\\n"
				  "trace(0x4200,pid,0x100000)\\n"
				  "print('READY',flush=True)\\n"
				  "time.sleep(1000)",
				  place);
	struct stream stream;

	for (unsigned i = 0; i < 2; i++) {
		session_start_as(users[i], "a", text("kill-grace 0s\n%s", python(script)));
		stream_open(&stream, "a/output");
		stream_until(&stream, "READY");
		stream_close(&stream);
		cr_expect(any_with(place));
		put_all("a/ctl", "kill\n");
		cr_expect_lt(session_exit("a"), 0);
		cr_expect(none_with(place));
		session_remove("a");
	}
}

Test(ptrace, status_tells)
{
	session_start_as(ANN, "a", "command read x\n");
	session_start_as(ANN, "b", "ptrace yes\ncommand read x\n");
	cr_expect_str_eq(get_value("a/status", "ptrace"), "no");
	cr_expect_str_eq(get_value("b/status", "ptrace"), "yes");
}
