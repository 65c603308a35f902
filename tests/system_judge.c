/* SPDX-License-Identifier: MIT */
/*
 * contrib/examples/judge: each submission gets exactly its verdict, whatever runs beside it. They
 * are given in together, several run at a time, and between those that attack there are honest
 * ones.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

#define C_SUM "int a, b; scanf(\"%d%d\", &a, &b); printf(\"%d\\n\", a + b);"
#define PY_SUM "print(sum(map(int, open(0).read().split())))\n"
#define STDIO "#include <stdio.h>\n#include <unistd.h>\n"

/* The tests are sums; DIR is where they, the submissions and the workspaces of all are. */
static const struct {
	const char *name, *text, *verdict;
} submissions[] = {
	{ "honest1.c", STDIO "int main(void) { " C_SUM " return 0; }\n", "AC" },
	{ "forks.c", STDIO "int main(void) { for (;;) fork(); }\n", "TLE" },
	{ "honest2.py", PY_SUM, "AC" },
	{ "floods.py", "while True: print('x' * 1000)\n", "OLE" },
	{ "eats.py", "x = []\nwhile True: x.append(bytearray(1 << 20))\n", "MLE" },
	{ "honest3.c", STDIO "int main(void) { " C_SUM " return 0; }\n", "AC" },
	{ "loops.c", "int main(void) { for (;;) ; }\n", "TLE" },
	{ "sleeps.py", "import time\ntime.sleep(99)\n", "TLE" },
	{ "honest4.py", PY_SUM, "AC" },
	{ "wrong.py", "print(3)\n", "WA" }, /* which is right in the first test */
	{ "segfaults.c", "int main(void) { *(volatile int *)0 = 1; }\n", "RE" },
	{ "exits.py", PY_SUM "exit(3)\n", "RE" },
	{ "silent.c",
	  STDIO "int main(void) { " C_SUM " return 0; }\n"
		"__attribute__((constructor)) static void first(void) { close(1); }\n",
	  "WA" },
	{ "says_and_closes.c",
	  STDIO "int main(void) { " C_SUM " fflush(stdout); close(0); close(1); "
		"close(2); return 0; }\n",
	  "AC" },
	{ "says_and_sleeps.py",
	  PY_SUM "import os, sys, time\nsys.stdout.flush()\n"
		 "os.close(1)\ntime.sleep(99)\n",
	  "TLE" },
	{ "floods_errors.py", PY_SUM "import sys\nsys.stderr.write('x' * 5000000)\n", "AC" },
	{ "daemon.c",
	  STDIO "int main(void) { " C_SUM " fflush(stdout); if (!fork()) { setsid(); "
		"if (!fork()) for (;;) pause(); _exit(0); } return 0; }\n",
	  "AC" },
	/* nothing of the machine's disk can be written, or the answer would be wrong */
	{ "rewrites_itself.py",
	  "text = open(0).read()\n"
	  "for name in 'program', 'input', 'new':\n"
	  "    try: open('/workspace/' + name, 'w').write('print(0)'); print(name)\n"
	  "    except OSError: pass\n"
	  "print(sum(map(int, text.split())))\n",
	  "AC" },
	{ "snoops.py",
	  "import os, socket\nseen = []\n"
	  "for place in 'DIR', 'DIR/ann/tests', 'DIR/ann/tests/1.out', 'DIR/workspaces',"
	  " '/run/mimobox', '/proc/1/root/DIR', '/proc/1/environ':\n"
	  "    try: seen.append(open(place).read() if '.' in place[-5:] or "
	  "place.endswith('environ')"
	  " else os.listdir(place))\n"
	  "    except OSError: pass\n"
	  "for top, inside, files in os.walk('/'):\n"
	  "    inside[:] = [d for d in inside if top != '/' or d not in ('proc', 'sys', 'usr', "
	  "'etc')]\n"
	  "    seen += [f for f in files if f.endswith(('.in', '.out', '.c', '.py'))]\n"
	  "seen += [p for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, "
	  "os.getpid())]\n"
	  "try: seen.append(socket.create_connection(('127.0.0.1', 22), 1))\n"
	  "except OSError as error: pass\n"
	  "print(seen) if seen else None\n" PY_SUM,
	  "AC" },
	{ "kills.py",
	  "import os\nfor signal in 15, 9:\n"
	  "    for p in (*range(2, 9), *range(os.getpid() + 1, 2000)):\n"
	  "        try: p == os.getpid() or os.kill(p, signal)\n"
	  "        except OSError: pass\n" PY_SUM,
	  "AC" },
	/* as the known judges have it: what differs in white space alone is no wrong answer */
	{ "no_newline.py", "print(sum(map(int, open(0).read().split())), end='')\n", "PE" },
	{ "blanks.c", STDIO "int main(void) { " C_SUM " puts(\" \\n\"); return 0; }\n", "PE" },
	{ "glued.py", "print(*map(str, [0, sum(map(int, open(0).read().split()))]), sep='')\n",
	  "WA" },
	{ "bad.c", "int main(void) { return x; }\n", "CE" },
	{ "bad.py", "print(\n", "CE" },
	{ "reads_shadow.c", "#include \"/etc/shadow\"\nint main(void) { return 0; }\n", "CE" },
	{ "reads_answer.c", "int main(void) { return 1 +\n#include \"DIR/ann/tests/1.out\"\n; }\n",
	  "CE" },
	{ "reads_neighbour.c", "#include \"DIR/ann/honest1.c\"\n", "CE" },
	{ "never_ends.c", "asm(\".incbin \\\"/dev/zero\\\"\"); int main(void) { return 0; }\n",
	  "CE" },
	{ "is_huge.c", "int huge[1 << 28] = { 1 }; int main(void) { return 0; }\n", "CE" },
	{ "includes_itself.c", "#include __FILE__\n#include __FILE__\n", "CE" },
	{ "expands.c",
	  "#define A(x) x x x x x x x x x x\n#define B(x) A(A(A(A(x))))\n"
	  "int main(void) { return 0 B(B(B(+ 0))); }\n",
	  "CE" },
	{ "honest5.c", STDIO "int main(void) { " C_SUM " return 0; }\n", "AC" },
};

