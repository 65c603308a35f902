/* SPDX-License-Identifier: MIT */
/*
 * A connection that a sandbox has made to a host, and the one that it leads to outside. Addresses
 * are tried in their order, the next one while the one before has not answered for a moment
 * (RFC 8305); the first that answers is it. Then bytes go both ways, each with an end of its own,
 * and a connection that is reset on one side is on the other.
 */
#include "relay_parts.h"

#include "tls_name.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ATTEMPTS = 4, HELLO_SIZE = 2048, KEEPALIVE_S = 60 };
#define NEXT_NS UINT64_C(250000000)
#define CONNECT_NS UINT64_C(30000000000)
#define IDLE_NS UINT64_C(7200000000000)
#define HALF_IDLE_NS UINT64_C(600000000000)
#define BOTH_WAYS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

struct attempt {
	struct relay_flow *flow;
	int fd; /* -1: there is none */
	struct loop_source *source;
	struct in6_addr address;
};

struct relay_flow {
	struct relay_flow *next, **at;
	struct relay_session *session;
	struct relay_host *host;
	uint16_t port;
	uint32_t rule;
	int inside, outside; /* -1: not yet */
	struct loop_source *inside_source, *outside_source;
	struct in6_addr address;
	struct lookup *lookup;
	struct dns_addresses found;
	unsigned next_address;
	struct attempt attempts[ATTEMPTS];
	int error; /* of the last that failed */
	struct loop_timer timer;
	uint64_t deadline;
	struct relay_way up, down;
	bool looked; /* at what the client said first */
	uint64_t used;
};

/* The end */

static void stop_attempts(struct relay_flow *flow)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		struct attempt *attempt = &flow->attempts[i];
		loop_remove(attempt->source);
		attempt->source = NULL;
		if (attempt->fd >= 0)
			close(attempt->fd);
		attempt->fd = -1;
	}
	loop_timer_disarm(&flow->timer);
}

static void end_flow(struct relay_flow *flow, bool reset)
{
	struct relay *relay = flow->session->relay;
	*flow->at = flow->next;
	if (flow->next)
		flow->next->at = flow->at;
	flow->session->flow_count--;
	flow->host->flows--;
	resolver_drop(flow->lookup);
	stop_attempts(flow);
	loop_remove(flow->inside_source);
	loop_remove(flow->outside_source);
	relay_way_finish(relay, &flow->up);
	relay_way_finish(relay, &flow->down);
	const int ends[] = { flow->inside, flow->outside };
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0 && reset)
			relay_reset(ends[i]);
		else if (ends[i] >= 0)
			close(ends[i]);
	free(flow);
}

void relay_flows_cut(struct relay_session *session,
		     bool (*of)(const struct relay_flow *flow, const void *data), const void *data)
{
	for (struct relay_flow *flow = session->flows, *next; flow; flow = next) {
		next = flow->next;
		if (!of || of(flow, data))
			end_flow(flow, true);
	}
}

static bool is_of_host(const struct relay_flow *flow, const void *host)
{
	return flow->host == host;
}

void relay_flows_cut_host(struct relay_session *session, const struct relay_host *host)
{
	if (host->flows)
		relay_flows_cut(session, is_of_host, host);
}

static const struct names_rule *rule_of(const struct relay_session *session,
					const struct relay_host *host, uint16_t port)
{
	return host->is_address ? names_find_address(&session->policy, &host->inside, port)
				: names_find_port(&session->policy, host->name, port);
}

static bool is_not_allowed(const struct relay_flow *flow, const void *data)
{
	const struct relay_session *session = data;
	return !rule_of(session, flow->host, flow->port) ||
	       (flow->outside >= 0 && !relay_may_reach(session, &flow->address, flow->port));
}

void relay_flows_judge(struct relay_session *session)
{
	relay_flows_cut(session, is_not_allowed, session);
	for (struct relay_flow *flow = session->flows; flow; flow = flow->next)
		flow->rule = rule_of(session, flow->host, flow->port)->id;
}

static bool is_idle(const struct relay_flow *flow, const void *data)
{
	const uint64_t *now = data;
	bool half = flow->up.closed || flow->down.closed;
	return *now - flow->used > (half ? HALF_IDLE_NS : IDLE_NS);
}

void relay_flows_sweep(struct relay_session *session, uint64_t now)
{
	relay_flows_cut(session, is_idle, &now);
}

/* Bytes */

