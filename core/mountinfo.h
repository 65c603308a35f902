/* SPDX-License-Identifier: MIT */
/*
 * The mounts that this process sees, one at a time, in bounded memory: any user can mount
 * something by a path of any length. All is async-signal-safe.
 */
#ifndef MOUNTINFO_H
#define MOUNTINFO_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* One mount. Its texts have no escapes, and are cut where they have no room. */
struct mountinfo {
	uint64_t id, parent; /* of mountinfo_ask(), they are others than of a line */
	uint64_t device;     /* as mountinfo_device() makes it */
	char root[1024];     /* what of the filesystem is mounted */
	char place[PATH_MAX];
	char type[64];      /* with the subtype: fuse.mimoboxfs */
	char options[1024]; /* the filesystem's */
	bool root_cut, place_cut, type_cut, options_cut;
};

static inline uint64_t mountinfo_device(unsigned major, unsigned minor)
{
	return (uint64_t)major << 32 | minor;
}

/* Not 0: an end of the pass, which returns it. */
typedef int (*mountinfo_visit_fn)(const struct mountinfo *mount, void *data);

/*
 * Asks the kernel for each mount by its number. Its memory does not grow with the paths of others.
 * A place that is cut is empty. -ENOSYS where the kernel cannot (before 6.13), perhaps after some
 * visits.
 */
int mountinfo_ask(mountinfo_visit_fn visit, void *data);

/*
 * Reads proc_pid_mountinfo(5) from `fd`. The kernel has each line in its own memory, which counts
 * for the cgroup of the reader.
 */
int mountinfo_read(int fd, mountinfo_visit_fn visit, void *data);
/* The same of this process. */
int mountinfo_read_own(mountinfo_visit_fn visit, void *data);

#endif
