/* SPDX-License-Identifier: MIT */
/*
 * The filters under a real kernel: each refusal next to the same call without a filter, so that
 * one sees it is the filter that refuses.
 */
#include "refusals.h"
#include "sysfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "child.h"
#include "gate.h"

#define CLONE3_NUMBER 435
#define IO_URING_SETUP_NUMBER 425
#define NOBODY 65534

TestSuite(sysfilter_live, .timeout = 30);

/* What a child does, and under which filter; none where `options` is NULL. */
struct job {
	const struct sysfilter_options *options;
	void (*fn)(bool filtered);
	struct sysfilter filter;
};

static void run_job(const void *data)
{
	const struct job *job = data;

	if (job->options != NULL) {
		CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
		CHECK(sysfilter_load(&job->filter) == 0);
	}
	job->fn(job->options != NULL);
}

static int under(const struct sysfilter_options *options, void (*fn)(bool))
{
	struct job job = { .options = options, .fn = fn };
	char why[128] = "";
	int status;

	if (options != NULL)
		cr_assert_eq(sysfilter_build(options, &job.filter, why, sizeof(why)), 0, "%s", why);
	status = child_status(run_job, &job);
	cr_assert_eq(child_failure->line, 0, "%s, line %d: %s (errno %d: %s)",
		     options == NULL ? "without a filter" : "filtered", child_failure->line,
		     child_failure->what, child_failure->error, strerror(child_failure->error));
	sysfilter_finish(&job.filter);
	return status;
}

/* With each profile, and without any. */
static void everywhere(void (*fn)(bool))
{
	cr_assert_eq(under(NULL, fn), 0);
	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		const struct sysfilter_options options = {
			.profile = (enum sysfilter_profile)p,
			.fork = true,
		};

		cr_assert_eq(under(&options, fn), 0);
	}
}

static const struct sysfilter_options strict = { .profile = SYSFILTER_STRICT, .fork = true };
static const struct sysfilter_options essential = { .profile = SYSFILTER_ESSENTIAL, .fork = true };
static const struct sysfilter_options no_fork = { .profile = SYSFILTER_ESSENTIAL, .fork = false };

/* Whether a call without effect is refused by EPERM under the filter, and by `otherwise` without.
 */
#define CHECK_REFUSED(filtered, call, otherwise)  \
	do {                                      \
		if (filtered)                     \
			CHECK_ERROR(call, EPERM); \
		else                              \
			CHECK(otherwise);         \
	} while (0)

static void loads_unprivileged(const void *data)
{
	const struct job *job = data;
	int listener;

	if (getuid() == 0)
		CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(refusals_load(&job->filter, &listener) == -EACCES);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(refusals_load(&job->filter, &listener) == 0 && listener >= 0);
	CHECK(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
}

Test(sysfilter_live, needs_no_new_privs)
{
	struct job job = { .options = &essential };
	char why[128];

	cr_assert_eq(sysfilter_build(&essential, &job.filter, why, sizeof(why)), 0);
	child_passes(loads_unprivileged, &job);
	sysfilter_finish(&job.filter);
}

/* Makes a new pseudo-terminal the controlling one; gives its slave. */
static int own_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	int slave;

	CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	CHECK(setsid() >= 0);
	slave = open(ptsname(master), O_RDWR);
	CHECK(slave >= 0);
	CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
	return slave;
}

static void type_into_terminal(bool filtered)
{
	static const int bits[] = { 64, 32, 33, 47, 63 };
	int terminal = own_terminal();
	char typed = 'x';

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		unsigned long request = TIOCSTI | (bits[i] == 64 ? 0 : 1UL << bits[i]);

		/* EIO: a kernel with legacy_tiocsti off, where only the plain form can be shown. */
		CHECK_REFUSED(filtered, syscall(SYS_ioctl, terminal, request, &typed),
			      syscall(SYS_ioctl, terminal, request, &typed) == 0 || errno == EIO);
	}
	CHECK_REFUSED(filtered, ioctl(terminal, TIOCLINUX, &typed),
		      ioctl(terminal, TIOCLINUX, &typed) < 0 && errno != EPERM);
	CHECK_REFUSED(filtered, ioctl(terminal, TIOCSETD, &(int){ 0 }),
		      ioctl(terminal, TIOCSETD, &(int){ 0 }) == 0);
	CHECK(ioctl(terminal, TIOCGWINSZ, &(struct winsize){ 0 }) == 0);
}

