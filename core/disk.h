/* SPDX-License-Identifier: MIT */
/*
 * What a session keeps on disk, and a bound on it. Its workspace, its home and the changes of its
 * overlays are one project of the filesystem (a project quota, of ext4 and xfs): the number of the
 * project follows from the workspace's inode, and all that is made in these directories belongs to
 * it. Only a daemon of root's can set the bound.
 */
#ifndef DISK_H
#define DISK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether the filesystem of that directory bounds projects, and this process may set bounds. One
 * that is in a project itself has the bounds of its administrator, and stays in it.
 */
bool disk_has_projects(const char *directory);

/*
 * A new directory, which is the daemon's own yet, becomes part of the project of the workspace. If
 * that fails, disk_limit() refuses.
 */
void disk_join(const char *directory, const char *workspace);

/*
 * Sets the bound, and has the kernel say that it holds for each of these directories. UNITS_NONE:
 * takes back one that another session had, with a workspace of the same inode. 0 or -errno:
 * -EOPNOTSUPP where it does not hold. By the spawner.
 */
int disk_limit(const char *workspace, uint64_t size);

/* What the kernel says of it: the bound, and what there is still room for. 0 or -errno. */
int disk_read(const char *workspace, uint64_t *size, uint64_t *left);

#endif
