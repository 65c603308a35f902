/* SPDX-License-Identifier: MIT */
/*
 * The server of contrib/e2b on a real mount, by E2B's own SDK, which is unchanged: what it does is
 * in contrib/e2b/test. The SDK's quick start is typed as its README has it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

static void e2b_start(void)
{
	fixture.seconds = 290;
	fixture_start();
}

static void e2b_stop(void)
{
	cr_expect_str_eq(session_names(), "");
	fixture_stop();
}

TestSuite(e2b, .init = e2b_start, .fini = e2b_stop, .timeout = 300);

static const char *place(void)
{
	const char *source = getenv("SOURCE");

	cr_assert(source != NULL, "SOURCE: run by meson test");
	return text("%s/contrib/e2b", source);
}

/* As its README says how: contrib/test does it. */
static void need_built(void)
{
	if (access(text("%s/dist/main.js", place()), R_OK) < 0 ||
	    access(text("%s/node_modules", place()), R_OK) < 0 ||
	    run_shell("sh", "command -v node").status)
		cr_skip_test("contrib/e2b is not built: npm ci && npm run build");
	if (run_shell("sh", "node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'")
		    .status)
		cr_skip_test("the SDK of E2B needs Node 20");
}

/* All cases of a file, each of which tells that it is done and has left nothing. */
static void succeeds(const char *file)
{
	struct run done;

	need_built();
	done = run_for(
		250, (const char *const[]){ "node", text("%s/test/run.mjs", place()), file, NULL });
	cr_assert_eq(done.status, 0, "status %d\n%s%s", done.status, done.out, done.err);
	cr_assert_str_eq(done.out, sh(text("sed -n 's/^export const \\([a-z_0-9]*\\) =.*/\\1: "
					   "done/p' %s/test/%s.mjs | LC_ALL=C sort",
					   place(), file)));
	cr_assert(has(done.out, "done"), "%s has no case", file);
}

Test(e2b, quick_start)
{
	succeeds("quickstart");
}

Test(e2b, sandboxes)
{
	succeeds("sandboxes");
}

Test(e2b, commands)
{
	succeeds("commands");
}

Test(e2b, files)
{
	succeeds("files");
}

Test(e2b, terminals)
{
	succeeds("pty");
}

Test(e2b, code)
{
	succeeds("code");
}

/* One of them is a client of contrib/mcp. */
Test(e2b, agents)
{
	if (access(text("%s/../mcp/dist/main.js", place()), R_OK) < 0)
		cr_skip_test("contrib/mcp is not built: npm ci && npm run build");
	succeeds("agents");
}

Test(e2b, parsers)
{
	succeeds("parsers");
}
