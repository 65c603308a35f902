/* SPDX-License-Identifier: MIT */
/*
 * Real programs, in each profile: what the filters and rules refuse must not be what these need.
 * And the profiles of contrib/profiles, each doing what it is for.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(tools, .init = outside_start, .fini = outside_stop, .timeout = 150);

static const char *const profiles[] = { "essential", "network", "compat" };

/* Each script ends with status 0 and prints nothing but `output`, in a directory of its own. */
struct program {
	const char *name, *script, *output;
};

/* Runs it as ann, by `shell`, from a file that is in the sandbox as /srv/script. */
static void run_program(const struct program *program, const char *shell, const char *config)
{
	char *output;
	int status;

	outside_file(outside("script"), program->script, ROOT, 0755);
	output = session_run_as(ANN, "a",
				text("memory 1G\nro %s:/srv/script\n%s\nargv [\"%s\",\"/srv/"
				     "script\"]\n",
				     outside("script"), config, shell),
				&status);
	cr_expect(status == 0 && !strcmp(output, program->output), "%s, %s: status %d:\n%s",
		  program->name, config, status, output);
	session_remove("a");
}

static void run_all(const struct program *programs, unsigned count, const char *shell)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned p = 0; p < 3; p++)
			run_program(&programs[i], shell,
				    text("cwd /workspace\nseccomp %s", profiles[p]));
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

Test(tools, shells)
{
	static const struct program programs[] = {
		{ "pipes", "set -eo pipefail; seq 1000 | sort -rn | head -n 1 | tr 0 o", "1ooo\n" },
		{ "jobs",
		  "exec 2>/dev/null; set -m; sleep 100 & sleep 200 & jobs -r | wc -l; kill %1; "
		  "wait %1; echo $?; "
		  "kill "
		  "-STOP %2; until jobs -s | grep -q sleep; do :; done; bg %2 >/dev/null; jobs -r "
		  "| wc "
		  "-l; kill %2; wait; echo end",
		  "2\n143\n1\nend\n" },
		{ "wait", "sleep 0.1 & wait; (exit 3) & wait $!; echo $?", "3\n" },
		{ "trap", "trap 'echo got' USR1; kill -USR1 $$; trap - USR1; echo end",
		  "got\nend\n" },
		{ "here", "cat <<< one; cat <(echo two) | cat; exec 9>f; echo three >&9; cat f",
		  "one\ntwo\nthree\n" },
		{ "coproc", "coproc cat; echo x >&${COPROC[1]}; read -u ${COPROC[0]} y; echo $y",
		  "x\n" },
		{ "files",
		  "umask 027; mkdir -p a/b; cd a; echo x > b/f; [ -f b/f ] && cd b && pwd; cd "
		  "../..; rm "
		  "-r a; ls",
		  "/workspace/a/b\n" },
	};

	run_all(programs, COUNT(programs), "/bin/bash");
}

