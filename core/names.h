/* SPDX-License-Identifier: MIT */
/*
 * Which hosts a session may reach, as lines say it: `allow HOST[:PORT,...]` and `deny HOST`. HOST
 * is a name, `*.` and a name (all names below it, at any depth), `*` (every name), or an address. A
 * name is compared as DNS does: without regard to case, and with or without a dot at its end.
 */
#ifndef NAMES_H
#define NAMES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { NAMES_RULES_MAX = 256, NAMES_PORTS_MAX = 16, NAMES_NAME_MAX = 253 };

enum names_kind {
	NAMES_EXACT,
	NAMES_BELOW, /* all names below `host` */
	NAMES_EVERY,
	NAMES_ADDRESS,
};

struct names_counters {
	uint64_t connections, sent, received, refused;
};

struct names_rule {
	uint32_t id; /* of its list, from 1; the same as long as the line is there */
	bool deny;
	enum names_kind kind;
	char host[NAMES_NAME_MAX + 1]; /* in lower case; of an address, as inet_ntop(3) has it */
	struct in6_addr address;       /* one of IPv4 is mapped */
	uint16_t ports[NAMES_PORTS_MAX];
	unsigned port_count; /* of `deny`: 0 */
	struct names_counters counters;
};

/* Zeroed, it is empty: nothing is allowed. */
struct names {
	struct names_rule *rules;
	size_t count;
	uint32_t last_id;
	size_t more; /* rules that there may be beyond NAMES_RULES_MAX */
};

void names_finish(struct names *names);
/* `to` need not be initialised. 0 or -ENOMEM, and then empty. */
int names_copy(struct names *to, const struct names *from);

/*
 * One line's value. An `allow` of the same HOST takes the place of the one before. 0, -ENOMEM, or
 * with *why -EINVAL, -E2BIG.
 */
int names_add(struct names *names, bool deny, const char *value, const char **why);
/*
 * The same while the session runs: what is written last counts. `deny` takes away what it covers of
 * `allow`; `allow` takes away a `deny` of the same HOST, and one of every name.
 */
int names_change(struct names *names, bool deny, const char *value, const char **why);

/* The value, as names_add() takes it. */
void names_print_rule(const struct names_rule *rule, FILE *to);

/* Puts a name into lower case, without the dot at its end; false where it is no name of a host. */
bool names_tidy(const char *name, char out[static NAMES_NAME_MAX + 1]);

/* What decides about a tidy name: a `deny`, else the first `allow`. NULL: there is none. */
const struct names_rule *names_find(const struct names *names, const char *name);
/* The `allow` of this name that has this port, where no `deny` covers it; NULL: none. */
const struct names_rule *names_find_port(const struct names *names, const char *name,
					 uint16_t port);
/* The same of an address, which no `*` covers. Port 0: any. */
const struct names_rule *names_find_address(const struct names *names,
					    const struct in6_addr *address, uint16_t port);

/* Whether all that `rule`, an `allow`, lets through is let through by one of `most`. */
bool names_covers(const struct names *most, const struct names_rule *rule);

/* Any address but those of a host's own, its local networks and what clouds keep there. */
bool names_is_public(const struct in6_addr *address);

#endif
