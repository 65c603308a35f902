/* SPDX-License-Identifier: MIT */
/*
 * v2: one hierarchy. A group with processes of its own cannot give its controllers to groups
 * below (cgroups(7), "no internal processes"), so in a delegated group the daemon first moves
 * into a leaf. Where others share the daemon's group, root takes the top of the hierarchy, which
 * is exempt from that rule.
 */
#include "cgroup_backend.h"

#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEAF "/mimobox-daemon"

enum { BASE };
enum { CPU_PERIOD_US = 100000 };

static int limit_memory(struct cgroups *cgroups, const char *id, uint64_t bytes, const char **what)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	int error = cgroup_write(cgroups, BASE, id, *what = "memory.max",
				 bytes == UNITS_NONE ? "max" : text);
	if (error < 0)
		return error;
	/* v2 counts swap apart: none at all keeps the sum within the limit. */
	error = cgroup_write(cgroups, BASE, id, *what = "memory.swap.max",
			     bytes == UNITS_NONE ? "max" : "0");
	return error == -ENOENT ? 0 : error; /* a kernel without swap */
}

static int limit(struct cgroups *cgroups, const char *id, const struct cgroup_limits *from,
		 const struct cgroup_limits *to, const char **what)
{
	char text[64];
	int error = 0;
	if (to->memory != from->memory)
		error = limit_memory(cgroups, id, to->memory, what);
	if (error == 0 && to->processes != from->processes) {
		snprintf(text, sizeof(text), "%" PRIu64, to->processes);
		error = cgroup_write(cgroups, BASE, id, *what = "pids.max",
				     to->processes == UNITS_NONE ? "max" : text);
	}
	if (error == 0 && to->cpu_milli != from->cpu_milli) {
		snprintf(text, sizeof(text), "%" PRIu64 " %d", to->cpu_milli * CPU_PERIOD_US / 1000,
			 CPU_PERIOD_US);
		error = cgroup_write(cgroups, BASE, id, *what = "cpu.max",
				     to->cpu_milli == UNITS_NONE ? "max" : text);
	}
	return error;
}

static uint64_t cpu_time(struct cgroups *cgroups, const char *id)
{
	uint64_t us = cgroup_read(cgroups, BASE, id, "cpu.stat", "usage_usec");
	return us == UINT64_MAX ? us : us * 1000;
}

static void usage(struct cgroups *cgroups, const char *id, struct cgroup_usage *out)
{
	*out = (struct cgroup_usage){
		.memory = cgroup_read(cgroups, BASE, id, "memory.current", NULL),
		.memory_peak = cgroup_read(cgroups, BASE, id, "memory.peak", NULL),
		.processes = cgroup_read(cgroups, BASE, id, "pids.current", NULL),
		.cpu_ns = cpu_time(cgroups, id),
		.oom_kills = cgroup_read(cgroups, BASE, id, "memory.events", "oom_kill"),
		.refused_forks = cgroup_read(cgroups, BASE, id, "pids.events", "max"),
	};
}

const struct cgroup_backend cgroup_v2 = { limit, usage, cpu_time, BASE, BASE };

static int write_in(struct cgroups *cgroups, const char *directory, const char *file,
		    const char *text)
{
	char path[CGROUP_ROOT_MAX];
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, file) >= sizeof(path))
		return -ENAMETOOLONG;
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return cgroup_note(cgroups, -errno);
	int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return cgroup_note(cgroups, error);
}

/* Which of the three the groups below `directory` have, after asking for each. */
static unsigned enable(struct cgroups *cgroups, const char *directory)
{
	static const struct {
		const char *ask;
		unsigned bit;
	} controllers[] = { { "+memory", CGROUP_MEMORY },
			    { "+pids", CGROUP_PROCESSES },
			    { "+cpu", CGROUP_CPU } };
	unsigned can = 0;
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
		if (write_in(cgroups, directory, "cgroup.subtree_control", controllers[i].ask) == 0)
			can |= controllers[i].bit;
	return can;
}

static bool use(struct cgroups *cgroups, const char *above)
{
	char base[CGROUP_ROOT_MAX];
	unsigned can = enable(cgroups, above);
	if (can == 0 || cgroup_base_make(cgroups, BASE, above) < 0)
		return false;
	snprintf(base, sizeof(base), "%s/%s", above, cgroups->name);
	cgroups->can = enable(cgroups, base) & can;
	if (cgroups->can == 0) {
		cgroup_base_remove(cgroups, BASE);
		return false;
	}
	cgroups->backend = &cgroup_v2;
	return true;
}

/* This process and, where that is another, whoever holds the groups. */
static int move_to(struct cgroups *cgroups, const char *group)
{
	const pid_t pids[] = { getpid(), cgroups->owner };
	int error = 0;
	for (size_t i = 0; error == 0 && i < (pids[0] == pids[1] ? 1 : 2); i++) {
		char text[32];
		snprintf(text, sizeof(text), "%d", (int)pids[i]);
		error = write_in(cgroups, group, "cgroup.procs", text);
	}
	return error;
}

/* `own`, with the daemon out of the way in a leaf; it goes back where that does not help. */
static bool use_delegated(struct cgroups *cgroups, const char *own)
{
	char leaf[CGROUP_ROOT_MAX];
	snprintf(leaf, sizeof(leaf), "%s" LEAF, own);
	if (mkdir(leaf, 0755) < 0 && errno != EEXIST) {
		cgroup_note(cgroups, -errno);
		return false;
	}
	if (move_to(cgroups, leaf) == 0) {
		if (use(cgroups, own))
			return true;
		move_to(cgroups, own);
	}
	rmdir(leaf);
	return false;
}

bool cgroup_v2_detect(struct cgroups *cgroups, const struct cgroup_hierarchy *found, size_t count)
{
	const struct cgroup_hierarchy *unified = cgroup_find_v2(found, count);
	if (!unified)
		return false;
	if (use(cgroups, unified->own) || use_delegated(cgroups, unified->own))
		return true;
	return geteuid() == 0 && use(cgroups, unified->mount);
}