Test(tools, coreutils)
{
	static const struct program programs[] = {
		{ "copy and move",
		  "set -e; echo x > a; cp a b; cp -a b c; mv c d; ln d e; ln -s d l; cat l e; "
		  "mkdir m; "
		  "cp -r --preserve=all a m; mv m n; install -m 700 a i; stat -c %a i; ls -l i | "
		  "cut -c1-"
		  "10; rm -r n; touch -d @0 a; date -ur a +%Y; dd if=a of=o bs=1 count=1 "
		  "status=none; "
		  "truncate -s 100 o; stat -c %s o; shred -u o; mktemp -p . >/dev/null; sync b",
		  "x\nx\n700\n-rwx------\n1970\n100\n" },
		{ "owners and modes",
		  "set -e; echo > a; chmod 640 a; stat -c '%a %u %g %U' a; chown $(id -u) a; chgrp "
		  "$(id "
		  "-g) a; chmod u+x,o-r a; test -x a; id -un; groups; whoami; logname 2>/dev/null "
		  "|| :",
		  "640 1000 1000 sandbox\nsandbox\nsandbox\nsandbox\n" },
		{ "text",
		  "set -e; seq 5 > a; wc -l < a; tac a | head -n 1; sort -R a | sort -n | tail -n "
		  "1; "
		  "paste -sd+ a | sed 's/+/ /'; cut -c1 a | uniq | nl | wc -l; split -n 2 a p; cat "
		  "p* | "
		  "sha256sum | cut -c1-8; sha256sum a | cut -c1-8; comm -12 a a | wc -l; join a a "
		  "| wc "
		  "-l; shuf -n 2 a | wc -l; od -An -tx1 -N2 a; base64 a | base64 -d | cmp - a; "
		  "expand a | "
		  "fmt | fold -w 5 | wc -c",
		  "5\n5\n5\n1 2+3+4+5\n5\nf6b49467\nf6b49467\n5\n5\n2\n 31 0a\n11\n" },
		{ "the machine",
		  "set -e; nproc >/dev/null; uname -s; uptime >/dev/null; df /tmp >/dev/null; du "
		  "-s . "
		  ">/dev/null; free >/dev/null; ps ax | grep -c script; date >/dev/null; hostname; "
		  "hostid >/dev/null; arch >/dev/null; tty | cut -c1-9; stty size; env | wc -l; "
		  "getconf PAGESIZE; ls -l /dev/null | cut -c1; who; getent passwd sandbox | cut "
		  "-d: -f6",
		  "Linux\n2\nmimobox\n/dev/pts/\n24 80\n11\n4096\nc\n/home/sandbox\n" },
		{ "processes",
		  "set -e; timeout 5 true; timeout 0.1 sleep 9 || echo $?; nice -n 5 true; nohup "
		  "true "
		  "2>/dev/null; stdbuf -oL echo o; xargs -n 1 -P 2 echo < /dev/null; seq 3 | xargs "
		  "-P 3 "
		  "-n 1 true; setsid -w true; env -i /bin/echo e; chrt -p $$ >/dev/null; flock l "
		  "true; "
		  "mkfifo p; cat p & echo via > p; wait; tee t < /etc/hostname >/dev/null; yes | "
		  "head -n "
		  "1; kill -0 $$; taskset -p $$ >/dev/null; ionice >/dev/null; pgrep bash | head "
		  "-n 1 | wc -l",
		  "124\no\n\ne\nvia\ny\n1\n" },
		{ "archives",
		  "set -e; mkdir d; seq 1000 > d/f; ln -s f d/l; tar cf a.tar d; tar czf a.tgz d; "
		  "rm -r d; "
		  "tar xf a.tgz; wc -l < d/l; tar tf a.tar | wc -l; gzip -c d/f | gunzip | cmp - "
		  "d/f; "
		  "find . -name f -newer a.tar | wc -l; diff -r d d; tar xf a.tar -C /tmp; ls /tmp",
		  "1000\n3\n0\nd\n" },
	};

	run_all(programs, COUNT(programs), "/bin/bash");
}

