/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include "feed.h"
#include "kept_records.h"
#include "question.h"
#include "user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *copy(const void *data, size_t size)
{
	char *to = malloc(size + 1);
	if (!to)
		return NULL;
	memcpy(to, data, size);
	to[size] = '\0';
	return to;
}

static int restore_server(struct server *server)
{
	size_t size;
	const struct kept_server *kept = keep_get(server->keep, KEEP_SERVER, 0, 0, &size);
	if (!kept)
		return -ENOENT;
	if (size != sizeof(*kept))
		return -EPROTO;
	server->uid = kept->uid;
	server->gid = kept->gid;
	server->mode = kept->mode;
	server->changed = kept->changed;
	server->last_handle = kept->last_handle;
	server->questions.last = server->questions.reserved = kept->last_question;
	server->stop_again = kept->stopping;
	return 0;
}

static int restore_rights(struct dir *dir, uint64_t id)
{
	size_t size;
	const void *kept = keep_get(dir->server->keep, KEEP_DIR, id, 1, &size);
	if (!kept)
		return 0;
	if (size % sizeof(*dir->rights))
		return -EPROTO;
	dir->rights = copy(kept, size);
	dir->rights_count = dir->rights ? size / sizeof(*dir->rights) : 0;
	return dir->rights ? 0 : -ENOMEM;
}

static int restore_dir(struct server *server, const struct keep_record *record)
{
	const struct kept_dir *kept = record->data;
	if (record->size != sizeof(*kept))
		return -EPROTO;
	struct mimobox_session *session = mimobox_session_by_id(server->box, record->id);
	struct dir *dir;
	if (!session)
		return 0;
	int error = dir_attach(server, session, &dir);
	if (error < 0)
		return error;
	dir->mode = kept->mode;
	dir->gid = kept->gid;
	dir->input_full = kept->input_full;
	/* Its name's; the handles add theirs. */
	dir->users = !mimobox_session_removed(session);
	return restore_rights(dir, record->id);
}

static struct dir *find_dir(struct server *server, uint64_t id)
{
	struct mimobox_session *session = id ? mimobox_session_by_id(server->box, id) : NULL;
	return session ? dir_of(session) : NULL;
}

static void restore_piece(struct user *user, uint64_t number)
{
	struct ring *ring = &user->ring;
	uint64_t end = ring->base + ring->size, from;
	size_t size;
	const char *piece =
		keep_get(user->server->keep, KEEP_FEED, user->uid, (uint32_t)number, &size);
	if (!piece || size <= sizeof(from))
		return;
	memcpy(&from, piece, sizeof(from));
	piece += sizeof(from);
	size -= sizeof(from);
	if (from < ring->base) {
		size_t over = (size_t)(ring->base - from);
		if (over >= size)
			return;
		piece += over;
		size -= over;
		from = ring->base;
	}
	if (from <= end && size <= end - from)
		memcpy(ring->data + (from - ring->base), piece, size);
}

int kept_ring_restore(struct user *user)
{
	struct ring *ring = &user->ring;
	size_t size;
	const struct kept_ring *kept = keep_get(user->server->keep, KEEP_RING, user->uid, 0, &size);
	if (!kept)
		return 0;
	if (size != sizeof(*kept) || kept->size > RING_MAX)
		return -EPROTO;
	ring->data = calloc(1, RING_MAX);
	if (!ring->data)
		return -ENOMEM;
	ring->room = RING_MAX;
	ring->base = kept->base;
	ring->size = kept->size;
	ring->first_piece = ring->base / KEPT_PIECE;
	ring->last_piece = (ring->base + ring->size) / KEPT_PIECE;
	for (uint64_t number = ring->first_piece; number <= ring->last_piece; number++)
		restore_piece(user, number);
	return 0;
}

