/* SPDX-License-Identifier: MIT */
#ifndef REQUEST_H
#define REQUEST_H

#include "link.h"

#include <loop.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

struct handle;

/* A worker's way to say that the answer has to wait. No file answers with this errno. */
#define REQUEST_WAITS (-EINPROGRESS)
/* An event for request_wait(): the next round. The work is long, and a piece of it was done. */
#define REQUEST_AGAIN (1u << 31)
/* The same of a question: what concerns its answer, which the session's output does as well. */
#define REQUEST_ANSWER (1u << 30)

/* A read or a write that is being answered. */
struct request {
	fuse_req_t req;
	uint64_t unique; /* the kernel's number, the same when it asks again */
	struct handle *handle;
	/*
	 * Does the work: returns the bytes read (which are at `answer`) or taken, -errno, or what
	 * request_wait() returns, to be called again after the event.
	 */
	ssize_t (*work)(struct request *request);
	bool writes;
	bool nonblock;    /* EAGAIN rather than a wait */
	const char *data; /* a write's */
	size_t size;
	uint64_t offset;
	const void *answer; /* a read's; valid until the worker returns to the loop */

	/* The worker's own, kept while it waits. */
	size_t done;       /* bytes of a write that have taken effect */
	bool starting;     /* it waits for a start */
	bool expired;      /* its patience ended */
	uint64_t patience; /* ns it will wait; 0: for ever */

	/* While it waits. */
	unsigned event; /* of its session's; 0: of any, for a file of the root */
	char *copy;     /* of `data` */
	struct link link;
	struct loop_timer timer;
};

/* Runs the worker; then answers, or parks a copy of the request. The caller is done with it. */
void request_serve(struct request *request);

/* For workers: `return request_wait(...)`. `patience` is counted from the first wait. */
ssize_t request_wait(struct request *request, unsigned event);

/* For workers: what comes next may wait as long as it likes, or has a patience of its own. */
void request_end_patience(struct request *request);

/* Runs a parked request's worker again; it is freed if that gave the answer. */
void request_retry(struct request *request);

/* Answers a parked request and frees it: `result` as a worker returns it. */
void request_finish(struct request *request, ssize_t result);

#endif
