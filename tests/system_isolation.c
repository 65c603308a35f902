/* SPDX-License-Identifier: MIT */
/*
 * What the sandbox is, seen from outside in /proc and from inside, against what `status` says.
 * Each denial stands beside the same act where it is allowed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

TestSuite(isolation, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

static void start_waiting(void)
{
	struct stream output;

	session_start("a", "command echo READY; read x\n");
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	stream_close(&output);
}

static ino_t namespace_of(const char *pid, const char *kind)
{
	struct stat st;

	cr_assert_eq(stat(text("/proc/%s/ns/%s", pid, kind), &st), 0, "%s: %s", kind,
		     strerror(errno));
	return st.st_ino;
}

static const char *const kinds[] = { "user", "mnt", "pid", "ipc", "uts", "cgroup", "net" };

static void assert_confined(pid_t pid)
{
	static const char *const none[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };

	for (unsigned i = 0; i < 5; i++)
		cr_expect_str_eq(process_fact(pid, none[i]), "0000000000000000", "%s: %s", none[i],
				 process_fact(pid, none[i]));
	cr_expect_str_eq(process_fact(pid, "NoNewPrivs"), "1");
	cr_expect_neq(strtol(process_fact(pid, "Uid"), NULL, 10), 0);
	cr_expect_neq(strtol(process_fact(pid, "Gid"), NULL, 10), 0);
	cr_expect_eq(strspn(process_fact(pid, "Groups"), " "), strlen(process_fact(pid, "Groups")));
	for (unsigned i = 0; i < 7; i++)
		cr_expect_neq(namespace_of(text("%d", pid), kinds[i]),
			      namespace_of("self", kinds[i]), "the host's %s namespace", kinds[i]);
}

Test(isolation, the_kernel_agrees_with_status)
{
	pid_t pid;
	char *value;

	start_waiting();
	assert_confined(session_pid("a"));
	assert_confined(session_init("a"));
	pid = session_pid("a");
	cr_expect_str_neq(process_fact(getpid(), "CapEff"), "0000000000000000"); /* but here */
	value = get_value("a/status", "no-new-privs");
	cr_expect(value && (!strcmp(value, "1") || !strcmp(value, "yes")), "%s",
		  get("a/status", NULL));
	value = get_value("a/status", "uid");
	cr_expect(value && strtol(value, NULL, 10) == strtol(process_fact(pid, "Uid"), NULL, 10),
		  "%s", get("a/status", NULL));
	value = get_value("a/status", "seccomp");
	cr_expect(value && !strncmp(value, process_fact(pid, "Seccomp"), 1), "seccomp: %s, %s",
		  value ? value : "not there", process_fact(pid, "Seccomp"));
	value = get_value("a/status", "namespaces");
	for (unsigned i = 0; i < 7; i++)
		cr_expect(value && has(value, kinds[i]), "%s: %s", kinds[i], value ? value : "");
}

/* root's sessions have ids of their own, and two of them different ones. */
Test(isolation, two_sessions_of_root_do_not_share_an_id)
{
	int status;
	long ids[2];

	for (unsigned i = 0; i < 2; i++) {
		session_start(i ? "b" : "a", "command read x\n");
		ids[i] = strtol(process_fact(session_pid(i ? "b" : "a"), "Uid"), NULL, 10);
		cr_assert_neq(ids[i], 0);
	}
	cr_assert_neq(ids[0], ids[1]);
	session_run("c", "command id -u; id -g; whoami\n", &status);
}

struct look {
	const char *command, *output;
};

static void look_all(const struct look *looks, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int status;
		char *out = session_run(text("l%u", i), text("command %s\n", looks[i].command),
					&status);

		cr_expect_str_eq(out, looks[i].output, "%s: '%s'", looks[i].command, out);
		cr_expect_eq(rmdir(at("l%u", i)), 0);
	}
}

Test(isolation, network_is_loopback_alone)
{
	static const struct look looks[] = {
		{ "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", "lo\n" },
		{ "tail -n +2 /proc/net/tcp | wc -l; tail -n +2 /proc/net/route | wc -l",
		  "0\n0\n" },
	};

	look_all(looks, 2);
}

