/* SPDX-License-Identifier: MIT */
/* mimobox doctor on machines that lack something: namespaces and filters make them so. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

static void doctor_start(void)
{
	fixture_private_mounts();
	fixture_start();
	unsetenv("XDG_RUNTIME_DIR");
	setenv("MIMOBOX", fixture.mount, 1);
	setenv("C", getenv("CLIENT"), 1);
}

TestSuite(doctor, .init = doctor_start, .fini = fixture_stop, .timeout = 60);

/* The line of the layer: "" where there is none. */
static char *line_of(const struct run *run, const char *layer)
{
	char *copy = text("%s", run->out);

	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
		if (has(line, text("  %s  ", layer)))
			return line;
	return text("%s", "");
}

/* Run so, the doctor ends with `status`, and says of the layer what begins and holds these. */
static void told(const char *script, int status, const char *layer, const char *level,
		 const char *part)
{
	struct run done = run_shell("sh", script);
	char *line = line_of(&done, layer);

	cr_expect_eq(done.status, status, "%s: %d\n%s%s", script, done.status, done.out, done.err);
	cr_expect(!strncmp(line, level, strlen(level)) && has(line, part), "%s: %s: '%s'\n%s",
		  script, layer, line, done.out);
	cr_expect_str_eq(done.err, "", "%s", done.err);
}

Test(doctor, all_is_there)
{
	struct run done = run_shell("sh", "$C doctor");

	cr_assert_eq(done.status, 0, "%s%s", done.out, done.err);
	cr_assert(!has(done.out, "missing  ") && !has(done.out, "\033"), "%s", done.out);
	cr_assert(has(line_of(&done, "Landlock"), "version"));
	cr_assert(has(line_of(&done, "mount"), text("%s answers", fixture.mount)));
}

Test(doctor, device)
{
	told("mount -t tmpfs none /dev && $C doctor", 1, "/dev/fuse", "missing", "modprobe fuse");
	told("umount /dev; : > $M/../file; mount --bind $M/../file /dev/fuse; chmod 600 $M/../file;"
	     "cp $C $M/../c; chmod 755 $M/../c;"
	     "setpriv --reuid 23450 --regid 23450 --clear-groups $M/../c doctor",
	     1, "/dev/fuse", "missing", "chmod 666 /dev/fuse");
	sh("umount /dev/fuse");
}

Test(doctor, fusermount)
{
	sh("f=$(readlink -f $(command -v fusermount3)); cp $f $M/../f; chmod 755 $M/../f;"
	   "mount --bind $M/../f $f; cp $C $M/../c; chmod 755 $M/../c");
	told("$C doctor", 0, "fusermount3", "warn", "chmod u+s");
	told("setpriv --reuid 23450 --regid 23450 --clear-groups $M/../c doctor", 1, "fusermount3",
	     "missing", "not setuid root");
	sh("umount $(readlink -f $(command -v fusermount3))");
	told("mount -t tmpfs none /bin; $C doctor", 0, "fusermount3", "warn", "the package fuse3");
}

Test(doctor, user_namespaces)
{
	told("unshare -U -r sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; $C doctor'", 1,
	     "user namespaces", "missing", "sysctl user.max_user_namespaces=");
}

Test(doctor, cgroups)
{
	told("mount -t tmpfs none /sys/fs/cgroup; $C doctor", 0, "cgroups", "warn",
	     "cannot limit memory pids cpu");
}

Test(doctor, mount)
{
	char *daemon = text("kill -KILL %d", fixture.daemon);
	pid_t unmounter = fixture_child(fixture.server, "mimobox-unmount");

	told("$C doctor --mount /nonexistent", 0, "mount", "warn", "mimoboxfs /nonexistent");
	told(text("kill -STOP %d; $C doctor; x=$?; kill -CONT %d; exit $x", fixture.server,
		  fixture.server),
	     1, "mount", "missing", "timed out");
	/* it would take the mount away */
	cr_assert_gt(unmounter, 0);
	cr_assert_eq(kill(unmounter, SIGKILL), 0);
	fixture.crashed = true;
	sh(daemon);
	cr_assert(ended(fixture.daemon, 10000, NULL));
	fixture.daemon = 0;
	told("$C doctor", 1, "mount", "missing", "has died; mimoboxfs ");
}

/* A call that fails so, from here on. */
static int filtered(const char *call, int error, unsigned flags)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int failed = filter == NULL;

	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)error),
				   seccomp_syscall_resolve_name(call), flags ? 1 : 0,
				   SCMP_A0(SCMP_CMP_MASKED_EQ, flags, flags));
	failed |= seccomp_load(filter);
	seccomp_release(filter);
	return failed;
}

Test(doctor, landlock_is_not_there)
{
	cr_assert_eq(filtered("landlock_create_ruleset", ENOSYS, 0), 0);
	told("$C doctor", 1, "Landlock", "missing", "CONFIG_SECURITY_LANDLOCK");
}

Test(doctor, landlock_is_off)
{
	cr_assert_eq(filtered("landlock_create_ruleset", EOPNOTSUPP, 0), 0);
	told("$C doctor", 1, "Landlock", "missing", "lsm=");
}

Test(doctor, namespaces_are_filtered)
{
	cr_assert_eq(filtered("unshare", EPERM, CLONE_NEWUSER), 0);
	told("$C doctor", 1, "user namespaces", "missing", "seccomp filter");
}

Test(doctor, seccomp_is_not_there)
{
	cr_assert_eq(filtered("seccomp", ENOSYS, 0), 0);
	told("$C doctor", 1, "seccomp", "missing", "CONFIG_SECCOMP_FILTER");
}
