/* SPDX-License-Identifier: MIT */
/*
 * What the init of a sandbox does once there is the command: it is the session's monitor
 * (monitor.h), does what the daemon tells it, and reaps. When the command ends, init tells its
 * status, ends what else is there, reads what was printed, and goes. The kernel ends whatever is in
 * the PID namespace before init's own end can be seen (pid_namespaces(7)): a readable pidfd means
 * that nothing is left.
 *
 * Async-signal-safe.
 */
#ifndef SERVE_H
#define SERVE_H

#include "sandbox.h"

/*
 * `ends`: see monitor_begin(). `signals`: a signalfd of SIGCHLD; `control`: the socket to the
 * daemon; `inside`: where the relay asks for sockets (inside.h), -1: nowhere. All but `page` stay
 * in use. 0 or -errno.
 */
int serve_begin(const struct sandbox_shape *shape, int page, int bell, const int ends[3],
		int signals, int control, int inside);
/* How many connections may wait for accept(2) at each socket that listens, at most. */
void serve_bound(int backlog);
/*
 * By that socket the listener of the command's filter comes (refusals.h), which answers as `filter`
 * does. Both stay in use. 0 or -errno.
 */
int serve_refusals(int handing, const struct sysfilter *filter);
_Noreturn void serve(pid_t command);
/* The same in an init that is not the sandbox's own (join.h). */
_Noreturn void serve_joined(pid_t command);

#endif
