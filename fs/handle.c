/* SPDX-License-Identifier: MIT */
/*
 * An open file, and who polls it. A poll handle of the kernel's is told once and given back: the
 * poll that follows brings a new one. That is enough for edge-triggered epoll too.
 */
#include "handle.h"

#include "again.h"
#include "dir.h"
#include "files.h"
#include "kept.h"
#include "node.h"
#include "question.h"
#include "server.h"
#include "user.h"

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

#include <errno.h>
#include <fcntl.h>
#include <keep.h>
#include <stdlib.h>

enum { WAKE_TRIES = 3 };
/* What one takes of the heap, with what belongs to it elsewhere. */
enum { HANDLE_BYTES = 1024 };

static int check_access(const struct file *file, int flags)
{
	int access = flags & O_ACCMODE;
	if (access != O_WRONLY && !file_readable(file))
		return -EACCES;
	if (access != O_RDONLY && !file_writable(file))
		return -EACCES;
	return 0;
}

static struct handle **chain_of(const struct server *server, uint64_t id)
{
	return (struct handle **)&server->handle_chains[id % HANDLE_CHAINS];
}

struct handle *handle_find(const struct server *server, uint64_t id)
{
	struct handle *handle = *chain_of(server, id);
	while (handle && handle->id != id)
		handle = handle->next_by_id;
	return handle;
}

int handle_make(struct server *server, struct dir *dir, const struct file *file, uid_t opener,
		uint64_t id, struct handle **out)
{
	struct handle *handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	int error = user_get(server, opener, &handle->user);
	if (error < 0) {
		free(handle);
		return error;
	}
	handle->user->handles++;
	handle->server = server;
	handle->id = id;
	handle->next_by_id = *chain_of(server, id);
	*chain_of(server, id) = handle;
	handle->dir = dir ? dir_ref(dir) : NULL;
	handle->file = file;
	link_init(&handle->texts);
	link_init(&handle->parked);
	link_init(&handle->waiting);
	link_append(&server->handles, &handle->link);
	link_init(&handle->watch);
	*out = handle;
	return 0;
}

int handle_open(struct server *server, const struct node *node, uid_t opener, int flags,
		struct handle **out)
{
	const struct file *file = node->file;
	struct handle *handle = NULL;
	const struct user *user = user_find(server, opener);
	int error = check_access(file, flags);
	if (error == 0 && user)
		error = user_may_open(user);
	if (error == 0)
		error = keep_reserve(server->keep);
	if (error == 0)
		error = handle_make(server, node->dir, file, opener, ++server->last_handle,
				    &handle);
	if (error < 0)
		return error;
	if (node->question)
		handle->question = question_open(node->question);
	error = file->open ? file->open(handle) : 0;
	if (error < 0) {
		handle_close(handle);
		return error;
	}
	kept_server(server);
	kept_handle(handle);
	*out = handle;
	return 0;
}

void handle_close(struct handle *handle)
{
	struct handle **at = chain_of(handle->server, handle->id);
	while (*at != handle)
		at = &(*at)->next_by_id;
	*at = handle->next_by_id;
	handle_unwatch(handle);
	kept_no_handle(handle);
	if (handle->reader)
		mimobox_reader_close(handle->reader);
	mimobox_wait_close(handle->wait);
	mimobox_cast_close(handle->cast);
	if (handle->file->close)
		handle->file->close(handle);
	if (handle->question)
		question_close(handle->question);
	link_remove(&handle->waiting);
	link_remove(&handle->texts);
	link_remove(&handle->link);
	handle->user->buffers -= handle->text.data ? handle->text.size : 0;
	handle->user->buffers -= handle->carried + handle->wait_size;
	handle->user->handles--;
	handle->server->freed += HANDLE_BYTES + handle->carried + handle->wait_size;
	handle->server->freed += handle->text.data ? handle->text.size : 0;
	user_unref(handle->user);
	dir_unref(handle->dir);
	free(handle->text.data);
	free(handle->carry.data);
	free(handle);
}

struct user *handle_user(const struct handle *handle)
{
	return handle->dir ? handle->dir->user : handle->user;
}

void handle_unwatch(struct handle *handle)
{
	link_remove(&handle->watch);
	if (handle->poll)
		fuse_pollhandle_destroy(handle->poll);
	handle->poll = NULL;
	handle->polled = handle->due = false;
}

void handle_watch(struct handle *handle, struct fuse_pollhandle *poll, uint64_t number)
{
	if (handle->due) /* others may poll it, and this event is theirs */
		handle_wake(handle);
	handle_unwatch(handle);
	if (!handle->file->poll) { /* always ready: there is nothing to tell */
		if (poll)
			fuse_pollhandle_destroy(poll);
		return;
	}
	handle->poll = poll;
	handle->poll_number = number;
	handle->polled = true;
	link_append(handle->dir ? &handle->dir->watched[dir_index(handle->file->event)]
				: &handle->user->ring.watched,
		    &handle->watch);
	kept_handle(handle);
}

void handle_wake(struct handle *handle)
{
	/* Who is not told now never is: there may be no other event. */
	for (int i = 0; i < WAKE_TRIES && handle->polled; i++)
		if ((handle->poll ? fuse_lowlevel_notify_poll(handle->poll)
				  : again_notify_poll(handle->server, handle->poll_number)) == 0)
			break;
	handle_unwatch(handle);
	kept_handle(handle);
}
