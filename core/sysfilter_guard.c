/* SPDX-License-Identifier: MIT */
/*
 * What is refused of calls that are otherwise allowed, for what their arguments say.
 *
 * The kernel hands a filter each argument as the 64 bits of its register, and then looks at only
 * 32 of them itself where the parameter is an int. A rule that compares all 64 for equality is
 * passed by a call with a bit set above (ioctl(fd, TIOCSTI | 1 << 32), CVE-2019-7303), so what is
 * refused is compared under a mask here, and what is allowed is reached by refusing all else.
 *
 * libseccomp joins several conditions of one rule by "and", several rules of one call by "or", and
 * takes one condition an argument. Only what is in registers can be looked at: paths, socket
 * addresses and structures are in memory that another thread may change after the look.
 */
#include "sysfilter_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/in6.h>
#include <linux/ioprio.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "sysfilter.h"
#include "sysfilter_lists.h"

#define INIT 1
/* Newer than some headers, or only in those of the kernel that clash with the C library's. */
#define PRCTL_SET_MEMORY_MERGE 67
#define OPTION_TCP_AO_ADD_KEY 38
#define OPTION_UDP_ENCAP 100
#define POLICY_DEADLINE 6
#define POLICY_EXT 7

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The argument `n`, seen through `mask`, is `value`. */
#define MASKED(n, mask, value) SCMP_CMP64(n, SCMP_CMP_MASKED_EQ, (mask), (value))
#define HAS_BIT(n, bit) MASKED(n, (uint64_t)(bit), (uint64_t)(bit))
#define LACKS_BIT(n, bit) MASKED(n, (uint64_t)(bit), 0)
#define IS_INT(n, value) MASKED(n, UINT64_C(0xffffffff), (uint64_t)(value))
/* These look at all 64 bits: a value with a bit set above the int is none that is allowed. */
#define IS(n, value) SCMP_CMP64(n, SCMP_CMP_EQ, (uint64_t)(value), 0)
#define ISNT(n, value) SCMP_CMP64(n, SCMP_CMP_NE, (uint64_t)(value), 0)
#define ABOVE(n, value) SCMP_CMP64(n, SCMP_CMP_GT, (uint64_t)(value), 0)

/* The first error stays, and no rule is added after it: so rules can be told one after another. */
struct guard {
	scmp_filter_ctx context;
	int error;
};

static void refuse(struct guard *guard, const char *call, uint32_t action, unsigned count,
		   const struct scmp_arg_cmp *conditions)
{
	int number = 0;

	if (guard->error != 0)
		return;
	guard->error = sysfilter_number(call, &number);
	if (guard->error == 0 && number >= 0)
		guard->error = seccomp_rule_add_exact_array(guard->context, action, number, count,
							    conditions);
}

static void refuse_if(struct guard *guard, const char *call, int error, struct scmp_arg_cmp one)
{
	refuse(guard, call, SCMP_ACT_ERRNO((uint32_t)error), 1, &one);
}

static void refuse_if_both(struct guard *guard, const char *call, int error,
			   struct scmp_arg_cmp one, struct scmp_arg_cmp other)
{
	const struct scmp_arg_cmp both[] = { one, other };

	refuse(guard, call, SCMP_ACT_ERRNO((uint32_t)error), COUNT(both), both);
}

/* Init answers, see broker.h. */
static void ask_if(struct guard *guard, const char *call, struct scmp_arg_cmp one)
{
	refuse(guard, call, SCMP_ACT_NOTIFY, 1, &one);
}

static void ask_if_both(struct guard *guard, const char *call, struct scmp_arg_cmp one,
			struct scmp_arg_cmp other)
{
	const struct scmp_arg_cmp both[] = { one, other };

	refuse(guard, call, SCMP_ACT_NOTIFY, COUNT(both), both);
}

/*
 * The flags are clone's first argument on x86_64 and aarch64 (clone(2); not so on s390). The
 * time namespace has no bit there: only clone3 and unshare can ask for it.
 */
