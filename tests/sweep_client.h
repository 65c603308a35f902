/* SPDX-License-Identifier: MIT */
/* What sweep.c has of a client's side: calls that come back, and sessions that are used. */
#ifndef SWEEP_CLIENT_H
#define SWEEP_CLIENT_H

#include "sweep.h"

#include <signal.h>
#include <sys/types.h>

/* More than the daemon's own patience with a start, or with the end of one. */
enum { STEP_SECONDS = 14 };

/* The run that is on, in its process. */
struct sweep_now {
	struct sweep *out;
	struct fault_plan *plan;
	const struct sweep_setup *setup;
	const struct fault_site *site;
	const struct sweep *expected;
	char dir[128], mount[144];
	pid_t daemon;
	int events;
};
extern struct sweep_now sweep_now;

/* What is done now; a finding is told with it. */
void sweep_step(const char *name);
void sweep_found(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Around a call that must come back; sweep_disarm() returns `result`. */
extern volatile sig_atomic_t sweep_late;
void sweep_arm(unsigned seconds);
ssize_t sweep_disarm(ssize_t result);

/* Everything that a session tells while others use it, and that nobody waits for. */
void sweep_look_around(void);
/* From here on what is to fail fails; or it is told what was called before. */
void sweep_begin(void);
/* A session at a terminal; `whole`: all has to work. In the first the server is killed (dies). */
void sweep_terminal(const char *name, bool whole);
/* Pipes, what a host gives, more output than is kept, and an end by force. */
void sweep_pipes(const char *name);

#endif
