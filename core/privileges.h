/* SPDX-License-Identifier: MIT */
/* What a process of the sandbox may not have: resources beyond its limits, and any privilege. */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdint.h>
#include <sys/capability.h>

/* getrlimit(2): open files, file size (UNITS_NONE: no limit). 0, or -errno and the key. */
int privileges_limit(uint64_t open_files, uint64_t file_size, const char **what);

/*
 * How long, in ns, a process and all that is forked from it computes before it is another's turn
 * (sched_setattr(2)). With short ones it lets go as soon as somebody else's key has to be echoed.
 * Sessions have those that the kernel gives everybody on a machine of many processors. With some
 * that are much shorter than a tick, each overdraws its turns so far that one that somebody types
 * at finds half of the others before it in the kernel's order (EEVDF: their deadlines are missed);
 * with longer ones they wait long for a turn on a busy machine. Where the kernel has none (before
 * Linux 6.12) it is as it is.
 */
enum { PRIVILEGES_SHORT_TURN = 100000, PRIVILEGES_SESSIONS_TURN = 3000000 };
void privileges_set_turns(uint64_t ns);

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
