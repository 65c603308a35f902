/* SPDX-License-Identifier: MIT */
/* What runs in a session: command lines, exact arguments, environment, exit status. */
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

TestSuite(program, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

struct example {
	const char *config;
	const char *output; /* NULL: whatever */
	int status;
};

static void run_all(const struct example *examples, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int status;
		char *out = session_run(text("s%u", i), examples[i].config, &status);

		cr_expect_eq(status, examples[i].status, "%s: %d instead of %d, output: %s",
			     examples[i].config, status, examples[i].status, out);
		if (examples[i].output)
			cr_expect_str_eq(out, examples[i].output, "%s: '%s'", examples[i].config,
					 out);
		cr_expect_eq(rmdir(at("s%u", i)), 0);
	}
}

Test(program, exit_status)
{
	static const struct example examples[] = {
		{ "command echo hello\n", "hello\n", 0 },
		{ "command exit 3\n", "", 3 },
		{ "command exit 42\n", "", 42 },
		{ "command exit 128\n", "", 128 },
		{ "command exit 255\n", "", 255 },
		{ "command false\n", "", 1 },
		{ "argv [\"true\"]\n", "", 0 },
		{ "command no-such-command 2>/dev/null\n", "", 127 },
		{ "command printf unended\n", "unended", 0 },
		{ "command printf X; exit 9", "X", 9 }, /* no newline at the end of the config */
		{ "command kill -TERM $$\n", NULL, -SIGTERM },
		{ "command kill -KILL $$\n", NULL, -SIGKILL },
		{ "command kill -INT $$\n", NULL, -SIGINT },
		{ "command kill -HUP $$\n", NULL, -SIGHUP },
		{ "command kill -SEGV $$\n", NULL, -SIGSEGV },
		{ "command kill -ABRT $$\n", NULL, -SIGABRT },
		{ "command kill -RTMIN $$\n", NULL, -34 },
	};

	run_all(examples, sizeof(examples) / sizeof(*examples));
}

Test(program, command_is_bytes)
{
	static const struct example examples[] = {
		{ "command printf %s \xff\xfe\xc3-\n", "\xff\xfe\xc3-", 0 },
		{ "command printf '%s' '# no comment'\n", "# no comment", 0 },
		{ "command   echo \"a  b\"  'c'\n", "a  b c\n", 0 },
		{ "command echo $((1+1)) | cat && (exit 6)\n", "2\n", 6 },
		/* the last one counts, of either kind */
		{ "command echo one\ncommand echo two\n", "two\n", 0 },
		{ "command echo one\nargv [\"echo\",\"two\"]\n", "two\n", 0 },
		{ "argv [\"echo\",\"one\"]\ncommand echo two\n", "two\n", 0 },
	};

	run_all(examples, sizeof(examples) / sizeof(*examples));
}

Test(program, command_of_64_kib)
{
	struct run done = run_shell(
		"bash", "mkdir $M/a && x=$(head -c 65520 /dev/zero | tr '\\0' x) &&"
			"echo \"command : $x; exit 7\" > $M/a/config && echo start > $M/a/ctl &&"
			"cat $M/a/exit");

	cr_assert_str_eq(done.out, "7\n", "%s%s", done.out, done.err);
}

Test(program, command_too_long_to_exec)
{
	char *config = malloc(200000);

	session_make("a");
	memset(config, 'x', 200000);
	memcpy(config, "command : ", 10);
	config[199999] = '\0';
	keep(config);
	/* refused as a config or as a start: but refused */
	if (put("a/config", config) == 199999)
		cr_assert_eq(put("a/ctl", "start\n"), -E2BIG);
	put_all("a/config", "command exit 3\n");
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 3);
}

Test(program, arguments_are_exact)
{
	static const struct example examples[] = {
		{ "argv [\"printf\",\"<%s>\",\"a "
		  "b\",\"\",\"*\",\"$HOME\",\"\\\"q\\\"\",\"\\u00e9\"]\n",
		  "<a b><><*><$HOME><\"q\"><\xc3\xa9>", 0 },
		{ "argv [\"sh\",\"-c\",\"echo $0 $# $1; exit 5\",\"zero\",\"one\\ntwo\"]\n",
		  "zero 1 one two\n", 5 },
		{ "argv  [ \"/bin/echo\" , \"x\" ]  \n", "x\n", 0 },
	};

	run_all(examples, sizeof(examples) / sizeof(*examples));
}

