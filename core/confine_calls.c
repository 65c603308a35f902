/* SPDX-License-Identifier: MIT */
/*
 * The system calls of the daemon's own processes. What is not here is refused with EPERM, and
 * audited: a call that the C library of tomorrow makes is worth less than everybody's sessions,
 * which would end with the server; and a call that an intruder makes is refused all the same.
 *
 * None of those that have a filter ever executes or forks anything, or makes memory executable.
 * Those that do, the forker, the spawner and the remover, have none: what comes from them would
 * have it too.
 */
#include "confine.h"

#include "sysfilter_lists.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define BIT(process) (1u << (process))
#define SERVER BIT(CONFINE_SERVER)
#define TICKER BIT(CONFINE_TICKER)
#define RELAY BIT(CONFINE_RELAY)
#define FILES (SERVER | BIT(CONFINE_SWEEPER) | BIT(CONFINE_UNMOUNTER))
#define ALL (FILES | TICKER | RELAY | BIT(CONFINE_BINDER))

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { NAME_SIZE = 32 };

static const struct {
	const char *reason;
	unsigned who;
	const char *calls; /* names, each followed by one space or the end */
} groups[] = {
	{ "sockets of published ports", BIT(CONFINE_BINDER),
	  "bind listen open openat chdir fchdir setresuid setresgid getuid geteuid getgid "
	  "getegid" },
	{ "messages, and the descriptors that come with them", ALL, "sendmsg recvmsg close" },
	{ "memory: what is executable is said by arguments, below", ALL,
	  "munmap mremap brk madvise futex" },
	{ "its end, and signals on the way there", ALL,
	  "exit exit_group rt_sigreturn rt_sigprocmask rt_sigaction getpid gettid tgkill" },
	{ "standard error, and files of /proc", FILES,
	  "read write writev open openat fstat newfstatat lseek fcntl" },
	{ "groups and directories that are of no more use", FILES, "unlinkat rmdir getdents64" },
	{ "the mount, at the end", BIT(CONFINE_UNMOUNTER), "umount2 statfs fstatfs geteuid" },

	{ "bytes in and out of what is open: the filesystem, terminals, pipes, spools", SERVER,
	  "pread64 pwrite64 readv fallocate ftruncate dup dup2 dup3 pipe2 "
	  "splice" },
	{ "waiting for it", SERVER,
	  "poll ppoll epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 "
	  "timerfd_create timerfd_settime timerfd_gettime signalfd4 eventfd2" },
	{ "how much the machine has to do", TICKER, "pread64" },
	{ "connections; sockets of which families is said by arguments", RELAY,
	  "connect accept4 sendto recvfrom shutdown setsockopt getsockopt splice pipe2 fcntl" },
	{ "waiting for them", RELAY,
	  "epoll_ctl epoll_wait epoll_pwait read timerfd_settime clock_gettime" },
	{ "two files that it is given, and numbers that nobody can guess", RELAY,
	  "pread64 fstat newfstatat getrandom" },
	{ "waiting for a moment", SERVER | TICKER | RELAY,
	  "nanosleep clock_nanosleep restart_syscall" },
	{ "files by name: spools, workspaces, cgroups, what /proc says of a sandbox", SERVER,
	  "stat lstat statx statfs fstatfs access faccessat faccessat2 readlink readlinkat "
	  "getcwd chdir mkdir mkdirat unlink rename renameat renameat2 umask" },
	{ "a workspace is given to whom the session runs as", SERVER, "chown fchownat" },
	{ "sockets to sandboxes and helpers; of which family is said by arguments", SERVER,
	  "sendto recvfrom shutdown setsockopt getsockopt" },
	{ "plans, which are handed over as files of memory", SERVER, "memfd_create" },
	{ "the ends of sandboxes and helpers", SERVER,
	  "kill pidfd_open pidfd_send_signal wait4 waitid" },
	{ "who it is, the time, and other facts", SERVER,
	  "getppid getuid geteuid getgid getegid clock_gettime clock_getres gettimeofday time "
	  "getrlimit prlimit64 getrusage uname sysinfo getrandom sched_yield "
	  "sched_getaffinity getcpu" },
#ifdef SANITIZED
	{ "what a sanitizer does at the end: it looks for leaks from a process of its own", ALL,
	  "clone ptrace wait4 prctl sched_yield getppid getuid geteuid sigaltstack readlink "
	  "readlinkat getdents pipe pipe2 mincore msync kill stat lstat clock_gettime "
	  "prlimit64 getrlimit sched_getaffinity dup dup2 process_vm_readv set_robust_list "
	  "getrandom mkdir unlink access sysinfo uname personality" },
#endif
	{ NULL, 0, NULL },
};