static void guard_clone(struct guard *guard, bool fork)
{
	static const uint64_t namespaces[] = {
		CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET,
	};

	for (size_t i = 0; i < COUNT(namespaces); i++)
		refuse_if(guard, "clone", EPERM, HAS_BIT(0, namespaces[i]));
	/* What is no thread is a process: posix_spawn's CLONE_VM | CLONE_VFORK as well. */
	if (!fork)
		refuse_if(guard, "clone", EPERM, LACKS_BIT(0, CLONE_THREAD));
}

/*
 * TIOCSTI types into the terminal that the session's owner may be reading from, TIOCLINUX pastes
 * into a console (CVE-2017-5226). TIOCSETD loads line disciplines, whose drivers nobody's terminal
 * needs and many a hole was in (CVE-2017-2636, CVE-2020-14416).
 *
 * On btrfs any user may make subvolumes and snapshots, and set them read-only. rm(1) of root cannot
 * remove such a one, nor does it go into one that can be written, so that a workspace would stay.
 * Clones of files, which cp(1) makes, have the same type of request, and are allowed.
 */
static void guard_ioctl(struct guard *guard)
{
	static const uint64_t requests[] = {
		TIOCSTI,
		TIOCLINUX,
		TIOCSETD,
		BTRFS_IOC_SUBVOL_CREATE,
		BTRFS_IOC_SUBVOL_CREATE_V2,
		BTRFS_IOC_SNAP_CREATE,
		BTRFS_IOC_SNAP_CREATE_V2,
		BTRFS_IOC_SNAP_DESTROY,
		BTRFS_IOC_SNAP_DESTROY_V2,
		BTRFS_IOC_SUBVOL_SETFLAGS,
		BTRFS_IOC_SET_RECEIVED_SUBVOL,
		BTRFS_IOC_DEFAULT_SUBVOL,
	};

	for (size_t i = 0; i < COUNT(requests); i++)
		refuse_if(guard, "ioctl", EPERM, IS_INT(1, requests[i]));
}

/*
 * personality(2) may set 0 or ADDR_NO_RANDOMIZE (setarch -R), and ask (all 32 bits set);
 * READ_IMPLIES_EXEC, MMAP_PAGE_ZERO and other kernels' personalities undo protections.
 *
 * "None of the three" has to be said by masks: take the bits other than ADDR_NO_RANDOMIZE in a
 * ring. Where they are neither all clear nor all set, somewhere a set one is next to a clear one.
 * That leaves the three, and all bits set but ADDR_NO_RANDOMIZE.
 */
static void guard_personality(struct guard *guard)
{
	const uint64_t plain = ADDR_NO_RANDOMIZE;
	const uint64_t last = UINT64_C(1) << 31;

	for (uint64_t bit = 1; bit <= last; bit <<= 1) {
		uint64_t next = bit == last ? 1 : bit << 1;

		if (next == plain)
			next <<= 1;
		if (bit != plain)
			refuse_if(guard, "personality", EPERM, MASKED(0, bit | next, bit));
	}
	refuse_if(guard, "personality", EPERM, MASKED(0, last | plain, last));
}

/*
 * Set-user-ID and set-group-ID files outlive the sandbox in the workspace, and give whoever runs
 * them outside the rights of the session's owner: none are made. (Nix refuses them to its builders
 * too.) The mode counts only where open creates something; without that its register holds whatever
 * was left there. openat2 has its mode in memory, and is therefore absent altogether.
 *
 * Of directories set-group-ID is harmless. mkdir never sets it; what chmod is for init sees, where
 * it answers (broker.h).
 */
