/* SPDX-License-Identifier: MIT */
/* The kernel itself, by system calls that a sandbox has no use for. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/io.h>
#endif

#include "gate.h"
#include "hostile.h"

/* Newer than some headers; the same on all architectures. */
#define NR_IO_URING_SETUP 425
#define NR_OPEN_TREE 428
#define NR_MOVE_MOUNT 429
#define NR_FSOPEN 430
#define NR_PIDFD_OPEN 434
#define NR_CLONE3 435
#define NR_PIDFD_GETFD 438
#define NR_MOUNT_SETATTR 442
#define NR_QUOTACTL_FD 443
#define FLAG_OPEN_TREE_CLONE 1
#define FLAG_NEWTIME 0x80

/* A probe that is one call: it gets a result, or an errno from behind the check of privileges. */
#define CALL(name, call)                               \
	static struct outcome name(const char *object) \
	{                                              \
		(void)object;                          \
		return outcome_of(call);               \
	}
#define BEYOND(name, call, error)                      \
	static struct outcome name(const char *object) \
	{                                              \
		(void)object;                          \
		return outcome_beyond(call, error);    \
	}

static struct outcome mount_tmpfs(const char *object)
{
	const char *path = scratch("mount");
	struct outcome outcome;

	(void)object;
	if (mkdir(path, 0700) < 0)
		return untestable("no directory %s", path);
	outcome = outcome_of(mount("hostile", path, "tmpfs", 0, NULL));
	if (outcome.verdict == ESCAPED)
		umount2(path, MNT_DETACH);
	rmdir(path);
	return outcome;
}

static struct outcome mknod_device(const char *object)
{
	const char *path = scratch("null");
	struct outcome outcome = outcome_of(mknod(path, S_IFCHR | 0600, 0x0103));

	(void)object;
	unlink(path);
	return outcome;
}

BEYOND(unmount, umount2("/proc/self", 0), EINVAL)
BEYOND(pivot, syscall(SYS_pivot_root, "/proc/self", "/proc/self"), ENOTDIR)
CALL(change_root, chroot("/"))
CALL(fs_open, syscall(NR_FSOPEN, "tmpfs", 0))
CALL(open_tree_clone, syscall(NR_OPEN_TREE, AT_FDCWD, "/", FLAG_OPEN_TREE_CLONE))
BEYOND(move_a_mount, syscall(NR_MOVE_MOUNT, -1, "x", -1, "x", 0), EBADF)
BEYOND(mount_attributes, syscall(NR_MOUNT_SETATTR, -1, "x", 0, (uint64_t[4]){ 1 }, 32), EBADF)

CALL(unshare_user, unshare(CLONE_NEWUSER))
CALL(unshare_mount, unshare(CLONE_NEWNS))
CALL(unshare_pid, unshare(CLONE_NEWPID))
CALL(unshare_net, unshare(CLONE_NEWNET))
CALL(unshare_ipc, unshare(CLONE_NEWIPC))
CALL(unshare_uts, unshare(CLONE_NEWUTS))
CALL(unshare_cgroup, unshare(CLONE_NEWCGROUP))
CALL(unshare_time, unshare(FLAG_NEWTIME))

/* Ends the child of a raw clone or clone3 at once, and says how it went to the parent. */
static struct outcome outcome_of_clone(long pid)
{
	struct outcome outcome = outcome_of(pid);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return outcome;
}

