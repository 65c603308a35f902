/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include "init.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Plan */

static char **command_vector(const struct config *config)
{
	size_t count = 0;
	while (!config->command && config->argv[count])
		count++;
	char **vector = calloc(config->command ? 4 : count + 1, sizeof(*vector));
	if (!vector)
		return NULL;
	const char *const shell[] = { "/bin/sh", "-c", config->command };
	if (config->command)
		count = 3;
	for (size_t i = 0; i < count; i++) {
		vector[i] = strdup(config->command ? shell[i] : config->argv[i]);
		if (!vector[i]) {
			environ_free_vector(vector);
			return NULL;
		}
	}
	return vector;
}

static const char *search_path(char **envp)
{
	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return "";
}

static size_t count_parts(const char *path)
{
	size_t count = 1;
	for (; *path; path++)
		count += *path == ':';
	return count;
}

/* As execvp(3) does, with the PATH of the sandbox; made here so that the child only tries. */
static char **command_paths(const char *command, char **envp)
{
	const char *path = strchr(command, '/') ? "" : search_path(envp);
	char **paths = calloc(count_parts(path) + 1, sizeof(*paths));
	if (!paths)
		return NULL;
	for (size_t i = 0;; i++) {
		int length = (int)strcspn(path, ":");
		if (asprintf(&paths[i], "%.*s%s%s", length, path, length ? "/" : "", command) < 0) {
			paths[i] = NULL;
			environ_free_vector(paths);
			return NULL;
		}
		if (path[length] == '\0')
			return paths;
		path += length + 1;
	}
}

static int plan_paths(struct sandbox_plan *plan, const struct access *access,
		      const struct sandbox_path *extra, unsigned extra_count)
{
	plan->paths = calloc(access->path_count + extra_count + 1, sizeof(*plan->paths));
	if (!plan->paths)
		return -ENOMEM;
	plan->own_paths = extra_count;
	for (unsigned i = 0; i < extra_count; i++)
		plan->paths[plan->path_count++] = extra[i];
	for (size_t i = 0; i < access->path_count; i++)
		plan->paths[plan->path_count++] = (struct sandbox_path){
			.outside = access->paths[i].outside,
			.inside = access->paths[i].inside,
			.writable = access->paths[i].writable,
		};
	return 0;
}

/* What the root is made of (root.c), and what may be done there. */
static const struct landlock_rule root_rules[] = {
	{ "/", LANDLOCK_LIST },
	{ "/proc", LANDLOCK_READ }, /* not to write: mem, uid_map, ... */
	{ "/dev/null", LANDLOCK_DEVICE },
	{ "/dev/zero", LANDLOCK_DEVICE },
	{ "/dev/full", LANDLOCK_DEVICE },
	{ "/dev/random", LANDLOCK_DEVICE },
	{ "/dev/urandom", LANDLOCK_DEVICE },
	{ "/dev/tty", LANDLOCK_TERMINAL },
	{ "/dev/pts", LANDLOCK_TERMINAL },
	{ "/dev/shm", LANDLOCK_FULL },
	{ "/tmp", LANDLOCK_FULL },
};

#define ROOT_RULES (sizeof(root_rules) / sizeof(root_rules[0]))

static int plan_landlock(struct sandbox_plan *plan, const struct access *access,
			 const struct root_layout *layout)
{
	unsigned count = 0;
	plan->rules = calloc(ROOT_RULES + layout->count + plan->path_count, sizeof(*plan->rules));
	if (!plan->rules)
		return -ENOMEM;
	for (size_t i = 0; i < ROOT_RULES; i++)
		plan->rules[count++] = root_rules[i];
	for (unsigned i = 0; i < layout->count; i++)
		if (!layout->directories[i].target[0])
			plan->rules[count++] = (struct landlock_rule){ layout->directories[i].path,
								       LANDLOCK_READ_EXEC };
	for (unsigned i = 0; i < plan->path_count; i++)
		plan->rules[count++] = (struct landlock_rule){
			plan->paths[i].inside,
			plan->paths[i].writable ? LANDLOCK_FULL : LANDLOCK_READ_EXEC,
		};
	plan->landlock = (struct landlock_policy){
		.abi = landlock_abi(),
		.floor = (int)access->landlock,
		.rules = plan->rules,
		.rule_count = count,
		.net = access->network != NETWORK_HOST,
		.connect_ports = access->ports,
		.port_count = access->network == NETWORK_TCP ? (unsigned)access->port_count : 0,
	};
	return 0;
}

