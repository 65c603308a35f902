/* SPDX-License-Identifier: MIT */
/*
 * The calls that glibc 2.34 and 2.35 have no function for. The kernel's headers are those of Linux
 * 5.15 or later.
 */
#ifndef OLDER_H
#define OLDER_H

#include <sys/mount.h>
#include <unistd.h>

#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 36)

#include <linux/mount.h>
#include <signal.h>
#include <sys/syscall.h>

#define P_PIDFD 3
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static inline int open_tree(int directory, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, directory, path, flags);
}

static inline int move_mount(int from, const char *path, int to, const char *to_path,
			     unsigned flags)
{
	return (int)syscall(SYS_move_mount, from, path, to, to_path, flags);
}

static inline int mount_setattr(int directory, const char *path, unsigned flags,
				struct mount_attr *attributes, size_t size)
{
	return (int)syscall(SYS_mount_setattr, directory, path, flags, attributes, size);
}

static inline int fsopen(const char *type, unsigned flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}

static inline int fsconfig(int fs, unsigned command, const char *key, const void *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fs, command, key, value, aux);
}

static inline int fsmount(int fs, unsigned flags, unsigned attributes)
{
	return (int)syscall(SYS_fsmount, fs, flags, attributes);
}

static inline int pidfd_open(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static inline int pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned flags)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, info, flags);
}

#else
#include <sys/pidfd.h>
#endif

#endif
