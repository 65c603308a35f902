/* SPDX-License-Identifier: MIT */
/*
 * What the filters refuse of what the machine has once for all: memory that no cgroup is charged
 * for, tables and numbers without namespaces. And of what init has.
 */
#include "sysfilter.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/in6.h>
#include <linux/ioprio.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>

#include "bpf.h"
#include "sysfilter_lists.h"

#define ALLOW SECCOMP_RET_ALLOW
#define ERROR(e) (SECCOMP_RET_ERRNO | (e))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct sysfilter filters[SYSFILTER_PROFILES];
static struct sysfilter own[SYSFILTER_PROFILES]; /* with a network of their own */

static void build_all(void)
{
	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		struct sysfilter_options options = {
			.profile = (enum sysfilter_profile)p,
			.fork = true,
		};
		char why[128] = "";

		cr_assert_eq(sysfilter_build(&options, &filters[p], why, sizeof(why)), 0, "%s",
			     why);
		options.own_network = true;
		cr_assert_eq(sysfilter_build(&options, &own[p], why, sizeof(why)), 0, "%s", why);
	}
}

static void finish_all(void)
{
	for (int p = 0; p < SYSFILTER_PROFILES; p++)
		sysfilter_finish(&filters[p]);
	for (int p = 0; p < SYSFILTER_PROFILES; p++)
		sysfilter_finish(&own[p]);
}

TestSuite(sysfilter_quotas, .init = build_all, .fini = finish_all, .timeout = 60);

static uint32_t answer_to(enum sysfilter_profile profile, const char *name, uint64_t a, uint64_t b,
			  uint64_t c, uint64_t d)
{
	struct seccomp_data call = { .arch = BPF_ARCH, .args = { a, b, c, d } };

	cr_assert_eq(sysfilter_number(name, &call.nr), 0, "%s", name);
	cr_assert_geq(call.nr, 0, "%s", name);
	return bpf_run(&filters[profile], &call).action;
}

/* Whether it is refused with `error` whatever is above its int, or allowed where that is 0. */
static void in_all_profiles(const char *name, unsigned argument, uint64_t value, uint64_t a,
			    uint64_t b, uint32_t error)
{
	for (int p = 0; p < SYSFILTER_PROFILES; p++)
		for (int bit = 32; bit <= 64; bit++) {
			uint64_t high = bit == 64 ? 0 : UINT64_C(1) << bit;
			uint64_t args[] = { a, b, 0, 0 };
			uint32_t is;

			args[argument] = value | high;
			is = answer_to((enum sysfilter_profile)p, name, args[0], args[1], args[2],
				       args[3]);
			cr_assert_eq(is, error ? ERROR(error) : ALLOW, "%s 0x%llx in %s: 0x%x",
				     name, (unsigned long long)args[argument],
				     sysfilter_profile_name((enum sysfilter_profile)p), is);
		}
}

Test(sysfilter_quotas, huge_pages_are_refused)
{
	in_all_profiles("mmap", 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, 0, 4096, ENOMEM);
	in_all_profiles("mmap", 3, MAP_HUGETLB | 30 << 26, 0, 4096, ENOMEM);
	in_all_profiles("mmap", 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE, 0,
			4096, 0);
	in_all_profiles("memfd_create", 1, MFD_CLOEXEC | MFD_HUGETLB, 0, 0, EINVAL);
	in_all_profiles("memfd_create", 1, MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, 0, 0);
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "shmget", 0, 4096, SHM_HUGETLB | 0600, 0),
		     ERROR(ENOMEM));
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "shmget", 0, 4096, IPC_CREAT | 0600, 0), ALLOW);
}

Test(sysfilter_quotas, no_pages_are_merged_with_those_of_others)
{
	in_all_profiles("prctl", 0, 67, 0, 1, EINVAL); /* PR_SET_MEMORY_MERGE */
	in_all_profiles("prctl", 0, PR_SET_NAME, 0, 0, 0);
	in_all_profiles("madvise", 2, MADV_MERGEABLE, 0, 4096, EINVAL);
	in_all_profiles("madvise", 2, MADV_UNMERGEABLE, 0, 4096, 0);
	in_all_profiles("madvise", 2, MADV_HUGEPAGE, 0, 4096, 0);
}

