/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include "descendants.h"
#include "domain.h"
#include "inside.h"
#include "join.h"
#include "message.h"
#include "monitor.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	struct monitor monitor;
	bool has_terminal, ends_with_command;
	int terminal, signals, control, inside;
	int handing; /* -1: nothing more comes by that */
	struct refusals refusals;
	int backlog; /* of each socket that listens, at most */
	struct command *command;
	bool joined;   /* another's sandbox */
	bool stopping; /* which comes to its end */
} served;

enum { JOINED_MAX = 64 };
/* The inits of further sessions in this sandbox. */
static struct {
	pid_t pids[JOINED_MAX];
	unsigned count;
} joined;

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

static void signal_all(int number)
{
	if (served.joined)
		descendants_signal(number);
	else
		kill(-1, number);
}

struct command {
	pid_t pid;
	bool ended;
	int status;
};

/*
 * A child that asks to be traced by its parent (PTRACE_TRACEME) has init for a tracer. At its first
 * stop init lets it go. SIGTRAP is then what the kernel tells a tracer of an execve.
 */
static void let_go(pid_t pid, int number)
{
	int passed = number == SIGTRAP ? 0 : number;
	/* Its tracer is the thread that has forked it. A joined session's init has but one. */
	if (ptrace(PTRACE_DETACH, pid, NULL, (long)passed) < 0 && !served.joined)
		domain_let_go(pid, passed);
}

static void forget_joined(pid_t pid)
{
	for (unsigned i = 0; i < joined.count; i++)
		if (joined.pids[i] == pid)
			joined.pids[i--] = joined.pids[--joined.count];
}

/* 0 or less: as waitpid(2). What is traced comes by any flags. */
static pid_t reap_one(struct command *command, int flags)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG | flags);
	if (pid > 0 && WIFSTOPPED(status))
		let_go(pid, WSTOPSIG(status));
	else if (pid == command->pid) {
		command->status = status;
		command->ended = true;
	} else if (pid > 0)
		forget_joined(pid);
	return pid;
}

/*
 * SIGCHLD coalesces: take all that there are. False when there are no children any more. Joined
 * sessions do not count as children: what they tell of their end by is not SIGCHLD.
 */
static bool reap(struct command *command)
{
	pid_t pid;
	while (reap_one(command, __WCLONE) > 0)
		;
	while ((pid = reap_one(command, 0)) > 0)
		;
	return pid == 0;
}

/* Its sockets are closed after that: where there is no such process, the daemon reads their end. */
static void take_in(const int descriptors[MESSAGE_DESCRIPTORS], int how)
{
	struct start_report failure = { .stage = STAGE_FORK, .error = EAGAIN };
	pid_t pid = -EAGAIN;
	reap(served.command);
	if (descriptors[0] < 0 || descriptors[1] < 0 || served.joined)
		return;
	if (joined.count < JOINED_MAX)
		pid = join_start(descriptors[0], descriptors[1], how & CONTROL_JOIN_TERMINAL,
				 how & CONTROL_JOIN_ENDS_WITH_COMMAND);
	if (pid > 0) {
		joined.pids[joined.count++] = pid;
		return;
	}
	failure.error = -pid;
	(void)message_send(descriptors[0], &failure, sizeof(failure), NULL, 0, MSG_DONTWAIT);
}

/* One message. False: there is none. */
static bool obey(pid_t command)
{
	struct control_message message;
	int descriptors[MESSAGE_DESCRIPTORS];
	ssize_t size = message_receive(served.control, &message, sizeof(message), descriptors, NULL,
				       MSG_DONTWAIT);
	if (size == 0 ||
	    (size < 0 && size != -EAGAIN && size != -EINTR && !message_may_pass((int)size)))
		_exit(1); /* the daemon has gone: so does all that it started */
	if (size < 0)
		return false;
	if (size == sizeof(message) && message.verb == CONTROL_JOIN)
		take_in(descriptors, message.signal);
	for (int i = 0; i < MESSAGE_DESCRIPTORS; i++)
		if (descriptors[i] >= 0)
			close(descriptors[i]);
	if (size != sizeof(message) || message.verb == CONTROL_JOIN)
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
		signal_all(message.signal);
		break;
	case CONTROL_HANGUP:
		hang_up(command);
		break;
	}
	return true;
}

