/* SPDX-License-Identifier: MIT */
/*
 * PID 1 is a copy of the daemon that never executes anything: it holds no descriptor of the
 * daemon's but its two sockets, has no capability left, and is not dumpable, so that nothing in
 * the sandbox can look into it. It is the one process that the command cannot signal.
 *
 * The command is its child, not PID 1 itself: a PID 1 ignores the signals that it does not
 * handle, so that SIGTERM would never end an ordinary program. When the command ends, init tells
 * its status and goes, and the kernel ends whatever else is in the PID namespace before init's
 * own end can be seen (pid_namespaces(7)): a readable pidfd means that nothing is left.
 */
#include "init.h"

#include "privileges.h"
#include "root.h"
#include "sysfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Where its descriptors are, once it has taken its place. */
enum { START = 3, CONTROL = 4, MASTER = 5, SIGNALS = 6 };

enum { MAX_COMMAND_LINE = 131072 };

static void report(enum stage stage, int error, const char *what, const int *descriptors,
		   size_t count)
{
	struct start_report message = { .stage = (int32_t)stage, .error = error };
	for (size_t i = 0; what && what[i] && i < sizeof(message.what) - 1; i++)
		message.what[i] = what[i];
	struct iovec part = { &message, sizeof(message) };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(3 * sizeof(int))];
	} control;
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	if (count) {
		memset(&control, 0, sizeof(control));
		header.msg_control = control.room;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *attached = CMSG_FIRSTHDR(&header);
		attached->cmsg_level = SOL_SOCKET;
		attached->cmsg_type = SCM_RIGHTS;
		attached->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(attached), descriptors, count * sizeof(int));
	}
	if (sendmsg(START, &header, MSG_NOSIGNAL) < 0)
		_exit(1); /* nobody is there to be told */
}

_Noreturn static void fail(enum stage stage, int error, const char *what)
{
	report(stage, -error, what, NULL, 0);
	_exit(1);
}

/* /proc/1/cmdline is read from here; what is written there is of this copy alone. */
static void hide_command_line(void)
{
	static const char name[] = "mimobox-init";
	char *start = program_invocation_name, *end = environ[0];
	if (!end || end < start + sizeof(name) || end - start > MAX_COMMAND_LINE)
		return;
	memset(start, 0, (size_t)(end - start));
	memcpy(start, name, sizeof(name));
}

/* Its own copies of the daemon's descriptors go at once; 0, 1 and 2 when there is a terminal. */
static void take_place(int start, int control)
{
	int high_start = fcntl(start, F_DUPFD_CLOEXEC, SIGNALS + 1);
	int high_control = fcntl(control, F_DUPFD_CLOEXEC, SIGNALS + 1);
	if (high_start < 0 || high_control < 0 || dup3(high_start, START, O_CLOEXEC) < 0 ||
	    dup3(high_control, CONTROL, O_CLOEXEC) < 0 || close_range(MASTER, ~0U, 0) < 0)
		_exit(1);
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL); /* those that libraries had ignored, too */
	prctl(PR_SET_NAME, "mimobox-init");
	hide_command_line();
}

static void die_with_parent(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail(STAGE_IDENTITY, -errno, "parent-death signal");
}

/* The parent writes the maps and the cgroup, then one byte; its end comes instead if it died. */
static void wait_for_parent(void)
{
	char byte;
	if (recv(START, &byte, 1, 0) != 1)
		_exit(1);
}

static void take_identity(void)
{
	if (setresgid(SANDBOX_GID, SANDBOX_GID, SANDBOX_GID) < 0 ||
	    setresuid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID) < 0)
		fail(STAGE_IDENTITY, -errno, "setresuid");
	/* The change undid the one and may have undone the other: prctl(2). */
	die_with_parent();
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		fail(STAGE_IDENTITY, -errno, "dumpable");
	struct pollfd parent = { .fd = START, .events = POLLIN };
	if (poll(&parent, 1, 0) != 0)
		_exit(1);
}

static void raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fail(STAGE_NAMESPACES, -errno, "lo");
	close(fd);
}

static void finish_namespaces(const struct sandbox_plan *plan)
{
	static const char name[] = "mimobox";
	/* Only now, so that its root is the session's own group. */
	if (unshare(CLONE_NEWCGROUP) < 0)
		fail(STAGE_NAMESPACES, -errno, "cgroup");
	if (sethostname(name, sizeof(name) - 1) < 0)
		fail(STAGE_NAMESPACES, -errno, "host name");
	if (plan->own_network)
		raise_loopback();
}

