/* SPDX-License-Identifier: MIT */
/* The sandbox's PID 1: builds the sandbox from inside, runs the command, reaps, and tells. */
#ifndef INIT_H
#define INIT_H

#include "sandbox.h"

#include <sys/capability.h>

/* What every sandbox is made with. Borrowed throughout. */
struct init_setup {
	const struct root_layout *layout;
	cap_t no_capabilities;
};

/*
 * Runs in the child of clone3(2), and never returns. `start` and `control` are its ends of the
 * two sockets. Async-signal-safe calls only.
 */
_Noreturn void init_run(const struct init_setup *setup, const struct sandbox_shape *shape,
			int start, int control);

/* Names this copy of the daemon, in /proc/PID/comm and cmdline: its arguments are nobody's there.
 */
void init_title(const char *name);

#endif
