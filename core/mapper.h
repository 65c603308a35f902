/* SPDX-License-Identifier: MIT */
/*
 * Sessions of root run as an id of their own, which no file has. For them the lower layer of an
 * overlay is a mount in which root's files are that id's (MOUNT_ATTR_IDMAP, Linux 5.12), and a
 * device of root's is a node of their own on a small filesystem. It takes privileges that the
 * sandbox has not got, so the spawner forks a process that makes such mounts for the sandbox's
 * init, until that closes its end of the socket.
 */
#ifndef MAPPER_H
#define MAPPER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Forks it: 0, or -errno. *out is the end of the socket for init. The caller ignores SIGCHLD, and
 * is privileged.
 */
int mapper_start(uid_t uid, gid_t gid, int *out);

/*
 * In init: a read-only clone of the directory at `path`, looked up with root's rights, hanging
 * nowhere; or, of a device that root may open, a node of that id's; or -errno. Async-signal-safe.
 */
int mapper_ask(int mapper, const char *path, bool device);

#endif
