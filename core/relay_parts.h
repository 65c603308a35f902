/* SPDX-License-Identifier: MIT */
/*
 * The relay's parts (relay_*.c), in its process:
 *
 *     relay_process.c    words from and to the server
 *     relay_session.c    a session's policy, and sockets that init makes for it
 *     relay_host.c       the hosts that a session may reach: their addresses inside and outside
 *     relay_dns.c        the session's questions of DNS
 *     relay_flow.c       connections, made outside
 *     relay_pipe.c       their bytes
 *     relay_published.c  connections to what listens inside
 */
#ifndef RELAY_PARTS_H
#define RELAY_PARTS_H

#include "dns.h"
#include "inside.h"
#include "loop.h"
#include "names.h"
#include "relay.h"
#include "resolver.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	RELAY_HOSTS_MAX = 512,     /* of a session */
	RELAY_HOST_PORTS_MAX = 32, /* of a host */
	RELAY_FLOWS_MAX = 1024,    /* of a session */
	RELAY_QUESTIONS_MAX = 256, /* of a session, that wait */
	RELAY_LINES_BURST = 40,    /* of log, and so many more a second: */
	RELAY_LINES_RATE = 4,
	RELAY_PORTS_MAX = 32, /* published */
};

struct relay_outgoing;

struct relay {
	struct loop *loop;
	int server;
	struct loop_source *server_source;
	struct relay_outgoing *first, **last; /* what the server has no room for yet */
	unsigned outgoing;
	struct resolver *resolver;
	bool wants_files;
	struct relay_session *sessions;
	struct relay_pipe *pipes; /* that are free */
	unsigned pipe_count;      /* of those */
	struct loop_timer sweep;
};

/* An address and a port inside where a host is reached. */
struct relay_listener {
	struct relay_listener *next;
	struct relay_host *host;
	uint16_t port;
	int fd; /* -1: init makes it */
	struct relay_wish *wish;
	struct loop_source *source;
};

enum relay_host_state {
	HOST_IDLE,    /* nothing is known */
	HOST_ASKING,  /* somebody is to say whether it is allowed */
	HOST_LOOKING, /* for its addresses */
	HOST_OPENING, /* its listeners */
	HOST_READY,
};

struct relay_host {
	struct relay_host *next;
	struct relay_session *session;
	char name[NAMES_NAME_MAX + 1];
	enum relay_host_state state;
	bool is_address;        /* `inside` is that, and so is what it leads to */
	struct in6_addr inside; /* the address that it has in the sandbox */
	struct dns_addresses found;
	uint64_t until; /* that is good */
	uint64_t used;  /* last */
	unsigned flows;
	bool told_other_name; /* that TLS asked for another */
	struct lookup *lookup;
	struct relay_listener *listeners;
	struct relay_question *questions; /* that wait for it */
	struct loop_timer ask;
};

/* What init is asked for. */
struct relay_wish {
	struct relay_wish *next;
	struct inside_request request;
	bool sent;
	void (*fn)(void *data, int fd); /* or -errno; NULL: it is not wanted any more */
	void *data;
};

struct relay_session {
	struct relay_session *next;
	struct relay *relay;
	uint64_t id;
	struct relay_terms terms;
	struct names policy;
	struct names_counters other; /* of no rule */
	bool counts_changed;
	uint64_t counted; /* when they were told last */
	struct loop_timer counts;
	uint64_t lines_at; /* when the next line of log would be one too many */
	unsigned long lines_left_out;
	char last_line[RELAY_LINE_MAX];
	int ends[INSIDE_ENDS];
	struct loop_source *init_source, *dns_source, *dns_tcp_source;
	struct relay_wish *first_wish, **last_wish;
	uint64_t last_wish_id;
	struct relay_host *hosts;
	unsigned host_count;
	uint32_t next_address;
	unsigned questions;           /* that wait */
	struct relay_client *clients; /* of DNS by TCP */
	unsigned client_count;
	struct relay_flow *flows;
	unsigned flow_count;
	bool paused; /* there are no descriptors */
	struct loop_timer pause;
	struct relay_port *ports;
	unsigned port_count;
};

/* relay_process.c */
void relay_say(struct relay *relay, enum relay_verb verb, uint64_t session, const void *text,
	       size_t size);
/* A line of its log; so many that a person can read them. */
void relay_log(struct relay_session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* relay_session.c */
struct relay_session *relay_attach(struct relay *relay, uint64_t id,
				   const struct relay_terms *terms, const int *ends);
void relay_detach(struct relay_session *session);
void relay_take_policy(struct relay_session *session, char *text);
/* For counting: the rule of that id, or what has none. Something of it will change. */
struct names_counters *relay_count(struct relay_session *session, uint32_t rule);
/* Has init make a socket. NULL: no memory. */
struct relay_wish *relay_wish(struct relay_session *session, enum inside_wish wish,
			      const struct in6_addr *address, uint16_t port,
			      void (*fn)(void *data, int fd), void *data);
/* No more connections are taken, for a moment. */
void relay_pause(struct relay_session *session);
/* Whether connections may lead to it, however its name came to that. Port 0: some port. */
bool relay_may_reach(const struct relay_session *session, const struct in6_addr *address,
		     uint16_t port);

/* relay_host.c */
struct relay_host *relay_host_find(struct relay_session *session, const char *name);
struct relay_host *relay_host_at(struct relay_session *session, const struct in_addr *inside);
/* NULL: no memory, or there are too many. */
struct relay_host *relay_host_make(struct relay_session *session, const char *name);
/* Cuts its connections, and forgets it. What waits for it is refused. */
void relay_host_drop(struct relay_host *host);
/* What waits for it is answered, now or later. */
void relay_host_need(struct relay_host *host);
/* It waits for somebody to say whether it is allowed. */
void relay_host_ask(struct relay_host *host);
/* The policy is another: each host has what it says, or goes. */
void relay_hosts_judge(struct relay_session *session);
void relay_host_listen(struct relay_host *host, bool on);

/* relay_dns.c */
int relay_dns_open(struct relay_session *session);
void relay_dns_close(struct relay_session *session);
/* Answers what waits for it. */
void relay_dns_answer(struct relay_host *host, enum dns_code code, enum dns_reason reason);
void relay_dns_sweep(struct relay_session *session, uint64_t now);

/* relay_flow.c */
/* A connection of the sandbox's, which is taken over. */
void relay_flow_accept(struct relay_listener *listener, int fd);
/* Cuts those for which `of` says so; NULL: all. */
void relay_flows_cut(struct relay_session *session,
		     bool (*of)(const struct relay_flow *flow, const void *data), const void *data);
void relay_flows_cut_host(struct relay_session *session, const struct relay_host *host);
/* Those that the policy does not allow any more. */
void relay_flows_judge(struct relay_session *session);
void relay_flows_sweep(struct relay_session *session, uint64_t now);

/* relay_pipe.c */
struct relay_way {
	int from, to;
	struct relay_pipe *pipe; /* with `held` bytes; NULL: none */
	size_t held;
	bool ended, closed; /* `from` has come to its end; and `to` was told */
};

/* Moves what there is: 0 when it has to wait, 1 when there is more, or -errno. *count grows. */
int relay_way_move(struct relay *relay, struct relay_way *way, uint64_t *count);
void relay_way_finish(struct relay *relay, struct relay_way *way);
/* Closes a connection as one that is cut. */
void relay_reset(int fd);

/* relay_published.c */
void relay_publish(struct relay_session *session, uint16_t port, int listener);
void relay_ports_close(struct relay_session *session);

#endif
