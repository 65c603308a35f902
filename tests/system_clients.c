/* SPDX-License-Identifier: MIT */
/*
 * Ordinary programs at the streams of a live session: what each of them does with a file that
 * waits at its end. No client here knows of mimobox.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "client.h"
#include "fixture.h"

TestSuite(programs, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

#define ECHOES "command stty -echo; echo ready; while read x; do echo got $x; done; exit 3\n"

static void need(const char *command)
{
	if (run_shell("sh", command).status)
		cr_skip_test("not here: %s", command);
}

static void matches(const char *question)
{
	char *answer = get(text("a/wait/match@0:%s", question), NULL);

	cr_assert(has(answer, "match"), "%s: %s", question, answer);
}

/* A session that answers each line, and has printed `ready`. */
static void echoes(void)
{
	session_start("a", ECHOES);
	matches("ready");
}

static bool nobody_reads(const void *unused)
{
	(void)unused;
	return !strcmp(get_value("a/status", "readers"), "0");
}

/* The session lives, and the client has left nothing parked in it. */
static void lives_on(void)
{
	cr_assert(await(nobody_reads, NULL, 5000), "%s", get("a/status", NULL));
	cr_assert_str_eq(get_value("a/status", "state"), "running");
	put_all("a/input", "more\n");
	matches("got more");
}

static void succeeds(struct run done, const char *wanted)
{
	cr_assert_eq(done.status, 0, "status %d\n%s%s", done.status, done.out, done.err);
	cr_assert_str_eq(plain(done.out), wanted, "%s%s", done.out, done.err);
}

/* Shells */

/* Line by line, each one asked for only when the last has come. */
static void read_loop(const char *shell)
{
	session_start("a", ECHOES);
	succeeds(run_shell(shell, "i=0; while read -r line; do\n"
				  "	line=${line%$(printf '\\r')}; echo \"$line\"; i=$((i+1))\n"
				  "	if [ $i -le 50 ]; then echo $i > $M/a/input\n"
				  "	else echo eof > $M/a/ctl; fi\n"
				  "done < $M/a/output | md5sum; cat $M/a/exit"),
		 text("%s3\n", sh("{ echo ready; seq 50 | sed 's/^/got /'; } | md5sum")));
}

Test(programs, bash_reads_lines)
{
	read_loop("bash");
}

Test(programs, dash_reads_lines)
{
	read_loop("dash");
}

/* bash reads ahead and seeks back: the next program goes on at the next line. */
static void share_a_descriptor(const char *shell)
{
	session_start("a", "command seq 5000\n");
	cr_assert_eq(session_exit("a"), 0);
	succeeds(run_shell(shell, "{ read -r a; read -r b; echo $a $b; head -n 1 > /dev/null;"
				  "} < $M/a/output; { read -r a; cat; } < $M/a/output | "
				  "tr -d '\\r' | md5sum"),
		 text("1 2\n%s", sh("seq 2 5000 | md5sum")));
}

Test(programs, bash_shares_a_descriptor)
{
	share_a_descriptor("bash");
}

Test(programs, dash_shares_a_descriptor)
{
	share_a_descriptor("dash");
}

/* Tools that end before the session does: they go at once, and leave nothing. */

Test(programs, head_of_a_live_session)
{
	echoes();
	succeeds(run_shell("sh", "head -n 1 $M/a/output; head -c 3 $M/a/output"), "ready\nrea");
	lives_on();
}

Test(programs, timeout_of_a_cat)
{
	struct run done;

	echoes();
	done = run_shell("sh", text("timeout %u cat $M/a/output", scaled(1)));
	cr_assert_eq(done.status, 124, "%d", done.status);
	cr_assert_str_eq(done.out, "ready\r\n");
	lives_on();
}

Test(programs, grep_goes_at_the_first_match)
{
	echoes();
	put_all("a/input", "one\ntwo\n");
	succeeds(run_shell("sh", "grep -m1 two $M/a/output"), "got two\n");
	lives_on();
	succeeds(run_shell("sh", "grep -c got $M/a/transcript; grep -n more $M/a/transcript"),
		 "3\n4:got more\n");
}

/* Tools that stay */

static bool file_ends(const void *text)
{
	return run_shell("sh", text).status == 0;
}

