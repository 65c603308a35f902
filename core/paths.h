/* SPDX-License-Identifier: MIT */
/* Paths of the host's that a session asked to have in its sandbox. */
#ifndef PATHS_H
#define PATHS_H

#include <stdbool.h>
#include <sys/types.h>

/* What may be done there. Each includes those before it. */
enum path_kind {
	PATH_RO,
	PATH_OVERLAY, /* change a copy of it */
	PATH_RW,
	PATH_DEVICE, /* a device, to open */
	PATH_ROOT,   /* a directory with the system's directories in it */
};

/* Whether one who may have the one kind may have the other. */
static inline bool path_kind_covers(enum path_kind bound, enum path_kind asked)
{
	if (asked == PATH_DEVICE || bound == PATH_DEVICE)
		return bound == asked;
	return asked == PATH_ROOT || (bound != PATH_ROOT && bound >= asked);
}

/* A directory that paths up to that kind may be in. */
struct path_bound {
	char *path;
	enum path_kind kind;
};

struct sandbox_path {
	const char *outside, *inside; /* absolute; borrowed */
	enum path_kind kind;
	unsigned number; /* of an overlay, in the order of the config */
	/* Where it must lead, up to one whose path is NULL; borrowed; NULL: anywhere. */
	const struct path_bound *bounds;
	int mount; /* from paths_open(): a clone of what is at `outside`, hanging nowhere; of
		    * PATH_ROOT, itself */
};

/*
 * Looks the paths up, with the rights of the calling process, and clones what is there, each
 * session filesystem below it that `uid` may enter covered; the first `trusted` are known to have
 * none. -EPERM where the path is in one itself, or leads out of its bounds. For PID 1 of new user
 * and mount namespaces, with all capabilities there; async-signal-safe. With a `mapper` (mapper.h;
 * -1: none) root's files are the sandbox's own in overlays. 0, or -errno and *what.
 */
int paths_open(struct sandbox_path *paths, unsigned count, unsigned trusted, uid_t uid, int mapper,
	       const char **what);

/*
 * Puts them where they are to be seen below `root`; likewise. `changes` is the directory for what
 * is changed in overlays; -1: there are none.
 */
int paths_attach(int root, const struct sandbox_path *paths, unsigned count, int changes,
		 const char **what);

/* A directory of the host's, with the rights of the calling process: O_PATH, or -errno. */
int paths_open_directory(const char *path);

/* A last look, from inside: -EPERM where `uid` could come to a session filesystem. */
int paths_check(uid_t uid);

#endif
