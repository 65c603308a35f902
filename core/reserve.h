/* SPDX-License-Identifier: MIT */
/*
 * What libvterm allocates it uses without a look (0.1.4). So what it may ask for in one call is had
 * before the call, or the call isn't made: a few blocks, each of more than it ever needs; the last
 * of them have room for something about each row, and are all it may ask for at a new size.
 */
#ifndef RESERVE_H
#define RESERVE_H

#include <stddef.h>
#include <vterm.h>

enum { RESERVE = 12 };

struct reserve {
	void *blocks[RESERVE]; /* NULL: gone */
	size_t large;          /* bytes of each of those with room for rows */
};

/* All of them, or those alone that have room for rows. 0, or -ENOMEM: none is there. */
int reserve_fill(struct reserve *reserve, int rows);
int reserve_fill_large(struct reserve *reserve, int rows);
/* What was not asked for. */
void reserve_free(struct reserve *reserve);

/* Its data is a reserve. */
extern VTermAllocatorFunctions reserve_allocator;

#endif
