/* SPDX-License-Identifier: MIT */
#include "home.h"

#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* No session may be called so. A glob finds it beside the workspace of a daemon that was killed. */
#define NAME "~home"
#define TEMPORARY "/tmp"

/* Also in a sandbox: async-signal-safe. */
int home_path(const char *workspace, char home[static PATH_MAX])
{
	const char *slash = strrchr(workspace, '/'), *end = strrchr(workspace, '-');
	size_t length = slash ? (size_t)(slash + 1 - workspace) : 0;
	end = end ? end : "";
	if (length + strlen(NAME) + strlen(end) + sizeof(TEMPORARY) > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(home, workspace, length);
	strcat(strcpy(home + length, NAME), end);
	return 0;
}

static int chown_as_root(const char *path, uid_t uid, gid_t gid)
{
	return geteuid() == 0 && fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW) < 0
		       ? -errno
		       : 0;
}

/*
 * Root has no capability to look into a directory of another's. The path to it is through
 * directories that are the daemon's alone, so it is root's again until that is done.
 */
static int reach(const char *home)
{
	return chown_as_root(home, geteuid(), getegid());
}

static int give(const char *home, const char *inner, uid_t uid, gid_t gid)
{
	int error = chown_as_root(inner, uid, gid);
	return error < 0 ? error : chown_as_root(home, uid, gid);
}

static int paths_of(const char *workspace, char home[static PATH_MAX], char inner[static PATH_MAX])
{
	int error = home_path(workspace, home);
	if (error == 0)
		strcat(strcpy(inner, home), TEMPORARY);
	return error;
}

int home_make(const char *workspace, uid_t uid, gid_t gid, bool project)
{
	char home[PATH_MAX], inner[PATH_MAX];
	int error = paths_of(workspace, home, inner);
	if (error == 0 && mkdir(home, 0700) < 0)
		error = -errno;
	if (error < 0)
		return error;
	if (project)
		disk_join(home, workspace);
	if (mkdir(inner, 0700) < 0)
		error = -errno;
	if (error == 0)
		error = give(home, inner, uid, gid);
	if (error < 0)
		home_remove(workspace);
	return error;
}

int home_give(const char *workspace, uid_t uid, gid_t gid)
{
	char home[PATH_MAX], inner[PATH_MAX];
	int error = paths_of(workspace, home, inner);
	if (error == 0)
		error = reach(home);
	return error < 0 ? error : give(home, inner, uid, gid);
}

int home_remove(const char *workspace)
{
	char home[PATH_MAX], inner[PATH_MAX];
	int error = paths_of(workspace, home, inner);
	if (error == 0)
		error = reach(home);
	if (error < 0)
		return error == -ENOENT ? 0 : error;
	(void)rmdir(inner);
	return rmdir(home) < 0 ? -errno : 0;
}
