/* SPDX-License-Identifier: MIT */
#ifndef QUESTION_H
#define QUESTION_H

#include "link.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct dir;
struct file;
struct handle;
struct mimobox_wait;
struct question;
struct server;

enum { QUESTION_CHAINS = 4096 };

/* All names of the server's. */
struct questions {
	struct question *texts[QUESTION_CHAINS];   /* chains by directory and text */
	struct question *numbers[QUESTION_CHAINS]; /* by number */
	uint64_t seed;                             /* so that nobody can choose a chain */
	uint64_t last;                             /* number that was given */
	uint64_t reserved;                         /* a server that goes on gives none up to this */
};

/* A name in `wait` that the kernel knows: what is asked is the name itself. */
struct question {
	struct dir *dir;
	struct link link;  /* in its directory's list */
	struct link order; /* in its user's list, while no file of it is open */
	struct question *next_by_text, *next_by_number;
	uint64_t number;  /* never used again */
	uint64_t lookups; /* that the kernel has still to forget */
	unsigned opened;
	char text[];
};

/* The file that every question is. */
extern const struct file question_file;

void questions_init(struct questions *questions);

/* One more look-up of a name. 0, -ENOENT: it asks nothing, or -ENOMEM. */
int question_look_up(struct dir *dir, const char *text, struct question **out);
/* That of a file that is open already, which is one more. 0 or -ENOMEM. */
int question_restore(struct dir *dir, uint64_t number, const char *text, size_t size,
		     struct question **out);
/* NULL: it was forgotten. */
struct question *question_find(const struct server *server, uint64_t number);
/* The kernel has forgotten so many look-ups. */
void question_forget(const struct server *server, uint64_t number, uint64_t lookups);
void questions_finish(struct dir *dir);

/* Of a file of it: the answer is this one's, whose memory the user holds. */
void question_wait(struct handle *handle, struct mimobox_wait *wait);

/* A file of it is opened, and closed: meanwhile it is not forgotten. */
struct question *question_open(struct question *question);
void question_close(struct question *question);

#endif
