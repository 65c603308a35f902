/* SPDX-License-Identifier: MIT */
/*
 * A library to be preloaded (LD_PRELOAD) into mimoboxfs, which makes one call of the C library's
 * fail, as fault.h tells. The others go on to whom they were meant for.
 *
 * Helpers and sandboxes are copies of the daemon, so it is in them as well. It takes no lock and
 * makes no system call of its own: what runs here may be the only thread of a copy.
 */
/* Each function by the name that the linker has for it. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define EXPORT __attribute__((visibility("default")))

enum { STACK_MAX = 32 };

struct range {
	uintptr_t start, end;
};

static struct fault_plan *plan;
static struct range program, self;
static uint32_t role, born; /* in which round */
static bool inside, dying;

/* Sites */

static int find_module(struct dl_phdr_info *info, size_t size, void *data)
{
	struct range range = { UINTPTR_MAX, 0 };
	unsigned *index = data;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + part->p_vaddr;

		if (part->p_type != PT_LOAD)
			continue;
		range.start = start < range.start ? start : range.start;
		range.end = start + part->p_memsz > range.end ? start + part->p_memsz : range.end;
	}
	if ((*index)++ == 0) /* the program comes first */
		program = range;
	if ((uintptr_t)find_module >= range.start && (uintptr_t)find_module < range.end)
		self = range;
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAULT_PLAN");
	void *stack[STACK_MAX];
	unsigned index = 0;
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mapped;

	unsetenv("LD_PRELOAD"); /* what is executed is no business of ours */
	if (fd < 0)
		return;
	dl_iterate_phdr(find_module, &index);
	backtrace(stack, STACK_MAX); /* what it allocates, it allocates now */
	mapped = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped == MAP_FAILED)
		return;
	plan = mapped;
	plan->daemon = getpid();
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static bool is_in(const struct range *range, const void *address)
{
	return (uintptr_t)address >= range->start && (uintptr_t)address < range->end;
}

/* Where the program calls from, and nothing of the libraries in between. */
static void find_site(struct fault_site *site, const char *call)
{
	void *stack[STACK_MAX];
	int depth = backtrace(stack, STACK_MAX);
	uint64_t key = mix(1, role);

	site->depth = 0;
	for (int i = 0; i < depth && site->depth < FAULT_FRAMES; i++)
		if (is_in(&program, stack[i]))
			site->frames[site->depth++] = (uintptr_t)stack[i] - program.start;
	snprintf(site->call, sizeof(site->call), "%s", call);
	for (const char *at = site->call; *at; at++)
		key = mix(key, (unsigned char)*at);
	for (uint32_t i = 0; i < site->depth; i++)
		key = mix(key, site->frames[i]);
	site->key = key ? key : 1;
	site->role = role;
}

static void record(const struct fault_site *site)
{
	for (uint64_t i = 0; i < FAULT_SITES_MAX; i++) {
		struct fault_site *slot = &plan->sites[(site->key + i) % FAULT_SITES_MAX];
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&slot->key, &none, site->key)) {
			slot->role = site->role;
			slot->error = site->error;
			slot->depth = site->depth;
			memcpy(slot->call, site->call, sizeof(slot->call));
			memcpy(slot->frames, site->frames, sizeof(slot->frames));
			none = site->key;
		}
		if (none == 0 || none == site->key) {
			slot->count++;
			return;
		}
	}
	plan->full = true;
}

static void die(void)
{
	dying = false;
	raise(plan->death == FAULT_STOPS_AFTER ? SIGSTOP : SIGKILL);
}

static void go_on(void)
{
	plan->target = plan->then;
	plan->then = 0;
	memcpy(plan->call, plan->then_call, sizeof(plan->call));
}

static void reach(void)
{
	if (!plan->always)
		go_on();
	plan->hits++;
	if (plan->death == FAULT_DIES_BEFORE)
		die();
	dying = true;
}

/* After a call. */
static void survive(void)
{
	if (dying)
		die();
}

