/* SPDX-License-Identifier: MIT */
#include "command.h"

#include "ends.h"
#include "message.h"
#include "monitor.h"
#include "plan.h"
#include "privileges.h"
#include "refusals.h"
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

void command_report(enum stage stage, int error, const char *what, const int *descriptors,
		    unsigned count)
{
	struct start_report message = { .stage = (int32_t)stage, .error = error };
	for (size_t i = 0; what && what[i] && i < sizeof(message.what) - 1; i++)
		message.what[i] = what[i];
	if (message_send(START, &message, sizeof(message), descriptors, count, 0) < 0)
		_exit(1); /* nobody is there to be told */
}

_Noreturn void command_fail(enum stage stage, int error, const char *what)
{
	command_report(stage, -error, what, NULL, 0);
	_exit(1);
}

int command_receive(int socket)
{
	char byte;
	int descriptors[MESSAGE_DESCRIPTORS];
	message_receive(socket, &byte, 1, descriptors, NULL, 0);
	return descriptors[0];
}

void command_wait_for(int fd)
{
	struct pollfd events[] = { { .fd = fd, .events = POLLIN },
				   { .fd = SIGNALS, .events = POLLIN } };
	while (poll(events, 2, -1) < 0)
		if (errno != EINTR)
			_exit(1);
	if (!events[0].revents)
		_exit(1);
}

void command_take_slot(int fd, int slot, enum stage stage)
{
	if (fd == slot)
		return;
	if (dup3(fd, slot, O_CLOEXEC) < 0)
		command_fail(stage, -errno, "descriptor");
	close(fd);
}

void command_prepare(const sigset_t *signals)
{
	int ends[2];
	int fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		command_fail(STAGE_FORK, -errno, "descriptors");
	const int wanted[][2] = { { fd, SIGNALS },   { ends[1], HANDED }, { ends[0], HANDING },
				  { ends[0], IN },   { ends[0], OUT },    { ends[0], ERROR },
				  { ends[0], PAGE }, { ends[0], BELL },   { ends[0], ROOT } };
	int moved[sizeof(wanted) / sizeof(*wanted)];
	/* Two steps, for what was opened may lie where another is to go. */
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if ((moved[i] = fcntl(wanted[i][0], F_DUPFD_CLOEXEC, FREE)) < 0)
			command_fail(STAGE_FORK, -errno, "descriptors");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (dup3(moved[i], wanted[i][1], O_CLOEXEC) < 0)
			command_fail(STAGE_FORK, -errno, "descriptors");
	if (close_range(FREE, ~0U, 0) < 0)
		command_fail(STAGE_FORK, -errno, "close_range");
}

void command_open_ends(const struct sandbox_shape *shape, int root)
{
	int ends[3] = { -1, -1, -1 };
	const char *what = NULL;
	int error = shape->terminal ? ends_make_terminal(root, &ends[0], &what)
				    : ends_make_pipes(ends, &what);
	if (error < 0)
		command_fail(STAGE_TERMINAL, error, what);
	for (int i = 0; i < 3; i++)
		if (ends[i] >= 0)
			command_take_slot(ends[i], IN + i, STAGE_TERMINAL);
		else
			close(IN + i);
}

void command_open_page(void)
{
	int made[2], error = monitor_make(made);
	if (error < 0)
		command_fail(STAGE_TERMINAL, error, "shared memory");
	command_take_slot(made[0], PAGE, STAGE_TERMINAL);
	command_take_slot(made[1], BELL, STAGE_TERMINAL);
}

void command_begin_to_monitor(const struct sandbox_shape *shape)
{
	const int ends[] = { IN, OUT, ERROR };
	int error =
		serve_begin(shape, PAGE, BELL, ends, SIGNALS, CONTROL, shape->names ? INSIDE : -1);
	if (error < 0)
		command_fail(STAGE_TERMINAL, error, "shared memory");
	close(PAGE);
}

void command_lead_session(const struct sandbox_shape *shape)
{
	if ((shape->ends_with_command && setsid() < 0) ||
	    (shape->terminal && ioctl(0, TIOCSCTTY, 0) < 0))
		command_fail(STAGE_TERMINAL, -errno, "controlling terminal");
}

static void take_foreground(const struct sandbox_shape *shape)
{
	if (shape->ends_with_command)
		command_lead_session(shape);
	else if (setpgid(0, 0) < 0 || (shape->terminal && tcsetpgrp(0, getpid()) < 0))
		command_fail(STAGE_TERMINAL, -errno, "foreground process group");
}

/* And hands init the listener that comes with it. */
static void load_filter(const struct sysfilter *filter)
{
	int listener;
	int error = refusals_load(filter, &listener);
	if (error == 0)
		error = message_send(HANDED, "", 1, &listener, listener >= 0, 0);
	if (error < 0)
		command_fail(STAGE_SECCOMP, error, "filter");
	close(HANDED);
	if (listener >= 0)
		close(listener);
}

/* Its own settings; the size of its terminal is there before anything can ask for it. */
static void settle_in(const struct sandbox_shape *shape, const struct plan *plan)
{
	struct winsize size = { .ws_row = plan->rows, .ws_col = plan->cols };
	if (shape->terminal && ioctl(0, TIOCSWINSZ, &size) < 0)
		command_fail(STAGE_TERMINAL, -errno, "size");
	if (chdir(plan->cwd) < 0)
		command_fail(STAGE_CWD, -errno, plan->cwd);
	const char *what;
	int error = privileges_limit(plan->open_files, plan->file_size, &what);
	if (error < 0)
		command_fail(STAGE_LIMITS, error, what);
}

static void announce(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	command_report(STAGE_EXEC, 0, NULL, NULL, 0);
}

_Noreturn static void execute(const struct plan *plan)
{
	int error = -ENOENT;
	for (char **path = plan->candidates; *path && error != -E2BIG; path++) {
		execve(*path, plan->argv, plan->envp);
		if (error == -ENOENT || (errno != ENOENT && errno != ENOTDIR))
			error = -errno;
	}
	command_fail(STAGE_EXEC, error, plan->argv[0]);
}

static void close_others(void)
{
	if (close_range(HANDED + 1, ~0U, 0) < 0)
		command_fail(STAGE_EXEC, -errno, "close_range");
}

_Noreturn void command_run(const struct sandbox_shape *shape, const struct plan *plan)
{
	take_foreground(shape);
	settle_in(shape, plan);
	close_others();
	announce();
	load_filter(&plan->filter);
	execute(plan);
}

_Noreturn void command_run_sealed(const struct sandbox_shape *shape, const struct sysfilter *filter)
{
	take_foreground(shape);
	close_others();
	load_filter(filter);
	command_report(STAGE_SECCOMP, 0, NULL, NULL, 0);
	int fd = command_receive(START);
	struct plan *plan = fd < 0 ? NULL : plan_map(fd);
	if (!plan)
		_exit(1); /* the daemon has gone, or wants it no more */
	close(fd);
	settle_in(shape, plan);
	announce();
	execute(plan);
}
