/* SPDX-License-Identifier: MIT */
/*
 * A host that a session may reach. It has an address inside, which no other gets before the range
 * has been gone through, and listens there on the ports that the policy allows. Where it is outside
 * is looked up when its name is asked for, and again when that is out of date.
 *
 * What waits for a host are questions of DNS; so nothing connects before it listens.
 */
#include "relay_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SECONDS_MAX = 300, SECONDS_MIN = 2, ACCEPTS = 16 };
#define SECOND_NS UINT64_C(1000000000)

struct relay_host *relay_host_find(struct relay_session *session, const char *name)
{
	struct relay_host *host = session->hosts;
	while (host && strcmp(host->name, name) != 0)
		host = host->next;
	return host;
}

struct relay_host *relay_host_at(struct relay_session *session, const struct in_addr *inside)
{
	struct relay_host *host = session->hosts;
	while (host && (!IN6_IS_ADDR_V4MAPPED(&host->inside) ||
			memcmp(&host->inside.s6_addr[12], inside, sizeof(*inside)) != 0))
		host = host->next;
	return host;
}

static const char *address_text(const struct in6_addr *address, char text[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		inet_ntop(AF_INET, &address->s6_addr[12], text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
	return text;
}

/* Listeners */

static void close_listener(struct relay_listener *listener)
{
	if (listener->wish)
		listener->wish->fn = NULL;
	loop_remove(listener->source);
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener);
}

static void drop_listeners(struct relay_host *host)
{
	while (host->listeners) {
		struct relay_listener *listener = host->listeners;
		host->listeners = listener->next;
		close_listener(listener);
	}
}

static void on_connection(void *data, uint32_t events)
{
	struct relay_listener *listener = data;
	struct relay_session *session = listener->host->session;
	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			relay_flow_accept(listener, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			relay_pause(session);
		return;
	}
}

void relay_host_listen(struct relay_host *host, bool on)
{
	for (struct relay_listener *listener = host->listeners; listener; listener = listener->next)
		if (listener->source)
			(void)loop_modify(listener->source, on ? EPOLLIN : 0);
}

static void tell_ready(struct relay_host *host)
{
	for (struct relay_listener *listener = host->listeners; listener; listener = listener->next)
		if (listener->wish)
			return;
	if (host->state == HOST_OPENING)
		host->state = HOST_READY;
	if (host->state == HOST_READY)
		relay_dns_answer(host, DNS_NO_ERROR, DNS_NO_REASON);
}

static void on_listener(void *data, int fd)
{
	struct relay_listener *listener = data;
	struct relay_host *host = listener->host;
	struct relay_session *session = host->session;
	listener->wish = NULL;
	listener->fd = fd;
	if (fd == -EADDRINUSE)
		relay_log(session,
			  "network: %s:%u cannot be reached: a program of the session listens at "
			  "this port of all addresses",
			  host->name, listener->port);
	else if (fd < 0)
		relay_log(session, "network: %s:%u cannot be reached: %s", host->name,
			  listener->port, strerror(-fd));
	else
		loop_add(session->relay->loop, fd, session->paused ? 0 : EPOLLIN, on_connection,
			 listener, &listener->source);
	tell_ready(host);
}

static void add_listener(struct relay_host *host, uint16_t port)
{
	struct relay_listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		return;
	*listener = (struct relay_listener){ .host = host, .port = port, .fd = -1 };
	listener->wish = relay_wish(host->session, INSIDE_LISTEN, &host->inside, port, on_listener,
				    listener);
	if (!listener->wish) {
		free(listener);
		return;
	}
	listener->next = host->listeners;
	host->listeners = listener;
}

static bool is_allowed(const struct relay_host *host, uint16_t port)
{
	const struct names *policy = &host->session->policy;
	return host->is_address ? names_find_address(policy, &host->inside, port) != NULL
				: names_find_port(policy, host->name, port) != NULL;
}

static bool has_listener(const struct relay_host *host, uint16_t port)
{
	const struct relay_listener *listener = host->listeners;
	while (listener && listener->port != port)
		listener = listener->next;
	return listener != NULL;
}

/* A port that could not be had is tried again. */
static void drop_wrong_listeners(struct relay_host *host)
{
	for (struct relay_listener **at = &host->listeners; *at;) {
		struct relay_listener *listener = *at;
		bool failed = listener->fd < 0 && !listener->wish;
		if (!failed && is_allowed(host, listener->port)) {
			at = &listener->next;
			continue;
		}
		*at = listener->next;
		close_listener(listener);
	}
}

static void open_listeners(struct relay_host *host)
{
	const struct names *policy = &host->session->policy;
	unsigned count = 0;
	drop_wrong_listeners(host);
	for (size_t i = 0; i < policy->count; i++)
		for (unsigned p = 0; p < policy->rules[i].port_count; p++) {
			uint16_t port = policy->rules[i].ports[p];
			if (count < RELAY_HOST_PORTS_MAX && is_allowed(host, port) &&
			    !has_listener(host, port))
				add_listener(host, port);
			count += is_allowed(host, port);
		}
}

/* Where it is */

static void refuse(struct relay_host *host, enum dns_code code, enum dns_reason reason)
{
	host->state = HOST_IDLE;
	relay_dns_answer(host, code, reason);
}

/* What may not be reached is not kept: to reach the host by chance would be no help. */
static void keep_reachable(struct relay_host *host, const struct dns_addresses *found)
{
	char text[INET6_ADDRSTRLEN];
	host->found = *found;
	host->found.count = 0;
	for (unsigned i = 0; i < found->count; i++) {
		const struct in6_addr *address = &found->addresses[i];
		if (relay_may_reach(host->session, address, 0))
			host->found.addresses[host->found.count++] = *address;
		else
			relay_log(host->session,
				  "network refused: %s is at %s, which is not public, and not "
				  "allowed itself",
				  host->name, address_text(address, text));
	}
}

static void on_found(void *data, const struct dns_addresses *found)
{
	struct relay_host *host = data;
	const struct names_rule *rule = names_find(&host->session->policy, host->name);
	uint32_t seconds = found->seconds < SECONDS_MIN   ? SECONDS_MIN
			   : found->seconds > SECONDS_MAX ? SECONDS_MAX
							  : found->seconds;
	host->lookup = NULL;
	keep_reachable(host, found);
	if (host->found.count == 0) {
		bool blocked = found->count > 0;
		relay_count(host->session, rule ? rule->id : 0)->refused += blocked;
		if (!blocked && found->code != DNS_NO_NAME && found->code != DNS_NO_ERROR)
			relay_log(host->session, "network: %s: no server of DNS answers for it",
				  host->name);
		refuse(host, blocked ? DNS_NO_NAME : found->code,
		       blocked ? DNS_BLOCKED : DNS_NO_REASON);
		return;
	}
	host->until = loop_now() + seconds * SECOND_NS;
	host->state = HOST_OPENING;
	open_listeners(host);
	tell_ready(host);
}

static void look_up(struct relay_host *host)
{
	struct relay *relay = host->session->relay;
	if (!relay->wants_files && resolver_is_stale(relay->resolver)) {
		relay->wants_files = true; /* they are there for the next one */
		relay_say(relay, RELAY_WANTS_FILES, 0, NULL, 0);
	}
	host->lookup = resolver_ask(relay->resolver, host->name, on_found, host);
	host->state = HOST_LOOKING;
	if (!host->lookup)
		refuse(host, DNS_SERVER_FAILURE, DNS_NO_REASON);
}

void relay_host_need(struct relay_host *host)
{
	uint64_t now = loop_now();
	host->used = now;
	if (host->state == HOST_LOOKING || host->state == HOST_OPENING)
		return;
	loop_timer_disarm(&host->ask);
	if (host->is_address) {
		host->state = HOST_OPENING;
		open_listeners(host);
		tell_ready(host);
	} else if (host->state == HOST_READY && now < host->until) {
		relay_dns_answer(host, DNS_NO_ERROR, DNS_NO_REASON);
	} else {
		look_up(host);
	}
}

/* Asking */

static void on_unanswered(void *data)
{
	struct relay_host *host = data;
	relay_log(host->session, "network refused: %s: no answer came in time", host->name);
	relay_count(host->session, 0)->refused++;
	relay_host_drop(host);
}

void relay_host_ask(struct relay_host *host)
{
	struct relay_session *session = host->session;
	if (host->state == HOST_ASKING)
		return;
	host->state = HOST_ASKING;
	if (loop_timer_arm(&host->ask, session->terms.ask_ns) < 0) {
		relay_host_drop(host);
		return;
	}
	relay_log(session, "network asks: %s", host->name);
	relay_say(session->relay, RELAY_ASKS, session->id, host->name, strlen(host->name));
}

/* Life */

static bool is_taken(struct relay_session *session, const struct in_addr *inside)
{
	return relay_host_at(session, inside) != NULL;
}

/* The last is the range's own broadcast, the first its name, and one the session's own. */
static void give_address(struct relay_session *session, struct relay_host *host)
{
	struct in_addr inside;
	do {
		uint32_t number = session->next_address++ % INSIDE_ADDRESSES;
		if (number <= INSIDE_OWN || number == INSIDE_ADDRESSES - 1)
			number = INSIDE_OWN + 1;
		inside.s_addr = htonl(INSIDE_RANGE + number);
	} while (is_taken(session, &inside));
	host->inside = (struct in6_addr){ .s6_addr = { [10] = 0xff, 0xff } };
	memcpy(&host->inside.s6_addr[12], &inside, sizeof(inside));
}

static bool make_room(struct relay_session *session)
{
	struct relay_host *oldest = NULL;
	if (session->host_count < RELAY_HOSTS_MAX)
		return true;
	for (struct relay_host *host = session->hosts; host; host = host->next)
		if ((host->state == HOST_READY || host->state == HOST_IDLE) && !host->is_address &&
		    host->flows == 0 && (!oldest || host->used < oldest->used))
			oldest = host;
	if (oldest)
		relay_host_drop(oldest);
	return oldest != NULL;
}

struct relay_host *relay_host_make(struct relay_session *session, const char *name)
{
	struct relay_host *host = make_room(session) ? calloc(1, sizeof(*host)) : NULL;
	if (!host)
		return NULL;
	host->session = session;
	host->used = loop_now();
	strcpy(host->name, name); /* a tidy one */
	loop_timer_init(&host->ask, session->relay->loop, on_unanswered, host);
	give_address(session, host);
	host->next = session->hosts;
	session->hosts = host;
	session->host_count++;
	return host;
}

void relay_host_drop(struct relay_host *host)
{
	struct relay_session *session = host->session;
	struct relay_host **at = &session->hosts;
	while (*at != host)
		at = &(*at)->next;
	*at = host->next;
	session->host_count--;
	relay_flows_cut_host(session, host);
	resolver_drop(host->lookup);
	loop_timer_disarm(&host->ask);
	relay_dns_answer(host, DNS_NO_NAME, DNS_BLOCKED);
	drop_listeners(host);
	free(host);
}

/* 1: it is allowed; 0: nothing is said of it; -1: refused. */
static int judge(const struct relay_host *host)
{
	const struct names *policy = &host->session->policy;
	if (host->is_address)
		return names_find_address(policy, &host->inside, 0) ? 1 : -1;
	const struct names_rule *rule = names_find(policy, host->name);
	return !rule ? 0 : rule->deny ? -1 : 1;
}

void relay_hosts_judge(struct relay_session *session)
{
	for (struct relay_host *host = session->hosts, *next; host; host = next) {
		int verdict = judge(host);
		next = host->next;
		if (verdict < 0 || (verdict == 0 && host->state != HOST_ASKING)) {
			relay_host_drop(host);
		} else if (host->state == HOST_ASKING) {
			if (verdict > 0)
				relay_host_need(host);
		} else if (host->state == HOST_READY) {
			/* Addresses that are not public may have been allowed, or not any more. */
			host->until = host->is_address ? host->until : 0;
			host->state = HOST_OPENING;
			open_listeners(host);
			tell_ready(host);
		}
	}
}
