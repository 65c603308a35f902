/* SPDX-License-Identifier: MIT */
#include "labels.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

/* A session has 4 KiB of them; the zero bytes behind the names are no part of that. */
enum { NAMES_MAX = 8192, VALUE_MAX = 4096 };

int labels_each(const struct session *session, label_fn fn, void *data)
{
	static const char prefix[] = "user.";
	char names[NAMES_MAX], value[VALUE_MAX + 1];
	ssize_t all = listxattr(session->path, names, sizeof(names));
	int error = all < 0 ? -errno : 0;
	for (ssize_t at = 0; error == 0 && at < all; at += (ssize_t)strlen(names + at) + 1) {
		const char *name = names + at;
		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		ssize_t size = getxattr(session->path, name, value, VALUE_MAX);
		if (size < 0) /* it was removed meanwhile */
			continue;
		value[size] = '\0';
		error = fn(data, name + strlen(prefix), value, (size_t)size);
	}
	return error;
}
