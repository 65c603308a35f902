/* SPDX-License-Identifier: MIT */
/*
 * What the filters answer, call by call, by running the programs here: every number, and every
 * combination of arguments that matters. That the kernel answers alike is in sysfilter_live.c.
 */
#include "sysfilter.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "bpf.h"
#include "sysfilter_lists.h"

#define ALLOW SECCOMP_RET_ALLOW
#define ERROR(e) (SECCOMP_RET_ERRNO | (e))
#define ASK SECCOMP_RET_USER_NOTIF
#define LAST_NUMBER 600
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { HOST, TCP_ONLY, OWN, NETWORKS };

/* All programs, made once for each test's process, and of each profile the one that traces. */
static struct sysfilter filters[SYSFILTER_PROFILES][2][NETWORKS];
static struct sysfilter tracing[SYSFILTER_PROFILES];

static void build_all(void)
{
	for (int i = 0; i < SYSFILTER_PROFILES * 2 * NETWORKS; i++) {
		const struct sysfilter_options options = {
			.profile = (enum sysfilter_profile)(i / 2 / NETWORKS),
			.fork = i / NETWORKS % 2,
			.tcp_only = i % NETWORKS == TCP_ONLY,
			.own_network = i % NETWORKS == OWN,
		};
		char why[128] = "";
		int r = sysfilter_build(&options,
					&filters[options.profile][options.fork][i % NETWORKS], why,
					sizeof(why));

		cr_assert_eq(r, 0, "%s", why);
	}
	for (int i = 0; i < SYSFILTER_PROFILES; i++) {
		const struct sysfilter_options options = {
			.profile = (enum sysfilter_profile)i,
			.fork = true,
			.ptrace = true,
		};

		cr_assert_eq(sysfilter_build(&options, &tracing[i], NULL, 0), 0);
	}
}

static void finish_all(void)
{
	for (int i = 0; i < SYSFILTER_PROFILES; i++)
		sysfilter_finish(&tracing[i]);
	for (int i = 0; i < SYSFILTER_PROFILES * 2 * NETWORKS; i++)
		sysfilter_finish(&filters[i / 2 / NETWORKS][i / NETWORKS % 2][i % NETWORKS]);
}

TestSuite(sysfilter, .init = build_all, .fini = finish_all, .timeout = 60);

static const struct sysfilter *usual(enum sysfilter_profile profile)
{
	return &filters[profile][true][HOST];
}

static uint32_t answer(const struct sysfilter *filter, int number, uint64_t a, uint64_t b,
		       uint64_t c, uint64_t d)
{
	const struct seccomp_data call = {
		.nr = number,
		.arch = BPF_ARCH,
		.args = { a, b, c, d },
	};

	return bpf_run(filter, &call).action;
}

static uint32_t answer_to(enum sysfilter_profile profile, const char *name, uint64_t a, uint64_t b,
			  uint64_t c, uint64_t d)
{
	int number;

	cr_assert_eq(sysfilter_number(name, &number), 0, "%s", name);
	return number < 0 ? ERROR(ENOSYS) : answer(usual(profile), number, a, b, c, d);
}

/* Arguments that the guard has nothing against, so that the list alone answers. */
static uint32_t answer_plain(const struct sysfilter *filter, int number)
{
	if (number == SCMP_SYS(socket) || number == SCMP_SYS(socketpair))
		return answer(filter, number, AF_UNIX, SOCK_STREAM, 0, 0);
	if (number == SCMP_SYS(clone))
		return answer(filter, number, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0);
	if (number == SCMP_SYS(setrlimit))
		return answer(filter, number, RLIMIT_NOFILE, 1, 0, 0);
	if (number == SCMP_SYS(prlimit64))
		return answer(filter, number, 0, RLIMIT_NOFILE, 1, 0);
	if (number == SCMP_SYS(ioprio_set))
		return answer(filter, number, IOPRIO_WHO_PROCESS, 0, 0, 0);
	return answer(filter, number, 0, 0, 0, 0);
}

