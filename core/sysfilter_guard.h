/* SPDX-License-Identifier: MIT */
/* Refusals by argument; a part of sysfilter.c of its own because it is what reviewers read. */
#ifndef SYSFILTER_GUARD_H
#define SYSFILTER_GUARD_H

struct sysfilter_options;

/*
 * Adds to `context`, an scmp_filter_ctx whose default is to allow, a rule for each combination of
 * arguments that is refused. 0 or -errno.
 */
int sysfilter_guard(void *context, const struct sysfilter_options *options);

#endif
