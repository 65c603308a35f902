/* SPDX-License-Identifier: MIT */
/*
 * The mount interface by descriptors: open_tree(2), fsopen(2), move_mount(2), mount_setattr(2).
 */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int mount_open_below(int root, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int mount_attach(int root, int mount, const char *path)
{
	int target = mount_open_below(root, path, O_PATH);
	int error = target < 0 ? target : 0;
	if (error == 0 && move_mount(mount, "", target, "",
				     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		error = -errno;
	if (target >= 0)
		close(target);
	close(mount);
	return error;
}

int mount_clone(int directory, const char *path, uint64_t attributes)
{
	int mount = open_tree(directory, path,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
				      AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	if (mount < 0)
		return -errno;
	struct mount_attr attr = { .attr_set = attributes };
	if (attributes &&
	    mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0) {
		int error = -errno;
		close(mount);
		return error;
	}
	return mount;
}

int mount_follow_links(int mount)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_NOSYMFOLLOW };
	return mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

int mount_new(const char *type, const struct mount_option *options, uint64_t attributes)
{
	int fs = fsopen(type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	int mount = -1, result = 0;
	for (; result == 0 && options && options->key; options++)
		result = fsconfig(fs, FSCONFIG_SET_STRING, options->key, options->value, 0);
	if (result == 0)
		result = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (result == 0)
		mount = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
	int error = mount < 0 ? -errno : 0;
	close(fs);
	return error < 0 ? error : mount;
}

int mount_make_private(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

int mount_make_directory(int root, const char *path, mode_t mode)
{
	return mkdirat(root, path, mode) < 0 || fchmodat(root, path, mode, 0) < 0 ? -errno : 0;
}

int mount_make_file(int root, const char *path, const char *text)
{
	int fd = openat(root, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	size_t size = strlen(text);
	int error = write(fd, text, size) == (ssize_t)size ? 0 : -ENOSPC;
	close(fd);
	return error;
}
