/* SPDX-License-Identifier: MIT */
#ifndef LINES_H
#define LINES_H

#include <stddef.h>
#include <sys/types.h>

struct handle;
struct request;

/*
 * A worker's body for one value or verb a line: gives `apply` each line of the write, without its
 * newline, in order. `apply` returns 0, -errno, or what request_wait() returns: it is then called
 * again with the same line after the event. Returns as a worker does: where a line is refused,
 * the bytes of those before it, or if it is the first, its errno.
 */
ssize_t lines_each(struct request *request,
		   int (*apply)(struct request *request, const char *line, size_t size));

/* Takes text of whole lines; returns as mimobox_session_configure() does. */
typedef ssize_t (*lines_take_fn)(struct handle *handle, const char *text, size_t size);

/*
 * For text whose lines may come in pieces. A write that may be one piece of several keeps its
 * last, unfinished line in the handle, in front of the next write. Returns bytes taken, what was
 * kept included, or -errno: EMSGSIZE for a line without an end in 1 MiB.
 */
ssize_t lines_carry(struct handle *handle, lines_take_fn take, const char *data, size_t size);
/* Takes what is kept: there is no more to come. 0 or -errno. */
int lines_flush(struct handle *handle, lines_take_fn take);

#endif
