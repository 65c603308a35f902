/* SPDX-License-Identifier: MIT */
/* The system calls as data: sysfilter.c turns them into programs, and tests count them. */
#ifndef SYSFILTER_LISTS_H
#define SYSFILTER_LISTS_H

#include <stdint.h>

/* What becomes of a call. An allowed one may still be refused for its arguments. */
enum sysfilter_verdict {
	SYSFILTER_ALLOW,        /* in every profile */
	SYSFILTER_ALLOW_FORK,   /* in every profile, unless `fork no`: then EPERM */
	SYSFILTER_ALLOW_COMPAT, /* in compat only; EPERM elsewhere */
	SYSFILTER_ALLOW_PTRACE, /* in every profile with `ptrace yes`; else EPERM */
	SYSFILTER_REFUSE,       /* EPERM in every profile */
	SYSFILTER_ABSENT,       /* ENOSYS in every profile, as for what is not listed at all */
};

struct sysfilter_group {
	const char *reason;
	enum sysfilter_verdict verdict;
	const char *calls; /* names, each followed by one space or the end */
};

struct sysfilter_number {
	const char *name;
	int number;
};

/* Ends with a row whose `calls` is NULL. No call is in two groups. */
extern const struct sysfilter_group sysfilter_groups[];

/*
 * Numbers of calls newer than the oldest libseccomp that is supported (2.5.1); since 424 they are
 * the same on every architecture, and a negative one is of another. Ends with a row whose `name` is
 * NULL.
 */
extern const struct sysfilter_number sysfilter_newer[];

/*
 * The number of a call; negative where the architecture has none of that name. 0 or -EINVAL: a
 * name that neither libseccomp nor the table above knows.
 */
int sysfilter_number(const char *name, int *out);

/*
 * Begins a program with libseccomp: what it is not told of gets `default_action`, other
 * architectures end the process. 0 and a scmp_filter_ctx; or -errno: -ENOSYS where the kernel takes
 * no filters.
 */
int sysfilter_begin(uint32_t default_action, void **out);

#endif
