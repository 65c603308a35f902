/* SPDX-License-Identifier: MIT */
/*
 * `events`: a line for each thing that happens in the life of a session, to each who has the file
 * open and may see that session. Each has a stream of its own, which begins when it was opened;
 * offsets in it are absolute, so that a shell that reads more than a line can seek back.
 *
 * A listener that doesn't read has so much kept for it; past that it gets ESTALE once, and goes on
 * with the oldest line that is.
 */
#include "feed.h"

#include "dir.h"
#include "handle.h"
#include "kept.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEPT_MAX = 256 * 1024, LINE_MAX_SIZE = 256 };

void feed_init(struct feed *feed)
{
	link_init(&feed->listeners);
	link_init(&feed->parked);
	link_init(&feed->watched);
}

static void drop_older_half(struct handle *handle)
{
	size_t cut = handle->text.size / 2;
	while (cut < handle->text.size && handle->text.data[cut - 1] != '\n')
		cut++;
	memmove(handle->text.data, handle->text.data + cut, handle->text.size - cut);
	handle->text.size -= cut;
	handle->base += cut;
}

static void give_line(struct handle *handle, const char *line, size_t size)
{
	if (handle->text.size + size > KEPT_MAX)
		drop_older_half(handle);
	char *data = realloc(handle->text.data, handle->text.size + size);
	if (!data)
		return; /* one who misses a line is better than a daemon that ends */
	memcpy(data + handle->text.size, line, size);
	handle->text.data = data;
	handle->text.size += size;
	kept_feed(handle, handle->base + handle->text.size - size);
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
	struct feed *feed = &server->feed;
	char line[LINE_MAX_SIZE];
	va_list arguments;
	if (link_empty(&feed->listeners))
		return;
	va_start(arguments, what);
	size_t size = make_line(line, dir, what, arguments);
	va_end(arguments);
	uid_t owner = mimobox_session_uid(dir->session);
	for (struct link *link = feed->listeners.next; link != &feed->listeners;
	     link = link->next) {
		struct handle *handle = link_owner(link, struct handle, listener);
		if (handle->opener == 0 || handle->opener == owner)
			give_line(handle, line, size);
	}
	link_splice(&server->ready, &feed->parked);
	while (!link_empty(&feed->watched))
		handle_wake(link_owner(feed->watched.next, struct handle, watch));
}

int feed_open(struct handle *handle)
{
	link_append(&handle->server->feed.listeners, &handle->listener);
	return 0;
}

ssize_t feed_read(struct request *request)
{
	struct handle *handle = request->handle;
	if (request->offset < handle->base) {
		handle->base = request->offset; /* what is kept follows from here */
		kept_feed_anew(handle);
		return -ESTALE;
	}
	uint64_t at = request->offset - handle->base;
	if (at >= handle->text.size) {
		if (handle->server->stopping)
			return 0;
		return request->nonblock ? -EAGAIN : request_wait(request, 0);
	}
	size_t left = handle->text.size - (size_t)at;
	request->answer = handle->text.data + at;
	handle->next = request->offset + (left < request->size ? left : request->size);
	kept_handle(handle);
	return (ssize_t)(left < request->size ? left : request->size);
}

unsigned feed_poll(struct handle *handle)
{
	if (handle->server->stopping)
		return POLLIN | POLLHUP;
	return handle->next < handle->base + handle->text.size ? POLLIN : 0;
}
