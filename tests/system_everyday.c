/* SPDX-License-Identifier: MIT */
/* What ordinary programs and their users find in a session, and at its files, without asking. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(everyday, .init = fixture_start, .fini = fixture_stop, .timeout = 120);

/* The locale */

static const char *client_says(const char *variables, const char *command)
{
	setenv("C", getenv("CLIENT"), 1);
	setenv("MIMOBOX", fixture.mount, 1);
	return sh(text("env -u LANG -u LC_ALL -u LC_CTYPE -u LOCPATH %s $C run -- %s", variables,
		       command));
}

Test(everyday, text_is_utf8_by_default)
{
	int status;
	char *out = session_run("a",
				"command cd /workspace; touch 'caf\xc3\xa9'; locale charmap; ls; "
				"find . -name 'caf?' | wc -l\n",
				&status);

	cr_expect_str_eq(out, "UTF-8\ncaf\xc3\xa9\n1\n", "%s", out);
	/* the control */
	out = session_run("b", "env LANG=C\ncommand locale charmap\n", &status);
	cr_expect_str_eq(out, "ANSI_X3.4-1968\n", "%s", out);
}

Test(everyday, run_hands_on_a_locale_that_is_there)
{
	const char *show = "sh -c 'echo $LANG,$LC_ALL,$LC_TIME,$LC_OTHER'";

	cr_expect_str_eq(client_says("", show), "C.UTF-8,,,\n");
	cr_expect_str_eq(client_says("LANG=C LC_TIME=POSIX LC_OTHER=C", show), "C,,POSIX,\n");
	cr_expect_str_eq(client_says("LC_ALL=C.UTF-8", show), "C.UTF-8,C.UTF-8,,\n");
	/* one that no system has */
	cr_expect_str_eq(client_says("LANG=C LC_TIME=xx_XX", show), "C.UTF-8,,,\n");
	cr_expect_str_eq(client_says("LANG=C LOCPATH=/nowhere", show), "C.UTF-8,,,\n");
	/* an option is later */
	cr_expect_str_eq(client_says("LANG=C", "true; env LANG=C $C run --env LANG=POSIX -- "
					       "sh -c 'echo $LANG'"),
			 "POSIX\n");
}
