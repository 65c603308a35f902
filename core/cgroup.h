/* SPDX-License-Identifier: MIT */
/*
 * Limits and counts of a whole sandbox, by control groups: cgroups(7). One interface, two small
 * backends: v2, and v1 where v2 has no controllers.
 *
 * The daemon's own groups are directories `mimobox-PID`, below the group that it was started in
 * or, for root where that cannot be, below the top. Each sandbox has one below those, named by its
 * number. Nothing here blocks for longer than the kernel takes to make a directory, or to move the
 * daemon's own processes at its start and end.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroups; /* the daemon's groups */
struct keep;

enum { CGROUP_MEMORY = 1, CGROUP_PROCESSES = 2, CGROUP_CPU = 4 };
enum { CGROUP_V1_MAX = 4 }; /* hierarchies of v1 in use */

/* UNITS_NONE: no limit. */
struct cgroup_limits {
	uint64_t memory;    /* bytes, swap included where the kernel counts it */
	uint64_t processes; /* tasks */
	uint64_t cpu_milli; /* thousandths of a core */
};

/* UINT64_MAX: the kernel doesn't say. */
struct cgroup_usage {
	uint64_t memory, memory_peak; /* bytes */
	uint64_t processes;           /* tasks */
	uint64_t cpu_ns;
	uint64_t oom_kills; /* processes killed because memory ran out */
	uint64_t refused_forks;
};

/*
 * Finds what this process may use, makes the groups of the keeper's process, or of this one where
 * `keep` is NULL, and removes those of daemons that are no more. Always succeeds, save for -ENOMEM:
 * a machine without usable groups can enforce nothing, which cgroups_can() says. A server that
 * takes over from another has the groups of that one.
 */
int cgroups_create(struct keep *keep, struct cgroups **out);
void cgroups_destroy(struct cgroups *cgroups);
/*
 * Removes the groups that it made, with all below them: in a process that may do so. (The top of a
 * hierarchy is 0555, and not even root makes names there without CAP_DAC_OVERRIDE.)
 */
void cgroups_remove(struct cgroups *cgroups);
unsigned cgroups_can(const struct cgroups *cgroups);

/* The descriptors that groups are found by; up to 10. */
unsigned cgroups_descriptors(const struct cgroups *cgroups, int *out);

extern const struct cgroup_limits cgroup_unlimited;

/* Makes a sandbox's group, without limits. -errno leaves nothing behind. */
int cgroup_create(struct cgroups *cgroups, uint64_t id);
/* Changes the limits, from those in force. 0, or -errno, and *what is the file. */
int cgroup_limit(struct cgroups *cgroups, uint64_t id, const struct cgroup_limits *from,
		 const struct cgroup_limits *to, const char **what);
/*
 * Kills what is in the groups that are not `wanted`, and removes them: 0 when there are none left,
 * -EBUSY while the kernel is at it.
 */
int cgroups_clear(struct cgroups *cgroups, bool (*wanted)(void *data, uint64_t id), void *data);

/*
 * The way in, for a process that is about to be cloned. It is not moved from outside, by
 * cgroup.procs: the writer waits for an RCU grace period, 10 to 20 ms on a machine that has
 * nothing to do, and so does each process that forks. The kernel clones into a v2 group. Into those
 * of v1 a thread that is the only one of its process moves itself, without that wait.
 */
struct cgroup_entry {
	int directory; /* for CLONE_INTO_CGROUP; -1: there is none */
	int tasks[CGROUP_V1_MAX];
	unsigned count;
};
/* 0; or -errno, and nothing is open. */
int cgroup_entry_open(struct cgroups *cgroups, uint64_t id, struct cgroup_entry *entry);
void cgroup_entry_close(const struct cgroup_entry *entry);
/* The process that was cloned; all that it forks follows. Async-signal-safe. 0 or -errno. */
int cgroup_enter(const struct cgroup_entry *entry);

/* Before the others of its kind, for the processor; where the kernel can't, it is as it is. */
void cgroup_favour(struct cgroups *cgroups, uint64_t id, bool on);
/* ns; UINT64_MAX: the kernel doesn't say. */
uint64_t cgroup_cpu_time(struct cgroups *cgroups, uint64_t id);
/* SIGKILL to all that are in it, where the kernel has cgroup.kill; else nothing. */
void cgroup_kill(struct cgroups *cgroups, uint64_t id);
void cgroup_usage(struct cgroups *cgroups, uint64_t id, struct cgroup_usage *usage);
/* Removes it: 0, or -EBUSY while the kernel still has a process in it; then try again. */
int cgroup_destroy(struct cgroups *cgroups, uint64_t id);

#endif
