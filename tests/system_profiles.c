/* SPDX-License-Identifier: MIT */
/*
 * Profiles of contrib/profiles for servers, runtimes and browsers, by the programs that they are
 * for, which need not be installed. (The others are in system_tools.c.)
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(profiles, .init = outside_start, .fini = outside_stop, .timeout = 150);

static char *profile(const char *name)
{
	char *whole = text("%s/%s.conf", getenv("PROFILES"), name);

	return sh(text("cat %s", whole));
}

static void put_in(const char *session, const char *name, const char *data)
{
	act_as(ROOT);
	outside_file(at("%s/workspace/%s", session, name), data, ROOT, 0644);
}

/* A session of ann's or of root's, not started. */
static void make(uid_t user, const char *name, const char *more)
{
	act_as(user);
	session_make("a");
	put_all("a/config", text("%s\nterminal no\n%s\n", profile(name), more));
	act_as(ROOT);
}

static char *output_of_it(void)
{
	put_all("a/ctl", "start\n");
	int status = session_exit("a");
	char *out = get("a/output", NULL);

	cr_expect_eq(status, 0, "%d: %s%s", status, out, get("a/stderr", NULL));
	session_remove("a");
	return out;
}

Test(profiles, java)
{
	static const char source[] =
		"import java.net.*; import java.util.concurrent.*;\n"
		"public class Main { public static void main(String[] a) throws Exception {\n"
		"  long heap = Runtime.getRuntime().maxMemory() >> 20;\n"
		"  System.out.println(heap > 500 && heap < 800);\n"
		"  var pool = Executors.newFixedThreadPool(16);\n"
		"  System.out.println(pool.submit(() -> 6 * 7).get()); pool.shutdown();\n"
		"  var server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());\n"
		"  var client = new Socket(\"localhost\", server.getLocalPort());\n"
		"  server.accept().getOutputStream().write('y');\n"
		"  System.out.println(client.getInputStream().read());\n"
		"  var p = new ProcessBuilder(\"echo\", \"child\").inheritIO().start(); "
		"p.waitFor();\n"
		"} }\n";

	if (access("/usr/bin/java", X_OK) != 0)
		cr_skip_test("there is no /usr/bin/java");
	for (unsigned i = 0; i < 2; i++) {
		make(i ? ANN : ROOT, "java", "argv [\"java\",\"Main.java\"]");
		put_in("a", "Main.java", source);
		cr_expect_str_eq(output_of_it(), "true\n42\n121\nchild\n");
	}
}

Test(profiles, postgres)
{
	char *out;

	if (*sh("ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null || :") == '\0')
		cr_skip_test("there is no PostgreSQL in /usr/lib/postgresql");
	for (unsigned i = 0; i < 2; i++) {
		make(i ? ANN : ROOT, "postgres",
		     "env RUN=psql -Atc 'select 6*7'; psql -h 127.0.0.1 -Atc 'select 1'; psql -h "
		     "::1 "
		     "-Atc 'select 2'; psql -h /tmp -Atc 'create table t (n int); insert into t "
		     "select generate_series(1,1000); select sum(n) from t'");
		out = output_of_it();
		cr_expect_str_eq(out, "42\n1\n2\nCREATE TABLE\nINSERT 0 1000\n500500\n", "%s", out);
	}
	/* what it takes compat for: the control */
	make(ANN, "postgres", "seccomp essential");
	put_all("a/ctl", "start\n");
	cr_expect_eq(session_exit("a"), 1);
	out = get("a/output", NULL);
	cr_expect(has(out, "shmget"), "%s", out);
}

static const char *browser(void)
{
	return access("/usr/bin/chromium-headless-shell", X_OK) == 0 ? "chromium-headless-shell"
	       : access("/usr/bin/chromium", X_OK) == 0              ? "chromium --headless=new"
								     : NULL;
}

static const char page[] = "<html><body><script>document.title = 'six times seven is ' + 6 * "
			   "7</script></body></html>\n";

/* By its port, as drivers do: a server of the session's own, a browser, and a client of each. */
static const char by_port[] =
	"python3 -m http.server 8000 >/dev/null 2>&1 &\n"
	"$B --no-sandbox --remote-debugging-port=9222 http://localhost:8000/p.html >/dev/null 2>&1 "
	"&\n"
	"until curl -s http://127.0.0.1:9222/json/list | grep -q 'is 42'; do sleep 0.1; done\n"
	"echo seen\n";

/* By two pipes, which need no port. */
static const char by_pipe[] =
	"const p = require('child_process').spawn('sh', ['-c',\n"
	"  'exec $B --no-sandbox --remote-debugging-pipe'],\n"
	"  { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });\n"
	"let said = '';\n"
	"p.stdio[4].on('data', (d) => {\n"
	"  said += d;\n"
	"  if (!said.includes('\\0')) return;\n"
	"  console.log(/HeadlessChrome|Chrome/.test(said));\n"
	"  p.kill();\n"
	"  process.exit();\n"
	"});\n"
	"p.stdio[3].write(JSON.stringify({ id: 1, method: 'Browser.getVersion' }) + '\\0');\n";

Test(profiles, browser)
{
	static const struct {
		const char *command, *expected;
	} ways[] = {
		{ "timeout 60 $B --no-sandbox --dump-dom file:///workspace/p.html 2>/dev/null | "
		  "grep -o 'is 42'",
		  "is 42\n" },
		{ "timeout 60 sh by-port.sh", "seen\n" },
		{ "timeout 60 node by-pipe.js", "true\n" },
	};
	const char *program = browser();

	if (!program)
		cr_skip_test("there is no chromium-headless-shell or chromium");
	for (unsigned i = 0; i < 3; i++) {
		char *out;

		if (i == 2 && access("/usr/bin/node", X_OK) != 0)
			continue;
		make(i % 2 ? ROOT : ANN, "browser",
		     text("env B=%s\ncommand %s", program, ways[i].command));
		put_in("a", "p.html", page);
		put_in("a", "by-port.sh", by_port);
		put_in("a", "by-pipe.js", by_pipe);
		out = output_of_it();
		cr_expect(has(out, ways[i].expected), "%s: %s", ways[i].command, out);
	}
}

/* A server that most programs know, at once by its defaults. */
Test(profiles, redis_by_default)
{
	char *out;

	if (access("/usr/bin/redis-server", X_OK) != 0)
		cr_skip_test("there is no redis-server");
	make(ANN, "shell",
	     "command redis-server --save '' --dir /tmp --port 6379 >/tmp/log & "
	     "until redis-cli ping >/dev/null 2>&1; do sleep 0.1; done; redis-cli set a 42; "
	     "redis-cli -h ::1 get a; redis-cli -h localhost incr a; redis-cli shutdown nosave");
	out = output_of_it();
	cr_expect_str_eq(out, "OK\n42\n43\n", "%s", out);
}

/* Nothing waits for a person. */
Test(profiles, agent)
{
	char *out;

	if (!outside_landlock(true))
		cr_skip_test("network tcp is refused here");
	make(ANN, "agent",
	     text("%scommand git init -q r && cd r && git config user.email a@b && git config "
		  "user.name a && seq 500 > f && git add f && git commit -qm one && seq 600 > f && "
		  "git log && git diff | tail -n 1 && git commit -qa; git status --short",
		  outside_landlock(true)));
	out = output_of_it();
	cr_expect(has(out, "\n    one\n") && has(out, "\n+600\n") && has(out, "\n M f\n"), "%s",
		  out);
}
