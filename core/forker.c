/* SPDX-License-Identifier: MIT */
#include "forker.h"

#include "confine.h"
#include "keep.h"
#include "message.h"
#include "older.h"

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

/*
 * The server blocks here. So this is far below the 30 s after which a service manager ends a
 * server that does not beat. The forker's death ends the wait at once.
 */
enum { PATIENCE_MS = 10000, GONE_MS = 10000 };

struct forker {
	const struct helper_kind *kinds[FORKER_KINDS_MAX];
	unsigned count;
	struct helper_kind own;
	int pidfd;
	int socket;    /* -1: it has gone */
	unsigned owed; /* answers, with those that nobody waits for any more */
	struct keep *keep;
};

/* As fork(2), of one thread: 0 in the child, 1 and *pidfd, or -errno. */
static int make_process(bool sibling, int *pidfd)
{
	struct clone_args args = { .flags = CLONE_PIDFD | (sibling ? CLONE_PARENT : 0),
				   .exit_signal = sibling ? 0 : SIGCHLD,
				   .pidfd = (uintptr_t)pidfd };
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	return pid < 0 ? -errno : pid > 0;
}

/* The process */

/* The parent is the forker's own, whose end is that of this one: CLONE_PARENT. */
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
	int pidfd, error = make_process(true, &pidfd);
	if (error == 0)
		helper_serve(forker->kinds[*which], ends[1]);
	close(ends[1]);
	if (error < 0) {
		close(ends[0]);
		return error;
	}
	out[(*count)++] = ends[0];
	out[(*count)++] = pidfd;
	return 0;
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

void forker_reap(int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	if (pidfd < 0)
		return;
	pidfd_send_signal(pidfd, SIGKILL, NULL, 0); /* somebody may have stopped it */
	poll(&end, 1, GONE_MS);
	waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG); /* if it is ours */
	close(pidfd);
}

static void give_up(struct forker *forker)
{
	if (forker->socket >= 0)
		close(forker->socket);
	forker->socket = -1;
	forker_reap(forker->pidfd);
	forker->pidfd = -1;
}

int forker_create(const struct helper_kind *const kinds[], unsigned count, struct keep *keep,
		  struct forker **out)
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
	forker->pidfd = -1;
	forker->keep = keep;
	int error = make_process(keep != NULL, &forker->pidfd);
	if (error == 0)
		helper_serve(&forker->own, ends[1]);
	close(ends[1]);
	forker->socket = ends[0];
	if (error < 0) {
		forker_destroy(forker);
		return error;
	}
	*out = forker;
	return 0;
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

/* One answer: the socket of a helper and its pidfd, or -errno. */
static int take_answer(struct forker *forker, int *pidfd, int *socket)
{
	struct pollfd answer = { .fd = forker->socket, .events = POLLIN };
	int descriptors[MESSAGE_DESCRIPTORS];
	int32_t result;
	int ready = poll(&answer, 1, PATIENCE_MS);
	if (ready <= 0)
		return ready < 0 ? -errno : -ETIMEDOUT;
	ssize_t size = message_receive(forker->socket, &result, sizeof(result), descriptors, NULL,
				       MSG_DONTWAIT);
	if (size != sizeof(result)) {
		give_up(forker);
		return -ECHILD;
	}
	forker->owed--;
	*socket = descriptors[0];
	*pidfd = descriptors[1];
	if (result < 0 || (*socket >= 0 && *pidfd >= 0))
		return result;
	if (*socket >= 0)
		close(*socket); /* of which it ends */
	forker_reap(*pidfd);
	return -EMFILE; /* there was no room for it here */
}

static int start(struct forker *forker, unsigned which, int *pidfd, int *socket)
{
	uint32_t message = which;
	if (forker->socket < 0)
		return -ECHILD;
	int error = message_send(forker->socket, &message, sizeof(message), NULL, 0, MSG_DONTWAIT);
	if (error < 0)
		return error == -EPIPE ? -ECHILD : error;
	forker->owed++;
	/* Of those that nobody waits for any more there may be answers, too. */
	while ((error = take_answer(forker, pidfd, socket)) == -EINTR ||
	       (error != -ECHILD && error != -ETIMEDOUT && forker->owed > 0))
		if (error == 0) {
			close(*socket);
			forker_reap(*pidfd);
		}
	if (error < 0)
		*pidfd = *socket = -1;
	return error;
}

int forker_start(struct forker *forker, unsigned which, int *pidfd, int *socket)
{
	int error = start(forker, which, pidfd, socket);
	if (error == -ECHILD)
		keep_begin_anew(forker->keep);
	return error;
}
