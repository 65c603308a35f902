/* SPDX-License-Identifier: MIT */
/*
 * The relay: a process for each user with sessions of `network names`, which connects them to the
 * hosts that their policies allow. It has no capability, opens no file, and makes no socket but
 * those of INET (confine_calls.c); it is a copy of the forker, with nothing of any user's in its
 * memory.
 *
 * The server says what to do by words on a socket, and hears what happened. What a session has
 * inside (inside.h) are three descriptors, which the server has too, so that another relay can go
 * on.
 */
#ifndef RELAY_H
#define RELAY_H

#include "helper.h"
#include "names.h"

#include <stdint.h>

enum relay_verb {
	/* The server's. */
	RELAY_BECOME = 1, /* number: uid and gid */
	RELAY_FILES,      /* resolv.conf and hosts; number: which of them are there, as bits */
	RELAY_ATTACH,     /* with INSIDE_ENDS descriptors; text: a struct relay_terms */
	RELAY_POLICY,     /* number: of it; text: lines `ID allow VALUE` or `ID deny VALUE` */
	RELAY_DETACH,
	RELAY_PUBLISH, /* number: the port; with a socket that listens */
	/* The relay's. */
	RELAY_WANTS_FILES,
	RELAY_LOG,     /* text: a line for the session's log */
	RELAY_ASKS,    /* text: a name that waits for an answer */
	RELAY_COUNTS,  /* text: of struct relay_count */
	RELAY_GONE,    /* it is detached: no more is told of it */
	RELAY_SETTLED, /* the policy of this number is in force */
};

enum { RELAY_CONFIG_FILE = 1, RELAY_HOSTS_FILE = 2 };
enum { RELAY_TEXT_MAX = 128 << 10, RELAY_LINE_MAX = 500 };

struct relay_word {
	uint32_t verb, size; /* of the text that follows */
	uint64_t session, number;
};

struct relay_terms {
	uint64_t ask_ns;     /* that a name waits for an answer; 0: it does not */
	uint64_t generation; /* how many relays the session had before */
};

/* What came to it since the last, by the rule's id; 0: no rule. */
struct relay_count {
	uint32_t id, unused;
	struct names_counters counters;
};

/* Fills in `kind`, for the forker. */
void relay_kind(struct helper_kind *kind);

#endif
