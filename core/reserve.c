/* SPDX-License-Identifier: MIT */
#include "reserve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RESERVE_LARGE = 4, RESERVE_BYTES = 8192, RESERVE_BYTES_A_ROW = 8 };

static size_t block_size(const struct reserve *reserve, int i)
{
	return i < RESERVE - RESERVE_LARGE ? RESERVE_BYTES : reserve->large;
}

static void *take(size_t size, void *data)
{
	struct reserve *reserve = data;
	for (int i = 0; i < RESERVE; i++)
		if (reserve->blocks[i] && size <= block_size(reserve, i)) {
			void *block = reserve->blocks[i], *fitted = realloc(block, size);
			reserve->blocks[i] = NULL;
			return memset(fitted ? fitted : block, 0, size);
		}
	return calloc(1, size);
}

static void give_back(void *block, void *data)
{
	(void)data;
	free(block);
}

void reserve_free(struct reserve *reserve)
{
	for (int i = 0; i < RESERVE; i++) {
		free(reserve->blocks[i]);
		reserve->blocks[i] = NULL;
	}
}

static int fill(struct reserve *reserve, int count, int rows)
{
	size_t large = (size_t)rows * RESERVE_BYTES_A_ROW;
	reserve->large = large > RESERVE_BYTES ? large : RESERVE_BYTES;
	for (int i = RESERVE - count; i < RESERVE; i++) {
		reserve->blocks[i] = malloc(block_size(reserve, i));
		if (!reserve->blocks[i]) {
			reserve_free(reserve);
			return -ENOMEM;
		}
	}
	return 0;
}

int reserve_fill(struct reserve *reserve, int rows)
{
	return fill(reserve, RESERVE, rows);
}

int reserve_fill_large(struct reserve *reserve, int rows)
{
	return fill(reserve, RESERVE_LARGE, rows);
}

VTermAllocatorFunctions reserve_allocator = { take, give_back };