Test(sysfilter_quotas, sockets_have_no_filters)
{
	static const uint64_t refused[] = { SO_ATTACH_FILTER, SO_ATTACH_BPF,
					    SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF };
	static const uint64_t allowed[] = { SO_REUSEADDR, SO_REUSEPORT, SO_PASSCRED, SO_SNDBUF,
					    SO_DETACH_FILTER };

	for (size_t i = 0; i < COUNT(refused); i++) {
		in_all_profiles("setsockopt", 2, refused[i], 3, SOL_SOCKET, EPERM);
		in_all_profiles("setsockopt", 1, SOL_SOCKET, 3, 0, 0);
		/* the same number of another level */
		in_all_profiles("setsockopt", 2, refused[i], 3, IPPROTO_IP, 0);
	}
	for (size_t i = 0; i < COUNT(allowed); i++)
		in_all_profiles("setsockopt", 2, allowed[i], 3, SOL_SOCKET, 0);
	in_all_profiles("setsockopt", 2, IPV6_FLOWLABEL_MGR, 3, IPPROTO_IPV6, EPERM);
	in_all_profiles("setsockopt", 2, IPV6_V6ONLY, 3, IPPROTO_IPV6, 0);
}

/* Level, option, and the errno; 0: it is allowed. */
struct option {
	int level, option, error;
};

static uint32_t answer_in(const struct sysfilter *filter, const char *name, uint64_t level,
			  uint64_t option)
{
	struct seccomp_data call = { .arch = BPF_ARCH, .args = { 3, level, option } };

	cr_assert_eq(sysfilter_number(name, &call.nr), 0);
	return bpf_run(filter, &call).action;
}

static void compare_option(const struct sysfilter *filter, const char *name,
			   const struct option *option)
{
	const uint64_t high = UINT64_C(1) << 32;
	const uint64_t level = (uint64_t)option->level, number = (uint64_t)option->option;
	uint32_t want = option->error ? ERROR((uint32_t)option->error) : ALLOW;

	cr_assert_eq(answer_in(filter, name, level, number), want, "%d %d", option->level,
		     option->option);
	cr_assert_eq(answer_in(filter, name, level | high, number), want);
	cr_assert_eq(answer_in(filter, name, level, number | high), want);
}

/* What they hold is charged to nobody, or they reach parts of the kernel that nobody uses. */
Test(sysfilter_quotas, options_of_sockets)
{
	static const struct option options[] = {
		{ SOL_SOCKET, 60, EOPNOTSUPP },                           /* SO_ZEROCOPY */
		{ IPPROTO_TCP, 14, ENOPROTOOPT },                         /* TCP_MD5SIG */
		{ IPPROTO_TCP, 32, ENOPROTOOPT },                         /* TCP_MD5SIG_EXT */
		{ IPPROTO_TCP, 38, ENOPROTOOPT },                         /* TCP_AO_ADD_KEY */
		{ IPPROTO_TCP, 31, ENOENT },                              /* TCP_ULP */
		{ IPPROTO_UDP, 100, ENOPROTOOPT },                        /* UDP_ENCAP */
		{ IPPROTO_IPV6, 1, ENOPROTOOPT },                         /* IPV6_ADDRFORM */
		{ IPPROTO_IPV6, 5, ENOPROTOOPT },                         /* IPV6_2292RTHDR */
		{ IPPROTO_IPV6, 6, ENOPROTOOPT },                         /* IPV6_2292PKTOPTIONS */
		{ IPPROTO_IPV6, 57, ENOPROTOOPT },                        /* IPV6_RTHDR */
		{ SOL_SOCKET, SO_KEEPALIVE, 0 },   { IPPROTO_TCP, 1, 0 }, /* TCP_NODELAY */
		{ IPPROTO_IPV6, IPV6_V6ONLY, 0 },  { IPPROTO_IP, IP_TTL, 0 },
	};

	for (size_t i = 0; i < COUNT(options); i++)
		for (int p = 0; p < SYSFILTER_PROFILES; p++) {
			compare_option(&filters[p], "setsockopt", &options[i]);
			compare_option(&own[p], "setsockopt", &options[i]);
		}
}

