/* SPDX-License-Identifier: MIT */
#include "web_case.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "fixture.h"
#include "process.h"

enum { CASE_SECONDS = 50 };

void web_case_start(void)
{
	const char *web = text("%s/contrib/web", getenv("SOURCE"));

	if (access(text("%s/node_modules", web), F_OK) ||
	    run_shell("sh", "command -v node && command -v chromium-headless-shell").status)
		cr_skip_test("no node, no chromium-headless-shell, or no `npm ci` in contrib/web");
	fixture_start();
	setenv("WEB", web, 1);
	setenv("D", fixture.dir, 1);
	setenv("HOME", fixture.dir, 1);
	setenv("DAEMON", text("%d", fixture.daemon), 1);
}

void web_case_passes(const char *name)
{
	const char *script = text("%s/tests/web/run.mjs", getenv("SOURCE"));
	struct run done =
		run_for(CASE_SECONDS, (const char *const[]){ "node", script, name, NULL });

	cr_assert_eq(done.status, 0, "%s: %d\n%s%s", name, done.status, done.out, done.err);
}