static char *with_directory(const char *source)
{
	char *all = text("%s", ""), *copy = text("%s", source), *at_place;

	while ((at_place = strstr(copy, "DIR"))) {
		all = text("%s%.*s%s", all, (int)(at_place - copy), copy, fixture.dir);
		copy = at_place + strlen("DIR");
	}
	return text("%s%s", all, copy);
}

static void judge_prepare(void)
{
	outside_start();
	cr_assert(getenv("SOURCE") != NULL, "run by meson test");
	setenv("H", outside("ann"), 1);
	setenv("MIMOBOX", fixture.mount, 1);
	outside_directory(outside("ann"), ANN, 0755);
	sh("mkdir $H/tests $H/bin && cp $SOURCE/contrib/examples/judge "
	   "$SOURCE/contrib/examples/session.py $H/bin");
	sh("cd $H/tests && for i in 1 2 3; do echo $i $((i * 2)) > $i.in; echo $((i * 3)) > "
	   "$i.out; "
	   "done");
	for (unsigned i = 0; i < sizeof(submissions) / sizeof(*submissions); i++)
		outside_file(outside("ann/%s", submissions[i].name),
			     with_directory(submissions[i].text), ANN, 0644);
}

TestSuite(judge, .init = judge_prepare, .fini = outside_stop, .timeout = 120);

static void expect_verdicts(const char *out)
{
	for (unsigned i = 0; i < sizeof(submissions) / sizeof(*submissions); i++) {
		const char *line = text("\n%s %s", submissions[i].verdict, submissions[i].name);

		cr_expect(has(out, line), "not%s:%s", line, out);
	}
}

#define JUDGE "cd $H && bin/judge --cpu 1 --wall 5 --jobs 4 "

/* Everything has one uid: that of ann, to whom the answers and the other submissions belong. */
Test(judge, verdicts_are_exact)
{
	struct run done = run_as(ANN, JUDGE "tests *.c *.py");

	cr_assert_eq(done.status, 0, "%d %s%s", done.status, done.out, done.err);
	expect_verdicts(text("\n%s", done.out));
	cr_expect_str_eq(session_names(), "");
	cr_expect_str_eq(done.err, "");
}

#define JAVA(body)                                                     \
	"import java.util.*;\npublic class Main { public static void " \
	"main(String[] a) throws Exception { " body " } }\n"
#define JAVA_SUM                                           \
	"Scanner in = new Scanner(System.in); System.out." \
	"println(in.nextInt() + in.nextInt());"

