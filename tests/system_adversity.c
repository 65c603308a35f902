/* SPDX-License-Identifier: MIT */
/*
 * What a machine and those who use it can do to a daemon. Each test has the harm done, looks at
 * what a user then sees, and has a session work in full once it is over.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "sweep.h"

TestSuite(adversity, .init = fixture_private_mounts, .fini = fixture_stop, .timeout = 60);

static void begin(const char *const options[])
{
	fixture_prepare();
	fixture_daemon(options);
}

/* A session in full. */
static void works(const char *name)
{
	int status;

	cr_expect_str_eq(session_run(name, "command stty size; exit 7\n", &status), "24 80\n");
	cr_expect_eq(status, 7);
	cr_expect_eq(rmdir(at("%s", name)), 0);
}

/* The start of a session that is there, refused with `error` and a line that has `part`. */
static void refused(const char *name, int error, const char *part)
{
	put_refused(text("%s/ctl", name), "start\n", error);
	cr_expect(has(get(text("%s/log", name), NULL), part), "%s",
		  get(text("%s/log", name), NULL));
	cr_expect_str_eq(get_value(text("%s/status", name), "state"), "created");
}

/* And then it is granted. */
static void granted(const char *name)
{
	put_all(text("%s/ctl", name), "start\n");
	put_all(text("%s/input", name), "exit 7\n");
	cr_expect_eq(session_exit(name), 7);
	cr_expect_eq(rmdir(at("%s", name)), 0);
}

static pid_t helper(const char *name)
{
	return (pid_t)atoi(sh(text("pgrep -P %d -x %s", fixture.daemon, name)));
}

static void stop(pid_t pid)
{
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	cr_assert(await(process_stopped, &pid, 5000));
}

/* The machine is short of something */

/* The group of the daemon, of its helpers, and of what they start before it has its own. */
static char *pids_group(void)
{
	const char *base =
		access("/sys/fs/cgroup/pids", F_OK) ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";
	char *group = text("%s/mimobox-%d", base, getpid());

	sh(text("mkdir %s; for p in %d $(pgrep -P %d,%d); do echo $p > %s/cgroup.procs; done; "
		"echo 0 > %s/pids.max",
		group, fixture.daemon, fixture.daemon, fixture.server, group, group));
	return group;
}

Test(adversity, no_process_is_left)
{
	char *group;

	begin((const char *const[]){ "--pool", "0", NULL });
	session_make("a");
	group = pids_group();
	refused("a", EAGAIN, "start failed: clone: Resource temporarily unavailable");
	sh(text("echo max > %s/pids.max", group));
	granted("a");
	works("b");
	fixture_daemon_ended(SIGTERM);
	cr_expect_eq(rmdir(group), 0);
}

/* None can be built ahead; what is asked for is refused or served on demand. */
Test(adversity, a_pool_that_cannot_be_filled)
{
	char *group;
	pid_t spawner;

	begin((const char *const[]){ "--pool", "0", NULL });
	fixture_daemon_ended(SIGTERM);
	fixture_daemon((const char *const[]){ "--pool", "2", NULL });
	spawner = helper("mimobox-spawner");
	stop(spawner);
	group = pids_group();
	kill(spawner, SIGCONT);
	session_make("a");
	put_all("a/config", "terminal no\n"); /* none of these waits */
	refused("a", EAGAIN, "start failed: clone: ");
	sh(text("echo max > %s/pids.max", group));
	put_all("a/ctl", "start\n");
	put_all("a/input", "exit 7\n");
	cr_expect_eq(session_exit("a"), 7);
	cr_expect_eq(rmdir(at("a")), 0);
	works("b");
	fixture_daemon_ended(SIGTERM);
	cr_expect_eq(rmdir(group), 0);
}

/* The sandbox has sixteen terminals of its own, and takes none of the machine's beyond those. */
Test(adversity, no_terminal_is_left_inside)
{
	int status;

	begin(NULL);
	cr_expect_str_eq(
		session_run("a",
			    "argv [\"python3\",\"-c\",\"import os,errno\\nn = 1\\ntry:\\n  "
			    "while n < 99: os.openpty(); n += 1\\nexcept OSError as e: print(n, "
			    "e.errno == errno.ENOSPC or str(e))\"]\n",
			    &status),
		"8 True\n");
	works("b");
}