static void guard_modes(struct guard *guard, bool asks)
{
	static const struct {
		const char *call;
		unsigned mode; /* which argument */
		enum { FILES, DIRECTORIES, BOTH } of;
	} setters[] = {
		{ "chmod", 1, BOTH },        { "fchmod", 1, BOTH },
		{ "fchmodat", 2, BOTH },     { "fchmodat2", 2, BOTH },
		{ "mkdir", 1, DIRECTORIES }, { "mkdirat", 2, DIRECTORIES },
		{ "creat", 1, FILES },       { "mknod", 1, FILES },
		{ "mknodat", 2, FILES },
	};
	static const uint64_t bits[] = { S_ISUID, S_ISGID };
	/* Of O_TMPFILE only its own bit: the other is O_DIRECTORY. */
	static const uint64_t creates[] = { O_CREAT, O_TMPFILE & ~O_DIRECTORY };

	for (size_t i = 0; i < COUNT(setters); i++) {
		const struct scmp_arg_cmp group =
			MASKED(setters[i].mode, S_ISUID | S_ISGID, S_ISGID);

		refuse_if(guard, setters[i].call, EPERM, HAS_BIT(setters[i].mode, S_ISUID));
		if (setters[i].of == BOTH && asks)
			ask_if(guard, setters[i].call, group);
		else if (setters[i].of != DIRECTORIES)
			refuse_if(guard, setters[i].call, EPERM, group);
	}
	for (size_t b = 0; b < COUNT(bits); b++)
		for (size_t i = 0; i < COUNT(creates); i++) {
			refuse_if_both(guard, "open", EPERM, HAS_BIT(1, creates[i]),
				       HAS_BIT(2, bits[b]));
			refuse_if_both(guard, "openat", EPERM, HAS_BIT(2, creates[i]),
				       HAS_BIT(3, bits[b]));
		}
}

/* Device nodes: Landlock and the lack of CAP_MKNOD refuse them as well. */
static void guard_devices(struct guard *guard)
{
	static const uint64_t types[] = { S_IFCHR, S_IFBLK };

	for (size_t i = 0; i < COUNT(types); i++) {
		refuse_if(guard, "mknod", EPERM, MASKED(1, S_IFMT, types[i]));
		refuse_if(guard, "mknodat", EPERM, MASKED(2, S_IFMT, types[i]));
	}
}

/*
 * Where core_pattern is a pipe, a crash starts a program of the host's, as root, on the crashed
 * program's memory (CVE-2025-5054), and RLIMIT_CORE 0 does not keep it from that; only the odd
 * value 1 does (core(5), "Piping core dumps"). The launcher sets that, and nobody may set it to 0:
 * such a call is answered with 0 and changes nothing, for gpg and ssh-agent end when "no core
 * dumps" is refused to them, and that is what they have got.
 */
static void guard_core_dumps(struct guard *guard)
{
	const struct scmp_arg_cmp set[] = { IS_INT(0, RLIMIT_CORE) };
	const struct scmp_arg_cmp set_only[] = { IS_INT(1, RLIMIT_CORE), ISNT(2, 0), IS(3, 0) };
	const struct scmp_arg_cmp set_and_get[] = { IS_INT(1, RLIMIT_CORE), ISNT(2, 0),
						    ISNT(3, 0) };

	/* Init has the same identity: without descriptors it would lose sight of the command. */
	refuse_if(guard, "prlimit64", EPERM, ISNT(0, 0));
	refuse(guard, "setrlimit", SCMP_ACT_ERRNO(0), COUNT(set), set);
	refuse(guard, "prlimit64", SCMP_ACT_ERRNO(0), COUNT(set_only), set_only);
	/* An answer would be due in memory that a filter can't fill. */
	refuse(guard, "prlimit64", SCMP_ACT_ERRNO(EPERM), COUNT(set_and_get), set_and_get);
}

/*
 * TCP Fast Open by a flag of send connects without a connect(2), and so without Landlock asking for
 * the port (landlock-lsm/linux#41). EOPNOTSUPP is what a kernel says that has it switched off;
 * TCP_FASTOPEN_CONNECT goes by connect(2) and stays.
 */
static void guard_fast_open(struct guard *guard)
{
	refuse_if(guard, "sendto", EOPNOTSUPP, HAS_BIT(3, MSG_FASTOPEN));
	refuse_if(guard, "sendmsg", EOPNOTSUPP, HAS_BIT(2, MSG_FASTOPEN));
	refuse_if(guard, "sendmmsg", EOPNOTSUPP, HAS_BIT(3, MSG_FASTOPEN));
}

