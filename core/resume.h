/* SPDX-License-Identifier: MIT */
/*
 * How readers, questions and recordings are handed on to another process, for the filesystem: the
 * state is plain data, to be kept as bytes.
 */
#ifndef RESUME_H
#define RESUME_H

#include "mimobox.h"

struct reader_state {
	uint64_t position, counted; /* as in output.h */
	uint64_t before_position, before_counted;
};
void mimobox_reader_state(const struct mimobox_reader *reader, struct reader_state *out);
void mimobox_reader_restore(struct mimobox_reader *reader, const struct reader_state *state);
/* The read at `offset` is asked once more, for want of an answer. */
void mimobox_reader_again(struct mimobox_reader *reader, uint64_t offset);

struct wait_state {
	uint64_t asked, from; /* when, and from which offset on */
	uint64_t answer;
	char reason[16]; /* "": it has no answer yet */
};
void mimobox_wait_state(const struct mimobox_wait *wait, struct wait_state *out);
/* As mimobox_wait_open(), but as it was asked then. */
int mimobox_wait_restore(struct mimobox_session *session, const char *text,
			 const struct wait_state *state, struct mimobox_wait **out);

/* The size, and the bytes where `to` has room for that many; they are this program's alone. */
size_t mimobox_cast_state(const struct mimobox_cast *cast, void *to);
void mimobox_cast_restore(struct mimobox_cast *cast, const void *state, size_t size);

#endif
