/* SPDX-License-Identifier: MIT */
/*
 * The process that helpers are forked from: a copy of the daemon from before there was anything of
 * any user's in it, which keeps the rights that the daemon itself gives up. All that it is ever
 * told is the number of a kind. Who comes out of it is the daemon's child, not its own.
 */
#ifndef FORKER_H
#define FORKER_H

#include "helper.h"

#include <sys/types.h>

enum { FORKER_KINDS_MAX = 4 };

struct forker;

/* `kinds`, which are borrowed, are all that there will be. 0 or -errno. */
int forker_create(const struct helper_kind *const kinds[], unsigned count, struct forker **out);
void forker_destroy(struct forker *forker);

const struct helper_kind *forker_kind(const struct forker *forker, unsigned which);

/*
 * Forks one of that kind: 0, and what it was before is the caller's to wait for (*pid) and to
 * close (*socket, its end of the two); or -errno: -ECHILD where somebody has killed the forker,
 * after which there are no more helpers, -ETIMEDOUT after a second, where it is stopped.
 */
int forker_start(struct forker *forker, unsigned which, pid_t *pid, int *socket);

#endif