Test(judge, java)
{
	static const struct {
		const char *name, *text, *verdict;
	} programs[] = {
		{ "Good.java", JAVA(JAVA_SUM), "AC" },
		{ "Wrong.java", JAVA("System.out.println(3);"), "WA" },
		{ "Prints.java",
		  JAVA("Scanner in = new Scanner(System.in); "
		       "System.out.print(in.nextInt() + in.nextInt());"),
		  "PE" },
		{ "Loops.java", JAVA("for (long i = 0; ; i++) if (i < 0) return;"), "TLE" },
		{ "Sleeps.java", JAVA("Thread.sleep(99000);"), "TLE" },
		{ "Eats.java",
		  JAVA("List<byte[]> l = new ArrayList<>(); "
		       "for (;;) l.add(new byte[1 << 20]);"),
		  "MLE" },
		{ "Large.java",
		  JAVA("byte[] b = new byte[40 << 20]; b[b.length - 1] = 1;" JAVA_SUM), "AC" },
		{ "Throws.java", JAVA("throw new Exception();"), "RE" },
		{ "Exits.java", JAVA(JAVA_SUM "System.exit(3);"), "RE" },
		{ "Bad.java", JAVA("return x;"), "CE" },
		{ "Named.java", "public class Named { }\n", "CE" },
	};
	struct run done;

	if (run_shell("sh", "command -v javac && command -v jar").status)
		cr_skip_test("no javac here");
	for (unsigned i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		outside_file(outside("ann/%s", programs[i].name), programs[i].text, ANN, 0644);
	done = run_as(ANN, "cd $H && bin/judge --cpu 2 --wall 30 --jobs 2 tests *.java");
	for (unsigned i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		cr_expect(has(text("\n%s", done.out),
			      text("\n%s %s", programs[i].verdict, programs[i].name)),
			  "not %s %s: %s%s", programs[i].verdict, programs[i].name, done.out,
			  done.err);
}

/* Each session of root's has an id of its own, and the judge's files are others'. */
Test(judge, verdicts_of_root)
{
	struct run done =
		run_shell("sh", "umask 077; " JUDGE "tests honest1.c snoops.py "
				"rewrites_itself.py reads_shadow.c reads_answer.c wrong.py");

	cr_assert_str_eq(done.out,
			 "AC honest1.c\nAC snoops.py\nAC rewrites_itself.py\n"
			 "CE reads_shadow.c\nCE reads_answer.c\nWA wrong.py 2 0 exit\n",
			 "%s%s", done.out, done.err);
}

/* What it cannot judge it does not call wrong. */
Test(judge, says_what_it_cannot_do)
{
	struct run done = run_as(ANN, JUDGE "--memory 1 tests honest2.py; echo x > $H/x.rs;"
					    "bin/judge tests x.rs; bin/judge tests nothing.c");

	cr_assert(has(done.out, "IE honest2.py"), "%s%s", done.out, done.err);
	cr_assert(has(done.out, "memory"), "%s%s", done.out, done.err);
	cr_assert(has(done.out, "IE x.rs"), "%s%s", done.out, done.err);
	cr_assert(has(done.out, "IE nothing.c"), "%s%s", done.out, done.err);
}

/* Nor does it wait for a fifo, take a device or what has no end, or print two lines of one name. */
Test(judge, hostile_names_and_files)
{
	struct run done =
		run_as(ANN, JUDGE
		       "tests \"$(mkfifo fifo.py; printf fifo.py)\" --output=1.py "
		       "\"$(ln -s /dev/zero zero.c; printf zero.c)\" honest2.py "
		       "\"$(truncate -s 10T huge.c; printf huge.c)\" "
		       "\"$(printf 'x.py\\nAC wrong.py')\" \"$(printf 'a\\342\\200\\256.py')\"");

	cr_assert_eq(done.status, 0, "%d %s%s", done.status, done.out, done.err);
	cr_assert(has(done.out, "IE fifo.py") && has(done.out, "no regular file"), "%s", done.out);
	cr_assert(has(done.out, "IE --output=1.py"), "%s", done.out);
	cr_assert(has(done.out, "IE zero.c"), "%s", done.out);
	cr_assert(has(done.out, "\nAC honest2.py\n"), "%s", done.out);
	cr_assert(has(done.out, "IE huge.c OSError('more"), "%s", done.out);
	cr_assert(has(done.out, "IE x.py\\u000aAC\\u0020wrong.py "), "%s", done.out);
	cr_assert(has(done.out, "IE a\\u202e.py "), "%s", done.out);
	cr_assert(!has(done.out, "\nAC wrong"), "%s", done.out);
}

static bool a_program_runs(const void *unused)
{
	(void)unused;
	return run_shell("sh", "for s in $M/*/; do grep -q 'I program' $s/config && "
			       "grep -q '^state running' $s/status && exit; done; exit 1")
		       .status == 0;
}

/* Ended while it judges, it leaves nothing that a submission could go on in. */
Test(judge, leaves_nothing_when_it_is_ended)
{
	pid_t pid;
	int status;

	pid = spawn((const char *const[]){
		"sh", "-c", "cd $H && exec bin/judge --wall 3 tests sleeps.py", NULL });
	cr_assert(await(a_program_runs, NULL, 10000));
	cr_assert_eq(kill(pid, SIGTERM), 0);
	cr_assert(ended(pid, 10000, &status));
	cr_expect_neq(status, 0);
	cr_expect_str_eq(session_names(), "");
}
