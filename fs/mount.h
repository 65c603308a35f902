/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_H
#define MOUNT_H

#include <stdbool.h>
#include <stddef.h>

struct fuse_session;
struct options;
struct server;

struct mount {
	char *path; /* of the mount point, absolute and without symlinks */
	bool made;  /* the mount point is ours */
};

/*
 * Each returns 0, or the exit status (report.h) for what it has reported.
 */

/* Makes `server->fuse` of the mount options; mounts nothing. */
int mount_check_options(struct server *server, const struct options *options);
/* Looks at /dev/fuse and at the mount point, and clears a dead mount of ours away. */
int mount_check_machine(struct mount *mount, const char *mountpoint);
/* Makes the mount point where it is missing, and mounts. */
int mount_do(struct mount *mount, struct server *server, const struct options *options);

/* Whether /dev/fuse can be opened: 0, or a status, and why, with what to do. */
int mount_try_device(char *why, size_t size);
/*
 * Mounts on a directory of its own and unmounts it, for root in a mount namespace of its own. The
 * same result.
 */
int mount_try(char *why, size_t size);

/* Whether the topmost mount there is of our type, alive or dead. */
bool mount_is_there(const char *mountpoint);

/* After the kernel's connection was cut, not unmounted: libfuse leaves that mount where it is. */
void mount_detach_dead(const char *path);
/*
 * The same where it is known to be ours. Waits until nobody has the connection any more; what is
 * there and not of such a connection stays.
 */
void mount_detach_cut(const char *path);

void mount_finish(struct mount *mount);

#endif
