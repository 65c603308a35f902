/* SPDX-License-Identifier: MIT */
/*
 * For init, of a process that waits for an answer of its (broker.h): a copy of its descriptors, and
 * its memory. Also lines of /proc. Async-signal-safe.
 */
#ifndef CALLER_H
#define CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct seccomp_notif;

/*
 * A copy of its descriptor `number`, and *process. Or -errno: EBADF there is none; others, EPERM
 * among them, mean that it cannot be looked into.
 */
int caller_borrow(int listener, const struct seccomp_notif *call, int number, pid_t *process);

/* False where not all of it can be. */
bool caller_read(pid_t process, uint64_t from, void *to, size_t size);
bool caller_write(pid_t process, uint64_t to, const void *from, size_t size);

struct lines {
	int fd; /* the caller's to close */
	size_t at, end;
	char bytes[2048];
};

bool lines_open(struct lines *lines, const char *path);
/* False at the end. What does not fit is dropped. */
bool lines_next(struct lines *lines, char *line, size_t size);

/* The number that a text begins with, else 0. */
uint64_t text_number(const char *text);
/* Field `n` of a line whose fields are parted by blanks. */
const char *text_field(const char *line, unsigned n);
/* There must be room. */
void text_append(char *text, unsigned number);

#endif
