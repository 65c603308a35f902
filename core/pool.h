/* SPDX-License-Identifier: MIT */
/*
 * Sandboxes that are built ahead, each for one session. What waits is of the kind that was last
 * asked for; at first, of that which the defaults come to.
 */
#ifndef POOL_H
#define POOL_H

#include "sandbox.h"

struct mimobox;
struct mimobox_session;
struct pool;

/* `size`: how many wait. 0 or -errno; pool_destroy() in either case. */
int pool_create(struct mimobox *box, unsigned size, struct pool **out);
/* Only once mimobox.waiting is 0. */
void pool_destroy(struct pool *pool);

/*
 * For a session that is being created: if one that waits can be for its owner, the session gets its
 * workspace and its identity, and the claim on it. False: nothing is changed.
 */
bool pool_claim(struct pool *pool, struct mimobox_session *session);
/* Gives the claim up, if there is one. */
void pool_disclaim(struct pool *pool, const struct mimobox_session *session);

/*
 * Takes one of that shape; uid 0 stands for any id of a sandbox's own. True: it is the caller's.
 * Either way the session has no claim any more, and more of that shape are made in a while.
 */
bool pool_take(struct pool *pool, const struct mimobox_session *session,
	       const struct sandbox_shape *shape, struct sandbox *out);

/* Ends all that wait, and makes no more. */
void pool_close(struct pool *pool);

unsigned pool_ready(const struct pool *pool);
/* Whether one that waits has that id. NULL: none does. */
bool pool_has_identity(const struct pool *pool, uid_t id);

#endif
