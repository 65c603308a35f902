/* SPDX-License-Identifier: MIT */
#include "keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct made {
	int error;
	char path[PATH_MAX];
};

static int make_session(char *path)
{
	size_t length = strlen(path);
	bool fresh = length > 6 && strcmp(path + length - 6, "XXXXXX") == 0;
	if (fresh ? !mkdtemp(path) : mkdir(path, 0700) < 0)
		return -errno;
	return 0;
}

/*
 * It has nothing of the client's open but the socket and the terminal, so that the reader of a pipe
 * sees the client's end. In a session of its own, no key's signal reaches it. The client says when
 * it has brought the terminal back itself.
 */
_Noreturn static void keep(int fd, struct session *session, bool stays, const struct tty *tty)
{
	struct made made = { 0 };
	sigset_t all;
	char byte;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	if (session) {
		made.error = make_session(session->path);
		memcpy(made.path, session->path, sizeof(made.path));
	}
	/* Where nobody hears it any more, the read below says so. */
	(void)send(fd, &made, sizeof(made), MSG_NOSIGNAL);
	struct tty own = tty ? *tty : (struct tty){ .fd = -1 };
	int socket = dup2(fd, STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	if (!tty)
		close(STDIN_FILENO);
	if (!tty || !isatty(STDOUT_FILENO))
		close(STDOUT_FILENO);
	ssize_t size;
	while ((size = read(socket, &byte, 1)) < 0 && errno == EINTR)
		;
	if (tty && size != 1)
		tty_rescue(&own);
	if (session && made.error == 0 && !stays)
		rmdir(session->path);
	_exit(0);
}

int keeper_start(struct keeper *keeper, struct session *session, bool stays, const struct tty *tty)
{
	int ends[2];
	struct made made;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	*keeper = (struct keeper){ .pid = fork(), .fd = ends[0] };
	int error = keeper->pid < 0 ? -errno : 0;
	if (keeper->pid == 0) {
		close(ends[0]);
		keep(ends[1], session, stays, tty);
	}
	close(ends[1]);
	if (error == 0) {
		ssize_t size;
		do
			size = recv(ends[0], &made, sizeof(made), 0);
		while (size < 0 && errno == EINTR);
		error = size == sizeof(made) ? made.error : -ECHILD;
	}
	if (error < 0)
		keeper_end(keeper);
	else if (session)
		memcpy(session->path, made.path, sizeof(session->path));
	return error;
}

void keeper_end(struct keeper *keeper)
{
	(void)send(keeper->fd, "", 1, MSG_NOSIGNAL);
	close(keeper->fd);
	while (keeper->pid > 0 && waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	keeper->pid = 0;
}