enum {
	SIGNALS_BIT = 1 << MONITOR_OTHERS,
	CONTROL_BIT = SIGNALS_BIT << 1,
	REFUSALS_BIT = CONTROL_BIT << 1,
	INSIDE_BIT = REFUSALS_BIT << 1
};

static void take_listener(void)
{
	char byte;
	int descriptors[MESSAGE_DESCRIPTORS];
	(void)message_receive(served.handing, &byte, 1, descriptors, NULL, MSG_DONTWAIT);
	close(served.handing);
	served.handing = -1;
	served.refusals.listener = descriptors[0];
	if (descriptors[0] >= 0 &&
	    monitor_watch(&served.monitor, descriptors[0], MONITOR_OTHERS + 2) < 0) {
		close(descriptors[0]); /* what is refused is absent then */
		served.refusals.listener = -1;
	}
}

static void hear_refusals(void)
{
	if (served.handing >= 0)
		take_listener();
	else if (served.refusals.listener >= 0 && refusals_answer(&served.refusals))
		monitor_tell(&served.monitor);
}

static void take_signal(void)
{
	struct signalfd_siginfo info = { 0 };
	if (read(served.signals, &info, sizeof(info)) < 0 && errno != EAGAIN &&
	    !message_may_pass(-errno))
		_exit(1);
	served.stopping |= info.ssi_signo == SIGTERM;
}

/* One wait, and what came of it. True: children may have ended. */
static bool work(pid_t command)
{
	int ready = monitor_wait(&served.monitor, -1);
	if (ready < 0 && ready != -EINTR && !message_may_pass(ready))
		_exit(1);
	if (ready < 0)
		return false;
	while (ready & CONTROL_BIT && obey(command))
		;
	if (ready & SIGNALS_BIT)
		take_signal();
	if (ready & REFUSALS_BIT)
		hear_refusals();
	if (ready & INSIDE_BIT && inside_serve(served.inside) < 0) {
		close(served.inside); /* which ends the watching, too */
		served.inside = -1;
	}
	monitor_work(&served.monitor);
	return ready & SIGNALS_BIT;
}

/* The other sessions have a moment to read what was printed there. */
static void end_joined(struct command *command)
{
	for (unsigned i = 0; i < joined.count; i++)
		kill(joined.pids[i], SIGTERM);
	while (joined.count > 0)
		if (work(command->pid))
			reap(command);
}

/*
 * The others end with the command, and what all of them have printed is read. The server has a
 * bound for that, and kills this process.
 */
_Noreturn static void finish(struct command *command, bool children)
{
	bool told = command->ended;
	if (told)
		monitor_tell_end(&served.monitor, command->status);
	end_joined(command);
	while (children) {
		signal_all(SIGKILL);
		while (!work(command->pid))
			;
		children = reap(command);
	}
	if (!told)
		monitor_tell_end(&served.monitor, command->status);
	/* The slave first of all: its end is waited for. */
	close_range(STDIN_FILENO, STDERR_FILENO, 0);
	while (monitor_is_open(&served.monitor))
		work(command->pid);
	_exit(0);
}

void serve_bound(int backlog)
{
	served.backlog = backlog;
}

int serve_begin(const struct sandbox_shape *shape, int page, int bell, const int ends[3],
		int signals, int control, int inside)
{
	served.has_terminal = shape->terminal;
	served.handing = served.refusals.listener = -1;
	joined.count = 0;
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
		error = monitor_watch(&served.monitor, inside, MONITOR_OTHERS + 3);
	return error;
}

int serve_refusals(int handing, const struct sysfilter *filter)
{
	served.refusals.broker = (struct broker){ .backlog = served.backlog };
	served.handing = handing;
	served.refusals.filter = filter;
	served.refusals.shared = &served.monitor.page->refusals;
	return monitor_watch(&served.monitor, handing, MONITOR_OTHERS + 2);
}

_Noreturn void serve(pid_t pid)
{
	struct command command = { .pid = pid };
	bool children;
	served.command = &command;
	for (;;) {
		children = reap(&command);
		if ((command.ended && (served.ends_with_command || !children)) || served.stopping)
			break;
		while (!work(pid))
			;
	}
	finish(&command, children);
}

_Noreturn void serve_joined(pid_t pid)
{
	served.joined = true;
	serve(pid);
}