/* The group that a name is in; the test fails where there are two. */
static const struct sysfilter_group *group_of(const char *name)
{
	const struct sysfilter_group *found = NULL;
	size_t length = strlen(name);

	for (const struct sysfilter_group *group = sysfilter_groups; group->calls; group++) {
		for (const char *at = group->calls; *at != '\0'; at += strspn(at, " ")) {
			size_t n = strcspn(at, " ");

			if (n == length && memcmp(at, name, n) == 0) {
				cr_assert_null(found, "%s is listed twice", name);
				found = group;
			}
			at += n;
		}
	}
	return found;
}

Test(sysfilter, every_known_call_is_in_one_group)
{
	for (int number = 0; number < LAST_NUMBER; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

		if (name != NULL)
			cr_assert_not_null(group_of(name), "%s (%d)", name, number);
		free(name);
	}
	for (const struct sysfilter_number *newer = sysfilter_newer; newer->name; newer++)
		cr_assert_not_null(group_of(newer->name), "%s", newer->name);
}

/* libseccomp's numbers, where it has them, are those of the table of newer calls. */
Test(sysfilter, newer_numbers_agree_with_libseccomp)
{
	for (const struct sysfilter_number *newer = sysfilter_newer; newer->name; newer++) {
		int number = seccomp_syscall_resolve_name(newer->name);

		if (number >= 0)
			cr_assert_eq(number, newer->number, "%s", newer->name);
	}
}

static uint32_t expected_of(const struct sysfilter_group *group, enum sysfilter_profile profile,
			    bool fork, bool ptrace)
{
	switch (group->verdict) {
	case SYSFILTER_ALLOW:
		return ALLOW;
	case SYSFILTER_ALLOW_FORK:
		return fork ? ALLOW : ERROR(EPERM);
	case SYSFILTER_ALLOW_COMPAT:
		return profile == SYSFILTER_COMPAT ? ALLOW : ERROR(EPERM);
	case SYSFILTER_ALLOW_PTRACE:
		return ptrace ? ALLOW : ERROR(EPERM);
	case SYSFILTER_REFUSE:
		return ERROR(EPERM);
	case SYSFILTER_ABSENT:
		break;
	}
	return ERROR(ENOSYS);
}

Test(sysfilter, every_call_gets_what_its_group_says)
{
	for (int i = 0; i < SYSFILTER_PROFILES * 2; i++) {
		enum sysfilter_profile profile = (enum sysfilter_profile)(i / 2);
		bool fork = i % 2 != 0;

		for (int number = 0; number < LAST_NUMBER; number++) {
			char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
			uint32_t is = answer_plain(&filters[profile][fork][false], number);

			if (name != NULL)
				cr_assert_eq(is, expected_of(group_of(name), profile, fork, false),
					     "%s in %s: 0x%x", name,
					     sysfilter_profile_name(profile), is);
			free(name);
		}
		/* Whatever libseccomp knows of. */
		for (const struct sysfilter_number *newer = sysfilter_newer; newer->name; newer++)
			if (newer->number >= 0)
				cr_assert_eq(
					answer_plain(&filters[profile][fork][false], newer->number),
					expected_of(group_of(newer->name), profile, fork, false),
					"%s in %s", newer->name, sysfilter_profile_name(profile));
	}
}

/* Three calls more than without, and no others. */
Test(sysfilter, what_traces_has_nothing_else)
{
	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		enum sysfilter_profile profile = (enum sysfilter_profile)p;
		unsigned more = 0;

		for (int number = 0; number < LAST_NUMBER; number++) {
			char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
			uint32_t is = answer_plain(&tracing[p], number);

			if (name != NULL)
				cr_assert_eq(is, expected_of(group_of(name), profile, true, true),
					     "%s: 0x%x", name, is);
			more += is != answer_plain(usual(profile), number);
			free(name);
		}
		cr_assert_eq(more, 3, "%u", more);
	}
}

