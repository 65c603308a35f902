/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "forker.h"
#include "init.h"
#include "loop.h"
#include "message.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A timer that is as late as this tells that the daemon itself was stopped. */
#define LATE_NS UINT64_C(1000000000)

/* One that waits for an answer; with its question, for as long as there is no room for that. */
struct asker {
	helper_fn fn;
	void *data;
	struct asker *next;
	int descriptors[MESSAGE_DESCRIPTORS];
	unsigned count;
	char message[];
};

struct helper {
	struct loop *loop;
	struct forker *forker;
	unsigned which;
	const struct helper_kind *kind; /* that is which */
	int pidfd;
	int socket;
	struct loop_source *source;
	struct asker *first, **last;
	struct asker *unsent; /* the first of those whose questions were not sent yet */
	/* With the work at hand: when one that is stopped is given up, the next who asks gets
	 * another. */
	struct loop_timer patience;
};

/* The process */

static void close_all(const int *descriptors, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (descriptors[i] >= 0)
			close(descriptors[i]);
}

static void serve_one(const struct helper_kind *kind, int socket)
{
	_Alignas(8) char message[HELPER_MESSAGE_MAX];
	int in[MESSAGE_DESCRIPTORS], out[MESSAGE_DESCRIPTORS];
	unsigned count = 0;
	ssize_t size = message_receive(socket, message, sizeof(message), in, NULL, 0);
	if (size == -EINTR)
		return;
	if (size != (ssize_t)kind->message_size)
		_exit(size == 0 ? 0 : 1); /* the daemon has gone */
	int32_t result = kind->work(kind->context, message, in, out, &count);
	close_all(in, MESSAGE_DESCRIPTORS);
	if (message_send(socket, &result, sizeof(result), out, count, 0) < 0)
		_exit(1);
	close_all(out, count);
	if (kind->rest)
		kind->rest(kind->context);
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
		if ((unsigned)keep[i] > from && close_range(from, (unsigned)keep[i] - 1, 0) < 0)
			_exit(1);
		from = (unsigned)keep[i] + 1;
	}
	if (close_range(from, ~0U, 0) < 0)
		_exit(1);
}

/* Nor is what the daemon was started with anybody's business. */
static void forget_environment(void)
{
	for (char **variable = environ; variable && *variable; variable++)
		memset(*variable, 0, strlen(*variable));
}

_Noreturn void helper_serve(const struct helper_kind *kind, int socket)
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
	if (kind->begin(kind->context) < 0)
		_exit(1);
	for (;;)
		serve_one(kind, socket);
}

/* The daemon's side */

static void wait_for_first(struct helper *helper)
{
	loop_timer_disarm(&helper->patience);
	if (helper->first)
		loop_timer_arm(&helper->patience, helper->kind->patience_ns);
}

static int send_question(struct helper *helper, const struct asker *asker, const int *descriptors)
{
	return message_send(helper->socket, asker->message, helper->kind->message_size, descriptors,
			    asker->count, MSG_DONTWAIT);
}

static void drop_question(struct asker *asker)
{
	close_all(asker->descriptors, asker->count);
	asker->count = 0;
}

/* Each answer means that there is room for one more. */
static void send_more(struct helper *helper)
{
	while (helper->unsent && helper->socket >= 0) {
		struct asker *asker = helper->unsent;
		if (send_question(helper, asker, asker->descriptors) < 0)
			return; /* in a moment; or it has ended, and on_answer() comes */
		drop_question(asker);
		helper->unsent = asker->next;
	}
}

/* The descriptors are the caller's, and will be gone. */
static int keep_question(struct helper *helper, struct asker *asker, const int *descriptors)
{
	for (unsigned i = 0; i < asker->count; i++) {
		asker->descriptors[i] = fcntl(descriptors[i], F_DUPFD_CLOEXEC, 0);
		if (asker->descriptors[i] < 0) {
			int error = -errno;
			close_all(asker->descriptors, i);
			return error;
		}
	}
	if (!helper->unsent)
		helper->unsent = asker;
	return 0;
}

static void tell_first(struct helper *helper, int result, const int *descriptors)
{
	struct asker *asker = helper->first;
	helper->first = asker->next;
	if (!helper->first)
		helper->last = &helper->first;
	wait_for_first(helper);
	send_more(helper);
	helper_fn fn = asker->fn;
	void *data = asker->data;
	free(asker);
	fn(data, result, descriptors);
}

