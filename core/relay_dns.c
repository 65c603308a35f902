/* SPDX-License-Identifier: MIT */
/*
 * What a sandbox hears when it asks for a name: the address that it has inside, if it is allowed.
 * All else is answered at once, so that programs fail at once: a name that is not allowed does not
 * exist, and of one that is there is nothing but its address.
 */
#include "relay_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CLIENTS_MAX = 16, DATAGRAMS = 32, QUESTION_MAX = 512, ANSWER_SECONDS = 60, PREFIX = 2 };
enum { LOCAL_SECONDS = 600 };
#define CLIENT_IDLE_NS UINT64_C(30000000000)

/* By TCP. */
struct relay_client {
	struct relay_client *next;
	struct relay_session *session;
	int fd;
	struct loop_source *source;
	uint64_t used;
	size_t size;
	uint8_t data[PREFIX + QUESTION_MAX];
};

struct relay_question {
	struct relay_question *next;
	struct relay_client *client; /* NULL: a datagram of `from` */
	struct sockaddr_in from;
	struct dns_question question;
	size_t size;
	uint8_t message[QUESTION_MAX];
};

/* Answers */

static void send_answer(struct relay_session *session, const struct relay_question *asked,
			const struct dns_answer *answer)
{
	uint8_t message[PREFIX + DNS_MESSAGE_MAX];
	size_t size = dns_write_answer(asked->message, &asked->question, answer, message + PREFIX);
	if (!asked->client) {
		sendto(session->ends[INSIDE_DNS], message + PREFIX, size,
		       MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&asked->from,
		       sizeof(asked->from));
		return;
	}
	message[0] = (uint8_t)(size >> 8);
	message[1] = (uint8_t)size;
	/* One that does not read its answers loses them. */
	send(asked->client->fd, message, size + PREFIX, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void answer_host(const struct relay_host *host, const struct relay_question *asked,
			enum dns_code code, enum dns_reason reason)
{
	struct in_addr inside;
	struct dns_answer answer = { .code = code, .reason = reason };
	bool known = code == DNS_NO_ERROR && host->state == HOST_READY;
	memcpy(&inside, &host->inside.s6_addr[12], sizeof(inside));
	if (known && (asked->question.type == DNS_A || asked->question.type == DNS_ANY)) {
		answer.address = &inside;
		answer.seconds =
			host->found.seconds < ANSWER_SECONDS ? host->found.seconds : ANSWER_SECONDS;
	}
	send_answer(host->session, asked, &answer);
}

void relay_dns_answer(struct relay_host *host, enum dns_code code, enum dns_reason reason)
{
	while (host->questions) {
		struct relay_question *asked = host->questions;
		host->questions = asked->next;
		host->session->questions--;
		answer_host(host, asked, code, reason);
		free(asked);
	}
}

static void refuse(struct relay_session *session, const struct relay_question *asked,
		   enum dns_code code)
{
	const struct dns_answer answer = { .code = code,
					   .reason = code == DNS_NO_NAME ? DNS_BLOCKED
									 : DNS_NO_REASON };
	send_answer(session, asked, &answer);
}

/* Questions */

static void wait_for(struct relay_host *host, const struct relay_question *asked)
{
	struct relay_session *session = host->session;
	struct relay_question *waiting =
		session->questions < RELAY_QUESTIONS_MAX ? malloc(sizeof(*waiting)) : NULL;
	if (!waiting) {
		refuse(session, asked, DNS_SERVER_FAILURE);
		return;
	}
	*waiting = *asked;
	waiting->next = host->questions;
	host->questions = waiting;
	session->questions++;
}

static bool is_local(const char *name)
{
	static const char local[] = "localhost";
	size_t length = strlen(name), least = sizeof(local) - 1;
	return length >= least && strcmp(name + length - least, local) == 0 &&
	       (length == least || name[length - least - 1] == '.');
}

static void answer_local(struct relay_session *session, const struct relay_question *asked)
{
	const struct in_addr loopback = { .s_addr = htonl(INADDR_LOOPBACK) };
	struct dns_answer answer = { .seconds = LOCAL_SECONDS };
	if (asked->question.type == DNS_A || asked->question.type == DNS_ANY)
		answer.address = &loopback;
	send_answer(session, asked, &answer);
}

/* PTR of addresses that were given; there are no others. */
static void answer_reverse(struct relay_session *session, const struct relay_question *asked,
			   const struct in_addr *address)
{
	const struct relay_host *host = relay_host_at(session, address);
	struct dns_answer answer = { .code = DNS_NO_NAME, .seconds = ANSWER_SECONDS };
	if (ntohl(address->s_addr) >> 24 == 127)
		answer.pointer = "localhost";
	else if (host && !host->is_address)
		answer.pointer = host->name;
	if (answer.pointer)
		answer.code = DNS_NO_ERROR;
	send_answer(session, asked, &answer);
}

static void refuse_name(struct relay_session *session, const struct relay_question *asked,
			const struct names_rule *rule, const char *why)
{
	relay_count(session, rule ? rule->id : 0)->refused++;
	/* Programs ask for both kinds of addresses: that is one thing to be told. */
	if (asked->question.type != DNS_AAAA)
		relay_log(session, "network refused: %s: %s", asked->question.name, why);
	refuse(session, asked, DNS_NO_NAME);
}

static void ask_for(struct relay_session *session, const struct relay_question *asked,
		    const char *name, bool allowed)
{
	struct relay_host *host = relay_host_find(session, name);
	if (!host)
		host = relay_host_make(session, name);
	if (!host) {
		relay_log(session, "network: %s: there are too many names", name);
		refuse(session, asked, DNS_SERVER_FAILURE);
		return;
	}
	wait_for(host, asked);
	if (allowed)
		relay_host_need(host);
	else
		relay_host_ask(host);
}

static void answer_question(struct relay_session *session, const struct relay_question *asked)
{
	const struct dns_question *question = &asked->question;
	char name[NAMES_NAME_MAX + 1];
	struct in_addr address;
	if (dns_is_reverse(question->name, &address)) {
		answer_reverse(session, asked, &address);
		return;
	}
	if (!question->usual || !names_tidy(question->name, name)) {
		refuse_name(session, asked, NULL, "that is no name of a host");
		return;
	}
	if (is_local(name)) {
		answer_local(session, asked);
		return;
	}
	const struct names_rule *rule = names_find(&session->policy, name);
	if (rule && rule->deny)
		refuse_name(session, asked, rule, "it is denied");
	else if (!rule && session->terms.ask_ns == 0)
		refuse_name(session, asked, rule, "it is not allowed");
	else if (question->type == DNS_A || question->type == DNS_AAAA ||
		 question->type == DNS_ANY || !rule)
		ask_for(session, asked, name, rule != NULL);
	else
		send_answer(session, asked, &(struct dns_answer){ .code = DNS_NO_ERROR });
}

static void take_message(struct relay_session *session, struct relay_question *asked)
{
	int code = dns_read_question(asked->message, asked->size, &asked->question);
	if (code == 0)
		answer_question(session, asked);
	else if (code > 0)
		refuse(session, asked, (enum dns_code)code);
}

static void on_datagram(void *data, uint32_t events)
{
	(void)events;
	struct relay_session *session = data;
	for (int i = 0; i < DATAGRAMS; i++) {
		struct relay_question asked = { 0 };
		socklen_t length = sizeof(asked.from);
		ssize_t size =
			recvfrom(session->ends[INSIDE_DNS], asked.message, sizeof(asked.message),
				 MSG_DONTWAIT, (struct sockaddr *)&asked.from, &length);
		if (size < 0)
			return;
		asked.size = (size_t)size;
		take_message(session, &asked);
	}
}

/* TCP */

static void close_client(struct relay_client *client)
{
	struct relay_session *session = client->session;
	struct relay_client **at = &session->clients;
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	session->client_count--;
	for (struct relay_host *host = session->hosts; host; host = host->next)
		for (struct relay_question **asked = &host->questions; *asked;) {
			struct relay_question *question = *asked;
			if (question->client != client) {
				asked = &question->next;
				continue;
			}
			*asked = question->next;
			session->questions--;
			free(question);
		}
	loop_remove(client->source);
	close(client->fd);
	free(client);
}

/* False: it is too large. */
static bool take_whole(struct relay_client *client)
{
	while (client->size >= PREFIX) {
		size_t size = (size_t)client->data[0] << 8 | client->data[1];
		if (size > QUESTION_MAX)
			return false;
		if (client->size < PREFIX + size)
			return true;
		struct relay_question asked = { .client = client, .size = size };
		memcpy(asked.message, client->data + PREFIX, size);
		client->size -= PREFIX + size;
		memmove(client->data, client->data + PREFIX + size, client->size);
		take_message(client->session, &asked);
	}
	return true;
}

static void on_client(void *data, uint32_t events)
{
	(void)events;
	struct relay_client *client = data;
	ssize_t size = recv(client->fd, client->data + client->size,
			    sizeof(client->data) - client->size, MSG_DONTWAIT);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	client->used = loop_now();
	client->size += size > 0 ? (size_t)size : 0;
	if (size <= 0 || !take_whole(client))
		close_client(client);
}

static void close_oldest(struct relay_session *session)
{
	struct relay_client *oldest = session->clients;
	for (struct relay_client *client = oldest; client; client = client->next)
		if (client->used < oldest->used)
			oldest = client;
	close_client(oldest);
}

static void on_tcp(void *data, uint32_t events)
{
	(void)events;
	struct relay_session *session = data;
	int fd = accept4(session->ends[INSIDE_DNS_TCP], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct relay_client *client = fd < 0 ? NULL : calloc(1, sizeof(*client));
	if (!client) {
		if (fd >= 0)
			close(fd);
		else if (errno != EAGAIN && errno != EINTR && session->clients)
			close_oldest(session);
		return;
	}
	if (session->client_count == CLIENTS_MAX)
		close_oldest(session);
	*client = (struct relay_client){ .session = session, .fd = fd, .used = loop_now() };
	if (loop_add(session->relay->loop, fd, EPOLLIN, on_client, client, &client->source) < 0) {
		close(fd);
		free(client);
		return;
	}
	client->next = session->clients;
	session->clients = client;
	session->client_count++;
}

void relay_dns_sweep(struct relay_session *session, uint64_t now)
{
	for (struct relay_client *client = session->clients, *next; client; client = next) {
		next = client->next;
		if (now - client->used > CLIENT_IDLE_NS + session->terms.ask_ns)
			close_client(client);
	}
}

int relay_dns_open(struct relay_session *session)
{
	struct loop *loop = session->relay->loop;
	int error = loop_add(loop, session->ends[INSIDE_DNS], EPOLLIN, on_datagram, session,
			     &session->dns_source);
	if (error == 0)
		error = loop_add(loop, session->ends[INSIDE_DNS_TCP], EPOLLIN, on_tcp, session,
				 &session->dns_tcp_source);
	if (error < 0)
		loop_remove(session->dns_source);
	return error;
}

void relay_dns_close(struct relay_session *session)
{
	for (struct relay_client *client = session->clients, *next; client; client = next) {
		next = client->next;
		close_client(client);
	}
	loop_remove(session->dns_source);
	loop_remove(session->dns_tcp_source);
}
