/* SPDX-License-Identifier: MIT */
/*
 * Two kinds of mount: root's, which serves every user, and an ordinary user's own.
 *
 * These tests live in a mount namespace of their own, in which /dev/fuse is what it is on most
 * machines (0666), and in which /etc/passwd and /etc/group have two more users: nothing of the
 * machine is changed, and it all goes with the test's process.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

enum { ANN = 23451, BOB = 23452 };

static void users_prepare(void)
{
	fixture_private_mounts();
	fixture_prepare();
	chmod(fixture.dir, 0755);
	sh("cd $M/..; mkdir etc; mount -t tmpfs -o mode=755 none etc; cp /etc/passwd /etc/group "
	   "etc;"
	   "echo 'ann:x:23451:23451::/tmp:/bin/sh' >> etc/passwd; echo 'ann:x:23451:' >> etc/group;"
	   "echo 'bob:x:23452:23452::/tmp:/bin/sh' >> etc/passwd; echo 'bob:x:23452:' >> etc/group;"
	   "mknod etc/fuse c 10 229; chmod 666 etc/fuse;"
	   "mount --bind etc/passwd /etc/passwd; mount --bind etc/group /etc/group;"
	   "mount --bind etc/fuse /dev/fuse");
	/* the programs, where users can get at them */
	cr_assert(getenv("CLIENT") != NULL);
	sh(text("cd $M/..; cp %s mimoboxfs; cp %s mimobox; chmod 755 mimoboxfs mimobox",
		mimoboxfs(), getenv("CLIENT")));
	setenv("MIMOBOX", fixture.mount, 1);
}

static struct run as(const char *user, const char *script)
{
	return run((const char *const[]){ "setpriv", "--reuid", user, "--regid", user,
					  "--clear-groups", "env", "-u", "XDG_RUNTIME_DIR",
					  "HOME=/tmp", "sh", "-c", script, NULL });
}

static char *as_ok(const char *user, const char *script)
{
	struct run done = as(user, script);

	cr_assert_eq(done.status, 0, "%s: %s: %d: %s%s", user, script, done.status, done.out,
		     done.err);
	return done.out;
}

static void shared_start(void)
{
	users_prepare();
	fixture_daemon(NULL);
}

TestSuite(shared, .init = shared_start, .fini = fixture_stop, .timeout = 60);

Test(shared, everyone_sees_names_and_opens_their_own)
{
	static const char *const files[] = { "output", "exit",       "config", "status",
					     "log",    "transcript", "size",   "ctl" };

	as_ok("ann", "umask 022; mkdir $M/a; echo 'echo secret; exit 3' > $M/a/input");
	cr_assert_str_eq(as_ok("ann", "cat $M/a/exit"), "3\n");
	cr_assert(has(as_ok("ann", "cat $M/a/output"), "secret\r\n"));
	cr_assert(has(as_ok("bob", "ls -A $M"), "a\ndefaults\n"));
	for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct run denied = as("bob", text("cat $M/a/%s", files[i]));

		cr_expect(has(denied.err, "Permission denied"), "%s: %s%s", files[i], denied.out,
			  denied.err);
		cr_expect_eq(denied.out_size, 0);
		as_ok("ann", text("cat $M/a/%s", files[i]));
	}
	cr_assert(has(as("bob", "echo x > $M/a/input").err, "Permission denied"));
	cr_assert(has(as("bob", "echo kill > $M/a/ctl").err, "Permission denied"));
	cr_assert_neq(as("bob", "rmdir $M/a").status, 0);
	cr_assert_eq(access(at("a"), F_OK), 0);
	/* and bob has his own */
	as_ok("bob", "mkdir $M/b; echo 'exit 4' > $M/b/input; cat $M/b/exit");
	as_ok("ann", "rmdir $M/a");
}

Test(shared, stats_are_of_ones_own)
{
	as_ok("ann", "mkdir $M/a $M/b; echo 'command read x' > $M/a/config; echo start > $M/a/ctl");
	as_ok("bob", "mkdir $M/c");
	cr_expect_str_eq(as_ok("ann", "cat $M/stats"), "sessions 2\nrunning 1\n");
	cr_expect_str_eq(as_ok("bob", "cat $M/stats"), "sessions 1\nrunning 0\n");
	cr_expect_str_eq(get_value("stats", "sessions"), "3");
	cr_expect_str_eq(get_value("stats", "starts"), "1");
	as_ok("ann", "rmdir $M/a $M/b");
	cr_expect_str_eq(as_ok("ann", "cat $M/stats"), "sessions 0\nrunning 0\n");
}