static struct outcome clone_user(const char *object)
{
	(void)object;
	return outcome_of_clone(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

/* The flags are in memory, where no filter sees them. */
static struct outcome clone3_with(uint64_t flags)
{
	uint64_t arguments[8] = { flags, 0, 0, 0, SIGCHLD };

	return outcome_of_clone(syscall(NR_CLONE3, arguments, sizeof(arguments)));
}

static struct outcome clone3_plain(const char *object)
{
	(void)object;
	return clone3_with(0);
}

static struct outcome clone3_user(const char *object)
{
	(void)object;
	return clone3_with(CLONE_NEWUSER);
}

static struct outcome set_namespace(const char *object)
{
	int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

	(void)object;
	return fd < 0 ? denied(errno) : outcome_of(setns(fd, CLONE_NEWUTS));
}

/* Does something to a child that waits to be killed. */
static struct outcome with_child(long (*fn)(pid_t))
{
	pid_t pid = fork();
	struct outcome outcome;

	if (pid < 0)
		return untestable("no child");
	if (pid == 0)
		for (;;)
			pause();
	outcome = outcome_of(fn(pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return outcome;
}

static char shared_word[] = "word";

static long seize(pid_t pid)
{
	return ptrace(PTRACE_SEIZE, pid, NULL, NULL);
}

static long read_memory(pid_t pid)
{
	char word[sizeof(shared_word)];
	const struct iovec to = { word, sizeof(word) };
	const struct iovec from = { shared_word, sizeof(shared_word) };

	return process_vm_readv(pid, &to, 1, &from, 1, 0);
}

static long write_memory(pid_t pid)
{
	const struct iovec word = { shared_word, sizeof(shared_word) };

	return process_vm_writev(pid, &word, 1, &word, 1, 0);
}

static long take_descriptor(pid_t pid)
{
	long fd = syscall(NR_PIDFD_OPEN, pid, 0);

	return fd < 0 ? fd : syscall(NR_PIDFD_GETFD, fd, 0, 0);
}

#define ON_CHILD(name, fn)                             \
	static struct outcome name(const char *object) \
	{                                              \
		(void)object;                          \
		return with_child(fn);                 \
	}

ON_CHILD(ptrace_child, seize)
ON_CHILD(vm_read, read_memory)
ON_CHILD(vm_write, write_memory)
ON_CHILD(pidfd_take, take_descriptor)
CALL(trace_me, ptrace(PTRACE_TRACEME, 0, NULL, NULL))

static bool is_stopped(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

/* At the beginning of a call, another one takes its place. */
static long change_call(pid_t pid, long call)
{
#if defined(__x86_64__)
	struct user_regs_struct registers;
	const struct iovec all = { &registers, sizeof(registers) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all) < 0)
		return -1;
	registers.orig_rax = (unsigned long long)call;
	return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &all);
#else
	const struct iovec number = { &(int){ (int)call }, sizeof(int) };

	return ptrace(PTRACE_SETREGSET, pid, 0x404 /* NT_ARM_SYSTEM_CALL */, &number);
#endif
}

/* What a child calls is allowed; what its tracer makes of that is not. */
static void call_traced(int *error)
{
	pid_t own = getpid();

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
		*error = errno;
		return;
	}
	kill(own, SIGSTOP);
	/* The arguments are those of kcmp(2): this process with itself, its descriptor 0. */
	*error = syscall(SYS_getpgid, own, own, 0, 0, 0) < 0 ? errno : 0;
}

static struct outcome call_by_tracer(const char *object)
{
	int *error = mmap(NULL, sizeof(*error), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	struct outcome outcome;
	pid_t pid = fork();

	(void)object;
	if (pid == 0) {
		call_traced(error);
		_exit(0);
	}
	if (pid < 0)
		return untestable("no child");
	if (is_stopped(pid)) {
		(void)ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		if (!is_stopped(pid) || change_call(pid, SYS_kcmp) < 0)
			*error = EIO;
		(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
		waitpid(pid, NULL, 0);
	}
	outcome = *error ? denied(*error) : escaped("it was done");
	munmap(error, sizeof(*error));
	return outcome;
}

CALL(compare_kernel, syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0))

static struct outcome bpf_map(const char *object)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY };

	(void)object;
	attr.key_size = 4;
	attr.value_size = 4;
	attr.max_entries = 1;
	return outcome_of(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static struct outcome perf_event(const char *object)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr) };

	(void)object;
	attr.config = PERF_COUNT_SW_TASK_CLOCK;
	return outcome_of(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

static struct outcome splice_pages(const char *object)
{
	const struct iovec word = { shared_word, sizeof(shared_word) };
	int fds[2];

	(void)object;
	return pipe(fds) < 0 ? untestable("no pipe") : outcome_of(vmsplice(fds[1], &word, 1, 0));
}

static struct outcome io_uring(const char *object)
{
	char parameters[256] = "";

	(void)object;
	return outcome_of(syscall(NR_IO_URING_SETUP, 1, parameters));
}

CALL(user_faults, syscall(SYS_userfaultfd, 1)) /* UFFD_USER_MODE_ONLY */
CALL(key_session, syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1))
CALL(key_add, syscall(SYS_add_key, "user", "hostile", "x", 1, KEY_SPEC_PROCESS_KEYRING))
BEYOND(key_request, syscall(SYS_request_key, "user", "hostile-none", NULL, 0), ENOKEY)
CALL(fanotify, fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY))

