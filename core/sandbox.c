/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include "message.h"
#include "monitor.h"
#include "older.h"
#include "spawner.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char *stage_name(int stage)
{
	static const char *const names[] = {
		[STAGE_CGROUP] = "cgroup",     [STAGE_CLONE] = "clone",
		[STAGE_IDENTITY] = "identity", [STAGE_NAMESPACES] = "namespaces",
		[STAGE_NETWORK] = "network",   [STAGE_PATHS] = "path",
		[STAGE_ROOT] = "root",         [STAGE_TERMINAL] = "terminal",
		[STAGE_LIMITS] = "limits",     [STAGE_PRIVILEGES] = "privileges",
		[STAGE_FORK] = "fork",         [STAGE_CWD] = "cwd",
		[STAGE_LANDLOCK] = "landlock", [STAGE_SECCOMP] = "seccomp",
		[STAGE_EXEC] = "exec",
	};
	return stage >= 0 && (size_t)stage < sizeof(names) / sizeof(names[0]) ? names[stage] : "?";
}

enum { ABANDON_MS = 100 };

/* Making */

static int make_sockets(int start[2], int control[2])
{
	int on = 1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, start) < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0) {
		int error = -errno;
		close(start[0]);
		close(start[1]);
		return error;
	}
	/* So that the command's message tells its pid, as this process sees it: unix(7). */
	setsockopt(start[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	return 0;
}

void sandbox_init(struct sandbox *sandbox)
{
	*sandbox = (struct sandbox){ .pidfd = -1,
				     .start = -1,
				     .control = -1,
				     .mounts = -1,
				     .page = -1,
				     .bell = -1,
				     .inside = { -1, -1, -1 } };
}

int sandbox_ask(struct sandbox *sandbox, const char *workspace, uint64_t disk,
		struct helper *spawner, helper_fn fn, void *data)
{
	struct spawn_request request = { .shape = sandbox->shape,
					 .limits = sandbox->limits,
					 .group = sandbox->group,
					 .disk = disk };
	int start[2], control[2];
	assert(strlen(workspace) < sizeof(request.workspace));
	strcpy(request.workspace, workspace);
	int error = make_sockets(start, control);
	if (error < 0)
		return error;
	error = helper_ask(spawner, &request, (const int[]){ start[1], control[1] }, 2, fn, data);
	close(start[1]);
	close(control[1]);
	sandbox->start = start[0];
	sandbox->control = control[0];
	if (error < 0)
		sandbox_finish(sandbox);
	return error;
}

int sandbox_join(struct sandbox *sandbox, const struct sandbox *host)
{
	struct control_message message = { .verb = CONTROL_JOIN };
	int start[2], control[2], error = make_sockets(start, control);
	if (error < 0)
		return error;
	if (sandbox->shape.terminal)
		message.signal |= CONTROL_JOIN_TERMINAL;
	if (sandbox->shape.ends_with_command)
		message.signal |= CONTROL_JOIN_ENDS_WITH_COMMAND;
	message.typed = host->typed;
	error = message_send(host->control, &message, sizeof(message),
			     (const int[]){ start[1], control[1] }, 2, MSG_DONTWAIT);
	close(start[1]);
	close(control[1]);
	sandbox->start = start[0];
	sandbox->control = control[0];
	if (error < 0)
		sandbox_finish(sandbox);
	return error == -EPIPE || error == -ECONNRESET ? -ESRCH : error;
}

int sandbox_take(struct sandbox *sandbox, int result, const int *descriptors,
		 struct start_report *report)
{
	if (result < 0) {
		if (sandbox_receive(sandbox, report) != 1)
			*report = (struct start_report){ .stage = STAGE_CLONE, .error = -result };
		sandbox_finish(sandbox);
		return result;
	}
	sandbox->init = result;
	sandbox->pidfd = descriptors[0];
	sandbox->mounts = descriptors[1];
	if (sandbox->pidfd >= 0)
		return 0;
	*report = (struct start_report){ .stage = STAGE_CLONE, .error = EMFILE };
	sandbox_finish(sandbox);                   /* then it ends by itself */
	if (waitpid(result, NULL, WNOHANG) == 0) { /* with a keeper, that is whose child it is */
		kill(result, SIGKILL);
		waitpid(result, NULL, 0);
	}
	return -EMFILE;
}

bool sandbox_has_page(const struct sandbox *sandbox)
{
	return sandbox->page >= 0 && sandbox->bell >= 0;
}

int sandbox_give(const struct sandbox *sandbox, int plan)
{
	return message_send(sandbox->start, "", 1, &plan, 1, MSG_DONTWAIT);
}

/* Talk */

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void take_page(struct sandbox *sandbox, const int *descriptors)
{
	close_one(&sandbox->page);
	close_one(&sandbox->bell);
	sandbox->page = descriptors[0];
	sandbox->bell = descriptors[1];
}

/* Of one that has joined another. */
static void take_joined(struct sandbox *sandbox, int pidfd, pid_t init)
{
	close_one(&sandbox->pidfd);
	sandbox->pidfd = pidfd;
	sandbox->init = init;
}

static void take_inside(struct sandbox *sandbox, const int *descriptors)
{
	for (int i = 0; i < INSIDE_ENDS; i++) {
		close_one(&sandbox->inside[i]);
		sandbox->inside[i] = descriptors[i];
	}
}

int sandbox_receive(struct sandbox *sandbox, struct start_report *report)
{
	int descriptors[MESSAGE_DESCRIPTORS];
	pid_t sender;
	int flags = MSG_DONTWAIT | (sandbox->kept ? MSG_PEEK : 0);
	ssize_t size = message_receive(sandbox->start, report, sizeof(*report), descriptors,
				       &sender, flags);
	/* Where it left a word unread, told twice what for, that is heard first. */
	if (size == -ECONNRESET)
		size = message_receive(sandbox->start, report, sizeof(*report), descriptors,
				       &sender, flags);
	if (size < 0)
		return size == -EINTR ? -EAGAIN : size == -ECONNRESET ? 0 : (int)size;
	if (size != sizeof(*report))
		return 0;
	report->what[sizeof(report->what) - 1] = '\0';
	if (report->stage == STAGE_NETWORK)
		take_inside(sandbox, descriptors);
	else if (descriptors[0] >= 0)
		take_page(sandbox, descriptors);
	if (report->stage != STAGE_NETWORK && descriptors[2] >= 0)
		take_joined(sandbox, descriptors[2], sender);
	if (report->stage == STAGE_EXEC && report->error == 0)
		sandbox->pid = sender;
	return 1;
}

void sandbox_received(const struct sandbox *sandbox)
{
	struct start_report report;
	if (sandbox->kept)
		(void)recv(sandbox->start, &report, sizeof(report), MSG_DONTWAIT);
}

int sandbox_control(const struct sandbox *sandbox, enum control_verb verb, int signal)
{
	struct control_message message = { .key = sandbox->key,
					   .verb = (int32_t)verb,
					   .signal = signal,
					   .typed = sandbox->typed };
	if (send(sandbox->control, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	return errno == EPIPE || errno == ECONNRESET ? -ESRCH : -errno;
}

/* "" where it cannot be read. */
static void read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? 0 : read(fd, text, size - 1);
	text[count > 0 ? count : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* The number may be another process's by now. */
static void kill_child(const char *pid, pid_t parent)
{
	char path[64], text[1024];
	int is = 0, pidfd = pidfd_open(atoi(pid), 0);
	if (pidfd < 0)
		return;
	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	read_text(path, text, sizeof(text));
	const char *line = strstr(text, "\nPPid:");
	if (line && sscanf(line, "\nPPid: %d", &is) == 1 && is == parent)
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	close(pidfd);
}

/* Those that one of its threads has made. */
static void kill_children_of(pid_t init, const char *thread)
{
	char path[320], text[4096], *rest = text, *pid;
	snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)init, thread);
	read_text(path, text, sizeof(text));
	while ((pid = strtok_r(rest, " \n", &rest)))
		kill_child(pid, init);
}

/* Orphans are init's children, too: behind those that it has now come theirs. */
void sandbox_kill_inside(const struct sandbox *sandbox)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)sandbox->init);
	DIR *threads = opendir(path);
	struct dirent *entry;
	while (threads && (entry = readdir(threads)))
		if (entry->d_name[0] != '.')
			kill_children_of(sandbox->init, entry->d_name);
	if (threads)
		closedir(threads);
}