Test(tools, python)
{
	static const struct program programs[] = {
		{ "threads",
		  "import threading\nn=[]\nts=[threading.Thread(target=n.append,args=(i,)) for i "
		  "in "
		  "range(20)]\n[t.start() for t in ts]\n[t.join() for t in ts]\nprint(sum(n))\n",
		  "190\n" },
		{ "subprocess",
		  "import subprocess as s, "
		  "os\nprint(s.run(['echo','a'],capture_output=True,text=True)."
		  "stdout,end='')\nprint(s.run('exit "
		  "3',shell=True).returncode)\nprint(os.popen('echo "
		  "b').read(),end='')\npid=os.fork()\nif pid==0: "
		  "os._exit(4)\nprint(os.waitstatus_to_"
		  "exitcode(os.waitpid(pid,0)[1]))\n",
		  "a\n3\nb\n4\n" },
		{ "multiprocessing",
		  "import multiprocessing as m\ndef f(x): return x*x\nif __name__=='__main__':\n "
		  "with "
		  "m.Pool(3) as p: print(sum(p.map(f,range(10))))\n q=m.Queue(); "
		  "x=m.Process(target=q.put,args=('q',)); x.start(); print(q.get()); x.join()\n "
		  "v=m.Value('i',0)\n with v.get_lock(): v.value+=1\n print(v.value)\n "
		  "c=m.get_context('spawn')\n "
		  "x=c.Process(target=print,args=('spawned',),kwargs={'flush':"
		  "True}); x.start(); x.join(); print(x.exitcode)\n",
		  "285\nq\n1\nspawned\n0\n" },
		{ "sqlite3",
		  "import sqlite3\nc=sqlite3.connect('t.db')\nc.execute('pragma "
		  "journal_mode=wal')\nc.execute('create table t(x)')\nc.executemany('insert into "
		  "t "
		  "values(?)',[(i,) for i in "
		  "range(100)])\nc.commit()\nprint(sqlite3.connect('t.db')."
		  "execute('select sum(x) from t').fetchone()[0])\n",
		  "4950\n" },
		{ "asyncio and sockets",
		  "import asyncio,socket,tempfile,mmap,select,signal,time\nasync def f(): await "
		  "asyncio.sleep(0.01); return "
		  "5\nprint(asyncio.run(f()))\na,b=socket.socketpair()\na.send("
		  "b'x')\nprint(b.recv(1).decode())\nwith tempfile.NamedTemporaryFile() as t: "
		  "t.write(b'12'); t.flush(); "
		  "print(len(mmap.mmap(t.fileno(),0)))\ns=socket.socket(socket."
		  "AF_UNIX)\ns.bind('/tmp/"
		  "s')\ns.listen()\nc=socket.socket(socket.AF_UNIX)\nc.connect('/"
		  "tmp/"
		  "s')\nsignal.alarm(1)\nsignal.alarm(0)\nprint(len(select.select([a],[a],[],0)[1])"
		  ")\n",
		  "5\nx\n2\n1\n" },
	};

	run_all(programs, COUNT(programs), "/usr/bin/python3");
}

Test(tools, node)
{
	static const struct program programs[] = {
		/* long enough for the optimising compiler */
		{ "jit", "let s=0; for (let i=0;i<3e7;i++) s=(s+i*7)%1000003; console.log(s)",
		  "28665\n" },
		{ "children",
		  "const {execFileSync,spawn}=require('child_process'); process.stdout.write("
		  "execFileSync('echo',['a'])); spawn('sh',['-c','exit "
		  "3']).on('exit',c=>console.log(c))",
		  "a\n3\n" },
		{ "files and workers",
		  "const fs=require('fs'),{Worker}=require('worker_threads'); "
		  "fs.writeFileSync('f','x'); "
		  "console.log(fs.readdirSync('.').join()); new "
		  "Worker('require(\"worker_threads\")."
		  "parentPort.postMessage(7)',{eval:true}).on('message',m=>console.log(m)); "
		  "fs.promises.readFile('f','utf8').then(t=>setTimeout(()=>console.log(t),200))",
		  "f\n7\nx\n" },
		{ "webassembly",
		  "const "
		  "b=Uint8Array.from([0,97,115,109,1,0,0,0,1,5,1,96,0,1,127,3,2,1,0,7,5,1,1,102,0,"
		  "0,"
		  "10,6,1,4,0,65,42,11]); "
		  "WebAssembly.instantiate(b).then(w=>console.log(w.instance."
		  "exports.f()))",
		  "42\n" },
	};
	const struct program *programs_end = programs + COUNT(programs);

	for (const struct program *program = programs; program < programs_end; program++)
		for (unsigned p = 0; p < 3; p++)
			run_program(
				program, "/usr/bin/node",
				text("cwd /workspace\nenv NO_COLOR=1\nseccomp %s", profiles[p]));
}

