/* SPDX-License-Identifier: MIT */
/*
 * What the daemon's own processes have left of their privilege, as the kernel tells it, and that a
 * server which was taken over cannot do what it never does.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "inject.h"
#include "outside.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)
#define SPAWNER                                                                            \
	(CAP(SYS_ADMIN) | CAP(NET_ADMIN) | CAP(SETUID) | CAP(SETGID) | CAP(SYS_RESOURCE) | \
	 CAP(MKNOD))
#define REMOVER (CAP(DAC_OVERRIDE) | CAP(FOWNER))
#define CHANGER (CAP(SETUID) | CAP(SETGID) | CAP(DAC_OVERRIDE) | CAP(FOWNER))

enum { HELPERS = 7 };

struct expected {
	const char *name;
	uint64_t capabilities; /* where root runs it: permitted, effective, bounding */
	bool filter;
	bool by_root; /* only there is a filter, and no_new_privs */
};

static const struct expected server = { "mimoboxfs", CAP(CHOWN), true, false };
static const struct expected helpers[HELPERS] = {
	{ "mimobox-forker", SPAWNER | REMOVER | CAP(SYS_NICE) | CAP(SETPCAP), false, false },
	{ "mimobox-spawner", SPAWNER, false, false },
	{ "mimobox-sweeper", CAP(DAC_OVERRIDE), true, false },
	{ "mimobox-remover", REMOVER, false, false },
	{ "mimobox-ticker", 0, true, false },
	{ "mimobox-changer", CHANGER, false, false },
	{ "mimobox-unmount", CAP(SYS_ADMIN), true, true },
};

/* That serves now. */
static pid_t serving(void)
{
	pid_t pid = fixture_server();

	return pid ? pid : fixture.daemon;
}

static struct run find(const char *name)
{
	return run((const char *const[]){ "pgrep", "-x", "-P",
					  text("%d,%d", fixture.daemon, serving()), name, NULL });
}

static bool is_there(const void *name)
{
	return find(name).status == 0;
}

/* The daemon's child of that name (/proc/PID/comm has 15 bytes), which may be on its way. */
static pid_t child(const char *name)
{
	cr_assert(await(is_there, name, 10000), "no %s", name);
	return (pid_t)strtol(find(name).out, NULL, 10);
}

static uint64_t set_of(pid_t pid, const char *key)
{
	const char *value = process_fact(pid, key);

	cr_assert(value != NULL);
	return strtoull(value, NULL, 16);
}

static void check(const struct expected *expected, pid_t pid, bool root)
{
	/* A container's root may have less to begin with. */
	uint64_t capabilities = root ? expected->capabilities & set_of(getpid(), "CapPrm") : 0;
	bool filter = expected->filter && (root || !expected->by_root);
	bool locked = root || !expected->by_root;

	cr_expect_eq(set_of(pid, "CapPrm"), capabilities, "%s: permitted %llx", expected->name,
		     (unsigned long long)set_of(pid, "CapPrm"));
	cr_expect_eq(set_of(pid, "CapEff"), capabilities, "%s: effective", expected->name);
	cr_expect_eq(set_of(pid, "CapInh"), 0, "%s: inheritable", expected->name);
	cr_expect_eq(set_of(pid, "CapAmb"), 0, "%s: ambient", expected->name);
	/* Another than root may not narrow it: then it is as it was, and no_new_privs counts. */
	cr_expect_eq(set_of(pid, "CapBnd"), root ? capabilities : set_of(getpid(), "CapBnd"),
		     "%s: bounding", expected->name);
	cr_expect_str_eq(process_fact(pid, "NoNewPrivs"), locked ? "1" : "0", "%s: no_new_privs",
			 expected->name);
	cr_expect_str_eq(process_fact(pid, "Seccomp"), filter ? "2" : "0", "%s: seccomp",
			 expected->name);
}

