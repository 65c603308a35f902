/* SPDX-License-Identifier: MIT */
/* Somebody's first commands, those of the README, on a clean Debian: stranger.sh. */
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

static void run_stranger(const char *suite)
{
	char *group = text("mimobox-stranger-%d", getpid());
	char *root = text("%s/root", fixture.dir);
	struct run done;

	cr_assert(getenv("SOURCE") != NULL, "SOURCE: run by meson test");
	setenv("GROUP", group, 1);
	sh(text("mkdir %s", root));
	done = run_for(RUN_SECONDS,
		       (const char *const[]){ "unshare", "--mount", "--pid", "--fork",
					      "--kill-child", "--mount-proc", "sh",
					      text("%s/tests/stranger.sh", getenv("SOURCE")), suite,
					      root, NULL });
	sh(text("find /sys/fs/cgroup -depth -type d -path '*/%s*' -exec rmdir {} ';'", group));
	sh(text("rmdir %s", root));
	if (done.status == 77)
		cr_skip_test("%s", done.err);
	cr_assert_eq(done.status, 0, "status %d\n%s\n%s", done.status, done.out, done.err);
	fputs(done.out, stderr);
}

Test(stranger, on_debian_12)
{
	run_stranger("bookworm");
}
