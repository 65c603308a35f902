/* SPDX-License-Identifier: MIT */
/* What a session prints, by one stream or, without a terminal, by two. */
#ifndef STREAM_H
#define STREAM_H

#include "loop.h"
#include "output.h"
#include "ring.h"

struct mimobox_session;

enum { STREAMS = 2 }; /* by enum mimobox_stream */

/* One way out. */
struct stream {
	struct mimobox_session *session;
	struct output output;
	struct ring_view ring;
	bool open;   /* more may come */
	bool paused; /* nothing is taken, because there is no room */
	bool disk_full;
	bool flood;       /* it prints more than anybody reads: it can wait for a turn */
	size_t untold;    /* bytes that nobody was told of yet */
	uint64_t flooded; /* ns: when it did last; 0: not, lately */
	uint64_t moment;  /* ns: the beginning of the latest, and the bytes printed in it */
	size_t printed;
	struct loop_timer tell, flush;
};

void streams_init(struct mimobox_session *session);
/* Takes over the page of what was started. */
void streams_open(struct mimobox_session *session);
/* Init has rung. */
void streams_look(struct mimobox_session *session);
/* The command has ended: true, and its status is as that of waitpid(2). */
bool streams_exit_status(const struct mimobox_session *session, int *status);
/* The same for what another server has started; `open` by stream. */
void streams_resume(struct mimobox_session *session, const bool *open);
/* Takes what is left when the command has ended. */
void streams_drain(struct mimobox_session *session);
bool streams_open_still(const struct mimobox_session *session);
void streams_close(struct mimobox_session *session);
/* No more will come: readers get the end. */
void streams_end(struct mimobox_session *session);
void streams_finish(struct mimobox_session *session);
/* Init was told to give up the terminal, or the pipes. */
void streams_hang_up(struct mimobox_session *session);

/* Somebody has read of it: there may be room. */
void stream_reader_moved(struct output *output);
/* Memory that was used is given back when it is quiet. */
void stream_tidy_later(struct stream *stream);

#endif
