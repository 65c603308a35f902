/* SPDX-License-Identifier: MIT */
/*
 * `disk` where it cannot be enforced: the start is refused, and says so. What it bounds where it
 * can is in disk.sh, for this machine's kernel may have no quotas.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

/* tmpfs has no projects, on any kernel. */
static void start_without_projects(void)
{
	outside_prepare();
	outside_directory(fixture.workspaces, ROOT, 0711);
	cr_assert_eq(mount("tmpfs", fixture.workspaces, "tmpfs", 0, "mode=711"), 0);
	fixture_daemon(NULL);
}

TestSuite(disk, .init = start_without_projects, .fini = outside_stop, .timeout = 90);

static const uid_t users[] = { ROOT, ANN };

Test(disk, is_refused_without_quotas)
{
	for (unsigned i = 0; i < 2; i++) {
		int status;
		char *output;

		start_refused(users[i], "a", "disk 1M\ncommand true\n", EOPNOTSUPP,
			      "project quotas");
		session_remove("a");
		/* the control */
		output =
			session_run_as(users[i], "a", "disk none\ncommand echo started\n", &status);
		cr_expect_str_eq(output, "started\n");
		session_remove("a");
	}
}

/* Its limits are the other's. */
Test(disk, is_anothers_in_its_sandbox)
{
	int status;
	char *output;

	session_start_as(ANN, "a", "command read line\n");
	output = session_run_as(ANN, "b", "in a\ndisk 1M\ncommand echo started\n", &status);
	cr_expect_str_eq(output, "started\n");
	cr_expect_null(strstr(get("b/status", NULL), "\ndisk "));
}
