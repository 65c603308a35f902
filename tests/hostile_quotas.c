/* SPDX-License-Identifier: MIT */
/* What the machine has once for all, and what it tells of all; and init, as far as it can be held.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIB ((size_t)1 << 20)
#define PRCTL_SET_MEMORY_MERGE 67

static struct sock_filter permissive[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
static const struct sock_fprog program = { COUNT(permissive), permissive };

/* Memory of BPF programs that no cgroup is charged for. */
static struct outcome socket_filter(const char *object)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)object;
	if (fd < 0)
		return untestable("no socket");
	return outcome_of(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
}

static struct outcome own_filter(const char *object)
{
	(void)object;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return untestable("no_new_privs");
	return outcome_of(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

static struct outcome filter_listener(const char *object)
{
	(void)object;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return untestable("no_new_privs");
	return outcome_of(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				  SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

/* Without a reservation none need be free. */
static struct outcome huge_pages(const char *object)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_HUGETLB;

	(void)object;
	return mmap(NULL, 2 * MIB, PROT_NONE, flags, -1, 0) == MAP_FAILED
		       ? denied(errno)
		       : escaped("huge pages are mapped");
}

static struct outcome huge_file(const char *object)
{
	(void)object;
	return outcome_of(memfd_create("hostile", MFD_CLOEXEC | MFD_HUGETLB));
}

static struct outcome huge_segment(const char *object)
{
	int id = shmget(IPC_PRIVATE, 2 * MIB, IPC_CREAT | SHM_HUGETLB | SHM_NORESERVE | 0600);
	struct outcome outcome = outcome_of(id);

	(void)object;
	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
	return outcome;
}

/* Connections that wait for accept(2), which each may have, and what is unread of netlink. */
static struct outcome many_sockets(int family, int type, const char *what)
{
	enum { WANTED = 200 };
	int sockets[WANTED];
	long count = 0;
	int error = 0;

	while (count < WANTED) {
		int fd = socket(family, type | SOCK_CLOEXEC, 0);

		error = errno;
		if (fd < 0)
			break;
		sockets[count] = fd;
		if (family == AF_INET && listen(fd, 4096) < 0) {
			error = errno;
			close(fd);
			break;
		}
		count++;
	}
	for (long i = 0; i < count; i++)
		close(sockets[i]);
	return count >= WANTED ? escaped("%ld %s", count, what)
			       : denied_after(error, "after %ld", count);
}

static struct outcome listeners(const char *object)
{
	(void)object;
	return many_sockets(AF_INET, SOCK_STREAM, "listeners");
}

static struct outcome netlinks(const char *object)
{
	(void)object;
	return many_sockets(AF_NETLINK, SOCK_RAW, "netlink sockets");
}

/* The kernel copies both under the lock of all networks. */
static struct outcome multicast(const char *object)
{
	const struct ip_mreqn group = { .imr_multiaddr.s_addr = htonl(0xe0010101),
					.imr_ifindex = 1 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)object;
	if (fd < 0)
		return denied(errno);
	return outcome_of(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)));
}

static struct outcome bridges(const char *object)
{
	unsigned long request[3] = { 0 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)object;
	return outcome_of(ioctl(fd, SIOCGIFBR, request));
}

static struct outcome tcp_layers(const char *object)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)object;
	if (fd < 0)
		return denied(errno);
	/* ENOTCONN comes from TLS itself. */
	return outcome_beyond(setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4), ENOTCONN);
}

/* The number of fs.aio-max-nr. */
static struct outcome old_aio(const char *object)
{
	unsigned long context = 0;
	struct outcome outcome = outcome_of(syscall(SYS_io_setup, 1, &context));

	(void)object;
	if (outcome.verdict == ESCAPED)
		syscall(SYS_io_destroy, context);
	return outcome;
}

static struct outcome merge_all(const char *object)
{
	(void)object;
	return outcome_of(prctl(PRCTL_SET_MEMORY_MERGE, 1, 0, 0, 0));
}

static struct outcome merge_some(const char *object)
{
	void *pages = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)object;
	if (pages == MAP_FAILED)
		return untestable("no memory");
	return outcome_of(madvise(pages, MIB, MADV_MERGEABLE));
}

/* To what they are: it is done to nobody's harm. */
static struct outcome init_priority(const char *object)
{
	pid_t pid = (pid_t)strtol(object, NULL, 10);

	errno = 0;
	int is = getpriority(PRIO_PROCESS, (id_t)pid);

	if (is < 0 && errno != 0)
		return denied(errno);
	return outcome_of(setpriority(PRIO_PROCESS, (id_t)pid, is));
}

