/* SPDX-License-Identifier: MIT */
/* Somebody at a terminal, on which the client runs that is under test. */
#ifndef SEAT_H
#define SEAT_H

#include "client.h"

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#define ARGUMENTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* A terminal with a client on it. */
struct user {
	struct stream screen; /* of the master */
	struct termios modes; /* before */
	pid_t pid;
	const char *const *arguments;
};

/* $CLIENT with `arguments` (ARGUMENTS()), on a new terminal of 24 by 80. */
void user_start(struct user *user, const char *const arguments[]);
void resize(const struct user *user, unsigned short rows, unsigned short cols);
void type(const struct user *user, const char *keys);
/* For await(). */
bool modes_as_before(const void *user);
/* The client has ended so, and has left the terminal as it was. */
void user_ended(struct user *user, int expected);

#endif
