/* SPDX-License-Identifier: MIT */
#include "relay_parts.h"

#include "confine.h"
#include "message.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { OUTGOING_MAX = 4096, SWEEP_S = 30 };
#define SECOND_NS UINT64_C(1000000000)

struct relay_outgoing {
	struct relay_outgoing *next;
	size_t size;
	char data[];
};

/* To the server */

static void wait_for_room(struct relay *relay, bool wait)
{
	(void)loop_modify(relay->server_source, wait ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void send_outgoing(struct relay *relay)
{
	while (relay->first) {
		struct relay_outgoing *out = relay->first;
		int error =
			message_send(relay->server, out->data, out->size, NULL, 0, MSG_DONTWAIT);
		if (error == -EAGAIN)
			return;
		relay->first = out->next;
		if (!relay->first)
			relay->last = &relay->first;
		relay->outgoing--;
		free(out);
	}
	wait_for_room(relay, false);
}

static void put_word(struct relay *relay, struct relay_word word, const void *text)
{
	size_t size = word.size;
	struct relay_outgoing *out = malloc(sizeof(*out) + sizeof(word) + size);
	if (!out || relay->outgoing == OUTGOING_MAX) {
		free(out);
		return; /* the server does not listen: it is about to end this process */
	}
	out->next = NULL;
	out->size = sizeof(word) + size;
	memcpy(out->data, &word, sizeof(word));
	if (size)
		memcpy(out->data + sizeof(word), text, size);
	if (!relay->first)
		wait_for_room(relay, true);
	*relay->last = out;
	relay->last = &out->next;
	relay->outgoing++;
	send_outgoing(relay);
}

void relay_say(struct relay *relay, enum relay_verb verb, uint64_t session, const void *text,
	       size_t size)
{
	put_word(relay,
		 (struct relay_word){ .verb = verb, .size = (uint32_t)size, .session = session },
		 text);
}

static void relay_say_number(struct relay *relay, enum relay_verb verb, uint64_t session,
			     uint64_t number)
{
	put_word(relay, (struct relay_word){ .verb = verb, .session = session, .number = number },
		 NULL);
}

/* By the time at which the next line would be in its turn, were they as dense as they may be. */
static bool may_log(struct relay_session *session)
{
	const uint64_t each = SECOND_NS / RELAY_LINES_RATE;
	uint64_t now = loop_now();
	if (session->lines_at < now)
		session->lines_at = now;
	if (session->lines_at - now >= each * RELAY_LINES_BURST)
		return false;
	session->lines_at += each;
	return true;
}

/* The same as the last is left out, and so are those that come too fast; how many is told. */
void relay_log(struct relay_session *session, const char *format, ...)
{
	char line[RELAY_LINE_MAX], text[RELAY_LINE_MAX + 64];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (strcmp(line, session->last_line) == 0 || !may_log(session)) {
		session->lines_left_out++;
		return;
	}
	memcpy(session->last_line, line, sizeof(line));
	int size = session->lines_left_out
			   ? snprintf(text, sizeof(text), "%s (%lu lines before it left out)", line,
				      session->lines_left_out)
			   : snprintf(text, sizeof(text), "%s", line);
	session->lines_left_out = 0;
	relay_say(session->relay, RELAY_LOG, session->id, text, (size_t)size);
}

/* From the server */

static struct relay_session *find(struct relay *relay, uint64_t id)
{
	struct relay_session *session = relay->sessions;
	while (session && session->id != id)
		session = session->next;
	return session;
}

/* With the ids of the sessions' owner, and without any right. */
static void become(uint64_t number)
{
	uid_t uid = (uid_t)(number >> 32);
	gid_t gid = (gid_t)number;
	if (geteuid() == 0) {
		/* So that what is left can be bounded, too. */
		prctl(PR_SET_KEEPCAPS, 1);
		if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
		    setresuid(uid, uid, uid) < 0 || confine_recover() < 0)
			_exit(1);
	}
	/* The change of ids undid both. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0);
	int error = confine_rights(CONFINE_RELAY);
	if (error == 0)
		error = confine_calls(CONFINE_RELAY);
	if (error < 0)
		_exit(1);
}

static void take_files(struct relay *relay, uint64_t which, int *descriptors)
{
	unsigned at = 0;
	int config = which & RELAY_CONFIG_FILE ? descriptors[at++] : -1;
	int hosts = which & RELAY_HOSTS_FILE ? descriptors[at++] : -1;
	resolver_take_files(relay->resolver, config, hosts);
	for (unsigned i = 0; i < at; i++)
		descriptors[i] = -1;
	relay->wants_files = false;
}

static void attach(struct relay *relay, const struct relay_word *word, const char *text,
		   int *descriptors)
{
	struct relay_terms terms;
	if (word->size != sizeof(terms) || find(relay, word->session))
		return;
	memcpy(&terms, text, sizeof(terms));
	if (relay_attach(relay, word->session, &terms, descriptors))
		for (int i = 0; i < INSIDE_ENDS; i++)
			descriptors[i] = -1;
}

static void obey(struct relay *relay, const struct relay_word *word, char *text, int *descriptors)
{
	struct relay_session *session = find(relay, word->session);
	if (word->verb == RELAY_BECOME)
		become(word->number);
	else if (word->verb == RELAY_FILES)
		take_files(relay, word->number, descriptors);
	else if (word->verb == RELAY_ATTACH)
		attach(relay, word, text, descriptors);
	if (!session)
		return;
	if (word->verb == RELAY_POLICY) {
		relay_take_policy(session, text);
		relay_say_number(relay, RELAY_SETTLED, session->id, word->number);
	} else if (word->verb == RELAY_DETACH) {
		relay_detach(session);
	} else if (word->verb == RELAY_PUBLISH && descriptors[0] >= 0) {
		relay_publish(session, (uint16_t)word->number, descriptors[0]);
		descriptors[0] = -1;
	}
}

static void on_server(void *data, uint32_t events)
{
	static _Alignas(8) char message[sizeof(struct relay_word) + RELAY_TEXT_MAX + 1];
	struct relay *relay = data;
	int descriptors[MESSAGE_DESCRIPTORS];
	struct relay_word word;
	if (events & EPOLLOUT)
		send_outgoing(relay);
	ssize_t size = message_receive(relay->server, message, sizeof(message) - 1, descriptors,
				       NULL, MSG_DONTWAIT);
	if (size == -EAGAIN || size == -EINTR)
		return;
	if (size < (ssize_t)sizeof(word))
		_exit(0); /* the server has gone */
	memcpy(&word, message, sizeof(word));
	message[size] = '\0';
	if (word.size == (size_t)size - sizeof(word))
		obey(relay, &word, message + sizeof(word), descriptors);
	for (int i = 0; i < MESSAGE_DESCRIPTORS; i++)
		if (descriptors[i] >= 0)
			close(descriptors[i]);
}

static void on_sweep(void *data)
{
	struct relay *relay = data;
	uint64_t now = loop_now();
	for (struct relay_session *session = relay->sessions; session; session = session->next) {
		relay_flows_sweep(session, now);
		relay_dns_sweep(session, now);
	}
	loop_timer_arm(&relay->sweep, SWEEP_S * SECOND_NS);
}

/* As many descriptors as there may be: each connection takes two. */
static void raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static _Noreturn void run(void *context, int socket)
{
	static struct relay relay;
	(void)context;
	relay = (struct relay){ .server = socket, .last = &relay.first };
	raise_limit();
	if (loop_create(&relay.loop) < 0 || resolver_create(relay.loop, &relay.resolver) < 0 ||
	    loop_add(relay.loop, socket, EPOLLIN, on_server, &relay, &relay.server_source) < 0)
		_exit(1);
	loop_timer_init(&relay.sweep, relay.loop, on_sweep, &relay);
	on_sweep(&relay);
	for (;;)
		if (loop_dispatch(relay.loop, -1) < 0)
			_exit(1);
}

void relay_kind(struct helper_kind *kind)
{
	*kind = (struct helper_kind){ .title = "mimobox-relay", .run = run };
}
