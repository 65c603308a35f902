/* SPDX-License-Identifier: MIT */
/*
 * Daemons that find an older Landlock, or none: what starts, what is refused, and what is told of
 * it. older_landlock.c plays the kernel. Where the running kernel's version is older still, that is
 * the one they find.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

enum { NEWEST = 6 };

static void prepare(void)
{
	outside_prepare();
	setenv("ASAN_OPTIONS",
	       text("%s:verify_asan_link_order=0:detect_leaks=0", getenv("ASAN_OPTIONS")), 1);
}

TestSuite(older, .init = prepare, .fini = outside_stop, .timeout = 120);

static void play(int version)
{
	setenv("LANDLOCK_ABI", text("%d", version), 1);
	setenv("LD_PRELOAD", getenv("OLDER_LANDLOCK"), 1);
}

static void play_no_more(void)
{
	unsetenv("LD_PRELOAD");
}

/* Returns the version that it finds. */
static int serve(int version, const char *option, const char *value)
{
	play(version);
	fixture_daemon((const char *const[]){ option, value, NULL });
	play_no_more();
	return fixture_landlock();
}

/* What each version lacks */

static const char lines_of_none[][200] = {
	"landlock-abi 1\nlandlock-stands-in truncate:read-only-mounts "
	"ioctl-dev:nodev-mounts abstract-sockets:network-namespace signals:pid-namespace\n"
	"landlock-refuses refer\n",
	"landlock-abi 2\nlandlock-stands-in truncate:read-only-mounts "
	"ioctl-dev:nodev-mounts abstract-sockets:network-namespace signals:pid-namespace\n",
	"landlock-abi 3\nlandlock-stands-in ioctl-dev:nodev-mounts "
	"abstract-sockets:network-namespace signals:pid-namespace\n",
	"landlock-abi 4\nlandlock-stands-in ioctl-dev:nodev-mounts "
	"abstract-sockets:network-namespace signals:pid-namespace\n",
	"landlock-abi 5\nlandlock-stands-in abstract-sockets:network-namespace "
	"signals:pid-namespace\n",
	"landlock-abi 6\n",
};

/*
 * What a version has no right for, by hand. Truncating is refused by read-only mounts; what is left
 * of ioctl on devices is a number that anybody may read.
 */
static const char acts[] =
	"import fcntl, os, socket\n"
	"def says(what, do):\n"
	"    try: do(); print(what, 'done')\n"
	"    except OSError as e: print(what, e.errno)\n"
	"os.chdir('/workspace')\n"
	"os.mkdir('d'); open('f', 'w').write('text'); open('g', 'w').close()\n"
	"says('move', lambda: os.rename('f', 'd/f'))\n"
	"says('link', lambda: os.link('g', 'd/g'))\n"
	"says('rename', lambda: os.rename('g', 'h'))\n"
	"says('truncate own', lambda: os.truncate('h', 0))\n"
	"for path in '/etc/passwd', '/srv/ro/file', '/srv/rw/ro/file':\n"
	"    says('truncate ' + path, lambda: os.truncate(path, 0))\n"
	"says('truncate proc', lambda: os.truncate('/proc/self/comm', 0))\n"
	"print('comm', open('/proc/self/comm').read().strip())\n"
	"says('entropy', lambda: fcntl.ioctl(open('/dev/random'), 0x80045200, b'1234'))\n"
	"says('add entropy', lambda: fcntl.ioctl(open('/dev/random'), 0x40045201, b'1234'))\n"
	"says('device', lambda: open('/srv/ro/null'))\n"
	"says('tcp', lambda: socket.socket().bind(('127.0.0.1', 0)))\n"
	"says('init', lambda: os.kill(1, 0))\n";

static char *expected_of(int version)
{
	return text("move %s\nlink %s\nrename done\ntruncate own done\n"
		    "truncate /etc/passwd 30\n"
		    "truncate /srv/ro/file 30\ntruncate /srv/rw/ro/file 30\n"
		    "truncate proc %s\ncomm python3\nentropy %s\nadd entropy %s\ndevice 13\n"
		    "tcp done\ninit %s\n",
		    version < 2 ? "18" : "done", version < 2 ? "18" : "done",
		    version < 3 ? "done" : "13", version < 5 ? "done" : "13",
		    version < 5 ? "1" : "13", version < 6 ? "done" : "1");
}

static void look_at(int version)
{
	int status;
	char *output;

	serve(version, NULL, NULL);
	session_start_as(ANN, "s", "command echo READY; read x\n");
	cr_expect_str_eq(sh("grep -E '^landlock' $M/s/status"), lines_of_none[version - 1], "%d",
			 version);
	cr_expect_str_eq(get_value("s/config", "landlock"), "auto");
	put_all("s/ctl", "kill\n");
	session_exit("s");
	output = session_run_as(ANN, "a",
				text("seccomp network\nro %s:/srv/ro\nrw %s:/srv/rw\n"
				     "ro %s:/srv/rw/ro\nro %s:/srv/acts\n"
				     "argv [\"python3\",\"/srv/acts\"]\n",
				     outside("ro"), outside("rw"), outside("ro"), outside("acts")),
				&status);
	cr_expect_str_eq(output, expected_of(version), "%d: %s", version, output);
	session_remove("a");
	session_remove("s");
	fixture_daemon_ended(SIGTERM);
}

