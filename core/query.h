/* SPDX-License-Identifier: MIT */
/*
 * Found in what a program prints: the sequences by which it asks its terminal for something, and
 * waits for the answer in its input (ECMA-48, DEC, xterm and what others have added).
 *
 * Any bytes may be fed, in any pieces. Memory is what is in the struct; zeroed, it is between two
 * sequences. Text is passed over as fast as memchr() finds the next ESC. C1 controls of one byte
 * would be in the midst of UTF-8, and are none.
 */
#ifndef QUERY_H
#define QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUERY_TEXT_MAX = 128, QUERY_HELD_MAX = QUERY_TEXT_MAX + 2, QUERY_NUMBERS = 8 };

enum query_kind {
	QUERY_NONE,
	QUERY_OTHER,        /* some terminal answers it; a session does not */
	QUERY_STATUS,       /* DSR 5 */
	QUERY_CURSOR,       /* CPR */
	QUERY_CURSOR_PAGE,  /* DECXCPR */
	QUERY_DEVICE,       /* DA1; not DECID, whose two bytes are often among any */
	QUERY_DEVICE_2,     /* DA2 */
	QUERY_DEVICE_3,     /* DA3 */
	QUERY_VERSION,      /* XTVERSION */
	QUERY_MODE,         /* DECRQM; the number of the mode */
	QUERY_PRIVATE_MODE, /* the same with a question mark */
	QUERY_SETTING,      /* DECRQSS; the characters of the setting, up to two */
	QUERY_CAPABILITY,   /* XTGETTCAP */
	QUERY_SIZE,         /* XTWINOPS; 14, 16, 18 or 19 */
	QUERY_PALETTE,      /* OSC 4; the indexes of the colours */
	QUERY_COLOUR,       /* OSC 10, 11, 12: these numbers */
};

struct query {
	enum query_kind kind;
	bool bell;      /* it ended with BEL, and so should the answer */
	unsigned count; /* of numbers; further ones are left out */
	uint16_t numbers[QUERY_NUMBERS];
};

struct query_scanner {
	uint8_t state; /* of query.c */
	bool escape;   /* in a string: an ESC has come, which may be the beginning of its end */
	bool cut;      /* a query that is longer than `text` */
	uint8_t size;
	char text[QUERY_TEXT_MAX]; /* the sequence so far, from its ESC on */
};

/*
 * Looks at the bytes from *at on, up to the end of the first query; true, with *at behind it.
 * False: all was looked at.
 */
bool query_next(struct query_scanner *scanner, const char **at, const char *end,
		struct query *query);

/*
 * The same for a terminal that is to get all but the queries: what is not one is appended to `to`,
 * which has room for all that was given and QUERY_HELD_MAX more. A sequence that is not complete is
 * held back. ENQ is a query here: terminals have texts of their own for it.
 */
struct query_filter {
	struct query_scanner scanner;
	char *to;
	size_t size;
};
bool query_filter_next(struct query_filter *filter, const char **at, const char *end,
		       struct query *query);
/* Appends what is held back: from here on the terminal gets everything. */
void query_filter_flush(struct query_filter *filter);

#endif
