/* SPDX-License-Identifier: MIT */
/* Blocks: each of a power of two; those that are free are known in this process alone. */
#include "keep_arena.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* What of all may be free and still hold memory. */
enum { IDLE_BYTES = 2 << 20 };

static unsigned class_of(size_t size)
{
	unsigned class = 0;
	while (((size_t)KEEP_BLOCK_MIN << class) < size)
		class ++;
	assert(class < KEEP_CLASSES);
	return class;
}

bool keep_make_room(void **array, size_t *room, size_t count, size_t size)
{
	if (count < *room)
		return true;
	size_t more = *room ? 2 * *room : 64;
	void *grown = reallocarray(*array, more, size);
	if (!grown)
		return false;
	*array = grown;
	*room = more;
	return true;
}

/*
 * Gives memory back to the kernel, which does so by whole pages. Those may be larger than blocks,
 * and then only the pages that have nothing else are given back.
 */
void keep_give_back(const struct keep *keep, uint64_t from, uint64_t to)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), base = (uintptr_t)keep->head;
	uintptr_t start = (base + from + page - 1) / page * page, end = (base + to) / page * page;
	if (start < end)
		madvise((void *)start, end - start, MADV_REMOVE);
}

/* Those that hold memory are in front. */
static void put_back(struct keep *keep, struct keep_places *to, uint64_t place, size_t size)
{
	bool holds = keep->idle + size <= IDLE_BYTES;
	if (!holds)
		keep_give_back(keep, place, place + size);
	/* Without memory to remember it, it is out of use until the next begins. */
	if (!keep_make_room((void **)&to->places, &to->room, to->count, sizeof(*to->places)))
		return;
	to->places[to->count++] = place;
	if (!holds)
		return;
	to->places[to->count - 1] = to->places[to->held];
	to->places[to->held++] = place;
	keep->idle += size;
}

static uint64_t take_back(struct keep *keep, struct keep_places *from, size_t size)
{
	if (from->held == 0)
		return from->places[--from->count];
	uint64_t place = from->places[--from->held];
	from->places[from->held] = from->places[--from->count];
	keep->idle -= size;
	return place;
}

void *keep_block(struct keep *keep, size_t size)
{
	if (!keep)
		return malloc(size);
	unsigned class = class_of(size);
	struct keep_places *free_ones = &keep->free[class];
	size = (size_t)KEEP_BLOCK_MIN << class;
	if (free_ones->count)
		return (char *)keep->head + take_back(keep, free_ones, size);
	if (keep->blocks_end + size > keep->size)
		return NULL;
	if (keep->claiming)
		return keep_block_claim(keep, keep->blocks_end, size);
	keep->blocks_end += size;
	return (char *)keep->head + keep->blocks_end - size;
}

void keep_block_free(struct keep *keep, void *block, size_t size)
{
	if (!keep) {
		free(block);
		return;
	}
	/* Without memory to remember it, it is out of use until the next begins. */
	if (block && keep_make_room((void **)&keep->freed, &keep->freed_room, keep->freed_count,
				    sizeof(*keep->freed)))
		keep->freed[keep->freed_count++] =
			(struct keep_range){ keep_block_place(keep, block), size };
}

void keep_blocks_commit(struct keep *keep)
{
	for (size_t i = 0; i < keep->freed_count; i++) {
		unsigned class = class_of(keep->freed[i].size);
		put_back(keep, &keep->free[class], keep->freed[i].place,
			 (size_t)KEEP_BLOCK_MIN << class);
	}
	keep->freed_count = 0;
}

void *keep_buffer(struct keep *keep)
{
	static_assert(sizeof(struct keep_head) <= KEEP_BUFFER_PLACE, "the buffer is behind it");
	return keep ? (char *)keep->head + KEEP_BUFFER_PLACE : NULL;
}

void *keep_block_at(struct keep *keep, uint64_t place)
{
	return (char *)keep->head + place;
}

uint64_t keep_block_place(const struct keep *keep, const void *block)
{
	return keep && block ? (uint64_t)((const char *)block - (const char *)keep->head) : 0;
}

void *keep_block_claim(struct keep *keep, uint64_t place, size_t size)
{
	if (!keep || place == 0)
		return NULL;
	if (!keep_make_room((void **)&keep->claimed, &keep->claimed_room, keep->claimed_count,
			    sizeof(*keep->claimed)))
		abort(); /* it would be given to another */
	size = (size_t)KEEP_BLOCK_MIN << class_of(size);
	keep->claimed[keep->claimed_count++] = (struct keep_range){ place, size };
	if (place + size > keep->blocks_end)
		keep->blocks_end = place + size;
	return (char *)keep->head + place;
}

static int by_place(const void *a, const void *b)
{
	const struct keep_range *one = a, *other = b;
	return one->place < other->place ? -1 : one->place > other->place;
}

/* What lies between those in use holds no memory; its addresses are not used again. */
void keep_blocks_settle(struct keep *keep)
{
	uint64_t at = keep->blocks_start;
	if (keep->claimed_count)
		qsort(keep->claimed, keep->claimed_count, sizeof(*keep->claimed), by_place);
	for (size_t i = 0; i < keep->claimed_count; i++) {
		if (keep->claimed[i].place > at)
			keep_give_back(keep, at, keep->claimed[i].place);
		at = keep->claimed[i].place + keep->claimed[i].size;
	}
	keep_give_back(keep, at, keep->size);
	free(keep->claimed);
	keep->claimed = NULL;
	keep->claimed_count = keep->claimed_room = 0;
	keep->claiming = false;
}
