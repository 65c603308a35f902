/* SPDX-License-Identifier: MIT */
/* Hosts by name, by a daemon of an ordinary user's, and under a ceiling. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "names_case.h"
#include "outside.h"

static bool has_network(const void *part)
{
	return has(get("a/network", NULL), part);
}

/* By a daemon of an ordinary user's, whose relay is that user, too. */
static void own_start(void)
{
	names_prepare();
	cr_assert(chown(fixture.dir, ANN, ANN) == 0 && chown(fixture.mount, ANN, ANN) == 0);
	sh(text("cd %s; mkdir dev; mount -t tmpfs -o mode=755 none dev; mknod dev/fuse c 10 229;"
		"chmod 666 dev/fuse; mount --bind dev/fuse /dev/fuse; cp %s mimoboxfs;"
		"chmod 755 mimoboxfs",
		fixture.dir, mimoboxfs()));
	struct run done =
		run_as(ANN, text("%s/mimoboxfs --spool %s --workspaces %s %s", fixture.dir,
				 fixture.spool, fixture.workspaces, fixture.mount));
	cr_assert_eq(done.status, 0, "%s", done.err);
	fixture_adopt();
}

TestSuite(names_own, .init = own_start, .fini = names_stop, .timeout = 120);

Test(names_own, by_a_user)
{
	struct run done = run_as(
		ANN, text("exec %s run --mount $M --ro %s:/srv/world --network names "
			  "--allow good.test:7,80 --allow 93.184.0.10:80 --publish 8080 -- "
			  "/usr/bin/python3 /srv/world/probe.py http,good.test echo,good.test "
			  "http,evil.test http,93.184.0.10 http,93.184.0.20",
			  getenv("CLIENT"), names_world()));
	cr_expect_eq(done.status, 0, "%s", done.err);
	cr_expect_str_eq(done.out, "http,good.test: hello at good.test\necho,good.test: same\n"
				   "http,evil.test: no name\n"
				   "http,93.184.0.10: hello at 93.184.0.10\n"
				   "http,93.184.0.20: ENETUNREACH\n");
	done = run_as(ANN,
		      "cd $M; mkdir a; printf 'network none\\npublish 8080\\nterminal no\\n"
		      "command python3 -m http.server 8080 2>&1\\n' > a/config; echo start > a/ctl;"
		      "until out=$(curl -sf --unix-socket a/ports/8080 http://x/); do sleep 0.1; "
		      "done; echo \"$out\" | head -1; rmdir a");
	cr_expect_str_eq(done.out, "<!DOCTYPE HTML>\n", "%s%s", done.out, done.err);
	pid_t pid = fixture_child(fixture.daemon, "mimobox-relay");
	cr_assert(pid > 0);
	char *status = outside_read(text("/proc/%d/status", (int)pid));
	cr_expect(has(status, text("\nUid:\t%d\t%d\t%d\t%d\n", ANN, ANN, ANN, ANN)), "%s", status);
	cr_expect(has(status, "\nNoNewPrivs:\t1\nSeccomp:\t2\n"), "%s", status);
}

/* Of a ceiling, which no session's lines go beyond, however many they are. */
static void bound_start(void)
{
	names_prepare();
	outside_file(outside("ceiling"), "network names\nallow *.test\ndeny evil.test\n", ROOT,
		     0644);
	fixture_daemon((const char *const[]){ "--ceiling", outside("ceiling"), NULL });
}

TestSuite(names_bound, .init = bound_start, .fini = names_stop, .timeout = 120);

Test(names_bound, by_a_ceiling)
{
	struct stream output;
	char *many = text("%s", "allow *.test\n");
	for (int i = 1; i < 256; i++)
		many = text("%sallow h%d.test\n", many, i);
	act_as(ANN);
	session_make("b");
	put_refused("b/config", "allow good.org\n", EPERM);
	put_refused("b/config", "network host\n", EPERM);
	session_remove("b");
	session_start("a",
		      names_config(many, "http,good.test http,evil.test wait_for,/workspace/go "
					 "http,good.test"));
	stream_open(&output, "a/output");
	stream_until(&output, "http,good.test: hello at good.test\nhttp,evil.test: no name\n");
	put_refused("a/network", "allow good.org\n", E2BIG);
	put_all("a/network", "deny *.test\nallow good.test\n");
	put_refused("a/network", "allow good.org\n", EPERM);
	put_refused("a/network", "allow *\n", EPERM);
	sh("echo > $M/a/workspace/go");
	stream_until(&output, "http,good.test: no name\n");
	cr_expect(has_network("# the ceiling: deny evil.test\n"), "%s", get("a/network", NULL));
	stream_close(&output);
	session_exit("a");
	act_as(ROOT);
	session_remove("a");
}
