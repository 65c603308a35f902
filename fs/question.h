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
struct request;

/* There are no more numbers for those of one session than that. */
enum { QUESTION_BITS = 24 };

/* A name in `wait` that the kernel knows: what is asked is the name itself. */
struct question {
	struct link link; /* in its directory's list */
	uint64_t index;   /* within the directory */
	uint64_t lookups; /* that the kernel has still to forget */
	char text[];
};

/* The file that every question is. */
extern const struct file question_file;

/* One more look-up of a name. 0, -ENOENT: it asks nothing, or -ENOMEM. */
int question_look_up(struct dir *dir, const char *text, struct question **out);
/* One that the kernel knows already. 0 or -ENOMEM. */
int question_restore(struct dir *dir, uint64_t index, uint64_t lookups, const char *text,
		     size_t size);
struct question *question_find(struct dir *dir, uint64_t index);
void question_forget(struct dir *dir, uint64_t index, uint64_t lookups);
void questions_finish(struct dir *dir);

#endif