Test(sysfilter_live, nothing_is_typed_into_terminals)
{
	everywhere(type_into_terminal);
}

static void ask_kernel(bool filtered)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	if (filtered) {
		CHECK_ERROR(syscall(CLONE3_NUMBER, NULL, 0), ENOSYS);
		CHECK_ERROR(syscall(IO_URING_SETUP_NUMBER, 1, NULL), ENOSYS);
	} else {
		CHECK(syscall(CLONE3_NUMBER, NULL, 0) < 0 && errno == EINVAL);
		CHECK(syscall(IO_URING_SETUP_NUMBER, 1, NULL) < 0 && errno != ENOSYS);
	}
	CHECK_ERROR(syscall(9999), ENOSYS);
	if (filtered)
		CHECK_ERROR(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)), EPERM);
	else if (getuid() == 0)
		CHECK(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)) >= 0);
	CHECK_REFUSED(filtered, syscall(SYS_keyctl, 0, -3, 0), syscall(SYS_keyctl, 0, -3, 0) > 0);
	CHECK_REFUSED(filtered, unshare(0), unshare(0) == 0);
	CHECK_REFUSED(filtered, personality(READ_IMPLIES_EXEC),
		      personality(READ_IMPLIES_EXEC) >= 0);
	if (filtered)
		CHECK(personality(ADDR_NO_RANDOMIZE) >= 0 && personality(0xffffffff) >= 0);
}

Test(sysfilter_live, the_kernel_is_asked_for_less)
{
	everywhere(ask_kernel);
}

#if defined(__x86_64__)
static void call_i386(bool filtered)
{
	gate_prepare();
	gate_call(GATE);
	CHECK(!filtered);
}

static void call_without_gate(bool filtered)
{
	gate_prepare();
	gate_call(NO_GATE);
	CHECK(!filtered);
}

/* getpid by the numbers of x32; a kernel without x32 says ENOSYS. */
static void call_x32(bool filtered)
{
	long result = syscall(0x40000000 | SYS_getpid);
	int error = errno;

	CHECK(!filtered);
	CHECK(result == getpid() || (result < 0 && error == ENOSYS));
}

Test(sysfilter_live, other_architectures_are_killed)
{
	int status = under(NULL, call_i386);

	cr_assert_eq(WTERMSIG(status), gate_is_there(GATE) ? 0 : SIGSEGV, "0x%x", (unsigned)status);
	status = under(&essential, call_i386);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == gate_signal(GATE), "0x%x",
		  (unsigned)status);
	cr_assert_not(gate_is_there(NO_GATE));
	status = under(NULL, call_without_gate);
	cr_assert_eq(WTERMSIG(status), SIGSEGV, "0x%x", (unsigned)status);
	status = under(&essential, call_without_gate);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == gate_signal(NO_GATE), "0x%x",
		  (unsigned)status);
	cr_assert_eq(under(NULL, call_x32), 0);
	status = under(&essential, call_x32);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
#endif

