/* SPDX-License-Identifier: MIT */
/*
 * The package in a machine of its own that has systemd as its first process and cgroup v2 alone, as
 * people have it: contrib/vm/smoke.sh, one line a check. And what takes a kernel with quotas. By
 * user-mode Linux, the quickest to boot.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fixture.h"

/* Once in a while it downloads a root file system, and builds the package in it. */
enum { TEST_SECONDS = 1440, SMOKE_SECONDS = 1400 };

static void prepare(void)
{
	fixture.seconds = TEST_SECONDS;
	fixture_prepare();
}

TestSuite(vm, .init = prepare, .fini = fixture_stop, .timeout = TEST_SECONDS);

Test(vm, the_package_in_user_mode_linux)
{
	struct run done;

	cr_assert(getenv("SOURCE") != NULL, "SOURCE: run by meson test");
	done = run_for(SMOKE_SECONDS,
		       (const char *const[]){ "unshare", "--mount", "--pid", "--fork",
					      "--kill-child", "--mount-proc",
					      text("%s/contrib/vm/smoke", getenv("SOURCE")), "uml",
					      NULL });
	if (done.status == 77)
		cr_skip_test("%s", done.err);
	cr_assert_eq(done.status, 0, "status %d\n%s\n%s", done.status, done.out, done.err);
	cr_assert(has(done.out, "ok purge_leaves_nothing"), "%s", done.out);
	fputs(done.out, stderr);
}

Test(vm, a_bound_on_disk)
{
	struct run done;
	const char *source = getenv("SOURCE");

	cr_assert(source != NULL, "SOURCE: run by meson test");
	if (strcmp(getenv("SANITIZE"), "none") != 0)
		cr_skip_test(
			"a sanitizer's shadow has no room there: it runs in the release build");
	sh(text("mkdir $M/../share && cp %s/tests/disk.sh $M/../share", source));
	done = run_for(SMOKE_SECONDS,
		       (const char *const[]){ text("%s/contrib/vm/boot", source), "uml-bare",
					      text("%s/share", fixture.dir), "sh", "disk.sh",
					      mimoboxfs(), getenv("CLIENT"), NULL });
	if (done.status == 77)
		cr_skip_test("%s", done.err);
	cr_assert_eq(done.status, 0, "status %d\n%s\n%s", done.status, done.out, done.err);
	cr_assert(has(done.out, "ok alice has no more in an overlay"), "%s", done.out);
	fputs(done.out, stderr);
}
