/* SPDX-License-Identifier: MIT */
#include "trial.h"

#include "handover.h"

#include <dirent.h>
#include <errno.h>
#include <loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LAST_MS = 500 }; /* of TRIAL_END_MS: for what does not end when it is told to */

static uint64_t after(unsigned milliseconds)
{
	return loop_now() + milliseconds * UINT64_C(1000000);
}

/* What the keeper has is not held any longer for this. */
static int close_others(int first, int second)
{
	int low = first < second ? first : second, high = first < second ? second : first;
	if ((low > STDERR_FILENO + 1 && close_range(STDERR_FILENO + 1, (unsigned)low - 1, 0) < 0) ||
	    (high > low + 1 && close_range((unsigned)low + 1, (unsigned)high - 1, 0) < 0) ||
	    close_range((unsigned)high + 1, ~0U, 0) < 0)
		return -errno;
	return 0;
}

/* Relative names lead to where nothing can be made. */
_Noreturn static void execute(const struct handover *trial, const struct options *options,
			      int program, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		handover_tell(trial,
			      chdir("/proc") < 0 ? -errno : handover_run(trial, options, program));
	_exit(1);
}

/* The keeper has SIGCHLD blocked, and so has this process. False: there was none until then. */
static bool wait_for_child(uint64_t until)
{
	sigset_t signals;
	uint64_t now = loop_now(), left = until > now ? until - now : 0;
	const struct timespec patience = { .tv_sec = (time_t)(left / 1000000000),
					   .tv_nsec = (long)(left % 1000000000) };
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	return sigtimedwait(&signals, NULL, &patience) >= 0 || (errno == EINTR && left);
}

/* Until then; all children, or that one. True: it, or the last of all, has ended. */
static bool reap(pid_t child, uint64_t until)
{
	do {
		pid_t ended;
		while ((ended = waitpid(child, NULL, WNOHANG)) > 0)
			if (child > 0)
				return true;
		if (ended < 0)
			return true;
	} while (wait_for_child(until));
	return false;
}

static bool is_child(pid_t pid)
{
	char path[64], text[512];
	int parent = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	if (file)
		(void)fclose(file);
	text[size] = '\0';
	const char *name_end = strrchr(text, ')'); /* a program's name may have one in it */
	return name_end && sscanf(name_end, ") %*c %d", &parent) == 1 && parent == getpid();
}

/* They become this process's as their parents end. */
static void signal_children(int signal)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	while (processes && (entry = readdir(processes))) {
		pid_t pid = atoi(entry->d_name);
		if (pid > 0 && is_child(pid))
			kill(pid, signal);
	}
	if (processes)
		closedir(processes);
}

/* A daemon that is told to end takes away its mount. */
static void end_rest(void)
{
	if (reap(-1, 0))
		return;
	signal_children(SIGTERM);
	if (reap(-1, after(TRIAL_END_MS - LAST_MS)))
		return;
	uint64_t until = after(LAST_MS);
	do
		signal_children(SIGKILL);
	while (!reap(-1, after(1)) && loop_now() < until);
}

_Noreturn void trial_run(const struct handover *trial, const struct options *options, int program,
			 int keeper)
{
	int error = 0;
	pid_t self = getpid(), child = -1;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(1);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		error = -errno;
	if (error == 0)
		error = close_others(trial->file, program);
	if (error == 0)
		error = handover_own(trial);
	if (error == 0 && (child = fork()) < 0)
		error = -errno;
	if (child == 0)
		execute(trial, options, program, self);
	if (child > 0 && !reap(child, after(TRIAL_MS))) {
		error = -ETIMEDOUT;
		kill(child, SIGKILL);
	}
	if (error < 0)
		handover_tell(trial, error);
	end_rest();
	_exit(0);
}
