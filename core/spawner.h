/* SPDX-License-Identifier: MIT */
/*
 * The helper that makes sandboxes: cgroup, clone and identity. Their parent is the daemon all the
 * same (CLONE_PARENT), which does not wait for any of it.
 *
 * A network namespace is the dearest of all to make. The spawner of a privileged daemon has the
 * next one ready: it enters a new one after each clone, and the clone keeps that which the spawner
 * is in. No two ever have the same.
 */
#ifndef SPAWNER_H
#define SPAWNER_H

#include "helper.h"
#include "init.h"

struct cgroups;

struct spawner {
	struct init_setup *setup; /* borrowed, as is the next */
	struct cgroups *cgroups;
	bool projects; /* the filesystem of the workspaces bounds these (disk.h) */
	int host;      /* the daemon's network namespace; -1: no other is made ahead */
	bool away;     /* it is not in the daemon's any more */
	bool fresh;    /* it is in a network namespace in which nobody has been */
};

struct spawn_request {
	struct sandbox_shape shape;
	struct cgroup_limits limits;
	uint64_t group;
	uint64_t disk; /* what the workspace, and what belongs to it, may hold */
	char workspace[SANDBOX_WORKSPACE_MAX]; /* "": none */
};

/*
 * Fills in `kind`, for helper_create(); `spawner` is borrowed. Asked with a spawn_request and
 * copies of two sockets, start and control, it answers with the pid, a pidfd and the mount
 * namespace. Where it fails before there is a process, a report may be on the start socket.
 */
void spawner_kind(struct helper_kind *kind, struct spawner *spawner);

/* In the network namespace of the calling process. 0 or -errno. */
int spawner_raise_loopback(void);

#endif