/* Sandboxes of another round are others'. */
static bool is_spared(void)
{
	return plan->delay_ms && (role == FAULT_INIT || role == FAULT_BUILDER) &&
	       born != plan->round;
}

/* Without a system call, since the process's filter may refuse any. */
static void delay(void)
{
	struct timespec now;
	int64_t until;

	clock_gettime(CLOCK_MONOTONIC, &now);
	until = now.tv_sec * 1000 + now.tv_nsec / 1000000 + plan->delay_ms;
	while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < until)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

/* Whether this call is to fail; then errno is `error`. */
static bool fails(const char *call, int error)
{
	struct fault_site site;
	int saved = errno;
	bool now = false;

	bool any = plan && plan->any && strcmp(call, plan->call) == 0;

	if (!plan || inside ||
	    (!plan->record && !any && (!plan->target || strcmp(call, plan->call) != 0)))
		return false;
	inside = true;
	find_site(&site, call);
	site.error = error;
	if (plan->record && site.depth)
		record(&site);
	if (plan->error)
		error = plan->error;
	bool whichever = plan->target == FAULT_ANY && role == FAULT_SERVER;
	if ((site.key == plan->target || whichever) && plan->death)
		reach();
	else if ((any || site.key == plan->target) && !is_spared())
		now = plan->hits++ == 0 || plan->always;
	if (now && plan->delay_ms) {
		delay();
		now = false;
	}
	if (now && plan->then) {
		go_on();
		plan->hits = 0;
	}
	inside = false;
	errno = now ? error : saved;
	return now;
}

