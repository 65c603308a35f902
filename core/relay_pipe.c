/* SPDX-License-Identifier: MIT */
/*
 * Bytes go from socket to socket by a pipe, without being copied (splice(2)). A pipe is one way's
 * only as long as there are bytes in it that the other end has no room for.
 */
#include "relay_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIPE_SIZE = 256 << 10, KEPT_PIPES = 64, BUDGET = 1 << 20 };

struct relay_pipe {
	struct relay_pipe *next;
	int ends[2];
};

static struct relay_pipe *get_pipe(struct relay *relay)
{
	struct relay_pipe *pipe = relay->pipes;
	if (pipe) {
		relay->pipes = pipe->next;
		relay->pipe_count--;
		return pipe;
	}
	pipe = malloc(sizeof(*pipe));
	if (pipe && pipe2(pipe->ends, O_NONBLOCK | O_CLOEXEC) < 0) {
		free(pipe);
		return NULL;
	}
	if (pipe) /* where a user has many it stays small */
		fcntl(pipe->ends[0], F_SETPIPE_SZ, PIPE_SIZE);
	return pipe;
}

static void close_pipe(struct relay_pipe *pipe)
{
	close(pipe->ends[0]);
	close(pipe->ends[1]);
	free(pipe);
}

static void give_pipe(struct relay *relay, struct relay_pipe *pipe)
{
	if (relay->pipe_count >= KEPT_PIPES) {
		close_pipe(pipe);
		return;
	}
	pipe->next = relay->pipes;
	relay->pipes = pipe;
	relay->pipe_count++;
}

/* 1: there is something, or nothing will come any more; 0: nothing now. */
static int fill(struct relay *relay, struct relay_way *way)
{
	if (!way->pipe && !(way->pipe = get_pipe(relay)))
		return -EMFILE;
	ssize_t count = splice(way->from, NULL, way->pipe->ends[1], NULL, PIPE_SIZE,
			       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	way->held = (size_t)count;
	way->ended = count == 0;
	return 1;
}

static int move(struct relay *relay, struct relay_way *way, uint64_t *count)
{
	size_t moved = 0;
	while (moved < BUDGET) {
		if (way->held == 0 && !way->ended) {
			int result = fill(relay, way);
			if (result <= 0)
				return result;
		}
		if (way->held == 0)
			return 0;
		ssize_t size = splice(way->pipe->ends[0], NULL, way->to, NULL, way->held,
				      SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (size < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		way->held -= (size_t)size;
		moved += (size_t)size;
		*count += (uint64_t)size;
	}
	return 1;
}

int relay_way_move(struct relay *relay, struct relay_way *way, uint64_t *count)
{
	int result = way->closed ? 0 : move(relay, way, count);
	if (way->pipe && way->held == 0) {
		give_pipe(relay, way->pipe);
		way->pipe = NULL;
	}
	if (result == 0 && way->ended && way->held == 0 && !way->closed) {
		way->closed = true;
		shutdown(way->to, SHUT_WR);
	}
	return result;
}

/* What is held in it is lost with it. */
void relay_way_finish(struct relay *relay, struct relay_way *way)
{
	if (way->pipe && way->held)
		close_pipe(way->pipe);
	else if (way->pipe)
		give_pipe(relay, way->pipe);
	way->pipe = NULL;
	way->held = 0;
}

void relay_reset(int fd)
{
	const struct linger now = { .l_onoff = 1 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}