/* A name that is not the one connected to is told of, once: the same server may have both. */
static void look_at_hello(struct relay_flow *flow)
{
	uint8_t hello[HELLO_SIZE];
	char name[TLS_NAME_SIZE], tidy[NAMES_NAME_MAX + 1];
	ssize_t size = recv(flow->inside, hello, sizeof(hello), MSG_PEEK | MSG_DONTWAIT);
	if (size <= 0)
		return;
	flow->looked = true;
	if (flow->host->told_other_name || flow->host->is_address ||
	    tls_name_read(hello, (size_t)size, name) < 0)
		return;
	if (names_tidy(name, tidy) && (strcmp(tidy, flow->host->name) == 0 ||
				       names_find_port(&flow->session->policy, tidy, flow->port)))
		return;
	flow->host->told_other_name = true;
	relay_log(flow->session, "network: a connection to %s:%u asks its server for %s",
		  flow->host->name, flow->port, name);
}

static void pump(struct relay_flow *flow)
{
	struct relay *relay = flow->session->relay;
	uint64_t sent = 0, received = 0;
	if (!flow->looked)
		look_at_hello(flow);
	int up = relay_way_move(relay, &flow->up, &sent);
	int down = relay_way_move(relay, &flow->down, &received);
	if (sent || received) {
		struct names_counters *counters = relay_count(flow->session, flow->rule);
		counters->sent += sent;
		counters->received += received;
		flow->used = loop_now();
	}
	if (up < 0 || down < 0) {
		end_flow(flow, true);
		return;
	}
	if (flow->up.closed && flow->down.closed) {
		end_flow(flow, false);
		return;
	}
	if (up > 0)
		loop_again(flow->inside_source);
	if (down > 0)
		loop_again(flow->outside_source);
}

static void on_bytes(void *data, uint32_t events)
{
	struct relay_flow *flow = data;
	if (flow->outside >= 0)
		pump(flow);
	else if (events & (EPOLLERR | EPOLLHUP))
		end_flow(flow, true); /* the client has gone */
}

/* Connecting */

static void fail(struct relay_flow *flow, int error)
{
	/* What its name leads to may be reached, but not at this port. */
	bool refused = error == EACCES;
	relay_count(flow->session, flow->rule)->refused += refused;
	relay_log(flow->session, "network%s: %s:%u %s: %s", refused ? " refused" : "",
		  flow->host->name, flow->port, refused ? "is refused" : "cannot be reached",
		  refused ? "its address is not public, and not allowed itself at this port"
			  : strerror(error));
	end_flow(flow, true);
}

static bool has_attempts(const struct relay_flow *flow)
{
	for (int i = 0; i < ATTEMPTS; i++)
		if (flow->attempts[i].fd >= 0)
			return true;
	return false;
}

static void prepare(int fd)
{
	const int on = 1, idle = KEEPALIVE_S;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
}

static void connected(struct attempt *attempt)
{
	struct relay_flow *flow = attempt->flow;
	flow->outside = attempt->fd;
	flow->address = attempt->address;
	attempt->fd = -1;
	stop_attempts(flow);
	prepare(flow->inside);
	prepare(flow->outside);
	flow->up = (struct relay_way){ .from = flow->inside, .to = flow->outside };
	flow->down = (struct relay_way){ .from = flow->outside, .to = flow->inside };
	flow->used = loop_now();
	if (loop_add(flow->session->relay->loop, flow->outside, BOTH_WAYS, on_bytes, flow,
		     &flow->outside_source) < 0)
		end_flow(flow, true);
	else
		pump(flow);
}

static void try_next(struct relay_flow *flow);

static void on_attempt(void *data, uint32_t events)
{
	struct attempt *attempt = data;
	struct relay_flow *flow = attempt->flow;
	int error = 0;
	socklen_t size = sizeof(error);
	(void)events;
	if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error == 0) {
		connected(attempt);
		return;
	}
	loop_remove(attempt->source);
	attempt->source = NULL;
	close(attempt->fd);
	attempt->fd = -1;
	flow->error = error;
	try_next(flow);
}

