/* SPDX-License-Identifier: MIT */
/*
 * Going into the background. The fork comes first and everything is built in the child, since
 * neither sandboxes (whose parent must live) nor descriptors of the loop survive a fork well.
 *
 * The parent waits on a pipe. One byte means that the mount is usable; the end of the file
 * without one means that the child has gone, after it has told why on the standard error that
 * both still share, and its exit status is passed on.
 */
#include "daemon.h"

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <machine.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int wait_for_child(int pipe_fd, pid_t child)
{
	char byte;
	ssize_t count;
	do
		count = read(pipe_fd, &byte, 1);
	while (count < 0 && errno == EINTR);
	if (count == 1)
		return 0;
	if (count < 0) {
		report("cannot hear whether the mount is usable: %s", strerror(errno));
		kill(child, SIGTERM);
	}
	int status;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (count < 0)
		return 1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
	report("ended by signal %d before the mount was usable", WTERMSIG(status));
	return 1;
}

/* Whatever is opened later has numbers of its own: daemon_ready() takes those up to 2. */
static void have_standard_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

bool daemon_begin(struct daemon *daemon, bool foreground, int *status)
{
	*daemon = (struct daemon){ .tell = -1 };
	have_standard_descriptors();
	if (foreground)
		return true;
	int ends[2];
	pid_t child = -1;
	if (pipe2(ends, O_CLOEXEC) == 0)
		child = fork();
	if (child < 0) {
		report("cannot go into the background: %s", strerror(errno));
		*status = 1;
		return false;
	}
	if (child > 0) {
		close(ends[1]);
		*status = wait_for_child(ends[0], child);
		close(ends[0]);
		return false;
	}
	close(ends[0]);
	daemon->tell = ends[1];
	setsid();
	return true;
}

void daemon_go_on(struct daemon *daemon)
{
	*daemon = (struct daemon){ .tell = -1 };
}

int daemon_ready(struct daemon *daemon)
{
	if (daemon->tell < 0 && !daemon->quiet)
		return 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	if (chdir("/") < 0)
		report("cannot go to /: %s", strerror(errno));
	/* The parent may have been killed; we serve all the same. */
	int error =
		daemon->tell >= 0 && write(daemon->tell, "", 1) < 0 && errno != EPIPE ? -errno : 0;
	for (int fd = STDIN_FILENO; error == 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	if (daemon->tell >= 0)
		close(daemon->tell);
	*daemon = (struct daemon){ .tell = -1 };
	return error;
}

void daemon_forget(struct daemon *daemon)
{
	if (daemon->tell < 0)
		return;
	close(daemon->tell);
	*daemon = (struct daemon){ .tell = -1, .quiet = true };
}

int daemon_close_others(const struct daemon *daemon)
{
	unsigned from = STDERR_FILENO + 1, tell = (unsigned)daemon->tell;
	int result = 0;
	if (daemon->tell > STDERR_FILENO) {
		if (tell > from)
			result = close_range(from, tell - 1, 0);
		from = tell + 1;
	}
	if (result == 0)
		result = close_range(from, ~0U, 0);
	if (result == 0)
		return 0;
	report("cannot close what was open at the start: %s", strerror(errno));
	return STATUS_AGAIN;
}

void daemon_raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE,
		  &limit); /* without it there are fewer sessions, each with an error */
}

/* A container may have a user namespace in which that is refused. */
int daemon_drop_groups(char *why, size_t size)
{
	char advice[256];
	if (geteuid() != 0 || getgroups(0, NULL) == 0 || setgroups(0, NULL) == 0)
		return 0;
	int error = -errno;
	bool lacks = machine_advise_ids(advice, sizeof(advice));
	snprintf(why, size, "cannot give up root's groups: %s%s%s", strerror(-error),
		 lacks ? "; " : "", advice);
	return machine_refuses(error) ? STATUS_LACKS : STATUS_AGAIN;
}
