/* SPDX-License-Identifier: MIT */
/*
 * Bytes on their way from one descriptor to another. Nothing is read while what was read before
 * waits to be taken, and nothing ever blocks: one way that is full does not hold up another.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "query.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* In one go. What is then put around it, see answering.h, has room as well. */
enum { CHANNEL_READ = 131072 };

struct channel {
	int from, to;
	/*
	 * The session's files are opened with O_NONBLOCK. The standard descriptors are shared with
	 * others, who would not like that: they are asked first, and get no more than is sure to
	 * fit.
	 */
	bool from_shared, to_shared;
	bool ended;    /* no more comes */
	bool skipped;  /* some was dropped before it was read: to be reset by who cares */
	bool deserted; /* nobody takes any more: what comes is thrown away */
	size_t size, done;
	char data[CHANNEL_READ + QUERY_HELD_MAX];
};

void channel_init(struct channel *channel, int from, int to);
/* All that has come has been taken. */
bool channel_finished(const struct channel *channel);
/* What to wait for: two entries, for `from` and `to`. */
void channel_watch(const struct channel *channel, struct pollfd fds[2]);
/* 0 where nothing can be read now, and at the end. -errno where reading fails. */
int channel_read(struct channel *channel);
/* As much as goes. -EPIPE where nobody takes it any more, or -errno: what there was is dropped. */
int channel_write(struct channel *channel);

#endif
