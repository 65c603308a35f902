/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include "spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char *stage_name(int stage)
{
	static const char *const names[] = {
		[STAGE_CGROUP] = "cgroup",
		[STAGE_CLONE] = "clone",
		[STAGE_IDENTITY] = "identity",
		[STAGE_NAMESPACES] = "namespaces",
		[STAGE_PATHS] = "path",
		[STAGE_ROOT] = "root",
		[STAGE_TERMINAL] = "terminal",
		[STAGE_LIMITS] = "limits",
		[STAGE_PRIVILEGES] = "privileges",
		[STAGE_FORK] = "fork",
		[STAGE_CWD] = "cwd",
		[STAGE_LANDLOCK] = "landlock",
		[STAGE_SECCOMP] = "seccomp",
		[STAGE_EXEC] = "exec",
	};
	return stage >= 0 && (size_t)stage < sizeof(names) / sizeof(names[0]) ? names[stage] : "?";
}

/* Making */

static int open_proc(pid_t pid, const char *file, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return open(path, flags | O_CLOEXEC);
}

static int write_proc(pid_t pid, const char *file, const char *text)
{
	int fd = open_proc(pid, file, O_WRONLY);
	if (fd < 0)
		return -errno;
	int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/* user_namespaces(7): one id inside, one outside, no supplementary groups to be had. */
static int give_identity(pid_t pid, const struct sandbox_shape *shape)
{
	char map[64];
	int error = write_proc(pid, "setgroups", "deny");
	if (error < 0)
		return error;
	snprintf(map, sizeof(map), "%d %u 1", SANDBOX_UID, shape->uid);
	error = write_proc(pid, "uid_map", map);
	if (error < 0)
		return error;
	snprintf(map, sizeof(map), "%d %u 1", SANDBOX_GID, shape->gid);
	return write_proc(pid, "gid_map", map);
}

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
	*sandbox = (struct sandbox){
		.pidfd = -1, .start = -1, .control = -1, .mounts = -1, .ends = { -1, -1, -1 }
	};
}

int sandbox_ask(struct sandbox *sandbox, struct helper *spawner, helper_fn fn, void *data)
{
	int start[2], control[2];
	int error = make_sockets(start, control);
	if (error < 0)
		return error;
	error = helper_ask(spawner, &sandbox->shape, (const int[]){ start[1], control[1] }, 2, fn,
			   data);
	close(start[1]);
	close(control[1]);
	sandbox->start = start[0];
	sandbox->control = control[0];
	if (error < 0)
		sandbox_finish(sandbox);
	return error;
}

static int let_go(struct sandbox *sandbox, struct cgroups *cgroups, enum stage *stage)
{
	*stage = STAGE_IDENTITY;
	int error = give_identity(sandbox->init, &sandbox->shape);
	if (error < 0)
		return error;
	*stage = STAGE_CGROUP;
	error = cgroup_attach(cgroups, sandbox->group, sandbox->init);
	if (error < 0)
		return error;
	/* A daemon that the OOM killer spares, or prefers, is no reason to do so with its guests.
	 */
	write_proc(sandbox->init, "oom_score_adj", "0");
	sandbox->mounts = open_proc(sandbox->init, "ns/mnt", O_RDONLY); /* or it takes longer */
	return send(sandbox->start, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int sandbox_let_go(struct sandbox *sandbox, pid_t pid, int pidfd, struct cgroups *cgroups,
		   struct start_report *report)
{
	enum stage stage;
	sandbox->init = pid;
	sandbox->pidfd = pidfd;
	int error = let_go(sandbox, cgroups, &stage);
	if (error == 0)
		return 0;
	*report = (struct start_report){ .stage = (int32_t)stage, .error = -error };
	sandbox_abandon(sandbox);
	sandbox_finish(sandbox);
	return error;
}

int sandbox_give(const struct sandbox *sandbox, int plan)
{
	char byte = 0;
	struct iovec part = { &byte, 1 };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room) };
	struct cmsghdr *attached = CMSG_FIRSTHDR(&header);
	attached->cmsg_level = SOL_SOCKET;
	attached->cmsg_type = SCM_RIGHTS;
	attached->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(attached), &plan, sizeof(plan));
	return sendmsg(sandbox->start, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* Talk */

/* One descriptor is a master; three are pipes. */
static void take_ends(struct sandbox *sandbox, const struct cmsghdr *part)
{
	size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(sandbox->ends, CMSG_DATA(part), count * sizeof(int));
	if (count == 1)
		sandbox->ends[1] = sandbox->ends[0];
}

static void take_attachments(struct sandbox *sandbox, struct msghdr *header, bool is_command)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		if (part->cmsg_level != SOL_SOCKET)
			continue;
		if (part->cmsg_type == SCM_RIGHTS && sandbox->ends[0] < 0)
			take_ends(sandbox, part);
		struct ucred sender;
		if (part->cmsg_type == SCM_CREDENTIALS && is_command) {
			memcpy(&sender, CMSG_DATA(part), sizeof(sender));
			sandbox->pid = sender.pid;
		}
	}
}

int sandbox_receive(struct sandbox *sandbox, struct start_report *report)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(3 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { report, sizeof(*report) };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room) };
	ssize_t size = recvmsg(sandbox->start, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (size < 0)
		return errno == EINTR ? -EAGAIN : errno == ECONNRESET ? 0 : -errno;
	if (size != sizeof(*report))
		return 0;
	report->what[sizeof(report->what) - 1] = '\0';
	take_attachments(sandbox, &header, report->stage == STAGE_EXEC && report->error == 0);
	return 1;
}

int sandbox_control(const struct sandbox *sandbox, enum control_verb verb, int signal)
{
	struct control_message message = { .verb = (int32_t)verb, .signal = signal };
	if (send(sandbox->control, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	return errno == EPIPE || errno == ECONNRESET ? -ESRCH : -errno;
}

void sandbox_kill(const struct sandbox *sandbox)
{
	if (sandbox->pidfd < 0)
		return;
	syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0);
}

/* It has hardly begun, so that this is over at once. */
void sandbox_abandon(const struct sandbox *sandbox)
{
	sandbox_kill(sandbox);
	waitid(P_PIDFD, (id_t)sandbox->pidfd, &(siginfo_t){ 0 }, WEXITED);
}

void sandbox_reap(const struct sandbox *sandbox)
{
	waitid(P_PIDFD, (id_t)sandbox->pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
}

bool sandbox_exit_status(const struct sandbox *sandbox, int *status)
{
	struct exit_report ended;
	ssize_t size = recv(sandbox->control, &ended, sizeof(ended), MSG_DONTWAIT);
	/* Where init left words of ours unread, that is told first, and only then what it said. */
	if (size < 0 && errno == ECONNRESET)
		size = recv(sandbox->control, &ended, sizeof(ended), MSG_DONTWAIT);
	if (size != sizeof(ended))
		return false;
	*status = ended.status;
	return true;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void sandbox_finish(struct sandbox *sandbox)
{
	close_one(&sandbox->pidfd);
	close_one(&sandbox->start);
	close_one(&sandbox->control);
	close_one(&sandbox->mounts);
	if (sandbox->ends[1] == sandbox->ends[0])
		sandbox->ends[1] = -1;
	for (int i = 0; i < 3; i++)
		close_one(&sandbox->ends[i]);
}