static bool log_of_a_has(const void *line)
{
	return has(get("a/log", NULL), line);
}

/* What was printed is held until there is a file for it. */
Test(adversity, no_inode_is_left_for_the_spool)
{
	fixture_prepare();
	sh("mount -t tmpfs -o nr_inodes=16,mode=1777 none $M/../spool");
	fixture_daemon(NULL);
	sh("cd $M/../spool; i=0; while touch f$i 2>/dev/null; do i=$((i + 1)); done");
	session_start("a", "command echo one; read x; echo two; exit 3\n");
	cr_assert(await(log_of_a_has, "output paused: spool: ", 5000));
	sh("cat $M/a/wait/match@0:one");
	sh("rm $M/../spool/f*");
	cr_assert(await(log_of_a_has, "output goes on", 5000));
	put_all("a/input", "\n");
	cr_expect_eq(session_exit("a"), 3);
	cr_expect(has(get("a/output", NULL), "two"));
	works("b");
}

/* The daemon's address space is bounded: it lives, refuses, and goes on once there is room. */
Test(adversity, no_memory_is_left)
{
	struct rlimit limit = { 0, 0 }, before;
	ssize_t result = 0;
	unsigned made = 0;

	fixture_prepare();
	setenv("ASAN_OPTIONS", text("%s:allocator_may_return_null=1", getenv("ASAN_OPTIONS")), 1);
	fixture_daemon((const char *const[]){ "--pool", "0", NULL });
	works("first");
	session_make("b");
	cr_assert_eq(prlimit(fixture.server, RLIMIT_AS, NULL, &before), 0);
	limit.rlim_cur = 1; /* all that it has it keeps */
	limit.rlim_max = before.rlim_max;
	cr_assert_eq(prlimit(fixture.server, RLIMIT_AS, &limit, NULL), 0);
	for (; made < 4000 && result >= 0; made++)
		result = mkdir(at("m%u", made), 0755) ? -errno : 0;
	cr_expect_eq(result, -ENOMEM, "%s after %u", strerror((int)-result), made);
	cr_assert_eq(prlimit(fixture.server, RLIMIT_AS, &before, NULL), 0);
	granted("b");
	while (made-- > 0)
		rmdir(at("m%u", made));
	works("c");
}

/* Something was taken away */

Test(adversity, the_spool_directory_is_removed)
{
	int status;

	begin(NULL);
	session_start("running", "command read line; echo $line; exit 5\n");
	session_make("a");
	cr_assert_eq(rmdir(fixture.spool), 0);
	refused("a", ENOENT, "start failed: spool: ");
	put_all("running/input", "still here\n"); /* its file has no name anyway */
	cr_expect(has(plain(get("running/output", NULL)), "still here\nstill here\n"));
	status = session_exit("running");
	cr_expect_eq(status, 5);
	cr_assert_eq(mkdir(fixture.spool, 0777), 0);
	granted("a");
	works("b");
}

/* A session that is there: what its program writes, others find. */
static void writes(const char *name)
{
	put_all(text("%s/config", name), "command echo there > /workspace/file && exit 6\n");
	put_all(text("%s/ctl", name), "start\n");
	cr_expect_eq(session_exit(name), 6, "%s", get(text("%s/log", name), NULL));
	cr_expect_str_eq(sh(text("cat $M/%s/workspace/file", name)), "there\n");
}

static void workspaces_are_removed(void)
{
	session_start("running", "command read line; exit 5\n");
	session_make("a");
	sh("rmdir $(readlink $M/a/workspace)");
	session_make("b");
	/* Some may be made meanwhile. */
	sh("until rm -r $M/../workspaces 2>/dev/null; do :; done");
	session_make("c");
	writes("a");
	writes("b");
	writes("c");
	cr_expect(has(get("a/log", NULL), " was removed: made "), "%s", get("a/log", NULL));
	cr_expect_str_eq(sh("stat -c %a $M/../workspaces"), "711\n");
	put_all("running/input", "\n");
	cr_expect_eq(session_exit("running"), 5);
	cr_assert_eq(rmdir(at("b")), 0);
	works("d");
}

Test(adversity, the_workspaces_are_removed)
{
	begin((const char *const[]){ "--pool", "0", NULL });
	workspaces_are_removed();
}

