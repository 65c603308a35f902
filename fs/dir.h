/* SPDX-License-Identifier: MIT */
#ifndef DIR_H
#define DIR_H

#include "link.h"

#include <mimobox.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct file;
struct server;

enum { EVENTS = 5 }; /* the bits of enum mimobox_event */

/* Of a file whose mode or group was changed. */
struct dir_rights {
	uint32_t file; /* its id */
	mode_t mode;   /* permission bits */
	gid_t gid;
};

struct dir {
	struct server *server;
	struct mimobox_session *session; /* a reference */
	struct user *user;               /* the session's owner; a reference */
	struct link link;                /* in the server's list of all of them */
	unsigned users;                  /* its name in the root, and its open handles */
	mode_t mode;                     /* permission bits */
	gid_t gid;
	struct dir_rights *rights; /* of those files that have others than at first */
	size_t rights_count;
	bool input_full;             /* the queue had no room when last asked */
	bool awaited;                /* the server waits for its end, to stop */
	struct link parked[EVENTS];  /* requests, by the event they wait for */
	struct handle *carrier;      /* that has the beginning of a line; NULL: none */
	struct link questions;       /* that the kernel knows, of its `wait` */
	struct link watched[EVENTS]; /* handles that are polled, in the same way */
	struct link waiting;         /* handles of questions that requests wait at */
};

/* Makes a session and its directory. 0 or -errno. The directory is the name's until dir_remove().
 */
int dir_make(struct server *server, const char *name, uid_t uid, gid_t gid, mode_t mode,
	     struct dir **out);

/* The directory of a session that is there, which nobody has yet. 0 or -ENOMEM. */
int dir_attach(struct server *server, struct mimobox_session *session, struct dir **out);

/* Takes the name away and ends the session; what is parked gets what is left of its answer. */
void dir_remove(struct dir *dir);

/* NULL: they are as at first. */
const struct dir_rights *dir_rights_of(const struct dir *dir, const struct file *file);
/* 0 or -ENOMEM. */
int dir_set_rights(struct dir *dir, const struct file *file, mode_t mode, gid_t gid);

struct dir *dir_ref(struct dir *dir);
void dir_unref(struct dir *dir);

/* NULL for a session whose directory is gone. */
struct dir *dir_of(struct mimobox_session *session);

/* No more will ever come of this session: it has ended, or was removed without a start. */
bool dir_ended(const struct dir *dir);

/* The index of a single event in the lists above. */
static inline unsigned dir_index(unsigned event)
{
	return (unsigned)__builtin_ctz(event);
}

/* A mimobox_notify_fn: wakes what waits for `events`. It calls nothing of the session's. */
void dir_notify(struct mimobox_session *session, unsigned events, void *data);

#endif