/*
 * Families but AF_UNIX and, but for `strict`, AF_INET, AF_INET6 and of AF_NETLINK the one that
 * tells of interfaces, addresses and routes: getifaddrs(3). To change any takes a capability. Each
 * other one is a part of the kernel of its own, loaded on demand and often broken into (AF_VSOCK
 * CVE-2021-26708, AF_PACKET CVE-2020-14386, AF_ALG, AF_NETLINK's netfilter CVE-2024-1086).
 * EAFNOSUPPORT is what a kernel without them says.
 */
static void guard_families(struct guard *guard, bool inet)
{
	refuse_if(guard, "socketpair", EAFNOSUPPORT, ISNT(0, AF_UNIX));
	if (!inet) {
		refuse_if(guard, "socket", EAFNOSUPPORT, ISNT(0, AF_UNIX));
		return;
	}
	for (int family = 0; family < AF_NETLINK; family++)
		if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
			refuse_if(guard, "socket", EAFNOSUPPORT, IS(0, family));
	refuse_if(guard, "socket", EAFNOSUPPORT, ABOVE(0, AF_NETLINK));
	refuse_if_both(guard, "socket", EPROTONOSUPPORT, IS(0, AF_NETLINK), ISNT(2, NETLINK_ROUTE));
	ask_if_both(guard, "socket", IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE));
}

/* Of INET only what ordinary programs use: no SCTP, MPTCP, SMC, DCCP, UDP-Lite, raw. */
static void guard_inet(struct guard *guard, int family, bool tcp_only)
{
	const struct scmp_arg_cmp is_family = IS_INT(0, family);
	const uint64_t stream_or_datagram = SOCK_STREAM | SOCK_DGRAM;

	/* SOCK_STREAM is 1, SOCK_DGRAM 2; the other bits are flags from SOCK_NONBLOCK (2048) up. */
	refuse_if_both(guard, "socket", ESOCKTNOSUPPORT, is_family, HAS_BIT(1, 4));
	refuse_if_both(guard, "socket", ESOCKTNOSUPPORT, is_family, HAS_BIT(1, 8));
	refuse_if_both(guard, "socket", ESOCKTNOSUPPORT, is_family,
		       MASKED(1, stream_or_datagram, 0));
	refuse_if_both(guard, "socket", ESOCKTNOSUPPORT, is_family,
		       MASKED(1, stream_or_datagram, stream_or_datagram));
	if (tcp_only)
		refuse_if_both(guard, "socket", ESOCKTNOSUPPORT, is_family, HAS_BIT(1, SOCK_DGRAM));
	for (int protocol = 1; protocol < IPPROTO_UDP; protocol++)
		if (protocol != IPPROTO_TCP)
			refuse_if_both(guard, "socket", EPROTONOSUPPORT, is_family,
				       IS_INT(2, protocol));
	refuse_if_both(guard, "socket", EPROTONOSUPPORT, is_family, ABOVE(2, IPPROTO_UDP));
}

/*
 * Landlock has a right for binding a TCP port, but a socket that listens without having been bound
 * gets a port all the same, open to whoever reaches the machine. Which socket it is no filter can
 * see: under `network tcp` nobody listens, on AF_UNIX neither.
 */
static void guard_listen(struct guard *guard)
{
	refuse(guard, "listen", SCMP_ACT_ERRNO(EPERM), 0, NULL);
}

/*
 * Huge pages are those that the host has set aside for a database or for virtual machines. They are
 * counted for the whole machine, and `memory` does not see them. Programs that ask for them go on
 * with ordinary pages after ENOMEM, which is what the kernel says when none is left, and after
 * EINVAL, which is what a kernel without them says.
 */