Test(adversity, the_workspaces_are_removed_with_those_built_ahead)
{
	begin(NULL);
	fixture_pool_filled();
	workspaces_are_removed();
}

/* The path then leads to the directory below, or to none. */
Test(adversity, the_workspaces_are_unmounted)
{
	fixture_prepare();
	sh("mkdir -p $M/../disk; mount -t tmpfs -o mode=711 none $M/../disk");
	fixture_daemon((const char *const[]){ "--workspaces",
					      text("%s/../disk/deep/ws", fixture.mount), NULL });
	session_make("a");
	sh("umount -l $M/../disk");
	session_make("b");
	writes("a");
	writes("b");
	works("c");
}

static char *cgroups_of_the_daemon(void)
{
	return sh(text("find /sys/fs/cgroup -type d -name mimobox-%d 2>/dev/null || :",
		       fixture.daemon));
}

/* Somebody removed its groups. It cannot limit any more, so nothing starts. */
Test(adversity, its_cgroups_are_removed)
{
	char *groups;

	begin((const char *const[]){ "--pool", "0", NULL });
	session_make("a");
	groups = cgroups_of_the_daemon();
	cr_assert(*groups, "no cgroup to be removed");
	for (char *group; (group = strsep(&groups, "\n")) && *group;)
		cr_assert_eq(rmdir(group), 0, "%s: %s", group, strerror(errno));
	refused("a", ENOENT, "start failed: cgroup: ");
	cr_assert_eq(rmdir(at("a")), 0);
	fixture_daemon_ended(SIGTERM);
	fixture_daemon(NULL);
	works("b");
}

/* Version 2 of cgroups has a bound for how many there may be. */
Test(adversity, its_cgroup_is_full)
{
	char *group;

	begin((const char *const[]){ "--pool", "0", NULL });
	session_make("a");
	group = sh(text(
		"find /sys/fs/cgroup -path '*/mimobox-%d/cgroup.max.descendants' 2>/dev/null || :",
		fixture.daemon));
	cr_assert(*group, "no cgroup of version 2");
	group[strcspn(group, "\n")] = '\0';
	sh(text("echo 0 > %s", group));
	refused("a", EAGAIN, "start failed: cgroup: ");
	sh(text("echo max > %s", group));
	granted("a");
	works("b");
}

/* Its cgroups can be read, and not changed. */
Test(adversity, cgroups_are_read_only)
{
	char *defaults;
	struct run started;

	fixture_prepare();
	sh("for m in $(findmnt -rnt cgroup,cgroup2 -o TARGET); do mount -o remount,ro,bind $m; "
	   "done");
	fixture_daemon((const char *const[]){ "--pool", "0", NULL });
	defaults = get("defaults", NULL); /* asks for no more than it can do */
	cr_expect(has(defaults, "memory none\n") && has(defaults, "processes none\n"), "%s",
		  defaults);
	works("a");
	session_make("b");
	put_all("b/config", "memory 64M\n");
	refused("b", EOPNOTSUPP, "start failed: memory: this machine gives the daemon no cgroup");
	started = run_shell("sh", "rmdir $M/b");
	cr_expect_eq(started.status, 0);
}

/* A daemon whose standard error is looked at. */
static struct run begin_told(const char *ceiling)
{
	struct run done;

	setenv("container", "none", 1); /* where the tests themselves run in one */
	sh(text("echo '%s' > %s/ceiling", ceiling, fixture.dir));
	done = run((const char *const[]){
		mimoboxfs(), "--pool", "0", "--ceiling", text("%s/ceiling", fixture.dir), "--spool",
		fixture.spool, "--workspaces", fixture.workspaces, fixture.mount, NULL });
	cr_assert_eq(done.status, 0, "%s", done.err);
	fixture_adopt();
	return done;
}

