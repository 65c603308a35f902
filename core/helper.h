/* SPDX-License-Identifier: MIT */
/*
 * A process that does one kind of work for the daemon, of the kernel's that would hold up the
 * loop, or needs rights that it has not got: a copy of it from before there was anything of any
 * user's in its memory, with no descriptors but its socket and those it is made with. It comes from
 * the forker (forker.h), also when another has to take its place.
 */
#ifndef HELPER_H
#define HELPER_H

#include "message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct forker;
struct helper;
struct loop;

enum { HELPER_MESSAGE_MAX = 512 };

/*
 * The work, in the process: 0 and up, or -errno. What came with the message is `in`, -1 where there
 * is none; it is closed after the work, and so are those *count that it may put in `out`, to be
 * sent. Both have room for MESSAGE_DESCRIPTORS.
 */
typedef int (*helper_work)(void *context, const void *message, const int *in, int *out,
			   unsigned *count);

/*
 * The answer: what the work returned, -ECHILD or -ETIMEDOUT where there is none. The
 * MESSAGE_DESCRIPTORS descriptors, -1 where there is none, are the callee's.
 */
typedef void (*helper_fn)(void *data, int result, const int *descriptors);

struct helper_kind {
	const char *title;
	helper_work work;
	int (*begin)(void *context); /* before the first work, in the process; -errno ends it */
	void (*rest)(void *context); /* after each, when the answer is on its way; NULL: nothing */
	/* In place of all that: it serves `socket` in its own way, and does not return. */
	void (*run)(void *context, int socket);
	void *context;
	size_t message_size;
	uint64_t patience_ns; /* with one piece of work */
	int keep[12];         /* descriptors that the work needs, in any order; the first `kept` */
	unsigned kept;
};

/* One of the forker's kinds; `forker` is borrowed. 0 or -errno. */
int helper_create(struct loop *loop, struct forker *forker, unsigned which, struct helper **out);
/* Whoever still waits is not told any more. */
void helper_destroy(struct helper *helper);

/* Whoever waits is told -ETIMEDOUT, and the next who asks gets another process. */
void helper_give_up(struct helper *helper);

/*
 * Asks for it: `message` is of the kind's size; the process gets copies of the descriptors. 0: `fn`
 * is called from the loop later, in the order of asking; else -errno.
 */
int helper_ask(struct helper *helper, const void *message, const int *descriptors, unsigned count,
	       helper_fn fn, void *data);

/* In the process: serves whoever has the other end of `socket`, for as long as there is one. */
_Noreturn void helper_serve(const struct helper_kind *kind, int socket);

#endif
