/* SPDX-License-Identifier: MIT */
/*
 * The README's first commands on clean Debians, as root and as a user: stranger.sh; and a build for
 * another architecture: arm64.sh.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

enum { TEST_SECONDS = 840, RUN_SECONDS = 800 }; /* once in a while it downloads everything */

static void prepare(void)
{
	fixture.seconds = TEST_SECONDS;
	fixture_prepare();
}

TestSuite(stranger, .init = prepare, .fini = fixture_stop, .timeout = TEST_SECONDS);

/* A script of tests/, in namespaces of its own and with an empty directory. */
static void run_script(const char *script, const char *before, const char *after)
{
	char *group = text("mimobox-stranger-%d", getpid());
	char *root = text("%s/root", fixture.dir);
	struct run done;

	cr_assert(getenv("SOURCE") != NULL, "SOURCE: run by meson test");
	setenv("GROUP", group, 1);
	sh(text("mkdir %s", root));
	done = run_for(RUN_SECONDS,
		       (const char *const[]){ "unshare", "--mount", "--pid", "--fork",
					      "--kill-child", "--mount-proc", "sh", "-c",
					      text("exec sh \"$SOURCE\"/tests/%s %s %s %s", script,
						   before, root, after),
					      NULL });
	groups_remove(group);
	sh(text("rmdir %s", root));
	if (done.status == 77)
		cr_skip_test("%s", done.err);
	cr_assert_eq(done.status, 0, "status %d\n%s\n%s", done.status, done.out, done.err);
	fputs(done.out, stderr);
}

Test(stranger, on_debian_12)
{
	run_script("stranger.sh", "bookworm", "run user package apparmor purge packages");
}

Test(stranger, on_debian_13)
{
	run_script("stranger.sh", "trixie", "run user package apparmor purge packages");
}

/* What is linked is not run: that takes such a machine. */
Test(stranger, builds_for_arm64)
{
	run_script("arm64.sh", "", "");
}
