/* SPDX-License-Identifier: MIT */
/*
 * v2: one hierarchy. A group that has processes cannot give controllers to the groups below it
 * (cgroups(7), "no internal processes"). The kernel refuses `memory` there with EBUSY, but grants
 * `pids` and `cpu`, and then the group is a threaded domain, below which there are no more domains.
 * So the daemon asks nothing of a group that has processes.
 *
 * The group that the daemon was started in comes first: below it, all that holds for a service or a
 * scope (limits, accounting, the end) holds for its sessions too. The daemon moves all processes of
 * that group into a leaf, which is beside the groups of the sessions. It does so only where the
 * group was delegated: a unit with Delegate=yes, the top that a container sees, a group of an
 * ordinary user's. Where no systemd manages the groups, root's daemon also takes a group in which
 * there are only processes of its own program. Otherwise root's daemon uses the top of the
 * hierarchy, to which the rule does not apply. Each step that does not help is undone.
 */
#include "cgroup_backend.h"

#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CGROUP_LEAF "mimobox-daemon"

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

enum { MOVES_MAX = 16 }; /* processes fork while they are moved */

static const struct {
	const char *name;
	unsigned bit;
} controllers[] = { { "memory", CGROUP_MEMORY },
		    { "pids", CGROUP_PROCESSES },
		    { "cpu", CGROUP_CPU } };
enum { CONTROLLERS = sizeof(controllers) / sizeof(controllers[0]) };

static int open_at(struct cgroups *cgroups, int directory, const char *file, int flags)
{
	int fd = openat(directory, file, flags | O_CLOEXEC);
	return fd < 0 ? cgroup_note(cgroups, -errno) : fd;
}

static int write_at(struct cgroups *cgroups, int directory, const char *file, const char *text)
{
	int fd = open_at(cgroups, directory, file, O_WRONLY);
	if (fd < 0)
		return fd;
	int error = write(fd, text, strlen(text)) < 0 ? cgroup_note(cgroups, -errno) : 0;
	close(fd);
	return error;
}

