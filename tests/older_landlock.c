/* SPDX-License-Identifier: MIT */
/*
 * Plays a kernel with an older Landlock: LANDLOCK_ABI in the environment is its version. What such
 * a kernel does not know gets the error that it gives; the rest goes on to the running one. It is
 * a part of unit tests, and a library to be preloaded (LD_PRELOAD) into mimoboxfs.
 *
 * Rights that are not handled are free in the running kernel as they are in the older one, and
 * without FS_REFER it refuses to link and rename to other directories, as version 1 does
 * (landlock(7)). So the older versions are played to the letter.
 *
 * Helpers and sandboxes are copies of the daemon, so it is in them as well. It takes no lock and
 * allocates nothing.
 */
#include "older_landlock.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { VERSION_FLAG = 1, NET_PORT = 2, CALL_STATMOUNT = 457, CALL_LISTMOUNT = 458 };

struct attr {
	uint64_t fs, net, scoped;
};

int older_landlock;

static long (*next)(long number, ...);

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("LANDLOCK_ABI");

	next = (__typeof__(next))dlsym(RTLD_NEXT, "syscall");
	older_landlock = text ? atoi(text) : 0;
	unsetenv("LD_PRELOAD"); /* what is executed is no business of ours */
}

static long fail(int error)
{
	errno = error;
	return -1;
}

/* The fields that it has, and of each the bits that it knows. */
static long check_attr(const struct attr *given, size_t size)
{
	static const uint64_t fs[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
	const size_t known = older_landlock < 4 ? 8 : older_landlock < 6 ? 16 : 24;
	struct attr attr = { 0 };

	memcpy(&attr, given, size < sizeof(attr) ? size : sizeof(attr));
	if ((known < 16 && attr.net) || (known < 24 && attr.scoped))
		return fail(E2BIG);
	if ((attr.fs & ~fs[older_landlock > 5 ? 5 : older_landlock]) || (attr.net & ~UINT64_C(3)) ||
	    (attr.scoped & ~UINT64_C(3)))
		return fail(EINVAL);
	return 0;
}

static long create_ruleset(const void *attr, size_t size, unsigned flags)
{
	long result;

	if (attr == NULL && flags == VERSION_FLAG) {
		result = next(SYS_landlock_create_ruleset, attr, size, flags);
		return result > older_landlock ? older_landlock : result;
	}
	if (flags)
		return fail(EINVAL);
	result = check_attr(attr, size);
	return result < 0 ? result : next(SYS_landlock_create_ruleset, attr, size, flags);
}

EXPORT long syscall(long number, ...)
{
	unsigned long more[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		more[i] = va_arg(list, unsigned long);
	va_end(list);
	if (older_landlock < 0 && number == SYS_landlock_create_ruleset)
		return fail(-older_landlock);
	/* Its mounts cannot be asked for by number. */
	if (older_landlock > 0 && older_landlock < 7 &&
	    (number == CALL_STATMOUNT || number == CALL_LISTMOUNT))
		return fail(ENOSYS);
	if (older_landlock > 0 && number == SYS_landlock_create_ruleset)
		return create_ruleset((const void *)more[0], more[1], (unsigned)more[2]);
	if (older_landlock > 0 && older_landlock < 4 && number == SYS_landlock_add_rule &&
	    more[1] == NET_PORT)
		return fail(EINVAL);
	if (older_landlock > 0 && older_landlock < 7 && number == SYS_landlock_restrict_self &&
	    more[1])
		return fail(EINVAL);
	return next(number, more[0], more[1], more[2], more[3], more[4], more[5]);
}
