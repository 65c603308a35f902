/* SPDX-License-Identifier: MIT */
/*
 * The world outside a sandbox, for a test's programs to reach for: users, their files and
 * sockets, a process, and the hostile program.
 *
 * Users are made by useradd(8) in a mount namespace and an /etc of the test's own: nothing of the
 * machine is changed, and they go with the test's process.
 */
#ifndef OUTSIDE_H
#define OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process.h"

enum { ROOT = 0, ANN = 23461, BOB = 23462 };

/* fixture_prepare() in a namespace with the users. */
void outside_prepare(void);
/* And a daemon of root's, with a secret in its environment. */
void outside_start(void);
/* The .fini. */
void outside_stop(void);
/* The absolute path of what printf makes of `format` in the fixture's directory. */
const char *outside(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A file of `owner`'s. */
void outside_file(const char *path, const char *text, uid_t owner, mode_t mode);
void outside_directory(const char *path, uid_t owner, mode_t mode);
/* The whole of a small file. */
char *outside_read(const char *path);

/* Everything from here on is done as this user, until it is done as ROOT again. */
void act_as(uid_t user);
/* session_start() by this user. */
void session_start_as(uid_t user, const char *name, const char *config);
/* session_run() by this user. */
char *session_run_as(uid_t user, const char *name, const char *config, int *status);
/*
 * A line of config with which the host's network can be had where Landlock is older, and the
 * sockets that it then leaves in reach; NULL: no such version keeps `ports`.
 */
const char *outside_landlock(bool ports);
/* A start that is refused with `error`; one line of the log must have `part`. */
void start_refused(uid_t user, const char *name, const char *config, int error, const char *part);
/* rmdir. */
void session_remove(const char *name);
/* A command as this user, outside of any sandbox. */
struct run run_as(uid_t user, const char *script);

/* What a program of `owner`'s must not reach; see hostile.c. */
struct lures {
	uid_t owner;
	pid_t pid; /* a process of the owner's, which also answers on the sockets */
	uint16_t tcp, other_tcp, udp;
	char directory[128]; /* where the files are */
};
void lures_lay(struct lures *lures, uid_t owner);
/* The environment that tells hostile of them: `NAME=VALUE` one a line, each after `before`. */
char *lures_environment(const struct lures *lures, const char *before, bool inside);
/* The file is what it was. */
void lures_unchanged(const struct lures *lures);

#endif
