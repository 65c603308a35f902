/* SPDX-License-Identifier: MIT */
#include "session.h"

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_LENGTH_MAX = 64, PIECE = 16384 };

bool session_is_name(const char *name)
{
	size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789._-");
	return length > 0 && length <= NAME_LENGTH_MAX && name[length] == '\0' && *name != '.';
}

int session_at(struct session *session, const struct place *place, const char *name)
{
	int size = snprintf(session->path, sizeof(session->path), "%s/%s", place->path, name);
	return size < 0 || (size_t)size >= sizeof(session->path) ? -ENAMETOOLONG : 0;
}

int session_find(struct session *session, const struct place *place, const char *name)
{
	if (!session_is_name(name))
		return report(STATUS_USAGE, "'%s' is no name of a session", name);
	if (session_at(session, place, name) < 0)
		return report(STATUS_CLIENT, "%s: %s", name, strerror(ENAMETOOLONG));
	int fd = open(session->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return report(STATUS_CLIENT, "%s: %s", name,
			      errno == ENOENT || errno == ENOTDIR ? "no such session"
								  : strerror(errno));
	close(fd);
	return 0;
}

const char *session_name(const struct session *session)
{
	return strrchr(session->path, '/') + 1;
}

int session_open(const struct session *session, const char *file, int flags)
{
	char path[PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/%s", session->path, file);
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int session_write(const struct session *session, const char *file, const char *text)
{
	int fd = session_open(session, file, O_WRONLY);
	if (fd < 0)
		return fd;
	int error = 0;
	size_t size = strlen(text);
	while (size > 0 && error == 0) {
		ssize_t count = write(fd, text, size);
		if (count >= 0) {
			text += count;
			size -= (size_t)count;
		} else if (errno != EINTR) {
			error = -errno;
		}
	}
	/* The close tells of a last line that was still waiting for its end. */
	if (close(fd) < 0 && error == 0)
		error = -errno;
	return error;
}

static char *read_all(int fd)
{
	char *text = NULL;
	size_t size = 0;
	for (;;) {
		ssize_t count = -1;
		char *more = realloc(text, size + PIECE + 1);
		if (more) {
			text = more;
			count = read(fd, text + size, PIECE);
		}
		if (count == 0) {
			text[size] = '\0';
			return text;
		}
		size += count > 0 ? (size_t)count : 0;
		if (count < 0 && (!more || errno != EINTR)) {
			int error = errno;
			free(text);
			errno = error;
			return NULL;
		}
	}
}

char *session_read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	char *text = read_all(fd);
	int error = errno;
	close(fd);
	errno = error;
	return text;
}

char *session_read(const struct session *session, const char *file)
{
	char path[PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/%s", session->path, file);
	return session_read_file(path);
}

char *session_value(const char *text, const char *key)
{
	size_t length = strlen(key);
	for (const char *line = text; line && *line;) {
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return strndup(line + length + 1, strcspn(line + length + 1, "\n"));
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return NULL;
}

char *session_reason(const struct session *session)
{
	char *log = session_read(session, "log");
	size_t size = log ? strlen(log) : 0;
	if (size > 0 && log[size - 1] == '\n')
		log[size - 1] = '\0';
	char *line = log ? strrchr(log, '\n') : NULL;
	line = line ? line + 1 : log;
	char *reason = line ? strchr(line, ' ') : NULL;
	reason = reason ? strdup(reason + 1) : NULL;
	free(log);
	return reason;
}
