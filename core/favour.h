/* SPDX-License-Identifier: MIT */
/*
 * Whoever is typed at goes first.
 *
 * On the processors: sessions have idle cgroups (cpu.idle: sched(7), "SCHED_IDLE", for a group)
 * among each other, so that what one computes waits for what another does that somebody types at,
 * and for that alone is on. It lasts while keys come, and who uses it to compute has to do without
 * for ten times as long: so it is worth nothing but a quick answer.
 *
 * From a key to its answer, what floods is not read, by the server and by the sessions' inits. The
 * kernel has one queue for the work of all terminals, and a flood that is read fills it.
 */
#ifndef FAVOUR_H
#define FAVOUR_H

#include "loop.h"

#include <stdbool.h>
#include <stdint.h>

struct helper;
struct mimobox_session;

struct favour {
	struct loop_timer timer; /* the end of it, or of doing without */
	bool on;
	bool floods;
	struct mimobox_session *previous, *next; /* of those that flood */
	uint64_t typed;                          /* ns, on the loop's clock: the last key */
	uint64_t used;                           /* ns of processor time, at its beginning */
};

/* Of all sessions. */
struct attention {
	struct loop *loop;
	struct helper *ticker; /* borrowed; NULL: none */
	bool ticking;
	struct loop_timer hold;                /* the most that floods wait for an answer */
	struct mimobox_session *floods;        /* NULL: none */
	const struct mimobox_session *awaited; /* NULL: floods go on */
	uint64_t typed;                        /* ns: the last key at any of them */
	uint64_t since;                        /* ns: the last change of `awaited` */
	int64_t credit;                        /* ns that floods may be held */
};

void attention_init(struct attention *attention, struct loop *loop);
/* Somebody has typed lately, and may again. */
bool attention_lately(const struct attention *attention);

void favour_init(struct mimobox_session *session);
/* Somebody has it begin, and waits for that. */
void favour_started(struct mimobox_session *session);
/* Somebody types. */
void favour_typed(struct mimobox_session *session);
/* It floods, or does so no more. */
void favour_flood(struct mimobox_session *session, bool floods);
/* It has printed something. */
void favour_answered(struct mimobox_session *session);
/* There is nobody any more whose answer is waited for. */
void favour_stop(struct mimobox_session *session);

#endif
