/* SPDX-License-Identifier: MIT */
/*
 * What a session's own screen answers a program that asks its terminal: what xterm answers, as far
 * as it is true of that screen. It is a VT220 with colours, 16 by 8 dots a character. It has the
 * colours that xterm begins with, light on dark, and does not follow a program that changes them.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include "modes.h"
#include "query.h"

enum { ANSWER_MAX = 512 };

struct answer_facts {
	int rows, cols;
	int row, col; /* of the cursor, from 1 */
	const struct modes *modes;
};

/* Of the facts, that needs those which the output decides. */
bool answer_needs_screen(const struct query *query);
/* Returns how many bytes; 0: there is no answer. */
size_t answer_print(const struct query *query, const struct answer_facts *facts,
		    char to[static ANSWER_MAX]);

#endif
