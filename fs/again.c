/* SPDX-License-Identifier: MIT */
#include "again.h"

#include "files.h"
#include "handle.h"
#include "kept.h"
#include "kept_records.h"
#include "report.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <keep.h>
#include <linux/fuse.h>
#include <mimobox.h>
#include <older.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* An answer under such a number is to the interrupt of a request. */
#define INTERRUPT UINT64_C(1)

/* Less than the keeper forgives, and more than chance brings about. */
enum { REQUEST_DEATHS = 4 };

static struct fuse_in_header *request_of(const struct server *server)
{
	return server->buffer.mem;
}

/*
 * A request that is lost half read, for want of a page of memory to put it in, is one that the
 * kernel answers itself, with an error.
 */
static void have_memory(const struct server *server)
{
	(void)madvise(server->buffer.mem, KEEP_BUFFER_SIZE, MADV_POPULATE_WRITE);
}

void again_begin(struct server *server)
{
	server->buffer.mem = keep_buffer(server->keep);
	server->work = keep_work(server->keep);
	if (server->keep && keep_again(server->keep))
		have_memory(server);
}

void again_keep_first(struct server *server)
{
	const struct fuse_in_header *header = request_of(server);
	if (server->keep && !keep_again(server->keep))
		keep_put(server->keep, KEEP_INIT, 0, 0, header, header->len);
}

static int arm_first(struct server *server)
{
	int fd = fuse_session_fd(server->fuse);
	keep_put(server->keep, KEEP_MOUNT, 0, 0, server->path, strlen(server->path));
	const uint64_t mount[] = { server->watch.id, server->watch.device };
	keep_put(server->keep, KEEP_MOUNT, 0, 1, mount, sizeof(mount));
	kept_server(server);
	kept_commit(server);
	int error = keep_store(server->keep, KEPT_MOUNT, &(uint32_t){ KEPT_FUSE }, &fd, 1);
	if (error == 0)
		error = keep_tell(server->keep, KEEP_ARMED);
	return error == 0 ? keep_tell(server->keep, KEEP_READY) : error;
}

int again_arm(struct server *server)
{
	if (!server->keep || server->armed)
		return 0;
	have_memory(server);
	if (keep_again(server->keep)) {
		server->armed = keep_tell(server->keep, KEEP_ARMED) == 0 &&
				keep_tell(server->keep, KEEP_READY) == 0; /* or the next time */
		return 0;
	}
	int error = arm_first(server);
	server->armed = error == 0;
	return error;
}

/* Taking up */

/* libfuse answers to a pipe that has the descriptor's number for as long as that takes. */
static int prime(struct server *server, int fuse_fd, int pipe)
{
	char name[32];
	size_t size;
	const void *kept = keep_get(server->keep, KEEP_INIT, 0, 0, &size);
	void *first = kept ? malloc(size) : NULL;
	snprintf(name, sizeof(name), "/dev/fd/%d", fuse_fd);
	if (!first || dup3(pipe, fuse_fd, O_CLOEXEC) < 0 ||
	    fuse_session_mount(server->fuse, name) < 0) {
		free(first);
		return -ENOMEM;
	}
	memcpy(first, kept, size);
	fuse_session_process_buf(server->fuse, &(struct fuse_buf){ .mem = first, .size = size });
	free(first);
	return server->initialized ? 0 : -EPROTO;
}

int again_adopt(struct server *server, int fuse_fd)
{
	int ends[2];
	int mount = fcntl(fuse_fd, F_DUPFD_CLOEXEC, 0);
	if (mount < 0)
		return -errno;
	int error = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
	if (error == 0) {
		error = prime(server, fuse_fd, ends[1]);
		close(ends[0]);
		close(ends[1]);
	}
	if (error == 0 && dup3(mount, fuse_fd, O_CLOEXEC) < 0)
		error = -errno;
	close(mount);
	server->usable = error == 0;
	return error;
}