Test(older, each_version_with_what_stands_in)
{
	outside_directory(outside("ro"), ANN, 0755);
	outside_directory(outside("rw"), ANN, 0755);
	outside_directory(outside("rw/ro"), ANN, 0755);
	outside_file(outside("ro/file"), "text", ANN, 0644);
	outside_file(outside("acts"), acts, ROOT, 0644);
	sh(text("mknod -m 666 %s/null c 1 3", outside("ro")));
	for (int version = 1; version <= NEWEST && version <= fixture_landlock(); version++) {
		look_at(version);
		unsetenv("LANDLOCK_ABI");
	}
}

/* What nothing stands in for */

Test(older, of_the_hosts_network)
{
	int version = serve(3, NULL, NULL);

	start_refused(ANN, "a", "network host\n", EOPNOTSUPP,
		      text("start failed: landlock: Operation not supported (with the host's "
			   "network version 6 is needed, of Linux 6.12, to keep its abstract "
			   "sockets out of reach: this kernel has %d; 'landlock %d' does without "
			   "what it lacks)",
			   version, version));
	cr_expect(has(get_value("a/status", "start-failed"), "abstract sockets out of reach"));
	session_remove("a");
	start_refused(
		ANN, "a", "network tcp 80\n", EOPNOTSUPP,
		text("with the host's network version 6 is needed, of Linux 6.12, to keep its "
		     "abstract sockets out of reach: this kernel has %d; 'landlock 4' needs",
		     version));
	session_remove("a");
	start_refused(
		ANN, "a", "network tcp 80\nlandlock none\n", EOPNOTSUPP,
		text("'network tcp' needs version 4, of Linux 6.7: this kernel has %d", version));
	session_remove("a");
	start_refused(ANN, "a", "landlock 4\n", EOPNOTSUPP, "version 4 is asked for");
	session_remove("a");
	session_start_as(ANN, "a", "network host\nlandlock 1\ncommand read x\n");
	cr_expect_str_eq(get_value("a/status", "landlock-lacks"), "abstract-sockets");
	put_all("a/ctl", "kill\n");
	session_exit("a");
}

/* Those of the host are in reach of no session that has not asked for that. */
Test(older, ports_from_the_first_version_that_keeps_them)
{
	if (serve(4, NULL, NULL) < 4)
		return;
	start_refused(ANN, "a", "network tcp 80\n", EOPNOTSUPP,
		      "'landlock 4' does without what it lacks");
	session_remove("a");
	session_start_as(ANN, "a", "network tcp 80\nlandlock 4\ncommand read x\n");
	cr_expect_str_eq(get_value("a/status", "landlock-lacks"), "abstract-sockets");
	cr_expect_str_eq(get_value("a/status", "landlock-stands-in"),
			 "ioctl-dev:nodev-mounts signals:pid-namespace");
	put_all("a/ctl", "kill\n");
	session_exit("a");
}

/* A user's `auto` is what the kernel has: below the ceiling it starts nothing. */
Test(older, ceiling_above_the_kernel)
{
	const char *ceiling = outside("ceiling");
	int version;

	outside_file(ceiling, "landlock 4\n", ROOT, 0644);
	version = serve(3, "--ceiling", ceiling);
	start_refused(ANN, "a", "command true\n", EPERM,
		      text("landlock: this kernel's version, %d, is below the 4 of the ceiling",
			   version));
	session_remove("a");
	start_refused(ANN, "a", "landlock 4\n", EOPNOTSUPP, "version 4 is asked for");
	session_remove("a");
	fixture_daemon_ended(SIGTERM);
	if (serve(4, "--ceiling", ceiling) < 4)
		return;
	session_start_as(ANN, "a", "command true\n");
	cr_expect_eq(session_exit("a"), 0);
}

/* None at all */

static struct run started(int version)
{
	struct run run_of;

	play(version);
	run_of = run((const char *const[]){ mimoboxfs(), "--pool", "0", "--spool", fixture.spool,
					    "--workspaces", fixture.workspaces, fixture.mount,
					    NULL });
	play_no_more();
	return run_of;
}

Test(older, none_refuses_the_mount_and_says_what_to_do)
{
	static const struct {
		int error;
		const char *way;
	} rows[] = {
		{ EOPNOTSUPP, "it is switched off" },
		{ ENOSYS, "CONFIG_SECURITY_LANDLOCK" },
		{ EPERM, "allow landlock_create_ruleset" },
	};

	for (unsigned i = 0; i < 3; i++) {
		struct run refused = started(-rows[i].error);

		cr_expect_eq(refused.status, 3, "%d", refused.status);
		cr_expect(has(refused.err, rows[i].way) &&
				  has(refused.err, "'landlock none' in config or a --defaults "
						   "file does without"),
			  "%s", refused.err);
		cr_expect(!fixture_mounted());
	}
}

Test(older, none_is_by_name)
{
	const char *defaults = outside("none");
	int status;

	outside_file(defaults, "landlock none\n", ROOT, 0644);
	serve(-ENOSYS, "--defaults", defaults);
	session_start_as(ANN, "a", "command read x\n");
	cr_expect_str_eq(sh("grep -E '^landlock' $M/a/status"), "landlock-abi none\n");
	put_all("a/ctl", "kill\n");
	session_exit("a");
	session_run("b", "network host\ncommand exit 7\n", &status);
	cr_expect_eq(status, 7);
	start_refused(ANN, "c", "network tcp 80\n", EOPNOTSUPP, "CONFIG_SECURITY_LANDLOCK");
	start_refused(ANN, "d", "landlock auto\n", EOPNOTSUPP, "CONFIG_SECURITY_LANDLOCK");
}
