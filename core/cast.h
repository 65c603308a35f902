/* SPDX-License-Identifier: MIT */
/*
 * A session as an asciicast v2 recording, made while it is read.
 *
 * A cast is one reader's place in that text. It grows with the output, and what was read of it
 * doesn't change: two readers get the same bytes at the same offset, for as long as the timeline
 * wasn't thinned out and no output was dropped between their openings. Memory: none but the struct,
 * which is plain data. A piece of the text that a read ends in is made once more for the next read.
 */
#ifndef CAST_H
#define CAST_H

#include "modes.h"
#include "spool.h"
#include "timeline.h"
#include "utf8.h"

#include <time.h>

struct cast_info {
	const struct spool *spool;
	struct timeline *timeline; /* is sealed by reading to its end */
	struct timespec started;   /* CLOCK_REALTIME at time 0 of the timeline */
	const char *shell, *term;  /* for the header; NULL: not in it */
	const struct modes *modes; /* of the terminal at the oldest byte kept; NULL: a new one */
};

/* A piece of the text, and what it was made of. */
struct cast_piece {
	enum cast_kind { CAST_HEADER, CAST_RESIZE, CAST_OUTPUT, CAST_END } kind;
	struct timeline_segment segment;
	struct utf8 decoder;
	uint64_t start; /* of the spool */
};

struct cast {
	struct cast_info info;
	struct timeline_walk walk;
	struct timeline_segment segment; /* `from` is the next byte to be read from the spool */
	uint64_t epoch;                  /* timeline's time that is 0 in the recording */
	uint16_t rows, cols;             /* that a player has by now */
	struct utf8 decoder;
	bool begun, finished;

	struct cast_piece piece; /* the last one */
	char *text;              /* of that piece; NULL but in a read */
	size_t text_size, text_read;
	uint64_t position; /* in the recording, of the next byte to be read */
};

/* The info's pointers must remain valid as long as it is read. Allocates nothing. */
void cast_init(struct cast *cast, const struct cast_info *info);

/*
 * Reads at `offset` of the recording. Sequential reads cost what they read; one further on makes
 * what is in between, one further back begins anew. `ended`: the spool will not grow any more.
 * Returns the count, which is short only at the present end; 0 there; -EINPROGRESS where the way
 * to `offset` is long and part of it was gone (call again; other things may be done between);
 * -ENOMEM; -ESTALE, once, where output was dropped of which the last read had got but a part; or
 * the error of reading the spool.
 */
ssize_t cast_read(struct cast *cast, void *data, size_t size, uint64_t offset, bool ended);

#endif