/* In a network of its own it marks what the relay has (core/inside.h). */
Test(sysfilter_quotas, fast_open_takes_the_hosts_network)
{
	struct option option = { IPPROTO_TCP, 23, 0 }; /* TCP_FASTOPEN */

	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		option.error = 0;
		compare_option(&filters[p], "setsockopt", &option);
		option.error = p == SYSFILTER_STRICT ? 0 : EOPNOTSUPP;
		compare_option(&own[p], "setsockopt", &option);
	}
}

/* The kernel holds the lock of all networks while it reads or writes them. */
Test(sysfilter_quotas, groups_of_multicast)
{
	static const int levels[] = { IPPROTO_IP, IPPROTO_IPV6 };
	struct option option = { IPPROTO_IP, 0, 0 };

	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		for (option.option = 1; option.option < 60; option.option++) {
			option.error = 0;
			if (option.option != 4) /* which is of another kind */
				compare_option(&filters[p], "setsockopt", &option);
			option.error = option.option >= 35 && option.option <= 48 ? ENODEV : 0;
			compare_option(&own[p], "setsockopt", &option);
			option.error = option.option == 41 || option.option == 48 ? ENODEV : 0;
			compare_option(&own[p], "getsockopt", &option);
		}
		for (size_t l = 0; l < COUNT(levels); l++)
			compare_option(&own[p], "setsockopt",
				       &(struct option){ levels[l], MCAST_JOIN_GROUP, ENODEV });
		compare_option(&own[p], "setsockopt", &(struct option){ IPPROTO_IPV6, 20, ENODEV });
		compare_option(&own[p], "setsockopt", &(struct option){ IPPROTO_IPV6, 27, ENODEV });
		compare_option(&filters[p], "setsockopt", &(struct option){ IPPROTO_IPV6, 20, 0 });
		compare_option(&own[p], "getsockopt",
			       &(struct option){ IPPROTO_IPV6, MCAST_MSFILTER, ENODEV });
	}
}

/* Of interfaces a program may ask by name; init answers the list of them. */
Test(sysfilter_quotas, requests_of_sockets)
{
	for (int p = 0; p < SYSFILTER_PROFILES; p++)
		for (uint64_t request = 0x8900; request < 0x8c00; request++) {
			bool asks = request == SIOCGIFCONF;
			bool refused = (request >= 0x8940 && request < 0x8a00) || request >= 0x8b00;
			uint32_t want = !asks && !refused               ? ALLOW
					: asks && p != SYSFILTER_STRICT ? SECCOMP_RET_USER_NOTIF
									: ERROR(EPERM);

			if (request >= 0x8980 && request < 0x89c0)
				want = ERROR(EPERM);
			cr_assert_eq(answer_in(&filters[p], "ioctl", request, 0), want, "0x%x",
				     (unsigned)request);
			cr_assert_eq(answer_in(&own[p], "ioctl", request | UINT64_C(1) << 40, 0),
				     want);
		}
}

/* A lower place than others' may be taken by all profiles, a higher one by none. */
Test(sysfilter_quotas, places_are_not_above_others)
{
	static const struct {
		uint64_t policy;
		bool allowed;
	} policies[] = { { 0, true },  { 1, false }, { 2, false }, { 3, true },
			 { 4, false }, { 5, true },  { 6, false }, { 7, false } };

	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		for (size_t i = 0; i < COUNT(policies); i++) {
			uint32_t want = policies[i].allowed ? ALLOW : ERROR(EPERM);
			const uint64_t forms[] = { 0, 0x40000000, UINT64_C(1) << 32 };

			for (size_t f = 0; f < COUNT(forms); f++)
				cr_assert_eq(answer_to((enum sysfilter_profile)p,
						       "sched_setscheduler", 0,
						       policies[i].policy | forms[f], 0, 0),
					     want);
		}
		for (uint64_t value = 0; value < 4 << 13; value++) {
			bool allowed = value >> 13 == 0 || value >> 13 == 3 ||
				       (value >> 13 == 2 && value & 4);

			cr_assert_eq(answer_to((enum sysfilter_profile)p, "ioprio_set",
					       IOPRIO_WHO_PROCESS, 0, value, 0),
				     allowed ? ALLOW : ERROR(EPERM));
		}
	}
}

