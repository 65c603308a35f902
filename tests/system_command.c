/* SPDX-License-Identifier: MIT */
/* The program itself: its options, its complaints, how it is mounted and how it ends. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

static bool file_there(const void *path)
{
	return access(path, F_OK) == 0;
}

/* Status, nothing on standard output, and exactly one line on standard error. */
static void assert_complaint(struct run done, int status, const char *about)
{
	const char *newline = strchr(done.err, '\n');

	cr_assert_eq(done.status, status, "%s: status %d: %s", about, done.status, done.err);
	cr_assert(newline && newline[1] == '\0', "%s: not one line: '%s'", about, done.err);
	cr_assert_eq(done.out_size, 0, "%s: '%s'", about, done.out);
	cr_assert(!fixture_mounted(), "%s: mounted all the same", about);
	cr_assert(await(fixture_alone, NULL, 5000), "%s: a process is left", about);
}

TestSuite(command, .init = fixture_prepare, .fini = fixture_stop, .timeout = 60);

Test(command, answers_on_standard_output)
{
	static const char *const answers[][2] = {
		{ "--help", "--spool" },    { "-h", "--spool" },
		{ "--help", "MOUNTPOINT" }, { "--help", "--max-sessions" },
		{ "--version", "mimobox" }, { "-V", "mimobox" },
	};

	for (unsigned i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct run done = run((const char *const[]){ mimoboxfs(), answers[i][0], NULL });

		cr_assert_eq(done.status, 0, "%s: %d %s", answers[i][0], done.status, done.err);
		cr_assert(has(done.out, answers[i][1]), "%s: %s", answers[i][0], done.out);
		cr_assert_eq(done.err_size, 0, "%s: %s", answers[i][0], done.err);
	}
}

Test(command, wrong_options_are_one_line_and_status_2)
{
	static const char *const wrong[][3] = {
		{ "--no-such-option" },
		{ "-Z" },
		{ "-o", "no_such_option" },
		{ "--max-sessions", "many" },
		{ "--max-sessions=-1" },
		{ "-o", "max-sessions=x" },
		{ "--patience", "0" },
		{ "--ids", "0-65535" },
		{ "--ids", "100000" },
		{ "-o", "patience=5s" },
		{ "--spool" },
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const char *argv[] = { mimoboxfs(), wrong[i][0], wrong[i][1], NULL, NULL };

		argv[wrong[i][1] ? 3 : 2] = strcmp(wrong[i][0], "--spool") ? fixture.mount : NULL;
		assert_complaint(run(argv), 2, wrong[i][0]);
	}
}

Test(command, no_mount_point_is_one_line_and_status_2)
{
	assert_complaint(run((const char *const[]){ mimoboxfs(), NULL }), 2, "no arguments");
	assert_complaint(run((const char *const[]){ mimoboxfs(), "-f", NULL }), 2, "-f");
}

/* The daemon would wait for itself in a directory of its own below its mount. */
Test(command, its_own_directories_are_elsewhere)
{
	static const char *const options[] = { "--spool", "--workspaces" };

	for (unsigned i = 0; i < 2; i++)
		assert_complaint(run((const char *const[]){ mimoboxfs(), options[i], fixture.mount,
							    fixture.mount, NULL }),
				 2, options[i]);
	/* a way through it is no place in it */
	fixture_daemon(
		(const char *const[]){ "--workspaces", text("%s/../w", fixture.mount), NULL });
	session_make("a");
	cr_assert_eq(rmdir(at("a")), 0);
}

/* What somebody may put there, or take away, before the next try: status 1. */
Test(command, what_is_in_the_way_is_one_line_and_status_1)
{
	const char *file = text("%s/file", fixture.dir);

	sh(text("echo > %s", file));
	assert_complaint(run((const char *const[]){ mimoboxfs(), "--spool", "/nowhere",
						    fixture.mount, NULL }),
			 1, "no spool directory");
	assert_complaint(run((const char *const[]){ mimoboxfs(), file, NULL }), 1,
			 "a file as mount point");
	assert_complaint(run((const char *const[]){ mimoboxfs(), "/nowhere/at/all", NULL }), 1,
			 "no parent directory");
	assert_complaint(run((const char *const[]){ mimoboxfs(), "--defaults", "/nowhere",
						    fixture.mount, NULL }),
			 1, "no defaults file");
	assert_complaint(run((const char *const[]){ mimoboxfs(), "--ceiling", "/nowhere",
						    fixture.mount, NULL }),
			 1, "no ceiling file");
}

