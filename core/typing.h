/* SPDX-License-Identifier: MIT */
/* What is typed at a session, and the size of its terminal. */
#ifndef TYPING_H
#define TYPING_H

#include "input.h"

struct loop_source;
struct mimobox_session;
struct monitor_page;

/* The way in. */
struct typing {
	struct input input;
	bool closed;          /* no more can be typed: the terminal was hung up */
	bool waits;           /* somebody waits for an answer, or for room */
	bool crowd;           /* and somebody for that one */
	bool answers;         /* an answer of the session's own waits for init's */
	bool echoed;          /* even with echo on */
	size_t answer;        /* its bytes; */
	size_t answered;      /* and those of all, since the program had none to read, */
	uint64_t answers_end; /* up to there in what is typed */
	uint64_t left_key;    /* an answer that came with the end; 0: none */
	ssize_t left;
};

/* To the session's init. */
struct contact {
	struct monitor_page *page; /* NULL: there is none (any more) */
	struct loop_source *bell;
	uint64_t size_key;   /* of the request of a size that waits for init; 0: none */
	uint32_t size_heard; /* number of the last one that init has answered */
};

/* Tells those who wait of an answer, or of room. */
void typing_hear(struct mimobox_session *session);
void typing_hear_of_size(struct mimobox_session *session);
/* There is an answer whose client may come only after the end, or to another server. */
void typing_keep_answer(struct typing *typing);
/* After another server. */
void typing_resume(struct mimobox_session *session);
int typing_end(struct mimobox_session *session);
/*
 * Types what the session itself answers. Returns how many bytes are done with: those that a program
 * has no room for, since it does not read, are dropped as a whole. -EINPROGRESS: replies_go_on()
 * has it called again, with the same bytes at least. -EMSGSIZE: the terminal would echo it, and it
 * is not to be `echoed`.
 */
ssize_t typing_answer(struct mimobox_session *session, const char *data, size_t size, bool echoed);
/* Has init resize the terminal, or collects its answer: 0, -errno, or -EINPROGRESS. */
int typing_resize(struct mimobox_session *session, uint64_t key, uint16_t rows, uint16_t cols);
/* Instead of waiting longer. */
void typing_resize_not(struct mimobox_session *session, uint64_t key);

#endif
