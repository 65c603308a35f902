/* SPDX-License-Identifier: MIT */
/*
 * The helper that clears away what is left of a sandbox: its mounts and its cgroup, each of which
 * the kernel may take milliseconds for.
 */
#ifndef SWEEPER_H
#define SWEEPER_H

#include "cgroup.h"
#include "helper.h"

/*
 * Fills in `kind`, for helper_create(). Asked with the number of a cgroup, and the last descriptor
 * of a mount namespace, it answers as cgroup_destroy() does; with 0, when it has removed all.
 */
void sweeper_kind(struct helper_kind *kind, struct cgroups *cgroups);

#endif