/*
 * Requests of terminals: sizes and modes. TIOCSTI, which types, is none of them. And those that
 * make a new directory part of a project of its filesystem (disk.h).
 */
static const uint32_t requests[] = { TIOCGWINSZ, TIOCSWINSZ,        TCGETS,           FIONREAD,
				     FIONBIO,    FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR };

static int add_group(scmp_filter_ctx context, const char *calls)
{
	int error = 0;
	while (error == 0 && *calls) {
		size_t length = strcspn(calls, " ");
		char name[NAME_SIZE];
		int number;
		if (length >= sizeof(name))
			return -EINVAL;
		memcpy(name, calls, length);
		name[length] = '\0';
		error = sysfilter_number(name, &number);
		if (error == 0 && number >= 0) /* this machine has it */
			error = seccomp_rule_add_exact(context, SCMP_ACT_ALLOW, number, 0);
		calls += length;
		calls += *calls == ' ';
	}
	return error;
}

static int add_groups(scmp_filter_ctx context, enum confine_process process)
{
	int error = 0;
	for (unsigned i = 0; error == 0 && groups[i].calls; i++)
		if (groups[i].who & BIT(process))
			error = add_group(context, groups[i].calls);
	return error;
}

/* The kernel compares 64 bits where it looks at 32. */
static int allow_request(scmp_filter_ctx context, uint32_t request)
{
	return seccomp_rule_add_exact(context, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				      SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, request));
}

static int allow_inert(scmp_filter_ctx context, int call)
{
	return seccomp_rule_add_exact(context, SCMP_ACT_ALLOW, call, 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int allow_inet(scmp_filter_ctx context)
{
	int error = seccomp_rule_add_exact(context, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					   SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_INET));
	if (error == 0)
		error = seccomp_rule_add_exact(context, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					       SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_INET6));
	return error;
}

/* A question: what a plan says of Landlock it says for the version that the kernel has. */
static int allow_version_of_landlock(scmp_filter_ctx context)
{
	int call;
	int error = sysfilter_number("landlock_create_ruleset", &call);
	if (error < 0)
		return error;
	return seccomp_rule_add_exact(context, SCMP_ACT_ALLOW, call, 1,
				      SCMP_A2(SCMP_CMP_EQ, LANDLOCK_CREATE_RULESET_VERSION, 0));
}

static int add_arguments(scmp_filter_ctx context, enum confine_process process)
{
	int error = allow_inert(context, SCMP_SYS(mmap));
	if (error == 0)
		error = allow_inert(context, SCMP_SYS(mprotect));
	if (error == 0 && process == CONFINE_RELAY)
		return allow_inet(context);
	if (error == 0 && process == CONFINE_BINDER)
		return seccomp_rule_add_exact(context, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					      SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_UNIX));
	if (error < 0 || process != CONFINE_SERVER)
		return error;
	for (unsigned i = 0; error == 0 && i < sizeof(requests) / sizeof(requests[0]); i++)
		error = allow_request(context, requests[i]);
	if (error == 0)
		error = seccomp_rule_add_exact(context, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
					       SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_UNIX));
	return error == 0 ? allow_version_of_landlock(context) : error;
}

int confine_calls(enum confine_process process)
{
	scmp_filter_ctx context;
	int error = sysfilter_begin(SCMP_ACT_ERRNO(EPERM), &context);
	if (error < 0)
		return error;
	error = seccomp_attr_set(context, SCMP_FLTATR_CTL_LOG, 1);
	if (error == 0)
		error = seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1);
	if (error == 0)
		error = add_groups(context, process);
	if (error == 0)
		error = add_arguments(context, process);
	if (error == 0)
		error = seccomp_load(context);
	seccomp_release(context);
	return error;
}