/* A tracer that could, would have what it traces go by no filter. */
Test(sysfilter, no_tracer_suspends_a_filter)
{
	int number = SCMP_SYS(ptrace);
	const uint64_t suspend = PTRACE_O_SUSPEND_SECCOMP, high = UINT64_C(1) << 32;

	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		const struct sysfilter *filter = &tracing[p];

		for (unsigned i = 0; i < 2; i++) {
			uint64_t request = i ? PTRACE_SEIZE : PTRACE_SETOPTIONS;

			cr_expect_eq(answer(filter, number, request, 2, 0, 1), ALLOW);
			cr_expect_eq(answer(filter, number, request, 2, 0, suspend), ERROR(EPERM));
			cr_expect_eq(
				answer(filter, number, request | high, 2, 0, suspend | high | 1),
				ERROR(EPERM));
		}
		cr_expect_eq(answer(filter, number, PTRACE_SECCOMP_GET_FILTER, 2, 0, 0),
			     ERROR(EPERM));
		cr_expect_eq(answer(filter, number, PTRACE_SECCOMP_GET_METADATA, 2, 0, 0),
			     ERROR(EPERM));
	}
}

/* What init answers by is what the kernel would have answered. */
Test(sysfilter, is_run_here_as_by_the_kernel)
{
	static const uint64_t values[] = {
		0, 1, 2, 16, 0x10000000, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX
	};

	for (int p = 0; p < SYSFILTER_PROFILES; p++)
		for (int number = -1; number < LAST_NUMBER; number++)
			for (size_t a = 0; a < COUNT(values); a++)
				for (size_t b = 0; b < COUNT(values); b++) {
					const struct seccomp_data call = {
						.nr = number,
						.arch = a + b == 5 ? 0 : sysfilter_architecture(),
						.args = { values[a], values[b], values[b] },
					};

					cr_assert_eq(
						sysfilter_answer(usual((enum sysfilter_profile)p),
								 &call),
						bpf_run(usual((enum sysfilter_profile)p), &call)
							.action);
				}
	cr_assert_eq(sysfilter_architecture(), BPF_ARCH);
}

/* Whatever the lists come to say: these are what the sandbox stands on. */
Test(sysfilter, some_calls_are_never_allowed)
{
	static const char *const never[] = {
		"mount",
		"umount2",
		"pivot_root",
		"chroot",
		"open_tree",
		"open_tree_attr",
		"move_mount",
		"fsopen",
		"fsconfig",
		"fsmount",
		"fspick",
		"mount_setattr",
		"unshare",
		"setns",
		"clone3",
		"ptrace",
		"process_vm_readv",
		"process_vm_writev",
		"process_madvise",
		"pidfd_getfd",
		"kcmp",
		"bpf",
		"perf_event_open",
		"userfaultfd",
		"vmsplice",
		"keyctl",
		"add_key",
		"request_key",
		"kexec_load",
		"kexec_file_load",
		"init_module",
		"finit_module",
		"delete_module",
		"open_by_handle_at",
		"fanotify_init",
		"fanotify_mark",
		"io_uring_setup",
		"io_uring_enter",
		"io_uring_register",
		"io_setup",
		"io_destroy",
		"io_submit",
		"io_cancel",
		"io_getevents",
		"io_pgetevents",
		"mq_open",
		"mq_unlink",
		"mq_timedsend",
		"mq_timedreceive",
		"mq_notify",
		"mq_getsetattr",
		"quotactl",
		"quotactl_fd",
		"swapon",
		"swapoff",
		"reboot",
		"settimeofday",
		"clock_settime",
		"clock_adjtime",
		"adjtimex",
		"syslog",
		"acct",
		"sethostname",
		"setdomainname",
		"iopl",
		"ioperm",
		"modify_ldt",
		"openat2",
		"process_mrelease",
		"move_pages",
		"migrate_pages",
		"memfd_secret",
		"vhangup",
		"statmount",
		"listmount",
		"lsm_get_self_attr",
		"lsm_set_self_attr",
		"lsm_list_modules",
		"file_getattr",
		"file_setattr",
		"uselib",
		"_sysctl",
		"create_module",
		"get_kernel_syms",
		"query_module",
		"nfsservctl",
		"getpmsg",
		"putpmsg",
		"afs_syscall",
		"tuxcall",
		"security",
		"set_thread_area",
		"get_thread_area",
		"lookup_dcookie",
		"epoll_ctl_old",
		"epoll_wait_old",
		"vserver",
	};

	for (size_t i = 0; i < COUNT(never); i++)
		for (int p = 0; p < SYSFILTER_PROFILES; p++) {
			uint32_t is = answer_to((enum sysfilter_profile)p, never[i], 0, 0, 0, 0);

			cr_assert(is == ERROR(EPERM) || is == ERROR(ENOSYS), "%s: 0x%x", never[i],
				  is);
		}
}

