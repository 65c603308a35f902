/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include "attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 17 };

int copy_open(struct place place, mode_t type)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = openat(place.directory, place.name, flags | (S_ISDIR(type) ? O_DIRECTORY : 0));
	return fd < 0 ? -errno : fd;
}

mode_t copy_mode(mode_t upper)
{
	return upper & (S_ISDIR(upper) ? 03777 : 01777);
}

bool copy_same_mode(mode_t upper, mode_t host)
{
	return ((upper ^ host) & 07777) == 0 || (host & 07777) == copy_mode(upper);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static ssize_t read_block(int fd, char *block)
{
	size_t count = 0;
	while (count < BLOCK) {
		ssize_t size = read(fd, block + count, BLOCK - count);
		if (size < 0)
			return -errno;
		if (size == 0)
			break;
		count += (size_t)size;
	}
	return (ssize_t)count;
}

static int contents_differ(int a, int b)
{
	char *blocks = malloc((size_t)2 * BLOCK);
	if (!blocks)
		return -ENOMEM;
	ssize_t one, other;
	int result = 0;
	do {
		one = read_block(a, blocks);
		other = one < 0 ? one : read_block(b, blocks + BLOCK);
		if (other < 0)
			result = (int)other;
		else
			result = one != other || memcmp(blocks, blocks + BLOCK, (size_t)one) != 0;
	} while (result == 0 && one == BLOCK);
	free(blocks);
	return result;
}

static int attributes_differ(int upper, int host)
{
	struct attributes one, other = { 0 };
	int result = attributes_read(&one, upper, true);
	if (result == 0)
		result = attributes_read(&other, host, false);
	if (result == 0)
		result = !attributes_same(&one, &other);
	attributes_finish(&one);
	attributes_finish(&other);
	return result;
}

static int links_differ(struct place a, struct place b)
{
	char one[PATH_MAX], other[PATH_MAX];
	ssize_t length = readlinkat(a.directory, a.name, one, sizeof(one));
	ssize_t others = readlinkat(b.directory, b.name, other, sizeof(other));
	if (length < 0 || others < 0)
		return -errno;
	return length != others || memcmp(one, other, (size_t)length) != 0;
}

/* One that may not be read on the host has been replaced by one that was made elsewhere. */
static int regular_differ(struct place upper, struct place host)
{
	int one = copy_open(upper, S_IFREG);
	int other = one < 0 ? one : copy_open(host, S_IFREG);
	int result = one < 0 ? one : other == -EACCES || other == -EPERM ? 1 : other;
	if (other >= 0)
		result = attributes_differ(one, other);
	if (result == 0)
		result = contents_differ(one, other);
	if (one >= 0)
		close(one);
	if (other >= 0)
		close(other);
	return result;
}

int copy_differs(struct place upper, const struct stat *one, struct place host,
		 const struct stat *other)
{
	if (!same_time(&one->st_mtim, &other->st_mtim))
		return 1;
	if (S_ISLNK(one->st_mode))
		return links_differ(upper, host);
	if (!copy_same_mode(one->st_mode, other->st_mode) || one->st_size != other->st_size)
		return 1;
	return S_ISREG(one->st_mode) ? regular_differ(upper, host) : 0;
}

int copy_directory_differs(int upper, const struct stat *one, int host, const struct stat *other)
{
	if (!copy_same_mode(one->st_mode, other->st_mode))
		return 1;
	return attributes_differ(upper, host);
}

/* Copies */

static int copy_piece(int from, int to, off_t start, off_t end, char *block)
{
	while (start < end) {
		off_t in = start, out = start;
		size_t left = end - start > (1 << 30) ? 1 << 30 : (size_t)(end - start);
		ssize_t size = copy_file_range(from, &in, to, &out, left, 0);
		if (size < 0 && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP &&
		    errno != ENOSYS && errno != EBADF)
			return -errno;
		if (size <= 0) {
			size = pread(from, block, left > BLOCK ? BLOCK : left, start);
			if (size <= 0)
				return size < 0 ? -errno : 0; /* it ended before */
			size = pwrite(to, block, (size_t)size, start);
		}
		if (size < 0)
			return -errno;
		start += size;
	}
	return 0;
}

/* Holes stay holes. */
static int copy_content(int from, int to, off_t size)
{
	char *block = malloc(BLOCK);
	if (!block)
		return -ENOMEM;
	int error = ftruncate(to, size) < 0 ? -errno : 0;
	for (off_t at = 0; error == 0 && at < size;) {
		off_t start = lseek(from, at, SEEK_DATA);
		if (start < 0 && errno == ENXIO)
			break;
		off_t end = start < 0 ? size : lseek(from, start, SEEK_HOLE);
		start = start < 0 ? at : start;
		end = end < 0 || end > size ? size : end;
		error = copy_piece(from, to, start, end, block);
		at = end;
	}
	free(block);
	return error;
}

static int copy_attributes(int from, int to, mode_t mode)
{
	struct attributes attributes;
	int error = attributes_read(&attributes, from, true);
	if (error == 0)
		error = attributes_write(&attributes, to);
	attributes_finish(&attributes);
	return error == 0 && fchmod(to, mode) < 0 ? -errno : error;
}

static int copy_regular(struct place from, const struct stat *status, struct place to)
{
	int source = copy_open(from, S_IFREG);
	if (source < 0)
		return source;
	int target = openat(to.directory, to.name,
			    O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	int error = target < 0 ? -errno : copy_content(source, target, status->st_size);
	if (error == 0)
		error = copy_attributes(source, target, copy_mode(status->st_mode));
	const struct timespec times[] = { status->st_atim, status->st_mtim };
	if (error == 0 && futimens(target, times) < 0)
		error = -errno;
	close(source);
	if (target >= 0)
		close(target);
	return error;
}

static int copy_link(struct place from, struct place to)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(from.directory, from.name, text, sizeof(text) - 1);
	if (length < 0)
		return -errno;
	text[length] = '\0';
	return symlinkat(text, to.directory, to.name) < 0 ? -errno : 0;
}

int copy_make(struct place from, const struct stat *status, struct place to)
{
	const struct timespec times[] = { status->st_atim, status->st_mtim };
	mode_t type = status->st_mode & S_IFMT;
	int error;
	if (type == S_IFREG)
		return copy_regular(from, status, to);
	if (type == S_IFLNK)
		error = copy_link(from, to);
	else if (type == S_IFIFO || type == S_IFSOCK)
		error = mknodat(to.directory, to.name, type | 0600, 0) < 0 ||
					fchmodat(to.directory, to.name, copy_mode(status->st_mode),
						 0) < 0
				? -errno
				: 0;
	else
		return -EPERM; /* no session makes devices */
	if (error == 0 && utimensat(to.directory, to.name, times, AT_SYMLINK_NOFOLLOW) < 0)
		error = -errno;
	return error;
}

int copy_directory(int from, const struct stat *status, int to)
{
	return copy_attributes(from, to, copy_mode(status->st_mode));
}
