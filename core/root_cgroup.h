/* SPDX-License-Identifier: MIT */
#ifndef ROOT_CGROUP_H
#define ROOT_CGROUP_H

#include <stdint.h>

struct cgroup_view;

/* For root_make(): makes /sys/fs/cgroup, with the group of that number if it is not 0. */
int root_add_cgroup(int root, const struct cgroup_view *view, uint64_t group, const char **what);

#endif