/* The next in line for the name. */
#define NEXT(name)                     \
	static __typeof__(name) *next; \
	if (!next)                     \
	next = (__typeof__(next))dlsym(RTLD_NEXT, #name)

#define WRAP(type, name, error, failure, parameters, arguments) \
	EXPORT type name parameters                             \
	{                                                       \
		NEXT(name);                                     \
		if (fails(#name, error))                        \
			return failure;                         \
		type result = next arguments;                   \
		survive();                                      \
		return result;                                  \
	}

/* With one more argument, which not every call has. */
#define WRAP_MORE(name, error, parameters, last, arguments) \
	EXPORT int name parameters                          \
	{                                                   \
		va_list list;                               \
		unsigned long more;                         \
		NEXT(name);                                 \
		va_start(list, last);                       \
		more = va_arg(list, unsigned long);         \
		va_end(list);                               \
		if (fails(#name, error))                    \
			return -1;                          \
		int result = next arguments;                \
		survive();                                  \
		return result;                              \
	}

/* Files */

WRAP_MORE(open, EMFILE, (const char *path, int flags, ...), flags, (path, flags, more))
WRAP_MORE(open64, EMFILE, (const char *path, int flags, ...), flags, (path, flags, more))
WRAP_MORE(openat, EMFILE, (int fd, const char *path, int flags, ...), flags,
	  (fd, path, flags, more))
WRAP_MORE(openat64, EMFILE, (int fd, const char *path, int flags, ...), flags,
	  (fd, path, flags, more))
WRAP_MORE(fcntl, EMFILE, (int fd, int command, ...), command, (fd, command, more))
WRAP_MORE(fcntl64, EMFILE, (int fd, int command, ...), command, (fd, command, more))
WRAP_MORE(ioctl, EIO, (int fd, unsigned long request, ...), request, (fd, request, more))

extern int __openat64_2(int fd, const char *path, int flags);
WRAP(int, __openat64_2, EMFILE, -1, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(FILE *, fopen, EMFILE, NULL, (const char *path, const char *mode), (path, mode))
WRAP(FILE *, fopen64, EMFILE, NULL, (const char *path, const char *mode), (path, mode))
WRAP(ssize_t, read, ENOMEM, -1, (int fd, void *data, size_t size), (fd, data, size))
WRAP(ssize_t, write, ENOMEM, -1, (int fd, const void *data, size_t size), (fd, data, size))
WRAP(ssize_t, pread64, EIO, -1, (int fd, void *data, size_t size, off_t offset),
     (fd, data, size, offset))
WRAP(ssize_t, pwrite64, ENOSPC, -1, (int fd, const void *data, size_t size, off_t offset),
     (fd, data, size, offset))
WRAP(int, fallocate64, EOPNOTSUPP, -1, (int fd, int mode, off_t offset, off_t length),
     (fd, mode, offset, length))
WRAP(int, madvise, ENOMEM, -1, (void *at, size_t size, int advice), (at, size, advice))
WRAP(int, memfd_create, EMFILE, -1, (const char *name, unsigned flags), (name, flags))
WRAP(int, mkostemp64, EMFILE, -1, (char *path, int flags), (path, flags))
WRAP(char *, mkdtemp, ENOSPC, NULL, (char *path), (path))
WRAP(int, mkdir, ENOSPC, -1, (const char *path, mode_t mode), (path, mode))
WRAP(int, mkdirat, ENOSPC, -1, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(int, renameat2, ENOSPC, -1,
     (int from, const char *from_path, int to, const char *to_path, unsigned flags),
     (from, from_path, to, to_path, flags))
WRAP(int, rmdir, EBUSY, -1, (const char *path), (path))
WRAP(int, unlinkat, EBUSY, -1, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(int, symlinkat, ENOSPC, -1, (const char *to, int fd, const char *path), (to, fd, path))
WRAP(int, fchmodat, ENOSPC, -1, (int fd, const char *path, mode_t mode, int flags),
     (fd, path, mode, flags))
WRAP(int, chown, EIO, -1, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
WRAP(int, stat64, ENOMEM, -1, (const char *path, struct stat64 *out), (path, out))
WRAP(int, lstat64, ENOMEM, -1, (const char *path, struct stat64 *out), (path, out))
WRAP(int, fstat64, ENOMEM, -1, (int fd, struct stat64 *out), (fd, out))
WRAP(int, statfs64, ENOMEM, -1, (const char *path, struct statfs64 *out), (path, out))
WRAP(ssize_t, readlink, ENOMEM, -1, (const char *path, char *to, size_t size), (path, to, size))
WRAP(char *, realpath, ENOMEM, NULL, (const char *path, char *to), (path, to))
WRAP(int, chdir, ENOMEM, -1, (const char *path), (path))
WRAP(int, fchdir, ENOMEM, -1, (int fd), (fd))
WRAP(int, dup2, EBUSY, -1, (int fd, int to), (fd, to))
WRAP(int, dup3, EBUSY, -1, (int fd, int to, int flags), (fd, to, flags))
WRAP(int, pipe2, EMFILE, -1, (int ends[2], int flags), (ends, flags))
WRAP(int, close_range, ENOMEM, -1, (unsigned from, unsigned to, int flags), (from, to, flags))

/*
 * An answer that the kernel could not take ends the request with EIO: fuse_dev_do_write(). One that
 * it does not accept (EINVAL) leaves it as it is.
 */
EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	NEXT(writev);
	bool lost_one = fails("writev", ENOMEM);
	if (lost_one && errno == EINVAL)
		return -1;
	if (lost_one) {
		const struct fuse_out_header *header = parts->iov_base;
		struct fuse_out_header lost = { .len = sizeof(lost), .error = -EIO };
		struct iovec part = { &lost, sizeof(lost) };

		if (parts->iov_len >= sizeof(*header) && header->unique) {
			lost.unique = header->unique;
			if (next(fd, &part, 1) < 0)
				return -1;
		}
		errno = ENOMEM;
		return -1;
	}
	ssize_t result = next(fd, parts, count);
	survive();
	return result;
}

WRAP(ssize_t, splice, ENOMEM, -1,
     (int from, off_t *from_offset, int to, off_t *to_offset, size_t size, unsigned flags),
     (from, from_offset, to, to_offset, size, flags))

/* Sockets, events */

WRAP(int, socket, EMFILE, -1, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, socketpair, EMFILE, -1, (int domain, int type, int protocol, int ends[2]),
     (domain, type, protocol, ends))
WRAP(int, setsockopt, ENOMEM, -1, (int fd, int level, int name, const void *data, socklen_t size),
     (fd, level, name, data, size))
WRAP(ssize_t, send, ENOBUFS, -1, (int fd, const void *data, size_t size, int flags),
     (fd, data, size, flags))
WRAP(ssize_t, sendmsg, ENOBUFS, -1, (int fd, const struct msghdr *message, int flags),
     (fd, message, flags))
WRAP(ssize_t, recv, ENOMEM, -1, (int fd, void *data, size_t size, int flags),
     (fd, data, size, flags))
/* As the kernel does where no number is free. */
static void drop_descriptors(struct msghdr *message)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof(fd));
			close(fd);
		}
		at->cmsg_type = 0;
		message->msg_flags |= MSG_CTRUNC;
	}
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	NEXT(recvmsg);
	if (fails("recvmsg", ENOMEM))
		return -1;
	bool cut = message->msg_controllen && fails("recvmsg_cut", EMFILE);
	ssize_t result = next(fd, message, flags);
	survive();
	if (cut && result >= 0)
		drop_descriptors(message);
	return result;
}

EXPORT int getsockopt(int fd, int level, int name, void *data, socklen_t *size)
{
	NEXT(getsockopt);
	if (!plan || !plan->older || level != SOL_SOCKET || name != SO_PEERPIDFD)
		return next(fd, level, name, data, size);
	plan->hits++;
	errno = ENOPROTOOPT;
	return -1;
}

WRAP(int, poll, ENOMEM, -1, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
WRAP(int, epoll_create1, EMFILE, -1, (int flags), (flags))
EXPORT int epoll_ctl(int epoll, int command, int fd, struct epoll_event *event)
{
	NEXT(epoll_ctl);
	if (fails("epoll_ctl", command == EPOLL_CTL_DEL ? FAULT_NONE : ENOMEM))
		return -1;
	int result = next(epoll, command, fd, event);
	survive();
	return result;
}

WRAP(int, epoll_wait, EINTR, -1, (int epoll, struct epoll_event *events, int count, int timeout),
     (epoll, events, count, timeout))
WRAP(int, epoll_pwait2, EINTR, -1,
     (int epoll, struct epoll_event *events, int count, const struct timespec *timeout,
      const sigset_t *mask),
     (epoll, events, count, timeout, mask))
extern int eventfd(unsigned count, int flags);
WRAP(int, eventfd, EMFILE, -1, (unsigned count, int flags), (count, flags))
WRAP(int, timerfd_create, EMFILE, -1, (int clock, int flags), (clock, flags))
extern int signalfd(int fd, const sigset_t *signals, int flags);
WRAP(int, signalfd, EMFILE, -1, (int fd, const sigset_t *signals, int flags), (fd, signals, flags))

/* Mounts */

WRAP(int, mount, ENOMEM, -1,
     (const char *source, const char *target, const char *type, unsigned long flags,
      const void *data),
     (source, target, type, flags, data))
WRAP(int, umount2, ENOMEM, -1, (const char *target, int flags), (target, flags))
WRAP(int, fsopen, EMFILE, -1, (const char *type, unsigned flags), (type, flags))
WRAP(int, fsconfig, ENOMEM, -1,
     (int fd, unsigned command, const char *key, const void *value, int extra),
     (fd, command, key, value, extra))
WRAP(int, fsmount, EMFILE, -1, (int fd, unsigned flags, unsigned attributes),
     (fd, flags, attributes))
WRAP(int, open_tree, ENOSPC, -1, (int fd, const char *path, unsigned flags), (fd, path, flags))
WRAP(int, move_mount, ENOSPC, -1,
     (int from, const char *from_path, int to, const char *to_path, unsigned flags),
     (from, from_path, to, to_path, flags))
WRAP(int, mount_setattr, ENOMEM, -1,
     (int fd, const char *path, unsigned flags, struct mount_attr *attributes, size_t size),
     (fd, path, flags, attributes, size))

/* Processes and what they may do */

WRAP(int, setresuid, EAGAIN, -1, (uid_t real, uid_t effective, uid_t saved),
     (real, effective, saved))
WRAP(int, setresgid, EAGAIN, -1, (gid_t real, gid_t effective, gid_t saved),
     (real, effective, saved))
extern int setgroups(size_t count, const gid_t *groups);
WRAP(int, setgroups, ENOMEM, -1, (size_t count, const gid_t *groups), (count, groups))
WRAP(int, setrlimit64, EPERM, -1, (__rlimit_resource_t resource, const struct rlimit64 *limit),
     (resource, limit))
WRAP(pid_t, setsid, EPERM, -1, (void), ())
WRAP(int, setpgid, EPERM, -1, (pid_t pid, pid_t group), (pid, group))
WRAP(int, tcsetpgrp, EPERM, -1, (int fd, pid_t group), (fd, group))
WRAP(int, tcgetattr, EIO, -1, (int fd, struct termios *modes), (fd, modes))
WRAP(int, tcsetattr, EIO, -1, (int fd, int when, const struct termios *modes), (fd, when, modes))
WRAP(int, unshare, ENOSPC, -1, (int flags), (flags))
WRAP(int, sethostname, EPERM, -1, (const char *name, size_t size), (name, size))
extern int pidfd_open(pid_t pid, unsigned flags);
WRAP(int, pidfd_open, EMFILE, -1, (pid_t pid, unsigned flags), (pid, flags))
WRAP(int, posix_spawn, EAGAIN, EAGAIN,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
      const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]),
     (pid, path, actions, attributes, argv, envp))
WRAP(int, execve, ENOMEM, -1, (const char *path, char *const argv[], char *const envp[]),
     (path, argv, envp))
WRAP(cap_t, cap_init, ENOMEM, NULL, (void), ())
WRAP(int, cap_drop_bound, EPERM, -1, (cap_value_t capability), (capability))
WRAP(int, cap_reset_ambient, EPERM, -1, (void), ())
WRAP(int, cap_set_secbits, EPERM, -1, (unsigned bits), (bits))
WRAP(int, cap_set_proc, EPERM, -1, (cap_t capabilities), (capabilities))

EXPORT pid_t fork(void)
{
	static bool forked;
	NEXT(fork);
	if (fails("fork", EAGAIN))
		return -1;
	pid_t pid = next();
	if (pid == 0 && plan && plan->daemon == getppid()) {
		if (forked) /* or something that libfuse executes */
			role = FAULT_SERVER;
		else /* it goes on in the background */
			plan->daemon = getpid();
	}
	forked = true;
	return pid;
}

EXPORT pid_t _Fork(void)
{
	NEXT(_Fork);
	if (fails("_Fork", EAGAIN))
		return -1;
	pid_t pid = next();
	if (pid == 0 && role == FAULT_INIT)
		role = FAULT_BUILDER;
	survive();
	return pid;
}

/* A process is told from its name which it is. */
EXPORT int prctl(int option, ...)
{
	static const char *const names[] = {
		[FAULT_FORKER] = "mimobox-forker",       [FAULT_SPAWNER] = "mimobox-spawner",
		[FAULT_SWEEPER] = "mimobox-sweeper",     [FAULT_REMOVER] = "mimobox-remover",
		[FAULT_UNMOUNTER] = "mimobox-unmounter", [FAULT_TICKER] = "mimobox-ticker",
		[FAULT_INIT] = "mimobox-init",
	};
	unsigned long more[4];
	va_list list;
	NEXT(prctl);

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		more[i] = va_arg(list, unsigned long);
	va_end(list);
	for (uint32_t i = 1; option == PR_SET_NAME && i < sizeof(names) / sizeof(*names); i++)
		if (strcmp((const char *)more[0], names[i]) == 0)
			role = i;
	if (fails("prctl", EINVAL))
		return -1;
	return next(option, more[0], more[1], more[2], more[3]);
}

static const char *name_of_call(long number, int *error)
{
	*error = ENOMEM;
	switch (number) {
	case SYS_clone3:
		*error = EAGAIN;
		return "clone3";
	case SYS_openat2:
		*error = EMFILE;
		return "openat2";
	case SYS_pivot_root:
		*error = EINVAL;
		return "pivot_root";
	case SYS_seccomp:
		return "seccomp";
	case SYS_landlock_create_ruleset:
		return "landlock_create_ruleset";
	case SYS_landlock_add_rule:
		return "landlock_add_rule";
	case SYS_landlock_restrict_self:
		*error = E2BIG;
		return "landlock_restrict_self";
	case SYS_pidfd_send_signal:
		*error = EAGAIN;
		return "pidfd_send_signal";
	default:
		return "syscall";
	}
}

EXPORT long syscall(long number, ...)
{
	unsigned long more[6];
	va_list list;
	int error;
	NEXT(syscall);
	const char *name = name_of_call(number, &error);

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		more[i] = va_arg(list, unsigned long);
	va_end(list);
	if (fails(name, error))
		return -1;
	long result = next(number, more[0], more[1], more[2], more[3], more[4], more[5]);
	survive();
	/* The forker's say themselves who they are. */
	if (number == SYS_clone3 && result == 0 && role != FAULT_FORKER) {
		role = role == FAULT_INIT ? FAULT_BUILDER : FAULT_INIT;
		born = plan ? plan->round : 0;
	}
	return result;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *now)
{
	NEXT(clock_gettime);
	int result = next(clock, now);

	if (plan && clock == CLOCK_REALTIME)
		now->tv_sec += plan->clock;
	return result;
}

/* Memory */

/* What dlsym(3) asks for while it looks for the next malloc(). */
static char early[16384];
static size_t early_used;

static void *give_early(size_t size)
{
	void *at = early + early_used;

	early_used += (size + 15) / 16 * 16;
	return early_used <= sizeof(early) ? at : NULL;
}

static bool is_early(const void *memory)
{
	return (const char *)memory >= early && (const char *)memory < early + sizeof(early);
}

static void *(*next_malloc)(size_t size);
static void *(*next_calloc)(size_t count, size_t size);
static void *(*next_realloc)(void *memory, size_t size);
static void (*next_free)(void *memory);

static bool find_memory(void)
{
	static bool finding;

	if (next_free)
		return true;
	if (finding)
		return false;
	finding = true;
	next_malloc = (__typeof__(next_malloc))dlsym(RTLD_NEXT, "malloc");
	next_calloc = (__typeof__(next_calloc))dlsym(RTLD_NEXT, "calloc");
	next_realloc = (__typeof__(next_realloc))dlsym(RTLD_NEXT, "realloc");
	next_free = (__typeof__(next_free))dlsym(RTLD_NEXT, "free");
	return true;
}

static void *count(void *memory, int64_t more)
{
	if (plan && (role == FAULT_DAEMON || role == FAULT_SERVER) && !inside && memory)
		plan->live += more;
	return memory;
}

EXPORT void *malloc(size_t size)
{
	if (!find_memory())
		return give_early(size);
	return fails("malloc", ENOMEM) ? NULL : count(next_malloc(size), 1);
}

EXPORT void *calloc(size_t members, size_t size)
{
	if (!find_memory())
		return give_early(members * size);
	return fails("calloc", ENOMEM) ? NULL : count(next_calloc(members, size), 1);
}

EXPORT void *realloc(void *memory, size_t size)
{
	if (!find_memory() || fails("realloc", ENOMEM))
		return NULL;
	return count(next_realloc(memory, size), memory ? 0 : 1);
}

EXPORT void free(void *memory)
{
	if (!memory || is_early(memory) || !find_memory())
		return;
	count(memory, -1);
	next_free(memory);
}
