/* SPDX-License-Identifier: MIT */
#include "quotas.h"

#include "broker.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PART = 8 };
/* What ordinary programs do with; enough for one queue of the default size. */
enum { INSTANCES_MIN = 4, INSTANCES_MAX = 128 };
enum { WATCHES_MIN = 1024, WATCHES_MAX = 65536 };
enum { SIGNALS_MIN = 64, SIGNALS_MAX = 1024 };
enum { QUEUES_MIN = 90000, QUEUES_MAX = 204800 };
enum { BACKLOG_MIN = 16, BACKLOG_MAX = 128 };
/* Of a connection that nobody has accepted, at most; see broker.h. */
enum { CONNECTION_BYTES = 131072 };

static const int counted[] = { RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE, RLIMIT_MEMLOCK };
enum { COUNTED = sizeof(counted) / sizeof(counted[0]) };

/* Never more than all. */
static uint64_t part_of(uint64_t all, uint64_t least, uint64_t most)
{
	uint64_t part = all / PART;
	part = part < least ? least : part > most ? most : part;
	return part < all ? part : all;
}

/* UNITS_NONE: there is no such file. */
static uint64_t number_in(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	return length > 0 ? strtoull(text, NULL, 10) : UNITS_NONE;
}

static void part_of_file(const char *path, uint64_t least, uint64_t most, char *out, size_t size)
{
	uint64_t all = number_in(path);
	if (all != UNITS_NONE) /* else a kernel without inotify */
		snprintf(out, size, "%" PRIu64, part_of(all, least, most));
}

uint64_t quotas_user_terminals(void)
{
	uint64_t all = number_in("/proc/sys/kernel/pty/max");
	uint64_t reserve = number_in("/proc/sys/kernel/pty/reserve");
	if (all == UNITS_NONE || reserve == UNITS_NONE)
		return UNITS_NONE;
	return all > reserve ? (all - reserve) / 4 * 3 : 0;
}

/* The last of the three is where the kernel takes no more: tcp(7). In pages. */
static uint64_t bytes_of_tcp(void)
{
	uint64_t pages = 0;
	FILE *from = fopen("/proc/sys/net/ipv4/tcp_mem", "re");
	if (!from)
		return 0;
	if (fscanf(from, "%*u %*u %" SCNu64, &pages) != 1)
		pages = 0;
	(void)fclose(from);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Read once: it is not to be seen in the network of a sandbox, where the spawner is. */
static uint64_t sockets;

uint64_t quotas_sockets(void)
{
	return sockets;
}

static uint64_t limit_of(int resource)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
	(void)getrlimit(resource, &limit);
	return limit.rlim_cur;
}

void quotas_init(struct quotas *quotas)
{
	sockets = bytes_of_tcp() / PART;
	*quotas = (struct quotas){
		.pending_signals = part_of(limit_of(RLIMIT_SIGPENDING), SIGNALS_MIN, SIGNALS_MAX),
		.queue_bytes = part_of(limit_of(RLIMIT_MSGQUEUE), QUEUES_MIN, QUEUES_MAX),
		.locked_memory = limit_of(RLIMIT_MEMLOCK),
	};
	uint64_t backlog = quotas_sockets() / CONNECTION_BYTES / BROKER_LISTENERS;
	quotas->backlog = backlog < BACKLOG_MIN   ? BACKLOG_MIN
			  : backlog > BACKLOG_MAX ? BACKLOG_MAX
						  : (int)backlog;
	snprintf(quotas->somaxconn, sizeof(quotas->somaxconn), "%d", quotas->backlog);
	part_of_file("/proc/sys/user/max_inotify_instances", INSTANCES_MIN, INSTANCES_MAX,
		     quotas->inotify_instances, sizeof(quotas->inotify_instances));
	part_of_file("/proc/sys/user/max_inotify_watches", WATCHES_MIN, WATCHES_MAX,
		     quotas->inotify_watches, sizeof(quotas->inotify_watches));
}

void quotas_lift(void)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	for (int i = 0; i < COUNTED; i++)
		(void)setrlimit(counted[i], &none);
}

/* Where it cannot be written, there are no dumps: a kernel without CONFIG_ELF_CORE. */
void quotas_empty_cores(void)
{
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, "0", 1);
	close(fd);
}

int quotas_bound_network(const struct quotas *quotas, int proc, const char **what)
{
	const struct {
		const char *path, *text;
	} files[] = {
		{ "sys/net/core/somaxconn", quotas->somaxconn },
		{ "sys/net/ipv4/tcp_rmem", "4096 131072 131072" }, /* CONNECTION_BYTES */
		/* Those that wait for the end of their time are charged to no cgroup. */
		{ "sys/net/ipv4/tcp_max_tw_buckets", "4096" },
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = openat(proc, *what = files[i].path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue; /* nor has init of a user's sandbox some of them before Linux 6 */
		ssize_t size = (ssize_t)strlen(files[i].text);
		int error = fd < 0 || write(fd, files[i].text, (size_t)size) != size ? -errno : 0;
		if (fd >= 0)
			close(fd);
		if (error < 0)
			return error;
	}
	return 0;
}

int quotas_limit(const struct quotas *quotas, const char **what)
{
	static const char *const names[COUNTED] = { "pending signals", "message queues",
						    "locked memory" };
	const uint64_t amounts[COUNTED] = { quotas->pending_signals, quotas->queue_bytes,
					    quotas->locked_memory };
	for (int i = 0; i < COUNTED; i++) {
		const struct rlimit limit = { amounts[i], amounts[i] };
		*what = names[i];
		if (setrlimit(counted[i], &limit) < 0)
			return -errno;
	}
	return 0;
}