/* Nor are these without compat, whatever a group's verdict comes to be. */
Test(sysfilter, some_calls_take_compat)
{
	static const char *const compat[] = {
		"shmget",
		"shmat",
		"shmdt",
		"shmctl",
		"semget",
		"semop",
		"semtimedop",
		"semctl",
		"msgget",
		"msgsnd",
		"msgrcv",
		"msgctl",
		"mbind",
		"set_mempolicy",
		"set_mempolicy_home_node",
		"sched_setattr",
		"remap_file_pages",
		"ustat",
		"sysfs",
		"name_to_handle_at",
	};

	for (size_t i = 0; i < COUNT(compat); i++)
		for (int p = 0; p < SYSFILTER_PROFILES; p++) {
			uint32_t is = answer_to((enum sysfilter_profile)p, compat[i], 0, 0, 0, 0);
			uint32_t want = p == SYSFILTER_COMPAT ? ALLOW : ERROR(EPERM);

			/* an architecture may lack it */
			cr_assert(is == want || is == ERROR(ENOSYS), "%s: 0x%x", compat[i], is);
		}
}

Test(sysfilter, unknown_numbers_are_absent)
{
	static const int unknown[] = { 400, 423, 9999, 0x3fffffff, -1 };

	for (size_t i = 0; i < COUNT(unknown); i++)
		for (int p = 0; p < SYSFILTER_PROFILES; p++)
			cr_assert_eq(
				answer(usual((enum sysfilter_profile)p), unknown[i], 0, 0, 0, 0),
				ERROR(ENOSYS), "%d", unknown[i]);
}

Test(sysfilter, other_architectures_are_killed)
{
	static const uint32_t others[] = { AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_S390X, 0 };

	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		const struct sysfilter *filter = usual((enum sysfilter_profile)p);

		for (size_t i = 0; i < COUNT(others); i++) {
			const struct seccomp_data call = { .nr = 0, .arch = others[i] };

			cr_assert_eq(bpf_run(filter, &call).action, SECCOMP_RET_KILL_PROCESS);
		}
#if defined(__x86_64__)
		for (int number = 0; number < LAST_NUMBER; number++)
			cr_assert_eq(answer(filter, number | 0x40000000, 0, 0, 0, 0),
				     SECCOMP_RET_KILL_PROCESS, "x32 %d", number);
#endif
	}
}

Test(sysfilter, each_profile_allows_all_of_the_one_before)
{
	for (int p = 1; p < SYSFILTER_PROFILES; p++)
		for (int number = 0; number < LAST_NUMBER; number++)
			if (answer_plain(usual((enum sysfilter_profile)(p - 1)), number) == ALLOW)
				cr_assert_eq(answer_plain(usual((enum sysfilter_profile)p), number),
					     ALLOW, "%d", number);
}

/* What a person would say of socket(2), to compare with. */
static uint32_t socket_expected(bool inet, bool tcp_only, uint64_t family, unsigned type,
				unsigned protocol)
{
	if (family == AF_UNIX)
		return ALLOW;
	if (inet && family == AF_NETLINK)
		return protocol ? ERROR(EPROTONOSUPPORT) : ASK;
	if (!inet || (family != AF_INET && family != AF_INET6))
		return ERROR(EAFNOSUPPORT);
	type &= 0xf;
	if (type == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP))
		return ALLOW;
	if (type == SOCK_STREAM && protocol == IPPROTO_UDP) /* the kernel refuses it itself */
		return ALLOW;
	if (type == SOCK_DGRAM && !tcp_only &&
	    (protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_TCP))
		return ALLOW;
	return ERROR(EPROTONOSUPPORT); /* or ESOCKTNOSUPPORT */
}

