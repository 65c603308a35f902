/* SPDX-License-Identifier: MIT */
/*
 * When a session's output came, and at which size of the terminal.
 *
 * Offsets are absolute ones of the output; times are monotonic nanoseconds since the start of the
 * session. Both never go back. Memory is bounded (TIMELINE_MAX marks of 24 bytes), and none is
 * used before the first output.
 */
#ifndef TIMELINE_H
#define TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMELINE_MAX = 32768 };
#define TIMELINE_CLOSE_NS UINT64_C(4000000) /* output this close together has one mark */

/* From its offset up to that of the next mark, output came at `time`, at this size. */
struct timeline_mark {
	uint64_t offset, time;
	uint16_t rows, cols;
};

struct timeline {
	struct timeline_mark *marks; /* sorted by offset and by time; no two times are the same */
	size_t first, count, room;   /* those in [first, first + count) count */
	uint16_t rows, cols;         /* in force before the first mark */
	unsigned rewrites;           /* how often marks have changed their places */
	bool sealed;                 /* what comes next gets a mark of its own */
};

/* Allocates nothing. */
void timeline_init(struct timeline *timeline, uint16_t rows, uint16_t cols);
void timeline_finish(struct timeline *timeline);

/*
 * Output from `offset` on came at `time`; only after that, or a resize, does a reader ask for it.
 * 0, or -ENOMEM: then it counts to what came before.
 */
int timeline_output(struct timeline *timeline, uint64_t offset, uint64_t time);

/*
 * What is printed from `offset` on is printed at another size. Several at one offset are one, the
 * last. 0, or -ENOMEM: nothing has changed.
 */
int timeline_resize(struct timeline *timeline, uint64_t offset, uint64_t time, uint16_t rows,
		    uint16_t cols);

/*
 * Somebody has used all that is known, so it must stay as it is: later output and resizes are not
 * merged into the newest mark.
 */
void timeline_seal(struct timeline *timeline);

/* Forgets what is below `offset`, but for the size and the time in force there. */
void timeline_trim(struct timeline *timeline, uint64_t offset);

/* The time of the byte at `offset`, or of the newest before it; 0 where there is none. */
uint64_t timeline_time(const struct timeline *timeline, uint64_t offset);

/* The size in force before what happens at `offset`. */
void timeline_size(const struct timeline *timeline, uint64_t offset, uint16_t *rows,
		   uint16_t *cols);

/*
 * The next mark that brings another size; *index is 0 at first, and then the caller's to give back
 * as it is, while nothing else is done to the timeline. False: there are no more.
 */
bool timeline_next_resize(const struct timeline *timeline, size_t *index,
			  struct timeline_mark *mark);

/* A walk. Remains valid, and goes on where it was, whatever is done to the timeline. */
struct timeline_walk {
	uint64_t offset; /* all below was given */
	uint64_t time;   /* of the last mark given */
	bool begun;
};

struct timeline_segment {
	uint64_t from, to; /* output of one time and size; may be empty where a resize is news */
	uint64_t time;
	uint16_t rows, cols;
};

/* Begins at `offset`: the size and the time in force there come with the first segment. */
void timeline_walk_init(struct timeline_walk *walk, uint64_t offset);

/* The next segment below `end`, which is where output ends now. False: there is none yet. */
bool timeline_walk_next(const struct timeline *timeline, struct timeline_walk *walk, uint64_t end,
			struct timeline_segment *segment);

/* Takes back [offset, segment->to) of the segment that came last: it will come again. */
void timeline_walk_back(struct timeline_walk *walk, uint64_t offset);

#endif
