/* SPDX-License-Identifier: MIT */
/*
 * Runtimes size themselves by the limits that they find at /sys/fs/cgroup. There each sandbox has
 * its own group, read-only: with v2 that itself, with v1 a directory for each hierarchy. Its cgroup
 * namespace begins at that group, so that no path in /proc names any other.
 */
#include "root_cgroup.h"

#include "cgroup_view.h"
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define PLACE "sys/fs/cgroup"

enum { NAME_ROOM = sizeof(PLACE) + 128 };

static void append_group(char *path, uint64_t group)
{
	char digits[24], *at = digits + sizeof(digits) - 1;
	*at = '\0';
	do
		*--at = (char)('0' + group % 10);
	while (group /= 10);
	*--at = '/';
	strcat(path, at);
}

/* On a machine that does not let the session's owner look there, nothing is seen. */
static int bind_seen(int root, const char *from, const char *to)
{
	int mount = mount_clone(AT_FDCWD, from,
				MOUNT_LOCKED_DOWN | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
	if (mount == -EACCES || mount == -ENOENT)
		return 0;
	return mount < 0 ? mount : mount_attach(root, mount, to);
}

/* As systemd does where two controllers have one hierarchy: each has its name. */
static int add_links(int root, const char *controllers)
{
	char path[NAME_ROOM];
	for (const char *name = controllers; strchr(controllers, ','); name++) {
		size_t length = strcspn(name, ",");
		strcpy(path, PLACE "/");
		strncat(path, name, length);
		if (symlinkat(controllers, root, path) < 0)
			return -errno;
		name += length;
		if (!*name)
			break;
	}
	return 0;
}

static int add_place(int root, const struct cgroup_place *place, uint64_t group)
{
	char path[NAME_ROOM] = PLACE, from[CGROUP_VIEW_PATH + 32];
	int error = 0;
	strcpy(from, place->path);
	if (place->name[0]) {
		strcat(path, "/");
		strcat(path, place->name);
		error = mount_make_directory(root, path, 0555);
		if (error == 0)
			error = add_links(root, place->name);
	}
	if (place->file[0]) {
		strcat(path, "/");
		strcat(path, place->file);
		if (error == 0)
			error = mount_make_file(root, path, "");
	} else {
		append_group(from, group);
	}
	return error < 0 ? error : bind_seen(root, from, path);
}

int root_add_cgroup(int root, const struct cgroup_view *view, uint64_t group, const char **what)
{
	static const char *const directories[] = { "sys", "sys/fs", PLACE };
	int error = 0;
	for (size_t i = 0; error == 0 && i < sizeof(directories) / sizeof(directories[0]); i++)
		error = mount_make_directory(root, *what = directories[i], 0555);
	*what = PLACE;
	for (unsigned i = 0; error == 0 && group && i < view->count; i++)
		error = add_place(root, &view->places[i], group);
	return error;
}
