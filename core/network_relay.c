/* SPDX-License-Identifier: MIT */
/*
 * A relay ends by itself when the server does. When it is killed, its connections are cut, nothing
 * gets through, and another takes its place: what sessions have inside is the server's, too.
 *
 * No word waits for an answer, and none is waited with: what the socket has no room for is kept.
 */
#include "network_relay.h"

#include "ceiling.h"
#include "forker.h"
#include "message.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_NS UINT64_C(10000000000)
#define RETRY_MIN_NS UINT64_C(20000000)
#define RETRY_MAX_NS UINT64_C(5000000000)
/* One that lives for so long is as good as any. */
#define GOOD_NS UINT64_C(1000000000)

enum { OUTGOING_MAX = 100000 };

struct outgoing {
	struct outgoing *next;
	size_t size;
	unsigned count;
	int descriptors[MESSAGE_DESCRIPTORS];
	char data[];
};

struct network_relay {
	struct network_relay *next;
	struct mimobox *box;
	uid_t uid; /* of its sessions */
	int pidfd, socket;
	struct loop_source *source;
	struct outgoing *first, **last;
	unsigned waiting;
	struct session_network *networks;
	struct loop_timer timer; /* to start it, or to end it when it has no session */
	uint64_t started, retry;
};

/* Words */

static void free_outgoing(struct outgoing *out)
{
	for (unsigned i = 0; i < out->count; i++)
		close(out->descriptors[i]);
	free(out);
}

static void drop_outgoing(struct network_relay *relay)
{
	while (relay->first) {
		struct outgoing *out = relay->first;
		relay->first = out->next;
		free_outgoing(out);
	}
	relay->last = &relay->first;
	relay->waiting = 0;
}

static void send_outgoing(struct network_relay *relay)
{
	while (relay->first) {
		struct outgoing *out = relay->first;
		int error = message_send(relay->socket, out->data, out->size, out->descriptors,
					 out->count, MSG_DONTWAIT);
		if (error == -EAGAIN)
			return;
		relay->first = out->next;
		if (!relay->first)
			relay->last = &relay->first;
		relay->waiting--;
		free_outgoing(out);
	}
	(void)loop_modify(relay->source, EPOLLIN);
}

static struct outgoing *make_outgoing(const struct relay_word *word, const void *text,
				      const int *descriptors, unsigned count)
{
	struct outgoing *out = malloc(sizeof(*out) + sizeof(*word) + word->size);
	if (!out)
		return NULL;
	*out = (struct outgoing){ .size = sizeof(*word) + word->size };
	memcpy(out->data, word, sizeof(*word));
	if (word->size)
		memcpy(out->data + sizeof(*word), text, word->size);
	for (; out->count < count; out->count++) {
		out->descriptors[out->count] = fcntl(descriptors[out->count], F_DUPFD_CLOEXEC, 0);
		if (out->descriptors[out->count] < 0) {
			free_outgoing(out);
			return NULL;
		}
	}
	return out;
}

static void lose(struct network_relay *relay);

/* One that does not listen, or that cannot be told, is of no use: another is told all of it. */
static void say(struct network_relay *relay, struct relay_word word, const void *text,
		const int *descriptors, unsigned count)
{
	if (relay->socket < 0)
		return;
	struct outgoing *out = relay->waiting < OUTGOING_MAX
				       ? make_outgoing(&word, text, descriptors, count)
				       : NULL;
	if (!out) {
		lose(relay);
		return;
	}
	if (!relay->first)
		(void)loop_modify(relay->source, EPOLLIN | EPOLLOUT);
	*relay->last = out;
	relay->last = &out->next;
	relay->waiting++;
	send_outgoing(relay);
}

