/* SPDX-License-Identifier: MIT */
#include "privileges.h"

#include "units.h"

#include <errno.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int limit(int resource, uint64_t value)
{
	rlim_t amount = value == UNITS_NONE ? RLIM_INFINITY : (rlim_t)value;
	struct rlimit limits = { .rlim_cur = amount, .rlim_max = amount };
	return setrlimit(resource, &limits) < 0 ? -errno : 0;
}

int privileges_limit(uint64_t open_files, uint64_t file_size, const char **what)
{
	*what = "open-files";
	int error = limit(RLIMIT_NOFILE, open_files);
	if (error < 0 || file_size == UNITS_NONE)
		return error;
	*what = "file-size";
	return limit(RLIMIT_FSIZE, file_size);
}

/* sched_setattr(2), of which Debian 12's C library has neither the call nor the structure. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period; /* ns */
};

void privileges_set_turns(uint64_t ns)
{
	struct scheduling scheduling = { 0 };
	/* The rest, nice(2) above all, stays what somebody has chosen. */
	if (syscall(SYS_sched_getattr, 0, &scheduling, sizeof(scheduling), 0) < 0 ||
	    scheduling.policy != SCHED_OTHER)
		return;
	scheduling.runtime = ns;
	(void)syscall(SYS_sched_setattr, 0, &scheduling, 0);
}

int privileges_bound(const char **what)
{
	const unsigned locked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	/*
	 * Not 0, which a core_pattern that is a pipe disregards: a handler of the host's would run,
	 * as root. 1 is the value for which the kernel starts none (core(5)), and no file either
	 * gets further than its first byte. The filter keeps it from being changed.
	 */
	*what = "core dumps";
	if (limit(RLIMIT_CORE, 1) < 0)
		return -errno;
	/* The daemon's user may have them; a session's turn is the scheduler's affair. */
	*what = "priorities";
	if (limit(RLIMIT_RTPRIO, 0) < 0 || limit(RLIMIT_NICE, 0) < 0)
		return -errno;
	*what = "bounding set";
	for (cap_value_t capability = 0; capability < cap_max_bits(); capability++)
		if (cap_drop_bound(capability) < 0)
			return -errno;
	*what = "ambient set";
	if (cap_reset_ambient() < 0)
		return -errno;
	*what = "securebits";
	if (cap_set_secbits(locked) < 0)
		return -errno;
	*what = "no_new_privs";
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int privileges_drop(cap_t none)
{
	return cap_set_proc(none) < 0 ? -errno : 0;
}