/*
 * Before the change of identity, that is with the rights of the daemon's user but none of its
 * capabilities: what is the daemon's own, and all where the session's owner is root. After it:
 * what somebody else asked for.
 */
static void open_paths(struct sandbox_plan *plan, bool after)
{
	const char *what = NULL;
	unsigned early = plan->owner_is_root ? plan->path_count : plan->own_paths;
	int error = after ? paths_open(plan->paths + early, plan->path_count - early, 0, plan->uid,
				       &what)
			  : paths_open(plan->paths, early, plan->own_paths, plan->uid, &what);
	if (error < 0)
		fail(STAGE_PATHS, error, what);
}

/* Its size is there before anything can ask for it. */
static void open_terminal(const struct sandbox_plan *plan)
{
	struct winsize size = { .ws_row = plan->rows, .ws_col = plan->cols };
	struct termios modes;
	int unlock = 0;
	int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0)
		fail(STAGE_TERMINAL, -errno, "ptmx");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		fail(STAGE_TERMINAL, -errno, "unlock");
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		fail(STAGE_TERMINAL, -errno, "slave");
	if (tcgetattr(slave, &modes) < 0)
		fail(STAGE_TERMINAL, -errno, "modes");
	modes.c_iflag |= IUTF8;
	if (tcsetattr(slave, TCSANOW, &modes) < 0 || ioctl(slave, TIOCSWINSZ, &size) < 0)
		fail(STAGE_TERMINAL, -errno, "size");
	/* The slave stays open here: reading the master ends (EIO) only when init has gone. */
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(slave, fd) < 0)
			fail(STAGE_TERMINAL, -errno, "slave");
	report(STAGE_TERMINAL, 0, NULL, &master, 1);
	if (master != MASTER && dup3(master, MASTER, O_CLOEXEC) < 0)
		fail(STAGE_TERMINAL, -errno, "master");
	close_range(MASTER + 1, ~0U, 0);
}

static void apply_landlock(const struct sandbox_plan *plan)
{
	unsigned failed;
	if (plan->landlock.floor == 0 && plan->landlock.abi < 1)
		return; /* asked for by name, and there is none */
	int error = landlock_apply(&plan->landlock, &failed);
	if (error < 0)
		fail(STAGE_LANDLOCK, error,
		     failed < plan->landlock.rule_count ? plan->landlock.rules[failed].path : "");
}

/* Init keeps its own ends, as it does a slave: the pipes end when it has gone. */
static void open_pipes(void)
{
	int in[2], out[2], error[2];
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0)
		fail(STAGE_TERMINAL, -errno, "pipe");
	if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || dup2(error[1], 2) < 0)
		fail(STAGE_TERMINAL, -errno, "standard descriptors");
	report(STAGE_TERMINAL, 0, NULL, (const int[]){ in[1], out[0], error[0] }, 3);
	close_range(MASTER, ~0U, 0);
}

/*
 * When a session's leader ends, its terminal is hung up for all. So that is the command, as at a
 * real terminal, unless others are to go on printing after it: then it is init.
 */
static void lead_session(const struct sandbox_plan *plan)
{
	if (setsid() < 0 || (plan->terminal && ioctl(0, TIOCSCTTY, 0) < 0))
		fail(STAGE_TERMINAL, -errno, "controlling terminal");
}

_Noreturn static void run_command(const struct sandbox_plan *plan)
{
	sigset_t none;
	if (plan->ends_with_command)
		lead_session(plan);
	else if (setpgid(0, 0) < 0 || (plan->terminal && tcsetpgrp(0, getpid()) < 0))
		fail(STAGE_TERMINAL, -errno, "foreground process group");
	if (chdir(plan->cwd) < 0)
		fail(STAGE_CWD, -errno, plan->cwd);
	apply_landlock(plan);
	if (close_range(START + 1, ~0U, 0) < 0)
		fail(STAGE_EXEC, -errno, "close_range");
	int error = privileges_limit(plan->open_files, plan->file_size);
	if (error < 0)
		fail(STAGE_LIMITS, error, "rlimit");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	report(STAGE_EXEC, 0, NULL, NULL, 0);
	error = sysfilter_load(plan->filter);
	if (error < 0)
		fail(STAGE_SECCOMP, error, "filter");
	error = -ENOENT;
	for (char **path = plan->candidates; *path && error != -E2BIG; path++) {
		execve(*path, plan->argv, plan->envp);
		if (error == -ENOENT || (errno != ENOENT && errno != ENOTDIR))
			error = -errno;
	}
	fail(STAGE_EXEC, error, plan->argv[0]);
}