static int begin(struct attempt *attempt, const struct in6_addr *address, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool mapped = IN6_IS_ADDR_V4MAPPED(address);
	memcpy(&v4.sin_addr, &address->s6_addr[12], sizeof(v4.sin_addr));
	v6.sin6_addr = *address;
	int fd = socket(mapped ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	int error = connect(fd, mapped ? (void *)&v4 : (void *)&v6,
			    mapped ? sizeof(v4) : sizeof(v6)) < 0 &&
				    errno != EINPROGRESS
			    ? errno
			    : 0;
	if (error == 0)
		error = -loop_add(attempt->flow->session->relay->loop, fd, EPOLLOUT, on_attempt,
				  attempt, &attempt->source);
	if (error)
		close(fd);
	attempt->fd = error ? -1 : fd;
	attempt->address = *address;
	return error;
}

static struct attempt *free_attempt(struct relay_flow *flow)
{
	for (int i = 0; i < ATTEMPTS; i++)
		if (flow->attempts[i].fd < 0)
			return &flow->attempts[i];
	return NULL;
}

/* The next address that begins to be connected to; where there is none, the end. */
static void try_next(struct relay_flow *flow)
{
	struct attempt *attempt = free_attempt(flow);
	bool begun = false;
	while (attempt && !begun && flow->next_address < flow->found.count) {
		const struct in6_addr *address = &flow->found.addresses[flow->next_address++];
		int error = relay_may_reach(flow->session, address, flow->port)
				    ? begin(attempt, address, flow->port)
				    : EACCES;
		begun = error == 0;
		flow->error = error ? error : flow->error;
	}
	if (!begun && !has_attempts(flow)) {
		fail(flow, flow->error ? flow->error : EHOSTUNREACH);
		return;
	}
	uint64_t now = loop_now();
	uint64_t left = flow->deadline > now ? flow->deadline - now : 0;
	bool more = flow->next_address < flow->found.count;
	loop_timer_arm(&flow->timer, more && left > NEXT_NS ? NEXT_NS : left);
}

static void on_timer(void *data)
{
	struct relay_flow *flow = data;
	if (loop_now() >= flow->deadline)
		fail(flow, ETIMEDOUT);
	else
		try_next(flow);
}

static void on_found(void *data, const struct dns_addresses *found)
{
	struct relay_flow *flow = data;
	flow->lookup = NULL;
	flow->found = *found;
	try_next(flow);
}

/* Where it leads now: not where it led when its name was asked for, long ago. */
static void find_addresses(struct relay_flow *flow)
{
	struct relay_host *host = flow->host;
	if (host->is_address || loop_now() < host->until) {
		on_found(flow, &host->found);
		return;
	}
	flow->lookup = resolver_ask(flow->session->relay->resolver, host->name, on_found, flow);
	if (!flow->lookup)
		fail(flow, ENOMEM);
}

static struct relay_flow *make_flow(struct relay_listener *listener, int fd)
{
	struct relay_session *session = listener->host->session;
	struct relay_flow *flow = calloc(1, sizeof(*flow));
	if (!flow)
		return NULL;
	*flow = (struct relay_flow){ .session = session,
				     .host = listener->host,
				     .port = listener->port,
				     .inside = fd,
				     .outside = -1,
				     .used = loop_now(),
				     .deadline = loop_now() + CONNECT_NS };
	for (int i = 0; i < ATTEMPTS; i++)
		flow->attempts[i] = (struct attempt){ .flow = flow, .fd = -1 };
	loop_timer_init(&flow->timer, session->relay->loop, on_timer, flow);
	if (loop_add(session->relay->loop, fd, BOTH_WAYS, on_bytes, flow, &flow->inside_source) <
	    0) {
		free(flow);
		return NULL;
	}
	flow->next = session->flows;
	flow->at = &session->flows;
	if (flow->next)
		flow->next->at = &flow->next;
	session->flows = flow;
	session->flow_count++;
	flow->host->flows++;
	return flow;
}

void relay_flow_accept(struct relay_listener *listener, int fd)
{
	struct relay_session *session = listener->host->session;
	const struct names_rule *rule = rule_of(session, listener->host, listener->port);
	uint32_t id = rule ? rule->id : 0;
	struct relay_flow *flow = NULL;
	listener->host->used = loop_now();
	if (rule && session->flow_count < RELAY_FLOWS_MAX)
		flow = make_flow(listener, fd);
	if (!flow) {
		relay_count(session, id)->refused++;
		relay_log(session, "network refused: %s:%u: there are too many connections",
			  listener->host->name, listener->port);
		relay_reset(fd);
		return;
	}
	flow->rule = id;
	relay_count(session, id)->connections++;
	find_addresses(flow);
}
