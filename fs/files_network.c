/* SPDX-License-Identifier: MIT */
#include "files_network.h"

#include "dir.h"
#include "handle.h"
#include "kept.h"
#include "lines.h"
#include "request.h"

#include <errno.h>
#include <poll.h>

static struct mimobox_session *session_of(const struct handle *handle)
{
	return handle->dir->session;
}

int network_show(const struct handle *handle, FILE *to)
{
	mimobox_session_print_network(session_of(handle), to);
	return 0;
}

static int apply_network(struct request *request, const char *line, size_t size)
{
	return mimobox_session_change_network(session_of(request->handle), line, size);
}

/* A relay that takes longer is replaced. */
#define NETWORK_PATIENCE_NS UINT64_C(10000000000)

/* Answered when the lines are in force: nothing gets through by what was before. */
ssize_t network_write(struct request *request)
{
	if (mimobox_session_removed(session_of(request->handle)))
		return -ENOENT;
	ssize_t taken = lines_each(request, apply_network);
	if (taken < (ssize_t)request->size)
		return taken;
	if (request->expired)
		mimobox_session_reset_network(session_of(request->handle));
	if (mimobox_session_network_is_settled(session_of(request->handle)) || request->nonblock)
		return taken;
	request->patience = NETWORK_PATIENCE_NS;
	return request_wait(request, MIMOBOX_ASKED);
}

int asks_open(struct handle *handle)
{
	handle->base = mimobox_session_asks_open(session_of(handle));
	return 0;
}

ssize_t asks_read(struct request *request)
{
	struct handle *handle = request->handle;
	const char *data;
	ssize_t size = mimobox_session_asks_read(session_of(handle), handle->base + request->offset,
						 &data);
	if (size == -EAGAIN)
		return request->nonblock ? size : request_wait(request, MIMOBOX_ASKED);
	if (size == -ESTALE) { /* those that still wait follow from here */
		handle->base = mimobox_session_asks_open(session_of(handle)) - request->offset;
		kept_handle(handle);
	}
	if (size <= 0)
		return size;
	if ((size_t)size > request->size)
		size = (ssize_t)request->size;
	request->answer = data;
	handle->next = request->offset + (uint64_t)size;
	kept_handle(handle);
	return size;
}

unsigned asks_poll(struct handle *handle)
{
	const char *data;
	ssize_t size =
		mimobox_session_asks_read(session_of(handle), handle->base + handle->next, &data);
	return size == -EAGAIN ? 0 : size == 0 ? POLLIN | POLLHUP : POLLIN;
}
