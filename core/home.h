/* SPDX-License-Identifier: MIT */
/*
 * A session's home: a directory of the host's beside its workspace, which no other session sees.
 * It is made and removed with the workspace, whose name it shares the end of, so that the
 * workspace's path is all that is recorded of both.
 */
#ifndef HOME_H
#define HOME_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* Where it is in the sandbox; programs put their temporary files into a directory in it. */
#define HOME_INSIDE "/home/sandbox"
#define HOME_TEMPORARY HOME_INSIDE "/tmp"

/* Of a workspace's path, or of its name alone: those of its home. 0 or -ENAMETOOLONG. */
int home_path(const char *workspace, char home[static PATH_MAX]);

/*
 * 0 or -errno, and then there is none. -EEXIST: it is another workspace's. `project`: it is part of
 * that of the workspace (disk.h).
 */
int home_make(const char *workspace, uid_t uid, gid_t gid, bool project);
/* 0 or -errno. */
int home_give(const char *workspace, uid_t uid, gid_t gid);
/* 0, also where there is none; or -errno: it is in use still, or holds something. */
int home_remove(const char *workspace);

#endif
