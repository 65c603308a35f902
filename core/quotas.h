/* SPDX-License-Identifier: MIT */
/*
 * What the kernel counts for the user who made a user namespace, besides for those in it: root,
 * for each sandbox of root's daemon. Without a bound of its own one sandbox has all of it, and then
 * root's services and all other sessions have none. A sandbox gets a part.
 */
#ifndef QUOTAS_H
#define QUOTAS_H

#include <stdint.h>

struct quotas {
	/* net.core.somaxconn of a network of its own: see broker.h */
	char somaxconn[8];
	int backlog;
	/* user.max_inotify_instances and _watches of a sandbox's namespace; "": not to be written
	 */
	char inotify_instances[16], inotify_watches[16];
	uint64_t pending_signals; /* RLIMIT_SIGPENDING: also POSIX timers */
	uint64_t queue_bytes;     /* RLIMIT_MSGQUEUE */
	uint64_t locked_memory;   /* RLIMIT_MEMLOCK: as the daemon has it */
};

/* A part of what the calling process may have. */
void quotas_init(struct quotas *quotas);

/*
 * For the spawner: the kernel notes the limits of the process that makes a user namespace, and
 * holds all namespaces of its user to them together (user_namespaces(7)). Without CAP_SYS_RESOURCE
 * nothing changes: then that user is the only one who has sessions here.
 */
void quotas_lift(void);

/*
 * For the spawner, whose sandboxes inherit it: a dump of theirs has no memory in it (core(5),
 * coredump_filter). RLIMIT_CORE keeps dumps from files and pipes, but not from a socket of the
 * host's (Linux 6.16).
 */
void quotas_empty_cores(void);

/*
 * Of the memory that the kernel has for TCP, the part of one sandbox, once quotas_init() was
 * called. 0: the kernel does not say.
 */
uint64_t quotas_sockets(void);

/*
 * What the kernel lets a network namespace have, for one that is the calling process's; `proc` is
 * /proc. 0, or -errno and *what the file. Async-signal-safe.
 */
int quotas_bound_network(const struct quotas *quotas, int proc, const char **what);

/* In the sandbox: the limits, for good. 0, or -errno and what failed. Async-signal-safe. */
int quotas_limit(const struct quotas *quotas, const char **what);

/*
 * Of all sessions of one user, by default: three quarters of the terminals that the machine has for
 * sandboxes, which together have what the kernel does not reserve for the host. UNITS_NONE: the
 * kernel does not say.
 */
uint64_t quotas_user_terminals(void);

#endif