/* Root's daemon serves without the limits, says so, and refuses what asks for them. */
Test(adversity, no_limit_can_be_enforced)
{
	struct run done;

	fixture_prepare();
	sh("mount -t tmpfs none /sys/fs/cgroup");
	done = begin_told("memory 64M");
	cr_expect(has(done.err, "mimoboxfs: sessions have no limit of memory, processes, cpu: "
				"mount the controllers, to be written: mount -t cgroup2 none "
				"/sys/fs/cgroup\n"),
		  "%s", done.err);
	cr_expect_eq(strchr(done.err, '\n')[1], '\0', "%s", done.err);
	cr_expect(has(get("defaults", NULL), "memory none\nprocesses none\ncpu none\n"));
	works("a");
	session_make("b");
	cr_expect_eq(
		strncmp(get_value("b/status", "unlimited"), "memory, processes, cpu: mount ", 30),
		0);
	put_all("b/config", "cpu 1\n");
	refused("b", EOPNOTSUPP,
		"start failed: cpu: this machine gives the daemon no cgroup for "
		"it (mount the controllers, ");
	cr_expect_eq(rmdir(at("b")), 0);
	/* None is more than any number, and others are bounded. */
	done = run_shell("sh",
			 "exec setpriv --reuid 23450 --regid 23450 --clear-groups sh -c '"
			 "mkdir $M/u; echo start > $M/u/ctl; tail -n 1 $M/u/log; rmdir $M/u'");
	cr_expect(has(done.out, "start refused: memory: none is above the ceiling of 64M (this "
				"machine cannot limit it: mount the controllers, "),
		  "%s", done.out);
}

/* As on a Raspberry Pi: the others are there. */
Test(adversity, the_memory_controller_is_missing)
{
	char *defaults;

	fixture_prepare();
	if (run_shell("sh", "umount /sys/fs/cgroup/memory").status)
		cr_skip_test("no hierarchy of its own for it");
	cr_expect(has(begin_told("").err, "sessions have no limit of memory: "));
	defaults = get("defaults", NULL);
	cr_expect(has(defaults, "memory none\n") && has(defaults, "processes 128\n"), "%s",
		  defaults);
	works("a");
	session_make("b");
	put_all("b/config", "memory 64M\n");
	refused("b", EOPNOTSUPP, "start failed: memory: this machine gives the daemon no cgroup");
	cr_expect_eq(rmdir(at("b")), 0);
}

/* Defaults that ask for what cannot be had: there is no use in another try. */
Test(adversity, defaults_ask_for_a_limit_that_cannot_be_enforced)
{
	struct run done;

	fixture_prepare();
	sh(text("mount -t tmpfs none /sys/fs/cgroup; echo memory 64M > %s/defaults", fixture.dir));
	done = run((const char *const[]){ mimoboxfs(), "--defaults",
					  text("%s/defaults", fixture.dir), fixture.mount, NULL });
	cr_expect_eq(done.status, 3, "%d: %s", done.status, done.err);
	cr_expect(has(done.err, "or ask for 'memory none')\n"), "%s", done.err);
}

/* Somebody is stopped */

Test(adversity, the_daemon_is_stopped)
{
	struct stream output;
	pid_t writer;
	int status;

	begin(NULL);
	session_start("a", "command read line; echo got $line; exit 5\n");
	stream_open(&output, "a/output");
	stop(fixture.server);
	writer = spawn((const char *const[]){ "sh", "-c", "echo hello > $M/a/input", NULL });
	pause_ms(200);
	cr_expect(!ended(writer, 0, NULL));
	kill(fixture.server, SIGCONT);
	cr_assert(ended(writer, 1000 * SECONDS, &status));
	cr_expect_eq(status, 0);
	stream_until(&output, "got hello");
	stream_close(&output);
	cr_expect_eq(session_exit("a"), 5);
	works("b");
}

enum { PATIENCE_SECONDS = 4 };

static const char *patience(void)
{
	return text("%u", scaled(PATIENCE_SECONDS));
}

/* A start has an end of its own, and the next one gets another spawner. */
Test(adversity, the_spawner_is_stopped)
{
	begin((const char *const[]){ "--pool", "0", "--patience", patience(), NULL });
	session_make("a");
	stop(helper("mimobox-spawner"));
	refused("a", ETIMEDOUT, "start failed: clone: ");
	granted("a");
	works("b");
}

/*
 * Everything is stopped for longer than an answer is waited for, as in a frozen group: that is no
 * reason to take another spawner, and to forget what this one may just have cloned.
 */
