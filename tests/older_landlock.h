/* SPDX-License-Identifier: MIT */
/* A kernel with an older Landlock, played to whoever calls it by syscall(2) in this process. */
#ifndef OLDER_LANDLOCK_H
#define OLDER_LANDLOCK_H

/* Its version; 0: the running kernel's, below 0: -errno of one that has none. */
extern int older_landlock;

#endif
