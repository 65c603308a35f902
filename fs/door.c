/* SPDX-License-Identifier: MIT */
#include "door.h"

#include "replace.h"

#include <errno.h>
#include <keep.h>
#include <loop.h>
#include <older.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD /* Linux 6.5 */
#define SO_PEERPIDFD 77
#endif

enum { CALLER_MS = 2000, PAUSE_MS = 1000, BACKLOG = 16, AT_ONCE = 16 };

static uint64_t after(unsigned milliseconds)
{
	return loop_now() + milliseconds * UINT64_C(1000000);
}

void door_init(struct door *door)
{
	door->fd = -1;
	door->closed = 0;
	for (int i = 0; i < DOOR_CALLERS; i++)
		door->callers[i].fd = -1;
}

static int read_name(int fd, char *name, size_t size)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	size_t head = offsetof(struct sockaddr_un, sun_path) + 1;
	if (length <= head || address.sun_path[0] != '\0' || length - head >= size)
		return -EPROTO;
	memcpy(name, address.sun_path + 1, length - head);
	name[length - head] = '\0';
	return 0;
}

static int open_socket(int fd, char *name, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	/* Without a name, it gets one. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;
	return read_name(fd, name, size);
}

int door_open(struct door *door, char *name, size_t size)
{
	door->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (door->fd < 0)
		return -errno;
	int error = open_socket(door->fd, name, size);
	if (error < 0)
		door_close(door);
	return error;
}

int door_take_up(struct door *door, int fd, char *name, size_t size)
{
	door->fd = fd;
	return read_name(fd, name, size);
}

static void dismiss(struct door_caller *caller)
{
	if (caller->fd >= 0)
		close(caller->fd);
	caller->fd = -1;
}

void door_close(struct door *door)
{
	for (int i = 0; i < DOOR_CALLERS; i++)
		dismiss(&door->callers[i]);
	if (door->fd >= 0)
		close(door->fd);
	door->fd = -1;
}

uint64_t door_polled(const struct door *door, struct pollfd polled[DOOR_POLLED])
{
	uint64_t until = door->closed ? door->closed : UINT64_MAX;
	polled[0] = (struct pollfd){ .fd = door->closed ? -1 : door->fd, .events = POLLIN };
	for (int i = 0; i < DOOR_CALLERS; i++) {
		const struct door_caller *caller = &door->callers[i];
		polled[1 + i] = (struct pollfd){ .fd = caller->fd, .events = POLLIN };
		if (caller->fd >= 0 && caller->until < until)
			until = caller->until;
	}
	return until;
}

/* Who is let in */

static bool same_namespace(pid_t pid, const char *name)
{
	char path[64], theirs[64], ours[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	ssize_t size = readlink(path, theirs, sizeof(theirs));
	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return size > 0 && (size_t)size < sizeof(theirs) &&
	       readlink(path, ours, sizeof(ours)) == size &&
	       memcmp(theirs, ours, (size_t)size) == 0;
}

/* Who is still there has had its number all the time. */
static bool lives(int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	return poll(&end, 1, 0) == 0;
}

/*
 * Before Linux 6.5 it is opened by its number. That is another's where the process that connected
 * has ended at once, and left the socket to one that it had made: for the keeper to take the other
 * for it, all numbers have to be used up in between, by a sandbox that reaches this socket, which
 * takes `network host` and no Landlock, or one without scopes.
 */
static int open_peer(int fd, pid_t pid)
{
	int pidfd;
	socklen_t size = sizeof(pidfd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
		return pidfd;
	return errno == ENOPROTOOPT ? pidfd_open(pid, 0) : -1;
}

static bool may_enter(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != geteuid())
		return false;
	int pidfd = open_peer(fd, peer.pid);
	if (pidfd < 0)
		return false;
	bool may =
		same_namespace(peer.pid, "user") && same_namespace(peer.pid, "pid") && lives(pidfd);
	close(pidfd);
	return may;
}

/* Where all places are taken, the one that has said nothing for longest goes. */
static struct door_caller *make_place(struct door *door)
{
	struct door_caller *place = &door->callers[0];
	for (int i = 0; i < DOOR_CALLERS; i++) {
		struct door_caller *caller = &door->callers[i];
		if (caller->fd < 0)
			return caller;
		if (caller->until < place->until)
			place = caller;
	}
	dismiss(place);
	return place;
}

static void let_in(struct door *door)
{
	if (door->fd < 0 || loop_now() < door->closed)
		return;
	door->closed = 0;
	for (int i = 0; i < AT_ONCE; i++) {
		int fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0 && may_enter(fd)) {
			*make_place(door) = (struct door_caller){ fd, after(CALLER_MS) };
		} else if (fd >= 0) {
			close(fd);
		} else if (errno != EINTR && errno != ECONNABORTED) {
			/* For want of a descriptor, say, they would be there again at once. */
			door->closed = errno == EAGAIN ? 0 : after(PAUSE_MS);
			return;
		}
	}
}

/* What is asked */

/* As recvmsg(2). The kernel keeps what is more than one descriptor; which is meant is unknown then.
 */
static ssize_t receive(int fd, struct replace_request *request, int *program)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} attachment;
	struct iovec part = { request, sizeof(*request) };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = attachment.room,
				 .msg_controllen = CMSG_LEN(sizeof(int)) };
	*program = -1;
	ssize_t size = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *attached = size >= 0 ? CMSG_FIRSTHDR(&header) : NULL;
	if (attached && attached->cmsg_level == SOL_SOCKET && attached->cmsg_type == SCM_RIGHTS &&
	    attached->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(program, CMSG_DATA(attached), sizeof(int));
	if (*program >= 0 && (header.msg_flags & MSG_CTRUNC)) {
		close(*program);
		*program = -1;
	}
	return size;
}

static bool listen_to(struct door_caller *caller, struct door_call *call)
{
	struct replace_request request = { 0 };
	int program;
	ssize_t size = receive(caller->fd, &request, &program);
	if (size < 0 && (errno == EAGAIN || errno == EINTR) && loop_now() < caller->until)
		return false;
	if (size < (ssize_t)sizeof(request.version)) {
		if (program >= 0)
			close(program);
		dismiss(caller);
		return false;
	}
	*call = (struct door_call){ request.version, request.layout, caller->fd, program };
	caller->fd = -1;
	return true;
}

bool door_look(struct door *door, struct door_call *call)
{
	let_in(door);
	for (int i = 0; i < DOOR_CALLERS; i++)
		if (door->callers[i].fd >= 0 && listen_to(&door->callers[i], call))
			return true;
	return false;
}

void door_answer(int caller, int error)
{
	const struct replace_answer answer = { .error = error, .version = KEEP_VERSION };
	(void)send(caller, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(caller);
}
