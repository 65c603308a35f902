/* SPDX-License-Identifier: MIT */
/*
 * The process that helpers are forked from: a copy of the daemon from before there was anything of
 * any user's in it, which keeps the rights that the daemon itself gives up. All that it is ever
 * told is the number of a kind. Who comes out of it is a child of its own parent.
 */
#ifndef FORKER_H
#define FORKER_H

#include "helper.h"

enum { FORKER_KINDS_MAX = 8 };

struct forker;
struct keep;

/*
 * `kinds`, which are borrowed, are all that there will be. With `keep`, its parent, and that of all
 * who come out of it, is the keeper, with which they go. 0 or -errno.
 */
int forker_create(const struct helper_kind *const kinds[], unsigned count, struct keep *keep,
		  struct forker **out);
void forker_destroy(struct forker *forker);

const struct helper_kind *forker_kind(const struct forker *forker, unsigned which);

/*
 * Forks one of that kind: 0, and the caller has *pidfd, for forker_reap(), and *socket, its end of
 * the two, to close; or -errno: -ETIMEDOUT after a second, where it is stopped, -ECHILD where
 * somebody has killed it: there are no more helpers, unless a keeper has the process begin anew.
 */
int forker_start(struct forker *forker, unsigned which, int *pidfd, int *socket);
/* Kills it, waits until it has gone, two seconds at most, and closes `pidfd`. -1 is fine. */
void forker_reap(int pidfd);

#endif
