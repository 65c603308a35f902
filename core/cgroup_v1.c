/* SPDX-License-Identifier: MIT */
/*
 * v1: a hierarchy for each controller, and beside them v2 without controllers, where it is
 * mounted, for its cgroup.kill and its cpu.stat.
 */
#include "cgroup_backend.h"

#include "quotas.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MEMORY, PIDS, CPU, CPUACCT, UNIFIED };
enum { CPU_PERIOD_US = 100000 };
enum { SOCKETS_PART = 4 }; /* of a session's memory, beside it */

/* The sum of memory and swap is never less than the memory: which is written first depends. */
static int limit_memory(struct cgroups *cgroups, const char *id, uint64_t from, uint64_t to,
			const char **what)
{
	static const char *const files[] = { "memory.limit_in_bytes",
					     "memory.memsw.limit_in_bytes" };
	bool raises = to > from; /* no limit is the highest number */
	char text[32];
	int error = 0;
	snprintf(text, sizeof(text), "%" PRId64, to == UNITS_NONE ? -1 : (int64_t)to);
	for (int i = 0; error == 0 && i < 2; i++) {
		const char *file = files[raises ? 1 - i : i];
		*what = file;
		error = cgroup_write(cgroups, MEMORY, id, file, text);
		if (error == -ENOENT && file == files[1])
			error = 0; /* a kernel that doesn't count swap */
	}
	return error;
}

/*
 * Version 1 counts the memory of INET sockets apart, and only in a group that has a limit of it;
 * UDP belongs to it despite the name. Without one a program fills sockets on its own loopback until
 * the machine has none left (net.ipv4.udp_mem and tcp_mem are for all network namespaces together).
 */
static int limit_sockets(struct cgroups *cgroups, const char *id, uint64_t memory,
			 const char **what)
{
	char text[32];
	uint64_t most = quotas_sockets(), part = memory / SOCKETS_PART;
	snprintf(text, sizeof(text), "%" PRId64,
		 memory == UNITS_NONE ? -1 : (int64_t)(most && part > most ? most : part));
	int error =
		cgroup_write(cgroups, MEMORY, id, *what = "memory.kmem.tcp.limit_in_bytes", text);
	return error == -ENOENT ? 0 : error; /* a kernel that cannot count them */
}

static int limit(struct cgroups *cgroups, const char *id, const struct cgroup_limits *from,
		 const struct cgroup_limits *to, const char **what)
{
	char text[32];
	int error = 0;
	if (to->memory != from->memory)
		error = limit_memory(cgroups, id, from->memory, to->memory, what);
	if (error == 0 && to->memory != from->memory)
		error = limit_sockets(cgroups, id, to->memory, what);
	if (error == 0 && to->processes != from->processes) {
		snprintf(text, sizeof(text), "%" PRIu64, to->processes);
		error = cgroup_write(cgroups, PIDS, id, *what = "pids.max",
				     to->processes == UNITS_NONE ? "max" : text);
	}
	if (error == 0 && to->cpu_milli != from->cpu_milli) {
		snprintf(text, sizeof(text), "%" PRIu64, to->cpu_milli * CPU_PERIOD_US / 1000);
		error = cgroup_write(cgroups, CPU, id, *what = "cpu.cfs_quota_us",
				     to->cpu_milli == UNITS_NONE ? "-1" : text);
	}
	return error;
}

static uint64_t cpu_time(struct cgroups *cgroups, const char *id)
{
	uint64_t ns = cgroup_read(cgroups, CPU, id, "cpuacct.usage", NULL);
	if (ns == UINT64_MAX)
		ns = cgroup_read(cgroups, CPUACCT, id, "cpuacct.usage", NULL);
	if (ns != UINT64_MAX)
		return ns;
	uint64_t us = cgroup_read(cgroups, UNIFIED, id, "cpu.stat", "usage_usec");
	return us == UINT64_MAX ? us : us * 1000;
}

static uint64_t with_sockets(struct cgroups *cgroups, const char *id, const char *file,
			     const char *of_sockets)
{
	uint64_t bytes = cgroup_read(cgroups, MEMORY, id, file, NULL);
	uint64_t sockets = cgroup_read(cgroups, MEMORY, id, of_sockets, NULL);
	return bytes == UINT64_MAX || sockets == UINT64_MAX ? bytes : bytes + sockets;
}

static void usage(struct cgroups *cgroups, const char *id, struct cgroup_usage *out)
{
	*out = (struct cgroup_usage){
		.memory = with_sockets(cgroups, id, "memory.usage_in_bytes",
				       "memory.kmem.tcp.usage_in_bytes"),
		/* Of two peaks, which need not have come together. */
		.memory_peak = with_sockets(cgroups, id, "memory.max_usage_in_bytes",
					    "memory.kmem.tcp.max_usage_in_bytes"),
		.processes = cgroup_read(cgroups, PIDS, id, "pids.current", NULL),
		.cpu_ns = cpu_time(cgroups, id),
		.oom_kills = cgroup_read(cgroups, MEMORY, id, "memory.oom_control", "oom_kill"),
		.refused_forks = cgroup_read(cgroups, PIDS, id, "pids.events", "max"),
	};
}

const struct cgroup_backend cgroup_v1 = { limit, usage, cpu_time, CPU, UNIFIED };

bool cgroup_has(const char *list, const char *name)
{
	size_t length = strlen(name);
	for (const char *at = strstr(list, name); at; at = strstr(at + 1, name))
		if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
			return true;
	return false;
}

static const struct cgroup_hierarchy *find(const struct cgroup_hierarchy *found, size_t count,
					   const char *controller)
{
	for (size_t i = 0; i < count; i++)
		if (cgroup_has(found[i].controllers, controller))
			return &found[i];
	return NULL;
}

static bool make(struct cgroups *cgroups, int index, const struct cgroup_hierarchy *hierarchy)
{
	return hierarchy && cgroup_base_make(cgroups, index, hierarchy->own) == 0;
}

bool cgroup_v1_detect(struct cgroups *cgroups, const struct cgroup_hierarchy *found, size_t count)
{
	const struct cgroup_hierarchy *cpu = find(found, count, "cpu");
	if (make(cgroups, MEMORY, find(found, count, "memory")))
		cgroups->can |= CGROUP_MEMORY;
	if (make(cgroups, PIDS, find(found, count, "pids")))
		cgroups->can |= CGROUP_PROCESSES;
	if (make(cgroups, CPU, cpu))
		cgroups->can |= CGROUP_CPU;
	if (cgroups->can == 0)
		return false;
	cgroups->backend = &cgroup_v1;
	/* Only one of the two is needed for the time used. */
	if (!make(cgroups, UNIFIED, cgroup_find_v2(found, count)) &&
	    (!cpu || !cgroup_has(cpu->controllers, "cpuacct")))
		make(cgroups, CPUACCT, find(found, count, "cpuacct"));
	return true;
}