/* "" where it cannot be read. */
static void read_at(struct cgroups *cgroups, int directory, const char *file, char *text,
		    size_t size)
{
	int fd = open_at(cgroups, directory, file, O_RDONLY);
	ssize_t count = fd < 0 ? 0 : read(fd, text, size - 1);
	text[count > 0 ? count : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Which of the three a list names. */
static unsigned read_controllers(struct cgroups *cgroups, int directory, const char *file)
{
	char text[512], *rest = text, *word;
	unsigned found = 0;
	read_at(cgroups, directory, file, text, sizeof(text));
	while ((word = strsep(&rest, " \n")))
		for (size_t i = 0; i < CONTROLLERS; i++)
			if (strcmp(word, controllers[i].name) == 0)
				found |= controllers[i].bit;
	return found;
}

/* Asks for each of the `wanted`, or with '-' gives it back. Returns those that were granted. */
static unsigned ask(struct cgroups *cgroups, int directory, char sign, unsigned wanted)
{
	unsigned granted = 0;
	for (size_t i = 0; i < CONTROLLERS; i++) {
		char text[16];
		snprintf(text, sizeof(text), "%c%s", sign, controllers[i].name);
		if ((wanted & controllers[i].bit) &&
		    write_at(cgroups, directory, "cgroup.subtree_control", text) == 0)
			granted |= controllers[i].bit;
	}
	return granted;
}

enum type { TYPE_TOP, TYPE_DOMAIN, TYPE_OTHER };

/* Only the top of the whole hierarchy has no type: that of a cgroup namespace has one. */
static enum type type_of(struct cgroups *cgroups, int directory)
{
	char text[32];
	if (faccessat(directory, "cgroup.type", F_OK, 0) < 0)
		return errno == ENOENT ? TYPE_TOP : TYPE_OTHER;
	read_at(cgroups, directory, "cgroup.type", text, sizeof(text));
	return strcmp(text, "domain\n") == 0 ? TYPE_DOMAIN : TYPE_OTHER;
}

/* Whether controllers may be asked for in it. */
static bool may_ask(struct cgroups *cgroups, int directory)
{
	char first[16];
	enum type type = type_of(cgroups, directory);
	read_at(cgroups, directory, "cgroup.threads", first, sizeof(first));
	return type == TYPE_TOP || (type == TYPE_DOMAIN && first[0] == '\0');
}

/* What root's helpers do there later, they do as the owner, without capabilities. */
static bool is_given(int directory)
{
	struct stat status;
	return geteuid() != 0 ||
	       (fstatat(directory, "cgroup.procs", &status, 0) == 0 && status.st_uid == 0);
}

/* A group may have no more groups below it, or none below those. */
static bool has_room(struct cgroups *cgroups)
{
	static const char probe[] = "0"; /* no sandbox has this number */
	int base = cgroups->bases[BASE].fd;
	return mkdirat(base, probe, 0755) == 0 && unlinkat(base, probe, AT_REMOVEDIR) == 0;
}

/* Makes the base below `above`; false leaves all as it was. */
static bool use(struct cgroups *cgroups, int above)
{
	if (!is_given(above) || !may_ask(cgroups, above))
		return false;
	unsigned had = read_controllers(cgroups, above, "cgroup.subtree_control");
	unsigned can =
		ask(cgroups, above, '+', read_controllers(cgroups, above, "cgroup.controllers"));
	if (can && cgroup_base_make_at(cgroups, BASE, above) == 0) {
		cgroups->can = ask(cgroups, cgroups->bases[BASE].fd, '+', can);
		if (cgroups->can && has_room(cgroups)) {
			cgroups->backend = &cgroup_v2;
			return true;
		}
		cgroups->can = 0;
		cgroup_base_remove(cgroups, BASE);
	}
	ask(cgroups, above, '-', can & ~had);
	return false;
}

/* The keeper, the server, the starter that waits; or another daemon. */
static bool is_daemon(pid_t pid)
{
	char path[32];
	struct stat own, other;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return stat("/proc/self/exe", &own) == 0 && stat(path, &other) == 0 &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

/*
 * One pass over the list: how many there were; or -errno, also for one that is to stay. Where `to`
 * is -1, none is moved.
 */
static int move_listed(struct cgroups *cgroups, int from, int to, bool others)
{
	/* Of a process whose first thread has ended, only the others are listed. */
	int fd = open_at(cgroups, from, "cgroup.threads", O_RDONLY), count = 0, error = 0;
	FILE *list = fd < 0 ? NULL : fdopen(fd, "r");
	char text[32];
	if (!list) {
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : cgroup_note(cgroups, -ENOMEM);
	}
	while (error == 0 && fgets(text, sizeof(text), list)) {
		count++;
		pid_t pid = atoi(text); /* 0: of a PID namespace that this process does not see */
		if (pid == 0 || (!others && !is_daemon(pid)))
			error = -EBUSY;
		else if (to >= 0)
			error = write_at(cgroups, to, "cgroup.procs", text);
		if (error == -ESRCH) /* it has ended */
			error = 0;
	}
	(void)fclose(list);
	return error < 0 ? error : count;
}

/* True: none is left. */
static bool move_processes(struct cgroups *cgroups, int from, int to, bool others)
{
	int count = 1;
	for (int i = 0; count > 0 && i < MOVES_MAX; i++)
		count = move_listed(cgroups, from, to, others);
	return count == 0;
}

/* Undoes move_out(). */
static void move_back(struct cgroups *cgroups, int above)
{
	int leaf = openat(above, CGROUP_LEAF, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (leaf < 0)
		return;
	move_processes(cgroups, leaf, above, true);
	close(leaf);
	unlinkat(above, CGROUP_LEAF, AT_REMOVEDIR);
}

/* Empties a group into its leaf; false leaves all as it was. */
static bool move_out(struct cgroups *cgroups, int above, bool others)
{
	if (move_listed(cgroups, above, -1, others) < 0)
		return false;
	if (mkdirat(above, CGROUP_LEAF, 0755) < 0 && errno != EEXIST)
		return false;
	int leaf = open_at(cgroups, above, CGROUP_LEAF, O_PATH | O_DIRECTORY);
	bool empty = leaf >= 0 && move_processes(cgroups, above, leaf, others);
	if (leaf >= 0)
		close(leaf);
	if (!empty)
		move_back(cgroups, above);
	return empty;
}

/*
 * A group that has had processes gives controllers only because a daemon emptied it: this one, or
 * one that could not undo it. The kernel refuses that where another daemon has its groups there.
 */
void cgroup_v2_give_back(struct cgroups *cgroups, int above)
{
	if (cgroups->emptied && ask(cgroups, above, '-', cgroups->can) == cgroups->can)
		move_back(cgroups, above);
	cgroups->emptied = false;
}

/* systemd marks the groups of units with Delegate=yes. */
static bool is_delegated(const struct cgroup_hierarchy *unified)
{
	static const char *const marks[] = { "trusted.delegate", "user.delegate" };
	char value = 0;
	if (geteuid() != 0 || strcmp(unified->own, unified->mount) == 0)
		return true;
	for (size_t i = 0; i < 2; i++)
		if (getxattr(unified->own, marks[i], &value, 1) == 1 && value == '1')
			return true;
	return false;
}

/*
 * Whether root's daemon may take a group that no mark says was delegated. systemd puts processes
 * into the groups of its units, which fails where those give controllers.
 */
static bool is_free(struct cgroups *cgroups, const struct cgroup_hierarchy *unified, int own)
{
	int top = open_at(cgroups, AT_FDCWD, unified->mount, O_PATH | O_DIRECTORY);
	bool all = top >= 0 && read_controllers(cgroups, top, "cgroup.controllers") ==
				       read_controllers(cgroups, own, "cgroup.controllers");
	if (top >= 0)
		close(top);
	return all && access("/run/systemd/system", F_OK) < 0;
}

static bool is_leaf(const char *path)
{
	const char *name = strrchr(path, '/');
	return name && strcmp(name + 1, CGROUP_LEAF) == 0;
}

/* The group above the leaf of another daemon, from which this one was started. */
static bool use_above_leaf(struct cgroups *cgroups, int leaf)
{
	int above = open_at(cgroups, leaf, "..", O_PATH | O_DIRECTORY);
	cgroups->emptied = above >= 0 && use(cgroups, above);
	if (above >= 0)
		close(above);
	return cgroups->emptied;
}

static bool use_own(struct cgroups *cgroups, const struct cgroup_hierarchy *unified, int own)
{
	bool delegated = is_delegated(unified);
	if (type_of(cgroups, own) == TYPE_TOP)
		return use(cgroups, own);
	if (is_leaf(unified->own) && use_above_leaf(cgroups, own))
		return true;
	if (!is_given(own) || read_controllers(cgroups, own, "cgroup.controllers") == 0 ||
	    !(delegated || is_free(cgroups, unified, own)) || !move_out(cgroups, own, delegated))
		return false;
	cgroups->emptied = use(cgroups, own);
	if (!cgroups->emptied)
		move_back(cgroups, own);
	return cgroups->emptied;
}

bool cgroup_v2_detect(struct cgroups *cgroups, const struct cgroup_hierarchy *found, size_t count)
{
	const struct cgroup_hierarchy *unified = cgroup_find_v2(found, count);
	if (!unified)
		return false;
	int own = open_at(cgroups, AT_FDCWD, unified->own, O_PATH | O_DIRECTORY);
	bool used = own >= 0 && use_own(cgroups, unified, own);
	if (own >= 0)
		close(own);
	if (used || geteuid() != 0)
		return used;
	int top = open_at(cgroups, AT_FDCWD, unified->mount, O_PATH | O_DIRECTORY);
	used = top >= 0 && use(cgroups, top);
	if (top >= 0)
		close(top);
	return used;
}
