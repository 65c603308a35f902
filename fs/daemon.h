/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdbool.h>
#include <stddef.h>

struct daemon {
	int tell;   /* where the waiting parent listens; -1: nobody waits (any more) */
	bool quiet; /* somebody else tells the parent; but directory and terminal are to be left */
};

/*
 * Forks, unless `foreground`. Returns true in the process that is to serve; false in the parent,
 * after it has waited, with the exit status it should end with.
 */
bool daemon_begin(struct daemon *daemon, bool foreground, int *status);

/* In a process of which daemon_ready() was another program's. */
void daemon_go_on(struct daemon *daemon);

/*
 * The mount is usable: lets the parent go, and leaves its directory and terminal. Idempotent. 0, or
 * -errno: it could not, and the parent waits for our end.
 */
int daemon_ready(struct daemon *daemon);

/* In a copy of the process, which is not the one that tells the parent. */
void daemon_forget(struct daemon *daemon);

/*
 * Closes what this process was started with, but for what it has to say on: somebody may wait for
 * the end of it. 0, or a reported status.
 */
int daemon_close_others(const struct daemon *daemon);

/* Raises the soft limit of open files to the hard one: each session takes several. */
void daemon_raise_file_limit(void);

/* Run by root: gives root's supplementary groups up, so that no sandbox has them. 0, or an exit
 * status, and why. */
int daemon_drop_groups(char *why, size_t size);

#endif
