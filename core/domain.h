/* SPDX-License-Identifier: MIT */
/*
 * The Landlock domain of a sandbox. The kernel lets no process join one: only what a process in it
 * has forked is in it. So init has a thread that is in it and does nothing else, and every command
 * of the sandbox is forked from that, the first one and later ones. Init's other thread is in none,
 * so that nothing in the sandbox can signal or trace it; and no thread of a PID namespace's init
 * can be killed from inside (pid_namespaces(7)).
 *
 * Async-signal-safe.
 */
#ifndef DOMAIN_H
#define DOMAIN_H

#include "sandbox.h"

#include <sys/types.h>

struct landlock_policy;

/*
 * Starts the thread, in a domain of that policy. 0 or -errno, and what that is of: STAGE_FORK, or
 * STAGE_LANDLOCK and *failed as landlock_apply() says.
 */
int domain_begin(const struct landlock_policy *policy, enum stage *stage, unsigned *failed);

/*
 * As fork(2), of a process that tells of its end by `signal`, but that the child is in the domain.
 * -errno where there is none. For the thread that has called domain_begin().
 */
pid_t domain_fork(int signal);

/*
 * As ptrace(2), PTRACE_DETACH, of a child that has the thread for a tracer: the thread alone can do
 * it. For the thread that has called domain_begin().
 */
void domain_let_go(pid_t pid, int signal);

#endif
