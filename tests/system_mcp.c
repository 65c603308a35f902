/* SPDX-License-Identifier: MIT */
/*
 * The MCP server of contrib/mcp on a real mount, as agents use it. What they do is in
 * contrib/mcp/test, by the SDK's own client.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

static void mcp_stop(void)
{
	cr_expect(await(none_with, text("%s/mcp-", fixture.mount), 10000));
	cr_expect_str_eq(session_names(), "");
	fixture_stop();
}

TestSuite(mcp, .init = fixture_start, .fini = mcp_stop, .timeout = 120);

static const char *server(void)
{
	const char *source = getenv("SOURCE");

	cr_assert(source != NULL, "SOURCE: run by meson test");
	return text("%s/contrib/mcp", source);
}

/* As its README section says how: contrib/test does it. */
static void need_built(void)
{
	if (access(text("%s/dist/main.js", server()), R_OK) < 0 ||
	    access(text("%s/node_modules", server()), R_OK) < 0 ||
	    run_shell("sh", "command -v node").status)
		cr_skip_test("contrib/mcp is not built: npm ci && npm run build");
}

/* All cases of a file, each of which tells that it is done and has left nothing. */
static void succeeds(const char *file)
{
	struct run done;

	need_built();
	done = run_for(110, (const char *const[]){ "node", text("%s/test/run.mjs", server()), file,
						   NULL });
	cr_assert_eq(done.status, 0, "status %d\n%s%s", done.status, done.out, done.err);
	cr_assert_str_eq(done.out, sh(text("sed -n 's/^export const \\([a-z_0-9]*\\) =.*/\\1: "
					   "done/p' %s/test/%s.mjs | LC_ALL=C sort",
					   server(), file)));
	cr_assert(has(done.out, "done"), "%s has no case", file);
}

Test(mcp, whole_tasks)
{
	succeeds("task");
}

Test(mcp, output)
{
	succeeds("output");
}

Test(mcp, waits)
{
	succeeds("waits");
}

Test(mcp, ends)
{
	succeeds("ends");
}

Test(mcp, files_of_the_workspace)
{
	succeeds("workspace");
}

Test(mcp, policy)
{
	succeeds("policy");
}

Test(mcp, errors)
{
	succeeds("errors");
}

Test(mcp, labels)
{
	succeeds("labels");
}

Test(mcp, resources)
{
	succeeds("resources");
}
