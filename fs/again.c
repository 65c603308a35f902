/* SPDX-License-Identifier: MIT */
#include "again.h"

#include "files.h"
#include "handle.h"
#include "kept.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <keep.h>
#include <linux/fuse.h>
#include <malloc.h>
#include <mimobox.h>
#include <older.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of Linux 5.16, 5.17 and 6.9: older headers do without. */
#define OPEN_NOFLUSH (UINT32_C(1) << 5)
#define INIT_EXT (UINT32_C(1) << 30)
enum { NOTIFY_RESEND = 7 };
#define HAS_RESEND (UINT32_C(1) << 7) /* of flags2 */
#define RESENT (UINT64_C(1) << 63)

static const struct fuse_in_header *request_of(const struct server *server)
{
	return server->buffer.mem;
}

void again_look_at(struct server *server)
{
	const struct fuse_in_header *request = request_of(server);
	server->unique = request->unique & ~RESENT;
	server->resent = request->unique & RESENT;
	/* What is asked again comes first, but for these. */
	server->fresh |= !server->resent && request->opcode != FUSE_INTERRUPT &&
			 request->opcode != FUSE_FORGET && request->opcode != FUSE_BATCH_FORGET;
}

/*
 * A request that is lost half read, for want of a page of memory to put it in, is one that the
 * kernel answers itself, with an error.
 */
static void have_memory(void *memory, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)memory;
	uintptr_t end = (start + size + page - 1) & ~(page - 1);
	start &= ~(page - 1);
	(void)madvise((void *)start, end - start, MADV_POPULATE_WRITE);
}

void again_keep_first(struct server *server)
{
	const struct fuse_in_header *header = request_of(server);
	const struct {
		uint32_t major, minor, readahead, flags, flags2;
	} *first = (const void *)(header + 1);
	if (!server->keep || keep_again(server->keep))
		return;
	server->resends = header->len >= sizeof(*header) + sizeof(*first) &&
			  (first->flags & INIT_EXT) && (first->flags2 & HAS_RESEND);
	keep_put(server->keep, KEEP_INIT, 0, 0, header, header->len);
}

static int arm_first(struct server *server)
{
	int error = 0, fd = fuse_session_fd(server->fuse);
	have_memory(server->buffer.mem, malloc_usable_size(server->buffer.mem));
	keep_put(server->keep, KEEP_MOUNT, 0, 0, server->path, strlen(server->path));
	kept_server(server);
	kept_commit(server);
	if (server->resends)
		error = keep_store(server->keep, KEPT_MOUNT, &(uint32_t){ KEPT_FUSE }, &fd, 1);
	if (server->resends && error == 0)
		error = keep_tell(server->keep, KEEP_ARMED);
	return error == 0 ? keep_tell(server->keep, KEEP_READY) : error;
}

int again_arm(struct server *server)
{
	if (!server->keep || server->armed)
		return 0;
	if (keep_again(server->keep)) {
		server->armed = keep_tell(server->keep, KEEP_ARMED) == 0; /* or the next time */
		return 0;
	}
	int error = arm_first(server);
	server->armed = error == 0;
	return error;
}

/* Taking up */

/*
 * libfuse is given the first request, and the answer to it is lost, by a socket that has the
 * descriptor's number for as long as that takes. What it is read into is there from then on.
 */
static int prime(struct server *server, int fuse_fd, int socket, const void *first, size_t size)
{
	char name[32];
	snprintf(name, sizeof(name), "/dev/fd/%d", fuse_fd);
	if (send(socket, first, size, MSG_NOSIGNAL) < 0)
		return -errno;
	if (fuse_session_mount(server->fuse, name) < 0)
		return -EIO;
	int got = fuse_session_receive_buf(server->fuse, &server->buffer);
	if (got <= 0)
		return got < 0 ? got : -EIO;
	have_memory(server->buffer.mem, malloc_usable_size(server->buffer.mem));
	fuse_session_process_buf(server->fuse, &server->buffer);
	return server->initialized ? 0 : -EPROTO;
}

