/* SPDX-License-Identifier: MIT */
/* A kernel that lacks what newer ones have: played by a library that refuses it (fault.c). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"
#include "sweep.h"

enum { REPLACE_SECONDS = 40 };

static struct fault_plan *plan;

static void start(void)
{
	fixture_prepare();
	plan = sweep_plan(0);
	plan->older = true;
	setenv("FAULT_PLAN", text("%s/plan-0", fixture.dir), 1);
	setenv("ASAN_OPTIONS",
	       text("%s:verify_asan_link_order=0:detect_leaks=0", getenv("ASAN_OPTIONS")), 1);
	setenv("LD_PRELOAD", getenv("FAULT"), 1);
	fixture_daemon(NULL);
	unsetenv("LD_PRELOAD");
}

TestSuite(kernel, .init = start, .fini = fixture_stop, .timeout = 200);

/* The keeper knows the caller without SO_PEERPIDFD, which came with Linux 6.5. */
Test(kernel, the_program_is_replaced)
{
	struct run done;

	session_start("a", "command read x; exit 4\n");
	done = run_for(REPLACE_SECONDS,
		       (const char *const[]){ "unshare", "--pid", "--fork", mimoboxfs(),
					      "--replace", fixture.mount, NULL });
	cr_expect_eq(done.status, 1, "from another namespace: status %d", done.status);
	cr_expect(has(done.err, "is not to be spoken to from here"), "%s", done.err);
	cr_assert_eq(plan->hits, 1, "it was not asked for");
	done = run_for(REPLACE_SECONDS,
		       (const char *const[]){ mimoboxfs(), "--replace", fixture.mount, NULL });
	cr_assert_eq(done.status, 0, "status %d: %s%s", done.status, done.out, done.err);
	cr_assert_eq(plan->hits, 2, "it was not asked for");
	put_all("a/input", "\n");
	cr_expect_eq(session_exit("a"), 4);
	cr_expect_eq(rmdir(at("a")), 0);
}