Test(command, wrong_texts_are_one_line_and_status_2)
{
	static const char *const texts[] = { "memroy 1", "memory 1M\\000", "memory none of it" };
	static const char *const options[] = { "--defaults", "--ceiling" };

	for (unsigned i = 0; i < 6; i++) {
		sh(text("printf '%s' > %s/text", texts[i / 2], fixture.dir));
		assert_complaint(run((const char *const[]){ mimoboxfs(), options[i % 2],
							    text("%s/text", fixture.dir),
							    fixture.mount, NULL }),
				 2, texts[i / 2]);
	}
}

TestSuite(machine, .fini = fixture_stop, .timeout = 60);

Test(machine, without_dev_fuse)
{
	struct run done;

	fixture_private_mounts();
	fixture_prepare();
	sh("mount -t tmpfs -o mode=755 none /dev; cd /dev;"
	   "mknod -m 666 null c 1 3; mknod -m 666 zero c 1 5; mknod -m 666 full c 1 7;"
	   "mknod -m 666 random c 1 8; mknod -m 666 urandom c 1 9; mknod -m 666 tty c 5 0;"
	   "mkdir pts; mount -t devpts -o ptmxmode=666 none pts; ln -s pts/ptmx ptmx");
	done = run((const char *const[]){ mimoboxfs(), fixture.mount, NULL });
	assert_complaint(done, 3, "no /dev/fuse");
	cr_assert(has(done.err, "/dev/fuse"), "%s", done.err);
	/* and with it, in the same place */
	sh("mknod /dev/fuse c 10 229");
	fixture_daemon(NULL);
}

/*
 * In a user namespace with all the ids of the machine and none below it: what holds it has its
 * maps written from outside, and then it is entered.
 */
Test(machine, without_user_namespaces)
{
	struct run done;

	fixture_private_mounts();
	fixture_prepare();
	setenv("FS", mimoboxfs(), 1);
	setenv("D", fixture.workspaces, 1);
	done = run_shell(
		"sh", "cd $M/..; mkfifo ready go; unshare -Um sh -c 'echo > ready; read x < go' &"
		      "read x < ready; echo 0 0 4294967295 > /proc/$!/uid_map;"
		      "echo 0 0 4294967295 > /proc/$!/gid_map;"
		      "nsenter -t $! -U -m sh -c 'echo 0 > /proc/sys/user/max_user_namespaces;"
		      "exec \"$FS\" --workspaces \"$D\" \"$M\"'; x=$?; echo > go; wait; exit $x");
	assert_complaint(done, 3, "no user namespaces");
	cr_assert(has(done.err, "as root: sysctl user.max_user_namespaces=15000"), "%s", done.err);
}

/* As in a container that has but one id: what is missing has a name. */
Test(machine, without_ids)
{
	struct run done;

	fixture_private_mounts();
	fixture_prepare();
	setenv("FS", mimoboxfs(), 1);
	setenv("D", fixture.workspaces, 1);
	done = run_shell("sh", "exec unshare -Urm \"$FS\" --workspaces \"$D\" \"$M\"");
	assert_complaint(done, 3, "no ids");
	cr_assert(has(done.err, "lacks the ids of sessions"), "%s", done.err);
}

/* As from /etc/fstab: mount(8) calls mount.fuse3, and that finds the program by its own PATH. */
Test(machine, mounted_by_mount)
{
	int status;

	if (run_shell("sh", "command -v mount.fuse3 || ls /sbin/mount.fuse3").status)
		cr_skip_test("no mount.fuse3 here");
	fixture_private_mounts();
	fixture_prepare();
	sh(text("mount -t tmpfs none /usr/local/bin; cp %s /usr/local/bin/mimoboxfs;"
		"mount -t fuse.mimoboxfs -o spool=%s,workspaces=%s,max-sessions=1 none $M",
		mimoboxfs(), fixture.spool, fixture.workspaces));
	fixture_adopt();
	session_run("a", "command exit 7\n", &status);
	cr_assert_eq(status, 7);
	cr_assert_eq(mkdir(at("b"), 0755), -1);
}

