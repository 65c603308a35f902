/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <loop.h>
#include <mountinfo.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

void watch_init(struct watch *watch)
{
	*watch = (struct watch){ .table = -1 };
}

/*
 * What is mounted at the path now. The filesystem may be our own: it is not asked, and nothing of
 * it is open for even a moment, which umount(2) would take for use.
 */
static bool look(const char *path, uint64_t *id, uint64_t *device)
{
	struct statx status;
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		  STATX_MNT_ID, &status) < 0 ||
	    !(status.stx_mask & STATX_MNT_ID))
		return false;
	*id = status.stx_mnt_id;
	*device = mountinfo_device(status.stx_dev_major, status.stx_dev_minor);
	return true;
}

void watch_learn(struct watch *watch, const char *path)
{
	watch->path = path;
	if (!look(path, &watch->id, &watch->device))
		watch->id = 0;
}

static int find(const struct mountinfo *mount, void *data)
{
	const struct watch *watch = data;
	return mount->id == watch->id && mount->device == watch->device;
}

/* The table can be long, so it is read only if something else is at the path: it may be moved. */
static bool is_there(struct watch *watch)
{
	uint64_t id, device;
	if (look(watch->path, &id, &device) && id == watch->id && device == watch->device)
		return true;
	return mountinfo_read_own(find, watch) != 0;
}

static void check(struct watch *watch)
{
	if (is_there(watch))
		return;
	watch_finish(watch);
	watch->gone(watch->data);
}

static void on_change(void *data, uint32_t events)
{
	(void)events;
	check(data);
}

void watch_begin(struct watch *watch, struct loop *loop, void (*gone)(void *data), void *data)
{
	watch->gone = gone;
	watch->data = data;
	if (!watch->id)
		return;
	watch->table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (watch->table >= 0 &&
	    loop_add(loop, watch->table, EPOLLPRI, on_change, watch, &watch->source) == 0)
		check(watch); /* it tells of what comes after it was opened */
}

void watch_finish(struct watch *watch)
{
	loop_remove(watch->source);
	watch->source = NULL;
	if (watch->table >= 0)
		close(watch->table);
	watch->table = -1;
}
