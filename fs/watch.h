/* SPDX-License-Identifier: MIT */
/*
 * Whether the mount is still in the daemon's mount namespace. Another namespace may hold it for
 * long after umount(8), and then the kernel says nothing to the server.
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_source;

struct watch {
	const char *path; /* borrowed */
	uint64_t id;      /* of the mount; 0: not known, and not watched */
	uint64_t device;  /* of the filesystem: ids are used again */
	int table;        /* /proc/self/mountinfo; -1 */
	void (*gone)(void *data);
	void *data;
	struct loop_source *source;
};

void watch_init(struct watch *watch);
/* Learns which mount it is, just after it was made. */
void watch_learn(struct watch *watch, const char *path);
/* Calls gone() once when the mount has gone, from the loop; now, where it has gone already. */
void watch_begin(struct watch *watch, struct loop *loop, void (*gone)(void *data), void *data);
void watch_finish(struct watch *watch);

#endif
