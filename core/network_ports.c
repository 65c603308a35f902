/* SPDX-License-Identifier: MIT */
/*
 * `ports/PORT`: UNIX sockets on the session filesystem, through which clients reach what listens in
 * the sandbox. The binder makes them once the session has started; the filesystem knows the name
 * when it is asked for it. The server has them, too, so that another relay can go on.
 */
#include "network_relay.h"

#include "binder.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of a session that may have gone when the answer comes. */
struct network_binding {
	struct network_binding *next;
	struct mimobox *box;
	uint64_t session;
	uint16_t port;
};

static struct network_port *find(const struct mimobox_session *session, uint16_t number)
{
	struct session_network *network = session->network;
	for (unsigned i = 0; network && i < network->port_count; i++)
		if (network->ports[i].number == number)
			return &network->ports[i];
	return NULL;
}

static void unlink_binding(struct network_binding *binding)
{
	struct network_binding **at = &binding->box->bindings;
	while (*at != binding)
		at = &(*at)->next;
	*at = binding->next;
}

static int take(struct mimobox_session *session, struct network_port *port, int fd)
{
	uint32_t part = SESSION_PORT + (uint32_t)(port - session->network->ports);
	int error = session->box->keep ? keep_store(session->box->keep,
						    session_keep_sandbox_id(session), &part, &fd, 1)
				       : 0;
	if (error < 0)
		return error;
	port->fd = fd;
	network_relay_publish(session->network, port);
	session_touch(session);
	return 0;
}

static void on_bound(void *data, int result, const int *descriptors)
{
	struct network_binding *binding = data;
	struct mimobox_session *session = mimobox_session_by_id(binding->box, binding->session);
	struct network_port *port = session ? find(session, binding->port) : NULL;
	bool wanted = port && !session->network->closing && port->fd < 0;
	unlink_binding(binding);
	/* It was bound here, and at no other place of that name. */
	if (result == 0 && wanted && !port->bound)
		result = -ESTALE;
	if (result == 0 && wanted && descriptors[0] >= 0)
		result = take(session, port, descriptors[0]);
	else if (descriptors[0] >= 0)
		close(descriptors[0]);
	if (result < 0 && wanted) {
		port->bound = false;
		mimobox_session_log(session, "publish: ports/%u: %s", binding->port,
				    strerror(-result));
	}
	free(binding);
}

static int ask(struct mimobox_session *session, uint16_t number)
{
	struct mimobox *box = session->box;
	struct bind_request request = { .uid = session->uid, .gid = session->gid, .port = number };
	int size = snprintf(request.directory, sizeof(request.directory), "%s/%s/ports",
			    box->mount ? box->mount : "", session->name);
	if (!box->mount || size < 0 || (size_t)size >= sizeof(request.directory))
		return -ENAMETOOLONG;
	/* Few sessions have need of it. */
	int error =
		box->binder ? 0 : helper_create(box->loop, box->forker, BOX_BINDER, &box->binder);
	if (error < 0)
		return error;
	struct network_binding *binding = malloc(sizeof(*binding));
	if (!binding)
		return -ENOMEM;
	*binding = (struct network_binding){ box->bindings, box, session->id, number };
	box->bindings = binding;
	error = helper_ask(box->binder, &request, NULL, 0, on_bound, binding);
	if (error < 0) {
		unlink_binding(binding);
		free(binding);
	}
	return error;
}

void network_ports_open(struct mimobox_session *session)
{
	struct session_network *network = session->network;
	const struct access *access = &session->config.access;
	network->port_count = access->published_count;
	for (unsigned i = 0; i < network->port_count; i++) {
		struct network_port *port = &network->ports[i];
		port->number = access->published[i];
		int error = port->fd < 0 ? ask(session, port->number) : 0;
		if (error < 0)
			mimobox_session_log(session, "publish: ports/%u: %s", port->number,
					    strerror(-error));
	}
}

void network_ports_close(struct session_network *network)
{
	for (unsigned i = 0; i < network->port_count; i++) {
		if (network->ports[i].fd >= 0)
			close(network->ports[i].fd);
		network->ports[i] = (struct network_port){ .fd = -1 };
	}
	network->port_count = 0;
}

void network_ports_finish(struct mimobox *box)
{
	while (box->bindings) {
		struct network_binding *binding = box->bindings;
		box->bindings = binding->next;
		free(binding);
	}
}

/* For the filesystem */

void mimobox_set_mount(struct mimobox *box, const char *path)
{
	free(box->mount);
	box->mount = strdup(path);
}

bool mimobox_session_has_ports(const struct mimobox_session *session)
{
	const struct access *access = &session->config.access;
	return access_own_network(access) && access->published_count > 0 && !session->config.in;
}

bool mimobox_session_port_is_bound(const struct mimobox_session *session, uint16_t number)
{
	const struct network_port *port = find(session, number);
	return port && port->bound && !session->network->closing;
}

uint16_t mimobox_session_port_after(const struct mimobox_session *session, uint16_t number)
{
	const struct session_network *network = session->network;
	uint16_t next = 0;
	for (unsigned i = 0; network && i < network->port_count; i++) {
		uint16_t at = network->ports[i].number;
		if (network->ports[i].bound && at > number && (!next || at < next))
			next = at;
	}
	return next;
}

int mimobox_session_port_bind(struct mimobox_session *session, uint16_t number)
{
	struct network_port *port = find(session, number);
	if (!port || session->network->closing)
		return -EPERM;
	if (port->bound)
		return -EEXIST;
	port->bound = true;
	session_touch(session);
	return 0;
}