static void socket_compare(const struct sysfilter *filter, bool inet, bool tcp_only)
{
	static const uint64_t high[] = { 0, UINT64_C(1) << 32, UINT64_C(1) << 63 };
	static const unsigned flags[] = { 0, SOCK_CLOEXEC, SOCK_NONBLOCK,
					  SOCK_CLOEXEC | SOCK_NONBLOCK };

	for (unsigned family = 0; family < 50; family++)
		for (unsigned i = 0; i < 16 * COUNT(flags); i++)
			for (unsigned protocol = 0; protocol < 300; protocol++) {
				unsigned type = (i % 16) | flags[i / 16];
				uint32_t is =
					answer(filter, SCMP_SYS(socket), family, type, protocol, 0);
				uint32_t want =
					socket_expected(inet, tcp_only, family, type, protocol);

				if (want == ERROR(EPROTONOSUPPORT) && is == ERROR(ESOCKTNOSUPPORT))
					continue;
				cr_assert_eq(is, want, "socket(%u, %u, %u): 0x%x, not 0x%x", family,
					     type, protocol, is, want);
			}
	/* With bits above those of an int nothing is allowed that is not allowed without them. */
	for (unsigned i = 0; i < 50 * 16 * 20; i++) {
		uint64_t family = i % 50;
		uint64_t type = i / 50 % 16;
		uint64_t protocol = i / 800;
		bool plain = answer(filter, SCMP_SYS(socket), family, type, protocol, 0) == ALLOW;

		for (size_t h = 1; h < COUNT(high) && !plain; h++) {
			cr_assert_neq(answer(filter, SCMP_SYS(socket), family | high[h], type,
					     protocol, 0),
				      ALLOW);
			cr_assert_neq(answer(filter, SCMP_SYS(socket), family, type | high[h],
					     protocol, 0),
				      ALLOW);
			cr_assert_neq(answer(filter, SCMP_SYS(socket), family, type,
					     protocol | high[h], 0),
				      ALLOW);
		}
	}
}

Test(sysfilter, sockets_are_those_of_the_profile)
{
	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		socket_compare(&filters[p][true][HOST], p != SYSFILTER_STRICT, false);
		socket_compare(&filters[p][true][OWN], p != SYSFILTER_STRICT, false);
		socket_compare(&filters[p][true][TCP_ONLY], p != SYSFILTER_STRICT, true);
	}
}

Test(sysfilter, socketpairs_are_unix)
{
	for (uint64_t family = 0; family < 50; family++)
		cr_assert_eq(answer_to(SYSFILTER_COMPAT, "socketpair", family, SOCK_STREAM, 0, 0),
			     family == AF_UNIX ? ALLOW : ERROR(EAFNOSUPPORT));
}

static uint32_t personality_expected(uint32_t value)
{
	return value == 0 || value == ADDR_NO_RANDOMIZE || value == 0xffffffff ? ALLOW
									       : ERROR(EPERM);
}

static void personality_compare(uint32_t value)
{
	const struct sysfilter *filter = usual(SYSFILTER_COMPAT);
	uint32_t want = personality_expected(value);

	cr_assert_eq(answer(filter, SCMP_SYS(personality), value, 0, 0, 0), want, "0x%x", value);
	cr_assert_eq(answer(filter, SCMP_SYS(personality), value | UINT64_C(1) << 32, 0, 0, 0),
		     want);
}

Test(sysfilter, personality_takes_three_values)
{
	uint32_t random = 1;

	personality_compare(0);
	personality_compare(0xffffffff);
	for (int i = 0; i < 32; i++)
		for (int j = 0; j < 32; j++) {
			uint32_t bits = (uint32_t)1 << i | (uint32_t)1 << j;

			personality_compare(bits);
			personality_compare(~bits);
			personality_compare(bits | ADDR_NO_RANDOMIZE);
			personality_compare(~bits & ~(uint32_t)ADDR_NO_RANDOMIZE);
		}
	for (int i = 0; i < 1000000; i++) {
		random = random * 1664525 + 1013904223;
		personality_compare(random);
	}
}

Test(sysfilter, clone_makes_no_namespaces)
{
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	uint64_t random = 1;

	for (int i = 0; i < 1000000; i++) {
		bool thread;
		bool made;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		thread = (random & CLONE_THREAD) != 0;
		made = (random & namespaces) != 0;
		cr_assert_eq(answer(&filters[0][true][false], SCMP_SYS(clone), random, 0, 0, 0),
			     made ? ERROR(EPERM) : ALLOW);
		cr_assert_eq(answer(&filters[0][false][false], SCMP_SYS(clone), random, 0, 0, 0),
			     made || !thread ? ERROR(EPERM) : ALLOW);
	}
}

