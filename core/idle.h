/* SPDX-License-Identifier: MIT */
/*
 * `idle-timeout`: a session ends to which nobody has typed, written or read, and which has printed
 * nothing, for so long. A use only takes its time down; the timer, when it fires, looks how much of
 * the time is over, and is armed for the rest.
 */
#ifndef IDLE_H
#define IDLE_H

#include "loop.h"

struct mimobox_session;

struct idle {
	struct loop_timer timer;
	uint64_t used; /* ns, on the loop's clock */
	uint64_t kept; /* what the records say of that: it may be an eighth of the timeout less */
};

void idle_init(struct mimobox_session *session);
/* It runs from here on; or, after another has been killed, goes on running. */
void idle_start(struct mimobox_session *session);
void idle_resume(struct mimobox_session *session);
void idle_stop(struct mimobox_session *session);
/* Somebody types, writes or reads: also a use of the session in whose sandbox this one is. */
void idle_use(struct mimobox_session *session);
/* It prints, or starts: a use of that one alone. */
void idle_use_host(struct mimobox_session *session);
/* Since when it is idle, in ns. */
uint64_t idle_since(const struct mimobox_session *session);

#endif
