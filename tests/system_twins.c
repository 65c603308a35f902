/* SPDX-License-Identifier: MIT */
/*
 * Two daemons that cannot see each other: each is process 1 of a PID namespace of its own, as in
 * containers. They share the machine's cgroups, one spool and one directory of workspaces.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "process.h"

static void start(void)
{
	fixture_private_mounts();
	fixture_prepare();
}

TestSuite(twins, .init = start, .fini = fixture_stop, .timeout = 100);

struct twin {
	pid_t runner, daemon; /* unshare(1), and its child */
};

/* In the daemon's mount namespace, where its mount is. */
static struct run try(const struct twin *twin, const char *script)
{
	return run((const char *const[]){ "nsenter", "--target", text("%d", twin->daemon),
					  "--mount", "sh", "-ec", text("cd $M; %s", script),
					  NULL });
}

static char *have(const struct twin *twin, const char *script)
{
	struct run done = try(twin, script);

	cr_assert_eq(done.status, 0, "%s: %d: %s%s", script, done.status, done.out, done.err);
	return done.out;
}

static bool serves(const void *data)
{
	struct twin *twin = (struct twin *)data;

	twin->daemon = fixture_child(twin->runner, "mimoboxfs");
	return twin->daemon && try(twin, "test -e stats").status == 0;
}

/* Of the daemons of this test. */
static unsigned groups(void)
{
	return (unsigned)atoi(sh("find /sys/fs/cgroup -type d -path '*/mimobox-1' -o -type d "
				 "-path '*/mimobox-1.[0-9]*' -prune | wc -l"));
}

static struct twin begin(const char *pool)
{
	struct twin twin = { 0 };

	twin.runner = spawn((const char *const[]){ "unshare", "--pid", "--fork", "--kill-child",
						   "--mount-proc", mimoboxfs(), "-f", "--pool",
						   pool, "--spool", fixture.spool, "--workspaces",
						   fixture.workspaces, fixture.mount, NULL });
	cr_assert(await(serves, &twin, 10000), "it does not serve");
	return twin;
}

static void end(struct twin *twin)
{
	int status = -1;

	cr_assert_eq(kill(twin->daemon, SIGTERM), 0);
	cr_assert(ended(twin->runner, 20000, &status));
	cr_expect_eq(status, 0, "status %d", status);
}

static void waits_for_a_line(const struct twin *twin)
{
	have(twin, "mkdir a; echo 'command read x; exit 4' > a/config; echo start > a/ctl; "
		   "test \"$(sed -n 's/^state //p' a/status)\" = running");
}

static void gets_its_line(const struct twin *twin)
{
	cr_expect_str_eq(have(twin, "echo > a/input; cat a/exit; rmdir a"), "4\n");
}

/* With its limits, in a group of its own, and with a workspace. */
static void works(const struct twin *twin)
{
	cr_expect_str_eq(have(twin, "mkdir b; printf 'command echo 6 > /workspace/f; exit 6\\n"
				    "memory 32M\\nprocesses 16\\n' > b/config; echo start > b/ctl; "
				    "cat b/exit b/workspace/f; rmdir b"),
			 "6\n6\n");
}

static bool goes_on(const void *data)
{
	return try(data, "grep -q '^state running' a/status").status == 0;
}

static void one_ends(bool first_ends)
{
	unsigned before = groups();
	struct twin first = begin("0");
	unsigned of_one = groups() - before;
	struct twin second = begin("0");
	struct twin *ends = first_ends ? &first : &second, *stays = first_ends ? &second : &first;

	cr_expect_eq(groups() - before, 2 * of_one, "%u of one, %u of two", of_one,
		     groups() - before);
	waits_for_a_line(&first);
	waits_for_a_line(&second);
	cr_assert_eq(kill(fixture_child(ends->daemon, "mimoboxfs"), SIGKILL), 0);
	cr_assert(await(goes_on, ends, 5000));
	gets_its_line(&first);
	gets_its_line(&second);
	end(ends);
	cr_expect_eq(groups() - before, of_one);
	works(stays);
	waits_for_a_line(stays);
	gets_its_line(stays);
	end(stays);
	cr_expect_eq(groups(), before);
}

Test(twins, the_first_ends_and_the_second_goes_on)
{
	one_ends(true);
}

Test(twins, the_second_ends_and_the_first_goes_on)
{
	one_ends(false);
}

/* What is built ahead is named by the daemon's PID, too: one sweeps away none that another uses. */
Test(twins, one_ends_beside_sandboxes_built_ahead)
{
	struct twin first = begin("2"), second = begin("2");

	waits_for_a_line(&first);
	waits_for_a_line(&second);
	works(&second);
	end(&first);
	gets_its_line(&second);
	works(&second);
	have(&second,
	     "for i in 1 2 3 4 5; do mkdir s$i; echo 'echo 7 > /workspace/f; exit 7' > "
	     "s$i/input; test \"$(cat s$i/exit s$i/workspace/f)\" = \"$(printf '7\\n7')\"; "
	     "rmdir s$i; done");
	end(&second);
}