static void say_files(struct network_relay *relay)
{
	static const char *const paths[] = { "/etc/resolv.conf", "/etc/hosts" };
	int descriptors[2] = { -1, -1 };
	unsigned count = 0;
	struct relay_word word = { .verb = RELAY_FILES };
	for (unsigned i = 0; i < 2; i++) {
		int fd = open(paths[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		word.number |= i == 0 ? RELAY_CONFIG_FILE : RELAY_HOSTS_FILE;
		descriptors[count++] = fd;
	}
	say(relay, word, NULL, descriptors, count);
	while (count > 0)
		close(descriptors[--count]);
}

static void say_identity(struct network_relay *relay)
{
	struct mimobox *box = relay->box;
	const struct mimobox_session *session = relay->networks->session;
	uid_t uid = relay->uid;
	gid_t gid = session->gid;
	/* Root's have nothing of root's: as their programs, theirs is an id of its own. */
	if (uid == 0 || gid == 0) {
		uid_t own = box_identity(box);
		gid = gid ? gid : own;
		uid = uid ? uid : own;
	}
	say(relay, (struct relay_word){ .verb = RELAY_BECOME, .number = (uint64_t)uid << 32 | gid },
	    NULL, NULL, 0);
}

static void print_rules(const struct names *names, bool deny_only, FILE *to)
{
	for (size_t i = 0; names && i < names->count; i++) {
		const struct names_rule *rule = &names->rules[i];
		if (deny_only && !rule->deny)
			continue;
		/* Those that are not of the session's count for no line of its. */
		fprintf(to, "%u %s ", deny_only ? 0 : rule->id, rule->deny ? "deny" : "allow");
		names_print_rule(rule, to);
		fputc('\n', to);
	}
}

void network_relay_tell_policy(struct session_network *network)
{
	struct mimobox_session *session = network->session;
	char *text = NULL;
	size_t size = 0;
	if (!network->relay)
		return;
	FILE *to = open_memstream(&text, &size);
	if (!to) {
		lose(network->relay);
		return;
	}
	print_rules(&session->config.access.names, false, to);
	print_rules(ceiling_names(&session->share), true, to);
	if (fclose(to) != 0 || size > RELAY_TEXT_MAX)
		lose(network->relay); /* without memory: what is not allowed is not to go on */
	else
		say(network->relay,
		    (struct relay_word){ .verb = RELAY_POLICY,
					 .number = ++network->policy,
					 .size = (uint32_t)size,
					 .session = session->id },
		    text, NULL, 0);
	free(text);
}

void network_relay_publish(struct session_network *network, const struct network_port *port)
{
	if (network->relay && port->fd >= 0)
		say(network->relay,
		    (struct relay_word){ .verb = RELAY_PUBLISH,
					 .session = network->session->id,
					 .number = port->number },
		    NULL, &port->fd, 1);
}

static void say_session(struct network_relay *relay, struct session_network *network)
{
	struct mimobox_session *session = network->session;
	const struct relay_terms terms = {
		.ask_ns = session->config.ask_ns == UINT64_MAX ? 0 : session->config.ask_ns,
		.generation = ++network->generation,
	};
	session_touch(session);
	say(relay,
	    (struct relay_word){
		    .verb = RELAY_ATTACH, .size = sizeof(terms), .session = session->id },
	    &terms, session->sandbox.inside, INSIDE_ENDS);
	network_relay_tell_policy(network);
	for (unsigned i = 0; i < network->port_count && relay->socket >= 0; i++)
		network_relay_publish(network, &network->ports[i]);
}

/* Life */

static void start(struct network_relay *relay);

static void close_relay(struct network_relay *relay)
{
	loop_remove(relay->source);
	relay->source = NULL;
	if (relay->socket >= 0)
		close(relay->socket);
	relay->socket = -1;
	forker_reap(relay->pidfd);
	relay->pidfd = -1;
	drop_outgoing(relay);
}

static void free_relay(struct network_relay *relay)
{
	struct network_relay **at = &relay->box->relays;
	while (*at != relay)
		at = &(*at)->next;
	*at = relay->next;
	loop_timer_disarm(&relay->timer);
	close_relay(relay);
	for (struct session_network *network = relay->networks; network; network = network->next)
		network->relay = NULL; /* the session is still referenced */
	free(relay);
}

static void start_later(struct network_relay *relay)
{
	bool good = relay->started && loop_now() - relay->started > GOOD_NS;
	relay->retry = good || !relay->retry ? RETRY_MIN_NS : 2 * relay->retry;
	if (relay->retry > RETRY_MAX_NS)
		relay->retry = RETRY_MAX_NS;
	loop_timer_arm(&relay->timer, relay->retry);
}

void network_relay_forget(struct session_network *network)
{
	struct network_relay *relay = network->relay;
	if (!relay)
		return;
	struct session_network **at = &relay->networks;
	while (*at != network)
		at = &(*at)->next;
	*at = network->next;
	network->relay = NULL;
	if (!relay->networks)
		loop_timer_arm(&relay->timer, LINGER_NS);
}

static void lose(struct network_relay *relay)
{
	if (relay->socket < 0)
		return;
	close_relay(relay);
	for (struct session_network *network = relay->networks, *next; network; network = next) {
		struct mimobox_session *session = network->session;
		next = network->next;
		if (network->closing)
			network_relay_forget(network);
		else
			mimobox_session_log(
				network->session,
				"network: the relay has ended, and its connections with it");
		session_notify(session, MIMOBOX_ASKED);
	}
	start_later(relay);
}

static struct session_network *find(struct network_relay *relay, uint64_t session)
{
	struct session_network *network = relay->networks;
	while (network && network->session->id != session)
		network = network->next;
	return network;
}

static void on_relay(void *data, uint32_t events)
{
	static _Alignas(8) char message[sizeof(struct relay_word) + RELAY_TEXT_MAX + 1];
	struct network_relay *relay = data;
	int descriptors[MESSAGE_DESCRIPTORS];
	struct relay_word word;
	if (events & EPOLLOUT)
		send_outgoing(relay);
	ssize_t size = message_receive(relay->socket, message, sizeof(message) - 1, descriptors,
				       NULL, MSG_DONTWAIT);
	if (size == -EAGAIN || size == -EINTR)
		return;
	for (int i = 0; i < MESSAGE_DESCRIPTORS; i++)
		if (descriptors[i] >= 0) /* it has none to give */
			close(descriptors[i]);
	if (size < (ssize_t)sizeof(word)) {
		lose(relay);
		return;
	}
	memcpy(&word, message, sizeof(word));
	message[size] = '\0';
	struct session_network *network = find(relay, word.session);
	if (word.size != (size_t)size - sizeof(word))
		lose(relay);
	else if (word.verb == RELAY_WANTS_FILES)
		say_files(relay);
	else if (network && word.verb == RELAY_GONE)
		network_relay_forget(network);
	else if (network)
		network_hear(network, &word, message + sizeof(word));
}

static void start(struct network_relay *relay)
{
	struct mimobox *box = relay->box;
	relay->started = loop_now();
	int error = forker_start(box->forker, BOX_RELAY, &relay->pidfd, &relay->socket);
	if (error == 0)
		error = loop_add(box->loop, relay->socket, EPOLLIN, on_relay, relay,
				 &relay->source);
	if (error < 0) {
		close_relay(relay);
		for (struct session_network *network = relay->networks; network;
		     network = network->next)
			mimobox_session_log(network->session, "network: no relay: %s",
					    strerror(-error));
		start_later(relay);
		return;
	}
	say_identity(relay);
	say_files(relay);
	for (struct session_network *network = relay->networks; network && relay->socket >= 0;
	     network = network->next)
		say_session(relay, network);
}

static void on_timer(void *data)
{
	struct network_relay *relay = data;
	if (!relay->networks)
		free_relay(relay);
	else if (relay->socket < 0)
		start(relay);
}

void network_relay_reset(struct session_network *network)
{
	if (network->relay)
		lose(network->relay);
}

bool network_relay_is_settled(const struct session_network *network)
{
	return !network->relay || network->relay->socket < 0 || network->closing ||
	       network->settled == network->policy;
}

static struct network_relay *find_relay(struct mimobox *box, uid_t uid)
{
	struct network_relay *relay = box->relays;
	while (relay && relay->uid != uid)
		relay = relay->next;
	if (relay)
		return relay;
	relay = calloc(1, sizeof(*relay));
	if (!relay)
		return NULL;
	*relay = (struct network_relay){
		.next = box->relays, .box = box, .uid = uid, .pidfd = -1, .socket = -1
	};
	relay->last = &relay->first;
	loop_timer_init(&relay->timer, box->loop, on_timer, relay);
	box->relays = relay;
	return relay;
}

void network_relay_attach(struct session_network *network)
{
	struct mimobox_session *session = network->session;
	struct network_relay *relay = find_relay(session->box, session->uid);
	if (!relay) {
		mimobox_session_log(session, "network: no relay: %s", strerror(ENOMEM));
		return;
	}
	network->relay = relay;
	network->closing = false;
	network->next = relay->networks;
	relay->networks = network;
	if (relay->socket >= 0) {
		loop_timer_disarm(&relay->timer);
		say_session(relay, network);
	} else if (!loop_timer_armed(&relay->timer)) {
		start(relay);
	}
}

void network_relay_detach(struct session_network *network)
{
	struct network_relay *relay = network->relay;
	if (!relay || network->closing)
		return;
	network->closing = true;
	if (relay->socket < 0)
		network_relay_forget(network);
	else
		say(relay,
		    (struct relay_word){ .verb = RELAY_DETACH, .session = network->session->id },
		    NULL, NULL, 0);
}

void network_kind(struct helper_kind *kind)
{
	relay_kind(kind);
}

void network_finish(struct mimobox *box)
{
	for (struct network_relay *relay = box->relays, *next; relay; relay = next) {
		next = relay->next;
		free_relay(relay);
	}
}