Test(program, malformed_arguments_are_refused)
{
	static const char *const malformed[] = {
		"command\n",
		"command \n",
		"argv\n",
		"argv []\n",
		"argv [\"\"]\n",
		"argv [1]\n",
		"argv [\"a\",null]\n",
		"argv [\"a\"\n",
		"argv [\"a\"] [\"b\"]\n",
		"argv \"a\"\n",
		"argv {\"a\":1}\n",
		"argv a b\n",
		"argv [\"a\\u0000b\"]\n",
	};
	char *before;

	session_make("a");
	before = get("a/config", NULL);
	for (unsigned i = 0; i < sizeof(malformed) / sizeof(*malformed); i++)
		put_refused("a/config", malformed[i], EINVAL);
	cr_assert_str_eq(get("a/config", NULL), before);
}

/* A start that fails leaves the session to be mended. */
Test(program, missing_program)
{
	static const struct {
		const char *config;
		int error;
		const char *about;
	} broken[] = {
		{ "argv [\"/no/such/program\"]\n", ENOENT, "/no/such/program" },
		{ "argv [\"no-such-program\"]\n", ENOENT, "no-such-program" },
		{ "argv [\"/etc/passwd\"]\n", EACCES, "/etc/passwd" },
		{ "argv [\"/usr\"]\n", EACCES, "/usr" },
		{ "cwd /no/such/place\ncommand true\n", ENOENT, "/no/such/place" },
	};

	session_make("a");
	for (unsigned i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		put_all("a/config", broken[i].config);
		put_refused("a/ctl", "start\n", broken[i].error);
		cr_assert(has(get("a/log", NULL), broken[i].about), "%s", get("a/log", NULL));
		cr_assert_str_eq(get_value("a/status", "state"), "created");
		/* by the first input as well */
		put_refused("a/input", "x\n", broken[i].error);
	}
	put_all("a/config", "cwd /tmp\ncommand exit 4\n");
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 4);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The lines of what `env` printed, sorted. */
static char *sorted(char *out)
{
	char *lines[64], *line, *all = text("%s", "");
	unsigned count = 0;

	while ((line = strsep(&out, "\n")) && count < 64)
		if (*line)
			lines[count++] = line;
	qsort(lines, count, sizeof(*lines), compare);
	for (unsigned i = 0; i < count; i++)
		all = text("%s%s\n", all, lines[i]);
	return all;
}

Test(program, environment)
{
	static const struct {
		const char *config, *more, *home, *pwd;
	} examples[] = {
		{ "", "", "/home/sandbox", "/tmp" },
		{ "cwd /usr\n", "", "/home/sandbox", "/usr" },
		{ "env HOME=/\n", "", "/", "/tmp" },
		{ "env A=1\nenv A=2 3=4\n", "A=2 3=4\n", "/home/sandbox", "/tmp" },
		{ "env A=\nenv HOME=/x\nenv HOME=/y\n", "A=\n", "/y", "/tmp" },
		{ "env A=\xff\n", "A=\xff\n", "/home/sandbox", "/tmp" },
	};
	char *path = NULL;

	setenv("LEAKED", "from the daemon's environment", 1);
	for (unsigned i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		int status;
		char *out = session_run(text("s%u", i),
					text("%sargv [\"env\"]\n", examples[i].config), &status);
		char *line = strstr(out, "PATH=");

		cr_assert(line != NULL, "%s", out);
		path = text("%.*s", (int)strcspn(line, "\n"), line);
		cr_expect_str_eq(
			sorted(text("%s", out)),
			sorted(text("HOME=%s\nLANG=C.UTF-8\nLOGNAME=sandbox\n%s\nPWD=%s\n%s"
				    "SHELL=/bin/sh\nTERM=xterm-256color\nTMPDIR=/home/sandbox/tmp\n"
				    "USER=sandbox\n",
				    examples[i].home, path, examples[i].pwd, examples[i].more)),
			"%s: %s", examples[i].config, out);
	}
	cr_assert(has(path, "/usr/bin") && has(path, "/bin"), "%s", path);
}

