/* SPDX-License-Identifier: MIT */
/*
 * What the filesystem keeps (keep.h) for a server that goes on in this one's place: directories,
 * open files, the lines of `events`, and how far the requests came that are being answered. Where
 * there is no keeper, nothing is done.
 */
#ifndef KEPT_H
#define KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct dir;
struct handle;
struct keep_request;
struct request;
struct server;
struct user;

/* The descriptors of the mount, under a number of their own. */
#define KEPT_MOUNT UINT64_MAX
enum { KEPT_FUSE, KEPT_UNMOUNTER };

/* Something of it has changed. */
void kept_server(struct server *server);
void kept_dir(struct dir *dir);
void kept_labels(const struct dir *dir);
void kept_handle(const struct handle *handle);
void kept_text(const struct handle *handle);  /* its `text` */
void kept_carry(const struct handle *handle); /* its `carry` */
void kept_cast(const struct handle *handle);
/* The user's ring of `events`: there is more from this offset on. */
void kept_ring(struct user *user, uint64_t from);

/* It is no more. */
void kept_no_dir(const struct dir *dir);
void kept_no_handle(const struct handle *handle);
void kept_no_ring(struct user *user);

/*
 * Before an answer: it is `result`, should it be asked for again, and all that has changed is kept
 * from here on. 0 for `unique`: nobody asks again.
 */
void kept_answer(struct server *server, uint64_t unique, ssize_t result);
/* The same of an answer that gives the kernel a file, which it will have to release. */
void kept_opened(struct server *server, uint64_t unique, const struct handle *handle);
/* A read or a write has no answer yet: the next server asks itself, with what was asked. */
void kept_waits(struct server *server, const struct request *request);
/* After it: it was heard. */
void kept_answered(struct server *server, uint64_t unique);
/* Nothing is answered. */
void kept_commit(struct server *server);
/* How far the request at hand came when it was worked on before; NULL: it was not. */
const struct keep_request *kept_progress(const struct server *server);

/* Makes the ring as it was, if one is kept. 0, -EPROTO or -ENOMEM. */
int kept_ring_restore(struct user *user);
/* Makes everything as it was; the box is there. 0 or -errno. */
int kept_restore(struct server *server);

#endif
