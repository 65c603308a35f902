/* SPDX-License-Identifier: MIT */
#ifndef FEED_H
#define FEED_H

#include "link.h"

#include <stdint.h>
#include <sys/types.h>

struct dir;
struct handle;
struct request;
struct server;

/* Those who have `events` open, and what waits there. */
struct feed {
	struct link listeners; /* handles */
	struct link parked;    /* requests */
	struct link watched;   /* handles that are polled */
};

void feed_init(struct feed *feed);

/* Tells of something that happened to a session: `what`, printf-style, behind time and name. */
void feed_tell(struct server *server, const struct dir *dir, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

/* Of the file. */
int feed_open(struct handle *handle);
ssize_t feed_read(struct request *request);
unsigned feed_poll(struct handle *handle);

#endif