/* Mounting */

Test(command, makes_the_mount_point)
{
	cr_assert_eq(rmdir(fixture.mount), 0);
	fixture_daemon(NULL);
	cr_assert(fixture_mounted());
	sh("grep -q \" $M fuse.mimoboxfs rw,nosuid,nodev\" /proc/mounts");
}

Test(command, options_in_o_form)
{
	fixture_daemon((const char *const[]){ "-o", "max-sessions=2,noatime", NULL });
	session_make("a");
	session_make("b");
	cr_assert_eq(mkdir(at("c"), 0700), -1);
	cr_assert_eq(errno, EAGAIN, "%s", strerror(errno));
	cr_assert_eq(rmdir(at("a")), 0);
	session_make("c");
}

Test(command, defaults_file)
{
	int status;
	char *out;

	sh("printf '# ours\\ntimeout 9s\\ncommand echo from-defaults\\n' > $M/../defaults");
	fixture_daemon(
		(const char *const[]){ "--defaults", text("%s/defaults", fixture.dir), NULL });
	cr_assert_str_eq(get_value("defaults", "timeout"), "9s");
	out = session_run("a", NULL, &status);
	cr_assert_str_eq(out, "from-defaults\n");
	cr_assert_str_eq(get_value("a/config", "timeout"), "9s");
}

Test(command, in_the_foreground)
{
	const char *const argv[] = { mimoboxfs(),    "-f",
				     "--spool",      fixture.spool,
				     "--workspaces", fixture.workspaces,
				     fixture.mount,  NULL };
	pid_t pid = spawn(argv);
	int status;

	for (int i = 0; i < 500 && !fixture_mounted(); i++)
		pause_ms(20);
	session_run("a", "command exit 6\n", &status);
	cr_assert_eq(status, 6);
	cr_assert_eq(kill(pid, SIGINT), 0);
	cr_assert(ended(pid, 10000, &status));
	cr_assert_eq(status, 0);
	fixture_nothing_left(pid);
}

Test(command, a_second_one_in_the_same_place_is_refused)
{
	struct run done;
	const char *newline;

	fixture_daemon(NULL);
	session_make("a");
	done = run((const char *const[]){ mimoboxfs(), fixture.mount, NULL });
	newline = strchr(done.err, '\n');
	cr_assert_eq(done.status, 1, "%d %s", done.status, done.err);
	cr_assert(newline && newline[1] == '\0', "%s", done.err);
	cr_assert_eq(access(at("a"), F_OK), 0, "the first one does not serve any more");
}

static void ended_by(const char *script)
{
	fixture_daemon(NULL);
	session_start("a", text("command sleep %u\n", marker()));
	sh(script);
	fixture_daemon_ended(0);
}

Test(command, ended_by_fusermount3)
{
	ended_by("fusermount3 -u $M");
}

Test(command, ended_by_umount)
{
	ended_by("umount $M");
}

/* A process that has the mount in a mount namespace of its own. */
static pid_t hold_elsewhere(void)
{
	const char *ready = text("%s/held", fixture.dir);
	pid_t holder = spawn(
		(const char *const[]){ "unshare", "-m", "sh", "-c",
				       text("cd $M && : > %s && exec sleep 600", ready), NULL });

	cr_assert(await(file_there, ready, 20000));
	unlink(ready);
	return holder;
}

