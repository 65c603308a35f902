/* SPDX-License-Identifier: MIT */
/* Paths of the host's that a session asked to have in its sandbox. */
#ifndef PATHS_H
#define PATHS_H

#include <stdbool.h>
#include <sys/types.h>

/* A directory that paths may be in; to be changed, where it is writable. */
struct path_bound {
	char *path;
	bool writable;
};

struct sandbox_path {
	const char *outside, *inside; /* absolute; borrowed */
	bool writable;
	/* Where it must lead, up to one whose path is NULL; borrowed; NULL: anywhere. */
	const struct path_bound *bounds;
	int mount; /* a clone of what is at `outside`, hanging nowhere; from paths_open() */
};

/*
 * Looks the paths up, with the rights of the calling process, and clones what is there, each
 * session filesystem below it that `uid` may enter covered; the first `trusted` are known to have
 * none. -EPERM where the path is in one itself, or leads out of its bounds. For PID 1 of new user
 * and mount namespaces, with all capabilities there; async-signal-safe. 0, or -errno and *what.
 */
int paths_open(struct sandbox_path *paths, unsigned count, unsigned trusted, uid_t uid,
	       const char **what);

/* Puts them where they are to be seen below `root`; likewise. */
int paths_attach(int root, const struct sandbox_path *paths, unsigned count, const char **what);

/* A last look, from inside: -EPERM where `uid` could come to a session filesystem. */
int paths_check(uid_t uid);

#endif