Test(isolation, processes_are_its_own)
{
	static const struct look looks[] = {
		{ "ls /proc | grep -c '^[0-9]' | awk '{ print ($1 < 10) }'", "1\n" },
		{ "sh -c 'echo $PPID' | awk '{ print ($1 < 20) }'", "1\n" },
		{ "sleep 5 & kill -0 $! && echo seen", "seen\n" },
	};
	int status;

	look_all(looks, 3);
	session_run("a", text("command kill -0 %d\n", getpid()), &status); /* of the host's */
	cr_assert_neq(status, 0);
}

Test(isolation, files)
{
	static const struct look looks[] = {
		{ "echo x 2>/dev/null > /tmp/f && cat /tmp/f", "x\n" },
		{ "(echo x > /usr/f) 2>/dev/null || echo denied", "denied\n" },
		{ "(echo x > /f) 2>/dev/null || echo denied", "denied\n" },
		{ "(echo x > /etc/f) 2>/dev/null || echo denied", "denied\n" },
		{ "(echo x > /dev/f) 2>/dev/null || echo denied", "denied\n" },
		{ "echo x > /dev/null && echo allowed", "allowed\n" },
		{ "cat /etc/passwd > /dev/null && echo allowed", "allowed\n" },
		{ "cat /etc/shadow 2>/dev/null || echo denied", "denied\n" },
		{ "ls /root /boot 2>/dev/null | wc -l", "0\n" },
		{ "ls -A /home", "sandbox\n" },
		{ "ls /tmp | wc -l", "0\n" }, /* not the host's, and not another session's */
		{ "(echo 1 > /proc/sys/kernel/sysrq) 2>/dev/null || echo denied", "denied\n" },
		/* Each is the null device, where the kernel has it. */
		{ "for f in kcore keys sysrq-trigger timer_list locks softirqs interrupts "
		  "sched_debug iomem ioports key-users latency_stats config.gz; do "
		  "[ ! -e /proc/$f ] || [ /proc/$f -ef /dev/null ] || echo $f; done",
		  "" },
		/* Each is there, where the kernel has it, and shows nothing. */
		{ "cd /proc && ls -A driver acpi asound bus fs irq scsi 2>&1 | "
		  "grep -v -e ':$' -e '^$' -e 'No such file'",
		  "" },
		{ "mount -t tmpfs none /tmp 2>/dev/null || echo denied", "denied\n" },
		{ "unshare -U true 2>/dev/null || echo denied", "denied\n" },
		{ "umount /proc 2>/dev/null || echo denied", "denied\n" },
		{ "chroot /tmp true 2>/dev/null || echo denied", "denied\n" },
		{ "grep -c fuse /proc/mounts", "0\n" },
		{ "stat -c '%a %U' $(tty)", "620 sandbox\n" },
	};

	look_all(looks, sizeof(looks) / sizeof(*looks));
}

/* The place where the host has this session filesystem is not there. */
Test(isolation, its_own_filesystem_is_not_reachable)
{
	int status;

	session_run("a", text("command ls %s\n", fixture.mount), &status);
	cr_assert_neq(status, 0);
	session_run("b", text("command ls %s\n", fixture.dir), &status);
	cr_assert_neq(status, 0);
}

Test(isolation, no_descriptor_of_the_daemon_comes_along)
{
	static const struct look looks[] = {
		/* 3 is the one that ls itself has */
		{ "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 " },
		{ "for i in 0 1 2; do a=$(readlink /proc/$$/fd/$i); echo ${a%/*}; done",
		  "/dev/pts\n/dev/pts\n/dev/pts\n" },
	};

	look_all(looks, 2);
}

Test(isolation, host_name_is_not_the_hosts)
{
	char name[256] = "", *out;
	int status;

	gethostname(name, sizeof(name) - 1);
	out = session_run("a", "command cat /proc/sys/kernel/hostname\n", &status);
	cr_assert_str_neq(out, text("%s\n", name));
	cr_assert_eq(status, 0);
}

/* Two sessions have two /tmp. */
Test(isolation, sessions_do_not_see_each_other)
{
	struct stream output;

	session_start("a", "command echo secret > /tmp/shared; echo READY; read x\n");
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	session_start("b", "command cat /tmp/shared; ps ax | grep -c READY; exit 0\n");
	cr_assert(has(get("b/output", NULL), "No such file"));
	stream_close(&output);
}
