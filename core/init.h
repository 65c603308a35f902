/* SPDX-License-Identifier: MIT */
/* The sandbox's PID 1: builds the sandbox from inside, runs the command, reaps, and tells. */
#ifndef INIT_H
#define INIT_H

#include "cgroup.h"
#include "cgroup_view.h"
#include "quotas.h"
#include "sandbox.h"

#include <sys/capability.h>

struct spawn_request;

enum { INIT_THREADS = 2 }; /* the second: domain.h */

/* What every sandbox is made with. Borrowed throughout. */
struct init_setup {
	const struct root_layout *layout;
	cap_t no_capabilities;
	struct sysfilters *filters; /* that of a sealed one is there before its clone is */
	int landlock_abi;
	struct quotas quotas;
	struct cgroup_view view;
};

struct init_ends {
	int start, control; /* its ends of the two sockets */
	/* It says, with a byte, that it is apart and in its cgroup; one comes with its identity. */
	int go;
	const struct cgroup_entry *entry;
	bool new_network; /* its network namespace was made with it, and nothing is set there */
};

/* Runs in the child of clone3(2), and never returns. Async-signal-safe calls only. */
_Noreturn void init_run(const struct init_setup *setup, const struct spawn_request *request,
			const struct init_ends *ends);

/* Names this copy of the daemon, in /proc/PID/comm and cmdline: its arguments are nobody's there.
 */
void init_title(const char *name);

#endif
