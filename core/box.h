/* SPDX-License-Identifier: MIT */
/* What the filesystem may use of a box beyond mimobox.h. */
#ifndef BOX_H
#define BOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct mimobox;
struct mimobox_wait;

/* Its loop, for sources of the caller's own. Borrowed; lives as long as the box. */
struct loop *mimobox_loop(const struct mimobox *box);

/* Bounds that the filesystem keeps, of what a user has open: more keys `user-...` of the ceiling.
 */
enum ceiling_limit { LIMIT_HANDLES, LIMIT_BUFFERS, LIMITS };

/* As ceiling_limit(), by the ceiling of the box. `box` may be NULL. */
uint64_t mimobox_user_limit(const struct mimobox *box, uid_t uid, enum ceiling_limit limit,
			    uint64_t otherwise);

/* Where the filesystem is mounted, so that sockets can be bound there. */
void mimobox_set_mount(struct mimobox *box, const char *path);

/* The bytes of memory that it takes. */
size_t mimobox_wait_size(const struct mimobox_wait *wait);
/* Called when the answer may have come with time alone. NULL: MIMOBOX_OUTPUT tells of it. */
void mimobox_wait_notify(struct mimobox_wait *wait, void (*notify)(void *data), void *data);

#endif
