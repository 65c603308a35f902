/* SPDX-License-Identifier: MIT */
#include "forker.h"

#include "confine.h"
#include "message.h"

#include <assert.h>
#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000 };

struct forker {
	const struct helper_kind *kinds[FORKER_KINDS_MAX];
	unsigned count;
	struct helper_kind own;
	pid_t pid;
	int socket;    /* -1: it has gone */
	unsigned owed; /* answers, with those that nobody waits for any more */
};

/* The process */

/* The parent is the daemon, which waits for it, and whose end is its own: CLONE_PARENT. */
static int fork_one(void *context, const void *message, const int *in, int *out, unsigned *count)
{
	const struct forker *forker = context;
	const uint32_t *which = message;
	int ends[2];
	(void)in;
	if (*which >= forker->count)
		return -EINVAL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	struct clone_args args = { .flags = CLONE_PARENT };
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		helper_serve(forker->kinds[*which], ends[1]);
	int error = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (error < 0) {
		close(ends[0]);
		return error;
	}
	out[(*count)++] = ends[0];
	return (int)pid;
}

static int begin(void *context)
{
	(void)context;
	return confine_rights(CONFINE_FORKER);
}

/* What any of them needs. */
static void keep_for(struct helper_kind *own, const struct helper_kind *kind)
{
	for (unsigned i = 0; i < kind->kept; i++) {
		unsigned at = 0;
		while (at < own->kept && own->keep[at] != kind->keep[i])
			at++;
		assert(at < sizeof(own->keep) / sizeof(*own->keep));
		own->keep[at] = kind->keep[i];
		own->kept += at == own->kept;
	}
}

/* The daemon's side */

static void give_up(struct forker *forker)
{
	if (forker->socket >= 0)
		close(forker->socket);
	forker->socket = -1;
	if (forker->pid > 0) {
		kill(forker->pid, SIGKILL);
		waitpid(forker->pid, NULL, 0);
	}
	forker->pid = 0;
}

int forker_create(const struct helper_kind *const kinds[], unsigned count, struct forker **out)
{
	struct forker *forker = calloc(1, sizeof(*forker));
	int ends[2];
	assert(count <= FORKER_KINDS_MAX);
	if (!forker)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		int error = -errno;
		free(forker);
		return error;
	}
	forker->own = (struct helper_kind){ .title = "mimobox-forker",
					    .work = fork_one,
					    .begin = begin,
					    .context = forker,
					    .message_size = sizeof(uint32_t) };
	for (unsigned i = 0; i < count; i++) {
		forker->kinds[forker->count++] = kinds[i];
		keep_for(&forker->own, kinds[i]);
	}
	forker->pid = _Fork();
	if (forker->pid == 0)
		helper_serve(&forker->own, ends[1]);
	int error = forker->pid < 0 ? -errno : 0;
	close(ends[1]);
	forker->socket = ends[0];
	if (error < 0)
		forker_destroy(forker);
	else
		*out = forker;
	return error;
}

void forker_destroy(struct forker *forker)
{
	if (!forker)
		return;
	give_up(forker);
	free(forker);
}

const struct helper_kind *forker_kind(const struct forker *forker, unsigned which)
{
	return forker->kinds[which];
}

/* One that nobody waits for any more. */
static void turn_away(int32_t pid, int socket)
{
	if (socket >= 0)
		close(socket);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* One answer: the pid and the socket of a helper, or -errno. */
static int take_answer(struct forker *forker, int32_t *pid, int *socket)
{
	struct pollfd answer = { .fd = forker->socket, .events = POLLIN };
	int descriptors[MESSAGE_DESCRIPTORS];
	int ready = poll(&answer, 1, PATIENCE_MS);
	if (ready <= 0)
		return ready < 0 ? -errno : -ETIMEDOUT;
	ssize_t size =
		message_receive(forker->socket, pid, sizeof(*pid), descriptors, NULL, MSG_DONTWAIT);
	if (size != sizeof(*pid)) {
		give_up(forker);
		return -ECHILD;
	}
	forker->owed--;
	*socket = descriptors[0];
	if (*pid < 0 || *socket >= 0)
		return *pid < 0 ? *pid : 0;
	turn_away(*pid, -1);
	return -EMFILE; /* there was no room for it here */
}

int forker_start(struct forker *forker, unsigned which, pid_t *pid, int *socket)
{
	uint32_t message = which;
	if (forker->socket < 0)
		return -ECHILD;
	int error = message_send(forker->socket, &message, sizeof(message), NULL, 0, MSG_DONTWAIT);
	if (error < 0)
		return error == -EPIPE ? -ECHILD : error;
	forker->owed++;
	int32_t answer = 0;
	while ((error = take_answer(forker, &answer, socket)) == -EINTR ||
	       (error != -ECHILD && error != -ETIMEDOUT && forker->owed > 0))
		if (error == 0)
			turn_away(answer, *socket);
	*pid = error == 0 ? answer : 0;
	return error;
}