static void let_go(pid_t holder)
{
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

Test(command, ended_by_umount_though_another_namespace_has_it)
{
	char *sleeper = text("%u", marker());
	pid_t holder;

	fixture_daemon(NULL);
	session_start("a", text("command sleep %s\n", sleeper));
	holder = hold_elsewhere();
	sh("umount $M");
	fixture_daemon_ended(0);
	cr_expect(await(none_with, sleeper, 5000));
	let_go(holder);
}

/* The server that goes on in its place knows which mount it is. */
Test(command, ended_by_umount_after_a_servers_death)
{
	pid_t holder, server;

	fixture_daemon(NULL);
	server = fixture_server();
	if (!server || server == fixture.daemon)
		cr_skip_test("there is no keeper");
	fixture.crashed = true;
	kill(server, SIGKILL);
	session_make("a");
	holder = hold_elsewhere();
	sh("umount $M");
	fixture_daemon_ended(0);
	let_go(holder);
}

/* Nor by what is mounted elsewhere, or over it, or by a bind of it. */
Test(command, not_ended_by_other_mounts)
{
	fixture_daemon(NULL);
	session_start("a", "command read x; exit 4\n");
	sh("mkdir $M/../o && mount -t tmpfs none $M/../o && mount --bind $M $M/../o && "
	   "umount $M/../o && umount $M/../o && mount -t tmpfs none $M && : > $M/over && umount $M "
	   "&& rmdir $M/../o");
	put_all("a/input", "\n");
	cr_expect_eq(session_exit("a"), 4);
	fixture_daemon_ended(SIGTERM);
}

static int read_to_end(const void *path)
{
	size_t size;

	get(path, &size);
	return (int)size;
}

Test(command, ended_by_sigterm_with_everything_in_flight)
{
	char *sleeper = text("%u", marker());
	pid_t readers[4];
	int status;

	fixture_daemon(NULL);
	session_start("a", text("command trap '' TERM; printf 12345; sleep %s\n", sleeper));
	session_start("b", text("command setsid sleep %s & sleep %s\n", sleeper, sleeper));
	session_make("c");
	for (unsigned i = 0; i < 4; i++)
		readers[i] = spawn_function(read_to_end, i < 2 ? "a/output" : "a/exit");
	for (unsigned i = 0; i < 4; i++)
		cr_assert(await(process_reads, &readers[i], 2000));
	pause_ms(50);
	fixture_daemon_ended(SIGTERM);
	cr_assert(none_with(sleeper));
	for (unsigned i = 0; i < 4; i++) {
		cr_assert(ended(readers[i], 2000, &status), "reader %u is still parked", i);
		cr_assert_eq(status, i < 2 ? 5 : 3, "reader %u: %d", i, status); /* "-9\n" */
	}
}

Test(command, killed_leaves_no_sandbox_and_no_mount)
{
	char *sleeper = text("%u", marker());
	pid_t dead;
	int status, fd;
	char byte;

	fixture_daemon(NULL);
	session_start("a", text("command trap '' TERM HUP; setsid sleep %s & sleep %s\n", sleeper,
				sleeper));
	session_start("b", text("argv [\"sleep\",\"%s\"]\n", sleeper));
	cr_assert(await(any_with, sleeper, 5000));
	dead = fixture.daemon;
	fd = open(at("a/output"), O_RDONLY | O_CLOEXEC);
	cr_assert(fd >= 0);
	fixture.crashed = true;
	kill(dead, SIGKILL);
	cr_assert(ended(dead, 5000, &status));
	cr_assert(await(none_with, sleeper, 5000), "%u processes live on", processes_with(sleeper));
	cr_assert_eq(read(fd, &byte, 1), -1);
	cr_assert(errno == ENOTCONN || errno == ECONNABORTED, "%s", strerror(errno));
	close(fd);
	cr_assert(await(fixture_unmounted, NULL, 5000), "the dead mount is left");
	/* The last one holds the lock of the cgroups, which the next daemon removes. */
	cr_assert(await(fixture_alone, NULL, 5000), "a process of the killed daemon lives on");
	fixture_daemon(NULL);
	cr_assert_eq(access(at("a"), F_OK), -1);
	cr_assert_eq(errno, ENOENT);
	session_run("a", "command exit 8\n", &status);
	cr_assert_eq(status, 8);
	fixture_daemon_ended(SIGTERM);
	fixture_nothing_left(dead);
}