static uint32_t own_filter(int profile, uint64_t operation, uint64_t flags)
{
	return answer_to((enum sysfilter_profile)profile, "seccomp", operation, flags, 0, 0);
}

Test(sysfilter_quotas, filters_of_ones_own_take_compat)
{
	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		uint32_t want = p == SYSFILTER_COMPAT ? ALLOW : ERROR(EINVAL);
		uint64_t high = UINT64_C(1) << 32;

		cr_assert_eq(own_filter(p, SECCOMP_SET_MODE_FILTER, 0), want);
		cr_assert_eq(own_filter(p, SECCOMP_SET_MODE_FILTER | high, 0), want);
		cr_assert_eq(own_filter(p, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC),
			     want);
		cr_assert_eq(own_filter(p, SECCOMP_SET_MODE_FILTER,
					SECCOMP_FILTER_FLAG_NEW_LISTENER | high),
			     ERROR(EINVAL));
		cr_assert_eq(own_filter(p, SECCOMP_SET_MODE_STRICT, 0), ALLOW);
		cr_assert_eq(own_filter(p, SECCOMP_GET_ACTION_AVAIL, 0), ALLOW);
		cr_assert_eq(answer_to((enum sysfilter_profile)p, "prctl", PR_SET_SECCOMP | high,
				       SECCOMP_MODE_FILTER, 0, 0),
			     want);
		cr_assert_eq(answer_to((enum sysfilter_profile)p, "prctl", PR_SET_SECCOMP,
				       SECCOMP_MODE_STRICT, 0, 0),
			     ALLOW);
		cr_assert_eq(answer_to((enum sysfilter_profile)p, "prctl", PR_GET_SECCOMP, 0, 0, 0),
			     ALLOW);
	}
}

/* Of compat, which has all of these calls: init is process 1, and 0 is the caller. */
Test(sysfilter_quotas, init_keeps_its_priority_and_its_processors)
{
	static const char *const by_number[] = { "sched_setaffinity", "sched_setscheduler",
						 "sched_setparam", "sched_setattr" };
	static const uint64_t others[] = { 0, 2, 10, 11, 65537, 0x7fffffff };
	const uint64_t high = UINT64_C(1) << 32;

	for (size_t i = 0; i < COUNT(by_number); i++) {
		cr_assert_eq(answer_to(SYSFILTER_COMPAT, by_number[i], 1, 8, 0, 0), ERROR(EPERM));
		cr_assert_eq(answer_to(SYSFILTER_COMPAT, by_number[i], 1 | high, 8, 0, 0),
			     ERROR(EPERM));
		for (size_t o = 0; o < COUNT(others); o++)
			cr_assert_eq(answer_to(SYSFILTER_COMPAT, by_number[i], others[o], 8, 0, 0),
				     ALLOW);
	}
	for (uint64_t which = 0; which < 5; which++)
		for (uint64_t who = 0; who < 4; who++) {
			bool nice = which == PRIO_PROCESS && who != 1;
			bool io = which == IOPRIO_WHO_PROCESS && who != 1;

			cr_assert_eq(answer_to(SYSFILTER_COMPAT, "setpriority", which, who, 19, 0),
				     nice ? ALLOW : ERROR(EPERM));
			cr_assert_eq(answer_to(SYSFILTER_COMPAT, "ioprio_set", which, who, 0, 0),
				     io ? ALLOW : ERROR(EPERM));
		}
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "setpriority", high, 1, 19, 0), ERROR(EPERM));
	cr_assert_eq(answer_to(SYSFILTER_COMPAT, "setpriority", 0, 1 | high, 19, 0), ERROR(EPERM));
}
