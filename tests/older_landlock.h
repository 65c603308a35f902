/* SPDX-License-Identifier: MIT */
/* Plays a kernel with an older Landlock to code in this process that calls it by syscall(2). */
#ifndef OLDER_LANDLOCK_H
#define OLDER_LANDLOCK_H

/* Its version; 0: the running kernel's, below 0: -errno of one that has none. */
extern int older_landlock;

#endif