Test(sysfilter, terminal_requests_are_compared_in_32_bits)
{
	static const uint64_t refused[] = {
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
	static const uint64_t allowed[] = {
		TCGETS,          TIOCSWINSZ,           TIOCSCTTY, TIOCGPTN, FIONREAD,
		BTRFS_IOC_CLONE, BTRFS_IOC_CLONE_RANGE
	};

	for (int p = 0; p < SYSFILTER_PROFILES; p++)
		for (int bit = 32; bit <= 64; bit++) {
			uint64_t high = bit == 64 ? 0 : UINT64_C(1) << bit;

			for (size_t i = 0; i < COUNT(refused); i++)
				cr_assert_eq(answer_to((enum sysfilter_profile)p, "ioctl", 0,
						       refused[i] | high, 0, 0),
					     ERROR(EPERM), "bit %d", bit);
			for (size_t i = 0; i < COUNT(allowed); i++)
				cr_assert_eq(answer_to((enum sysfilter_profile)p, "ioctl", 0,
						       allowed[i] | high, 0, 0),
					     ALLOW);
		}
}

/* `argument`: which one is the mode. Where an architecture lacks the call, ENOSYS is as good. */
static void mode_compare(const char *name, int argument, uint64_t mode, uint32_t want)
{
	uint64_t b = argument == 1 ? mode : 0;
	uint64_t c = argument == 2 ? mode : 0;
	uint32_t is = answer_to(SYSFILTER_COMPAT, name, 0, b, c, 0);

	if (is != ERROR(ENOSYS))
		cr_assert_eq(is, want, "%s %o", name, (unsigned)mode);
}

Test(sysfilter, modes_with_set_id_bits_are_refused)
{
	static const struct {
		const char *name;
		int argument;
		uint32_t group; /* the answer to S_ISGID */
	} calls[] = {
		{ "chmod", 1, ASK },
		{ "fchmod", 1, ASK },
		{ "fchmodat", 2, ASK },
		{ "fchmodat2", 2, ASK },
		{ "creat", 1, ERROR(EPERM) },
		{ "mkdir", 1, ALLOW },
		{ "mkdirat", 2, ALLOW },
		{ "mknod", 1, ERROR(EPERM) },
		{ "mknodat", 2, ERROR(EPERM) },
	};
	static const unsigned types[] = { S_IFIFO, S_IFSOCK, S_IFREG, S_IFCHR, S_IFBLK };

	for (size_t i = 0; i < COUNT(calls); i++)
		for (unsigned mode = 0; mode < 010000; mode++)
			mode_compare(calls[i].name, calls[i].argument, mode,
				     mode & S_ISUID      ? ERROR(EPERM)
				     : !(mode & S_ISGID) ? ALLOW
							 : calls[i].group);
	for (size_t i = 0; i < COUNT(types); i++) {
		bool device = types[i] == S_IFCHR || types[i] == S_IFBLK;

		mode_compare("mknod", 1, types[i] | 0600, device ? ERROR(EPERM) : ALLOW);
		mode_compare("mknodat", 2, types[i] | 0600, device ? ERROR(EPERM) : ALLOW);
	}
	/* Where init answers nothing. */
	cr_assert_eq(answer_to(SYSFILTER_STRICT, "chmod", 0, 02755, 0, 0), ERROR(EPERM));
	cr_assert_eq(answer_to(SYSFILTER_STRICT, "fchmod", 0, 02755, 0, 0), ERROR(EPERM));
}

Test(sysfilter, open_looks_at_the_mode_only_where_it_creates)
{
	static const uint64_t creating[] = { O_CREAT, O_CREAT | O_WRONLY | O_EXCL, O_TMPFILE,
					     O_TMPFILE | O_RDWR };

	for (size_t i = 0; i < COUNT(creating); i++) {
		cr_assert_eq(answer_to(SYSFILTER_ESSENTIAL, "openat", 0, 0, creating[i], 04755),
			     ERROR(EPERM));
		cr_assert_eq(answer_to(SYSFILTER_ESSENTIAL, "openat", 0, 0, creating[i], 02755),
			     ERROR(EPERM));
		cr_assert_eq(answer_to(SYSFILTER_ESSENTIAL, "openat", 0, 0, creating[i], 01777),
			     ALLOW);
		cr_assert_neq(answer_to(SYSFILTER_ESSENTIAL, "open", 0, creating[i], 04755, 0),
			      ALLOW);
	}
	cr_assert_eq(answer_to(SYSFILTER_ESSENTIAL, "openat", 0, 0, O_RDONLY, 06755), ALLOW);
	cr_assert_eq(answer_to(SYSFILTER_ESSENTIAL, "openat", 0, 0, O_DIRECTORY, 06755), ALLOW);
}

Test(sysfilter, the_core_limit_stays)
{
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "setrlimit", RLIMIT_CORE, 1, 0, 0), ERROR(0));
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "setrlimit", RLIMIT_NOFILE, 1, 0, 0), ALLOW);
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "prlimit64", 0, RLIMIT_CORE, 1, 0), ERROR(0));
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "prlimit64", 0, RLIMIT_CORE, 1, 1), ERROR(EPERM));
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "prlimit64", 0, RLIMIT_CORE, 0, 1), ALLOW);
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "prlimit64", 0, RLIMIT_CPU, 1, 1), ALLOW);
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "prlimit64", 1, RLIMIT_NOFILE, 1, 0),
		     ERROR(EPERM));
}

