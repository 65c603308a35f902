/* SPDX-License-Identifier: MIT */
/*
 * What a terminal printed, as an absolute log of bytes in an unlinked file: byte N is at offset N
 * of the file, and holes are punched behind what is kept. Bytes that the disk has no room for
 * wait in memory (one batch of the terminal at most, see session.c) and are read from there.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spool {
	int fd;
	uint64_t start;   /* oldest byte kept */
	uint64_t end;     /* one past the newest */
	uint64_t punched; /* the file has no blocks below this */
	char *held;       /* the newest `held_size` bytes, where the file could not take them */
	size_t held_size;
};

/* Makes the file in `directory`. 0 or -errno. */
int spool_open(struct spool *spool, const char *directory);
void spool_close(struct spool *spool);

/*
 * Appends all of `data`: 0, or the errno for which some of it is held in memory (ENOSPC, EDQUOT,
 * EFBIG, EIO); then call spool_flush() until it returns 0 before appending more. -ENOMEM: the
 * file took no more, and neither did memory; what is past `end` is lost.
 */
int spool_append(struct spool *spool, const void *data, size_t size);
int spool_flush(struct spool *spool);

/* At an absolute offset in [start, end]; the count may be short; 0 only at `end`. */
ssize_t spool_read(const struct spool *spool, void *data, size_t size, uint64_t offset);

/* Forgets what is below `start`, which must be in [start, end]. */
void spool_trim(struct spool *spool, uint64_t start);

#endif