/* The ticker has one for each processor. */
static void check_threads(pid_t pid)
{
	const char *tasks = sh(text("ls /proc/%d/task", pid));

	for (char *end; (pid = (pid_t)strtol(tasks, &end, 10)) > 0; tasks = end) {
		cr_expect_eq(set_of(pid, "CapPrm") | set_of(pid, "CapBnd"), 0);
		cr_expect_str_eq(process_fact(pid, "NoNewPrivs"), "1");
		cr_expect_str_eq(process_fact(pid, "Seccomp"), "2");
	}
}

static void check_all(bool root)
{
	check(&server, serving(), root);
	for (unsigned i = 0; i < HELPERS; i++)
		check(&helpers[i], child(helpers[i].name), root);
}

TestSuite(confined, .init = outside_start, .fini = outside_stop, .timeout = 90);

/* Each helper has work, so that one which somebody has lost patience with is there again. */
static const char work[] = "cd $M; mkdir w; echo 'command mkdir /workspace/d; touch /workspace/d/f;"
			   "exit 3' > w/config; echo start > w/ctl; cat w/exit; rmdir w";

Test(confined, by_root)
{
	cr_assert_str_eq(sh(work), "3\n");
	check_all(true);
	check_threads(child("mimobox-ticker"));
}

Test(confined, without_a_keeper)
{
	fixture_daemon_ended(SIGTERM);
	fixture_daemon((const char *const[]){ "--keeper", "no", NULL });
	cr_assert_str_eq(sh(work), "3\n");
	check_all(true);
}

/* The server that goes on in the place of one that was killed has no more. */
Test(confined, by_the_next_server)
{
	pid_t before = fixture_server();

	cr_assert_eq(kill(before, SIGKILL), 0);
	cr_assert(await(process_gone, &before, 5000));
	cr_assert_str_eq(sh(work), "3\n");
	check_all(true);
}

static bool is_removed(const void *path)
{
	return access(path, F_OK) < 0 && errno == ENOENT;
}

static const char *workspace_of(const char *name)
{
	char path[4096];
	ssize_t length = readlink(at("%s/workspace", name), path, sizeof(path) - 1);

	cr_assert_gt(length, 0);
	return text("%.*s", (int)length, path);
}

/* What comes in the place of one that was killed has no more, and no less, than that had. */
Test(confined, the_next_is_as_the_one_before)
{
	static const char *const names[] = { "mimobox-spawner", "mimobox-sweeper",
					     "mimobox-remover", "mimobox-ticker",
					     "mimobox-changer" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pid_t pid = child(names[i]);

		cr_assert_eq(kill(pid, SIGKILL), 0);
		cr_assert(await(process_gone, &pid, 5000));
	}
	outside_directory(outside("p"), ROOT, 0755);
	session_start("one", text("overlay %s:/x\ncommand mkdir /workspace/d; touch "
				  "/workspace/d/f; read x; exit 3",
				  outside("p")));
	cr_assert_str_eq(get("one/changes", NULL), "");
	put_all("one/input", "a\n");
	cr_assert_eq(session_exit("one"), 3);
	const char *workspace = workspace_of("one");
	session_remove("one");
	cr_assert(await(is_removed, workspace, 10000), "%s is left", workspace);
	check_all(true);
}

static void kill_those_who_make(void)
{
	pid_t forker = child("mimobox-forker"), spawner = child("mimobox-spawner");

	cr_assert_eq(kill(forker, SIGKILL), 0);
	cr_assert(await(process_gone, &forker, 5000) || process_state(forker) == 'Z');
	cr_assert_eq(kill(spawner, SIGKILL), 0);
	cr_assert(await(process_gone, &spawner, 5000));
}

/* Where nobody is left who could make what is asked for, the keeper has the next server go on. */
Test(confined, without_the_forker)
{
	kill_those_who_make();
	for (unsigned i = 0; i <= fixture_pool(); i++) { /* those that wait are taken first */
		session_start(text("s%u", i), "command exit 3");
		cr_assert_eq(session_exit(text("s%u", i)), 3);
	}
	cr_assert_neq(fixture_server(), fixture.server);
	check_all(true);
}

