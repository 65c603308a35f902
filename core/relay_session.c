/* SPDX-License-Identifier: MIT */
#include "relay_parts.h"

#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { WISHES_SENT_MAX = 4, FIRST_ADDRESS = INSIDE_OWN + 1, GENERATION_ADDRESSES = 4096 };
#define COUNTS_NS UINT64_C(50000000)
#define PAUSE_NS UINT64_C(100000000)

/* Counters */

static bool is_zero(const struct names_counters *counters)
{
	static const struct names_counters none;
	return memcmp(counters, &none, sizeof(none)) == 0;
}

static void report_counts(void *data)
{
	struct relay_session *session = data;
	struct relay_count counts[NAMES_RULES_MAX + 1];
	size_t count = 0;
	session->counts_changed = false;
	session->counted = loop_now();
	for (size_t i = 0; i < session->policy.count; i++) {
		struct names_rule *rule = &session->policy.rules[i];
		if (is_zero(&rule->counters))
			continue;
		counts[count++] =
			(struct relay_count){ .id = rule->id, .counters = rule->counters };
		rule->counters = (struct names_counters){ 0 };
	}
	if (!is_zero(&session->other))
		counts[count++] = (struct relay_count){ .counters = session->other };
	session->other = (struct names_counters){ 0 };
	if (count)
		relay_say(session->relay, RELAY_COUNTS, session->id, counts,
			  count * sizeof(*counts));
}

struct names_counters *relay_count(struct relay_session *session, uint32_t rule)
{
	/* At once after a time of quiet. */
	if (!session->counts_changed)
		session->counts_changed =
			loop_timer_arm_at(&session->counts, session->counted + COUNTS_NS) == 0;
	for (size_t i = 0; rule && i < session->policy.count; i++)
		if (session->policy.rules[i].id == rule)
			return &session->policy.rules[i].counters;
	return &session->other;
}

/* What init is asked for, one after another */

static void send_wishes(struct relay_session *session)
{
	unsigned sent = 0;
	for (struct relay_wish *wish = session->first_wish; wish && sent < WISHES_SENT_MAX;
	     wish = wish->next, sent++) {
		if (wish->sent)
			continue;
		if (message_send(session->ends[INSIDE_INIT], &wish->request, sizeof(wish->request),
				 NULL, 0, MSG_DONTWAIT) < 0)
			return; /* at the next answer */
		wish->sent = true;
	}
}

struct relay_wish *relay_wish(struct relay_session *session, enum inside_wish what,
			      const struct in6_addr *address, uint16_t port,
			      void (*fn)(void *data, int fd), void *data)
{
	struct relay_wish *wish = malloc(sizeof(*wish));
	if (!wish)
		return NULL;
	*wish = (struct relay_wish){ .request = { .id = ++session->last_wish_id,
						  .wish = what,
						  .port = port,
						  .address = *address },
				     .fn = fn,
				     .data = data };
	*session->last_wish = wish;
	session->last_wish = &wish->next;
	send_wishes(session);
	return wish;
}

static void tell_first(struct relay_session *session, int fd)
{
	struct relay_wish *wish = session->first_wish;
	session->first_wish = wish->next;
	if (!session->first_wish)
		session->last_wish = &session->first_wish;
	if (wish->fn)
		wish->fn(wish->data, fd);
	else if (fd >= 0)
		close(fd);
	free(wish);
}

static void stop_asking(struct relay_session *session)
{
	loop_remove(session->init_source);
	session->init_source = NULL;
	while (session->first_wish)
		tell_first(session, -EPIPE);
}

static void on_init(void *data, uint32_t events)
{
	(void)events;
	struct relay_session *session = data;
	struct inside_reply reply;
	int descriptors[MESSAGE_DESCRIPTORS];
	ssize_t size = message_receive(session->ends[INSIDE_INIT], &reply, sizeof(reply),
				       descriptors, NULL, MSG_DONTWAIT);
	if (size == -EAGAIN || size == -EINTR)
		return;
	if (size != sizeof(reply)) {
		stop_asking(session); /* it has gone */
		return;
	}
	/* Another relay may have asked, before this one. */
	if (session->first_wish && session->first_wish->request.id == reply.id) {
		int fd = reply.result < 0 ? reply.result : descriptors[0];
		if (reply.result == 0 && fd < 0)
			fd = -EMFILE;
		descriptors[0] = reply.result < 0 ? descriptors[0] : -1;
		tell_first(session, fd);
	}
	for (int i = 0; i < MESSAGE_DESCRIPTORS; i++)
		if (descriptors[i] >= 0)
			close(descriptors[i]);
	send_wishes(session);
}

/* Without descriptors */

static void set_listening(struct relay_session *session, bool on)
{
	session->paused = !on;
	for (struct relay_host *host = session->hosts; host; host = host->next)
		relay_host_listen(host, on);
}

