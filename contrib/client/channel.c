/* SPDX-License-Identifier: MIT */
#include "channel.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_shared(int fd)
{
	return fd <= STDERR_FILENO;
}

void channel_init(struct channel *channel, int from, int to)
{
	channel->from = from;
	channel->to = to;
	channel->from_shared = is_shared(from);
	channel->to_shared = is_shared(to);
	channel->ended = channel->skipped = channel->deserted = false;
	channel->size = channel->done = 0;
}

bool channel_finished(const struct channel *channel)
{
	return channel->ended && channel->size == 0;
}

void channel_watch(const struct channel *channel, struct pollfd fds[2])
{
	bool full = channel->size > 0;
	fds[0] = (struct pollfd){ .fd = full || channel->ended ? -1 : channel->from,
				  .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = full ? channel->to : -1, .events = POLLOUT };
}

int channel_read(struct channel *channel)
{
	ssize_t count = read(channel->from, channel->data, CHANNEL_READ);
	if (count > 0)
		channel->size = (size_t)count;
	if (count >= 0)
		channel->ended = count == 0;
	/* Some was dropped, as was asked for; it goes on with the oldest that is kept. */
	else if (errno == ESTALE)
		channel->skipped = true;
	else if (errno != EAGAIN && errno != EINTR)
		return -errno;
	return 0;
}

/* What can be written without waiting: a pipe that has room takes PIPE_BUF bytes. */
static size_t allowed(const struct channel *channel)
{
	size_t left = channel->size - channel->done;
	if (!channel->to_shared)
		return left;
	struct pollfd room = { .fd = channel->to, .events = POLLOUT };
	if (poll(&room, 1, 0) <= 0)
		return 0;
	return left < PIPE_BUF ? left : PIPE_BUF;
}

int channel_write(struct channel *channel)
{
	size_t size;
	int error = channel->deserted && channel->size > 0 ? -EPIPE : 0;
	while (channel->size > 0 && error == 0 && (size = allowed(channel)) > 0) {
		ssize_t count = write(channel->to, channel->data + channel->done, size);
		if (count < 0 && errno == EAGAIN)
			return 0;
		if (count < 0 && errno != EINTR)
			error = -errno;
		channel->done += count > 0 ? (size_t)count : 0;
		if (channel->done == channel->size)
			channel->size = channel->done = 0;
	}
	if (error < 0)
		channel->size = channel->done = 0;
	channel->deserted |= error == -EPIPE;
	return error;
}