static void stop(struct helper *helper)
{
	loop_remove(helper->source);
	helper->source = NULL;
	if (helper->socket >= 0)
		close(helper->socket);
	helper->socket = -1;
	forker_reap(helper->pidfd);
	helper->pidfd = -1;
}

/* Those who ask anew, when they are told, ask another. */
static void give_up(struct helper *helper, int error)
{
	struct asker **end = helper->last;
	stop(helper);
	for (struct asker *asker = helper->unsent; asker; asker = asker->next)
		drop_question(asker);
	helper->unsent = NULL;
	for (bool more = helper->first; more;) {
		more = &helper->first->next != end;
		tell_first(helper, error, (const int[]){ -1, -1, -1 });
	}
}

void helper_give_up(struct helper *helper)
{
	give_up(helper, -ETIMEDOUT);
}

/*
 * After everything was stopped for a while, all timers are due, and no answer was looked at. To
 * give up then would lose what a spawner has cloned, which nobody would wait for when it ends.
 */
static void on_patience(void *data)
{
	struct helper *helper = data;
	if (loop_now() - helper->patience.due > LATE_NS)
		wait_for_first(helper);
	else
		helper_give_up(helper);
}

static void on_answer(void *data, uint32_t events)
{
	(void)events;
	struct helper *helper = data;
	int32_t result;
	int descriptors[MESSAGE_DESCRIPTORS];
	ssize_t size = message_receive(helper->socket, &result, sizeof(result), descriptors, NULL,
				       MSG_DONTWAIT);
	if (size == -EAGAIN || size == -EINTR)
		return;
	if (size == sizeof(result) && helper->first) {
		tell_first(helper, result, descriptors);
		return;
	}
	close_all(descriptors, MESSAGE_DESCRIPTORS);
	give_up(helper, -ECHILD); /* somebody has killed it */
}

static int start(struct helper *helper)
{
	int error = forker_start(helper->forker, helper->which, &helper->pidfd, &helper->socket);
	if (error < 0)
		return error;
	error = loop_add(helper->loop, helper->socket, EPOLLIN, on_answer, helper, &helper->source);
	if (error < 0)
		stop(helper);
	return error;
}

int helper_create(struct loop *loop, struct forker *forker, unsigned which, struct helper **out)
{
	const struct helper_kind *kind = forker_kind(forker, which);
	assert(kind->message_size <= HELPER_MESSAGE_MAX);
	struct helper *helper = calloc(1, sizeof(*helper));
	if (!helper)
		return -ENOMEM;
	*helper = (struct helper){ .loop = loop,
				   .forker = forker,
				   .which = which,
				   .kind = kind,
				   .pidfd = -1,
				   .socket = -1 };
	helper->last = &helper->first;
	loop_timer_init(&helper->patience, loop, on_patience, helper);
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
	loop_timer_disarm(&helper->patience);
	for (struct asker *asker = helper->first, *next; asker; asker = next) {
		next = asker->next;
		if (asker == helper->unsent) {
			drop_question(asker);
			helper->unsent = next;
		}
		free(asker);
	}
	free(helper);
}

int helper_ask(struct helper *helper, const void *message, const int *descriptors, unsigned count,
	       helper_fn fn, void *data)
{
	int error = helper->socket < 0 ? start(helper) : 0; /* it was killed: another */
	size_t size = helper->kind->message_size;
	struct asker *asker = error < 0 ? NULL : malloc(sizeof(*asker) + size);
	if (error == 0 && !asker)
		error = -ENOMEM;
	if (error < 0)
		return error;
	*asker = (struct asker){ .fn = fn, .data = data, .count = count };
	memcpy(asker->message, message, size);
	error = helper->unsent ? -EAGAIN : send_question(helper, asker, descriptors);
	if (error == -EPIPE && !helper->first) { /* it was killed a moment ago */
		stop(helper);
		error = start(helper);
		if (error == 0)
			error = send_question(helper, asker, descriptors);
	}
	if (error == -EAGAIN && helper->first)
		error = keep_question(helper, asker, descriptors);
	else
		asker->count = 0;
	if (error < 0) {
		free(asker);
		return error;
	}
	*helper->last = asker;
	helper->last = &asker->next;
	if (helper->first == asker)
		wait_for_first(helper);
	return 0;
}