int sandbox_plan_init(struct sandbox_plan *plan, const struct config *config,
		      const struct root_layout *layout, const struct sandbox_path *extra,
		      unsigned extra_count)
{
	*plan = (struct sandbox_plan){
		.argv = command_vector(config),
		.envp = environ_vector(&config->environ, config->cwd),
		.cwd = strdup(config->cwd),
		.open_files = config->open_files,
		.file_size = config->file_size,
		.terminal = config->terminal,
		.ends_with_command = config->ends_with_command,
		.own_network = config->access.network == NETWORK_NONE,
		.layout = layout,
	};
	int error = plan_paths(plan, &config->access, extra, extra_count);
	if (error == 0)
		error = plan_landlock(plan, &config->access, layout);
	snprintf(plan->tmp_size, sizeof(plan->tmp_size), "%" PRIu64, config->tmp_size);
	/* tmpfs(5) has inodes of about 1 KiB; the root itself takes some fifty. */
	snprintf(plan->tmp_inodes, sizeof(plan->tmp_inodes), "%" PRIu64,
		 config->tmp_size / 1024 + 256);
	if (plan->argv && plan->envp)
		plan->candidates = command_paths(plan->argv[0], plan->envp);
	if (error == 0 && plan->candidates && plan->cwd)
		return 0;
	sandbox_plan_finish(plan);
	return -ENOMEM;
}

void sandbox_plan_finish(struct sandbox_plan *plan)
{
	char **const vectors[] = { plan->candidates, plan->argv, plan->envp };
	for (size_t i = 0; i < 3; i++)
		if (vectors[i])
			environ_free_vector(vectors[i]);
	free(plan->cwd);
	free(plan->paths);
	free(plan->rules);
	*plan = (struct sandbox_plan){ 0 };
}

/* Launch */

static int write_proc(pid_t pid, const char *file, const char *text)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/* user_namespaces(7): one id inside, one outside, no supplementary groups to be had. */
static int give_identity(pid_t pid, const struct sandbox_plan *plan)
{
	char map[64];
	int error = write_proc(pid, "setgroups", "deny");
	if (error < 0)
		return error;
	snprintf(map, sizeof(map), "%d %u 1", SANDBOX_UID, plan->uid);
	error = write_proc(pid, "uid_map", map);
	if (error < 0)
		return error;
	snprintf(map, sizeof(map), "%d %u 1", SANDBOX_GID, plan->gid);
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

static int clone_init(struct sandbox *sandbox, struct sandbox_plan *plan, int start, int control)
{
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			 (plan->own_network ? CLONE_NEWNET : 0) | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)&sandbox->pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		init_run(plan, start, control);
	if (pid < 0)
		return -errno;
	sandbox->init = (pid_t)pid;
	return 0;
}

static int let_go(struct sandbox *sandbox, const struct sandbox_plan *plan, struct cgroups *cgroups,
		  uint64_t cgroup, enum stage *stage)
{
	*stage = STAGE_IDENTITY;
	int error = give_identity(sandbox->init, plan);
	if (error < 0)
		return error;
	*stage = STAGE_CGROUP;
	error = cgroup_attach(cgroups, cgroup, sandbox->init);
	if (error < 0)
		return error;
	/* A daemon that the OOM killer spares, or prefers, is no reason to do so with its guests.
	 */
	write_proc(sandbox->init, "oom_score_adj", "0");
	return send(sandbox->start, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int sandbox_launch(struct sandbox *sandbox, struct sandbox_plan *plan, struct cgroups *cgroups,
		   uint64_t cgroup, struct start_report *report)
{
	int start[2], control[2];
	enum stage stage = STAGE_CLONE;
	*sandbox =
		(struct sandbox){ .pidfd = -1, .start = -1, .control = -1, .ends = { -1, -1, -1 } };
	int error = make_sockets(start, control);
	if (error == 0) {
		sandbox->start = start[0];
		sandbox->control = control[0];
		error = clone_init(sandbox, plan, start[1], control[1]);
		close(start[1]);
		close(control[1]);
	}
	if (error == 0)
		error = let_go(sandbox, plan, cgroups, cgroup, &stage);
	if (error == 0)
		return 0;
	*report = (struct start_report){ .stage = (int32_t)stage, .error = -error };
	if (sandbox->init)
		sandbox_abandon(sandbox);
	sandbox_finish(sandbox);
	return error;
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
	if (sandbox->ends[1] == sandbox->ends[0])
		sandbox->ends[1] = -1;
	for (int i = 0; i < 3; i++)
		close_one(&sandbox->ends[i]);
}
