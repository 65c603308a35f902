/* SPDX-License-Identifier: MIT */
/*
 * What a client of a mounted mimobox does with its files, with deadlines.
 *
 * Every path is relative to the fixture's mount point. Texts live as process.h says.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "process.h"

/* The absolute path of what printf makes of `format`; sixteen calls later it is overwritten. */
const char *at(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One open (as `>` does it), one write, one close. The bytes taken, or a negative errno. */
ssize_t put(const char *path, const char *data);
ssize_t put_bytes(const char *path, const void *data, size_t size, int flags);
/* As put(), which must take everything. */
void put_all(const char *path, const char *data);
/* As put() to a session's file, to be refused with `error`, and a line in the session's log. */
void put_refused(const char *path, const char *data, int error);

/* The file until its end. `size` may be NULL. */
char *get(const char *path, size_t *size);
/* open() alone: 0 or a negative errno. */
int can_open(const char *path, int flags);
/* One open and one read of up to 4,096 bytes, without waiting: the bytes, or a negative errno. */
ssize_t get_now(const char *path, char data[static 4096]);
/* The value of `key` in a flat-keyed file, or NULL. */
char *get_value(const char *path, const char *key);
/* The text without its carriage returns. */
char *plain(const char *terminal);

/* The names of the sessions, one a line. */
char *session_names(void);
/* mkdir. */
void session_make(const char *name);
/* mkdir, a config (NULL: none), and `start`. */
void session_start(const char *name, const char *config);
/* Waits for the end. */
int session_exit(const char *name);
/* session_start(), then all that was printed, plain, and the exit status. */
char *session_run(const char *name, const char *config, int *status);
/* The command, as `status` tells, and the sandbox's first process, its parent. */
bool session_is_starting(const void *name);
pid_t session_pid(const char *name);
pid_t session_init(const char *name);

/* A reader of `output` (or any other stream) that goes on where it was. */
struct stream {
	int fd;
	char *data;
	size_t size, room;
	size_t seen; /* stream_until() looks from here */
};
void stream_open(struct stream *stream, const char *path);
/* Reads until `part` has come; fails with what came instead. */
void stream_until(struct stream *stream, const char *part);
void stream_rest(struct stream *stream);
void stream_close(struct stream *stream);

#endif
