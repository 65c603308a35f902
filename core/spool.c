/* SPDX-License-Identifier: MIT */
#include "spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Punching is a transaction of the disk's filesystem, so it waits until it is worth one. */
enum { PUNCH_STEP = 1 << 20 };

int spool_open_unlinked(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd < 0 ? -errno : fd;
	/* A filesystem without O_TMPFILE. */
	char *path;
	if (asprintf(&path, "%s/.mimobox-XXXXXX", directory) < 0)
		return -ENOMEM;
	fd = mkostemp(path, O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd < 0 ? error : fd;
}

int spool_check(const char *directory)
{
	int fd = spool_open_unlinked(directory);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int spool_open(struct spool *spool, const char *directory)
{
	if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) < 0)
		return -errno;
	*spool = (struct spool){ .fd = -1, .directory = directory };
	return 0;
}

void spool_close(struct spool *spool)
{
	if (spool->fd >= 0)
		close(spool->fd);
	keep_block_free(spool->keep, spool->held, spool->held_room);
	*spool = (struct spool){ .fd = -1 };
}

void spool_keep(struct spool *spool, struct keep *keep, uint64_t id, uint32_t part)
{
	spool->keep = keep;
	spool->keep_id = id;
	spool->keep_part = part;
}

/* Returns how much the file took; less than all only with *error set. */
static size_t write_at(int fd, const char *data, size_t size, uint64_t offset, int *error)
{
	size_t done = 0;
	while (done < size) {
		ssize_t count = pwrite(fd, data + done, size - done, (off_t)(offset + done));
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0) {
			*error = count < 0 ? -errno : -ENOSPC;
			return done;
		}
		done += (size_t)count;
	}
	return done;
}

/* By doubling, so that a session that prints little has little held for it. */
static int grow(struct spool *spool)
{
	size_t room = spool->held_room ? 2 * spool->held_room : 4096;
	char *held = keep_block(spool->keep, room);
	if (!held)
		return -ENOMEM;
	if (spool->held_size)
		memcpy(held, spool->held, spool->held_size);
	keep_block_free(spool->keep, spool->held, spool->held_room);
	spool->held = held;
	spool->held_room = room;
	return 0;
}

static int open_file(struct spool *spool)
{
	int fd = spool_open_unlinked(spool->directory);
	int error =
		fd < 0 ? fd : keep_store(spool->keep, spool->keep_id, &spool->keep_part, &fd, 1);
	if (fd >= 0 && error < 0)
		close(fd);
	else
		spool->fd = fd;
	return error;
}

/* What is written may have to be read as it was until the next commit: so it is not moved. */
static void move_rest(struct spool *spool, size_t done)
{
	char *rest = spool->keep ? keep_block(spool->keep, spool->held_room) : NULL;
	if (!rest) {
		memmove(spool->held, spool->held + done, spool->held_size);
		return;
	}
	memcpy(rest, spool->held + done, spool->held_size);
	keep_block_free(spool->keep, spool->held, spool->held_room);
	spool->held = rest;
}

static int write_held(struct spool *spool)
{
	int error = spool->fd < 0 ? open_file(spool) : 0;
	if (error < 0)
		return error;
	size_t done = write_at(spool->fd, spool->held, spool->held_size,
			       spool->end - spool->held_size, &error);
	spool->held_size -= done;
	if (done && spool->held_size)
		move_rest(spool, done);
	return error;
}

int spool_room(struct spool *spool, bool force, char **at, size_t *room)
{
	int error = 0;
	if (spool->held_size == spool->held_room && spool->held_room >= SPOOL_HELD_MAX)
		error = write_held(spool);
	if (error < 0 && !force)
		return error;
	/* Without memory for more, what is held makes way. */
	if (spool->held_size == spool->held_room && grow(spool) < 0 &&
	    (spool->held_room == 0 || write_held(spool) < 0))
		return -ENOMEM;
	*at = spool->held + spool->held_size;
	*room = spool->held_room - spool->held_size;
	return 0;
}

void spool_commit(struct spool *spool, size_t size)
{
	assert(size <= spool->held_room - spool->held_size);
	spool->held_size += size;
	spool->end += size;
}

int spool_flush(struct spool *spool)
{
	int error = spool->held_size ? write_held(spool) : 0;
	if (error < 0)
		return error;
	keep_block_free(spool->keep, spool->held, spool->held_room);
	spool->held = NULL;
	spool->held_room = 0;
	return 0;
}

const char *spool_held(const struct spool *spool, uint64_t offset)
{
	uint64_t in_file = spool->end - spool->held_size;
	return spool->held && offset >= in_file ? spool->held + (offset - in_file) : NULL;
}

static size_t copy_held(const struct spool *spool, void *data, size_t size, uint64_t offset)
{
	size_t left = (size_t)(spool->end - offset);
	size_t count = size < left ? size : left;
	if (count)
		memcpy(data, spool_held(spool, offset), count);
	return count;
}

ssize_t spool_read(const struct spool *spool, void *data, size_t size, uint64_t offset)
{
	assert(offset >= spool->start && offset <= spool->end);
	uint64_t in_file = spool->end - spool->held_size;
	if (offset >= in_file)
		return (ssize_t)copy_held(spool, data, size, offset);
	size_t count = size < in_file - offset ? size : (size_t)(in_file - offset);
	ssize_t done = pread(spool->fd, data, count, (off_t)offset);
	if (done < 0)
		return -errno;
	if ((size_t)done < count)
		return done;
	return done + (ssize_t)copy_held(spool, (char *)data + done, size - count, in_file);
}

void spool_trim(struct spool *spool, uint64_t start)
{
	assert(start >= spool->start && start <= spool->end);
	spool->start = start;
	/* Whoever goes on from what is committed must find it. */
	if (spool->keep)
		start = spool->safe;
	if (spool->fd < 0 || start < spool->punched || start - spool->punched < PUNCH_STEP)
		return;
	/* Where the filesystem can't, the file grows on: `retain` then bounds what is read. */
	if (fallocate(spool->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)spool->punched,
		      (off_t)(start - spool->punched)) == 0)
		spool->punched = start & ~(uint64_t)4095;
}
