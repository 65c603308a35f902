/* SPDX-License-Identifier: MIT */
/* mimobox doctor on machines that lack something: namespaces and filters make them so. */
#include <criterion/criterion.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

static void doctor_start(void)
{
	fixture_private_mounts();
	fixture_start();
	unsetenv("XDG_RUNTIME_DIR");
	setenv("MIMOBOX", fixture.mount, 1);
	/* The tree may be where only root comes: both programs beside each other, for every user.
	 */
	sh("mkdir -m 755 $M/../p && cp $CLIENT $M/../p/mimobox && cp $MIMOBOXFS $M/../p/mimoboxfs "
	   "&&"
	   "chmod 755 $M/../p/*");
	setenv("C", text("%s/../p/mimobox", fixture.mount), 1);
	setenv("D", text("%s doctor --mount /nonexistent", getenv("C")), 1);
	setenv("U", "setpriv --reuid 23450 --regid 23450 --clear-groups", 1);
	setenv("container", "none", 1); /* where the tests themselves run in one */
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
	struct run done = run_shell("sh", "$D");

	cr_assert_eq(done.status, 0, "%s%s", done.out, done.err);
	cr_assert(!has(done.out, "missing  ") && !has(done.out, "\033"), "%s", done.out);
	cr_assert(has(line_of(&done, "/dev/fuse"), "can be opened"));
	cr_assert(has(line_of(&done, "sandbox"), "one was made"));
	cr_assert(has(line_of(&done, "Landlock"), "version"));
	cr_assert(has(line_of(&done, "cgroups"), "can limit memory processes cpu"));
	cr_assert(has(line_of(&done, "mounting"), "was mounted"));
	cr_assert_str_eq(sh("ls -d /tmp/mimoboxfs-* 2>/dev/null || :"), "");
}

/* Its version is played by a number in the process's personality: 2.6.60 and more. */
Test(doctor, kernel)
{
	told("exec setarch --uname-2.6 $C doctor", 0, "kernel", "warn", "5.15 and later");
}

Test(doctor, overlay)
{
	told("$C doctor", 0, "overlay", "ok", "the kernel has overlayfs");
	told("exec unshare -m sh -c 'mount --bind /dev/null /proc/filesystems; $C doctor'", 0,
	     "overlay", "warn", "modprobe overlay");
}

/* Whether this machine has them or not, nothing else needs them. */
Test(doctor, quotas)
{
	told("$C doctor", 0, "quotas", "ok", "project quotas");
}

/* As in a container that has been given one. */
Test(doctor, a_mount_is_enough)
{
	struct run done =
		run_shell("sh", "exec unshare -m sh -c 'mount -t tmpfs none /dev; $C doctor'");

	cr_assert_eq(done.status, 0, "%s%s", done.out, done.err);
	cr_assert(has(line_of(&done, "mount"), "runs sessions: nothing else is needed"));
	cr_assert(!has(done.out, "/dev/fuse"), "%s", done.out);
	cr_assert_str_eq(session_names(), "");
}

/* A doctor in another PID namespace may have the same PID. */
Test(doctor, takes_and_removes_no_name_of_others)
{
	told("mkdir $M/doctor-$$; exec $C doctor", 0, "mount", "ok", "runs sessions");
	cr_assert(has(session_names(), "doctor-"));
}

Test(doctor, a_mount_that_refuses)
{
	sh("echo 'ro /nonexistent' >> $M/defaults");
	told("$C doctor", 1, "mount", "missing", "start failed: path: /nonexistent: No such");
	cr_assert_str_eq(session_names(), "");
}

Test(doctor, a_mount_that_is_full)
{
	fixture_daemon_ended(SIGTERM);
	fixture_daemon((const char *const[]){ "--max-sessions", "1", NULL });
	sh("until mkdir $M/a 2>&1; do :; done"); /* the daemon's own try may be on its way out */
	told("$C doctor", 1, "mount", "missing", "--max-sessions");
}

Test(doctor, device)
{
	told("mount -t tmpfs none /dev && $D", 1, "/dev/fuse", "missing", "modprobe fuse");
	told("container=docker $D", 1, "/dev/fuse", "missing", "docker run --device /dev/fuse");
	told("umount /dev; : > $M/../file; mount --bind $M/../file /dev/fuse; chmod 600 $M/../file;"
	     "$U $D",
	     1, "/dev/fuse", "missing", "chmod 666 /dev/fuse");
	sh("umount /dev/fuse");
}

Test(doctor, fusermount)
{
	sh("f=$(readlink -f $(command -v fusermount3)); cp $f $M/../f; chmod 755 $M/../f;"
	   "mount --bind $M/../f $f");
	told("$D", 0, "fusermount3", "warn", "chmod u+s");
	told("$U $D", 1, "fusermount3", "missing", "not setuid root");
	sh("umount $(readlink -f $(command -v fusermount3))");
	told("mount -t tmpfs none /bin; PATH=${PATH%%:*} $D", 1, "fusermount3", "warn",
	     "the package fuse3");
}

Test(doctor, without_mimoboxfs)
{
	told("$CLIENT doctor --mount /nonexistent", 1, "sandbox", "missing",
	     "mimoboxfs is not found");
}

Test(doctor, core_dumps)
{
	sh("echo '|/bin/cat' > $M/../pattern; echo @/run/cores > $M/../socket");
	told("exec unshare -m sh -c 'mount --bind $M/../pattern /proc/sys/kernel/core_pattern; $C "
	     "doctor'",
	     0, "core dumps", "ok", "|/bin/cat");
	told("exec unshare -m sh -c 'mount --bind $M/../socket /proc/sys/kernel/core_pattern; $C "
	     "doctor'",
	     0, "core dumps", "warn", "@/run/cores; crashes inside reach that socket");
}

