/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "init.h"
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* One that waits for an answer. */
struct asker {
	helper_fn fn;
	void *data;
	struct asker *next;
};

struct helper {
	struct loop *loop;
	const struct helper_kind *kind;
	pid_t pid;
	int socket;
	struct loop_source *source;
	struct asker *first, **last;
};

/* Messages with descriptors */

union attachment {
	struct cmsghdr header;
	char room[CMSG_SPACE(HELPER_DESCRIPTORS * sizeof(int))];
};

static ssize_t send_message(int socket, const void *data, size_t size, const int *descriptors,
			    unsigned count, int flags)
{
	union attachment attachment = { 0 };
	struct iovec part = { (void *)(uintptr_t)data, size };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	if (count) {
		header.msg_control = attachment.room;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *attached = CMSG_FIRSTHDR(&header);
		attached->cmsg_level = SOL_SOCKET;
		attached->cmsg_type = SCM_RIGHTS;
		attached->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(attached), descriptors, count * sizeof(int));
	}
	return sendmsg(socket, &header, MSG_NOSIGNAL | flags);
}

static ssize_t receive_message(int socket, void *data, size_t size, int *descriptors,
			       unsigned *count, int flags)
{
	union attachment attachment;
	struct iovec part = { data, size };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = attachment.room,
				 .msg_controllen = sizeof(attachment.room) };
	ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
	const struct cmsghdr *attached = got < 0 ? NULL : CMSG_FIRSTHDR(&header);
	*count = 0;
	if (attached) {
		*count = (unsigned)((attached->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(descriptors, CMSG_DATA(attached), *count * sizeof(int));
	}
	return got;
}

/* The process */

static void serve_one(const struct helper_kind *kind, int socket)
{
	_Alignas(8) char message[HELPER_MESSAGE_MAX];
	int descriptors[HELPER_DESCRIPTORS], out = -1;
	unsigned count;
	ssize_t size = receive_message(socket, message, sizeof(message), descriptors, &count, 0);
	if (size < 0 && errno == EINTR)
		return;
	if (size != (ssize_t)kind->message_size)
		_exit(size == 0 ? 0 : 1); /* the daemon has gone */
	int32_t result = kind->work(kind->context, message, descriptors, count, &out);
	for (unsigned i = 0; i < count; i++)
		close(descriptors[i]);
	if (send_message(socket, &result, sizeof(result), &out, out >= 0, 0) < 0)
		_exit(1);
	if (out >= 0)
		close(out);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void close_others(const struct helper_kind *kind, int socket)
{
	int keep[sizeof(kind->keep) / sizeof(*kind->keep) + 1];
	unsigned count = kind->kept, from = STDERR_FILENO + 1;
	memcpy(keep, kind->keep, count * sizeof(*keep));
	keep[count++] = socket;
	qsort(keep, count, sizeof(*keep), by_number);
	for (unsigned i = 0; i < count; i++) {
		if ((unsigned)keep[i] > from)
			close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	close_range(from, ~0U, 0);
}

/* Nor is what the daemon was started with anybody's business. */
static void forget_environment(void)
{
	for (char **variable = environ; variable && *variable; variable++)
		memset(*variable, 0, strlen(*variable));
}

_Noreturn static void serve(const struct helper_kind *kind, int socket)
{
	sigset_t all;
	sigfillset(&all); /* Ctrl-C is for the daemon, whose end is ours */
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	init_title(kind->title);
	forget_environment();
	socket = fcntl(socket, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int null = open("/dev/null", O_RDWR);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			_exit(1);
	if (socket < 0 || chdir("/") < 0)
		_exit(1);
	close_others(kind, socket);
	for (;;)
		serve_one(kind, socket);
}

/* The daemon's side */

static void tell_first(struct helper *helper, int result, int descriptor)
{
	struct asker *asker = helper->first;
	helper->first = asker->next;
	if (!helper->first)
		helper->last = &helper->first;
	helper_fn fn = asker->fn;
	void *data = asker->data;
	free(asker);
	fn(data, result, descriptor);
}

static void stop(struct helper *helper)
{
	loop_remove(helper->source);
	helper->source = NULL;
	if (helper->socket >= 0)
		close(helper->socket); /* which ends it */
	helper->socket = -1;
	if (helper->pid > 0)
		waitpid(helper->pid, NULL, 0);
	helper->pid = 0;
}

static void on_answer(void *data, uint32_t events)
{
	(void)events;
	struct helper *helper = data;
	int32_t result;
	int descriptors[HELPER_DESCRIPTORS] = { -1 };
	unsigned count;
	ssize_t size = receive_message(helper->socket, &result, sizeof(result), descriptors, &count,
				       MSG_DONTWAIT);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size == sizeof(result) && helper->first) {
		tell_first(helper, result, count ? descriptors[0] : -1);
		return;
	}
	stop(helper); /* somebody has killed it */
	while (helper->first)
		tell_first(helper, -ECHILD, -1);
}

static int start(struct helper *helper)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid_t pid = _Fork();
	if (pid == 0)
		serve(helper->kind, ends[1]);
	int error = pid < 0 ? -errno : 0;
	close(ends[1]);
	helper->socket = ends[0];
	helper->pid = pid;
	if (error == 0)
		error = loop_add(helper->loop, ends[0], EPOLLIN, on_answer, helper,
				 &helper->source);
	if (error < 0)
		stop(helper);
	return error;
}

int helper_create(struct loop *loop, const struct helper_kind *kind, struct helper **out)
{
	assert(kind->message_size <= HELPER_MESSAGE_MAX);
	struct helper *helper = calloc(1, sizeof(*helper));
	if (!helper)
		return -ENOMEM;
	*helper = (struct helper){ .loop = loop, .kind = kind, .socket = -1 };
	helper->last = &helper->first;
	int error = start(helper);
	if (error < 0)
		free(helper);
	else
		*out = helper;
	return error;
}

void helper_destroy(struct helper *helper)
{
	if (!helper)
		return;
	stop(helper);
	for (struct asker *asker = helper->first, *next; asker; asker = next) {
		next = asker->next;
		free(asker);
	}
	free(helper);
}

int helper_ask(struct helper *helper, const void *message, const int *descriptors, unsigned count,
	       helper_fn fn, void *data)
{
	int error = helper->socket < 0 ? start(helper) : 0; /* it was killed: another */
	struct asker *asker = error < 0 ? NULL : malloc(sizeof(*asker));
	if (error == 0 && !asker)
		error = -ENOMEM;
	if (error == 0 && send_message(helper->socket, message, helper->kind->message_size,
				       descriptors, count, MSG_DONTWAIT) < 0)
		error = -errno;
	if (error < 0) {
		free(asker);
		return error;
	}
	*asker = (struct asker){ .fn = fn, .data = data };
	*helper->last = asker;
	helper->last = &asker->next;
	return 0;
}
