/* SPDX-License-Identifier: MIT */
/*
 * `events`: a line for each thing that happens in the life of a session. All listeners of one user
 * read from one ring of lines, so that an event costs as much for many listeners as for one. Each
 * listener's offset 0 is where the ring ended when the file was opened. Offsets count all lines
 * since then, so that a shell that reads more than a line can seek back.
 *
 * The ring holds the newest lines. A listener that is further behind gets ESTALE once, and goes on
 * with the oldest line that is there.
 */
#include "feed.h"

#include "dir.h"
#include "handle.h"
#include "kept.h"
#include "request.h"
#include "server.h"
#include "turns.h"
#include "user.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RING_FIRST = 4096, LINE_MAX_SIZE = 256 };

void ring_init(struct ring *ring)
{
	link_init(&ring->parked);
	link_init(&ring->watched);
}

static void drop_older_half(struct ring *ring)
{
	size_t cut = ring->size / 2;
	while (cut < ring->size && ring->data[cut - 1] != '\n')
		cut++;
	memmove(ring->data, ring->data + cut, ring->size - cut);
	ring->size -= cut;
	ring->base += cut;
}

static void add_line(struct user *user, const char *line, size_t size)
{
	struct ring *ring = &user->ring;
	if (ring->size + size > RING_MAX)
		drop_older_half(ring);
	if (ring->size + size > ring->room) {
		size_t room = ring->room ? 2 * ring->room : RING_FIRST;
		char *data = realloc(ring->data, room);
		if (!data)
			return; /* a line that is missing is better than a daemon that ends */
		ring->data = data;
		ring->room = room;
	}
	memcpy(ring->data + ring->size, line, size);
	ring->size += size;
	kept_ring(user, ring->base + ring->size - size);
}

static void give_line(struct server *server, uid_t uid, const char *line, size_t size)
{
	struct user *user = user_find(server, uid);
	if (!user || user->ring.listeners == 0)
		return;
	add_line(user, line, size);
	turns_add(user, &user->ring.parked, &user->ring.watched);
}

static size_t make_line(char *line, const struct dir *dir, const char *what, va_list arguments)
{
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t size = strftime(line, LINE_MAX_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	size += (size_t)snprintf(line + size, LINE_MAX_SIZE - size, ".%03ldZ %s ",
				 now.tv_nsec / 1000000, mimobox_session_name(dir->session));
	size += (size_t)vsnprintf(line + size, LINE_MAX_SIZE - size, what, arguments);
	line[size++] = '\n';
	return size;
}

void feed_tell(struct server *server, const struct dir *dir, const char *what, ...)
{
	char line[LINE_MAX_SIZE];
	uid_t owner = mimobox_session_uid(dir->session);
	va_list arguments;
	if (server->listeners == 0)
		return;
	va_start(arguments, what);
	size_t size = make_line(line, dir, what, arguments);
	va_end(arguments);
	give_line(server, owner, line, size);
	if (owner != 0)
		give_line(server, 0, line, size);
}

int feed_open(struct handle *handle)
{
	struct user *user = handle->user;
	if (user->ring.listeners == USER_LISTENERS)
		return -ENFILE;
	if (user->ring.listeners == 0) {
		int error = kept_ring_restore(user);
		if (error < 0)
			return error;
	}
	user->ring.listeners++;
	user->server->listeners++;
	handle->listens = true;
	handle->base = user->ring.base + user->ring.size;
	return 0;
}

void feed_close(struct handle *handle)
{
	struct user *user = handle->user;
	struct ring *ring = &user->ring;
	if (!handle->listens)
		return;
	user->server->listeners--;
	if (--ring->listeners > 0)
		return;
	kept_no_ring(user);
	free(ring->data);
	ring->data = NULL;
	ring->size = ring->room = 0;
	ring->base = 0;
}

ssize_t feed_read(struct request *request)
{
	struct handle *handle = request->handle;
	const struct ring *ring = &handle->user->ring;
	uint64_t at = handle->base + request->offset - ring->base;
	if ((int64_t)at < 0) {
		handle->base = ring->base - request->offset; /* the oldest line follows from here */
		kept_handle(handle);
		return -ESTALE;
	}
	if (at >= ring->size) {
		if (handle->server->stopping)
			return 0;
		return request->nonblock ? -EAGAIN : request_wait(request, 0);
	}
	size_t left = ring->size - (size_t)at;
	request->answer = ring->data + at;
	handle->next = request->offset + (left < request->size ? left : request->size);
	kept_handle(handle);
	return (ssize_t)(left < request->size ? left : request->size);
}

unsigned feed_poll(struct handle *handle)
{
	const struct ring *ring = &handle->user->ring;
	if (handle->server->stopping)
		return POLLIN | POLLHUP;
	uint64_t unread = ring->base + ring->size - handle->base - handle->next;
	return (int64_t)unread > 0 ? POLLIN : 0;
}
