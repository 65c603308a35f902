/* SPDX-License-Identifier: MIT */
/*
 * How writes are cut into lines.
 *
 * A line need not end with its write, nor a write with its line's newline: `printf start > ctl` is
 * whole as it is. But a shell's echo gives a long line in pieces of 4,096 bytes, and cp in pieces
 * of 128 KiB. So for the files that take long values, a write of a multiple of 4,096 bytes without
 * a newline at its end may be one of several pieces, and its last line waits for the next write,
 * or for the flush that every close brings. Any other write ends its last line.
 */
#include "lines.h"

#include "dir.h"
#include "files.h"
#include "handle.h"
#include "kept.h"
#include "request.h"
#include "server.h"
#include "user.h"

#include <assert.h>
#include <errno.h>
#include <keep.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 4096, CARRY_MAX = 256 * 1024 };

ssize_t lines_each(struct request *request,
		   int (*apply)(struct request *request, const char *line, size_t size))
{
	while (request->done < request->size) {
		const char *line = request->data + request->done;
		size_t left = request->size - request->done;
		const char *newline = memchr(line, '\n', left);
		size_t length = newline ? (size_t)(newline - line) : left;
		keep_request_begin(request->handle->server->keep, request->unique, request->done,
				   request->done + length + (newline != NULL));
		int error = apply(request, line, length);
		if (error == REQUEST_WAITS)
			return error;
		if (error < 0)
			return request->done ? (ssize_t)request->done : error;
		request->done += length + (newline != NULL);
	}
	return (ssize_t)request->done;
}

static struct handle **carrier_of(const struct handle *handle)
{
	return handle->dir ? &handle->dir->carrier : &handle->server->carrier;
}

static void clear(struct handle *handle)
{
	free(handle->carry.data);
	handle->carry = (struct text){ 0 };
	(void)user_hold(handle->user, handle->carried, 0);
	handle->carried = 0;
	if (*carrier_of(handle) == handle)
		*carrier_of(handle) = NULL;
	kept_carry(handle);
}

/* How many bytes of `text` are to wait for more. */
static size_t unfinished(const struct text *text, size_t written)
{
	if (written % PIECE != 0 || text->data[text->size - 1] == '\n')
		return 0;
	const char *newline = memrchr(text->data, '\n', text->size);
	return newline ? (size_t)(text->data + text->size - 1 - newline) : text->size;
}

static ssize_t refuse_long(struct handle *handle)
{
	if (handle->dir)
		mimobox_session_log(handle->dir->session, "%s: a line without an end in %d bytes",
				    handle->file->name, CARRY_MAX);
	return -EMSGSIZE;
}

static ssize_t refuse_second(struct handle *handle)
{
	if (handle->dir)
		mimobox_session_log(handle->dir->session,
				    "%s refused: another writer has not finished its line",
				    handle->file->name);
	return -EBUSY;
}

ssize_t lines_carry(struct handle *handle, lines_take_fn take, const char *data, size_t size)
{
	if (size == 0)
		return 0;
	struct text *text = &handle->carry;
	struct handle **carrier = carrier_of(handle);
	size_t before = text->size;
	char *more = realloc(text->data, before + size);
	if (!more)
		return -ENOMEM;
	memcpy(more + before, data, size);
	*text = (struct text){ more, before + size };

	size_t keep = unfinished(text, size);
	size_t whole = text->size - keep;
	ssize_t taken = whole ? take(handle, text->data, whole) : 0;
	if (taken == (ssize_t)whole && keep > CARRY_MAX)
		taken = refuse_long(handle);
	/* One at a time: what is kept for many, who never go on, would be kept for ever. */
	bool second = keep && *carrier && *carrier != handle;
	int held = second || taken != (ssize_t)whole
			   ? 0
			   : user_hold(handle->user, handle->carried, keep);
	bool refused = second || held < 0;
	if (taken == (ssize_t)whole && refused)
		taken = whole > before ? (ssize_t)whole : second ? refuse_second(handle) : held;
	if (taken < 0 || (size_t)taken < whole || refused) {
		clear(handle);
		/* What was kept has no newline, so that a line taken reaches beyond it. */
		assert(taken < 0 || (size_t)taken > before);
		return taken < 0 ? taken : taken - (ssize_t)before;
	}
	memmove(text->data, text->data + whole, keep);
	text->size = handle->carried = keep;
	if (keep == 0)
		clear(handle);
	else
		*carrier = handle;
	kept_carry(handle);
	return (ssize_t)size;
}

int lines_flush(struct handle *handle, lines_take_fn take)
{
	struct text *text = &handle->carry;
	ssize_t taken = text->size ? take(handle, text->data, text->size) : 0;
	clear(handle);
	return taken < 0 ? (int)taken : 0;
}