static void signal_foreground(pid_t command, int number)
{
	/* Asked of the master: that needs no controlling terminal, and gives the number in here. */
	pid_t group = 0;
	if (ioctl(MASTER, TIOCGPGRP, &group) < 0 || group <= 1)
		group = command;
	kill(-group, number);
}

static void terminate(pid_t command)
{
	kill(-command, SIGTERM);
	kill(-command, SIGCONT);
	signal_foreground(command, SIGTERM);
	signal_foreground(command, SIGCONT);
}

/*
 * The kernel tells the leader of the terminal's session when it goes. Where that is not the
 * command, and where there is no terminal, the telling is left to us.
 */
static void hang_up(const struct sandbox_plan *plan, pid_t command)
{
	if (!plan->terminal || !plan->ends_with_command) {
		signal_foreground(command, SIGHUP);
		signal_foreground(command, SIGCONT);
		kill(-command, SIGHUP);
		kill(-command, SIGCONT);
	}
	if (plan->terminal)
		close(MASTER);
}

static void obey(const struct sandbox_plan *plan, pid_t command)
{
	struct control_message message;
	ssize_t size = recv(CONTROL, &message, sizeof(message), MSG_DONTWAIT);
	if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
		_exit(1); /* the daemon has gone: so does all that it started */
	if (size != sizeof(message))
		return;
	switch (message.verb) {
	case CONTROL_FOREGROUND:
		signal_foreground(command, message.signal);
		break;
	case CONTROL_TERMINATE:
		terminate(command);
		break;
	case CONTROL_ALL:
		kill(-1, message.signal);
		break;
	case CONTROL_HANGUP:
		hang_up(plan, command);
		break;
	}
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

_Noreturn static void serve(const struct sandbox_plan *plan, pid_t pid)
{
	struct pollfd events[] = { { .fd = SIGNALS, .events = POLLIN },
				   { .fd = CONTROL, .events = POLLIN } };
	struct signalfd_siginfo info;
	struct exit_report ended;
	struct command command = { .pid = pid };
	for (;;) {
		bool children = reap(&command);
		if (command.ended && (plan->ends_with_command || !children))
			break;
		if (poll(events, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		if (events[1].revents)
			obey(plan, pid);
		if (events[0].revents && read(SIGNALS, &info, sizeof(info)) < 0 && errno != EAGAIN)
			_exit(1);
	}
	ended.status = command.status;
	send(CONTROL, &ended, sizeof(ended), MSG_NOSIGNAL | MSG_DONTWAIT);
	_exit(0);
}

_Noreturn void init_run(struct sandbox_plan *plan, int start, int control)
{
	const char *what = NULL;
	take_place(start, control);
	die_with_parent();
	wait_for_parent();
	open_paths(plan, false);
	take_identity();
	open_paths(plan, true);
	finish_namespaces(plan);
	int error = root_build(plan->layout, plan->paths, plan->path_count, plan->tmp_size,
			       plan->tmp_inodes, &what);
	if (error < 0)
		fail(STAGE_ROOT, error, what);
	error = paths_check(plan->uid);
	if (error < 0)
		fail(STAGE_PATHS, error, "mounts");
	if (plan->terminal)
		open_terminal(plan);
	else
		open_pipes();
	privileges_shorten_turns();
	error = privileges_drop(plan->no_capabilities, &what);
	if (error < 0)
		fail(STAGE_PRIVILEGES, error, what);
	if (!plan->ends_with_command)
		lead_session(plan);
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0 || (signals != SIGNALS && dup3(signals, SIGNALS, O_CLOEXEC) < 0))
		fail(STAGE_FORK, -errno, "signalfd");
	pid_t command = _Fork();
	if (command == 0)
		run_command(plan);
	if (command < 0)
		fail(STAGE_FORK, -errno, "fork");
	close(START);
	serve(plan, command);
}
