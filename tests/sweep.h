/* SPDX-License-Identifier: MIT */
/*
 * One daemon with one fault (fault.h), from its start to its end, and sessions in it.
 *
 * Whatever fails: the daemon neither crashes nor hangs; who asked is told, by an errno and in the
 * session's log; a command runs in its whole sandbox or not at all; another session works in full
 * after it; and nothing is left. What does not hold is a finding, told as a line of text.
 */
#ifndef SWEEP_H
#define SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"

enum { SWEEP_TEXT_MAX = 16384 };

/* What one run has seen. */
struct sweep {
	uint32_t hits;
	bool started; /* the mount came up */
	bool over;    /* the run came to its end */
	int64_t live; /* allocations that the daemon never freed */
	unsigned descriptors, milliseconds;
	char step[64]; /* the last that was begun */
	char findings[SWEEP_TEXT_MAX];
	/* What sessions told: to be the same whenever they work. */
	char terminal[SWEEP_TEXT_MAX], pipes[4096], proof[SWEEP_TEXT_MAX];
};

struct sweep_setup {
	const char *library; /* the path of fault.c's */
	unsigned pool;
	unsigned worker; /* several may run beside each other */
	bool counts; /* memory: not with a sanitizer, or a pool, which are not always the same */
	bool late;   /* nothing fails before the mount is up */
	bool dies;   /* nor before the server is killed, with a session at work */
};

/*
 * A run, in a process of its own: without a fault where `site` is NULL, and then nothing is
 * compared. `plan` is all zero or holds what is to be recorded; `expected` is such a run.
 */
void sweep_run(const struct sweep_setup *setup, struct fault_plan *plan,
	       const struct fault_site *site, const struct sweep *expected, struct sweep *out);

/* The functions that lead to it, the innermost first, each with a line of its place. */
char *functions_of(const struct fault_site *site);

/* The plan of a worker, shared, and freed with the process. */
struct fault_plan *sweep_plan(unsigned worker);

#endif
