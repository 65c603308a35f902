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
struct mimobox_wait;
struct node;
struct question;
struct server;

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
	const struct question *question; /* while it is being opened; NULL: it is none */
	struct mimobox_cast *cast;       /* of `cast` */
	struct mimobox_wait *wait;       /* of a question */
	uid_t opener;                    /* of `events` */
	struct link listener;            /* of `events`: in the feed's list */
	struct link link;                /* in the server's list of all of them */
	struct text text;                /* what a `show` said */
	struct text carry; /* the beginning of a line whose rest is still to be written */
	struct mimobox_reader *reader;    /* of `output` */
	uint64_t next;                    /* of `output`: where the last read ended */
	bool stale;                       /* of `output`: the next read gets ESTALE */
	uint64_t base;                    /* of `transcript`: what its offset 0 stands for; of
					     `events`: the offset of `text` */
	struct fuse_pollhandle *poll;     /* whom to tell; NULL: only the number is known */
	uint64_t poll_number;             /* the kernel's word for that */
	bool polled;                      /* there is somebody to tell */
	bool owns;                        /* of `ctl`: the session ends when it is closed */
	struct link watch;                /* in the directory's list, while there is */
	char *asked;                      /* of a question, what; owned */
	uint64_t first_piece, last_piece; /* of `events`: of what is kept, see kept.c */
};

/* 0 or -errno: EACCES where the file cannot be read or written as `flags` ask. */
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

#endif
