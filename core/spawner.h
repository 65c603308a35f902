/* SPDX-License-Identifier: MIT */
/*
 * The process that sandboxes are cloned from: a copy of the daemon from before there was anything
 * of any user's in its memory, without a descriptor but one socket. Their parent is the daemon all
 * the same (CLONE_PARENT), which does not wait for a clone to be made.
 */
#ifndef SPAWNER_H
#define SPAWNER_H

#include "init.h"

struct loop;
struct spawner;

/* Told of a clone: pid and pidfd (the callee's from then on), or -errno with neither. */
typedef void (*spawner_fn)(void *data, int error, pid_t pid, int pidfd);

/* `setup` is borrowed, by the process too. 0 or -errno. */
int spawner_create(struct loop *loop, const struct init_setup *setup, struct spawner **out);
/* Whoever still waits is not told any more. */
void spawner_destroy(struct spawner *spawner);

/*
 * Asks for the first process of a sandbox, which gets copies of both sockets. 0: `fn` is called
 * from the loop later; else -errno.
 */
int spawner_ask(struct spawner *spawner, const struct sandbox_shape *shape, int start, int control,
		spawner_fn fn, void *data);

#endif
