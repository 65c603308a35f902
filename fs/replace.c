/* SPDX-License-Identifier: MIT */
#include "replace.h"

#include "kept_layout.h"
#include "mount.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <keep.h>
#include <limits.h>
#include <loop.h>
#include <message.h>
#include <poll.h>
#include <privileges.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 33000 };

struct reason {
	int error;
	const char *text;
};

/* What the keeper says, and what else is worth more words than the errno has. */
static const struct reason reasons[] = {
	{ -EAGAIN, "its server is being started just now; try again" },
	{ -EBUSY, "it is being replaced already" },
	{ -ECHILD, "this program does not go on there, and the one before serves" },
	{ -ECONNRESET, "its keeper ends, or is not to be spoken to from here" },
	{ -ENODATA, "it was started with --keeper no, or by another user" },
	{ -EPERM, "it is another user's" },
	{ -ESHUTDOWN, "it ends" },
	{ -ETIMEDOUT, "it does not answer" },
};

static const char *text_of(int error)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].error == error)
			return reasons[i].text;
	return strerror(-error);
}

/* One moment that all of it has to be done by. */
static bool wait_for(int fd, uint64_t end)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	uint64_t now = loop_now();
	return now < end && poll(&ready, 1, (int)((end - now) / 1000000)) == 1;
}

/* The name in `stats`. */

static int read_all(const char *path, char *text, size_t size)
{
	size_t used = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((got = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)got;
	int error = got < 0 ? -errno : 0;
	close(fd);
	text[used] = '\0';
	return error;
}

static int find_name(const char *mountpoint, char name[KEEP_NAME_MAX + 1])
{
	char path[PATH_MAX], text[4096];
	if (snprintf(path, sizeof(path), "%s/stats", mountpoint) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int error = read_all(path, text, sizeof(text));
	if (error < 0)
		return error;
	const char *line = strstr(text, "\n" REPLACE_KEY " @");
	if (!line || sscanf(line, "\n" REPLACE_KEY " @%15s", name) != 1)
		return -ENODATA;
	return 0;
}

struct found {
	int error;
	char name[KEEP_NAME_MAX + 1];
};

/* In a child: who reads of a server that hangs is not to be woken. */
static int find_name_by(const char *mountpoint, char name[KEEP_NAME_MAX + 1], uint64_t end)
{
	struct found found = { .error = -EIO };
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid_t child = fork();
	if (child == 0) {
		found.error = find_name(mountpoint, found.name);
		(void)!write(ends[1], &found, sizeof(found));
		_exit(0);
	}
	int error = child < 0 ? -errno : 0;
	close(ends[1]);
	if (error == 0 && !wait_for(ends[0], end))
		error = -ETIMEDOUT;
	if (error == 0 && read(ends[0], &found, sizeof(found)) == sizeof(found))
		memcpy(name, found.name, sizeof(found.name));
	close(ends[0]);
	if (error == 0)
		waitpid(child, NULL, 0);
	else if (child > 0)
		kill(child, SIGKILL);
	return error < 0 ? error : found.error;
}

/* The keeper */

static int connect_to(int fd, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	memcpy(address.sun_path + 1, name, length);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
	struct timeval patience = { .tv_sec = PATIENCE_MS / 3000 };
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, size) < 0)
		return errno == ECONNREFUSED ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
	struct ucred peer;
	size = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	return peer.uid == geteuid() ? 0 : -EPERM;
}

static int ask(int fd, int program, struct replace_answer *answer, uint64_t end)
{
	const struct replace_request request = { .version = KEEP_VERSION,
						 .layout = kept_layout_digest() };
	int none[MESSAGE_DESCRIPTORS];
	int error = message_send(fd, &request, sizeof(request), &program, 1, 0);
	if (error == -EPIPE)
		return -ECONNRESET;
	if (error < 0)
		return error;
	if (!wait_for(fd, end))
		return -ETIMEDOUT;
	ssize_t size = message_receive(fd, answer, sizeof(*answer), none, NULL, 0);
	if (size < 0)
		return (int)size;
	return size == sizeof(*answer) ? answer->error : -ECONNRESET;
}

/*
 * The keeper looks at who we are, and may do so only with a process that has no more privileges
 * than it has itself.
 */
static int give_up_privileges(void)
{
	cap_t none = cap_init();
	int error = none ? privileges_drop(none) : -ENOMEM;
	if (none)
		cap_free(none);
	return error;
}

static int replace(const char *name, struct replace_answer *answer, uint64_t end)
{
	int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (program < 0)
		return -errno;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? -errno : give_up_privileges();
	if (error == 0)
		error = connect_to(fd, name);
	if (error == 0)
		error = ask(fd, program, answer, end);
	if (fd >= 0)
		close(fd);
	close(program);
	return error;
}

static void report_other(const char *mountpoint, unsigned version)
{
	if (version == KEEP_VERSION)
		report("cannot replace the mimoboxfs at %s: what it keeps is laid out otherwise "
		       "than what this program takes up; end it, and start this one",
		       mountpoint);
	else
		report("cannot replace the mimoboxfs at %s: what it keeps is of version %u, and "
		       "this program takes up version %d; end it, and start this one",
		       mountpoint, version, KEEP_VERSION);
}

int replace_run(const char *mountpoint)
{
	uint64_t end = loop_now() + PATIENCE_MS * UINT64_C(1000000);
	struct replace_answer answer = { 0 };
	char name[KEEP_NAME_MAX + 1] = "";
	if (!mount_is_there(mountpoint)) {
		report("%s has no mimoboxfs", mountpoint);
		return 1;
	}
	int error = find_name_by(mountpoint, name, end);
	if (error == 0)
		error = replace(name, &answer, end);
	if (error == -EPROTONOSUPPORT)
		report_other(mountpoint, answer.version);
	else if (error < 0)
		report("cannot replace the mimoboxfs at %s: %s", mountpoint, text_of(error));
	return error < 0 ? 1 : 0;
}
