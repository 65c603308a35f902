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

static void build_all(void)
{
	for (int p = 0; p < SYSFILTER_PROFILES; p++) {
		const struct sysfilter_options options = {
			.profile = (enum sysfilter_profile)p,
			.fork = true,
		};
		char why[128] = "";

		cr_assert_eq(sysfilter_build(&options, &filters[p], why, sizeof(why)), 0, "%s",
			     why);
	}
}

static void finish_all(void)
{
	for (int p = 0; p < SYSFILTER_PROFILES; p++)
		sysfilter_finish(&filters[p]);
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