/* What is there goes on, and what cannot be had is refused. */
Test(confined, without_the_forker_and_a_keeper)
{
	unsigned made = 0;
	ssize_t result;

	fixture_daemon_ended(SIGTERM);
	fixture_daemon((const char *const[]){ "--keeper", "no", NULL });
	session_start("one", "command exit 3");
	cr_assert_eq(session_exit("one"), 3);
	kill_those_who_make();
	do { /* those that wait are taken first; one more may have been under way for `one` */
		session_make(text("s%u", made));
		result = put(text("s%u/ctl", made), "start\n");
	} while (result >= 0 && made++ <= fixture_pool());
	cr_assert_eq(result, -ECHILD, "%zd", result);
	cr_assert(has(get(text("s%u/log", made), NULL), "start failed"));
	session_remove("one");
}

/* What the server could not do later is found before anything is mounted. */
Test(confined, directories_that_root_enters_by_privilege_alone)
{
	static const char *const options[] = { "--spool", "--workspaces" };
	const char *other = text("%s/other", fixture.dir);

	outside_directory(outside("ann"), ANN, 0700);
	outside_directory(outside("ann/own"), ROOT, 0755);
	for (unsigned i = 0; i < 2; i++) {
		struct run refused = run((const char *const[]){
			mimoboxfs(), options[i], outside("ann/own"), options[1 - i],
			i ? fixture.spool : fixture.workspaces, other, NULL });

		cr_expect_eq(refused.status, 1);
		cr_expect(has(refused.err, "Permission denied"), "%s", refused.err);
		cr_expect(strchr(refused.err, '\n') == strrchr(refused.err, '\n'), "%s",
			  refused.err);
		cr_expect_neq(access(other, F_OK), 0, "it was mounted");
	}
}

/* Where the arguments are wrong it is seen which comes first, and nothing is done. */
static const struct attempt {
	const char *what;
	long number, arguments[6];
	bool sanitizers_do;
} attempts[] = {
	{ "execve", SYS_execve, { 0 }, false },
	{ "execveat", SYS_execveat, { AT_FDCWD }, false },
	{ "clone3", SYS_clone3, { 0, 1 }, false },
	{ "mount", SYS_mount, { 0 }, false },
	{ "umount2", SYS_umount2, { 0 }, false },
	{ "unshare", SYS_unshare, { 1 }, false },
	{ "setns", SYS_setns, { -1 }, false },
	{ "ptrace", SYS_ptrace, { PTRACE_SEIZE, 0 }, true },
	{ "process_vm_writev", SYS_process_vm_writev, { -1 }, false },
	{ "pidfd_getfd", SYS_pidfd_getfd, { -1, -1 }, false },
	{ "bpf", SYS_bpf, { 1 << 20, 0, 1 << 20 }, false },
	{ "init_module", SYS_init_module, { 0 }, false },
	{ "keyctl", SYS_keyctl, { 1 << 20 }, false },
	{ "io_uring_setup", SYS_io_uring_setup, { 1, 0 }, false },
	{ "open_by_handle_at", SYS_open_by_handle_at, { -1, 0, 0 }, false },
	{ "socket(AF_INET)", SYS_socket, { AF_INET, SOCK_STREAM }, false },
	{ "socket(AF_UNIX)", SYS_socket, { AF_UNIX, SOCK_STREAM }, false },
	{ "socketpair(AF_NETLINK)", SYS_socketpair, { AF_NETLINK, SOCK_RAW }, false },
	{ "ioctl(TIOCSTI)", SYS_ioctl, { -1, TIOCSTI }, false },
	{ "mprotect(PROT_EXEC)", SYS_mprotect, { 1, 4096, PROT_READ | PROT_EXEC }, false },
	{ "mmap(PROT_EXEC)",
	  SYS_mmap,
	  { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 },
	  false },
	{ "setuid", SYS_setuid, { -1 }, false },
	{ "chroot", SYS_chroot, { 0 }, false },
	{ "symlinkat", SYS_symlinkat, { 0, -1, 0 }, false },
};

static bool sanitized(void)
{
	return strcmp(getenv("SANITIZE"), "none") != 0;
}

