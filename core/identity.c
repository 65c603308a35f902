/* SPDX-License-Identifier: MIT */
#include "identity.h"

#include "keep.h"
#include "older.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

/* Its byte N is locked by the daemon that has the ids from N * IDENTITY_BLOCK on. */
#define LOCKS "/run/mimobox.ids"
#define KEPT_LOCK (UINT64_MAX - 2)

enum { NAMES_PATIENCE_MS = 5000 };

/* Containers' images, and with them -1, which is no id. */
static const struct {
	uint32_t first, last;
} reserved[] = { { 0, 0xffff }, { 0x7ffe0000, 0x7ffeffff }, { 0xffff0000, 0xffffffff } };

static bool is_reserved(uid_t first)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (first >= reserved[i].first && first <= reserved[i].last)
			return true;
	return false;
}

/* Whole blocks, by their numbers: from *from up to, but not with, the result. */
static uint32_t blocks_of(uid_t first, uid_t last, uint32_t *from)
{
	*from = first / IDENTITY_BLOCK + (first % IDENTITY_BLOCK != 0);
	return (uint32_t)(((uint64_t)last + 1) / IDENTITY_BLOCK);
}

int identity_parse_range(const char *text, uid_t *first, uid_t *last)
{
	uint64_t numbers[2];
	uint32_t from;
	int length = 0;
	if (strspn(text, "0123456789-") != strlen(text) || *text == '-' ||
	    sscanf(text, "%10" SCNu64 "-%10" SCNu64 "%n", &numbers[0], &numbers[1], &length) != 2 ||
	    text[length] || numbers[0] > numbers[1] || numbers[1] > UINT32_MAX)
		return -EINVAL;
	*first = (uid_t)numbers[0];
	*last = (uid_t)numbers[1];
	uint32_t end = blocks_of(*first, *last, &from);
	for (uint32_t block = from; block < end; block++)
		if (!is_reserved(block * IDENTITY_BLOCK))
			return 0;
	return -EINVAL;
}

/* Who has ids of a block */

/* user_namespaces(7): each line is an id inside, one outside, and how many. */
static bool is_mapped(const char *path, uid_t first)
{
	FILE *file = fopen(path, "re");
	uint64_t inside, outside, count;
	bool found = false;
	while (file && !found &&
	       fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &inside, &outside, &count) == 3)
		found = inside <= first && inside + count >= (uint64_t)first + IDENTITY_BLOCK;
	if (file)
		(void)fclose(file);
	return found;
}

static bool is_mapped_twice(uid_t first)
{
	return is_mapped("/proc/self/uid_map", first) && is_mapped("/proc/self/gid_map", first);
}

bool identities_are_mapped(uid_t first, uid_t last)
{
	uint32_t from, end = blocks_of(first, last, &from);
	for (uint32_t block = from; block < end; block++)
		if (!is_reserved(block * IDENTITY_BLOCK) && is_mapped_twice(block * IDENTITY_BLOCK))
			return true;
	return false;
}

/* In a file of passwd(5), group(5), subuid(5): those after its second, or first, colon. */
static bool is_in(const char *path, unsigned colons, uid_t first)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;
	while (file && !found && getline(&line, &room, file) > 0) {
		const char *at = line;
		for (unsigned i = 0; at && i < colons; i++) {
			at = strchr(at, ':');
			at += at != NULL;
		}
		uint64_t id, count = 1;
		if (at && sscanf(at, "%" SCNu64 ":%" SCNu64, &id, &count) >= 1)
			found = id < (uint64_t)first + IDENTITY_BLOCK &&
				id + (colons == 1 ? count : 1) > first;
	}
	free(line);
	if (file)
		(void)fclose(file);
	return found;
}

static bool has_end(pid_t pid)
{
	struct pollfd end = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	bool ended = end.fd >= 0 && poll(&end, 1, NAMES_PATIENCE_MS) == 1;
	if (end.fd >= 0)
		close(end.fd);
	return ended;
}

/*
 * A directory of users far away may have millions, and may not answer: it is asked for two ids, in
 * a process of its own, which takes what its libraries open along.
 */
static bool is_named(uid_t first)
{
	const uid_t asked[] = { first, first + IDENTITY_BLOCK - 1 };
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		bool named = false;
		for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
			named |= getpwuid(asked[i]) || getgrgid(asked[i]);
		_exit(named);
	}
	if (pid < 0)
		return false;
	if (!has_end(pid))
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static bool is_known(uid_t first)
{
	return is_in("/etc/passwd", 2, first) || is_in("/etc/group", 2, first) ||
	       is_in("/etc/subuid", 1, first) || is_in("/etc/subgid", 1, first) || is_named(first);
}

/* Locks */

/* Where there can be no file, the block is a random one all the same. */
static int lock_block(int fd, uint32_t block, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = block, .l_len = 1 };
	return fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : -errno;
}

static int take_block(int fd, uint32_t block, bool mapped)
{
	uid_t first = block * IDENTITY_BLOCK;
	if (is_reserved(first) || (mapped && !is_mapped_twice(first)))
		return -EUSERS;
	int error = lock_block(fd, block, F_WRLCK);
	if (error == 0 && is_known(first)) {
		lock_block(fd, block, F_UNLCK);
		error = -EUSERS;
	}
	return error;
}

int identities_create(struct keep *keep, uid_t first, uid_t last, struct identities *out)
{
	uint32_t from, end = blocks_of(first, last, &from), start;
	/* Without any, a start fails, and says why. */
	bool mapped = identities_are_mapped(first, last);
	int error = -EUSERS;
	if (getrandom(&start, sizeof(start), 0) != sizeof(start))
		return -errno;
	int fd = open(LOCKS, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	for (uint32_t i = 0; i < end - from; i++) {
		uint32_t block = from + (start % (end - from) + i) % (end - from);
		error = take_block(fd, block, mapped);
		if (error == 0) {
			*out = (struct identities){ .first = block * IDENTITY_BLOCK, .lock = fd };
			break;
		}
		if (error != -EUSERS && error != -EAGAIN && error != -EACCES)
			break;
	}
	if (error == 0 && fd >= 0)
		error = keep_store(keep, KEPT_LOCK, &(uint32_t){ 0 }, &fd, 1);
	if (error < 0 && fd >= 0)
		close(fd);
	return error == -EAGAIN || error == -EACCES ? -EUSERS : error;
}

void identities_resume(struct keep *keep, uid_t first, uint64_t next, bool again,
		       struct identities *out)
{
	*out = (struct identities){ .first = first,
				    .next = (uint32_t)(next % IDENTITY_BLOCK),
				    .again = again || next >= IDENTITY_BLOCK,
				    .lock = keep_take(keep, KEPT_LOCK, 0) };
}

void identities_finish(struct identities *identities)
{
	if (identities->lock >= 0)
		close(identities->lock);
	identities->lock = -1;
}

uid_t identities_give(struct identities *identities)
{
	uid_t id = identities->first + identities->next++;
	if (identities->next == IDENTITY_BLOCK) {
		identities->next = 0;
		identities->again = true;
	}
	return id;
}
