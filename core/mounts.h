/* SPDX-License-Identifier: MIT */
/*
 * Steps that a private root is built from. Each returns 0 or a descriptor, or -errno; all are
 * async-signal-safe, and none follows a symbolic link below the root.
 */
#ifndef MOUNTS_H
#define MOUNTS_H

#include "older.h"

#include <stdint.h>
#include <sys/types.h>

enum { MOUNT_LOCKED_DOWN = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };

struct mount_option {
	const char *key, *value; /* NULL ends a list */
};

/* No mount that is made from now on is seen outside, nor the other way round. */
int mount_make_private(void);

/* `flags` as for open(2). */
int mount_open_below(int root, const char *path, uint64_t flags);

/* A new filesystem, hanging nowhere yet. */
int mount_new(const char *type, const struct mount_option *options, uint64_t attributes);
/* A clone of what is at `path` and below, with `attributes` set on all of it, hanging nowhere. */
int mount_clone(int directory, const char *path, uint64_t attributes);
/* Undoes nosymfollow, mount(8), on a clone. */
int mount_follow_links(int mount);
/* Puts it at `path` below `root`; closes `mount` in any case. */
int mount_attach(int root, int mount, const char *path);

/* Things to mount on. */
int mount_make_directory(int root, const char *path, mode_t mode);
int mount_make_file(int root, const char *path, const char *text);

#endif
