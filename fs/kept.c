/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include "kept_records.h"
#include "question.h"
#include "request.h"
#include "user.h"

#include <assert.h>
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

void kept_server(struct server *server)
{
	struct kept_server kept;
	memset(&kept, 0, sizeof(kept));
	kept.uid = server->uid;
	kept.gid = server->gid;
	kept.mode = server->mode;
	kept.changed = server->changed;
	kept.stopping = server->stopping;
	kept.last_handle = server->last_handle;
	kept.last_question = server->questions.reserved;
	keep_put(server->keep, KEEP_SERVER, 0, 0, &kept, sizeof(kept));
}

static uint64_t id_of(const struct dir *dir)
{
	return mimobox_session_id(dir->session);
}

void kept_dir(struct dir *dir)
{
	struct kept_dir kept;
	memset(&kept, 0, sizeof(kept));
	kept.mode = dir->mode;
	kept.gid = dir->gid;
	kept.input_full = dir->input_full;
	keep_put(dir->server->keep, KEEP_DIR, id_of(dir), 0, &kept, sizeof(kept));
	if (dir->rights_count)
		keep_put(dir->server->keep, KEEP_DIR, id_of(dir), 1, dir->rights,
			 dir->rights_count * sizeof(*dir->rights));
}

void kept_no_dir(const struct dir *dir)
{
	for (uint32_t part = 0; part < 2; part++)
		keep_drop(dir->server->keep, KEEP_DIR, id_of(dir), part);
}

void kept_handle(const struct handle *handle)
{
	struct keep *keep = handle->server->keep;
	struct kept_handle kept;
	if (!keep)
		return;
	memset(&kept, 0, sizeof(kept));
	kept.session = handle->dir ? id_of(handle->dir) : 0;
	kept.file = handle->file->id;
	kept.opener = handle->user->uid;
	kept.next = handle->next;
	kept.base = handle->base;
	kept.stale = handle->stale;
	kept.polled = handle->polled;
	kept.owns = handle->owns;
	kept.answers = handle->answers;
	kept.poll = handle->poll_number;
	kept.text_size = handle->text.size;
	kept.dropped = handle->dropped;
	kept.digest = handle->digest;
	kept.question = handle->question ? handle->question->number : 0;
	if (handle->reader)
		mimobox_reader_state(handle->reader, &kept.reader);
	if (handle->wait)
		mimobox_wait_state(handle->wait, &kept.wait);
	keep_put(keep, KEEP_HANDLE, handle->id, 0, &kept, sizeof(kept));
	if (handle->question)
		keep_put(keep, KEEP_HANDLE, handle->id, 1, handle->question->text,
			 strlen(handle->question->text));
}

void kept_text(const struct handle *handle)
{
	if (handle->text.data)
		keep_put(handle->server->keep, KEEP_TEXT, handle->id, 0, handle->text.data,
			 handle->text.size);
	else
		keep_drop(handle->server->keep, KEEP_TEXT, handle->id, 0);
	kept_handle(handle);
}

void kept_carry(const struct handle *handle)
{
	if (handle->carry.size)
		keep_put(handle->server->keep, KEEP_CARRY, handle->id, 0, handle->carry.data,
			 handle->carry.size);
	else
		keep_drop(handle->server->keep, KEEP_CARRY, handle->id, 0);
}

void kept_cast(const struct handle *handle)
{
	if (!handle->server->keep)
		return;
	size_t size = mimobox_cast_state(handle->cast, NULL);
	void *state = malloc(size);
	if (!state)
		return;
	mimobox_cast_state(handle->cast, state);
	keep_put(handle->server->keep, KEEP_CAST, handle->id, 0, state, size);
	free(state);
}

