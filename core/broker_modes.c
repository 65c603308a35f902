/* SPDX-License-Identifier: MIT */
/*
 * A set-group-ID program in a workspace would give whoever runs it the group of the session's
 * owner; a directory gives nothing but its group to what is made in it. Init opens what is named,
 * as the caller sees it, and changes that: no name is looked up twice.
 */
#include "broker_modes.h"

#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* A page at a time: what follows the text need not be there. */
static int read_path(pid_t process, uint64_t from, char path[PATH_MAX])
{
	const size_t page = 4096;
	size_t length = 0;
	while (length < PATH_MAX) {
		size_t size = page - (from + length) % page;
		if (size > PATH_MAX - length)
			size = PATH_MAX - length;
		if (!caller_read(process, from + length, path + length, size))
			return -EFAULT;
		if (memchr(path + length, '\0', size))
			return 0;
		length += size;
	}
	return -ENAMETOOLONG;
}

/* What the C library makes of a descriptor; for init that would be one of its own. -1: it is not */
static int number_of(const char *path)
{
	static const char *const prefixes[] = { "/proc/self/fd/", "/dev/fd/" };
	for (size_t i = 0; i < 2; i++) {
		size_t length = strlen(prefixes[i]);
		const char *digits = path + length;
		if (strncmp(path, prefixes[i], length) == 0 && *digits &&
		    strspn(digits, "0123456789") == strlen(digits) && strlen(digits) < 9)
			return (int)text_number(digits);
	}
	return -1;
}

static int open_base(int listener, const struct seccomp_notif *call, int directory, pid_t *process)
{
	char path[48] = "/proc/";
	if (directory != AT_FDCWD)
		return caller_borrow(listener, call, directory, process);
	/* Of a descriptor that is surely not there only the process is wanted. */
	int fd = caller_borrow(listener, call, -1, process);
	if (fd != -EBADF)
		return fd < 0 ? fd : -EPERM;
	text_append(path, call->pid);
	strcat(path, "/cwd");
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_named(int listener, const struct seccomp_notif *call, int directory, uint64_t name,
		      uint64_t flags)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0),
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	char path[PATH_MAX];
	pid_t process;
	int base = open_base(listener, call, directory, &process);
	if (base < 0)
		return base == -EBADF ? base : -EPERM;
	int fd = read_path(process, name, path);
	if (fd == 0 && number_of(path) >= 0) {
		fd = caller_borrow(listener, call, number_of(path), &process);
	} else if (fd == 0) {
		fd = (int)syscall(SYS_openat2, base, path, &how, sizeof(how));
		fd = fd < 0 ? -errno : fd;
	}
	close(base);
	return fd;
}

static int set_mode(int fd, mode_t mode)
{
	char path[48] = "/proc/self/fd/";
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		mode &= ~(mode_t)S_ISGID;
	text_append(path, (unsigned)fd);
	return chmod(path, mode & 07777) < 0 ? -errno : 0;
}

int broker_set_mode(int listener, const struct seccomp_notif *call)
{
	const unsigned long long *args = (const unsigned long long *)call->data.args;
	pid_t process;
	mode_t mode = (mode_t)args[1];
	int fd;
	switch (call->data.nr) {
#ifdef SYS_chmod
	case SYS_chmod:
		fd = open_named(listener, call, AT_FDCWD, args[0], 0);
		break;
#endif
	case SYS_fchmod:
		fd = caller_borrow(listener, call, (int)args[0], &process);
		break;
	case SYS_fchmodat:
	case SYS_fchmodat2:
		mode = (mode_t)args[2];
		fd = open_named(listener, call, (int)args[0], args[1],
				call->data.nr == SYS_fchmodat2 ? args[3] : 0);
		break;
	default:
		return -ENOSYS;
	}
	int error = fd < 0 ? fd : set_mode(fd, mode);
	if (fd >= 0)
		close(fd);
	return error == -ESRCH ? -EPERM : error;
}
