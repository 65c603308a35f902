/* SPDX-License-Identifier: MIT */
#include "quotas.h"

#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PART = 8 };
/* What ordinary programs do with; enough for one queue of the default size. */
enum { INSTANCES_MIN = 4, INSTANCES_MAX = 128 };
enum { WATCHES_MIN = 1024, WATCHES_MAX = 65536 };
enum { SIGNALS_MIN = 64, SIGNALS_MAX = 1024 };
enum { QUEUES_MIN = 90000, QUEUES_MAX = 204800 };

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

static uint64_t limit_of(int resource)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
	(void)getrlimit(resource, &limit);
	return limit.rlim_cur;
}

void quotas_init(struct quotas *quotas)
{
	*quotas = (struct quotas){
		.pending_signals = part_of(limit_of(RLIMIT_SIGPENDING), SIGNALS_MIN, SIGNALS_MAX),
		.queue_bytes = part_of(limit_of(RLIMIT_MSGQUEUE), QUEUES_MIN, QUEUES_MAX),
		.locked_memory = limit_of(RLIMIT_MEMLOCK),
	};
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