Test(program, environment_of_the_loader_and_of_shells_is_refused)
{
	static const char *const refused[] = {
		"LD_PRELOAD=/x",
		"ld_library_path=/x",
		"Ld_Audit=x",
		"LD_X=",
		"BASH_ENV=/x",
		"bash_env=/x",
		"ENV=/x",
		"env=/x",
		"DYLD_X=",
		"dyld_insert=x",
		"NOVALUE",
		"=x",
		"",
	};
	static const char *const taken[] = { "LDX=1", "ENVX=1", "MY_LD_X=1", "BASH=1", "XENV=1" };

	session_make("a");
	for (unsigned i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		put_refused("a/config", text("env %s\n", refused[i]), EINVAL);
	for (unsigned i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		put_all("a/config", text("env %s\n", taken[i]));
}

Test(program, is_not_the_first_process)
{
	int status;
	long pid = strtol(session_run("a", "command echo $$\n", &status), NULL, 10);

	cr_assert(pid > 1 && pid < 20, "%ld", pid);
}

/* The tools that people expect to work: the original killed many of them. */
Test(program, ordinary_tools)
{
	static const struct example examples[] = {
		{ "command bash -c 'sleep 0.01 & wait; echo $((1+1))'\n", "2\n", 0 },
		{ "command python3 -c 'print(6*7)'\n", "42\n", 0 },
		{ "command id -u | tr -d '[:digit:]'; ls -l / >/dev/null\n", "\n", 0 },
		{ "command cd /tmp; echo x > a; mv a b; cp b c; chmod 600 c; cat c\n", "x\n", 0 },
		{ "command cd /tmp; mkdir d; echo y > d/f; tar cf t d; rm -r d; tar xf t; cat "
		  "d/f\n",
		  "y\n", 0 },
		{ "command nproc >/dev/null; ps >/dev/null; date >/dev/null; stty size\n",
		  "24 80\n", 0 },
		{ "command echo lost >/dev/null; head -c 3 /dev/zero | od -An -tx1; head -c 2 "
		  "/dev/urandom | wc -c\n",
		  " 00 00 00\n2\n", 0 },
		{ "command test -t 0 && test -t 1 && test -t 2 && tty >/tmp/t && test -c $(cat "
		  "/tmp/t); echo ok > /dev/tty\n",
		  "ok\n", 0 },
		{ "command mkfifo /tmp/p; echo through > /tmp/p & cat /tmp/p\n", "through\n", 0 },
		{ "command ls -ld /tmp | cut -c1-10; touch /tmp/x; rm /tmp/x\n", NULL, 0 },
	};

	run_all(examples, sizeof(examples) / sizeof(*examples));
}

/* Control-C, job control and echo of an interactive shell. */
Test(program, interactive_shell)
{
	struct stream output;

	session_start("a", NULL);
	stream_open(&output, "a/output");
	put_all("a/input", "echo $((40+2))\n");
	stream_until(&output, "echo $((40+2))\r\n"); /* the echo */
	stream_until(&output, "42\r\n");
	put_all("a/input", "sleep 0.01 & wait; echo wai''ted\n");
	stream_until(&output, "waited\r\n");
	put_all("a/input", "exit\n");
	stream_rest(&output);
	cr_assert_eq(session_exit("a"), 0);
	stream_close(&output);
}

Test(program, size_before_the_start)
{
	session_make("a");
	put_all("a/size", "40 120\n");
	put_all("a/config", "command stty size\n");
	put_all("a/ctl", "start\n");
	cr_assert_str_eq(get("a/output", NULL), "40 120\r\n");
}

Test(program, resize_sends_sigwinch)
{
	static const char *const sizes[] = { "40 120", "1 65535", "65535 1", "24 80" };
	struct stream output;

	session_start("a", "argv [\"bash\",\"-c\",\"trap 'stty size' WINCH; echo READY; "
			   "while read line; do echo got $line; done\"]\n");
	stream_open(&output, "a/output");
	stream_until(&output, "READY\r\n");
	for (unsigned i = 0; i < 4; i++) {
		put_all("a/size", text("%s\n", sizes[i]));
		cr_assert_str_eq(get("a/size", NULL), text("%s\n", sizes[i]));
		put_all("a/input", "one\n"); /* bash runs the trap when its read returns */
		stream_until(&output, text("%s\r\n", sizes[i]));
		/* a signal that comes in the middle of its trap is lost to bash */
		put_all("a/input", "two\n");
		stream_until(&output, "got two\r\n");
	}
	put_all("a/ctl", "eof\n");
	stream_rest(&output);
	stream_close(&output);
}
