/* SPDX-License-Identifier: MIT */
#include "unmounter.h"

#include "mount.h"

#include <confine.h>
#include <errno.h>
#include <fcntl.h>
#include <init.h>
#include <linux/close_range.h>
#include <message.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

enum { UNMOUNT, DETACH_DEAD };
enum { SOCKET = STDERR_FILENO + 1, PATIENCE_MS = 10000, MISSES_MAX = 100 };

/* The process */

static void prepare(int socket)
{
	sigset_t all;
	sigfillset(&all); /* Ctrl-C is for the server, whose end is ours */
	sigprocmask(SIG_SETMASK, &all, NULL);
	setpgid(0, 0); /* nor does it end with the server: see end_followers() */
	init_title("mimobox-unmounter");
	int null = open("/dev/null", O_RDWR);
	int kept = fcntl(socket, F_DUPFD_CLOEXEC, SOCKET);
	bool well = null >= 0 && kept >= 0 && chdir("/") == 0;
	for (int fd = STDIN_FILENO; well && fd <= STDERR_FILENO; fd++)
		well = dup2(null, fd) >= 0;
	if (!well || (kept != SOCKET && dup3(kept, SOCKET, O_CLOEXEC) < 0) ||
	    close_range(SOCKET + 1, ~0U, 0) < 0)
		_exit(1);
	/* A user's runs a program, which would have the filter as well. */
	if (confine_rights(CONFINE_UNMOUNTER) < 0 ||
	    (geteuid() == 0 && confine_calls(CONFINE_UNMOUNTER) < 0))
		_exit(1);
}

_Noreturn static void serve(const char *path, int socket)
{
	int descriptors[MESSAGE_DESCRIPTORS];
	int32_t what, done = 0;
	prepare(socket);
	if (message_send(SOCKET, &done, sizeof(done), NULL, 0, 0) < 0)
		_exit(1);
	/* Short of memory, say, it may do the next time. */
	for (unsigned misses = 0; misses < MISSES_MAX;) {
		ssize_t size = message_receive(SOCKET, &what, sizeof(what), descriptors, NULL, 0);
		if (size == 0) {
			/* Nobody is left, or there will be another who answers. */
			mount_detach_dead(path);
			break;
		}
		if (size != sizeof(what)) {
			misses++;
			continue;
		}
		if (what == UNMOUNT)
			mount_detach_cut(path);
		else
			mount_detach_dead(path);
		if (message_send(SOCKET, &done, sizeof(done), NULL, 0, 0) < 0)
			break;
	}
	_exit(0);
}

/* The server's side */

static int hear(const struct unmounter *unmounter)
{
	struct pollfd answer = { .fd = unmounter->socket, .events = POLLIN };
	int descriptors[MESSAGE_DESCRIPTORS];
	int32_t done;
	if (poll(&answer, 1, PATIENCE_MS) <= 0)
		return -ETIMEDOUT;
	ssize_t size = message_receive(answer.fd, &done, sizeof(done), descriptors, NULL, 0);
	return size == sizeof(done) ? 0 : -ECHILD;
}

static void ask(const struct unmounter *unmounter, int32_t what)
{
	if (unmounter->socket >= 0 &&
	    message_send(unmounter->socket, &what, sizeof(what), NULL, 0, MSG_DONTWAIT) == 0)
		(void)hear(unmounter);
}

/* One that could not be made ready is told of now, not at the end. */
int unmounter_begin(struct unmounter *unmounter, const char *path)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid_t pid = _Fork();
	if (pid == 0)
		serve(path, ends[1]);
	int error = pid < 0 ? -errno : 0;
	close(ends[1]);
	*unmounter = (struct unmounter){ .pid = error < 0 ? 0 : pid, .socket = ends[0] };
	if (error == 0)
		error = hear(unmounter);
	if (error < 0)
		unmounter_end(unmounter);
	return error;
}

/*
 * libfuse unmounts unless its descriptor has an error to tell, as that of a filesystem has which is
 * no more; so it gets one that has. That closes the other, and nobody waits for us any more.
 */
static void cut(int fuse_fd)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	close(ends[0]);
	dup2(ends[1], fuse_fd);
	close(ends[1]);
}

void unmounter_unmount(struct unmounter *unmounter, struct fuse_session *fuse)
{
	struct pollfd connection = { .fd = fuse_session_fd(fuse) };
	if (connection.fd < 0 || (poll(&connection, 1, 0) == 1 && (connection.revents & POLLERR)))
		return;
	cut(connection.fd);
	ask(unmounter, UNMOUNT);
}

void unmounter_detach_dead(struct unmounter *unmounter)
{
	ask(unmounter, DETACH_DEAD);
}

void unmounter_end(struct unmounter *unmounter)
{
	if (unmounter->socket >= 0)
		close(unmounter->socket);
	if (unmounter->pid > 0) {
		kill(unmounter->pid, SIGKILL);
		waitpid(unmounter->pid, NULL, 0);
	}
	*unmounter = (struct unmounter){ .socket = -1 };
}