static void *add_one(void *data)
{
	__atomic_add_fetch((int *)data, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void start_threads(bool filtered)
{
	pthread_t threads[8];
	int count = 0;

	(void)filtered;
	for (int i = 0; i < 8; i++)
		CHECK(pthread_create(&threads[i], NULL, add_one, &count) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(count == 8);
}

Test(sysfilter_live, threads_start)
{
	everywhere(start_threads);
	cr_assert_eq(under(&no_fork, start_threads), 0);
}

static void reap(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static int end_at_once(void *data)
{
	(void)data;
	return 0;
}

static pid_t clone_vfork(void)
{
	static char stack[65536];

	return clone(end_at_once, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
}

static void start_processes(bool filtered)
{
	char *const argv[] = { (char *)"true", NULL };
	pid_t pid;
	int r;

	CHECK_REFUSED(filtered, fork(), true);
	CHECK_REFUSED(filtered, clone_vfork(), true);
	if (!filtered) {
		pid = fork();
		if (pid == 0)
			_exit(0);
		reap(pid);
		reap(clone_vfork());
	}
	r = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL);
	CHECK(r == (filtered ? EPERM : 0));
	if (r == 0)
		reap(pid);
	execv("/bin/true", argv);
	CHECK(!"exec is allowed");
}

Test(sysfilter_live, no_processes_where_fork_is_no)
{
	cr_assert_eq(under(NULL, start_processes), 0);
	cr_assert_eq(under(&no_fork, start_processes), 0);
}

static void make_set_id(bool filtered)
{
	char path[] = "/tmp/sysfilter-XXXXXX";
	int fd = mkstemp(path);
	bool ok;

	CHECK(fd >= 0);
	ok = fchmod(fd, 04711) == 0;
	close(fd);
	unlink(path);
	CHECK(ok != filtered);
	fd = openat(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 04711);
	unlink(path);
	CHECK((fd >= 0) != filtered);
	/* What the register of the mode holds where nothing is created doesn't matter. */
	CHECK(syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY, 04711) >= 0);
	CHECK(mkfifo(path, 0600) == 0);
	CHECK(unlink(path) == 0);
	CHECK_REFUSED(filtered, mknod(path, S_IFCHR | 0600, 0x0103),
		      mknod(path, S_IFCHR | 0600, 0x0103) == 0 || errno == EPERM);
	unlink(path);
}

Test(sysfilter_live, no_set_id_files_and_no_devices)
{
	everywhere(make_set_id);
}

static void lower_core_limit(bool filtered)
{
	const struct rlimit one = { 1, 1 };
	const struct rlimit zero = { 0, 0 };
	struct rlimit now = { 7, 7 };

	if (!filtered)
		CHECK(setrlimit(RLIMIT_CORE, &one) == 0);
	CHECK(getrlimit(RLIMIT_CORE, &now) == 0);
	CHECK(setrlimit(RLIMIT_CORE, &zero) == 0);
	CHECK(getrlimit(RLIMIT_CORE, filtered ? &(struct rlimit){ 0, 0 } : &now) == 0);
	if (filtered) {
		struct rlimit after;

		CHECK(getrlimit(RLIMIT_CORE, &after) == 0 && after.rlim_cur == now.rlim_cur);
		CHECK_ERROR(prlimit(0, RLIMIT_CORE, &zero, &after), EPERM);
	} else {
		CHECK(now.rlim_cur == 0);
	}
	CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 64, 64 }) == 0);
}

Test(sysfilter_live, the_core_limit_stays)
{
	everywhere(lower_core_limit);
}

static void open_sockets(bool filtered)
{
	int pair[2];

	CHECK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	if (filtered) {
		CHECK_ERROR(socket(AF_NETLINK, SOCK_RAW, 0), EAFNOSUPPORT);
		CHECK_ERROR(socket(AF_INET, SOCK_STREAM, 0), EAFNOSUPPORT);
		CHECK_ERROR(socket(AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT);
	} else {
		CHECK(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
		CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	}
}

Test(sysfilter_live, sockets_of_strict_are_unix)
{
	cr_assert_eq(under(NULL, open_sockets), 0);
	cr_assert_eq(under(&strict, open_sockets), 0);
}

/* Without a reservation the machine need not have any to spare. */
static void ask_for_huge_pages(bool filtered)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	const size_t size = (size_t)2 << 20;
	void *huge = mmap(NULL, size, PROT_NONE, flags | MAP_HUGETLB, -1, 0);
	int error = errno;

	CHECK(filtered ? huge == MAP_FAILED && error == ENOMEM : huge != MAP_FAILED);
	CHECK(mmap(NULL, size, PROT_NONE, flags, -1, 0) != MAP_FAILED);
	if (filtered)
		CHECK_ERROR(memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB), EINVAL);
	else
		CHECK(memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB) >= 0);
	CHECK(memfd_create("usual", MFD_CLOEXEC) >= 0);
}

