/* SPDX-License-Identifier: MIT */
/*
 * The process that unmounts at the end, which the server may not do: a copy of it from before
 * anything was mounted, that knows the mount point and is told no more than one number. Root's has
 * the right to, and nothing else; a user's runs fusermount3. When the server is killed, and no
 * other takes its place, it takes the dead mount away, and goes.
 */
#ifndef UNMOUNTER_H
#define UNMOUNTER_H

#include <sys/types.h>

struct fuse_session;

struct unmounter {
	pid_t pid;  /* 0: none */
	int socket; /* -1: none */
};

/* `path`, the mount point, is borrowed. Waits until it is ready, five seconds at most. 0 or -errno.
 */
int unmounter_begin(struct unmounter *unmounter, const char *path);

/*
 * Unmounts, unless that has been done, and leaves to libfuse what is of its own; waits for it, five
 * seconds at most.
 * `fuse` may be one that is not mounted.
 */
void unmounter_unmount(struct unmounter *unmounter, struct fuse_session *fuse);
/* Detaches the mount if it is ours and dead: its connection was cut. Waits, likewise. */
void unmounter_detach_dead(struct unmounter *unmounter);

/* Ends it; idempotent. */
void unmounter_end(struct unmounter *unmounter);

#endif
