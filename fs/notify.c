/* SPDX-License-Identifier: MIT */
/*
 * The protocol is a datagram of NAME=VALUE lines to the UNIX socket in $NOTIFY_SOCKET, by path or
 * (with an @) abstract. The watchdog's beat is a timer of the loop that serves, so that a loop
 * which hangs falls silent.
 */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* How long a manager that does not read may hold up what is told but once. */
enum { PATIENCE_SECONDS = 2 };

static int open_socket(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	if ((*name != '/' && *name != '@') || length < 2 || length >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, name, length);
	if (*name == '@')
		address.sun_path[0] = '\0';
	struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
	    connect(fd, (struct sockaddr *)&address, size) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A decimal number above 0 that is all of `text`; 0: it is none. */
static uint64_t number(const char *text)
{
	char *end;
	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	return *end || errno ? 0 : value;
}

/* Twice as often as the manager asks for; $WATCHDOG_PID may say that another is meant. */
static uint64_t beat_period(pid_t daemon)
{
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t usec = number(getenv("WATCHDOG_USEC"));
	if ((pid && number(pid) != (uint64_t)daemon) || usec > UINT64_MAX / 1000)
		return 0;
	return usec * 1000 / 2;
}

static void tell(const struct notify *notify, const char *text, int flags)
{
	/* A manager that has gone is no reason for us to go. */
	(void)send(notify->fd, text, strlen(text), MSG_NOSIGNAL | flags);
}

static void beat(void *data)
{
	struct notify *notify = data;
	tell(notify, "WATCHDOG=1", MSG_DONTWAIT);
	(void)loop_timer_arm(&notify->beat, notify->period);
}

void notify_init(struct notify *notify, struct loop *loop, const char *serving, pid_t daemon)
{
	const char *name = getenv("NOTIFY_SOCKET");
	*notify = (struct notify){ .fd = name ? open_socket(name) : -1,
				   .period = beat_period(daemon),
				   .serving = serving,
				   .loop = loop };
	loop_timer_init(&notify->beat, loop, beat, notify);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
}

void notify_ready(struct notify *notify)
{
	char text[512];
	if (notify->fd < 0 || notify->ready)
		return;
	notify->ready = true;
	snprintf(text, sizeof(text), "READY=1\nSTATUS=Serving %.400s", notify->serving);
	tell(notify, text, 0);
	if (notify->period)
		beat(notify);
}

void notify_stopping(struct notify *notify, unsigned sessions)
{
	char text[64];
	if (notify->fd < 0)
		return;
	snprintf(text, sizeof(text), "STOPPING=1\nSTATUS=Ending %u session%s", sessions,
		 sessions == 1 ? "" : "s");
	tell(notify, text, 0);
}

void notify_finish(struct notify *notify)
{
	if (notify->loop)
		loop_timer_disarm(&notify->beat);
	if (notify->fd >= 0)
		close(notify->fd);
	*notify = (struct notify){ .fd = -1 };
}
