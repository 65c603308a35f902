/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes, and how they wait.
 *
 * Nothing blocks: a worker that cannot go on says which event of the session it waits for. The
 * request is then parked, a copy of its data with it, in the directory's list for that event, and
 * the worker is called again after the event, from its beginning; what it has done already is in
 * the request. A wake-up is a reason to look again, never an answer in itself.
 *
 * A parked request ends in one of three ways: its worker has an answer, its patience is over
 * (the worker is then told so), or the client's call is interrupted. All three come from the loop's
 * one thread, and each takes the request out of its list first; so it is answered once.
 */
#include "request.h"

#include "again.h"
#include "dir.h"
#include "files.h"
#include "handle.h"
#include "kept.h"
#include "reply.h"
#include "server.h"
#include "turns.h"
#include "user.h"

#include <assert.h>
#include <errno.h>
#include <keep.h>
#include <stdlib.h>
#include <string.h>

static void answer(const struct request *request, ssize_t result)
{
	struct server *server = request->handle->server;
	/* A read is done again, but for an error that is told but once. */
	bool once = request->writes || result < 0;
	kept_answer(server, once ? request->unique : 0, result);
	if (result < 0)
		reply_result(server, request->unique, request->req, (int)result);
	else if (request->writes)
		(void)reply_sent(server, request->unique,
				 fuse_reply_write(request->req, (size_t)result));
	else
		(void)reply_sent(server, request->unique,
				 fuse_reply_buf(request->req, request->answer, (size_t)result));
	kept_answered(server, request->unique);
}

ssize_t request_wait(struct request *request, unsigned event)
{
	request->event = event;
	return REQUEST_WAITS;
}

void request_end_patience(struct request *request)
{
	loop_timer_disarm(&request->timer);
	request->patience = 0;
	request->expired = false;
}

static void forget(struct request *request)
{
	if (request->copy)
		keep_block_free(request->handle->server->keep, request->copy, request->size);
	free(request);
}

void request_finish(struct request *request, ssize_t result)
{
	link_remove(&request->link);
	loop_timer_disarm(&request->timer);
	answer(request, result);
	forget(request);
}

/*
 * How a request is answered that cannot wait any longer. Of several lines, those that have taken
 * effect count; a read has nothing to lose.
 */
static ssize_t stopped(const struct request *request, int error)
{
	ssize_t (*withdraw)(const struct request *) = request->handle->file->withdraw;
	ssize_t done = withdraw ? withdraw(request) : -EAGAIN;
	if (done != -EAGAIN)
		return done;
	return request->done ? (ssize_t)request->done : error;
}

static void interrupted(fuse_req_t req, void *data)
{
	(void)req;
	struct request *request = data;
	request_finish(request, stopped(request, -EINTR));
}

static void patience_over(void *data)
{
	struct request *request = data;
	request->expired = true;
	request_retry(request);
}

static void enlist(struct request *request)
{
	struct handle *handle = request->handle;
	keep_request_end(handle->server->keep);
	if (request->event == REQUEST_AGAIN) {
		turns_add_request(handle_user(handle), &request->link);
	} else if (request->event == REQUEST_ANSWER) {
		link_append(&handle->parked, &request->link);
		if (link_empty(&handle->waiting))
			link_append(&handle->dir->waiting, &handle->waiting);
	} else {
		assert(!handle->dir || request->event);
		link_append(handle->dir ? &handle->dir->parked[dir_index(request->event)]
					: &handle->user->ring.parked,
			    &request->link);
	}
}

/* The copy that is kept; NULL without memory. */
static struct request *copy_request(const struct request *request)
{
	struct request *parked = malloc(sizeof(*parked));
	if (!parked)
		return NULL;
	*parked = *request;
	if (request->writes) {
		parked->copy = keep_block(request->handle->server->keep, request->size);
		if (!parked->copy) {
			free(parked);
			return NULL;
		}
		memcpy(parked->copy, request->data, request->size);
		parked->data = parked->copy;
	}
	link_init(&parked->link);
	loop_timer_init(&parked->timer, request->handle->server->loop, patience_over, parked);
	return parked;
}

/*
 * An interrupt that has come already must not be asked for: libfuse would call back from within
 * fuse_req_interrupt_func(), holding a lock that lives in the request an answer frees.
 */
static void park(const struct request *request)
{
	if (fuse_req_interrupted(request->req)) {
		answer(request, stopped(request, -EINTR));
		return;
	}
	struct request *parked = copy_request(request);
	if (!parked ||
	    (request->patience && loop_timer_arm(&parked->timer, request->patience) < 0)) {
		if (parked)
			forget(parked);
		answer(request, stopped(request, -ENOMEM));
		return;
	}
	enlist(parked);
	kept_waits(request->handle->server, parked);
	fuse_req_interrupt_func(parked->req, interrupted, parked);
}

static ssize_t work(struct request *request)
{
	uint64_t begin = loop_now();
	ssize_t result = request->work(request);
	turns_spend(handle_user(request->handle), begin);
	return result;
}

void request_serve(struct request *request)
{
	const struct keep_request *progress = kept_progress(request->handle->server);
	if (progress && progress->final) {
		answer(request, progress->result);
		return;
	}
	if (progress) {
		request->done = (size_t)progress->result;
		request->starting = progress->starting;
	}
	/* One that is asked again cannot wait before it has begun: it may have been done in part.
	 */
	bool late = !request->handle->server->resent && turns_over(handle_user(request->handle));
	ssize_t result = late ? request_wait(request, REQUEST_AGAIN) : work(request);
	if (result == REQUEST_WAITS)
		park(request);
	else
		answer(request, result);
}

void request_retry(struct request *request)
{
	struct server *server = request->handle->server;
	link_remove(&request->link);
	again_works_on(server, request->unique);
	ssize_t result = work(request);
	if (result == REQUEST_WAITS && request->patience && !request->expired &&
	    !loop_timer_armed(&request->timer) &&
	    loop_timer_arm(&request->timer, request->patience) < 0)
		result = stopped(request, -ENOMEM);
	if (result == REQUEST_WAITS)
		enlist(request);
	else
		request_finish(request, result);
	again_works_on(server, 0);
}
