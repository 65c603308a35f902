/* SPDX-License-Identifier: MIT */
/*
 * What a session has changed in its overlays: the difference between their upper layers and the
 * host, found by a walk of the upper layers, so that it costs by what was changed. It runs in a
 * process of its own, with the rights of the session's owner (changer.h).
 */
#ifndef CHANGES_H
#define CHANGES_H

#include "overlay.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { CHANGES_CHAINS = 1024 };

/* What apply has to do on the host about a change. */
enum change_work {
	WORK_NONE,       /* nothing by itself: it comes with a directory */
	WORK_PUT,        /* a file that is no directory is made, or takes a place */
	WORK_TREE,       /* a directory, with all that is below it */
	WORK_ATTRIBUTES, /* of a directory that is there */
	WORK_REMOVE,
};

struct change {
	char kind; /* A, M, D, T */
	enum change_work work;
	unsigned overlay;
	char *path;         /* below the overlay; "" is the overlay itself */
	uint64_t old_inode; /* on the host; 0: there is nothing */
	mode_t old_mode;
};

/* A directory of the host's whose time of change is to be what it is in the upper layer. */
struct change_time {
	unsigned overlay;
	char *path;
	struct timespec before, after;
};

/* A file of the upper layer with several names, and the place on the host that has it already. */
struct change_link {
	unsigned overlay;
	uint64_t inode;
	char *path;
	size_t next; /* in its chain, from 1 */
};

struct overlay_layers {
	const char *inside; /* borrowed */
	int upper, host;    /* directories; the caller's */
	struct overlay_host noted;
	const char *filter; /* below the overlay: only what is there; "": all; NULL: nothing */
};

struct changes {
	struct overlay_layers layers[OVERLAYS_MAX];
	unsigned count;
	struct change *list;
	size_t size;
	struct change_time *times;
	size_t time_count;
	struct change_link *links;
	size_t link_count;
	size_t chains[CHANGES_CHAINS]; /* of links, by inode, from 1 */
	/* Paths that discard has dropped, and what apply has done itself (changer.h). */
	bool (*is_dropped)(const struct changes *changes, unsigned overlay, const char *path);
	bool (*is_dropped_below)(const struct changes *changes, unsigned overlay, const char *path);
	bool (*is_own)(const struct changes *changes, unsigned overlay, const char *path,
		       const struct timespec *changed);
	void (*conflict)(const struct changes *changes, unsigned overlay, const char *path);
	size_t conflicts;
	bool live; /* the session is at work: what goes meanwhile is left out */
	void *data;
};

/* Fills in the lists, and tells of conflicts. 0 or -errno, with *overlay and *path the place of it.
 */
int changes_find(struct changes *changes, unsigned *overlay, char **path);
/* A line for each change, sorted by path. */
void changes_print(struct changes *changes, FILE *to);
/* A path inside, escaped so that it is one word of one line. */
void changes_print_path(const struct changes *changes, unsigned overlay, const char *path,
			FILE *to);
void changes_finish(struct changes *changes);

int changes_add_link(struct changes *changes, unsigned overlay, uint64_t inode, const char *path);
/* NULL: nowhere yet. */
const char *changes_find_link(const struct changes *changes, unsigned overlay, uint64_t inode);

/* How a path lies to the filter. */
enum change_relation { RELATION_OUT, RELATION_ABOVE, RELATION_IN };
enum change_relation changes_relation(const struct changes *changes, unsigned overlay,
				      const char *path);

/* Opens a directory below another, by no link, and not on another mount. `flags` as for open(2). */
int changes_open_below(int directory, const char *path, int flags);

bool changes_is_whiteout(mode_t mode, dev_t device);

#endif
