/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include "inside.h"
#include "message.h"
#include "monitor.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	struct monitor monitor;
	bool has_terminal, ends_with_command;
	int terminal, signals, control, inside;
} served;

static pid_t foreground_of(pid_t command)
{
	/* Asked of the master: that needs no controlling terminal, and gives the number in here. */
	pid_t group = 0;
	return ioctl(served.terminal, TIOCGPGRP, &group) < 0 || group <= 1 ? command : group;
}

static void signal_group(pid_t group, int number)
{
	kill(-group, number);
	kill(-group, SIGCONT);
}

/* The command's group, and the foreground one; where they are the same, once. */
static void signal_both(pid_t command, int number)
{
	pid_t foreground = foreground_of(command);
	signal_group(command, number);
	if (foreground != command)
		signal_group(foreground, number);
}

/*
 * The kernel tells the leader of the terminal's session when the master is closed. If the command
 * is not the leader, and if there is no terminal, init tells it.
 */
static void hang_up(pid_t command)
{
	if (!served.has_terminal || !served.ends_with_command)
		signal_both(command, SIGHUP);
	monitor_hang_up(&served.monitor);
}

/* Said again by one who could not know that it was said: the last few are remembered. */
static bool is_repeated(uint64_t key)
{
	static uint64_t keys[8];
	static unsigned next;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (key && keys[i] == key)
			return true;
	keys[next++ % (sizeof(keys) / sizeof(*keys))] = key;
	return false;
}

/* One message. False: there is none. */
static bool obey(pid_t command)
{
	struct control_message message;
	ssize_t size = recv(served.control, &message, sizeof(message), MSG_DONTWAIT);
	if (size == 0 ||
	    (size < 0 && errno != EAGAIN && errno != EINTR && !message_may_pass(-errno)))
		_exit(1); /* the daemon has gone: so does all that it started */
	if (size < 0)
		return false;
	if (size != sizeof(message))
		return true;
	monitor_hear(&served.monitor, message.typed);
	if (is_repeated(message.key))
		return true;
	switch (message.verb) {
	case CONTROL_FOREGROUND:
		kill(-foreground_of(command), message.signal);
		break;
	case CONTROL_TERMINATE:
		signal_both(command, SIGTERM);
		break;
	case CONTROL_ALL:
		kill(-1, message.signal);
		break;
	case CONTROL_HANGUP:
		hang_up(command);
		break;
	}
	return true;
}

struct command {
	pid_t pid;
	bool ended;
	int status;
};

/* SIGCHLD coalesces: take all that there are. False when there are no children any more. */
static bool reap(struct command *command)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid == command->pid) {
			command->status = status;
			command->ended = true;
		}
		if (pid <= 0)
			return pid == 0;
	}
}

enum {
	SIGNALS_BIT = 1 << MONITOR_OTHERS,
	CONTROL_BIT = SIGNALS_BIT << 1,
	INSIDE_BIT = CONTROL_BIT << 1
};

/* One wait, and what came of it. True: children may have ended. */
static bool work(pid_t command)
{
	struct signalfd_siginfo info;
	int ready = monitor_wait(&served.monitor, -1);
	if (ready < 0 && ready != -EINTR && !message_may_pass(ready))
		_exit(1);
	if (ready < 0)
		return false;
	while (ready & CONTROL_BIT && obey(command))
		;
	if (ready & SIGNALS_BIT && read(served.signals, &info, sizeof(info)) < 0 &&
	    errno != EAGAIN && !message_may_pass(-errno))
		_exit(1);
	if (ready & INSIDE_BIT && inside_serve(served.inside) < 0) {
		close(served.inside); /* which ends the watching, too */
		served.inside = -1;
	}
	monitor_work(&served.monitor);
	return ready & SIGNALS_BIT;
}

/*
 * The others end with the command, and what all of them have printed is read. The server has a
 * bound for that, and kills this process.
 */
_Noreturn static void finish(struct command *command, bool children)
{
	while (children) {
		kill(-1, SIGKILL);
		while (!work(command->pid))
			;
		children = reap(command);
	}
	/* The slave first of all: its end is waited for. */
	close_range(STDIN_FILENO, STDERR_FILENO, 0);
	while (monitor_is_open(&served.monitor))
		work(command->pid);
	_exit(0);
}

int serve_begin(const struct sandbox_shape *shape, int page, int bell, const int ends[3],
		int signals, int control, int inside)
{
	served.has_terminal = shape->terminal;
	served.ends_with_command = shape->ends_with_command;
	served.terminal = ends[0];
	served.signals = signals;
	served.control = control;
	served.inside = inside;
	int error = monitor_begin(&served.monitor, page, bell, ends, shape->terminal);
	if (error == 0)
		error = monitor_watch(&served.monitor, signals, MONITOR_OTHERS);
	if (error == 0)
		error = monitor_watch(&served.monitor, control, MONITOR_OTHERS + 1);
	if (error == 0 && inside >= 0)
		error = monitor_watch(&served.monitor, inside, MONITOR_OTHERS + 2);
	return error;
}

_Noreturn void serve(pid_t pid)
{
	struct command command = { .pid = pid };
	bool children;
	for (;;) {
		children = reap(&command);
		if (command.ended && (served.ends_with_command || !children))
			break;
		while (!work(pid))
			;
	}
	monitor_tell_end(&served.monitor, command.status);
	finish(&command, children);
}
