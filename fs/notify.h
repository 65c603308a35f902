/* SPDX-License-Identifier: MIT */
/*
 * What a service manager is told, in the words of sd_notify(3): that we are ready, alive, ending.
 * Where there is none, or its socket is of no use, nothing is told and nothing fails.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <loop.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct notify {
	int fd;              /* connected to the manager; -1: nobody is told */
	uint64_t period;     /* of the watchdog's beats, ns; 0: none */
	bool ready;          /* has been told */
	const char *serving; /* borrowed: the mount point, for people to read */
	struct loop *loop;
	struct loop_timer beat;
};

/* Takes the manager's variables out of the environment. `loop` and `serving` outlive `notify`.
 * `daemon` is the process that the manager knows. */
void notify_init(struct notify *notify, struct loop *loop, const char *serving, pid_t daemon);

/* The mount is usable; the beats begin, each from a round of the loop. Idempotent. */
void notify_ready(struct notify *notify);
/* The end has begun, and waits for so many sessions. */
void notify_stopping(struct notify *notify, unsigned sessions);

void notify_finish(struct notify *notify);

#endif
