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
TestSuite(everyday_host, .init = outside_start, .fini = outside_stop, .timeout = 120);

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

/* The host's name */

static const char look_up[] = "command getent hosts mimobox localhost; hostname -f; "
			      "cat /etc/hostname; cat /etc/hosts\n";

static char *hosts_of(uid_t user, const char *config)
{
	int status;
	char *out = session_run_as(user, "a", text("%s%s", config, look_up), &status);

	session_remove("a");
	return out;
}

Test(everyday_host, the_own_name_resolves)
{
	const uid_t users[] = { ROOT, ANN };

	sh("printf '127.0.0.1 localhost\\n10.9.8.7 db.secret.example' >/etc/hosts");
	for (unsigned i = 0; i < 2; i++) {
		char *out = hosts_of(users[i], "");

		cr_expect(has(out, "127.0.0.1       mimobox\n"), "%s", out);
		cr_expect(has(out, "\nmimobox\nmimobox\n"), "%s", out);
		cr_expect(!has(out, "secret"), "%s", out);
	}
	if (!outside_landlock(false))
		return;
	/* The names of a network that can be reached are there. */
	for (unsigned i = 0; i < 2; i++) {
		char *out = hosts_of(users[i], text("%snetwork host\n", outside_landlock(false)));

		cr_expect(has(out, "127.0.0.1       mimobox\n"), "%s", out);
		cr_expect(has(out, "10.9.8.7 db.secret.example\n127.0.0.1\tmimobox\n"), "%s", out);
	}
}

/* What the owner may not read, and what is too large for the root, is as it is on the host. */
Test(everyday_host, other_files_of_hosts)
{
	const char *network = outside_landlock(false);
	char *out;

	if (!network)
		cr_skip_test("the host's network is refused here");
	network = text("%snetwork host\n", network);
	sh("echo '10.9.8.7 db.secret.example' >/etc/hosts; chmod 600 /etc/hosts");
	out = hosts_of(ANN, network);
	cr_expect(has(out, "Permission denied") && !has(out, "secret"), "%s", out);
	sh("for i in $(seq 999); do echo 10.9.8.7 db$i.example; done >/etc/hosts; "
	   "chmod 644 /etc/hosts");
	out = hosts_of(ANN, network);
	cr_expect(has(out, "db999.example") && !has(out, "mimobox\n127"), "%s", out);
	sh("rm /etc/hosts");
	out = hosts_of(ANN, network);
	cr_expect(has(out, "/etc/hosts: No such file"), "%s", out);
	sh("mkfifo /etc/hosts"); /* nobody writes to it */
	out = hosts_of(ANN, text("%stimeout 5s\ncommand echo started\n#", network));
	cr_expect(has(out, "started"), "%s", out);
}

Test(everyday_host, own_files_can_be_replaced)
{
	static const char *const names[] = { "hosts", "hostname", "passwd", "group" };

	outside_file(outside("f"), "given\n", ANN, 0644);
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int status;
		char *out = session_run_as(ANN, "a",
					   text("ro %s:/etc/%s\ncommand cat /etc/%s\n",
						outside("f"), names[i], names[i]),
					   &status);

		cr_expect_str_eq(out, "given\n", "%s: %s", names[i], out);
		session_remove("a");
	}
}
