/* SPDX-License-Identifier: MIT */
/* contrib/example.c: sessions from C, without a mount. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fixture.h"

TestSuite(example, .init = fixture_prepare, .fini = fixture_stop, .timeout = 60);

static struct run example(const char *command)
{
	const char *path = getenv("EXAMPLE");

	cr_assert(path != NULL, "EXAMPLE: the program's path: run by meson test");
	return run((const char *const[]){ path, command, NULL });
}

Test(example, runs_a_command)
{
	static const struct {
		const char *command, *output;
		int status;
	} examples[] = {
		{ "echo hello; exit 3", "hello\r\n", 3 },
		{ "exit 0", "", 0 },
		{ "printf unended; kill -TERM $$", "unended", 128 + 15 },
		{ "stty raw -opost; head -c 300000 /dev/zero | tr '\\0' x", NULL, 0 },
	};

	for (unsigned i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		struct run done = example(examples[i].command);

		cr_expect_eq(done.status, examples[i].status, "%s: %d %s", examples[i].command,
			     done.status, done.err);
		cr_expect_eq(done.err_size, 0, "%s", done.err);
		if (examples[i].output)
			cr_expect_str_eq(done.out, examples[i].output, "%s", done.out);
		else
			cr_expect_eq(done.out_size, 300000, "%zu", done.out_size);
	}
	fixture_nothing_left(0);
}

Test(example, complains)
{
	struct run done = run((const char *const[]){ getenv("EXAMPLE"), NULL });

	cr_assert_eq(done.status, 2);
	done = example("");
	cr_assert_eq(done.status, 1);
	cr_assert(has(done.err, "command"), "%s", done.err);
}