static void guard_huge_pages(struct guard *guard)
{
	refuse_if(guard, "mmap", ENOMEM, HAS_BIT(3, MAP_HUGETLB));
	refuse_if(guard, "memfd_create", EINVAL, HAS_BIT(1, MFD_HUGETLB));
	refuse_if(guard, "shmget", ENOMEM, HAS_BIT(2, SHM_HUGETLB));
}

/*
 * Where KSM runs, equal pages of different sandboxes become one, and how long a write to such a
 * page takes tells that another has it. Nothing is merged that its program does not ask for. EINVAL
 * is what a kernel without KSM says.
 */
static void guard_merging(struct guard *guard)
{
	refuse_if(guard, "prctl", EINVAL, IS_INT(0, PRCTL_SET_MEMORY_MERGE));
	refuse_if(guard, "madvise", EINVAL, IS_INT(2, MADV_MERGEABLE));
}

/*
 * BPF programs are compiled into memory that has one limit for the machine (net.core.bpf_jit_limit)
 * and is charged to no cgroup. Once it is used up no process gets a filter, and no session starts.
 * Each socket may have such a program, so sockets get none.
 *
 * A program's own filter of system calls is one too. There are processes * 32,768 instructions of
 * them at most; such a filter can also write to the host's audit log at each call
 * (SECCOMP_RET_LOG). So they take `compat`. A listener would keep the filters of a process that has
 * ended, as many as there are descriptors, and is refused there as well. EINVAL is what a kernel
 * says that has no filters, or no listeners.
 */
static void guard_filters(struct guard *guard, bool own)
{
	static const uint64_t options[] = { SO_ATTACH_FILTER, SO_ATTACH_BPF,
					    SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF };

	for (size_t i = 0; i < COUNT(options); i++)
		refuse_if_both(guard, "setsockopt", EPERM, IS_INT(1, SOL_SOCKET),
			       IS_INT(2, options[i]));
	if (own) {
		refuse_if_both(guard, "seccomp", EINVAL, IS_INT(0, SECCOMP_SET_MODE_FILTER),
			       HAS_BIT(1, SECCOMP_FILTER_FLAG_NEW_LISTENER));
		return;
	}
	refuse_if(guard, "seccomp", EINVAL, IS_INT(0, SECCOMP_SET_MODE_FILTER));
	refuse_if_both(guard, "prctl", EINVAL, IS_INT(0, PR_SET_SECCOMP),
		       IS_INT(1, SECCOMP_MODE_FILTER));
}

/*
 * A tracer with CAP_SYS_ADMIN can have what it traces go by no filter, and read filters. No process
 * in a sandbox has that capability, so the kernel refuses both as well.
 */
static void guard_tracing(struct guard *guard)
{
	refuse_if_both(guard, "ptrace", EPERM, IS_INT(0, PTRACE_SETOPTIONS),
		       HAS_BIT(3, PTRACE_O_SUSPEND_SECCOMP));
	refuse_if_both(guard, "ptrace", EPERM, IS_INT(0, PTRACE_SEIZE),
		       HAS_BIT(3, PTRACE_O_SUSPEND_SECCOMP));
	refuse_if(guard, "ptrace", EPERM, IS_INT(0, PTRACE_SECCOMP_GET_FILTER));
	refuse_if(guard, "ptrace", EPERM, IS_INT(0, PTRACE_SECCOMP_GET_METADATA));
}

/*
 * What an option of a socket holds is charged to no cgroup (sock_kmalloc in the kernel), up to
 * net.core.optmem_max for each socket: keys of TCP, headers of IPv6. Flow labels have a table of
 * 4,096 for all network namespaces. The others reach parts of the kernel that next to no program
 * uses: TLS and other protocols below TCP, IPsec in UDP, an IPv6 socket made one of IPv4. Each
 * errno is what a kernel says that lacks it.
 */
