/* SPDX-License-Identifier: MIT */
/*
 * The inner half of `network names`: what a sandbox's init makes in its network namespace, and the
 * words by which the relay (relay.h) has it make sockets there.
 *
 * All addresses of 198.18.0.0/15 lead to the namespace itself. The relay gives each name that may
 * be reached one of them, and listens there; so it knows by its own end of a connection which name
 * that is for. There is no other route.
 */
#ifndef INSIDE_H
#define INSIDE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define INSIDE_RANGE UINT32_C(0xc6120000) /* 198.18.0.0 */
/* That one of them is the session's own, and no name's. */
enum { INSIDE_RANGE_BITS = 15, INSIDE_ADDRESSES = 1 << (32 - INSIDE_RANGE_BITS), INSIDE_OWN = 1 };

/* What is held of it outside: the way to init, and the sockets for questions of DNS. */
enum { INSIDE_INIT, INSIDE_DNS, INSIDE_DNS_TCP, INSIDE_ENDS };

/*
 * Sockets that listen for the relay have this as the length of their queue of TCP Fast Open, which
 * the namespace does not use, and which no program can set (sysfilter_guard.c). So /proc tells them
 * from a program's (broker.h).
 */
enum { INSIDE_MARK = 1 };

enum inside_wish { INSIDE_LISTEN, INSIDE_CONNECT };

/* The relay asks; one of IPv4 is mapped. */
struct inside_request {
	uint64_t id;
	uint32_t wish;
	uint16_t port;
	uint16_t unused;
	struct in6_addr address;
};

/* And init answers, with a socket that does not block where `result` is 0, else -errno. */
struct inside_reply {
	uint64_t id;
	int32_t result;
	int32_t unused;
};

/* All of it is async-signal-safe, and done in the namespace. */

/* With all capabilities there: its routes. 0 or -errno. */
int inside_make_routes(void);
/* One address more, which is reached as the range is. */
int inside_add_route(const struct in6_addr *address);
/* Makes `ends`, and init's own end in *own. 0 or -errno. */
int inside_open(int ends[static INSIDE_ENDS], int *own);
/* Init: does what it is asked for. 0, or -errno: the other end has gone. */
int inside_serve(int own);

#endif
