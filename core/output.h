/* SPDX-License-Identifier: MIT */
/*
 * A session's output: the spool, how much of it is kept, and who is reading it.
 *
 * `overflow wait` never drops a byte that an open reader has still to read: output_room() says 0
 * instead, and the session stops reading its terminal until a reader moves or closes.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "config.h"
#include "modes.h"
#include "spool.h"

struct mimobox_session;

struct mimobox_reader {
	struct mimobox_session *session; /* a reference */
	struct output *output;
	size_t place;      /* in the output's heap */
	uint64_t position; /* the absolute offset of the byte it gets next; see output_move() */
	uint64_t before_position, before_counted; /* before its last read */
	uint64_t counted; /* the offset that it, going on, will ask at: lower after a skip */
};

struct output {
	struct spool spool;
	struct modes modes; /* set by what is no longer kept */
	uint64_t retain;
	enum overflow overflow;
	bool ended; /* no more will come */
	/* A heap: none is behind the first, and none behind that at half its place. */
	struct mimobox_reader **readers;
	unsigned reader_count, reader_room;
};

/* Made by its owner: zeroed, with spool.fd -1 until spool_open(). */
void output_close(struct output *output);

/* How many bytes may be appended now; SIZE_MAX where there is no bound. */
size_t output_room(struct output *output);
/* As spool_commit(); forgets the oldest bytes past `retain`. */
void output_commit(struct output *output, size_t size);

/* 0 or -ENOMEM. */
int output_attach(struct output *output, struct mimobox_reader *reader);
void output_detach(struct output *output, struct mimobox_reader *reader);
/* Its position; it costs no walk over the others. */
void output_move(struct mimobox_reader *reader, uint64_t position);
/* As mimobox_reader_view() and mimobox_reader_read(). */
ssize_t output_view(struct output *output, struct mimobox_reader *reader, void *buffer, size_t size,
		    uint64_t offset, const void **data);
ssize_t output_read(struct output *output, struct mimobox_reader *reader, void *data, size_t size,
		    uint64_t offset);

#endif