/* In pieces of absolute offsets, so that a line costs no more than one of them. */
static void put_piece(const struct user *user, uint64_t number)
{
	struct {
		uint64_t from;
		char data[KEPT_PIECE];
	} piece;
	const struct ring *ring = &user->ring;
	uint64_t end = ring->base + ring->size, to = (number + 1) * KEPT_PIECE;
	piece.from = number * KEPT_PIECE > ring->base ? number * KEPT_PIECE : ring->base;
	to = to < end ? to : end;
	if (to <= piece.from)
		return;
	memcpy(piece.data, ring->data + (piece.from - ring->base), to - piece.from);
	keep_put(user->server->keep, KEEP_FEED, user->uid, (uint32_t)number, &piece,
		 sizeof(piece.from) + (to - piece.from));
}

void kept_ring(struct user *user, uint64_t from)
{
	struct keep *keep = user->server->keep;
	struct ring *ring = &user->ring;
	const struct kept_ring kept = { ring->base, ring->size };
	uint64_t first = ring->base / KEPT_PIECE;
	if (!keep)
		return;
	for (uint64_t number = from / KEPT_PIECE; number * KEPT_PIECE < ring->base + ring->size;
	     number++)
		put_piece(user, number);
	for (; ring->first_piece < first; ring->first_piece++)
		keep_drop(keep, KEEP_FEED, user->uid, (uint32_t)ring->first_piece);
	ring->last_piece = (ring->base + ring->size) / KEPT_PIECE;
	keep_put(keep, KEEP_RING, user->uid, 0, &kept, sizeof(kept));
}

void kept_no_ring(struct user *user)
{
	struct keep *keep = user->server->keep;
	struct ring *ring = &user->ring;
	for (; keep && ring->first_piece <= ring->last_piece; ring->first_piece++)
		keep_drop(keep, KEEP_FEED, user->uid, (uint32_t)ring->first_piece);
	keep_drop(keep, KEEP_RING, user->uid, 0);
	ring->first_piece = ring->last_piece = 0;
}

void kept_no_handle(const struct handle *handle)
{
	static const enum keep_kind kinds[] = { KEEP_TEXT, KEEP_CARRY, KEEP_CAST };
	struct keep *keep = handle->server->keep;
	for (uint32_t part = 0; part < 2; part++)
		keep_drop(keep, KEEP_HANDLE, handle->id, part);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		keep_drop(keep, kinds[i], handle->id, 0);
}

/* Requests */

void kept_commit(struct server *server)
{
	if (server->keep)
		mimobox_commit(server->box);
}

static void put_answer(struct server *server, uint64_t unique, const struct keep_request *request)
{
	if (unique)
		keep_put(server->keep, KEEP_REQUEST, unique, 0, request, sizeof(*request));
	keep_request_end(server->keep);
	kept_commit(server);
}

void kept_answer(struct server *server, uint64_t unique, ssize_t result)
{
	put_answer(server, unique, &(struct keep_request){ .result = result, .final = 1 });
}

void kept_opened(struct server *server, uint64_t unique, const struct handle *handle)
{
	put_answer(server, unique,
		   &(struct keep_request){ .result = (int64_t)handle->id, .final = 1 });
}

void kept_waits(struct server *server, const struct request *request)
{
	const struct fuse_in_header *header = server->buffer.mem;
	struct kept_waiting kept;
	if (!server->keep)
		return;
	memset(&kept, 0, sizeof(kept));
	kept.size = request->writes ? (uint32_t)request->size : 0;
	kept.place = keep_block_place(server->keep, request->copy);
	kept.head_size = header->len - kept.size;
	assert(kept.head_size <= sizeof(kept.head));
	memcpy(kept.head, header, kept.head_size);
	keep_put(server->keep, KEEP_WAITING, request->unique, 0, &kept, sizeof(kept));
	kept_commit(server); /* before another request is read to where this one is */
}

void kept_answered(struct server *server, uint64_t unique)
{
	keep_drop(server->keep, KEEP_WAITING, unique, 0);
	keep_drop(server->keep, KEEP_REQUEST, unique, 0);
}

const struct keep_request *kept_progress(const struct server *server)
{
	return server->resent ? keep_get(server->keep, KEEP_REQUEST, server->unique, 0, NULL)
			      : NULL;
}