Test(tools, perl_and_others)
{
	static const struct program perl[] = {
		{ "perl",
		  "use threads; print `echo a`; my $t=threads->create(sub { 2 }); print $t->join, "
		  "\"\\n\"; "
		  "my $p=fork; if (!$p) { exit 3 } waitpid $p,0; print $?>>8, \"\\n\"; open my "
		  "$f,'>','x'; print $f 'y'; close $f; print -s 'x', \"\\n\"; system 'true'; print "
		  "\"$?\\n\";",
		  "a\n2\n3\n1\n0\n" },
	};
	static const struct program others[] = {
		{ "git",
		  "set -e; export GIT_CONFIG_GLOBAL=/tmp/c; git config --global user.name t; git "
		  "config "
		  "--global user.email t@t; git init -q r; cd r; echo a > f; git add f; git commit "
		  "-qm one; "
		  "echo b >> f; git commit -qam two; git log --oneline | wc -l; git diff HEAD~ "
		  "--stat | tail "
		  "-n 1; cd ..; git clone -q r c; git -C c log --format=%s | head -n 1; git -C c "
		  "checkout "
		  "-qb x; git -C c push -q origin x; git -C r branch | wc -l; git -C c gc -q; git "
		  "-C c "
		  "status -s; git -C c fsck 2>/dev/null",
		  "2\n 1 file changed, 1 insertion(+)\ntwo\n2\n" },
		{ "gcc and make",
		  "set -e; printf 'all: p\\np: a.o b.o\\n\\tcc -o p a.o b.o -lm\\n' > Makefile; "
		  "printf "
		  "'#include <stdio.h>\\nint f(void); int main(void) { printf(\"%%d\\\\n\", f()); "
		  "return 0; "
		  "}\\n' > a.c; echo 'int f(void) { return 42; }' > b.c; make -sj2 CFLAGS=-O2; "
		  "./p; make -s "
		  "-q && echo done; gcc -shared -fPIC b.c -o b.so; ar rc l.a b.o; strip p; ./p",
		  "42\ndone\n42\n" },
	};

	run_all(perl, COUNT(perl), "/usr/bin/perl");
	run_all(others, COUNT(others), "/bin/sh");
}

/* At a terminal, as people use them. */

static void type(const char *name, const char *keys)
{
	put_all(text("%s/input", name), keys);
}

/* proc_pid_stat(5): the terminal's foreground process group isn't that of the process. */
static bool another_is_in_front(const void *pid)
{
	char path[64], stat[1024] = "";
	int group, front;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)*(const pid_t *)pid);
	FILE *file = fopen(path, "re");
	size_t size = file ? fread(stat, 1, sizeof(stat) - 1, file) : 0;
	if (file)
		fclose(file);
	const char *rest = size ? strrchr(stat, ')') : NULL;
	return rest && sscanf(rest, ") %*c %*d %d %*d %*d %d", &group, &front) == 2 && front > 0 &&
	       front != group;
}

Test(tools, bash_at_a_terminal)
{
	for (unsigned p = 0; p < 3; p++) {
		const char *place = text("%u", marker());
		struct stream output;

		session_start_as(
			ANN, "a",
			text("seccomp %s\nargv [\"/bin/bash\",\"--norc\",\"-i\"]\nenv PS1=>\n",
			     profiles[p]));
		stream_open(&output, "a/output");
		stream_until(&output, ">");
		cr_expect(!has(output.data, "job control"), "%s", output.data);
		type("a", text("sleep %s\n", place));
		cr_assert(await(any_with, place, 20000));
		type("a", "\032");
		stream_until(&output, "Stopped");
		type("a", "bg; jobs\n");
		stream_until(&output, "Running");
		type("a", "fg\n");
		stream_until(&output, text("sleep %s\r\n", place));
		/* bash tells of the job, and only then gives it the terminal. */
		pid_t bash = session_pid("a");
		cr_assert(await(another_is_in_front, &bash, 20000));
		type("a", "\003");
		stream_until(&output, ">");
		type("a", "echo $? | tr 1 x\n");
		stream_until(&output, "x30");
		type("a", "exit 5\n");
		cr_expect_eq(session_exit("a"), 5);
		stream_close(&output);
		session_remove("a");
	}
}

