/* SPDX-License-Identifier: MIT */
/*
 * Looks names up outside, as /etc/hosts and the servers of /etc/resolv.conf tell: for the relay,
 * which has no right to open files, and is given them.
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "dns.h"

#include <stdbool.h>

struct loop;
struct lookup;
struct resolver;

typedef void (*resolver_fn)(void *data, const struct dns_addresses *found);

int resolver_create(struct loop *loop, struct resolver **out);

/* The two files, which are the resolver's from now on; -1: there is none. */
void resolver_take_files(struct resolver *resolver, int config, int hosts);
/* Whether others have taken their place, so that they have to be given again. */
bool resolver_is_stale(const struct resolver *resolver);

/*
 * Looks up a tidy name; `fn` is called later, once, from the loop. NULL: no memory. Both kinds of
 * addresses are in the answer, one of each in turn.
 */
struct lookup *resolver_ask(struct resolver *resolver, const char *name, resolver_fn fn,
			    void *data);
/* `fn` is not called any more. NULL is fine. */
void resolver_drop(struct lookup *lookup);

/* What the two files say, for tests. */
enum { RESOLVER_SERVERS_MAX = 3 };
struct resolver_config {
	struct in6_addr servers[RESOLVER_SERVERS_MAX];
	unsigned count;
	unsigned seconds, attempts;
};
void resolver_read_config(const char *text, struct resolver_config *out);
/* False: the name is not there. */
bool resolver_read_hosts(const char *text, const char *name, struct dns_addresses *out);

#endif
