/* SPDX-License-Identifier: MIT */
/*
 * Calls that a program may make, but not as often, or not in the way, that the kernel would let it:
 * the filter (sysfilter_guard.c) has them wait, and init answers (seccomp_unotify(2)).
 *
 * listen(2), in a network of its own: a connection that nobody has accepted yet is charged to no
 * cgroup, nor are the bytes in it. The kernel takes them from what it has for TCP of the whole
 * machine. So there are as many listeners as BROKER_LISTENERS, each with a short queue.
 *
 * setsockopt(SO_RCVBUF), likewise: such a connection has the buffer of its listener. That of TCP is
 * 128 KiB at most, as if the machine's limit were that.
 *
 * socket(AF_NETLINK): what the kernel answers is charged to no cgroup until it is read. There are
 * as many such sockets as BROKER_NETLINKS.
 *
 * chmod(2) with the set-group-ID bit: see broker_modes.h.
 *
 * ioctl(SIOCGIFCONF): the kernel holds the lock of all network configuration while it writes the
 * answer to the program's memory. Init has no page there that takes long.
 */
#ifndef BROKER_H
#define BROKER_H

#include <stdbool.h>

enum { BROKER_LISTENERS = 32, BROKER_NETLINKS = 16 };

struct broker {
	int backlog;        /* of each listener, at most */
	unsigned listeners; /* no more than these are there */
	bool has_netlinks;
	int netlinks; /* an epoll that watches those that are there */
};

struct seccomp_notif;

/* Besides 0 and -errno: the kernel is to do the call; the caller has its answer. */
enum { BROKER_GO_ON = 1, BROKER_ANSWERED };

/*
 * Does one call that came from the listener of a filter: 0 or -errno for its answer, or one of the
 * above. Async-signal-safe, and for a process that may trace the caller by its identity. Where it
 * may not (prctl(2), PR_SET_DUMPABLE) listen goes by the count alone, the size of buffers stays,
 * and the others get EPERM.
 */
int broker_do(struct broker *broker, int listener, const struct seccomp_notif *call);

#endif
