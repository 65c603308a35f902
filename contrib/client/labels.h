/* SPDX-License-Identifier: MIT */
/* The labels of a session: extended attributes `user.*` of its directory. */
#ifndef LABELS_H
#define LABELS_H

#include "session.h"

#include <stddef.h>

/* Of each its name without `user.`, and the bytes of its value. 0, or -errno. */
typedef int (*label_fn)(void *data, const char *name, const char *value, size_t size);
int labels_each(const struct session *session, label_fn fn, void *data);

#endif
