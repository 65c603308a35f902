/* SPDX-License-Identifier: MIT */
/*
 * contrib/model and contrib/soak, for a moment: the same operations each time, and others, whose
 * seed is printed. That it can fail is seen with a daemon that is other than its documents.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"
#include "process.h"

static void model_prepare(void)
{
	fixture_prepare();
	cr_assert(getenv("SOURCE") != NULL, "run by meson test");
}

static struct run model(const char *const arguments[])
{
	const char *argv[24] = { "sh", text("%s/contrib/model", getenv("SOURCE")) };
	unsigned count = 2;

	while (*arguments)
		argv[count++] = *arguments++;
	argv[count++] = "--keep";
	argv[count++] = text("%s/operations", fixture.dir);
	return run_for(120, argv);
}

static void holds(const char *seed, const char *steps, const char *pool)
{
	struct run done =
		model((const char *const[]){ "--seed", seed, "--steps", steps, "--jobs", "2",
					     "--pool", pool, "--shrink", "20", NULL });

	fprintf(stderr, "%s", done.out);
	cr_assert_eq(done.status, 0, "%s%s", done.out, done.err);
	cr_assert(has(done.out, "no mismatch"));
}

TestSuite(model, .init = model_prepare, .fini = fixture_stop, .timeout = 150);

Test(model, the_same_operations_each_time)
{
	holds("1", "3000", "2");
}

Test(model, others_each_time)
{
	holds("", "2000", "0");
}

/* A daemon whose defaults are not those of the manual: found, shortened, and found again. */
Test(model, what_is_wrong_is_shortened)
{
	char *daemon = text("%s/daemon", fixture.dir), *kept = text("%s/operations", fixture.dir);

	sh(text("echo 'open-files 1000' > %s/defaults; chmod 644 %s/defaults\n"
		"printf '#!/bin/sh\\nexec %s --defaults %s/defaults \"$@\"\\n' > %s; chmod 755 %s",
		fixture.dir, fixture.dir, mimoboxfs(), fixture.dir, daemon, daemon));
	setenv("MIMOBOXFS", daemon, 1);
	struct run done = model(
		(const char *const[]){ "--seed", "2", "--steps", "1000", "--jobs", "1", NULL });

	cr_assert_eq(done.status, 1, "%s%s", done.out, done.err);
	cr_assert(has(done.out, "open-files is 1000, not 1024"), "%s", done.out);
	cr_assert_leq(strtoul(sh(text("grep -c '^\\[' %s", kept)), NULL, 10), 2, "%s", done.out);
	done = model((const char *const[]){ "--replay", kept, NULL });
	cr_assert_eq(done.status, 1, "%s%s", done.out, done.err);
	cr_assert(has(done.out, "open-files is 1000, not 1024"), "%s", done.out);
}

/* contrib/soak, for some seconds: nothing is wrong, nothing more is held than before. */
Test(model, a_short_soak)
{
	struct run done =
		run_for(140, (const char *const[]){ "sh", text("%s/contrib/soak", getenv("SOURCE")),
						    "--minutes", "0.1", "--warm", "2", "--every",
						    "2", "--rate", "4", "--pool", "2",
						    text("%s/soak", fixture.dir), NULL });

	fprintf(stderr, "%s", done.out);
	cr_assert_eq(done.status, 0, "%s%s", done.out, done.err);
	cr_assert(has(done.out, " 0 wrong") && has(done.out, "all is well"), "%s", done.out);
	sh(text("python3 -c 'import xml.etree.ElementTree as t, sys; t.parse(sys.argv[1])' "
		"%s/soak/soak.svg",
		fixture.dir));
	cr_assert(has(sh(text("head -n 1 %s/soak/soak.csv", fixture.dir)), "rss_kib,"));
}
