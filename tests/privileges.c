/* SPDX-License-Identifier: MIT */
/* What privileges.c takes away, from a process that had all of it: each set by itself. */
#include "privileges.h"

#include <errno.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "child.h"
#include "units.h"

TestSuite(privileges, .timeout = 30);

/* This program's own, and the library's: not every root may raise a limit to have it lowered. */
static struct rlimit set[RLIM_NLIMITS];

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limits)
{
	set[resource] = *limits;
	return prlimit(0, resource, limits, NULL);
}

static const cap_value_t some[] = { CAP_CHOWN, CAP_NET_RAW, CAP_SYS_ADMIN };

/* Three capabilities in every set that there is. */
static void have_all(void)
{
	cap_t caps = cap_get_proc();

	CHECK(caps != NULL);
	CHECK(cap_set_flag(caps, CAP_INHERITABLE, 3, some, CAP_SET) == 0);
	CHECK(cap_set_proc(caps) == 0);
	cap_free(caps);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(cap_set_ambient(some[i], CAP_SET) == 0);
		CHECK(cap_get_ambient(some[i]) == 1);
		CHECK(cap_get_bound(some[i]) == 1);
	}
}

static void check_none(void)
{
	cap_t caps = cap_get_proc(), none = cap_init();

	CHECK(caps != NULL && none != NULL);
	CHECK(cap_compare(caps, none) == 0);
	cap_free(caps);
	cap_free(none);
	for (cap_value_t capability = 0; capability < cap_max_bits(); capability++) {
		CHECK(cap_get_bound(capability) == 0);
		CHECK(cap_get_ambient(capability) == 0);
	}
}

static void check_limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit limits;

	CHECK(getrlimit(resource, &limits) == 0);
	CHECK(limits.rlim_cur == value && limits.rlim_max == value);
	CHECK(set[resource].rlim_cur == value && set[resource].rlim_max == value);
}

static void drop(const void *data)
{
	const unsigned locked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	const char *what = "";
	cap_t none = cap_init();

	(void)data;
	have_all();
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		set[i] = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	CHECK(privileges_bound(&what) == 0);
	/* by itself, not only because the permitted set, which it is a part of, is emptied */
	for (unsigned i = 0; i < 3; i++)
		CHECK(cap_get_ambient(some[i]) == 0 && cap_get_bound(some[i]) == 0);
	CHECK(privileges_drop(none) == 0);
	cap_free(none);
	check_none();
	CHECK(prctl(PR_GET_SECUREBITS) == (int)locked);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	check_limit(RLIMIT_CORE, 1);
	check_limit(RLIMIT_RTPRIO, 0);
	check_limit(RLIMIT_NICE, 0);
	/* nor is there a way back */
	CHECK_ERROR(cap_set_secbits(0), EPERM);
	CHECK_ERROR(cap_set_ambient(CAP_CHOWN, CAP_SET), EPERM);
}

Test(privileges, all_are_dropped)
{
	child_passes(drop, NULL);
}

static void limit(const void *data)
{
	const struct rlimit *wanted = data;
	const char *what;
	static const int resources[] = { RLIMIT_NOFILE, RLIMIT_FSIZE };
	struct rlimit limits;

	CHECK(privileges_limit(wanted[0].rlim_cur,
			       wanted[1].rlim_cur == RLIM_INFINITY ? UNITS_NONE
								   : wanted[1].rlim_cur,
			       &what) == 0);
	for (unsigned i = 0; i < 2; i++) {
		CHECK(getrlimit(resources[i], &limits) == 0);
		CHECK(limits.rlim_cur == wanted[i].rlim_cur &&
		      limits.rlim_max == wanted[i].rlim_max);
	}
}

Test(privileges, limits_are_hard)
{
	child_passes(limit, &(struct rlimit[]){ { 77, 77 }, { 12345, 12345 } });
	child_passes(limit, &(struct rlimit[]){ { 1024, 1024 }, { RLIM_INFINITY, RLIM_INFINITY } });
}

static void shorten(const void *data)
{
	(void)data;
	CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
	privileges_set_turns(PRIVILEGES_SHORT_TURN);
	CHECK(getpriority(PRIO_PROCESS, 0) == 5);
}

Test(privileges, shorter_turns_leave_the_priority)
{
	child_passes(shorten, NULL);
}