Test(sysfilter_live, no_huge_pages)
{
	everywhere(ask_for_huge_pages);
}

/* What a program does with a filter of its own: it takes calls away, or lets all through. */
static const struct sock_filter permissive[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
static const struct sock_fprog own_filter = { 1, (struct sock_filter *)permissive };

static void attach_to_socket(bool filtered)
{
	static const int options[] = { SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_REFUSED(filtered,
		      setsockopt(fd, SOL_SOCKET, options[0], &own_filter, sizeof(own_filter)),
		      setsockopt(fd, SOL_SOCKET, options[0], &own_filter, sizeof(own_filter)) == 0);
	/* Of AF_UNIX the kernel refuses it itself, by another errno. */
	CHECK_REFUSED(filtered,
		      setsockopt(fd, SOL_SOCKET, options[1], &own_filter, sizeof(own_filter)),
		      setsockopt(fd, SOL_SOCKET, options[1], &own_filter, sizeof(own_filter)) < 0 &&
			      errno != EPERM);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)) == 0);
}

Test(sysfilter_live, sockets_have_no_filters)
{
	everywhere(attach_to_socket);
}

static long load_own(unsigned flags)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &own_filter);
}

static void filter_oneself(bool filtered)
{
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (filtered) {
		CHECK_ERROR(load_own(0), EINVAL);
		CHECK_ERROR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &own_filter, 0, 0), EINVAL);
	} else {
		CHECK(load_own(0) == 0);
		CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &own_filter, 0, 0) == 0);
		CHECK(load_own(SECCOMP_FILTER_FLAG_NEW_LISTENER) >= 0);
	}
}

/* Browsers' own sandboxes do this. */
static void filter_oneself_in_compat(bool filtered)
{
	CHECK(load_own(0) == 0);
	CHECK(load_own(SECCOMP_FILTER_FLAG_TSYNC) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &own_filter, 0, 0) == 0);
	CHECK_ERROR(load_own(SECCOMP_FILTER_FLAG_NEW_LISTENER), EINVAL);
	CHECK(filtered);
}

Test(sysfilter_live, filters_of_ones_own_take_compat)
{
	struct sysfilter_options options = essential;

	cr_assert_eq(under(NULL, filter_oneself), 0);
	cr_assert_eq(under(&options, filter_oneself), 0);
	options.profile = SYSFILTER_NETWORK;
	cr_assert_eq(under(&options, filter_oneself), 0);
	options.profile = SYSFILTER_COMPAT;
	cr_assert_eq(under(&options, filter_oneself_in_compat), 0);
}

static void run_shell(bool filtered)
{
	static const char script[] =
		"set -e; f=/tmp/sysfilter-$$; test \"$(printf '%s\\n' b a | sort | head -n 1)\" = "
		"a\n"
		"cp /bin/true $f; mv $f $f.x; chmod 700 $f.x; $f.x; ls -l $f.x >/dev/null; rm "
		"$f.x\n"
		"sleep 0.01 & wait $!; nproc >/dev/null; id >/dev/null; (exit 3) || test $? = 3";

	(void)filtered;
	execl("/bin/sh", "sh", "-c", script, NULL);
	CHECK(!"exec is allowed");
}

Test(sysfilter_live, a_shell_runs)
{
	everywhere(run_shell);
}

Test(sysfilter_live, dumps_what_is_loaded)
{
	struct sysfilter filter;
	struct stat status;
	char why[128];
	int fd = memfd_create("dump", MFD_CLOEXEC);

	cr_assert_eq(sysfilter_build(&essential, &filter, why, sizeof(why)), 0);
	cr_assert_eq(sysfilter_dump(&filter, fd), 0);
	cr_assert_eq(fstat(fd, &status), 0);
	cr_assert_eq(status.st_size, (off_t)filter.length * 8);
	close(fd);
	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	cr_assert_eq(sysfilter_dump(&filter, fd), -ENOSPC);
	close(fd);
	sysfilter_finish(&filter);
}