Test(shared, defaults_are_roots)
{
	char *before = get("defaults", NULL);

	cr_assert_str_eq(as_ok("ann", "cat $M/defaults"), before);
	cr_assert_neq(as("ann", "echo 'timeout 5s' > $M/defaults").status, 0);
	cr_assert_str_eq(get("defaults", NULL), before);
}

Test(shared, programs_run_as_the_owner)
{
	pid_t pid;

	as_ok("ann", "mkdir $M/a; echo 'command read x' > $M/a/config; echo start > $M/a/ctl");
	pid = session_pid("a");
	cr_assert_eq(strtol(process_fact(pid, "Uid"), NULL, 10), ANN, "%s",
		     process_fact(pid, "Uid"));
	cr_assert_eq(strtol(process_fact(pid, "Gid"), NULL, 10), ANN);
	cr_assert_eq(strspn(process_fact(pid, "Groups"), " "), strlen(process_fact(pid, "Groups")));
	cr_assert_str_eq(process_fact(pid, "CapBnd"), "0000000000000000");
}

/* A command cannot be read through /proc by another user while it sets itself up, or later. */
Test(shared, owner_of_the_files)
{
	struct stat st;

	as_ok("ann", "umask 077; mkdir $M/a");
	cr_assert_eq(stat(at("a"), &st), 0);
	cr_assert(st.st_uid == ANN && st.st_gid == ANN);
	cr_assert_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(stat(at("a/output"), &st), 0);
	cr_assert(st.st_uid == ANN && st.st_gid == ANN);
	cr_assert(has(as("bob", "ls $M/a").err, "Permission denied"));
}

/* The client, as a user; of another's sessions `ls` has the names. */
Test(shared, client)
{
	struct run done = as("ann", "echo in | $M/../mimobox run -- sh -c 'id -u; cat; exit 3'");

	cr_assert_eq(done.status, 3, "%s", done.err);
	cr_assert_str_eq(done.out, "1000\nin\n");
	as_ok("bob", "umask 077; mkdir $M/b; echo 'command read x' > $M/b/config");
	cr_assert(has(as_ok("ann", "$M/../mimobox ls"), "\nb     -      -    -    -       -\n"));
	cr_assert(has(as_ok("bob", "$M/../mimobox ls"), "\nb     created  "));
	done = as("ann", "$M/../mimobox rm b; $M/../mimobox attach b");
	cr_assert(done.status == 125 && has(done.err, "b: "), "%s", done.err);
	cr_assert_eq(access(at("b"), F_OK), 0);
	done = as("ann", "$M/../mimobox doctor");
	cr_assert_eq(done.status, 0, "%s%s", done.out, done.err);
	cr_assert(has(done.out, "runs sessions: nothing else is needed"), "%s", done.out);
}

/* A user's own mount, made by this user. */

static void own_serve(const char *options)
{
	cr_assert_eq(chown(fixture.dir, ANN, ANN), 0);
	cr_assert_eq(chown(fixture.mount, ANN, ANN), 0);
	as_ok("ann", text("%s/mimoboxfs %s --spool %s --workspaces %s $M", fixture.dir, options,
			  fixture.spool, fixture.workspaces));
	fixture_adopt();
}

static void own_start(void)
{
	users_prepare();
	own_serve("");
}

TestSuite(own, .init = own_start, .fini = fixture_stop, .timeout = 60);

Test(own, the_ten_lines)
{
	char *out;
	struct stat st;

	out = as_ok("ann", "mkdir $M/build; echo 'timeout 30s' >> $M/build/config;"
			   "echo start > $M/build/ctl; echo 'uname -a; exit 3' > $M/build/input;"
			   "cat $M/build/output; cat $M/build/exit; echo '30 90' > $M/build/size;"
			   "echo kill > $M/build/ctl; rmdir $M/build; ls -d $M/b* 2>&1 || :");
	cr_assert(has(out, "Linux ") && has(out, "\n3\n") && has(out, "No such file"), "%s", out);
	/* not even root sees a user's own mount */
	cr_assert_eq(stat(at("defaults"), &st), -1);
	cr_assert_eq(errno, EACCES, "%s", strerror(errno));
	as_ok("ann", "fusermount3 -u $M");
	fixture_daemon_ended(0);
}

