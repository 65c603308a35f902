/* SPDX-License-Identifier: MIT */
/* Where the groups of the sandboxes are, for each to see its own: root_cgroup.c. */
#ifndef CGROUP_VIEW_H
#define CGROUP_VIEW_H

struct cgroups;

enum { CGROUP_VIEW_MAX = 5, CGROUP_VIEW_PATH = 1024 };

struct cgroup_view {
	struct cgroup_place {
		char name[64]; /* the controllers of v1, as the kernel names them; "" for v2 */
		char path[CGROUP_VIEW_PATH]; /* of the directory that has all sandboxes' groups */
		/*
		 * Where sandboxes have no group of their own, this file of the daemon's group is
		 * seen alone, and `path` is that of the file; else "".
		 */
		char file[32];
	} places[CGROUP_VIEW_MAX];
	unsigned count;
};

/* Always succeeds: what cannot be found is not seen. */
void cgroups_view(struct cgroups *cgroups, struct cgroup_view *view);

#endif
