/* SPDX-License-Identifier: MIT */
/*
 * The mount is made in the sandbox's own user and mount namespaces, with `userxattr` (Linux 5.11):
 * what overlayfs has to note is in attributes that begin with `user.overlay.`, and what was deleted
 * is a character device 0/0. The program can make neither by way of the overlay.
 *
 * overlayfs reads the lower layer with the rights of the process that mounts it. Those are the
 * rights of the session's owner: the capabilities of that process count only for files whose owner
 * has an id in the sandbox, which is the owner's own.
 *
 * `volatile`: nothing is synced. The changes of a session do not outlive the machine.
 */
#include "overlay.h"

#include "mounts.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "older.h"

/* A tick is 10 ms at most; the clock may be set back meanwhile. */
enum { ATTRIBUTES = 8192, TICKS = 40 };

static int make_directory(int parent, const char *name)
{
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * The overlay's own directory has the attributes of the upper layer's. That is the session's, so
 * that it has no more rights than others have where the lower one is not.
 */
static mode_t mode_for(const struct stat *lower)
{
	return lower->st_uid == geteuid() ? lower->st_mode & 01777 : (lower->st_mode & 07) * 0111;
}

static int copy_attributes(int base, const struct stat *lower, mode_t mode)
{
	const struct timespec times[] = { lower->st_atim, lower->st_mtim };
	if (fchmodat(base, "upper", mode, 0) < 0 || utimensat(base, "upper", times, 0) < 0)
		return -errno;
	return 0;
}

static bool is_carried(const char *name)
{
	return (strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0) ||
	       strncmp(name, "system.posix_acl_", 17) == 0;
}

/* Extended ones as well; false: not all could be copied. */
static bool copy_extended(int from, int to)
{
	char names[ATTRIBUTES], value[ATTRIBUTES];
	ssize_t size = flistxattr(from, names, sizeof(names));
	if (size < 0)
		return errno == EOPNOTSUPP;
	for (const char *name = names; name < names + size; name += strlen(name) + 1) {
		if (!is_carried(name))
			continue;
		ssize_t length = fgetxattr(from, name, value, sizeof(value));
		if (length < 0 || fsetxattr(to, name, value, (size_t)length, 0) < 0)
			return false;
	}
	return true;
}

static bool copy_all_extended(int lower, int upper)
{
	int from = openat(lower, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int to = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool all = from >= 0 && to >= 0 && copy_extended(from, to);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return all;
}

static int set(int fs, const char *key, const char *value)
{
	int result = value ? fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0)
			   : fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
	return result < 0 ? -errno : 0;
}

static int make_mount(int lower, int upper, int work)
{
	char paths[3][MOUNT_NAME];
	mount_name(lower, paths[0]);
	mount_name(upper, paths[1]);
	mount_name(work, paths[2]);
	const struct mount_option options[] = {
		{ "source", "overlay" }, { "lowerdir", paths[0] }, { "upperdir", paths[1] },
		{ "workdir", paths[2] }, { "userxattr", NULL },    { "volatile", NULL },
	};
	int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	int error = 0, mount = -1;
	for (size_t i = 0; error == 0 && i < sizeof(options) / sizeof(*options); i++)
		error = set(fs, options[i].key, options[i].value);
	if (error == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		error = -errno;
	if (error == 0 && (mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_LOCKED_DOWN)) < 0)
		error = -errno;
	close(fs);
	return error < 0 ? error : mount;
}

static int note_host(int base, const struct stat *lower, bool same)
{
	struct overlay_host host;
	memset(&host, 0, sizeof(host));
	host.device = lower->st_dev;
	host.inode = lower->st_ino;
	host.mode = mode_for(lower);
	host.same = same && lower->st_uid == geteuid();
	/* Change times are no later than this clock, and up to a tick earlier. */
	if (clock_gettime(CLOCK_REALTIME, &host.since) < 0)
		return -errno;
	int fd = openat(base, "host", O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ssize_t size = write(fd, &host, sizeof(host));
	int error = size < 0 ? -errno : size == sizeof(host) ? 0 : -ENOSPC;
	close(fd);
	return error;
}

static int attach_in(int root, int base, const struct sandbox_path *path)
{
	struct stat status;
	int lower = mount_open_below(root, path->inside, O_PATH | O_DIRECTORY);
	if (lower < 0)
		return lower;
	int error = fstat(lower, &status) < 0 ? -errno : 0;
	int upper = error == 0 ? make_directory(base, "upper") : error;
	int work = upper >= 0 ? make_directory(base, "work") : upper;
	bool same = work >= 0 && copy_all_extended(lower, upper);
	error = work < 0 ? work : copy_attributes(base, &status, mode_for(&status));
	int mount = error == 0 ? make_mount(lower, upper, work) : error;
	const int opened[] = { lower, upper, work };
	for (size_t i = 0; i < 3; i++)
		if (opened[i] >= 0)
			close(opened[i]);
	error = mount < 0 ? mount : mount_attach(root, mount, path->inside);
	return error < 0 ? error : note_host(base, &status, same);
}

int overlay_settle(void)
{
	const struct timespec moment = { .tv_nsec = 500000 };
	struct timespec since, now;
	if (clock_gettime(CLOCK_REALTIME, &since) < 0)
		return -errno;
	for (int i = 0; i < TICKS; i++) {
		if (clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0)
			return -errno;
		if (now.tv_sec > since.tv_sec ||
		    (now.tv_sec == since.tv_sec && now.tv_nsec >= since.tv_nsec))
			break;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
	}
	return 0;
}

int overlay_attach(int root, int changes, const struct sandbox_path *path)
{
	char name[MOUNT_NUMBER];
	mount_number(name, path->number);
	int base = changes < 0 ? -EBADF : make_directory(changes, name);
	if (base < 0)
		return base;
	int error = attach_in(root, base, path);
	close(base);
	return error;
}
