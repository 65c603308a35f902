/* SPDX-License-Identifier: MIT */
/*
 * The bytes that go in and out of a session: what it prints, by one stream or, without a
 * terminal, by two, and what is typed at it.
 */
#ifndef STREAM_H
#define STREAM_H

#include "input.h"
#include "loop.h"
#include "output.h"

struct mimobox_session;

enum { STREAMS = 2 }; /* by enum mimobox_stream */

/* One way out. */
struct stream {
	struct mimobox_session *session;
	struct output output;
	int fd; /* the master, or a pipe; -1: there is none (any more) */
	struct loop_source *source;
	bool paused; /* it isn't read, for want of room */
	bool disk_full;
	bool flood;       /* it prints more than anybody reads: it can wait for a turn */
	size_t untold;    /* bytes that nobody was told of yet */
	uint64_t flooded; /* ns: when it did last; 0: not, lately */
	uint64_t moment;  /* ns: the beginning of the latest, and the bytes printed in it */
	size_t printed;
	struct loop_timer tell, flush;
};

/* The way in. */
struct typing {
	struct input input;
	int fd;          /* with a terminal the same as its stream's */
	size_t answered; /* bytes that the session itself has typed since the queue was empty */
	int watched;     /* a duplicate of it, while the queue waits for room; else -1 */
	struct loop_source *source;
};

void streams_init(struct mimobox_session *session);
/* Takes over the ends of what was started, and watches them. */
void streams_open(struct mimobox_session *session, const int ends[3]);
/* The same for what another has started and left; with what was on its way. */
void streams_resume(struct mimobox_session *session, const int ends[3]);
/* Reads what is left when no process is left. */
void streams_drain(struct mimobox_session *session);
bool streams_open_still(const struct mimobox_session *session);
void streams_close(struct mimobox_session *session);
/* No more will come: readers get the end. */
void streams_end(struct mimobox_session *session);
void streams_finish(struct mimobox_session *session);
/* The program's terminal, or its pipes, are taken away. */
void streams_hang_up(struct mimobox_session *session);
int streams_end_input(struct mimobox_session *session);
/*
 * Types what the session answers. Returns how many bytes are done with: those that a program has no
 * room for, since it does not read, are dropped as a whole.
 */
ssize_t typing_answer(struct mimobox_session *session, const char *data, size_t size);

#endif