Test(adversity, everything_is_stopped_for_a_while)
{
	pid_t spawner, writer;
	int status;

	begin((const char *const[]){ "--pool", "0", "--patience", patience(), NULL });
	session_make("a");
	put_all("a/config", "command exit 5\n");
	spawner = helper("mimobox-spawner");
	stop(spawner);
	writer = spawn((const char *const[]){ "sh", "-c", "echo start > $M/a/ctl", NULL });
	cr_assert(await(session_is_starting, "a", 5000));
	stop(fixture.server);
	pause_ms(1000 * scaled(PATIENCE_SECONDS) + 1500);
	cr_expect(!ended(writer, 0, NULL));
	kill(fixture.server, SIGCONT);
	kill(spawner, SIGCONT);
	cr_assert(ended(writer, 10000, &status));
	cr_expect_eq(status, 0);
	cr_expect_eq(session_exit("a"), 5);
	cr_expect_eq(helper("mimobox-spawner"), spawner);
	cr_expect_eq(rmdir(at("a")), 0);
	works("b");
	cr_expect_str_eq(sh(text("ps --ppid %d -o stat= | grep Z || :", fixture.daemon)), "");
}

/* What is left of sessions is cleared away by the daemon itself, then at the latest when it ends.
 */
Test(adversity, the_sweeper_is_stopped)
{
	begin((const char *const[]){ "--pool", "0", "--patience", patience(), NULL });
	stop(helper("mimobox-sweeper"));
	works("a");
	works("b");
}

/* One reader that does not go on holds up its own session, and nobody else's. */
Test(adversity, a_reader_is_stopped)
{
	pid_t reader;
	int status;

	begin(NULL);
	session_start("a", "retain 64K\ncommand read line; head -c 1M /dev/zero; exit 5\n");
	reader = spawn((const char *const[]){ "sh", "-c", "exec cat $M/a/output", NULL });
	cr_assert(await(process_reads, &reader, 5000));
	stop(reader);
	put_all("a/input", "go\n");
	works("b");
	cr_expect_str_eq(get_value("a/status", "state"), "running");
	kill(reader, SIGCONT);
	cr_assert(ended(reader, 1000 * SECONDS, &status));
	cr_expect_eq(status, 0);
	cr_expect_eq(session_exit("a"), 5);
}

/* Signals, clocks, and those who use it */