/* What cannot be enforced without cgroups is not asked for, visibly; asking for it is refused. */
Test(own, limits_are_none_where_they_cannot_be)
{
	static const char *const limits[] = { "memory 32M", "processes 20", "cpu 0.5" };
	char *config;
	struct run done;

	config = as_ok("ann", "cat $M/defaults");
	cr_assert(has(config, "\nmemory none\n") && has(config, "\nprocesses none\n") &&
			  has(config, "\ncpu none\n"),
		  "%s", config);
	for (unsigned i = 0; i < 3; i++) {
		done = as("ann",
			  text("mkdir $M/l; echo '%s' > $M/l/config && echo start > $M/l/ctl",
			       limits[i]));
		cr_expect_neq(done.status, 0, "%s", limits[i]);
		config = as_ok("ann", "cat $M/l/log");
		cr_expect(has(config, text("start failed: %.*s: ", (int)strcspn(limits[i], " "),
					   limits[i])),
			  "%s: %s", limits[i], config);
		as_ok("ann", "rmdir $M/l");
	}
	done = as("ann", "mkdir $M/a; echo 'memory 32M' > $M/a/config && echo start > $M/a/ctl");
	cr_assert_neq(done.status, 0);
	as_ok("ann", "echo 'memory none' > $M/a/config; echo 'command exit 5' > $M/a/config;"
		     "echo start > $M/a/ctl; test $(cat $M/a/exit) = 5");
	/* its programs have the user's id, and see nothing of the user's */
	as_ok("ann", "mkdir $M/b; echo 'command ls -A /home; ls /root 2>/dev/null; read x' >"
		     "$M/b/config; echo start > $M/b/ctl");
	cr_assert_str_eq(as_ok("ann", "head -n 1 $M/b/output | tr -d '\\r'"), "sandbox\n");
	as_ok("ann", "grep -q '^uid 23451' $M/b/status");
}

Test(own, client)
{
	struct run done = as("ann", "$M/../mimobox run -- sh -c 'id -u; kill -TERM $$'");

	cr_assert_eq(done.status, 128 + SIGTERM, "%d %s", done.status, done.err);
	cr_assert_str_eq(done.out, "1000\n");
	cr_assert(has(as_ok("ann", "$M/../mimobox doctor"), "runs sessions"));
	done = run((const char *const[]){ getenv("CLIENT"), "doctor", NULL });
	cr_assert(done.status == 1 && has(done.out, "is it another user's?"), "%s", done.out);
}

TestSuite(own_ceiling, .init = users_prepare, .fini = fixture_stop, .timeout = 60);

/* Nobody is bounded in what is theirs alone. */
Test(own_ceiling, bounds_nobody)
{
	char *ceiling = text("%s/ceiling", fixture.dir);

	sh(text("printf 'retain 64K\nuser-sessions 0\n' > %s; chmod 644 %s", ceiling, ceiling));
	own_serve(text("--ceiling %s", ceiling));
	as_ok("ann", "mkdir $M/a; echo 'retain 65K' > $M/a/config; echo 'exit 4' > $M/a/input;"
		     "test $(cat $M/a/exit) = 4");
}

/* The machine lets users mount for others, or not. */
Test(own_ceiling, allow_other_as_the_machine_has_it)
{
	const char *command = text("%s/mimoboxfs -o allow_other --spool %s --workspaces %s $M",
				   fixture.dir, fixture.spool, fixture.workspaces);
	struct run refused;

	cr_assert_eq(chown(fixture.dir, ANN, ANN), 0);
	cr_assert_eq(chown(fixture.mount, ANN, ANN), 0);
	sh("echo '#user_allow_other' > $M/../fuse.conf; chmod 644 $M/../fuse.conf; "
	   "mount --bind $M/../fuse.conf /etc/fuse.conf");
	refused = as("ann", command);
	cr_expect_eq(refused.status, 3, "%d: %s", refused.status, refused.err);
	cr_expect(has(refused.err, "leave out -o allow_other, or as root: "), "%s", refused.err);
	/* the control */
	sh("echo user_allow_other > /etc/fuse.conf");
	as_ok("ann", command);
	fixture_adopt();
	cr_expect_eq(access(at("defaults"), F_OK), 0);
}