/* A copy that grows with the session, and is the whole of it in the end. */
static void follows(const char *command, const char *beginning, bool to_the_end)
{
	pid_t pid;
	int status;

	session_start("a", ECHOES);
	matches("ready");
	pid = spawn((const char *const[]){ "sh", "-c", command, NULL });
	cr_assert(await(file_ends, text("grep -q %s $M/../copy", beginning), 10000), "%s", command);
	put_all("a/input", "one\n");
	cr_assert(await(file_ends, "grep -q 'got one' $M/../copy", 10000), "%s", command);
	put_all("a/input", "two\n");
	put_all("a/ctl", "eof\n");
	cr_assert_eq(session_exit("a"), 3);
	cr_assert(await(file_ends, "grep -q 'got two' $M/../copy", 10000), "%s", command);
	if (to_the_end) {
		cr_assert(ended(pid, 10000, &status), "%s", command);
		cr_assert_eq(status, 0, "%s: %d", command, status);
	}
	cr_assert_str_eq(plain(sh("cat $M/../copy")), text("%s\ngot one\ngot two\n", beginning));
}

Test(programs, tail_follows_the_transcript)
{
	follows("exec tail -f $M/a/transcript > $M/../copy", "ready", false);
}

Test(programs, tail_follows_the_transcript_from_a_byte)
{
	follows("exec tail -c +3 -f $M/a/transcript > $M/../copy", "ady", false);
}

/* Into a file, tail keeps what it has until 4,096 bytes have come: as to a terminal, then. */
Test(programs, tail_follows_the_output_from_a_byte)
{
	follows("exec stdbuf -o0 tail -c +3 $M/a/output > $M/../copy", "ady", true);
}

Test(programs, tail_from_a_byte_with_f_on_the_output)
{
	follows("exec stdbuf -o0 tail -c +3 -f $M/a/output > $M/../copy", "ady", false);
}

Test(programs, tee_copies)
{
	follows("exec tee $M/../copy < $M/a/output > /dev/null", "ready", true);
}

/* A pipe of two: the watcher's end ends the follower. */
Test(programs, tail_into_grep)
{
	pid_t pid;
	int status;

	echoes();
	pid = spawn((const char *const[]){
		"sh", "-c", "tail -f $M/a/transcript | grep -m1 'got it' > $M/../copy", NULL });
	put_all("a/input", "it\n");
	cr_assert(ended(pid, 10000, &status));
	cr_assert_eq(status, 0);
	cr_assert_str_eq(plain(sh("cat $M/../copy")), "got it\n");
	lives_on();
}

/* less, at a terminal that expect makes: pages, a search, and F, which follows. */
Test(programs, less_on_the_transcript)
{
	need("command -v less && command -v expect");
	session_start("a", "command stty -echo; seq -f 'line %g' 100; "
			   "while read x; do echo got $x; done\n");
	matches("line 100");
	succeeds(run((const char *const[]){
			 "expect", "-c",
			 "set timeout 15\nlog_user 0\nset m $env(M)/a\nset env(TERM) xterm\n"
			 "set stty_init {rows 24 columns 80}\n"
			 "proc see what {\n"
			 "	expect {\n"
			 "		-re $what { }\n"
			 "		timeout { puts \"no $what\"; exit 9 }\n"
			 "		eof { puts \"an end before $what\"; exit 8 }\n"
			 "	}\n"
			 "}\n"
			 "spawn less $m/transcript\n"
			 "see {line 23\\M}; see transcript; send { }; see {line 46\\M.*:}\n"
			 "send \"/line 77\\r\"; see {line 77\\M.*line 99\\M.*:}\n"
			 "send F; see {Waiting for data}\n"
			 "exec echo something > $m/input; see {got something}\n"
			 "send \\003; see {END|:}; send q\n"
			 "expect {\n eof { }\n timeout { exit 7 }\n}\n",
			 NULL }),
		 "");
	put_all("a/ctl", "kill\n");
}

/* Node: a read that waits takes one of four threads, so that many readers need more of them. */

