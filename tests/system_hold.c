/* SPDX-License-Identifier: MIT */
/*
 * A session whose program holds the kernel's locks of its terminal or its pipes: that session alone
 * waits for it. A server that takes such a lock itself answers nobody, and not even SIGKILL ends
 * it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

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
	filesystem = 0;
	umount2(place, MNT_DETACH);
	cr_expect_eq(rmdir(place), 0);
}

/* Also where a test has failed. */
static void stop(void)
{
	if (filesystem)
		let_go();
	fixture_stop();
}

TestSuite(hold, .init = fixture_start, .fini = stop, .timeout = 120);

/* It waits for the page of its second write, with the lock. */
static bool is_writing(const void *pid)
{
	char line[256] = "", expected[64];
	FILE *file = fopen(text("/proc/%d/syscall", *(const pid_t *)pid), "re");
	char *got = file ? fgets(line, sizeof(line), file) : NULL;

	if (file)
		fclose(file);
	snprintf(expected, sizeof(expected), "%d 0x1 ", SYS_write);
	return got && strncmp(line, expected, strlen(expected)) == 0 && strstr(line, " 0x10000 ");
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

static pid_t typist;

/* A session whose program holds, and whose init is held by it. */
static void hold(const char *how, const char *terminal)
{
	static char block[256];
	pid_t init, program;

	serve();
	session_make("a");
	put_all("a/config", text("terminal %s\nkill-grace 10ms\nro %s:/holder\nro %s/held:/held\n"
				 "argv [\"/holder\",\"%s\",\"/held/file\"]\n",
				 terminal, getenv("HOLDER"), fixture.dir, how));
	put_all("a/ctl", "start\n");
	init = session_init("a");
	if (strcmp(how, "write") == 0) {
		get("a/wait/match@0:ready", NULL);
		cr_assert_eq(kill(init, SIGSTOP), 0);
		program = session_pid("a");
		cr_assert_eq(kill(program, SIGUSR1), 0);
		cr_assert(await(is_writing, &program, 10000));
		cr_assert_eq(kill(init, SIGCONT), 0);
	} else {
		get("a/wait/match@0:!", NULL);
		memset(block, 'x', sizeof(block) - 1);
		put("a/input", block);
		usleep(500000); /* the program has its page by then: no event tells of that */
	}
	typist = spawn(
		(const char *const[]){ "sh", "-c", text("echo more >%s", at("a/input")), NULL });
	cr_expect(await(is_stuck, &init, 10000), "%s: nothing is held", how);
}

static void end_typist(void)
{
	kill(typist, SIGKILL);
	ended(typist, 10000, &(int){ 0 });
}

static void hold_and_kill(const char *how, const char *terminal)
{
	hold(how, terminal);
	others_go_on("while it is held");
	kill(fixture_server(), SIGKILL);
	others_go_on("with another server");
	put_all("a/ctl", "kill\n");
	session_exit("a");
	cr_expect_not_null(get_value("a/status", "stuck"));
	cr_expect_not_null(strstr(get("a/log", NULL), "cannot be ended"));
	others_go_on("once it is given up");
	let_go();
	end_typist();
	cr_expect_eq(rmdir(at("a")), 0);
}

Test(hold, a_pipe_that_is_read)
{
	hold_and_kill("read", "no");
}

Test(hold, a_pipe_that_is_written)
{
	hold_and_kill("write", "no");
}

Test(hold, the_modes_of_a_terminal)
{
	hold_and_kill("modes", "yes");
}

Test(hold, removed_while_it_is_held)
{
	hold("read", "no");
	cr_expect_eq(rmdir(at("a")), 0);
	cr_expect_neq(can_open("a/status", O_RDONLY), 0);
	others_go_on("once it is removed");
	session_make("a"); /* its name is free */
	cr_expect_eq(rmdir(at("a")), 0);
	let_go();
	end_typist();
}

/* A size is refused by an init that does not answer, and is what it was. */
Test(hold, a_size_is_refused)
{
	char *before;

	hold("modes", "yes");
	before = get("a/size", NULL);
	cr_expect_eq(put("a/size", "50 132\n"), -EAGAIN);
	cr_expect_str_eq(get("a/size", NULL), before);
	cr_expect_not_null(strstr(get("a/log", NULL), "size refused"));
	put_all("a/ctl", "kill\n");
	session_exit("a");
	let_go();
	end_typist();
	cr_expect_eq(rmdir(at("a")), 0);
}

static bool is_gone(const void *pid)
{
	return kill(*(const pid_t *)pid, 0) < 0 || process_state(*(const pid_t *)pid) == 'Z';
}

/* What a daemon leaves that could not end a session. */
static void remove_cgroups(pid_t daemon)
{
	pid_t pid = spawn((const char *const[]){
		"sh", "-c",
		text("find /sys/fs/cgroup -depth -type d -path '*/mimobox-%d*' -exec rmdir {} +",
		     daemon),
		NULL });
	int status;

	cr_expect(ended(pid, 10000, &status) && status == 0);
}

/* The daemon ends, though a process of a session does not, until its filesystem goes. */
Test(hold, the_daemons_end)
{
	pid_t init;

	hold("read", "no");
	init = session_init("a");
	cr_assert_eq(kill(fixture.daemon, SIGTERM), 0);
	cr_expect(await(is_gone, &fixture.daemon, 15000), "the daemon waits for it");
	cr_expect(!fixture_mounted());
	let_go();
	end_typist();
	cr_expect(await(is_gone, &init, 10000));
	remove_cgroups(fixture.daemon);
}

/*
 * With nothing but what each session has: fallocate() holds a lock of a file's pages while it
 * punches. A page of the file that is wanted meanwhile is waited for. Each time it lasts longer,
 * until it has lasted for as long as another session takes.
 */
Test(hold, by_a_file_of_the_workspace)
{
	struct stream out;
	bool held = false;
	pid_t init;

	session_start("a", text("terminal no\nkill-grace 10ms\nro %s:/holder\nmemory 1G\n"
				"argv [\"/holder\",\"punch\",\"/workspace/file\"]\n",
				getenv("HOLDER")));
	init = session_init("a");
	typist = spawn((const char *const[]){
		"sh", "-c", text("while echo more; do sleep 0.01; done >%s", at("a/input")),
		NULL });
	stream_open(&out, "a/output");
	while (!held && !strcmp(get_value("a/status", "state"), "running")) {
		if (!is_stuck(&init)) {
			usleep(1000);
			continue;
		}
		others_go_on("while a page is waited for");
		held = is_stuck(&init);
	}
	stream_close(&out);
	end_typist();
	put_all("a/ctl", "kill\n");
	session_exit("a");
	cr_expect_eq(rmdir(at("a")), 0);
	if (!held)
		cr_skip_test("holes are punched too fast on this filesystem");
}
