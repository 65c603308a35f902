/* SPDX-License-Identifier: MIT */
#include "mapper.h"

#include "init.h"
#include "message.h"
#include "mounts.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "older.h"

static pid_t make_process(uint64_t flags)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static int write_map(pid_t pid, const char *file, unsigned id)
{
	char path[64], map[32];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	snprintf(map, sizeof(map), "0 %u 1", id);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = write(fd, map, strlen(map)) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/* A user namespace in which root is that id. */
static int open_namespace(uid_t uid, gid_t gid)
{
	char path[64];
	pid_t pid = make_process(CLONE_NEWUSER);
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	int error = write_map(pid, "uid_map", uid);
	if (error == 0)
		error = write_map(pid, "gid_map", gid);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	int fd = error == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (error == 0 && fd < 0)
		error = -errno;
	kill(pid, SIGKILL);
	return error < 0 ? error : fd;
}

/* Mounts below it come along, so that overlayfs refuses it rather than show what they cover. */
static int make_clone(const char *path, int namespace)
{
	int fd = paths_open_directory(path);
	if (fd < 0)
		return fd;
	int mount = mount_clone(fd, "", MOUNT_LOCKED_DOWN | MOUNT_ATTR_RDONLY);
	close(fd);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .userns_fd = (uint64_t) namespace };
	if (mount >= 0 && mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		int error = -errno;
		close(mount);
		return error;
	}
	return mount;
}

/* What root may do with the device, without any capability, that id may. */
static mode_t mode_for(int fd)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0 ? S_IRUSR : 0) |
	       (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 ? S_IWUSR : 0);
}

static int open_device(const char *path, struct stat *status, mode_t *mode)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	int error = fd < 0 || fstat(fd, status) < 0 ? -errno : 0;
	*mode = error == 0 ? mode_for(fd) : 0;
	if (fd >= 0)
		close(fd);
	if (error == 0 && !S_ISCHR(status->st_mode) && !S_ISBLK(status->st_mode))
		error = -ENODEV;
	return error == 0 && *mode == 0 ? -EACCES : error;
}

/* The identity goes back at once; the securebits keep the capabilities. */
static int make_node(int directory, const char *name, const struct stat *status, mode_t mode,
		     uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	int error = mknodat(directory, name, (status->st_mode & S_IFMT) | mode, status->st_rdev) < 0
			    ? -errno
			    : 0;
	setfsuid(geteuid());
	setfsgid(getegid());
	return error;
}

/* Where it is mounted is seen by nobody: this process has a mount namespace of its own. */
static int make_device(const char *path, uid_t uid, gid_t gid)
{
	static const char name[] = "device";
	const struct mount_option options[] = { { "mode", "777" },
						{ "size", "4k" },
						{ NULL, NULL } };
	struct stat status;
	mode_t mode;
	int error = open_device(path, &status, &mode);
	if (error < 0)
		return error;
	int mount = mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (mount < 0)
		return mount;
	if (move_mount(mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		error = -errno;
	if (error == 0)
		error = make_node(mount, name, &status, mode, uid, gid);
	int node = error == 0 ? mount_clone(mount, name, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
			      : error;
	close(mount);
	return node;
}

static void serve_one(int socket, int namespace, uid_t uid, gid_t gid)
{
	char path[PATH_MAX + 1]; /* behind a byte for the kind */
	int descriptors[MESSAGE_DESCRIPTORS];
	ssize_t size = message_receive(socket, path, sizeof(path), descriptors, NULL, 0);
	if (size == -EINTR)
		return;
	if (size <= 0 || path[size - 1] != '\0')
		_exit(0);
	int mount = path[0] == 'd'  ? make_device(path + 1, uid, gid)
		    : namespace < 0 ? namespace
				    : make_clone(path + 1, namespace);
	int32_t error = mount < 0 ? mount : 0;
	if (message_send(socket, &error, sizeof(error), &mount, mount >= 0, 0) < 0)
		_exit(0);
	if (mount >= 0)
		close(mount);
}

int mapper_start(uid_t uid, gid_t gid, int *out)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid_t pid = make_process(0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		init_title("mimobox-mapper");
		int socket = dup3(ends[1], STDERR_FILENO + 1, O_CLOEXEC);
		if (unshare(CLONE_NEWNS) < 0 || mount_make_private() < 0 || socket < 0 ||
		    close_range(STDERR_FILENO + 2, ~0U, 0) < 0)
			_exit(1);
		int namespace = open_namespace(uid, gid);
		for (;;)
			serve_one(socket, namespace, uid, gid);
	}
	close(ends[1]);
	if (pid > 0) {
		*out = ends[0];
		return 0;
	}
	int error = -errno;
	close(ends[0]);
	return error;
}

int mapper_ask(int mapper, const char *path, bool device)
{
	char message[PATH_MAX + 1];
	int descriptors[MESSAGE_DESCRIPTORS];
	int32_t result;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	message[0] = device ? 'd' : 'o';
	strcpy(message + 1, path);
	int error = message_send(mapper, message, strlen(message) + 1, NULL, 0, 0);
	if (error < 0)
		return error;
	ssize_t size = message_receive(mapper, &result, sizeof(result), descriptors, NULL, 0);
	if (size != sizeof(result))
		return size < 0 ? (int)size : -ECHILD;
	if (result < 0)
		return result;
	return descriptors[0] < 0 ? -EMFILE : descriptors[0];
}
