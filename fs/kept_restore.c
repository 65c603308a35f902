/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include "feed.h"
#include "kept_records.h"
#include "question.h"

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
	server->stop_again = kept->stopping;
	return 0;
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
	dir->input_full = kept->input_full;
	dir->next_question = kept->next_question;
	/* Its name's; the handles add theirs. */
	dir->users = !mimobox_session_removed(session);
	return 0;
}

static struct dir *find_dir(struct server *server, uint64_t id)
{
	struct mimobox_session *session = id ? mimobox_session_by_id(server->box, id) : NULL;
	return session ? dir_of(session) : NULL;
}

static int restore_question(struct server *server, const struct keep_record *record)
{
	size_t head = sizeof(uint64_t);
	uint64_t lookups;
	if (record->size < head || record->part >> QUESTION_BITS)
		return -EPROTO;
	struct dir *dir = find_dir(server, record->id);
	if (!dir)
		return 0;
	memcpy(&lookups, record->data, head);
	return question_restore(dir, record->part, lookups, (const char *)record->data + head,
				record->size - head);
}

static int restore_feed(struct handle *handle, const struct kept_handle *kept)
{
	uint64_t end = kept->base + kept->text_size;
	handle->first_piece = kept->base / KEPT_PIECE;
	handle->last_piece = end / KEPT_PIECE;
	handle->text.data = malloc(kept->text_size + 1);
	if (!handle->text.data)
		return -ENOMEM;
	for (uint64_t number = handle->first_piece; number * KEPT_PIECE < end; number++) {
		size_t size;
		uint64_t from;
		const char *piece = keep_get(handle->server->keep, KEEP_FEED, handle->id,
					     (uint32_t)number, &size);
		if (!piece || size <= sizeof(from))
			continue;
		memcpy(&from, piece, sizeof(from));
		piece += sizeof(from);
		size -= sizeof(from);
		if (from < kept->base) {
			size_t over = (size_t)(kept->base - from);
			if (over >= size)
				continue;
			piece += over;
			size -= over;
			from = kept->base;
		}
		if (from + size <= end)
			memcpy(handle->text.data + (from - kept->base), piece, size);
	}
	handle->text.size = kept->text_size;
	return 0;
}

static int restore_texts(struct handle *handle, const struct kept_handle *kept)
{
	struct keep *keep = handle->server->keep;
	size_t size;
	const void *data = keep_get(keep, KEEP_TEXT, handle->id, 0, &size);
	if (handle->file->read == feed_read)
		return restore_feed(handle, kept);
	if (data && !(handle->text.data = copy(data, size)))
		return -ENOMEM;
	handle->text.size = data ? size : 0;
	data = keep_get(keep, KEEP_CARRY, handle->id, 0, &size);
	if (data && !(handle->carry.data = copy(data, size)))
		return -ENOMEM;
	if (data) {
		handle->carry.size = size;
		*(handle->dir ? &handle->dir->carrier : &handle->server->carrier) = handle;
	}
	data = keep_get(keep, KEEP_CAST, handle->id, 0, &size);
	if (data && handle->cast)
		mimobox_cast_restore(handle->cast, data, size);
	return 0;
}

static int restore_question_of(struct handle *handle, const struct kept_handle *kept)
{
	size_t size;
	const void *text = keep_get(handle->server->keep, KEEP_HANDLE, handle->id, 1, &size);
	if (!text || !(handle->asked = copy(text, size)))
		return -ENOMEM;
	return mimobox_wait_restore(handle->dir->session, handle->asked, &kept->wait,
				    &handle->wait);
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
	error = file == &question_file ? restore_question_of(handle, kept)
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
		if (records[i].part == 0 || kind == KEEP_QUESTION)
			error = restore(server, &records[i]);
	free(records);
	return error;
}

/* What is written by it is in use until it is asked again (again.c). */
static int restore_waiting(struct server *server, const struct keep_record *record)
{
	const struct kept_waiting *kept = record->data;
	(void)keep_block_claim(server->keep, kept->place, kept->size);
	return 0;
}

int kept_restore(struct server *server)
{
	int error = restore_server(server);
	if (error == 0)
		error = restore_each(server, KEEP_DIR, restore_dir);
	if (error == 0)
		error = restore_each(server, KEEP_QUESTION, restore_question);
	if (error == 0)
		error = restore_each(server, KEEP_HANDLE, restore_handle);
	if (error == 0)
		error = restore_each(server, KEEP_WAITING, restore_waiting);
	return error;
}
