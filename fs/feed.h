/* SPDX-License-Identifier: MIT */
#ifndef FEED_H
#define FEED_H

#include "link.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct dir;
struct handle;
struct request;
struct server;
struct user;

enum { RING_MAX = 256 * 1024 };

/* The newest lines that a user may see, and what waits for the next. */
struct ring {
	unsigned listeners; /* the user's open `events`; without any, there are no lines */
	char *data;
	size_t size, room;
	uint64_t base;                    /* the offset of `data` since the first listener */
	uint64_t first_piece, last_piece; /* that are kept, see kept.c */
	struct link parked;               /* requests */
	struct link watched;              /* handles that are polled */
};

void ring_init(struct ring *ring);

/* Tells of something that happened to a session: `what`, printf-style, behind time and name. */
void feed_tell(struct server *server, const struct dir *dir, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

/* Of the file. */
int feed_open(struct handle *handle);
void feed_close(struct handle *handle);
ssize_t feed_read(struct request *request);
unsigned feed_poll(struct handle *handle);

#endif