/* What a container without CAP_SYS_ADMIN has. */
Test(doctor, mounting)
{
	told("setpriv --bounding-set=-sys_admin $D", 1, "mounting", "missing", "CAP_SYS_ADMIN");
	told("container=docker setpriv --bounding-set=-sys_admin $D", 1, "mounting", "missing",
	     "docker run --device /dev/fuse --cap-add SYS_ADMIN");
}

/* As rootless containers have it: root has ids, but not those of sessions. */
Test(doctor, ids)
{
	told("unshare -U -r -m $D", 1, "sandbox", "missing", "lacks the ids of sessions");
	told("container=podman unshare -U -r -m $D", 1, "sandbox", "missing", "--userns keep-id");
}

/* As container managers have it; then no sandbox can have a /proc of its own. */
Test(doctor, parts_of_proc_are_hidden)
{
	sh("mount --bind /dev/null /proc/timer_list");
	told("$D", 1, "sandbox", "missing", "unmount what is mounted below /proc");
	told("container=podman $D", 1, "sandbox", "missing", "--security-opt unmask=ALL");
	told("container=docker $D", 1, "sandbox", "missing", "systempaths=unconfined");
	sh("umount /proc/timer_list");
}

Test(doctor, chroot)
{
	told("mkdir $M/../root; cd $M/../root; mkdir bin dev etc lib lib64 proc sys usr var tmp;"
	     "exec unshare -m sh -c 'for d in *; do mount --rbind /$d $d; done; exec chroot . $D'",
	     1, "sandbox", "missing", "pivot_root");
	sh("cd $M/../root; rmdir *; rmdir ../root");
}

Test(doctor, cgroups)
{
	told("mount -t tmpfs none /sys/fs/cgroup; $D", 0, "cgroups", "warn",
	     "mount -t cgroup2 none /sys/fs/cgroup");
	told("container=podman $D", 0, "cgroups", "warn", "podman, docker: --privileged");
	told("$U $D", 1, "cgroups", "warn", "use a mount of root's");
	sh("echo cpu memory pids > /sys/fs/cgroup/cgroup.controllers");
	told("$U $D", 1, "cgroups", "warn", "Delegate=yes");
	sh("umount /sys/fs/cgroup");
}

/* As the firmware of a Raspberry Pi has it. */
Test(doctor, the_memory_controller_is_off)
{
	sh("mount -t tmpfs none /sys/fs/cgroup; echo quiet cgroup_disable=memory > $M/../cmdline;"
	   "mount --bind $M/../cmdline /proc/cmdline");
	told("$D", 1, "cgroups", "warn", "cgroup_enable=memory");
	sh("umount /proc/cmdline /sys/fs/cgroup");
}

Test(doctor, mount)
{
	char *daemon = text("kill -KILL %d", fixture.daemon);
	pid_t unmounter = fixture_child(fixture.server, "mimobox-unmount");

	told("$D", 0, "mount", "warn", "mimoboxfs /nonexistent");
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
static int filtered(const char *call, int error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int number = strcmp(call, "clone3") ? seccomp_syscall_resolve_name(call) : SYS_clone3;
	int failed = filter == NULL;

	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)error), number, 0);
	failed |= seccomp_load(filter);
	seccomp_release(filter);
	return failed;
}

Test(doctor, landlock_is_filtered)
{
	cr_assert_eq(filtered("landlock_create_ruleset", ENOSYS), 0);
	told("$D", 1, "Landlock", "warn", "CONFIG_SECURITY_LANDLOCK");
	told("container=systemd-nspawn $D", 1, "sandbox", "missing",
	     "--system-call-filter='landlock_create_ruleset ");
}

Test(doctor, landlock_is_off)
{
	cr_assert_eq(filtered("landlock_create_ruleset", EOPNOTSUPP), 0);
	told("$D", 1, "Landlock", "warn", "lsm=");
}

/* The filter of a container often knows only clone(2), whose flags it can look at. */
Test(doctor, clone3_is_filtered)
{
	cr_assert_eq(filtered("clone3", ENOSYS), 0);
	told("$D", 1, "sandbox", "missing", "a seccomp filter refuses it");
	told("container=lxc $D", 1, "sandbox", "missing", "nesting.conf");
	told("mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io;"
	     "container= $D; x=$?; umount /run; exit $x",
	     1, "sandbox", "missing", "privileged: true");
}

/* What a podman container without CAP_SYS_ADMIN has. */
Test(doctor, the_host_name_is_filtered)
{
	cr_assert_eq(filtered("sethostname", EPERM), 0);
	told("container=podman $D", 1, "sandbox", "missing",
	     "host name: Operation not permitted; the container refuses it: podman run --device "
	     "/dev/fuse --cap-add SYS_ADMIN");
}

/* The setting is played; the kernel then lets no such root do a thing. */
Test(doctor, apparmor_restricts_user_namespaces)
{
	cr_assert_eq(filtered("sethostname", EPERM), 0);
	sh("mkdir $M/../kernel; echo 1 > $M/../kernel/apparmor_restrict_unprivileged_userns;"
	   "mount --bind $M/../kernel /proc/sys/kernel");
	told("$U $D", 1, "sandbox", "missing",
	     "load the profile of mimobox's package (/etc/apparmor.d), or as root: sysctl "
	     "kernel.apparmor_restrict_unprivileged_userns=0");
	sh("umount /proc/sys/kernel; rm -r $M/../kernel");
}

/* As under qemu-user. */
Test(doctor, seccomp_is_not_there)
{
	cr_assert_eq(filtered("seccomp", ENOSYS), 0);
	told("$D", 1, "sandbox", "missing", "CONFIG_SECCOMP_FILTER (qemu-user has none)");
}