static struct run node(const char *before, const char *script)
{
	need("command -v node");
	return run_shell("sh", text("%s exec node -e \"$(cat <<'END'\n"
				    "const fs = require('fs'), m = process.env.M, n = 12;\n"
				    "const children = require('child_process');\n"
				    "const each = f => Promise.all([...Array(n).keys()].map(f));\n"
				    "const all = async s => {\n"
				    "  let t = ''; for await (const d of s) t += d; return t;\n"
				    "};\n"
				    "(async () => {\n%s})().catch(e => {\n"
				    "  console.log(e); process.exit(1);\n"
				    "});\n"
				    "END\n)\"",
				    before, script));
}

/* Each line is asked for by what the stream has just brought. */
Test(programs, node_streams)
{
	session_start("a", ECHOES);
	succeeds(node("",
		      "const s = fs.createReadStream(m + '/a/output'); let t = '', i = 0;\n"
		      "const exit = all(fs.createReadStream(m + '/a/exit'));\n"
		      "for await (const d of s) {\n"
		      "  t += d;\n"
		      "  if (t.split('\\n').length - 2 < i || !t.endsWith('\\n')) continue;\n"
		      "  if (i++ < 20) await fs.promises.writeFile(m + '/a/input', i + '\\n');\n"
		      "  else await fs.promises.writeFile(m + '/a/ctl', 'eof\\n');\n"
		      "}\n"
		      "console.log(t.split('\\r\\n').length, t.endsWith('got 20\\r\\n'));\n"
		      "console.log(await exit);\n"),
		 "22 true\n3\n\n");
}

static void twelve(void)
{
	for (int i = 0; i < 12; i++)
		session_start(text("s%d", i),
			      text("command stty -echo; read x; echo $x; exit %d\n", i));
}

static void twelve_answered(struct run done)
{
	char *wanted = text("%s", "");

	for (int i = 0; i < 12; i++)
		wanted = text("%sto %d\n%d\n", wanted, i, i);
	succeeds(done, wanted);
}

/* 24 readers wait, and the 25th thread does what else there is to do. */
Test(programs, node_with_a_thread_for_each_reader)
{
	twelve();
	twelve_answered(node(
		"UV_THREADPOOL_SIZE=25",
		"const got = each(i => all(fs.createReadStream(m + '/s' + i + '/output')));\n"
		"const ends = each(i => all(fs.createReadStream(m + '/s' + i + '/exit')));\n"
		"await each(i => fs.promises.writeFile(m + '/s' + i + '/input', `to ${i}\\n`));\n"
		"const a = await got, b = await ends;\n"
		"console.log(a.map((t, i) => t + b[i]).join('').trim());\n"));
}

/* Or a cat for each, which costs a process and no thread: its pipe is what Node waits for best. */
Test(programs, node_with_a_cat_for_each_reader)
{
	twelve();
	twelve_answered(node(
		"",
		"const files = i => ['output', 'exit'].map(f => m + '/s' + i + '/' + f);\n"
		"const got = each(i => all(children.spawn('cat', files(i)).stdout));\n"
		"await each(i => fs.promises.writeFile(m + '/s' + i + '/input', `to ${i}\\n`));\n"
		"console.log((await got).join('').trim());\n"));
}

/* Python */

static struct run python(const char *script)
{
	return run((const char *const[]){
		"/usr/bin/python3", "-c",
		text("import asyncio, os, select, subprocess, sys\nm = os.environ['M'] + '/'\n"
		     "def ask(line): open(m + 'a/input', 'w').write(line)\n%s",
		     script),
		NULL });
}

/* The loop's epoll takes the files as they are, once they do not block. */
Test(programs, asyncio_add_reader)
{
	session_start("a", ECHOES);
	succeeds(python("async def main():\n"
			"    fd = os.open(m + 'a/output', os.O_RDONLY | os.O_NONBLOCK)\n"
			"    loop = asyncio.get_running_loop(); over = loop.create_future()\n"
			"    data = b''; asked = 0\n"
			"    def readable():\n"
			"        nonlocal data, asked\n"
			"        try: piece = os.read(fd, 65536)\n"
			"        except BlockingIOError: return\n"
			"        data += piece\n"
			"        if not piece: loop.remove_reader(fd); over.set_result(None)\n"
			"        elif data.count(b'\\n') > asked and asked < 20:\n"
			"            asked += 1; ask(f'{asked}\\n')\n"
			"        elif data.endswith(b'got 20\\r\\n'):\n"
			"            open(m + 'a/ctl', 'w').write('eof\\n')\n"
			"    loop.add_reader(fd, readable)\n"
			"    await asyncio.wait_for(over, 15)\n"
			"    print(data.count(b'\\r\\n'), data[-8:])\n"
			"asyncio.run(main())\nprint(open(m + 'a/exit').read())\n"),
		 "21 b'got 20\\r\\n'\n3\n\n");
}

