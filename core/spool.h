/* SPDX-License-Identifier: MIT */
/*
 * What a terminal printed, as an absolute log of bytes in an unlinked file: byte N is at offset N
 * of the file, and holes are punched behind what is kept. The newest bytes are in memory until
 * they are worth a write, or for as long as the disk has no room for them; they are read from
 * there.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include "keep.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SPOOL_HELD_MAX = 256 * 1024 };

struct spool {
	int fd;                /* negative: there is no file yet */
	const char *directory; /* for it; borrowed; NULL: not open */
	uint64_t start;        /* oldest byte kept */
	uint64_t end;          /* one past the newest */
	uint64_t punched;      /* the file has no blocks below this */
	/* What goes on in this process's place finds there what it needs; NULL: nothing does. */
	struct keep *keep;
	uint64_t keep_id;
	uint32_t keep_part;   /* for the file */
	uint64_t safe, saved; /* starts: that is committed; that is put */
	char *held;           /* the newest `held_size` bytes, which the file has not */
	size_t held_size, held_room;
};

/* Whether there can be one in `directory`: 0 or -errno. */
/* A file that nobody else can open: a descriptor, or -errno. */
int spool_open_unlinked(const char *directory);
int spool_check(const char *directory);

/* The file is made in `directory` when there is something to write to it. 0 or -errno. */
int spool_open(struct spool *spool, const char *directory);
void spool_close(struct spool *spool);
/* Before anything is put in it. */
void spool_keep(struct spool *spool, struct keep *keep, uint64_t id, uint32_t part);

/*
 * Where to put more bytes, *room of them at most, to be told by spool_commit(). -ENOMEM, or why
 * the file does not take what is held already (ENOSPC, EDQUOT, EFBIG, EIO): then there is no room
 * until spool_flush() returns 0. `force`: there is room in memory all the same.
 */
int spool_room(struct spool *spool, bool force, char **at, size_t *room);
void spool_commit(struct spool *spool, size_t size);

/* Writes what is held, and gives its memory back. 0 or -errno. */
int spool_flush(struct spool *spool);

/*
 * At an absolute offset in [start, end]: as much as there is, for `transcript` is read as a file
 * is; fewer only where the disk gave fewer, 0 only at `end`. Or -errno.
 */
ssize_t spool_read(const struct spool *spool, void *data, size_t size, uint64_t offset);
/* Where that is in memory, until more is put in or it is written; NULL: some is in the file. */
const char *spool_held(const struct spool *spool, uint64_t offset);

/* Forgets what is below `start`, which must be in [start, end]. */
void spool_trim(struct spool *spool, uint64_t start);

#endif
