/* SPDX-License-Identifier: MIT */
#include "join.h"

#include "command.h"
#include "domain.h"
#include "plan.h"
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Nothing of the sandbox's init stays open in it. */
static void take_places(int start, int control)
{
	start = fcntl(start, F_DUPFD_CLOEXEC, FREE);
	control = fcntl(control, F_DUPFD_CLOEXEC, FREE);
	if (start < 0 || control < 0 || dup3(start, START, O_CLOEXEC) < 0 ||
	    dup3(control, CONTROL, O_CLOEXEC) < 0 || close_range(HANDED, HANDED, 0) < 0 ||
	    close_range(IN, ~0U, 0) < 0)
		_exit(1);
}

static void become_init(void)
{
	sigset_t signals;
	if (setsid() < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		command_fail(STAGE_FORK, -errno, "init");
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM); /* the sandbox comes to its end */
	command_prepare(&signals);
}

/* The daemon has it of no other: for it, this is what ends with the session. */
static void report_ends(void)
{
	int own = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (own < 0)
		command_fail(STAGE_CLONE, -errno, "pidfd");
	command_report(STAGE_TERMINAL, 0, NULL, (const int[]){ PAGE, BELL, own }, 3);
	close(own);
}

static struct plan *receive_plan(void)
{
	command_wait_for(START);
	int fd = command_receive(START);
	struct plan *plan = fd < 0 ? NULL : plan_map(fd);
	if (!plan)
		_exit(1); /* the daemon has gone, or wants it no more */
	close(fd);
	return plan;
}

/* It does not outlive an init that is killed. */
_Noreturn static void run_command(const struct sandbox_shape *shape, const struct plan *plan,
				  pid_t init)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != init)
		_exit(1);
	command_run(shape, plan);
}

_Noreturn static void run(int start, int control, const struct sandbox_shape *shape)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t init = getpid();
	take_places(start, control);
	become_init();
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		command_fail(STAGE_TERMINAL, -errno, "/");
	command_open_ends(shape, root);
	close(root);
	command_open_page();
	report_ends();
	command_begin_to_monitor(shape);
	struct plan *plan = receive_plan();
	if (!shape->ends_with_command)
		command_lead_session(shape);
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		run_command(shape, plan, init);
	if (pid < 0)
		command_fail(STAGE_FORK, -errno, "fork");
	close(HANDED);
	if (serve_refusals(HANDING, &plan->filter) < 0)
		command_fail(STAGE_SECCOMP, -errno, "listener");
	close(START);
	serve_joined((pid_t)pid);
}

pid_t join_start(int start, int control, bool terminal, bool ends_with_command)
{
	const struct sandbox_shape shape = { .terminal = terminal,
					     .ends_with_command = ends_with_command };
	pid_t pid = domain_fork(JOIN_SIGNAL);
	if (pid == 0)
		run(start, control, &shape);
	return pid;
}
