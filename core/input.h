/* SPDX-License-Identifier: MIT */
/*
 * What is typed at a session: a bounded queue in front of the terminal, which takes as much as it
 * has room for, and a mirror of the line that the terminal is putting together.
 *
 * The mirror is needed because a canonical terminal silently drops what comes after 4,095 bytes
 * without a newline, and because the end-of-file character has two meanings: at the start of a
 * line it ends the file, in the middle it only passes the line on (termios(3)).
 */
#ifndef INPUT_H
#define INPUT_H

#include "keep.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

enum { INPUT_MAX = 1 << 20, INPUT_LINE_MAX = 4095, INPUT_ENDS_MAX = 64 };

struct line {
	size_t length; /* bytes since the line began */
	bool literal;  /* the last byte was VLNEXT */
};

/*
 * Follows `line` through `size` bytes as a terminal of these modes would. Returns the longest
 * that the line became; 0 in raw mode.
 */
size_t line_follow(struct line *line, const struct termios *modes, const char *data, size_t size);

struct input {
	char *data; /* a ring of `room` bytes, of which `size` from `head` are queued */
	size_t room, head, size;
	uint64_t passed;   /* bytes that the terminal has taken, since the start */
	struct line typed; /* after the last byte queued */
	struct line taken; /* after the last byte that the terminal took */
	uint64_t *ends;    /* where in the stream end-of-file was asked for, in order */
	size_t end_count;
	unsigned end_left; /* end-of-file characters that the first of them still has to send */

	/* For a process that goes on in this one's place: see input_resume(). NULL: none does. */
	struct keep *keep;
	uint64_t keep_id;
	uint64_t steps;            /* how often something was passed */
	void (*kept)(void *owner); /* to commit what is here now */
	void *owner;
};

void input_finish(struct input *input);

/* What another was passing when it was killed: counts what the terminal has got of it. */
void input_resume(struct input *input, int master, bool terminal);

/*
 * Queues what there is room for, and says how much that is: -EAGAIN none, -EMSGSIZE a line would
 * be cut (then nothing is queued), -ENOMEM.
 */
ssize_t input_put(struct input *input, const struct termios *modes, const void *data, size_t size);
/* Asks for end-of-file after what is queued now. 0, -EAGAIN too many are queued, or -ENOMEM. */
int input_end(struct input *input);

/* Gives the terminal what it takes. 0 all, -EAGAIN it is full, or another errno of write(2). */
int input_pass(struct input *input, int master);
/* The same for a pipe, up to where its end was asked for; the caller then closes it. */
int input_pass_pipe(struct input *input, int fd);
static inline bool input_pending(const struct input *input)
{
	return input->size || input->end_count;
}

#endif
