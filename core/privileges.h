/* SPDX-License-Identifier: MIT */
/* What a process of the sandbox may not have: resources beyond its limits, and any privilege. */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdint.h>
#include <sys/capability.h>

/* getrlimit(2): open files, file size (UNITS_NONE: no limit). 0 or -errno. */
int privileges_limit(uint64_t open_files, uint64_t file_size);

/*
 * Short turns on a processor, for all that is forked from now on: one who computes then lets go as
 * soon as somebody else's key has to be echoed. Where the kernel has none (before Linux 6.12) it
 * is as it is.
 */
void privileges_shorten_turns(void);

/*
 * No core dumps, empty bounding and ambient capability sets, locked securebits, no_new_privs:
 * core(5), capabilities(7), prctl(2). What is executed, here or in a child, has no privilege; the
 * calling process keeps its own. 0, or -errno and what failed.
 */
int privileges_bound(const char **what);

/*
 * The calling process's own: empties the inheritable, permitted and effective sets. `none` is an
 * empty cap_t made beforehand, so that nothing is allocated here. 0 or -errno.
 */
int privileges_drop(cap_t none);

#endif