/* 0 or -errno. */
static int say(const struct server *server, uint64_t unique, int error, const void *data,
	       size_t size)
{
	struct fuse_out_header header = { .len = (uint32_t)(sizeof(header) + size),
					  .error = error,
					  .unique = unique };
	struct iovec parts[] = { { &header, sizeof(header) }, { (void *)data, size } };
	ssize_t done = writev(fuse_session_fd(server->fuse), parts, size ? 2 : 1);
	return done < 0 ? -errno : 0;
}

void again_fail(const struct server *server, uint64_t unique)
{
	(void)say(server, unique, -EIO, NULL, 0);
}

/*
 * Whether the kernel waits for the answer: 1, 0 or -errno. It says so to an answer to an interrupt,
 * which means nothing, or, with EAGAIN, has it interrupt once more.
 */
static int is_awaited(const struct server *server, uint64_t unique, int answer)
{
	int error = say(server, unique | INTERRUPT, answer, NULL, 0);
	return error == -ENOENT ? 0 : error < 0 ? error : 1;
}

void again_works_on(struct server *server, uint64_t unique)
{
	if (server->work)
		server->work->unique = unique;
}

static void count_death(struct server *server)
{
	volatile struct keep_work *work = server->work;
	if (work->unique == 0)
		return;
	if (work->suspect != work->unique)
		work->deaths = 0;
	work->suspect = work->unique;
	work->deaths++;
	work->unique = 0;
}

/* Answers the request if the servers die of it. */
static bool is_given_up(struct server *server, uint64_t unique)
{
	if (server->work->suspect != unique || server->work->deaths < REQUEST_DEATHS)
		return false;
	report("%d servers died of one request, which gets EIO", REQUEST_DEATHS);
	again_fail(server, unique);
	kept_answered(server, unique);
	kept_commit(server);
	return true;
}

static void serve(struct server *server)
{
	if (is_given_up(server, request_of(server)->unique))
		return;

	server->resent = true;
	server->buffer.size = request_of(server)->len;
	server_process(server);
	server->resent = false;
	kept_commit(server); /* before another is put to where this one is */
}

/* What the other had read last: it may not have come to anything of it. */
static int serve_last(struct server *server)
{
	const struct fuse_in_header *request = request_of(server);
	if (keep_get(server->keep, KEEP_WAITING, request->unique, 0, NULL))
		return 0;
	bool interrupts = request->opcode == FUSE_INTERRUPT;
	int awaited = is_awaited(server, request->unique, interrupts ? -EAGAIN : 0);
	if (awaited > 0 && !interrupts)
		serve(server);
	else if (awaited == 0)
		kept_answered(server, request->unique);
	return awaited < 0 ? awaited : 0;
}

static int serve_waiting(struct server *server, uint64_t unique)
{
	const struct kept_waiting *kept = keep_get(server->keep, KEEP_WAITING, unique, 0, NULL);
	int awaited = is_awaited(server, unique, 0);
	if (awaited < 0)
		return awaited;
	char *to = server->buffer.mem;
	void *data = kept->place ? keep_block_at(server->keep, kept->place) : NULL;
	memcpy(to, kept->head, kept->head_size);
	if (data)
		memcpy(to + kept->head_size, data, kept->size);
	keep_block_free(server->keep, data, kept->size);
	keep_drop(server->keep, KEEP_WAITING, unique, 0);
	if (awaited)
		serve(server);
	else
		kept_answered(server, unique);
	return 0;
}

/* What waits once more is not served once more: who waits is listed before. */
static int serve_all(struct server *server)
{
	struct keep_record *records;
	size_t count;
	int error = keep_list(server->keep, KEEP_WAITING, &records, &count);
	if (error == 0)
		error = serve_last(server);
	for (size_t i = 0; error == 0 && i < count; i++)
		error = serve_waiting(server, records[i].id);
	free(records);
	return error;
}

int again_serve(struct server *server)
{
	count_death(server);
	/* What happened meanwhile, nobody was told of. */
	for (struct link *link = server->handles.next; link != &server->handles;
	     link = link->next) {
		struct handle *handle = link_owner(link, struct handle, link);
		if (handle->polled)
			handle_wake(handle);
	}
	return serve_all(server);
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
	return say(server, 0, FUSE_NOTIFY_POLL, &out, sizeof(out));
}