/* The way out of early Docker: inode 2 of whatever is at hand is its root. */
static struct outcome open_handle(const char *object)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + 8];
	} root = { .handle = { .handle_bytes = 8, .handle_type = 1 } };
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)object;
	if (fd < 0)
		return untestable("no root");
	root.space[sizeof(struct file_handle)] = 2;
	return outcome_beyond(open_by_handle_at(fd, &root.handle, O_RDONLY), ESTALE);
}

BEYOND(swap_on, swapon("/nonexistent", 0), ENOENT)
BEYOND(swap_off, swapoff("/nonexistent"), ENOENT)
BEYOND(reboot_machine, syscall(SYS_reboot, 0, 0, 0, NULL), EINVAL)
BEYOND(kexec, syscall(SYS_kexec_load, 0, 0, NULL, 0xffff), EINVAL)
BEYOND(module_load, syscall(SYS_init_module, NULL, 0, ""), ENOEXEC)
BEYOND(module_unload, syscall(SYS_delete_module, "hostile_none", O_NONBLOCK), ENOENT)
CALL(kernel_log, klogctl(10, NULL, 0)) /* SYSLOG_ACTION_SIZE_BUFFER */
BEYOND(accounting, acct("/nonexistent"), ENOENT)
CALL(quota, quotactl(QCMD(Q_SYNC, 0), NULL, 0, NULL))
BEYOND(quota_fd, syscall(NR_QUOTACTL_FD, -1, QCMD(Q_SYNC, 0), 0, NULL), EBADF)
BEYOND(set_clock, clock_settime(CLOCK_MONOTONIC, &(struct timespec){ 1, 0 }), EINVAL)
BEYOND(adjust_clock, adjtimex(&(struct timex){ .modes = ADJ_TICK, .tick = 1 }), EINVAL)

static struct outcome host_name(const char *object)
{
	char name[256];

	(void)object;
	if (gethostname(name, sizeof(name)) < 0)
		return untestable("no name");
	return outcome_of(sethostname(name, strlen(name)));
}

static struct outcome domain_name(const char *object)
{
	char name[256];

	(void)object;
	if (getdomainname(name, sizeof(name)) < 0)
		return untestable("no name");
	return outcome_of(setdomainname(name, strlen(name)));
}

/* To the superuser, or from there to somebody else: either takes CAP_SETUID. */
CALL(set_uid, setuid(getuid() == 0 ? 65534 : 0))
CALL(set_gid, setgid(getgid() == 0 ? 65534 : 0))
CALL(set_resuid, setresuid(getuid() == 0 ? 65534 : 0, -1, -1))
CALL(set_groups, setgroups(0, NULL))
CALL(executable_reads, personality(READ_IMPLIES_EXEC))

/* "0" or "0000000000000000": nothing but zeros. */
static bool all_zeros(const char *text)
{
	return text[strspn(text, "0 \t\n")] == '\0';
}

/* A line of /proc/self/status, after its colon; "" where there is none. */
static const char *status_of(const char *key)
{
	static char line[256];
	FILE *file = fopen("/proc/self/status", "re");
	size_t length = strlen(key);
	const char *found = "";

	while (file != NULL && *found == '\0' && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			found = line + length + 1;
	if (file != NULL)
		fclose(file);
	return found;
}

static struct outcome capabilities(const char *object)
{
	static const char *const sets[] = { "CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb" };

	(void)object;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		const char *set = status_of(sets[i]);

		if (*set == '\0')
			return untestable("no /proc/self/status");
		if (!all_zeros(set))
			return escaped("%s is%.20s", sets[i], set);
	}
	return denied(0);
}

/* SECBIT_NOROOT and its lock, SECBIT_NO_SETUID_FIXUP and its lock, SECBIT_KEEP_CAPS_LOCKED. */
static struct outcome secure_bits(const char *object)
{
	int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);

	(void)object;
	return (bits & 0x0f) == 0x0f ? denied(0) : escaped("0x%x: root would be root", bits);
}

static struct outcome privileges(const char *object)
{
	(void)object;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? denied(0) : escaped("not set");
}

static struct outcome filter(const char *object)
{
	(void)object;
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2 ? denied(0) : escaped("none is in force");
}

#if defined(__x86_64__)
CALL(io_ports, ioperm(0x80, 1, 1))
CALL(io_level, iopl(3))
CALL(segments, syscall(SYS_modify_ldt, 0, shared_word, 1))