static int restore_texts(struct handle *handle, const struct kept_handle *kept)
{
	struct keep *keep = handle->server->keep;
	size_t size;
	const void *data = keep_get(keep, KEEP_TEXT, handle->id, 0, &size);
	if (data && !(handle->text.data = copy(data, size)))
		return -ENOMEM;
	handle->text.size = data ? size : kept->text_size;
	handle->dropped = kept->dropped && !data;
	handle->digest = kept->digest;
	if (data)
		user_hold_text(handle, 0);
	data = keep_get(keep, KEEP_CARRY, handle->id, 0, &size);
	if (data && !(handle->carry.data = copy(data, size)))
		return -ENOMEM;
	if (data) {
		handle->carry.size = handle->carried = size;
		handle->user->buffers += size;
		*(handle->dir ? &handle->dir->carrier : &handle->server->carrier) = handle;
	}
	data = keep_get(keep, KEEP_CAST, handle->id, 0, &size);
	if (data && handle->cast)
		mimobox_cast_restore(handle->cast, data, size);
	return 0;
}

static int restore_question(struct handle *handle, const struct kept_handle *kept)
{
	size_t size;
	struct mimobox_wait *wait;
	const void *text = keep_get(handle->server->keep, KEEP_HANDLE, handle->id, 1, &size);
	int error =
		text ? question_restore(handle->dir, kept->question, text, size, &handle->question)
		     : -EPROTO;
	if (error == 0)
		error = mimobox_wait_restore(handle->dir->session, handle->question->text,
					     &kept->wait, &wait);
	if (error < 0)
		return error;
	question_wait(handle, wait);
	handle->user->buffers += handle->wait_size;
	return 0;
}

/* NULL: this program has none of that id. */
static const struct file *file_of(const struct kept_handle *kept, const struct dir *dir)
{
	if (dir && kept->file == question_file.id)
		return &question_file;
	return file_by_id(dir ? session_files : root_files, kept->file);
}

/* What is not restored gets EBADF from then on. */
static int restore_handle(struct server *server, const struct keep_record *record)
{
	const struct kept_handle *kept = record->data;
	if (record->size != sizeof(*kept))
		return -EPROTO;
	struct dir *dir = find_dir(server, kept->session);
	const struct file *file = file_of(kept, dir);
	struct handle *handle;
	if ((kept->session && !dir) || !file)
		return 0;
	int error = handle_make(server, dir, file, kept->opener, record->id, &handle);
	if (error < 0)
		return error;
	error = file == &question_file ? restore_question(handle, kept)
		: file->open           ? file->open(handle)
				       : 0;
	if (error == 0)
		error = restore_texts(handle, kept);
	if (error < 0)
		return error;
	handle->next = kept->next;
	handle->base = kept->base;
	handle->stale = kept->stale;
	handle->owns = kept->owns;
	handle->answers = kept->answers;
	if (handle->reader)
		mimobox_reader_restore(handle->reader, &kept->reader);
	if (kept->polled)
		handle_watch(handle, NULL, kept->poll);
	return 0;
}

static int restore_each(struct server *server, enum keep_kind kind,
			int (*restore)(struct server *server, const struct keep_record *record))
{
	struct keep_record *records;
	size_t count;
	int error = keep_list(server->keep, kind, &records, &count);
	for (size_t i = 0; error == 0 && i < count; i++)
		if (records[i].part == 0)
			error = restore(server, &records[i]);
	free(records);
	return error;
}

/* What is written by it is in use until it is asked again (again.c). */
static int restore_waiting(struct server *server, const struct keep_record *record)
{
	const struct kept_waiting *kept = record->data;
	if (record->size != sizeof(*kept) || kept->head_size > sizeof(kept->head))
		return -EPROTO;
	(void)keep_block_claim(server->keep, kept->place, kept->size);
	return 0;
}

int kept_restore(struct server *server)
{
	int error = restore_server(server);
	if (error == 0)
		error = restore_each(server, KEEP_DIR, restore_dir);
	if (error == 0)
		error = restore_each(server, KEEP_HANDLE, restore_handle);
	if (error == 0)
		error = restore_each(server, KEEP_WAITING, restore_waiting);
	return error;
}
