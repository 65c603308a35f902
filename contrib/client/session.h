/* SPDX-License-Identifier: MIT */
/* A session's directory, and what a client does with the files in it. */
#ifndef SESSION_H
#define SESSION_H

#include "place.h"

#include <stdbool.h>
#include <stddef.h>

struct session {
	char path[PATH_MAX];
};

/* Whether it can be the name of a session. */
bool session_is_name(const char *name);
/* Its path, whether or not there is one: 0 or -ENAMETOOLONG. */
int session_at(struct session *session, const struct place *place, const char *name);
/* 0 or an exit status, reported: a name that cannot be, or that there is not. */
int session_find(struct session *session, const struct place *place, const char *name);
/* The last part of its path. */
const char *session_name(const struct session *session);

/* A descriptor or -errno. */
int session_open(const struct session *session, const char *file, int flags);
/* Opens, writes all, closes: 0 or -errno. */
int session_write(const struct session *session, const char *file, const char *text);
/* A whole file as a string, the caller's to free, or NULL and errno. */
char *session_read_file(const char *path);
char *session_read(const struct session *session, const char *file);
/* The value of `key` in such a flat-keyed text, the caller's to free; NULL where there is none. */
char *session_value(const char *text, const char *key);

/* The last line of `log` without its time, the caller's to free, or NULL. */
char *session_reason(const struct session *session);

#endif