Test(sysfilter, fast_open_by_flag_is_refused)
{
	const uint64_t flags = MSG_FASTOPEN | MSG_NOSIGNAL;

	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		enum sysfilter_profile profile = (enum sysfilter_profile)p;

		cr_assert_eq(answer_to(profile, "sendto", 3, 0, 0, flags), ERROR(EOPNOTSUPP));
		cr_assert_eq(answer_to(profile, "sendmsg", 3, 0, flags, 0), ERROR(EOPNOTSUPP));
		cr_assert_eq(answer_to(profile, "sendmmsg", 3, 0, 0, flags), ERROR(EOPNOTSUPP));
		cr_assert_eq(answer_to(profile, "sendto", 3, 0, 0, MSG_NOSIGNAL), ALLOW);
	}
}

Test(sysfilter, nobody_listens_under_tcp_only)
{
	cr_assert_eq(answer(&filters[SYSFILTER_NETWORK][1][TCP_ONLY], SCMP_SYS(listen), 3, 5, 0, 0),
		     ERROR(EPERM));
	cr_assert_eq(answer(&filters[SYSFILTER_NETWORK][1][HOST], SCMP_SYS(listen), 3, 5, 0, 0),
		     ALLOW);
	cr_assert_eq(answer(&filters[SYSFILTER_STRICT][1][OWN], SCMP_SYS(listen), 3, 5, 0, 0),
		     ALLOW);
	for (int p = SYSFILTER_ESSENTIAL; p < SYSFILTER_PROFILES; p++)
		cr_assert_eq(answer(&filters[p][1][OWN], SCMP_SYS(listen), 3, 5, 0, 0), ASK);
}

Test(sysfilter, programs_are_small_and_flat)
{
	static const char *const frequent[] = {
		"read", "write", "openat", "futex", "mmap", "ioctl"
	};

	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		const struct sysfilter *filter = usual((enum sysfilter_profile)p);

		cr_assert_lt(filter->length, 1500);
		for (size_t i = 0; i < COUNT(frequent); i++) {
			struct seccomp_data call = { .arch = BPF_ARCH };
			struct bpf_answer ran;

			call.nr = seccomp_syscall_resolve_name(frequent[i]);
			ran = bpf_run(filter, &call);
			cr_assert_eq(ran.action, ALLOW);
			cr_assert_lt(ran.steps, 60, "%s: %u", frequent[i], ran.steps);
		}
	}
}

Test(sysfilter, names_of_profiles)
{
	enum sysfilter_profile profile;

	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		const char *name = sysfilter_profile_name((enum sysfilter_profile)p);

		cr_assert_eq(sysfilter_profile_parse(name, &profile), 0);
		cr_assert_eq((int)profile, p);
	}
	cr_assert_eq(sysfilter_profile_parse("esential", &profile), -EINVAL);
	cr_assert_eq(sysfilter_profile_parse("", &profile), -EINVAL);
}
