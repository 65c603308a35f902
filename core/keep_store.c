/* SPDX-License-Identifier: MIT */
/*
 * Descriptors. Both the keeper and what it forks have a table of them: the keeper's is what it was
 * told of, the other is a copy of that from when it was forked.
 */
#include "keep_arena.h"

#include "message.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS = MESSAGE_SENT_MAX, FIRST_CHAINS = 256 };
/* Where the kernel is short of memory for a message: so often it is tried once more, in ms. */
enum { TRIES = 50 };
enum { STORE = KEEP_READY + 1, RELEASE };

struct message {
	uint32_t kind, count;
	uint64_t id;
	uint32_t parts[DESCRIPTORS];
};

union attachments {
	struct cmsghdr header;
	char room[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
};

/* The table */

static uint32_t *chain_of(struct keep *keep, uint64_t id)
{
	return &keep->chains[id & (keep->chain_count - 1)];
}

static bool grow(struct keep *keep)
{
	if (keep->stored_count < keep->stored_room)
		return true;
	size_t room = keep->stored_room ? 2 * keep->stored_room : FIRST_CHAINS;
	struct keep_stored *stored = reallocarray(keep->stored, room, sizeof(*stored));
	if (stored)
		keep->stored = stored;
	uint32_t *chains = stored ? calloc(room, sizeof(*chains)) : NULL;
	if (!chains)
		return false;
	free(keep->chains);
	keep->chains = chains;
	keep->chain_count = room;
	keep->stored_room = room;
	for (size_t i = 0; i < keep->stored_count; i++) {
		uint32_t *chain = chain_of(keep, stored[i].id);
		stored[i].next = *chain;
		*chain = (uint32_t)i + 1;
	}
	return true;
}

void keep_insert(struct keep *keep, uint64_t id, uint32_t part, int fd)
{
	for (uint32_t at = keep->chain_count ? *chain_of(keep, id) : 0; at;
	     at = keep->stored[at - 1].next) {
		struct keep_stored *is = &keep->stored[at - 1];
		if (is->id != id || is->part != part)
			continue;
		close(is->fd);
		is->fd = fd;
		return;
	}
	if (!grow(keep)) {
		close(fd);
		return;
	}
	uint32_t *chain = chain_of(keep, id);
	keep->stored[keep->stored_count++] = (struct keep_stored){ id, part, fd, *chain };
	*chain = (uint32_t)keep->stored_count;
}

/* The last of the table takes its place. */
static void take_out(struct keep *keep, uint32_t *link)
{
	uint32_t at = *link, last = (uint32_t)keep->stored_count--;
	*link = keep->stored[at - 1].next;
	if (at == last)
		return;
	uint32_t *to = chain_of(keep, keep->stored[last - 1].id);
	while (*to != last)
		to = &keep->stored[*to - 1].next;
	*to = at;
	keep->stored[at - 1] = keep->stored[last - 1];
}

/* `part` NULL: all. */
static void take_out_all(struct keep *keep, uint64_t id, const uint32_t *part)
{
	uint32_t *link = keep->chain_count ? chain_of(keep, id) : NULL;
	while (link && *link) {
		struct keep_stored *is = &keep->stored[*link - 1];
		if (is->id != id || (part && is->part != *part)) {
			link = &is->next;
			continue;
		}
		if (is->fd >= 0)
			close(is->fd);
		take_out(keep, link);
		link = chain_of(keep, id); /* what moved may be of this chain */
	}
}

void keep_store_finish(struct keep *keep)
{
	for (size_t i = 0; i < keep->stored_count; i++)
		if (keep->stored[i].fd >= 0)
			close(keep->stored[i].fd);
	free(keep->stored);
	free(keep->chains);
}

int keep_store_begin(struct keep *keep)
{
	return grow(keep) ? 0 : -ENOMEM;
}

/* Messages */

static bool may_do_later(int error, unsigned *tries)
{
	if (error == -EINTR)
		return true;
	if (!message_may_pass(error) || (*tries)++ == TRIES)
		return false;
	poll(NULL, 0, 1);
	return true;
}

static int send_message(struct keep *keep, const struct message *message, const int *descriptors,
			unsigned count)
{
	unsigned tries = 0;
	int error;
	do
		error = message_send(keep->socket, message, sizeof(*message), descriptors, count,
				     0);
	while (may_do_later(error, &tries));
	return error;
}

int keep_store(struct keep *keep, uint64_t id, const uint32_t *parts, const int *descriptors,
	       unsigned count)
{
	struct message message = { .kind = STORE, .id = id };
	int fds[DESCRIPTORS];
	if (!keep)
		return 0;
	for (unsigned i = 0; i < count; i++) {
		if (descriptors[i] < 0)
			continue;
		message.parts[message.count] = parts[i];
		fds[message.count++] = descriptors[i];
	}
	return message.count ? send_message(keep, &message, fds, message.count) : 0;
}

static int tell_release(struct keep *keep, const struct keep_release *release)
{
	struct message message = { .kind = RELEASE,
				   .id = release->id,
				   .count = !release->all,
				   .parts = { release->part } };
	return send_message(keep, &message, NULL, 0);
}

static void release_later(struct keep *keep, const struct keep_release *release)
{
	if (!keep)
		return;
	if (keep_make_room((void **)&keep->releases, &keep->release_room, keep->release_count,
			   sizeof(*release)))
		keep->releases[keep->release_count++] = *release;
	else
		(void)tell_release(keep, release); /* now, or never */
}

void keep_release(struct keep *keep, uint64_t id)
{
	release_later(keep, &(struct keep_release){ .id = id, .all = true });
}

void keep_release_part(struct keep *keep, uint64_t id, uint32_t part)
{
	release_later(keep, &(struct keep_release){ .id = id, .part = part });
}

/* What can't be told now is told later. */
void keep_releases_commit(struct keep *keep)
{
	size_t told = 0;
	for (; told < keep->release_count; told++) {
		if (message_may_pass(tell_release(keep, &keep->releases[told])))
			break;
	}
	keep->release_count -= told;
	if (told && keep->release_count)
		memmove(keep->releases, keep->releases + told,
			keep->release_count * sizeof(*keep->releases));
}

int keep_tell(struct keep *keep, enum keep_message kind)
{
	int error = send_message(keep, &(struct message){ .kind = kind }, NULL, 0);
	keep->armed |= error == 0 && kind == KEEP_ARMED;
	return error;
}

void keep_begin_anew(const struct keep *keep)
{
	if (keep && (keep->armed || keep->again))
		raise(SIGKILL);
}

void keep_take_up_anew(const struct keep *keep)
{
	if (keep && keep->claiming)
		raise(SIGKILL);
}

static void take_message(struct keep *keep, const struct message *message, struct msghdr *header)
{
	int fds[DESCRIPTORS];
	unsigned count = 0;
	struct cmsghdr *attached = CMSG_FIRSTHDR(header);
	if (attached && attached->cmsg_level == SOL_SOCKET && attached->cmsg_type == SCM_RIGHTS) {
		count = (unsigned)((attached->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(attached), count * sizeof(int));
	}
	/* Cut short for want of descriptors: that one will not outlive the process. */
	keep->cut |= message->kind == STORE && count < message->count;
	for (unsigned i = 0; i < count; i++)
		if (message->kind == STORE && i < message->count)
			keep_insert(keep, message->id, message->parts[i], fds[i]);
		else
			close(fds[i]);
	if (message->kind == RELEASE)
		take_out_all(keep, message->id, message->count ? message->parts : NULL);
}

int keep_hear(struct keep *keep, int socket)
{
	unsigned tries = 0;
	for (;;) {
		union attachments attachments;
		struct message message;
		struct iovec part = { &message, sizeof(message) };
		struct msghdr header = { .msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = attachments.room,
					 .msg_controllen = sizeof(attachments.room) };
		ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		int error = got < 0 ? -errno : 0;
		if (may_do_later(error, &tries))
			continue;
		if (error < 0)
			return message_may_pass(error) ? -EAGAIN : error;
		if (got != sizeof(message))
			message.kind = 0;
		take_message(keep, &message, &header);
		if (got != sizeof(message))
			return 0;
		if (message.kind == KEEP_ARMED || message.kind == KEEP_READY)
			return (int)message.kind;
	}
}

bool keep_has_all(const struct keep *keep)
{
	return !keep->cut;
}

void keep_discard(struct keep *keep, uint64_t id)
{
	take_out_all(keep, id, NULL);
}

/* Taking up */

int keep_take(struct keep *keep, uint64_t id, uint32_t part)
{
	if (!keep || !keep->chain_count)
		return -1;
	for (uint32_t at = *chain_of(keep, id); at; at = keep->stored[at - 1].next) {
		struct keep_stored *is = &keep->stored[at - 1];
		if (is->id != id || is->part != part)
			continue;
		int fd = is->fd;
		is->fd = -1;
		return fd;
	}
	return -1;
}

static bool is_taken(struct keep *keep, uint64_t id)
{
	for (uint32_t at = *chain_of(keep, id); at; at = keep->stored[at - 1].next)
		if (keep->stored[at - 1].id == id && keep->stored[at - 1].fd < 0)
			return true;
	return false;
}

void keep_settle(struct keep *keep)
{
	if (!keep)
		return;
	keep_blocks_settle(keep);
	for (size_t i = 0; i < keep->stored_count; i++)
		if (!is_taken(keep, keep->stored[i].id))
			keep_release(keep, keep->stored[i].id);
	keep_releases_commit(keep);
	keep_store_finish(keep);
	keep->stored = NULL;
	keep->chains = NULL;
	keep->stored_count = keep->stored_room = keep->chain_count = 0;
}