static struct outcome i386(const char *object)
{
	(void)object;
	return escaped("getpid says %d", gate_call(getenv("HOSTILE_NO_GATE") ? NO_GATE : GATE));
}

CALL(x32, syscall(0x40000000 | SYS_getpid))
#endif

/*
 * A terminal that may be typed into is the controlling one: a new one for a new session, or else
 * the one that there is.
 */
static int controlling_terminal(void)
{
	int master;
	int slave;

	if (setsid() < 0)
		return open("/dev/tty", O_RDWR | O_CLOEXEC);
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return -1;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	return slave >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0 ? slave : -1;
}

static struct outcome on_terminal(unsigned long request)
{
	int terminal = controlling_terminal();
	char typed = 'x';

	if (terminal < 0)
		return untestable("no controlling terminal");
	return outcome_beyond(syscall(SYS_ioctl, terminal, request, &typed), ENOTTY);
}

#define ON_TERMINAL(name, request)                     \
	static struct outcome name(const char *object) \
	{                                              \
		(void)object;                          \
		return on_terminal(request);           \
	}

ON_TERMINAL(type_in, TIOCSTI)
ON_TERMINAL(type_in_high, TIOCSTI | 1UL << 32)
ON_TERMINAL(type_in_highest, TIOCSTI | 1UL << 63)
ON_TERMINAL(console_paste, TIOCLINUX)

static struct outcome line_discipline(const char *object)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	(void)object;
	if (master < 0)
		return untestable("no terminal");
	return outcome_of(ioctl(master, TIOCSETD, &(int){ 0 }));
}

