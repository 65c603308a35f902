/* SPDX-License-Identifier: MIT */
/*
 * Messages over sockets between the daemon, its helpers and its sandboxes, with descriptors
 * attached: unix(7), SOCK_SEQPACKET. Async-signal-safe.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { MESSAGE_DESCRIPTORS = 3, MESSAGE_SENT_MAX = 8 };

/* -512 and below are the kernel's own, and say nothing of what is wrong. */
static inline bool message_may_pass(int error)
{
	return error == -ENOBUFS || error == -ENOMEM || error <= -512;
}

/* Up to MESSAGE_SENT_MAX descriptors. `flags` as for sendmsg(2). 0 or -errno. The descriptors stay
 * the caller's. */
int message_send(int socket, const void *data, size_t size, const int *descriptors, unsigned count,
		 int flags);

/*
 * Takes one: its size, 0 at the end, or -errno. All of `descriptors` are set, -1 where there is
 * none; they are close-on-exec, and the caller's. `sender` (NULL: not wanted) is its process where
 * the socket has SO_PASSCRED, else 0.
 */
ssize_t message_receive(int socket, void *data, size_t size, int descriptors[MESSAGE_DESCRIPTORS],
			pid_t *sender, int flags);

#endif
