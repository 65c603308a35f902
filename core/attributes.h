/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes of files, as far as they are carried from an overlay to the host: those of
 * users, and access lists. Those that overlayfs notes for itself are none, and its escapes for a
 * program's own of that name are undone.
 */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>

struct attribute {
	char *name; /* owned, as is the next */
	void *value;
	size_t size;
};

struct attributes {
	struct attribute *list; /* by name */
	size_t count;
};

/* `upper`: overlayfs has written it. 0 or -errno; attributes_finish() in either case. */
int attributes_read(struct attributes *attributes, int fd, bool upper);
bool attributes_same(const struct attributes *a, const struct attributes *b);
/* Gives the file these and no others. 0 or -errno. */
int attributes_write(const struct attributes *attributes, int fd);
void attributes_finish(struct attributes *attributes);

/* Whether overlayfs has noted that of the directory: `opaque`, `impure`. */
bool attributes_overlay_has(int fd, const char *note);

#endif
