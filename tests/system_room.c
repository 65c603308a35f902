/* SPDX-License-Identifier: MIT */
/* When the machine has no room: no descriptors, no space for output. It recovers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

TestSuite(room, .fini = fixture_stop, .timeout = 90);

/* What it had is cleared away behind the answers. */
static bool none_is_left(const void *unused)
{
	(void)unused;
	return !strcmp(get_value("stats", "running"), "0");
}

/* Fewer than a session is to have. */
Test(room, a_hard_limit_of_descriptors)
{
	struct run done;

	fixture_prepare();
	setenv("FS", mimoboxfs(), 1);
	done = run(
		(const char *const[]){ "/bin/sh", "-c",
				       "ulimit -n 256; exec \"$FS\" --pool 0 --spool $M/../spool "
				       "--workspaces $M/../workspaces $M",
				       NULL });
	cr_assert_neq(done.status, 0);
	cr_assert(has(done.err, "open-files"), "%s", done.err);
	cr_assert(has(done.err, "1024 is above 256"), "%s", done.err);
}

/* A starter that waits for the end of its pipe does not wait for the daemon. */
static void inherited(const char *option)
{
	enum { HIGH = 500 };
	int ends[2], high;
	struct pollfd end = { .events = POLLIN };

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(fcntl(ends[0], F_SETFD, FD_CLOEXEC), 0);
	high = fcntl(ends[1], F_DUPFD, HIGH);
	cr_assert(high >= HIGH);
	sh(text("exec %s %s --pool 0 --spool %s --workspaces %s $M >/dev/null 2>&1", mimoboxfs(),
		option, fixture.spool, fixture.workspaces));
	fixture_adopt();
	close(ends[1]);
	close(high);
	end.fd = ends[0];
	cr_assert_eq(poll(&end, 1, 10000), 1, "the pipe is open still");
	cr_assert(end.revents & POLLHUP);
	close(ends[0]);
	get("stats", NULL);
	fixture_daemon_ended(SIGTERM);
}

Test(room, descriptors_of_who_starts_it)
{
	fixture_prepare();
	inherited("");
	inherited("--keeper no");
}

Test(room, few_descriptors)
{
	unsigned made = 0, before;
	int status, error = 0;

	fixture_prepare();
	setenv("FS", mimoboxfs(), 1);
	setenv("D", fixture.dir, 1);
	sh("cd $D; echo 'open-files 60' > defaults; ulimit -n 80;"
	   "exec \"$FS\" --pool 0 --defaults $M/../defaults --spool $M/../spool --workspaces "
	   "$M/../workspaces $M");
	fixture_adopt();
	session_run("first", "command exit 7\n", &status);
	rmdir(at("first"));
	cr_assert(await(none_is_left, NULL, 5000));
	before = fixture_descriptors();
	while (made < 100 && !error) {
		char *name = text("s%u", made);
		ssize_t result;

		if (mkdir(at("%s", name), 0755)) {
			error = errno;
			break;
		}
		made++;
		put(text("%s/config", name), "command read x\n");
		result = put(text("%s/ctl", name), "start\n");
		if (result < 0)
			error = (int)-result;
	}
	cr_assert(error == EMFILE || error == ENFILE || error == EAGAIN, "%s", strerror(error));
	cr_assert_gt(made, 3, "%u", made);
	get("s0/status", NULL); /* and it serves on */
	for (unsigned i = 0; i < made; i++)
		cr_assert_eq(rmdir(at("s%u", i)), 0);
	for (int i = 0; i < 500 && fixture_descriptors() != before; i++)
		pause_ms(10);
	cr_assert_eq(fixture_descriptors(), before);
	session_run("last", "command exit 7\n", &status);
	cr_assert_eq(status, 7);
}

static unsigned long output_end(const char *name)
{
	return strtoul(get_value(text("%s/status", name), "output-end"), NULL, 10);
}

static bool log_tells(const void *path)
{
	const char *log = get(path, NULL);

	return has(log, "pool") || has(log, "space") || has(log, "room");
}

/* A full disk under the spool pauses those who print, until there is room. */
Test(room, full_spool)
{
	struct stream output;
	size_t size;

	fixture_private_mounts();
	fixture_prepare();
	sh("mount -t tmpfs -o size=4M,mode=1777 none $M/../spool");
	fixture_daemon(NULL);
	session_start("first", "command stty raw; head -c 2M /dev/zero; exit 5\n");
	cr_assert_eq(session_exit("first"), 5);
	session_start("a", "command stty raw; head -c 3M /dev/zero; exit 6\n");
	cr_assert(await(log_tells, "a/log", 10000), "%s", get("a/log", NULL));
	cr_assert_lt(output_end("a"), 3u << 20);
	cr_assert_str_eq(get_value("a/status", "state"), "running");
	stream_open(&output, "a/output"); /* what is there can be read */
	cr_assert_eq(rmdir(at("first")), 0);
	cr_assert_eq(session_exit("a"), 6);
	stream_rest(&output);
	cr_assert_eq(output.size, 3u << 20, "%zu", output.size);
	stream_close(&output);
	get("a/transcript", &size);
	cr_assert_eq(size, 3u << 20);
}
