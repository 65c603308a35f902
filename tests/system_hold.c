/* SPDX-License-Identifier: MIT */
/*
 * A session whose program holds the kernel's locks of its terminal or its pipes: that session alone
 * waits for it. A server that takes such a lock itself answers nobody, and not even SIGKILL ends
 * it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

TestSuite(hold, .init = fixture_start, .fini = fixture_stop, .timeout = 120);

static pid_t filesystem;

static bool is_mounted(const void *path)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_mode & S_IFREG;
}

static void serve(void)
{
	const char *place = text("%s/held", fixture.dir);
	cr_assert_eq(mkdir(place, 0755), 0);
	filesystem = spawn((const char *const[]){ getenv("HOLDER"), "serve", place, NULL });
	cr_assert(await(is_mounted, text("%s/file", place), 10000));
}

/* What waits for a page of it goes on, and ends. */
static void let_go(void)
{
	const char *place = text("%s/held", fixture.dir);
	int status;

	kill(filesystem, SIGKILL);
	cr_assert(ended(filesystem, 10000, &status));
	umount2(place, MNT_DETACH);
	cr_expect_eq(rmdir(place), 0);
}

static bool is_stuck(const void *pid)
{
	return process_state(*(const pid_t *)pid) == 'D';
}

static void others_go_on(const char *when)
{
	int status;
	char *out = session_run("other", "command echo fine; exit 5\n", &status);

	cr_expect_str_eq(out, "fine\n", "%s", when);
	cr_expect_eq(status, 5, "%s", when);
	cr_expect_eq(rmdir(at("other")), 0);
}

static void hold(const char *how, const char *terminal)
{
	static char block[256];
	pid_t init, typist, server;

	serve();
	session_make("a");
	put_all("a/config", text("terminal %s\nkill-grace 10ms\nro %s:/holder\nro %s/held:/held\n"
				 "argv [\"/holder\",\"%s\",\"/held/file\"]\n",
				 terminal, getenv("HOLDER"), fixture.dir, how));
	put_all("a/ctl", "start\n");
	/* What it has written is behind the lock, where it holds that of its output. */
	if (strcmp(how, "write") != 0)
		get("a/wait/match@0:!", NULL);
	init = session_init("a");
	memset(block, 'x', sizeof(block) - 1);
	put("a/input", block);
	usleep(500000); /* the program has its page by then: no event tells of that */
	typist = spawn(
		(const char *const[]){ "sh", "-c", text("echo more >%s", at("a/input")), NULL });
	cr_expect(await(is_stuck, &init, 10000), "%s: nothing is held", how);
	others_go_on("while it is held");
	server = fixture_server();
	kill(server, SIGKILL);
	others_go_on("with another server");
	put_all("a/ctl", "kill\n");
	session_exit("a");
	cr_expect_not_null(get_value("a/status", "stuck"));
	cr_expect_not_null(strstr(get("a/log", NULL), "cannot be ended"));
	let_go();
	kill(typist, SIGKILL);
	ended(typist, 10000, &(int){ 0 });
	cr_expect_eq(rmdir(at("a")), 0);
}

Test(hold, a_pipe_that_is_read)
{
	hold("read", "no");
}

Test(hold, a_pipe_that_is_written)
{
	hold("write", "no");
}

Test(hold, the_modes_of_a_terminal)
{
	hold("modes", "yes");
}
