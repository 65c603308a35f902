/* SPDX-License-Identifier: MIT */
#include "cgroup_view.h"

#include "cgroup_backend.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A JVM takes no limit from v1 unless it finds all of these but pids. Of the last two the group is
 * the daemon's, where sandboxes have none: its other files, and the groups below it, would tell of
 * others.
 */
static const struct {
	const char *controller, *file;
} wanted[] = { { "memory", "" },
	       { "pids", "" },
	       { "cpu", "" },
	       { "cpuacct", "cgroup.clone_children" },
	       { "cpuset", "cpuset.cpus" } };
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))
static_assert(WANTED <= (size_t)CGROUP_VIEW_MAX, "room");

static bool path_of(int fd, char path[CGROUP_VIEW_PATH])
{
	char link[32];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, CGROUP_VIEW_PATH - 1);
	path[length > 0 ? length : 0] = '\0';
	return length > 0 && length < CGROUP_VIEW_PATH - 1;
}

/* Of the four hierarchies in which sandboxes may have groups, the base of this one; or -1. */
static int base_of(const struct cgroups *cgroups, const char *controllers)
{
	for (int i = 0; i < CGROUP_V1_MAX; i++)
		if (cgroup_has(controllers, wanted[i].controller) && cgroups->bases[i].fd >= 0)
			return cgroups->bases[i].fd;
	return -1;
}

static bool is_seen(const struct cgroup_view *view, const char *controllers)
{
	for (unsigned i = 0; i < view->count; i++)
		if (strcmp(view->places[i].name, controllers) == 0)
			return true;
	return false;
}

static void see(const struct cgroups *cgroups, const struct cgroup_hierarchy *hierarchy,
		const char *file, struct cgroup_view *view)
{
	struct cgroup_place *place = &view->places[view->count];
	int base = base_of(cgroups, hierarchy->controllers), size;
	if (is_seen(view, hierarchy->controllers) ||
	    strlen(hierarchy->controllers) >= sizeof(place->name))
		return;
	*place = (struct cgroup_place){ 0 };
	strcpy(place->name, hierarchy->controllers);
	if (base >= 0) {
		view->count += path_of(base, place->path);
	} else if (file[0]) {
		strcpy(place->file, file);
		size = snprintf(place->path, sizeof(place->path), "%s/%s", hierarchy->own, file);
		view->count += size > 0 && size < CGROUP_VIEW_PATH;
	}
}

void cgroup_v1_view(const struct cgroups *cgroups, const struct cgroup_hierarchy *found,
		    size_t count, struct cgroup_view *view)
{
	for (size_t w = 0; w < WANTED; w++)
		for (size_t i = 0; i < count; i++)
			if (cgroup_has(found[i].controllers, wanted[w].controller))
				see(cgroups, &found[i], wanted[w].file, view);
}

static void see_v1(struct cgroups *cgroups, struct cgroup_view *view)
{
	struct cgroup_hierarchy *found = calloc(CGROUP_HIERARCHIES_MAX, sizeof(*found));
	if (found)
		cgroup_v1_view(cgroups, found, cgroup_find_hierarchies(cgroups, found), view);
	free(found);
}

void cgroups_view(struct cgroups *cgroups, struct cgroup_view *view)
{
	*view = (struct cgroup_view){ 0 };
	if (cgroups->backend == &cgroup_v1)
		see_v1(cgroups, view);
	else if (cgroups->backend && cgroups->bases[0].fd >= 0)
		view->count = path_of(cgroups->bases[0].fd, view->places[0].path);
}