static void guard_options(struct guard *guard)
{
	static const struct {
		int level, option, error;
	} options[] = {
		{ SOL_SOCKET, SO_ZEROCOPY, EOPNOTSUPP },
		{ IPPROTO_TCP, TCP_MD5SIG, ENOPROTOOPT },
		{ IPPROTO_TCP, TCP_MD5SIG_EXT, ENOPROTOOPT },
		{ IPPROTO_TCP, TCP_ULP, ENOENT },
		{ IPPROTO_TCP, OPTION_TCP_AO_ADD_KEY, ENOPROTOOPT },
		{ IPPROTO_UDP, OPTION_UDP_ENCAP, ENOPROTOOPT },
		{ IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, EPERM },
		{ IPPROTO_IPV6, IPV6_2292PKTOPTIONS, ENOPROTOOPT },
		{ IPPROTO_IPV6, IPV6_2292RTHDR, ENOPROTOOPT },
		{ IPPROTO_IPV6, IPV6_RTHDR, ENOPROTOOPT },
		{ IPPROTO_IPV6, IPV6_ADDRFORM, ENOPROTOOPT },
	};

	for (size_t i = 0; i < COUNT(options); i++)
		refuse_if_both(guard, "setsockopt", options[i].error, IS_INT(1, options[i].level),
			       IS_INT(2, options[i].option));
}

/*
 * Groups of multicast: the kernel reads some of these options, and writes others, while it holds
 * the lock of all network configuration (RTNL). A page fault can be made to take long, and until it
 * ends no network namespace is made on the machine. A loopback has no multicast: ENODEV is what the
 * kernel says. With the host's network they are as they are there.
 */
static void guard_multicast(struct guard *guard)
{
	static const int options[][2] = {
		{ IPPROTO_IPV6, IPV6_JOIN_GROUP },
		{ IPPROTO_IPV6, IPV6_LEAVE_GROUP },
		{ IPPROTO_IPV6, IPV6_JOIN_ANYCAST },
		{ IPPROTO_IPV6, IPV6_LEAVE_ANYCAST },
		{ IPPROTO_IP, IP_ADD_MEMBERSHIP },
		{ IPPROTO_IP, IP_DROP_MEMBERSHIP },
		{ IPPROTO_IP, IP_UNBLOCK_SOURCE },
		{ IPPROTO_IP, IP_BLOCK_SOURCE },
		{ IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP },
		{ IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP },
		{ IPPROTO_IP, IP_MSFILTER },
	};
	static const int levels[] = { IPPROTO_IP, IPPROTO_IPV6 };

	for (size_t i = 0; i < COUNT(options); i++)
		refuse_if_both(guard, "setsockopt", ENODEV, IS_INT(1, options[i][0]),
			       IS_INT(2, options[i][1]));
	for (size_t l = 0; l < COUNT(levels); l++)
		for (int option = MCAST_JOIN_GROUP; option <= MCAST_MSFILTER; option++)
			refuse_if_both(guard, "setsockopt", ENODEV, IS_INT(1, levels[l]),
				       IS_INT(2, option));
	for (size_t l = 0; l < COUNT(levels); l++)
		refuse_if_both(guard, "getsockopt", ENODEV, IS_INT(1, levels[l]),
			       IS_INT(2, MCAST_MSFILTER));
	refuse_if_both(guard, "getsockopt", ENODEV, IS_INT(1, IPPROTO_IP), IS_INT(2, IP_MSFILTER));
}

/*
 * Requests of any socket, one of AF_UNIX too. Some hold that lock while they copy: the list of
 * interfaces (SIOCGIFCONF, which init answers) and bridges. Of 0x8940 to 0x89ff and the wireless
 * ones, which ask drivers, next to no program needs any.
 */
static void guard_requests(struct guard *guard, bool inet)
{
	refuse_if(guard, "ioctl", EPERM, MASKED(1, UINT64_C(0xffffffc0), 0x8940));
	refuse_if(guard, "ioctl", EPERM, MASKED(1, UINT64_C(0xffffff80), 0x8980));
	refuse_if(guard, "ioctl", EPERM, MASKED(1, UINT64_C(0xffffff00), 0x8b00));
	if (inet)
		ask_if(guard, "ioctl", IS_INT(1, SIOCGIFCONF));
	else
		refuse_if(guard, "ioctl", EPERM, IS_INT(1, SIOCGIFCONF));
}

