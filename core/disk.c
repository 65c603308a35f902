/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include "home.h"
#include "overlay.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { UNIT = 1024, BYTES_OF_AN_INODE = 1024, INODES = 256 };

/* Administrators count theirs from 1. */
static uint32_t project_of(ino_t inode)
{
	return (uint32_t)((inode ^ (inode >> 30)) & 0x3fffffff) | 0x40000000;
}

static int open_directory(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* quotactl(2) by descriptor: no device has to be found, or opened. */
static int quota(int fd, unsigned command, uint32_t project, void *data)
{
	return syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), project, data) < 0 ? -errno
											: 0;
}

/* Whether it is in a project already. */
static bool is_in_project(const char *directory)
{
	struct fsxattr attributes;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool is = fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0 ||
		  attributes.fsx_projid != 0;
	if (fd >= 0)
		close(fd);
	return is;
}

bool disk_has_projects(const char *directory)
{
	struct fs_quota_statv state = { .qs_version = FS_QSTATV_VERSION1 };
	struct if_dqblk any;
	int fd = geteuid() == 0 ? open_directory(directory) : -1;
	if (fd < 0)
		return false;
	int error = quota(fd, Q_XGETQSTATV, 0, &state);
	/* Who may ask for one may set it: the root of a user namespace may not. */
	bool may = quota(fd, Q_GETQUOTA, project_of(0), &any) != -EPERM;
	close(fd);
	return error == 0 && (state.qs_flags & FS_QUOTA_PDQ_ENFD) && may &&
	       !is_in_project(directory);
}

void disk_join(const char *directory, const char *workspace)
{
	struct stat status;
	struct fsxattr attributes;
	if (lstat(workspace, &status) < 0)
		return;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) == 0) {
		attributes.fsx_projid = project_of(status.st_ino);
		attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
		(void)!ioctl(fd, FS_IOC_FSSETXATTR, &attributes);
	}
	close(fd);
}

/* Of a directory whose project has a bound in force, that is what the filesystem seems to have. */
static int total_of(const char *path, uint64_t *total)
{
	struct statfs disk;
	if (statfs(path, &disk) < 0)
		return -errno;
	*total = (uint64_t)disk.f_blocks * (uint64_t)disk.f_frsize;
	return 0;
}

/* Somebody else may have mounted something there, or taken it out of the project. */
static int check(const char *directory, uint64_t limit)
{
	uint64_t total = 0;
	int error = total_of(directory, &total);
	return error < 0 ? error : total <= limit ? 0 : -EOPNOTSUPP;
}

static int check_all(const char *workspace, uint64_t limit)
{
	char home[PATH_MAX], changes[PATH_MAX];
	int error = home_path(workspace, home);
	if (error == 0 && strlen(workspace) + sizeof(OVERLAY_SUFFIX) > sizeof(changes))
		error = -ENAMETOOLONG;
	if (error < 0)
		return error;
	strcat(strcpy(changes, workspace), OVERLAY_SUFFIX);
	const char *const directories[] = { workspace, home, changes };
	for (size_t i = 0; error == 0 && i < sizeof(directories) / sizeof(*directories); i++) {
		error = check(directories[i], limit);
		if (error == -ENOENT && i > 0)
			error = 0; /* the session has none */
	}
	return error;
}

static int set_limit(int fd, uint64_t size)
{
	struct stat status;
	struct if_dqblk limit = {
		.dqb_bhardlimit = size == UNITS_NONE ? 0 : size / UNIT,
		.dqb_ihardlimit = size == UNITS_NONE ? 0 : size / BYTES_OF_AN_INODE + INODES,
		.dqb_valid = QIF_LIMITS,
	};
	if (fstat(fd, &status) < 0)
		return -errno;
	return quota(fd, Q_SETQUOTA, project_of(status.st_ino), &limit);
}

/* A bound as large as the filesystem would not be seen. */
static int bound_by_disk(const char *workspace, uint64_t *size)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(workspace, '/');
	uint64_t total = 0;
	if (!slash || (size_t)(slash - workspace) >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, workspace, (size_t)(slash - workspace));
	parent[slash - workspace] = '\0';
	int error = total_of(parent, &total);
	if (error == 0 && *size >= total)
		*size = total - 1;
	return error;
}

int disk_limit(const char *workspace, uint64_t size)
{
	int fd = open_directory(workspace);
	if (fd < 0)
		return fd;
	bool bounded = size != UNITS_NONE;
	int error = bounded ? bound_by_disk(workspace, &size) : 0;
	if (error == 0)
		error = set_limit(fd, size);
	close(fd);
	if (!bounded)
		return 0; /* if quotas are off by now, none is in force */
	if (error == -ESRCH || error == -EPERM || error == -EINVAL || error == -ENOENT)
		error = -EOPNOTSUPP; /* likewise */
	return error < 0 ? error : check_all(workspace, size);
}

int disk_read(const char *workspace, uint64_t *size, uint64_t *left)
{
	struct statfs disk;
	if (statfs(workspace, &disk) < 0)
		return -errno;
	*size = (uint64_t)disk.f_blocks * (uint64_t)disk.f_frsize;
	*left = (uint64_t)disk.f_bavail * (uint64_t)disk.f_frsize;
	return 0;
}
