/* SPDX-License-Identifier: MIT */
/*
 * An open file, and who polls it. A poll handle of the kernel's is told once and given back: the
 * poll that follows brings a new one. That is enough for edge-triggered epoll too.
 */
#include "handle.h"

#include "dir.h"
#include "files.h"
#include "node.h"
#include "server.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { WAKE_TRIES = 3 };

static int check_access(const struct file *file, int flags)
{
	int access = flags & O_ACCMODE;
	if (access != O_WRONLY && !file_readable(file))
		return -EACCES;
	if (access != O_RDONLY && !file_writable(file))
		return -EACCES;
	return 0;
}

int handle_open(struct server *server, const struct node *node, uid_t opener, int flags,
		struct handle **out)
{
	const struct file *file = node->file;
	int error = check_access(file, flags);
	if (error < 0)
		return error;
	struct handle *handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	handle->server = server;
	handle->dir = node->dir ? dir_ref(node->dir) : NULL;
	handle->question = node->question;
	handle->opener = opener;
	link_init(&handle->listener);
	handle->file = file;
	link_append(&server->handles, &handle->link);
	link_init(&handle->watch);
	error = file->open ? file->open(handle) : 0;
	if (error < 0) {
		handle_close(handle);
		return error;
	}
	handle->question = NULL; /* the kernel may forget the name before the file is closed */
	*out = handle;
	return 0;
}

void handle_close(struct handle *handle)
{
	handle_watch(handle, NULL);
	if (handle->reader)
		mimobox_reader_close(handle->reader);
	mimobox_wait_close(handle->wait);
	mimobox_cast_close(handle->cast);
	link_remove(&handle->listener);
	link_remove(&handle->link);
	dir_unref(handle->dir);
	free(handle->text.data);
	free(handle->carry.data);
	free(handle);
}

void handle_watch(struct handle *handle, struct fuse_pollhandle *poll)
{
	link_remove(&handle->watch);
	if (handle->poll)
		fuse_pollhandle_destroy(handle->poll);
	handle->poll = NULL;
	if (!poll)
		return;
	if (!handle->file->poll) { /* always ready: there is nothing to tell */
		fuse_pollhandle_destroy(poll);
		return;
	}
	handle->poll = poll;
	link_append(handle->dir ? &handle->dir->watched[dir_index(handle->file->event)]
				: &handle->server->feed.watched,
		    &handle->watch);
}

void handle_wake(struct handle *handle)
{
	/* Who is not told now never is: there may be no other event. */
	for (int i = 0; i < WAKE_TRIES && handle->poll; i++)
		if (fuse_lowlevel_notify_poll(handle->poll) == 0)
			break;
	handle_watch(handle, NULL);
}
