/* SPDX-License-Identifier: MIT */
/*
 * Messages of DNS (RFC 1035, RFC 6891): the questions that sandboxes ask and their answers, and the
 * questions that the relay asks outside and what is read of their answers. Any bytes may come.
 */
#ifndef DNS_H
#define DNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_NAME_SIZE = 256, DNS_MESSAGE_MAX = 1232, DNS_ADDRESSES_MAX = 16 };

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_ANY = 255,
};

enum dns_code {
	DNS_NO_ERROR = 0,
	DNS_FORMAT_ERROR = 1,
	DNS_SERVER_FAILURE = 2,
	DNS_NO_NAME = 3,
	DNS_NOT_IMPLEMENTED = 4,
	DNS_REFUSED = 5,
	DNS_BAD_VERSION = 16, /* of EDNS */
};

/* Why, for clients that ask with EDNS: RFC 8914. 0: nothing is said. */
enum dns_reason { DNS_BLOCKED = 15, DNS_NO_REASON = 0 };

struct dns_question {
	char name[DNS_NAME_SIZE]; /* lower case, no dot at the end; what is unusual is `?` */
	bool usual;               /* it has nothing unusual */
	uint16_t type, class;
	size_t end;    /* of the question, in the message */
	bool edns;     /* the client knows it */
	uint16_t most; /* bytes that the client takes as a datagram */
};

/*
 * 0; an enum dns_code to answer with at once; or -EINVAL: nothing that could be answered. `end` is
 * 0 where there is no question to be repeated.
 */
int dns_read_question(const uint8_t *message, size_t size, struct dns_question *out);

/* What is told of a name, if anything. */
struct dns_answer {
	enum dns_code code;
	enum dns_reason reason;
	uint32_t seconds;              /* for which it holds */
	const struct in_addr *address; /* NULL: none */
	const char *pointer;           /* a name; NULL: none */
};

/* `message` has the question. Returns the size; `to` has DNS_MESSAGE_MAX bytes. */
size_t dns_write_answer(const uint8_t *message, const struct dns_question *question,
			const struct dns_answer *answer, uint8_t *to);

/* The address that a name of in-addr.arpa stands for; false: it is none. */
bool dns_is_reverse(const char *name, struct in_addr *out);

/* A question to ask outside. Returns the size; 0 where `name` is none. */
size_t dns_write_question(uint16_t id, const char *name, uint16_t type, uint8_t *to);

struct dns_addresses {
	enum dns_code code;
	bool cut; /* ask again by TCP */
	unsigned count;
	uint32_t seconds;                             /* for which they hold */
	struct in6_addr addresses[DNS_ADDRESSES_MAX]; /* those of IPv4 are mapped */
};

/* Of the answer to that question: 0, or -EINVAL where it is not. Links (CNAME) are followed. */
int dns_read_addresses(const uint8_t *message, size_t size, uint16_t id, const char *name,
		       uint16_t type, struct dns_addresses *out);

#endif