static struct outcome init_processors(const char *object)
{
	pid_t pid = (pid_t)strtol(object, NULL, 10);
	cpu_set_t set;

	if (sched_getaffinity(pid, sizeof(set), &set) < 0)
		return denied(errno);
	return outcome_of(sched_setaffinity(pid, sizeof(set), &set));
}

/* Each tells of all users; what is masked is another file, or has nothing in it. */
static struct outcome machine_files(const char *object)
{
	static const char *const files[] = {
		"/proc/interrupts", "/proc/softirqs",       "/proc/locks",
		"/proc/iomem",      "/proc/ioports",        "/proc/key-users",
		"/proc/config.gz",  "/proc/irq/0/spurious", "/proc/bus/input/devices",
		"/proc/driver/rtc", "/proc/fs/jbd2/.",      "/proc/scsi/scsi",
	};
	char byte;

	(void)object;
	for (size_t i = 0; i < COUNT(files); i++) {
		int fd = open(files[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0 && (read(fd, &byte, 1) > 0 || errno == EISDIR))
			return escaped("%s", files[i]);
		if (fd >= 0)
			close(fd);
	}
	return denied(0);
}

static struct outcome bounded(long count, long wanted, const char *what)
{
	if (count >= wanted)
		return escaped("%ld %s", count, what);
	return denied_after(errno, "after %ld", count);
}

/* These are counted for the user who made the user namespace as well. */
static struct outcome inotify(const char *object)
{
	long wanted = parameter("HOSTILE_INOTIFY", 129);
	long count = 0;

	(void)object;
	while (count < wanted && inotify_init1(IN_CLOEXEC) >= 0)
		count++;
	return bounded(count, wanted, "instances");
}

static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static struct outcome pending_signals(const char *object)
{
	long wanted = parameter("HOSTILE_SIGNALS", 1500);
	const union sigval value = { 0 };
	long count = 0;

	(void)object;
	block_signals();
	while (count < wanted && sigqueue(getpid(), SIGRTMIN, value) == 0)
		count++;
	return bounded(count, wanted, "signals");
}

static struct outcome timers(const char *object)
{
	long wanted = parameter("HOSTILE_SIGNALS", 1500);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	timer_t timer;
	long count = 0;

	(void)object;
	while (count < wanted && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
		count++;
	return bounded(count, wanted, "timers");
}

const struct probe quota_probes[] = {
	{ "socket-filter", ANYONE, NULL, false, 0, socket_filter, "memory of BPF programs" },
	{ "own-filter", ANYONE, NULL, false, 0, own_filter, "the same, by filters of calls" },
	{ "filter-listener", ANYONE, NULL, false, 0, filter_listener, "filters without a process" },
	{ "huge-pages", MACHINE, NULL, false, 0, huge_pages, "huge pages" },
	{ "huge-file", MACHINE, NULL, false, 0, huge_file, "huge pages in a file" },
	{ "huge-segment", MACHINE, NULL, false, 0, huge_segment, "huge pages in a segment" },
	{ "libaio", MACHINE, NULL, false, 0, old_aio, "events of all of the machine" },
	{ "merge-all", MACHINE, NULL, false, 0, merge_all, "pages that others have, too" },
	{ "merge-some", MACHINE, NULL, false, 0, merge_some, "the same, by madvise" },
	{ "init-priority", OBJECT, "HOSTILE_INIT", false, 0, init_priority,
	  "the launcher's turns" },
	{ "init-processors", OBJECT, "HOSTILE_INIT", false, 0, init_processors,
	  "the launcher's processors" },
	{ "listeners", ANYONE, NULL, false, 0, listeners, "connections that nobody accepts" },
	{ "netlinks", ANYONE, NULL, false, 0, netlinks, "answers that nobody reads" },
	{ "multicast", MACHINE, NULL, false, 0, multicast, "the lock of all networks" },
	{ "bridges", MACHINE, NULL, false, 0, bridges, "the same, by any socket" },
	{ "tcp-layers", MACHINE, NULL, false, 0, tcp_layers, "protocols on top of TCP" },
	{ "machine-files", ANYONE, NULL, false, 0, machine_files, "what /proc tells of others" },
	{ "inotify", MACHINE, NULL, false, 0, inotify, "the instances of a user" },
	{ "pending-signals", MACHINE, NULL, false, 0, pending_signals, "the signals of a user" },
	{ "timers", MACHINE, NULL, false, 0, timers, "the same, by timers" },
	{ NULL, ANYONE, NULL, false, 0, NULL, NULL },
};