int again_adopt(struct server *server, int fuse_fd)
{
	int ends[2], error = 0;
	size_t size;
	const void *first = keep_get(server->keep, KEEP_INIT, 0, 0, &size);
	if (!first || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return first ? -errno : -ENOENT;
	int mount = fcntl(fuse_fd, F_DUPFD_CLOEXEC, 0);
	if (mount < 0 || dup3(ends[0], fuse_fd, O_CLOEXEC) < 0)
		error = -errno;
	if (error == 0)
		error = prime(server, fuse_fd, ends[1], first, size);
	if (error == 0 && dup3(mount, fuse_fd, O_CLOEXEC) < 0)
		error = -errno;
	close(ends[0]);
	close(ends[1]);
	if (mount >= 0)
		close(mount);
	server->usable = error == 0;
	return error;
}

static int write_failure(const struct server *server, uint64_t unique)
{
	struct fuse_out_header header = { .len = sizeof(header), .error = -EIO, .unique = unique };
	struct iovec part = { &header, sizeof(header) };
	return writev(fuse_session_fd(server->fuse), &part, 1) < 0 ? -errno : 0;
}

void again_fail(const struct server *server, uint64_t unique)
{
	if (write_failure(server, unique) == -ENOENT) /* where it was asked again */
		(void)write_failure(server, unique | RESENT);
}

static int notify(struct server *server, int code, const void *data, size_t size)
{
	struct fuse_out_header header = { .len = (uint32_t)(sizeof(header) + size), .error = code };
	struct iovec parts[] = { { &header, sizeof(header) }, { (void *)data, size } };
	ssize_t done = writev(fuse_session_fd(server->fuse), parts, size ? 2 : 1);
	return done < 0 ? -errno : 0;
}

/* As libfuse would; 0 or -errno. */
static int write_opened(const struct server *server, uint64_t unique, const struct handle *handle)
{
	struct fuse_open_out opened = { .fh = handle->id,
					.open_flags = FOPEN_DIRECT_IO |
						      (handle->file->take ? 0 : OPEN_NOFLUSH) };
	struct fuse_out_header header = { .len = sizeof(header) + sizeof(opened),
					  .unique = unique };
	struct iovec parts[] = { { &header, sizeof(header) }, { &opened, sizeof(opened) } };
	return writev(fuse_session_fd(server->fuse), parts, 2) < 0 ? -errno : 0;
}

/*
 * Answers to openings that may not have been heard. They do not wait to be asked for again: a
 * client that is killed between asking and being asked about is forgotten by the kernel, and what
 * was opened for it would never be released.
 */
static int answer_opened(struct server *server)
{
	struct keep_record *records;
	size_t count;
	int error = keep_list(server->keep, KEEP_REQUEST, &records, &count);
	if (error < 0)
		return error;
	for (size_t i = 0; i < count; i++) {
		const struct keep_request *request = records[i].data;
		struct handle *handle =
			request->opened ? handle_find(server, (uint64_t)request->result) : NULL;
		if (!handle)
			continue;
		error = write_opened(server, records[i].id, handle);
		if (error == -ENOENT) /* where it was asked again already, its number is another */
			error = write_opened(server, records[i].id | RESENT, handle);
		if (error == 0)
			kept_answered(server, records[i].id);
	}
	free(records);
	return 0;
}

int again_ask(struct server *server)
{
	int error = answer_opened(server);
	if (error < 0)
		return error;
	/* What happened meanwhile, nobody was told of. */
	for (struct link *link = server->handles.next; link != &server->handles;
	     link = link->next) {
		struct handle *handle = link_owner(link, struct handle, link);
		if (handle->polled)
			handle_wake(handle);
	}
	return notify(server, NOTIFY_RESEND, NULL, 0);
}

uint64_t again_lets_go(const struct server *server)
{
	const struct fuse_in_header *request = request_of(server);
	const struct fuse_release_in *release = (const void *)(request + 1);
	bool whole = request->len >= sizeof(*request) + sizeof(*release);
	return request->opcode == FUSE_RELEASE && whole ? release->fh : 0;
}

uint64_t again_poll_number(const struct server *server)
{
	const struct fuse_poll_in *poll = (const void *)(request_of(server) + 1);
	return poll->kh;
}

int again_notify_poll(struct server *server, uint64_t number)
{
	struct fuse_notify_poll_wakeup_out out = { .kh = number };
	return notify(server, FUSE_NOTIFY_POLL, &out, sizeof(out));
}