Test(adversity, signals_that_mean_nothing)
{
	static const int signals[] = { SIGUSR1, SIGUSR2, SIGPIPE, SIGCHLD, SIGWINCH, SIGCONT };

	begin(NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		cr_assert_eq(kill(fixture.daemon, signals[i]), 0);
	works("a");
}

Test(adversity, a_hangup_ends_it)
{
	char *sleeper = text("%u", marker());

	begin(NULL);
	session_start("a", text("command trap '' HUP TERM; sleep %s; :\n", sleeper));
	cr_assert(await(any_with, sleeper, 5000));
	fixture_daemon_ended(SIGHUP);
	cr_expect(none_with(sleeper));
}

Test(adversity, told_to_end_again_and_again)
{
	char *sleeper = text("%u", marker());
	pid_t pid;

	begin(NULL);
	pid = fixture.daemon;
	session_start("a", text("command trap '' TERM; sleep %s; :\n", sleeper));
	cr_assert(await(any_with, sleeper, 5000));
	for (int i = 0; i < 3; i++)
		kill(pid, i == 1 ? SIGINT : SIGTERM);
	fixture_daemon_ended(0);
	cr_expect(none_with(sleeper));
}

/* Whatever waits goes by a clock that nobody sets; what is told of times is the one people set. */
Test(adversity, the_clock_is_set_back)
{
	struct fault_plan *plan;
	char *before, *after, *cast;
	int status;

	fixture_prepare();
	plan = sweep_plan(0);
	setenv("FAULT_PLAN", text("%s/plan-0", fixture.dir), 1);
	setenv("LD_PRELOAD", getenv("FAULT"), 1);
	setenv("ASAN_OPTIONS",
	       text("%s:verify_asan_link_order=0:detect_leaks=0", getenv("ASAN_OPTIONS")), 1);
	fixture_daemon(NULL);
	unsetenv("LD_PRELOAD");
	/* the silence is seen before the end */
	session_start("a",
		      text("timeout %ums\ncommand echo one; read line; exit 5\n", scaled(700)));
	before = get_value("a/status", "started");
	plan->clock = -86400;
	cr_expect(has(get("a/wait/idle:200ms", NULL), "idle"));
	cr_expect_eq(session_exit("a"), -SIGTERM);
	cr_expect_str_eq(get_value("a/status", "reason"), "timeout");
	after = get_value("a/status", "ended");
	cr_expect_lt(strcmp(after, before), 0, "%s, %s", after, before);
	cast = get("a/cast", NULL);
	cr_expect(!has(cast, "[-"), "%s", cast);
	plan->clock = 0;
	session_run("b", "command exit 7\n", &status);
	cr_expect_eq(status, 7);
}

static bool no_reader_left(const void *path)
{
	return !strcmp(get_value(path, "readers"), "0");
}

/* One client opens what it can. */
Test(adversity, ten_thousand_files_are_open)
{
	enum { MANY = 10000 };
	struct rlimit limit = { MANY + 100, MANY + 100 };
	unsigned before, opened = 0;
	int *files = keep(calloc(MANY, sizeof(*files)));

	begin(NULL);
	session_start("a", "command read line; exit 7\n");
	fixture_pool_filled();
	before = fixture_descriptors();
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (opened < MANY && (files[opened] = open(at("a/output"), O_RDONLY | O_CLOEXEC)) >= 0)
		opened++;
	cr_expect_eq(opened, MANY, "%u: %s", opened, strerror(errno));
	cr_expect_str_eq(get_value("a/status", "readers"), text("%u", MANY));
	cr_expect_leq(fixture_descriptors(), before); /* they cost it memory, and no descriptor */
	works("b");
	while (opened > 0)
		close(files[--opened]);
	cr_expect(
		await(no_reader_left, "a/status", 5000)); /* closing tells nobody when it is done */
	put_all("a/input", "\n");
	cr_expect_eq(session_exit("a"), 7);
}

/* The directory goes all the same, and whoever stays in it is nowhere. */
Test(adversity, somebody_is_in_the_directory)
{
	struct run done;

	begin(NULL);
	done = run_shell("sh", "mkdir $M/a && cd $M/a && echo start > ctl && rmdir $M/a && "
			       "{ cat status; echo x > ctl; ls -A; cd /; test ! -e $M/a; }");
	cr_expect_eq(done.status, 0, "%s", done.err);
	cr_expect_str_eq(done.out, "", "%s", done.out);
	works("a");
}

/* The mount goes away */

/* All ends as at SIGTERM, and who reads has the rest. */
Test(adversity, a_lazy_unmount_under_load)
{
	struct stream output;
	char *sleeper = text("%u", marker());
	int exit_file;

	begin(NULL);
	session_start("a", text("overflow drop\nretain 1M\ncommand yes & sleep %s\n", sleeper));
	stream_open(&output, "a/output");
	exit_file = open(at("a/exit"), O_RDONLY | O_CLOEXEC);
	stream_until(&output, "y\r\ny\r\n");
	cr_assert_eq(umount2(fixture.mount, MNT_DETACH), 0);
	cr_expect_eq(access(at("stats"), F_OK), -1);
	stream_rest(&output);
	stream_close(&output);
	close(exit_file);
	fixture_daemon_ended(0);
	cr_expect(none_with(sleeper));
}

/* The kernel's connection is cut: all who wait are told, and nothing lives on. */
Test(adversity, the_connection_is_aborted)
{
	char *sleeper = text("%u", marker());
	struct stat status;
	pid_t reader;
	int result;

	begin(NULL);
	session_start("a", text("command sleep %s\n", sleeper));
	reader = spawn((const char *const[]){ "sh", "-c", "exec cat $M/a/output", NULL });
	cr_assert(await(any_with, sleeper, 5000) && await(process_reads, &reader, 5000));
	cr_assert_eq(stat(fixture.mount, &status), 0);
	sh(text("mkdir $M/../control && mount -t fusectl none $M/../control && "
		"echo 1 > $M/../control/%u/abort",
		minor(status.st_dev)));
	cr_assert(ended(reader, 1000 * SECONDS, &result));
	cr_expect_neq(result, 0);
	sh("umount $M/../control && rmdir $M/../control");
	fixture_daemon_ended(0);
	cr_expect(none_with(sleeper));
}
