/* SPDX-License-Identifier: MIT */
/*
 * A further session in a sandbox that is there (`in NAME`). Its init is forked by the sandbox's, in
 * the Landlock domain, and so has every layer but the filter, which its command gets. It is not
 * dumpable either, and its command's monitor (monitor.h). It ends what its command leaves, and ends
 * with the sandbox.
 *
 * Async-signal-safe.
 */
#ifndef JOIN_H
#define JOIN_H

#include <stdbool.h>
#include <sys/types.h>

/* Of its end the sandbox's init is told by this, for it does not count as one of its children. */
#define JOIN_SIGNAL SIGUSR1

/* In the sandbox's init. Its ends of the two sockets are not needed any more after that. */
pid_t join_start(int start, int control, bool terminal, bool ends_with_command);

#endif