void sandbox_kill(const struct sandbox *sandbox)
{
	if (sandbox->pidfd < 0)
		return;
	if (syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0) == 0)
		return;
	/* It ends by itself when it takes it that we have. */
	shutdown(sandbox->start, SHUT_RDWR);
	shutdown(sandbox->control, SHUT_RDWR);
}

/* It has hardly begun, so that this is over at once, unless it waits in the kernel. */
void sandbox_abandon(const struct sandbox *sandbox)
{
	struct pollfd end = { .fd = sandbox->pidfd, .events = POLLIN };
	sandbox_kill(sandbox);
	poll(&end, 1, ABANDON_MS); /* it need not be this process's to wait for */
	sandbox_reap(sandbox);
}

void sandbox_reap(const struct sandbox *sandbox)
{
	waitid(P_PIDFD, (id_t)sandbox->pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
}

void sandbox_call(const struct sandbox *sandbox)
{
	monitor_call(sandbox->bell);
}

void sandbox_finish(struct sandbox *sandbox)
{
	close_one(&sandbox->pidfd);
	close_one(&sandbox->start);
	close_one(&sandbox->control);
	close_one(&sandbox->mounts);
	close_one(&sandbox->page);
	close_one(&sandbox->bell);
	for (int i = 0; i < INSIDE_ENDS; i++)
		close_one(&sandbox->inside[i]);
}