static void on_pause_over(void *data)
{
	set_listening(data, true);
}

void relay_pause(struct relay_session *session)
{
	if (!session->paused && loop_timer_arm(&session->pause, PAUSE_NS) == 0)
		set_listening(session, false);
}

/* Policy */

bool relay_may_reach(const struct relay_session *session, const struct in6_addr *address,
		     uint16_t port)
{
	return names_is_public(address) || names_find_address(&session->policy, address, port);
}

/* ID allow VALUE */
static bool take_rule(struct names *policy, char *line)
{
	char *end;
	const char *why;
	unsigned long id = strtoul(line, &end, 10);
	bool deny = strncmp(end, " deny ", 6) == 0;
	size_t before = policy->count;
	if (!deny && strncmp(end, " allow ", 7) != 0)
		return false;
	if (names_add(policy, deny, end + (deny ? 6 : 7), &why) < 0)
		return false;
	if (policy->count > before)
		policy->rules[before].id = (uint32_t)id;
	return true;
}

/* Addresses are hosts from the beginning: they have no names to be asked for. */
static void make_address(struct relay_session *session, const struct names_rule *rule)
{
	const struct in_addr *v4 = (const void *)&rule->address.s6_addr[12];
	bool mapped = IN6_IS_ADDR_V4MAPPED(&rule->address);
	/* The loopback inside is the session's own. */
	if (rule->deny || rule->kind != NAMES_ADDRESS ||
	    (mapped ? ntohl(v4->s_addr) >> 24 == 127 : IN6_IS_ADDR_LOOPBACK(&rule->address)))
		return;
	struct relay_host *host = relay_host_find(session, rule->host);
	if (!host && !names_find_address(&session->policy, &rule->address, 0))
		return;
	if (!host)
		host = relay_host_make(session, rule->host);
	if (!host || host->is_address)
		return;
	host->is_address = true;
	host->inside = rule->address;
	host->found = (struct dns_addresses){ .count = 1, .addresses = { rule->address } };
	host->until = UINT64_MAX;
	relay_host_need(host);
}

void relay_take_policy(struct relay_session *session, char *text)
{
	struct names policy = { .more = NAMES_RULES_MAX }; /* the ceiling's */
	char *line, *rest = text;
	bool whole = true;
	report_counts(session);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			whole &= take_rule(&policy, line);
	if (!whole) { /* a `deny` may be missing: then nothing is allowed */
		names_finish(&policy);
		relay_log(session, "network: its lines cannot be held: nothing is allowed");
	}
	names_finish(&session->policy);
	session->policy = policy;
	relay_flows_judge(session);
	relay_hosts_judge(session);
	for (size_t i = 0; i < session->policy.count; i++)
		make_address(session, &session->policy.rules[i]);
}

/* Life */

/* Those of another relay were others: who knows one from before is refused, and asks again. */
static uint32_t first_address(uint64_t generation)
{
	return FIRST_ADDRESS + (uint32_t)(generation * GENERATION_ADDRESSES % INSIDE_ADDRESSES);
}

struct relay_session *relay_attach(struct relay *relay, uint64_t id,
				   const struct relay_terms *terms, const int *ends)
{
	struct relay_session *session = calloc(1, sizeof(*session));
	if (!session)
		return NULL;
	session->relay = relay;
	session->id = id;
	session->terms = *terms;
	session->last_wish = &session->first_wish;
	session->last_wish_id = terms->generation << 32;
	session->next_address = first_address(terms->generation);
	memcpy(session->ends, ends, sizeof(session->ends));
	loop_timer_init(&session->counts, relay->loop, report_counts, session);
	loop_timer_init(&session->pause, relay->loop, on_pause_over, session);
	if (loop_add(relay->loop, ends[INSIDE_INIT], EPOLLIN, on_init, session,
		     &session->init_source) < 0 ||
	    relay_dns_open(session) < 0) {
		loop_remove(session->init_source);
		free(session);
		return NULL;
	}
	session->next = relay->sessions;
	relay->sessions = session;
	return session;
}

void relay_detach(struct relay_session *session)
{
	struct relay_session **at = &session->relay->sessions;
	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	relay_ports_close(session);
	relay_flows_cut(session, NULL, NULL);
	while (session->hosts)
		relay_host_drop(session->hosts);
	relay_dns_close(session);
	stop_asking(session);
	report_counts(session);
	relay_say(session->relay, RELAY_GONE, session->id, NULL, 0);
	loop_timer_disarm(&session->counts);
	loop_timer_disarm(&session->pause);
	for (int i = 0; i < INSIDE_ENDS; i++)
		close(session->ends[i]);
	names_finish(&session->policy);
	free(session);
}