/* The same process without the filter: its own helper, a copy of it. */
static void try_all(pid_t pid, bool filter, long its_work)
{
	struct inject *inject = inject_begin(pid);

	for (unsigned i = 0; i < sizeof(attempts) / sizeof(*attempts); i++) {
		const struct attempt *attempt = &attempts[i];
		long result;

		if ((filter && attempt->sanitizers_do && sanitized()) ||
		    attempt->number == its_work)
			continue;
		result = inject_call(inject, attempt->number, attempt->arguments);
		/* Some need a capability, which is looked at first. */
		if (filter)
			cr_expect_eq(result, -EPERM, "%s: %ld", attempt->what, result);
		else if (attempt->number != SYS_init_module && attempt->number != SYS_bpf &&
			 attempt->number != SYS_chroot && attempt->number != SYS_open_by_handle_at)
			cr_expect_neq(result, -EPERM, "%s without the filter", attempt->what);
	}
	inject_end(inject);
}

Test(confined, what_the_server_never_does)
{
	try_all(fixture.server, true, -1);
	session_start("one", "command exit 3"); /* it is well */
	cr_assert_eq(session_exit("one"), 3);
	try_all(child("mimobox-sweeper"), true, -1);
	try_all(child("mimobox-unmount"), true, SYS_umount2);
	/* The control, which is what comes of a call that nobody refuses. */
	try_all(child("mimobox-spawner"), false, -1);
	session_remove("one");
}

/* That an id of 0 is worth nothing; of the others with it, the filter keeps it from being asked. */
Test(confined, securebits_are_locked)
{
	struct inject *inject = inject_begin(child("mimobox-spawner"));
	long bits = inject_call(inject, SYS_prctl, (const long[6]){ PR_GET_SECUREBITS });

	inject_end(inject);
	cr_assert_eq(bits & SECBIT_NOROOT, SECBIT_NOROOT);
	cr_assert_eq(bits & SECURE_ALL_LOCKS, SECURE_ALL_LOCKS, "%lx", bits);
}

static long execute(pid_t pid, const char *path)
{
	struct inject *inject = inject_begin(pid);
	long at_path = inject_text(inject, path);
	long result = inject_call(inject, SYS_execve, (const long[6]){ at_path });

	if (result < 0)
		inject_end(inject);
	return result;
}

Test(confined, nothing_is_executed)
{
	cr_assert_eq(execute(fixture.server, "/bin/true"), -EPERM);
	session_start("one", "command exit 3");
	cr_assert_eq(session_exit("one"), 3);
	session_remove("one");
	/* The control: who may execute is told that there is nothing of that name. */
	cr_assert_eq(execute(child("mimobox-remover"), "/nonexistent"), -ENOENT);
}

/* By an ordinary user */

static void own_start(void)
{
	outside_prepare();
	cr_assert(chown(fixture.dir, ANN, ANN) == 0 && chown(fixture.mount, ANN, ANN) == 0);
	sh(text("cd %s; mkdir dev; mount -t tmpfs -o mode=755 none dev; mknod dev/fuse c 10 229;"
		"chmod 666 dev/fuse; mount --bind dev/fuse /dev/fuse; cp %s mimoboxfs;"
		"chmod 755 mimoboxfs",
		fixture.dir, mimoboxfs()));
	struct run done =
		run_as(ANN, text("%s/mimoboxfs --spool %s --workspaces %s %s", fixture.dir,
				 fixture.spool, fixture.workspaces, fixture.mount));
	cr_assert_eq(done.status, 0, "%s", done.err);
	fixture_adopt();
}

TestSuite(confined_own, .init = own_start, .fini = outside_stop, .timeout = 90);

Test(confined_own, by_a_user)
{
	cr_assert_str_eq(run_as(ANN, work).out, "3\n");
	cr_assert_eq(execute(fixture.server, "/bin/true"), -EPERM);
	check_all(false);
	cr_assert_str_eq(run_as(ANN, work).out, "3\n"); /* it is well */
}
