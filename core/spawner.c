/* SPDX-License-Identifier: MIT */
#include "spawner.h"

#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOCKET = 3 };

struct answer {
	int32_t error, pid;
};

/* One that waits for an answer; answers come in the order of asking. */
struct asker {
	spawner_fn fn;
	void *data;
	struct asker *next;
};

struct spawner {
	struct loop *loop;
	const struct init_setup *setup;
	pid_t pid;
	int socket;
	struct loop_source *source;
	struct asker *first, **last;
};

/* The process */

static void attach(struct msghdr *header, const int *descriptors, size_t count)
{
	struct cmsghdr *part = CMSG_FIRSTHDR(header);
	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(part), descriptors, count * sizeof(int));
}

static pid_t clone_init(const struct init_setup *setup, const struct sandbox_shape *shape,
			const int ends[2], int *pidfd)
{
	/* The exit signal is that of this process: clone(2). */
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			 (shape->own_network ? CLONE_NEWNET : 0) | CLONE_PIDFD | CLONE_PARENT |
			 CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)pidfd,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		init_run(setup, shape, ends[0], ends[1]);
	return pid < 0 ? -errno : (pid_t)pid;
}

static void answer(pid_t pid, int pidfd)
{
	struct answer message = { .error = pid < 0 ? pid : 0, .pid = pid < 0 ? 0 : pid };
	struct iovec part = { &message, sizeof(message) };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	if (pid > 0) {
		header.msg_control = control.room;
		header.msg_controllen = sizeof(control.room);
		attach(&header, &pidfd, 1);
	}
	if (sendmsg(SOCKET, &header, MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void serve_one(const struct init_setup *setup)
{
	struct sandbox_shape shape;
	struct iovec part = { &shape, sizeof(shape) };
	int ends[2], pidfd = -1;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(ends))];
	} control;
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room) };
	ssize_t size = recvmsg(SOCKET, &header, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *attached = CMSG_FIRSTHDR(&header);
	if (size != sizeof(shape) || !attached || attached->cmsg_len != CMSG_LEN(sizeof(ends)))
		_exit(size == 0 ? 0 : 1); /* the daemon has gone */
	memcpy(ends, CMSG_DATA(attached), sizeof(ends));
	pid_t pid = clone_init(setup, &shape, ends, &pidfd);
	close(ends[0]);
	close(ends[1]);
	answer(pid, pidfd);
	if (pidfd >= 0)
		close(pidfd);
}

_Noreturn static void serve(const struct init_setup *setup, int socket)
{
	sigset_t all;
	sigfillset(&all); /* Ctrl-C is for the daemon, whose end is ours */
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	init_title("mimobox-spawner");
	int null = open("/dev/null", O_RDWR);
	int high = fcntl(socket, F_DUPFD, SOCKET + 1);
	for (int fd = 0; fd < SOCKET; fd++)
		if (dup2(null, fd) < 0)
			_exit(1);
	if (dup2(high, SOCKET) < 0 || chdir("/") < 0 || close_range(SOCKET + 1, ~0U, 0) < 0)
		_exit(1);
	for (;;)
		serve_one(setup);
}

/* The daemon's side */

static void tell_first(struct spawner *spawner, int error, pid_t pid, int pidfd)
{
	struct asker *asker = spawner->first;
	spawner->first = asker->next;
	if (!spawner->first)
		spawner->last = &spawner->first;
	spawner_fn fn = asker->fn;
	void *data = asker->data;
	free(asker);
	fn(data, error, pid, pidfd);
}

static void stop(struct spawner *spawner)
{
	loop_remove(spawner->source);
	spawner->source = NULL;
	if (spawner->socket >= 0)
		close(spawner->socket); /* which ends it */
	spawner->socket = -1;
	if (spawner->pid > 0)
		waitpid(spawner->pid, NULL, 0);
	spawner->pid = 0;
}

static void on_answer(void *data, uint32_t events)
{
	(void)events;
	struct spawner *spawner = data;
	struct answer message;
	struct iovec part = { &message, sizeof(message) };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room) };
	ssize_t size = recvmsg(spawner->socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size != sizeof(message)) { /* somebody has killed it */
		stop(spawner);
		while (spawner->first)
			tell_first(spawner, -ECHILD, 0, -1);
		return;
	}
	int pidfd = -1;
	const struct cmsghdr *attached = CMSG_FIRSTHDR(&header);
	if (attached)
		memcpy(&pidfd, CMSG_DATA(attached), sizeof(pidfd));
	if (message.error == 0 && pidfd < 0)
		message.error =
			-EMFILE; /* no room for the descriptor; the clone ends with its sockets */
	tell_first(spawner, message.error, message.pid, pidfd);
}

static int start(struct spawner *spawner)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid_t pid = _Fork();
	if (pid == 0)
		serve(spawner->setup, ends[1]);
	int error = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (error == 0)
		error = loop_add(spawner->loop, ends[0], EPOLLIN, on_answer, spawner,
				 &spawner->source);
	spawner->socket = ends[0];
	spawner->pid = pid;
	if (error < 0)
		stop(spawner);
	return error;
}

int spawner_create(struct loop *loop, const struct init_setup *setup, struct spawner **out)
{
	struct spawner *spawner = calloc(1, sizeof(*spawner));
	if (!spawner)
		return -ENOMEM;
	*spawner = (struct spawner){ .loop = loop, .setup = setup, .socket = -1 };
	spawner->last = &spawner->first;
	int error = start(spawner);
	if (error < 0)
		free(spawner);
	else
		*out = spawner;
	return error;
}

void spawner_destroy(struct spawner *spawner)
{
	if (!spawner)
		return;
	stop(spawner);
	for (struct asker *asker = spawner->first, *next; asker; asker = next) {
		next = asker->next;
		free(asker);
	}
	free(spawner);
}

int spawner_ask(struct spawner *spawner, const struct sandbox_shape *shape, int start_end,
		int control_end, spawner_fn fn, void *data)
{
	struct sandbox_shape message = *shape;
	struct iovec part = { &message, sizeof(message) };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room) };
	attach(&header, (const int[]){ start_end, control_end }, 2);
	int error = spawner->socket < 0 ? start(spawner) : 0; /* it was killed: another */
	struct asker *asker = error < 0 ? NULL : malloc(sizeof(*asker));
	if (error == 0 && !asker)
		error = -ENOMEM;
	if (error == 0 && sendmsg(spawner->socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		error = -errno;
	if (error < 0) {
		free(asker);
		return error;
	}
	*asker = (struct asker){ .fn = fn, .data = data };
	*spawner->last = asker;
	spawner->last = &asker->next;
	return 0;
}
