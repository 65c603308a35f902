/* SPDX-License-Identifier: MIT */
/*
 * Whoever is typed at goes first. Sessions have idle cgroups (cpu.idle: sched(7), "SCHED_IDLE", for
 * a group) among each other: what one computes waits for what another does that somebody has just
 * typed at, and for that alone is on. It lasts for a moment, and who uses it to compute has to do
 * without for ten times as long: so it is worth nothing but a quick answer.
 */
#ifndef FAVOUR_H
#define FAVOUR_H

#include "loop.h"

#include <stdbool.h>
#include <stdint.h>

struct mimobox_session;

struct favour {
	struct loop_timer timer; /* the end of it, or of doing without */
	bool on;
	uint64_t used; /* ns of processor time, at its beginning */
};

void favour_init(struct mimobox_session *session);
/* Somebody types. */
void favour_typed(struct mimobox_session *session);
/* There is nobody any more whose answer is waited for. */
void favour_stop(struct mimobox_session *session);

#endif