Test(tools, vim_and_tmux)
{
	for (unsigned p = 0; p < 3; p++) {
		struct stream output;

		session_start_as(
			ANN, "v",
			text("seccomp %s\ncwd /workspace\ncommand vim -Nu NONE f && cat f\n",
			     profiles[p]));
		stream_open(&output, "v/output");
		stream_until(&output, "[New]");
		type("v", "ihello\033");
		stream_until(&output, "hello");
		type("v", ":s/hello/HALLO/\r");
		stream_until(&output, "HALLO");
		type("v", ":r !echo fi''lter\r");
		stream_until(&output, "filter");
		type("v", "\r:wq\r");
		cr_expect_eq(session_exit("v"), 0);
		stream_rest(&output);
		cr_expect(has(output.data, "HALLO\r\nfilter\r\n"), "%s", output.data);
		stream_close(&output);
		session_remove("v");

		session_start_as(ANN, "t",
				 text("seccomp %s\ncommand tmux -f /dev/null new -s one 'tmux "
				      "split-window -d \"echo "
				      "sec\\ond; sleep 100\"; echo panes: $(tmux list-panes | wc "
				      "-l | tr 2 T); read "
				      "x; tmux kill-server'\n",
				      profiles[p]));
		stream_open(&output, "t/output");
		stream_until(&output, "panes: T");
		type("t", "\n");
		cr_expect_eq(session_exit("t"), 1); /* its server has gone */
		stream_rest(&output);
		cr_expect(has(output.data, "[server exited]") || has(output.data, "[exited]"), "%s",
			  output.data);
		stream_close(&output);
		session_remove("t");
	}
}

/* contrib/profiles */

static char *profile(const char *name)
{
	const char *directory = getenv("PROFILES");

	cr_assert(directory != NULL, "PROFILES: their directory: run by meson test");
	return outside_read(text("%s/%s.conf", directory, name));
}

/* With the program's own command, or one in its place. */
static char *run_profile(const char *name, const char *more, int *status)
{
	char *output = session_run_as(ANN, "a", text("%s\n%s", profile(name), more), status);

	session_remove("a");
	return output;
}

Test(tools, profile_shell)
{
	struct stream output;

	session_start_as(ANN, "a", profile("shell"));
	stream_open(&output, "a/output");
	stream_until(&output, "$ ");
	type("a", "pwd; touch f && ls; sleep 9 & jobs\n");
	stream_until(&output, "/workspace");
	stream_until(&output, "Running");
	type("a", "kill %1; wait; exit 4\n");
	cr_expect_eq(session_exit("a"), 4);
	stream_close(&output);
}

Test(tools, profile_python_and_node)
{
	struct stream output;
	int status;
	char *out;

	session_start_as(ANN, "p", profile("python"));
	stream_open(&output, "p/output");
	stream_until(&output, ">>> ");
	type("p", "import multiprocessing.dummy as m; sum(m.Pool(4).map(abs, range(-9, 1)))\n");
	stream_until(&output, "45");
	type("p", "exit(6)\n");
	cr_expect_eq(session_exit("p"), 6);
	stream_close(&output);
	out = run_profile("python",
			  "argv [\"/usr/bin/python3\",\"-c\",\"import multiprocessing as m; "
			  "print(sum(m.Pool(4).map(abs, range(-9, 1))))\"]\n",
			  &status);
	cr_expect(status == 0 && has(out, "45"), "%s", out);
	session_start_as(ANN, "n", profile("node"));
	stream_open(&output, "n/output");
	stream_until(&output, "> ");
	type("n", "[6,7].reduce((a,b)=>a*b)\n");
	stream_until(&output, "42");
	type("n", "process.exit(7)\n");
	cr_expect_eq(session_exit("n"), 7);
	stream_close(&output);
}

