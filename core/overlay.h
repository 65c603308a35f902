/* SPDX-License-Identifier: MIT */
/*
 * The kernel's overlayfs over a path of the host's: what a session changes there lies in a
 * directory of its own, beside its workspace, and the path stays as it is.
 *
 * Changes are in CHANGES/N, where N counts the overlays in the order of the config: `upper` and
 * `work` are overlayfs's, and `host` says which directory it was, and since when.
 */
#ifndef OVERLAY_H
#define OVERLAY_H

#include <stdint.h>
#include <time.h>

struct sandbox_path;

/* Of a workspace's name, for the directory of changes beside it. No workspace ends so. */
#define OVERLAY_SUFFIX ".changes"

enum { OVERLAYS_MAX = 16 };

/* What `host` holds. */
struct overlay_host {
	uint64_t device, inode;
	uint32_t mode;         /* that the overlay's own directory began with */
	uint32_t same;         /* it began with all attributes of the host's */
	struct timespec since; /* what has a later change time has been changed meanwhile */
};

/*
 * Mounts the overlay at the place where its lower layer is mounted already, below `root`. `changes`
 * is the directory of all changes. For PID 1 of new user and mount namespaces, with all
 * capabilities there, and its final identity; async-signal-safe. 0 or -errno.
 */
int overlay_attach(int root, int changes, const struct sandbox_path *path);

/*
 * Waits for the next tick of the clock that the kernel takes change times from, so that what is
 * changed on the host from now on has a later one than `since`.
 */
int overlay_settle(void);

#endif