/* What does not work is refused by Python itself, which wants a pipe, and a cat gives it one. */
Test(programs, asyncio_pipes)
{
	session_start("a", "command read x; echo $x; exit 3\n");
	succeeds(python("async def main():\n"
			"    loop = asyncio.get_running_loop()\n"
			"    try: await loop.connect_read_pipe(asyncio.Protocol,\n"
			"                                      open(m + 'a/output', 'rb', 0))\n"
			"    except ValueError as e: print('no:', e)\n"
			"    cat = await asyncio.create_subprocess_exec('cat', m + 'a/exit',\n"
			"                                               stdout=subprocess.PIPE)\n"
			"    ask('x\\n'); print(await cat.stdout.read())\n"
			"asyncio.run(main())\n"),
		 "no: Pipe transport is for pipes/sockets only.\nb'3\\n'\n");
}

/* A thread of the executor waits for each, as plain as it can be. */
Test(programs, asyncio_run_in_executor)
{
	twelve();
	twelve_answered(
		python("from concurrent.futures import ThreadPoolExecutor\n"
		       "def whole(name): return open(m + name, newline='').read()\n"
		       "async def main():\n"
		       "    loop = asyncio.get_running_loop(); pool = ThreadPoolExecutor(24)\n"
		       "    run = lambda name: loop.run_in_executor(pool, whole, name)\n"
		       "    got = [(run(f's{i}/output'), run(f's{i}/exit')) for i in range(12)]\n"
		       "    for i in range(12): open(m + f's{i}/input', 'w').write(f'to {i}\\n')\n"
		       "    for a, b in got: print(await a, await b, sep='', end='')\n"
		       "asyncio.run(main())\n"));
}

/* Level-triggered: nothing, then POLLIN, then POLLHUP with the end. */
Test(programs, python_poll)
{
	session_start("a", "command stty -echo; echo ready; read x; echo two; read x; exit 3\n");
	matches("ready");
	succeeds(python("p = select.poll()\n"
			"out, end = (os.open(m + f, os.O_RDONLY | os.O_NONBLOCK)\n"
			"            for f in ('a/output', 'a/exit'))\n"
			"p.register(out, select.POLLIN); p.register(end, select.POLLIN)\n"
			"names = {out: 'output', end: 'exit'}\n"
			"def told(ms): return sorted((names[f], e) for f, e in p.poll(ms))\n"
			"print(told(0), os.read(out, 100), told(0))\n"
			"ask('x\\n'); print(told(15000), os.read(out, 100), told(0))\n"
			"ask('x\\n')\n"
			"while not os.read(end, 100) if (end in dict(p.poll(15000))) else True: "
			"pass\n"
			"print(os.read(out, 100), dict(p.poll(0))[out] & select.POLLHUP)\n"),
		 "[('output', 1)] b'ready\\r\\n' []\n[('output', 1)] b'two\\r\\n' []\nb'' 16\n");
}

Test(programs, python_subprocess)
{
	echoes();
	succeeds(python("out = open(m + 'a/output', 'rb', 0)\n"
			"p = subprocess.Popen(['grep', '--line-buffered', 'got'], stdin=out,\n"
			"                     stdout=subprocess.PIPE)\n"
			"for i in range(20):\n"
			"    ask(f'{i}\\n'); assert p.stdout.readline() == b'got %d\\r\\n' % i\n"
			"open(m + 'a/ctl', 'w').write('eof\\n')\n"
			"print(p.wait(15), subprocess.run(['cat'], stdin=open(m + 'a/exit'),\n"
			"                                 capture_output=True).stdout)\n"),
		 "0 b'3\\n'\n");
}