Test(tools, profile_build)
{
	char path[512] = "";
	struct stat st;
	char *config = profile("build"); /* from the source, which may be root's alone */

	act_as(ANN);
	session_make("a");
	put_all("a/config", config);
	act_as(ROOT);
	cr_assert_gt(readlink(at("a/workspace"), path, sizeof(path) - 1), 0);
	outside_file(text("%s/Makefile", path), "p: a.o b.o\n\tcc -o p a.o b.o\n", ANN, 0644);
	outside_file(text("%s/a.c", path), "int f(void); int main(void) { return f(); }\n", ANN,
		     0644);
	outside_file(text("%s/b.c", path), "int f(void) { return 0; }\n", ANN, 0644);
	put_all("a/ctl", "start\n");
	cr_expect_eq(session_exit("a"), 0, "%s", get("a/output", NULL));
	cr_expect_eq(stat(text("%s/p", path), &st), 0);
}

/* One process, which ends; none beside it. */
Test(tools, profile_strict)
{
	int status;
	char *out = run_profile("strict", "", &status);

	cr_expect_eq(status, 0, "%s", out);
	out = run_profile("strict", "argv [\"/usr/bin/python3\",\"-I\",\"-c\",\"print(6 * 7)\"]\n",
			  &status);
	cr_expect_str_eq(out, "42\n");
	out = run_profile("strict",
			  "argv [\"/usr/bin/python3\",\"-I\",\"-c\",\"import os; os.fork()\"]\n",
			  &status);
	cr_expect(status == 1 && has(out, "PermissionError"), "%s", out);
	out = run_profile("strict",
			  "argv [\"/usr/bin/python3\",\"-I\",\"-c\",\"import socket; "
			  "socket.create_connection(('127.0.0.1', 1))\"]\n",
			  &status);
	cr_expect(status == 1 && has(out, "not supported"), "%s", out);
	out = run_profile("strict",
			  "timeout 500ms\nargv [\"/usr/bin/python3\",\"-I\",\"-c\",\"while True: "
			  "pass\"]\n",
			  &status);
	cr_expect_lt(status, 0);
}

/* git, and connections to port 443 of anybody, and to no other. */
Test(tools, profile_agent)
{
	static const char probe[] = "argv [\"/usr/bin/python3\",\"-c\",\"import socket\\n"
				    "for p in (443, 53, 80, 22):\\n"
				    " try: socket.create_connection(('127.0.0.1', p), 1)\\n"
				    " except OSError as e: print(p, type(e).__name__)\\n"
				    " else: print(p, 'open')\"]\n";
	struct stream output;
	int status;
	char *out = run_profile("agent", probe, &status);

	/* a refused connection is one that went out */
	cr_expect((has(out, "443 ConnectionRefusedError") || has(out, "443 open")) &&
			  (has(out, "53 ConnectionRefusedError") || has(out, "53 open")) &&
			  has(out, "80 PermissionError\n") && has(out, "22 PermissionError\n"),
		  "%s", out);
	session_start_as(ANN, "a", profile("agent"));
	stream_open(&output, "a/output");
	stream_until(&output, "$ ");
	type("a", "git init -q r && cd r && git -c user.name=t -c user.email=t@t commit -q "
		  "--allow-empty -m one && git log --format='%s m''ade'\n");
	stream_until(&output, "one made");
	type("a", "echo $RES_OPTIONS; exit 3\n");
	stream_until(&output, "use-vc");
	cr_expect_eq(session_exit("a"), 3);
	stream_close(&output);
}