/* Connections that nobody has accepted are in no cgroup: init bounds them, see broker.h. */
static void guard_waiting(struct guard *guard)
{
	refuse(guard, "listen", SCMP_ACT_NOTIFY, 0, NULL);
	ask_if_both(guard, "setsockopt", IS_INT(1, SOL_SOCKET), IS_INT(2, SO_RCVBUF));
	/* By it /proc marks those that are the relay's: inside.h. */
	refuse_if_both(guard, "setsockopt", EOPNOTSUPP, IS_INT(1, IPPROTO_TCP),
		       IS_INT(2, TCP_FASTOPEN));
}

/*
 * Init has the identity of what it starts, so the kernel lets any program in the sandbox slow it
 * down. A process group or a user may include it. ISNT looks at all 64 bits, and what it lets
 * through names one process.
 */
static void guard_init(struct guard *guard)
{
	static const char *const by_number[] = { "sched_setaffinity", "sched_setscheduler",
						 "sched_setparam", "sched_setattr" };

	for (size_t i = 0; i < COUNT(by_number); i++)
		refuse_if(guard, by_number[i], EPERM, IS_INT(0, INIT));
	refuse_if(guard, "setpriority", EPERM, ISNT(0, PRIO_PROCESS));
	refuse_if(guard, "setpriority", EPERM, IS_INT(1, INIT));
	refuse_if(guard, "ioprio_set", EPERM, ISNT(0, IOPRIO_WHO_PROCESS));
	refuse_if(guard, "ioprio_set", EPERM, IS_INT(1, INIT));
}

/*
 * A program may take a lower place than others. Of policies that leaves SCHED_OTHER, SCHED_BATCH
 * and SCHED_IDLE, of classes all but "real time" and the better half of "best effort".
 */
static void guard_places(struct guard *guard)
{
	/* The kernel knows none above. */
	static const uint64_t policies[] = { SCHED_FIFO, SCHED_RR, 4, POLICY_DEADLINE, POLICY_EXT };
	const uint64_t policy = UINT64_C(0xffffffff) & ~(uint64_t)SCHED_RESET_ON_FORK;
	const uint64_t class = UINT64_C(7) << IOPRIO_CLASS_SHIFT;

	for (size_t i = 0; i < COUNT(policies); i++)
		refuse_if(guard, "sched_setscheduler", EPERM, MASKED(1, policy, policies[i]));
	refuse_if(guard, "ioprio_set", EPERM,
		  MASKED(2, class, (uint64_t)IOPRIO_CLASS_RT << IOPRIO_CLASS_SHIFT));
	refuse_if(guard, "ioprio_set", EPERM,
		  MASKED(2, class | 4, (uint64_t)IOPRIO_CLASS_BE << IOPRIO_CLASS_SHIFT));
}

int sysfilter_guard(void *context, const struct sysfilter_options *options)
{
	struct guard guard = { .context = context };
	bool inet = options->profile != SYSFILTER_STRICT;

	guard_clone(&guard, options->fork);
	guard_ioctl(&guard);
	guard_personality(&guard);
	guard_modes(&guard, inet);
	guard_devices(&guard);
	guard_core_dumps(&guard);
	guard_fast_open(&guard);
	guard_huge_pages(&guard);
	guard_merging(&guard);
	guard_filters(&guard, options->profile == SYSFILTER_COMPAT);
	guard_options(&guard);
	guard_requests(&guard, inet);
	guard_init(&guard);
	if (options->ptrace)
		guard_tracing(&guard);
	guard_places(&guard);
	guard_families(&guard, inet);
	if (inet) {
		guard_inet(&guard, AF_INET, options->tcp_only);
		guard_inet(&guard, AF_INET6, options->tcp_only);
	}
	if (options->tcp_only)
		guard_listen(&guard);
	if (options->own_network)
		guard_multicast(&guard);
	if (options->own_network && inet)
		guard_waiting(&guard);
	return guard.error;
}
