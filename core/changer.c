/* SPDX-License-Identifier: MIT */
#include "changer.h"

#include "changer_job.h"
#include "confine.h"
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "older.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { REPORTS = 3, LAYERS, PATHS, LISTING, JOB_FREE };

/* What one process may have: it is a user's list of changes that fills it. */
#define MEMORY_MAX (UINT64_C(1) << 31)
#define LISTING_MAX (UINT64_C(1) << 30)

/* The process */

static void die(int socket, int error, const char *what)
{
	struct change_report report = { .ended = 1, .error = error };
	snprintf(report.text, sizeof(report.text), "%s", what);
	message_send(socket, &report, sizeof(report), NULL, 0, 0);
	_exit(1);
}

/* Each has its place, and nothing else comes along. */
static void take_places(const int *in, int reports, int layers)
{
	const int wanted[] = { reports, layers, in[0], in[1] };
	int moved[sizeof(wanted) / sizeof(*wanted)];
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		moved[i] = wanted[i] < 0 ? -1 : fcntl(wanted[i], F_DUPFD_CLOEXEC, JOB_FREE);
		if (wanted[i] >= 0 && moved[i] < 0)
			_exit(1);
	}
	if (close_range(REPORTS, JOB_FREE - 1, 0) < 0)
		_exit(1);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (moved[i] >= 0 && dup3(moved[i], REPORTS + (int)i, O_CLOEXEC) < 0)
			_exit(1);
	if (close_range(JOB_FREE, ~0U, 0) < 0)
		_exit(1);
}

static void set_limit(int resource, uint64_t most)
{
	struct rlimit limit = { 0 };
	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return;
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit((__rlimit_resource_t)resource, &limit);
}

_Noreturn static void run(const struct change_request *request, int go)
{
	char byte;
	bool mapped = request->uid != 0;
	prctl(PR_SET_PDEATHSIG, 0);
	if (setsid() < 0 || (mapped && read(go, &byte, 1) != 1))
		_exit(1);
	close(go);
	/* In its namespace 0 is the owner. */
	if (mapped && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		die(REPORTS, -errno, "identity");
	prctl(PR_SET_DUMPABLE, 0);
	init_title("mimobox-changes");
#ifndef SANITIZED
	set_limit(RLIMIT_AS, MEMORY_MAX);
#endif
	set_limit(RLIMIT_NOFILE, UINT64_MAX);
	if (request->verb == CHANGE_LIST)
		set_limit(RLIMIT_FSIZE, LISTING_MAX);
	changer_job(request, REPORTS, LAYERS, PATHS, LISTING);
}

/* The helper */

static int write_map(pid_t pid, const char *file, const char *text)
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

static int give_identity(pid_t pid, const struct change_request *request)
{
	char map[32];
	int error = write_map(pid, "setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", request->uid);
	if (error == 0)
		error = write_map(pid, "uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", request->gid);
	return error == 0 ? write_map(pid, "gid_map", map) : error;
}

static int start(const struct change_request *request, const int *in, int reports, int layers)
{
	int go[2];
	struct clone_args args = { .flags = request->uid ? CLONE_NEWUSER : 0,
				   .exit_signal = SIGCHLD };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go) < 0)
		return -errno;
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		int waits = dup2(go[0], STDIN_FILENO);
		take_places(in, reports, layers);
		run(request, waits);
	}
	int error = pid < 0 ? -errno : request->uid ? give_identity(pid, request) : 0;
	if (error == 0)
		(void)!write(go[1], "", 1);
	else if (pid > 0)
		kill(pid, SIGKILL);
	close(go[0]);
	close(go[1]);
	return error;
}

static int work(void *context, const void *message, const int *in, int *out, unsigned *count)
{
	const struct change_request *request = message;
	int ends[2];
	(void)context;
	if (in[0] < 0 || !memchr(request->changes, '\0', sizeof(request->changes)))
		return -EINVAL;
	int layers = open(request->changes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (layers < 0)
		return -errno;
	int error = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
	if (error == 0) {
		error = start(request, in, ends[1], layers);
		close(ends[1]);
		if (error < 0)
			close(ends[0]);
		else
			out[(*count)++] = ends[0];
	}
	close(layers);
	return error;
}

static int begin(void *context)
{
	(void)context;
	/* The kernel takes them off the process table, when they have ended. */
	if (signal(SIGCHLD, SIG_IGN) == SIG_ERR)
		return -errno;
	if (geteuid() == 0 && setgroups(0, NULL) < 0)
		return -errno;
	return confine_rights(CONFINE_CHANGER);
}

void changer_kind(struct helper_kind *kind)
{
	*kind = (struct helper_kind){ .title = "mimobox-changer",
				      .work = work,
				      .begin = begin,
				      .message_size = sizeof(struct change_request) };
}
