/* SPDX-License-Identifier: MIT */
/*
 * Programs that ask their terminal get one answer. While a client has the session's answering to
 * itself, as one does that shows the output on a terminal that answers, the session says nothing;
 * otherwise it answers from its own screen. By the end of the query's bytes in the output it is
 * decided which of the two it is: below the offset from which the client answers, the session does.
 *
 * An answer is typed at the session like what clients type. A program that asks without end, and
 * does not read, gets no more of them than WAITING_BYTES (replies.c). No answer is given twice: a
 * server that is killed between the query and its answer takes it with it.
 */
#ifndef REPLIES_H
#define REPLIES_H

#include "loop.h"
#include "query.h"

struct mimobox_session;
struct replies_waiting;

enum { REPLIES_TYPED = 8 };

struct replies {
	struct query_scanner scanner, typed_scanner;
	/* Queries that were typed. A program that prints one has only passed it on. */
	struct query typed[REPLIES_TYPED];
	unsigned typed_count;
	bool attached;                   /* a client answers, */
	uint64_t from;                   /* from this offset on */
	struct replies_waiting *waiting; /* NULL: nothing was asked */
	struct loop_timer timer;         /* to go on */
};

void replies_init(struct mimobox_session *session);
void replies_finish(struct mimobox_session *session);
/* The newest bytes of the output; they are kept. */
void replies_scan(struct mimobox_session *session, const char *data, size_t size);
/* What clients have typed, before the program can have it. */
void replies_typed(struct mimobox_session *session, const char *data, size_t size);
/* More can be typed. */
void replies_go_on(struct mimobox_session *session);

#endif
