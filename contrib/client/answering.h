/* SPDX-License-Identifier: MIT */
/*
 * A program that asks its terminal is to get one answer. This client's terminal gives it, if the
 * session lets it: see the verb `answer` of mimobox(5). Otherwise the terminal gets all that is
 * printed but the questions, and at the next question the client asks the session again.
 */
#ifndef ANSWERING_H
#define ANSWERING_H

#include "session.h"

#include "query.h"

#include <stdbool.h>
#include <stdint.h>

struct answering {
	const struct session *session;
	bool able;         /* the terminal is of a kind that answers */
	int ctl;           /* open for as long as this client answers; else -1 */
	uint64_t from;     /* then: what ends behind that offset of `output` */
	uint64_t position; /* of the next byte that is printed */
	struct query_filter filter;
};

void answering_begin(struct answering *answering, const struct session *session, uint64_t position);
/* Somebody else may, until then. */
void answering_end(struct answering *answering);
void answering_begin_again(struct answering *answering);
/* Some output was dropped before it was read. */
void answering_skipped(struct answering *answering);
/*
 * What the terminal gets of the next `size` bytes of output: how many bytes there are in `to`,
 * which has room for QUERY_HELD_MAX more.
 */
size_t answering_filter(struct answering *answering, const char *data, size_t size, char *to);

#endif
