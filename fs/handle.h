/* SPDX-License-Identifier: MIT */
#ifndef HANDLE_H
#define HANDLE_H

#include "link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct dir;
struct file;
struct fuse_pollhandle;
struct mimobox_reader;
struct mimobox_cast;
struct mimobox_changes;
struct mimobox_wait;
struct node;
struct question;
struct server;
struct user;

struct text {
	char *data;
	size_t size;
};

/* An open file. */
struct handle {
	struct server *server;
	uint64_t id;               /* the kernel's word for it; never 0, never used again */
	struct handle *next_by_id; /* in the server's table */
	struct dir *dir;           /* a reference; NULL: a file of the root */
	const struct file *file;
	struct user *user;               /* who opened it; a reference */
	struct question *question;       /* NULL: it is none */
	struct mimobox_cast *cast;       /* of `cast` */
	struct mimobox_changes *changes; /* of `changes`, once it is read */
	struct mimobox_wait *wait;       /* of a question */
	size_t wait_size;                /* that the user holds for it */
	struct link link;                /* in the server's list of all of them */
	struct text text;                /* what a `show` said; `data` is NULL if it was dropped */
	bool dropped;                    /* the text was read, and is no longer held */
	uint64_t digest;                 /* of a text that was dropped */
	struct link texts;               /* in the user's list, while it holds a text */
	struct text carry;               /* the beginning of a line, whose rest comes later */
	size_t carried;                  /* that the user holds for it */
	struct mimobox_reader *reader;   /* of `output` */
	uint64_t next;                   /* of `output` and `events`: where the last read ended */
	bool stale;                      /* of `output`: the next read gets ESTALE; of `changes`:
					    so it does without the list, which was made */
	bool listens;                    /* of `events`: it counts as a listener */
	uint64_t base; /* of `transcript` and `events`: what its offset 0 stands for */
	struct fuse_pollhandle *poll; /* the poll to be told; NULL: only its number is known */
	uint64_t poll_number;         /* of that poll, as the kernel counts them */
	bool polled;                  /* there is a poll to be told */
	bool owns;                    /* of `ctl`: the session ends when it is closed */
	bool answers;                 /* of `ctl`: until then its client answers the program */
	struct link watch;            /* in the list of what it is polled for, or of its turn */
	bool due;                     /* that is the list of its turn: it is to be told */
	struct link parked;           /* of a question: requests that wait for its answer */
	struct link waiting;          /* in the directory's list, while there are any */
};

/*
 * 0 or -errno: EACCES where the file cannot be read or written as `flags` ask; ENFILE if the opener
 * has too many open files.
 */
int handle_open(struct server *server, const struct node *node, uid_t opener, int flags,
		struct handle **out);
void handle_close(struct handle *handle);

/* One of that file, which is not open yet. 0 or -ENOMEM. */
int handle_make(struct server *server, struct dir *dir, const struct file *file, uid_t opener,
		uint64_t id, struct handle **out);
/* NULL: there is none. */
struct handle *handle_find(const struct server *server, uint64_t id);

/*
 * Somebody is to be told once of the event that the file is polled for. `poll` is taken over; NULL:
 * only its number is known.
 */
void handle_watch(struct handle *handle, struct fuse_pollhandle *poll, uint64_t number);
void handle_unwatch(struct handle *handle);
/* Tells it. */
void handle_wake(struct handle *handle);

/* Whose turn it takes to work for the handle: the session's owner, or who opened it. */
struct user *handle_user(const struct handle *handle);

#endif
