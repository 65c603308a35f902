/* SPDX-License-Identifier: MIT */
/* The sandbox's PID 1: builds the sandbox from inside, runs the command, reaps, and tells. */
#ifndef INIT_H
#define INIT_H

#include "sandbox.h"

/*
 * Runs in the child of clone3(2), and never returns. `start` and `control` are its ends of the
 * two sockets. Async-signal-safe calls only: it is a copy of the daemon.
 */
_Noreturn void init_run(struct sandbox_plan *plan, int start, int control);

#endif
