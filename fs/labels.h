/* SPDX-License-Identifier: MIT */
/*
 * The labels of a session: extended attributes of its directory, whose names begin with `user.`.
 * They are one piece of memory, as they are kept: of each its size, its name with a zero byte, its
 * value.
 */
#ifndef LABELS_H
#define LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The most that names and values of a session are together. */
enum { LABELS_MAX = 4096 };

/* {0} is none. */
struct labels {
	char *data;
	size_t size;
};

/* Whether an attribute of that name is one. */
bool label_is(const char *name);

/*
 * As setxattr(2), with its flags: 0 or -errno, and nothing has changed. EEXIST, ENODATA, ENOSPC,
 * ENOMEM.
 */
int labels_set(struct labels *labels, const char *name, const void *value, size_t size, int flags);
/* As removexattr(2): 0 or -ENODATA. */
int labels_remove(struct labels *labels, const char *name);
/* The size of the value, borrowed, or -ENODATA. */
ssize_t labels_get(const struct labels *labels, const char *name, const void **value);
/* As listxattr(2): the size of all names; they are put to `names` where it is not NULL. */
size_t labels_list(const struct labels *labels, char *names);
/* Takes over what another has kept: 0, -ENOMEM, or -EPROTO where it is none of ours. */
int labels_restore(struct labels *labels, const void *data, size_t size);
void labels_finish(struct labels *labels);

#endif
