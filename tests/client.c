/* SPDX-License-Identifier: MIT */
/*
 * Deadlines: a timer sends SIGALRM, first at the deadline and then every 50 ms, so that a call
 * which begins to wait only after the first signal is interrupted too. The filesystem answers an
 * interrupted request with EINTR; one that does not is freed by the fixture's guardian.
 */
#include "client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "fixture.h"

static volatile sig_atomic_t late;

static void on_alarm(int signal)
{
	(void)signal;
	late = 1;
}

static void deadline_arm(unsigned seconds)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = { .it_value.tv_sec = scaled(seconds),
				   .it_interval.tv_usec = 50000 };

	late = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void deadline_disarm(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

const char *at(const char *format, ...)
{
	static char paths[16][512];
	static unsigned next;
	char *path = paths[next++ % 16];
	va_list arguments;
	int length = snprintf(path, sizeof(*paths), "%s/", fixture.mount);

	va_start(arguments, format);
	vsnprintf(path + length, sizeof(*paths) - (size_t)length, format, arguments);
	va_end(arguments);
	return path;
}

ssize_t put_bytes(const char *path, const void *data, size_t size, int flags)
{
	ssize_t result;
	int fd;

	deadline_arm(SECONDS);
	fd = open(at("%s", path), O_WRONLY | O_CLOEXEC | flags);
	if (fd < 0) {
		result = -errno;
	} else {
		result = write(fd, data, size);
		if (result < 0)
			result = -errno;
		close(fd);
	}
	deadline_disarm();
	cr_assert(!late, "%s: a write that did not come back", path);
	return result;
}

ssize_t put(const char *path, const char *data)
{
	return put_bytes(path, data, strlen(data), O_TRUNC);
}

static const char *log_of(const char *path)
{
	const char *slash = strchr(path, '/');

	return text("%.*s/log", slash ? (int)(slash - path) : 0, path);
}

void put_all(const char *path, const char *data)
{
	ssize_t result = put(path, data);

	cr_assert_eq(result, (ssize_t)strlen(data), "'%s' to %s: %zd (%s)\n%s", data, path, result,
		     result < 0 ? strerror((int)-result) : "in part",
		     strchr(path, '/') ? get(log_of(path), NULL) : "");
}

void put_refused(const char *path, const char *data, int error)
{
	const char *log = log_of(path);
	size_t before, after;
	ssize_t result;

	get(log, &before);
	result = put(path, data);
	cr_assert_eq(result, -error, "'%s' to %s: %zd instead of %s", data, path, result,
		     strerrorname_np(error));
	get(log, &after);
	cr_assert_gt(after, before, "'%s' to %s: no reason in the log", data, path);
}

/* Makes room for `more` bytes and a zero. What was outgrown is kept, like every text. */
static void stream_room(struct stream *stream, size_t more)
{
	char *grown;

	if (stream->size + more < stream->room)
		return;
	stream->room = (stream->size + more) * 2;
	grown = keep(malloc(stream->room));
	if (stream->size > 0)
		memcpy(grown, stream->data, stream->size);
	stream->data = grown;
}

/* One read: false at the end, or at the deadline. */
static bool stream_read(struct stream *stream)
{
	const size_t step = 131072;
	ssize_t count;

	stream_room(stream, step + 1);
	do
		count = read(stream->fd, stream->data + stream->size, step);
	while (count < 0 && errno == EINTR && !late);
	if (count < 0 && errno != EINTR)
		cr_assert_fail("read: %s, after %zu bytes", strerror(errno), stream->size);
	if (count > 0)
		stream->size += (size_t)count;
	stream->data[stream->size] = '\0';
	return count > 0;
}

void stream_open(struct stream *stream, const char *path)
{
	*stream = (struct stream){ .fd = open(at("%s", path), O_RDONLY | O_CLOEXEC) };
	cr_assert(stream->fd >= 0, "%s: %s", path, strerror(errno));
	stream_room(stream, 1);
	*stream->data = '\0';
}

/* As bytes: what a terminal prints may hold zeros. */
static bool stream_find(struct stream *stream, const char *part)
{
	char *found = memmem(stream->data + stream->seen, stream->size - stream->seen, part,
			     strlen(part));

	if (!found)
		return false;
	stream->seen = (size_t)(found - stream->data) + strlen(part);
	return true;
}

void stream_until(struct stream *stream, const char *part)
{
	deadline_arm(SECONDS);
	while (!stream_find(stream, part))
		if (!stream_read(stream)) {
			deadline_disarm();
			cr_assert_fail("%s before '%s' came, but:\n%s",
				       late ? "the deadline" : "the end", part,
				       stream->data + stream->seen);
		}
	deadline_disarm();
}

void stream_rest(struct stream *stream)
{
	deadline_arm(SECONDS);
	while (stream_read(stream))
		;
	deadline_disarm();
	cr_assert(!late, "no end of the stream, after:\n%s", stream->data + stream->seen);
}

void stream_close(struct stream *stream)
{
	close(stream->fd);
	stream->fd = -1;
}

char *get(const char *path, size_t *size)
{
	struct stream stream;

	stream_open(&stream, path);
	stream_rest(&stream);
	stream_close(&stream);
	if (size)
		*size = stream.size;
	return stream.data;
}

int can_open(const char *path, int flags)
{
	int fd = open(at("%s", path), flags | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

ssize_t get_now(const char *path, char data[static 4096])
{
	int fd = open(at("%s", path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t count;

	if (fd < 0)
		return -errno;
	count = read(fd, data, 4096);
	if (count < 0)
		count = -errno;
	close(fd);
	return count;
}

char *get_value(const char *path, const char *key)
{
	char *line, *rest = get(path, NULL);
	size_t length = strlen(key);

	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, key, length) && line[length] == ' ')
			return line + length + 1;
	return NULL;
}

char *plain(const char *terminal)
{
	char *copy = text("%s", terminal);
	char *to = copy;

	for (const char *from = terminal; *from; from++)
		if (*from != '\r')
			*to++ = *from;
	*to = '\0';
	return copy;
}

char *session_names(void)
{
	return sh("cd $M; for name in *; do test -d $name && echo $name; done; :");
}

void session_make(const char *name)
{
	cr_assert_eq(mkdir(at("%s", name), 0755), 0, "mkdir %s: %s", name, strerror(errno));
}

void session_start(const char *name, const char *config)
{
	session_make(name);
	if (config)
		put_all(text("%s/config", name), config);
	put_all(text("%s/ctl", name), "start\n");
}

int session_exit(const char *name)
{
	char *line = get(text("%s/exit", name), NULL);
	char *end;
	long status = strtol(line, &end, 10);

	cr_assert(end != line && !strcmp(end, "\n"), "%s/exit: '%s'", name, line);
	return (int)status;
}

char *session_run(const char *name, const char *config, int *status)
{
	char *output;

	session_start(name, config);
	output = plain(get(text("%s/output", name), NULL));
	*status = session_exit(name);
	return output;
}

bool session_is_starting(const void *name)
{
	return !strcmp(get_value(text("%s/status", (const char *)name), "state"), "starting");
}

pid_t session_pid(const char *name)
{
	char *value = get_value(text("%s/status", name), "pid");

	cr_assert(value != NULL && atoi(value) > 1, "%s: pid '%s'", name, value ? value : "");
	return (pid_t)atoi(value);
}

pid_t session_init(const char *name)
{
	const char *parent = process_fact(session_pid(name), "PPid");

	cr_assert(parent && atoi(parent) > 1, "%s: no first process", name);
	return (pid_t)atoi(parent);
}
