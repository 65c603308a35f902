/* SPDX-License-Identifier: MIT */
/*
 * A port of the sandbox's own loopback, which clients outside reach by a UNIX socket of the
 * session's directory: `ports/PORT`. The sandbox's init connects to what listens there.
 */
#include "relay_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BOTH_WAYS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
enum { LINKS_MAX = 512, ACCEPTS = 16 };

struct relay_port {
	struct relay_port *next;
	struct relay_session *session;
	uint16_t port;
	int fd;
	struct loop_source *source;
	struct relay_link *links;
	unsigned link_count;
};

struct relay_link {
	struct relay_link *next, **at;
	struct relay_port *port;
	int client, server; /* -1: not yet */
	bool second;        /* the other kind of loopback is tried */
	bool connected;
	struct relay_wish *wish;
	struct loop_source *client_source, *server_source;
	struct relay_way up, down;
};

static const struct in6_addr loopback4 = { .s6_addr = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };

static void end_link(struct relay_link *link)
{
	struct relay *relay = link->port->session->relay;
	*link->at = link->next;
	if (link->next)
		link->next->at = link->at;
	link->port->link_count--;
	if (link->wish)
		link->wish->fn = NULL;
	loop_remove(link->client_source);
	loop_remove(link->server_source);
	relay_way_finish(relay, &link->up);
	relay_way_finish(relay, &link->down);
	close(link->client);
	if (link->server >= 0)
		close(link->server);
	free(link);
}

static void ask_for_server(struct relay_link *link);

static void pump(struct relay_link *link)
{
	struct relay *relay = link->port->session->relay;
	uint64_t count = 0;
	int up = relay_way_move(relay, &link->up, &count);
	int down = relay_way_move(relay, &link->down, &count);
	if (up < 0 || down < 0 || (link->up.closed && link->down.closed)) {
		end_link(link);
		return;
	}
	if (up > 0)
		loop_again(link->client_source);
	if (down > 0)
		loop_again(link->server_source);
}

/* The other kind of loopback, if that was not it already. */
static void try_second(struct relay_link *link)
{
	loop_remove(link->server_source);
	link->server_source = NULL;
	if (link->server >= 0)
		close(link->server);
	link->server = -1;
	if (link->second) {
		end_link(link);
		return;
	}
	link->second = true;
	ask_for_server(link);
}

/* A connection that begins tells by being writable, or by its error. */
static void on_server(void *data, uint32_t events)
{
	struct relay_link *link = data;
	int error = 0;
	socklen_t size = sizeof(error);
	if (!link->connected && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		if (getsockopt(link->server, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error) {
			try_second(link);
			return;
		}
		link->connected = true;
	}
	if (link->connected)
		pump(link);
}

static void on_client(void *data, uint32_t events)
{
	struct relay_link *link = data;
	if (link->connected)
		pump(link);
	else if (events & (EPOLLERR | EPOLLHUP))
		end_link(link);
}

static void on_made(void *data, int fd)
{
	struct relay_link *link = data;
	link->wish = NULL;
	if (fd < 0) {
		try_second(link);
		return;
	}
	link->server = fd;
	link->up = (struct relay_way){ .from = link->client, .to = fd };
	link->down = (struct relay_way){ .from = fd, .to = link->client };
	if (loop_add(link->port->session->relay->loop, fd, BOTH_WAYS, on_server, link,
		     &link->server_source) < 0)
		end_link(link);
}

static void ask_for_server(struct relay_link *link)
{
	link->wish = relay_wish(link->port->session, INSIDE_CONNECT,
				link->second ? &in6addr_loopback : &loopback4, link->port->port,
				on_made, link);
	if (!link->wish)
		end_link(link);
}

static void take_client(struct relay_port *port, int fd)
{
	struct relay_link *link = port->link_count < LINKS_MAX ? calloc(1, sizeof(*link)) : NULL;
	if (!link || loop_add(port->session->relay->loop, fd, BOTH_WAYS, on_client, link,
			      &link->client_source) < 0) {
		close(fd);
		free(link);
		return;
	}
	link->port = port;
	link->client = fd;
	link->server = -1;
	link->next = port->links;
	link->at = &port->links;
	if (link->next)
		link->next->at = &link->next;
	port->links = link;
	port->link_count++;
	ask_for_server(link);
}

static void on_port(void *data, uint32_t events)
{
	(void)events;
	struct relay_port *port = data;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(port->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		take_client(port, fd);
	}
}

static void close_port(struct relay_port *port)
{
	for (struct relay_link *link = port->links, *next; link; link = next) {
		next = link->next;
		end_link(link);
	}
	loop_remove(port->source);
	close(port->fd);
	free(port);
}

void relay_ports_close(struct relay_session *session)
{
	while (session->ports) {
		struct relay_port *port = session->ports;
		session->ports = port->next;
		close_port(port);
	}
	session->port_count = 0;
}

void relay_publish(struct relay_session *session, uint16_t number, int listener)
{
	struct relay_port *port =
		session->port_count < RELAY_PORTS_MAX ? calloc(1, sizeof(*port)) : NULL;
	if (!port) {
		close(listener);
		return;
	}
	*port = (struct relay_port){ .session = session, .port = number, .fd = listener };
	if (loop_add(session->relay->loop, listener, EPOLLIN, on_port, port, &port->source) < 0) {
		close(listener);
		free(port);
		return;
	}
	port->next = session->ports;
	session->ports = port;
	session->port_count++;
}