const struct probe call_probes[] = {
	{ "mount", ROOT, NULL, false, 0, mount_tmpfs, "a tmpfs of one's own" },
	{ "umount", ROOT, NULL, false, 0, unmount, "taking a mount away" },
	{ "pivot-root", MACHINE, NULL, false, 0, pivot, "another root" },
	{ "chroot", ROOT, NULL, false, 0, change_root, "another root, the old way" },
	{ "fsopen", ROOT, NULL, false, 0, fs_open, "the new mount API" },
	{ "open-tree", ROOT, NULL, false, 0, open_tree_clone, "a copy of all mounts" },
	{ "move-mount", ROOT, NULL, false, 0, move_a_mount, "putting it somewhere" },
	{ "mount-setattr", ROOT, NULL, false, 0, mount_attributes, "making mounts writable" },
	{ "mknod-device", ROOT, NULL, false, 0, mknod_device, "a device node" },
	{ "unshare-user", ANYONE, NULL, false, 0, unshare_user, "a user namespace within" },
	{ "unshare-mount", ROOT, NULL, false, 0, unshare_mount, "a mount namespace" },
	{ "unshare-pid", ROOT, NULL, false, 0, unshare_pid, "a PID namespace" },
	{ "unshare-net", ROOT, NULL, false, 0, unshare_net, "a network namespace" },
	{ "unshare-ipc", ROOT, NULL, false, 0, unshare_ipc, "an IPC namespace" },
	{ "unshare-uts", ROOT, NULL, false, 0, unshare_uts, "a UTS namespace" },
	{ "unshare-cgroup", ROOT, NULL, false, 0, unshare_cgroup, "a cgroup namespace" },
	{ "unshare-time", ROOT, NULL, false, 0, unshare_time, "a time namespace" },
	{ "clone-user", ANYONE, NULL, false, 0, clone_user, "a user namespace by clone" },
	{ "clone3", ANYONE, NULL, false, 0, clone3_plain, "clone with flags in memory" },
	{ "clone3-user", ANYONE, NULL, false, 0, clone3_user, "a user namespace by clone3" },
	{ "setns", ROOT, NULL, false, 0, set_namespace, "entering a namespace" },
	{ "ptrace-traceme", ANYONE, NULL, false, 0, trace_me, "being traced" },
	{ "ptrace-child", ANYONE, NULL, false, 0, ptrace_child, "tracing a child" },
	{ "ptrace-call", ANYONE, NULL, false, 0, call_by_tracer, "a call in place of another" },
	{ "process-vm-read", ANYONE, NULL, false, 0, vm_read, "a child's memory" },
	{ "process-vm-write", ANYONE, NULL, false, 0, vm_write, "a child's memory" },
	{ "pidfd-getfd", ANYONE, NULL, false, 0, pidfd_take, "a child's descriptors" },
	{ "kcmp", ANYONE, NULL, false, 0, compare_kernel, "comparing kernel pointers" },
	{ "bpf", ROOT, NULL, false, 0, bpf_map, "a BPF map" },
	{ "perf-event", ROOT, NULL, false, 0, perf_event, "performance counters" },
	{ "userfaultfd", ANYONE, NULL, false, 0, user_faults, "page faults handled by oneself" },
	{ "vmsplice", ANYONE, NULL, false, 0, splice_pages, "one's pages in a pipe" },
	{ "io-uring", MACHINE, NULL, false, 0, io_uring, "system calls that no filter sees" },
	{ "keyctl", ANYONE, NULL, false, 0, key_session, "the session keyring" },
	{ "add-key", ANYONE, NULL, false, 0, key_add, "a key" },
	{ "request-key", ANYONE, NULL, false, 0, key_request, "somebody else's key" },
	{ "fanotify", ANYONE, NULL, false, 0, fanotify, "watching files" },
	{ "open-by-handle", ROOT, NULL, false, 0, open_handle, "files past every path" },
	{ "swapon", ROOT, NULL, false, 0, swap_on, "swapping to a file" },
	{ "swapoff", ROOT, NULL, false, 0, swap_off, "no swapping" },
	{ "reboot", ROOT, NULL, false, 0, reboot_machine, "the machine's end" },
	{ "kexec", MACHINE, NULL, false, 0, kexec, "another kernel" },
	{ "init-module", MACHINE, NULL, false, 0, module_load, "more kernel" },
	{ "delete-module", MACHINE, NULL, false, 0, module_unload, "less kernel" },
	{ "syslog", ROOT, NULL, false, 0, kernel_log, "the kernel's log" },
	{ "acct", MACHINE, NULL, false, 0, accounting, "process accounting" },
	{ "quotactl", MACHINE, NULL, false, 0, quota, "disk quotas" },
	{ "quotactl-fd", MACHINE, NULL, false, 0, quota_fd, "disk quotas by descriptor" },
	{ "clock-settime", ANYONE, NULL, false, 0, set_clock, "setting a clock" },
	{ "adjtimex", ROOT, NULL, false, 0, adjust_clock, "bending the clock" },
	{ "sethostname", ROOT, NULL, false, 0, host_name, "the machine's name" },
	{ "setdomainname", ROOT, NULL, false, 0, domain_name, "its other name" },
	{ "setuid", ROOT, NULL, false, 0, set_uid, "another user" },
	{ "setgid", ROOT, NULL, false, 0, set_gid, "another group" },
	{ "setresuid", ROOT, NULL, false, 0, set_resuid, "another user, the new way" },
	{ "setgroups", ROOT, NULL, false, 0, set_groups, "no groups" },
	{ "personality", ANYONE, NULL, false, 0, executable_reads, "READ_IMPLIES_EXEC" },
	{ "capabilities", ANYONE, NULL, false, 0, capabilities, "any, in any set" },
	{ "securebits", ANYONE, NULL, false, 0, secure_bits, "what user 0 is" },
	{ "no-new-privs", ANYONE, NULL, false, 0, privileges, "set-user-ID programs" },
	{ "seccomp", ANYONE, NULL, false, 0, filter, "a process without a filter" },
#if defined(__x86_64__)
	{ "ioperm", MACHINE, NULL, false, 0, io_ports, "I/O ports" },
	{ "iopl", MACHINE, NULL, false, 0, io_level, "all I/O ports" },
	{ "modify-ldt", ANYONE, NULL, false, 0, segments, "segments of one's own" },
	{ "i386", MACHINE, NULL, false, 0, i386, "system calls of another architecture" },
	{ "x32", MACHINE, NULL, false, 0, x32, "those of x32" },
#endif
	{ "tiocsti", ANYONE, NULL, false, 0, type_in, "typing into a terminal" },
	{ "tiocsti-high", ANYONE, NULL, false, 0, type_in_high, "the same with bit 32 set" },
	{ "tiocsti-highest", ANYONE, NULL, false, 0, type_in_highest, "the same with bit 63 set" },
	{ "tioclinux", ANYONE, NULL, false, 0, console_paste, "pasting into a console" },
	{ "tiocsetd", ANYONE, NULL, false, 0, line_discipline, "a line discipline" },
	{ NULL, ANYONE, NULL, false, 0, NULL, NULL },
};
