/* SPDX-License-Identifier: MIT */
/*
 * The daemon's side of changer.h: a request about the changes of a session, until its result. If
 * the process is killed, another goes on in its place.
 */
#ifndef REVIEW_H
#define REVIEW_H

#include "changer.h"

#include <stdbool.h>

struct loop_source;
struct mimobox_session;
struct review;

typedef void (*review_fn)(struct review *review);

struct review {
	struct mimobox_session *session; /* a reference, while it is busy */
	enum change_verb verb;
	char *path;  /* inside; "": all */
	int listing; /* -1: none; the owner's to close, once it is not busy */
	int socket;
	struct loop_source *source;
	unsigned tries;
	bool busy;
	int result; /* once it is not busy */
	review_fn done;
	struct review *next; /* of the session's that are busy */
};

/*
 * Begins; `path` is copied. 0: `done` is called from the loop, and MIMOBOX_CHANGES is told of the
 * session; or -errno.
 */
int review_begin(struct review *review, struct mimobox_session *session, enum change_verb verb,
		 const char *path, int listing, review_fn done);

/* The verb of `ctl`, with its argument: `size` bytes, or none. As mimobox_session_ctl(). */
int review_verb(struct mimobox_session *session, enum change_verb verb, const char *path,
		size_t size);
/* Its set is about to go: what is at work goes on without it. */
void review_orphan(struct mimobox_session *session);

#endif
