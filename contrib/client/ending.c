/* SPDX-License-Identifier: MIT */
#include "ending.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 * A shell tells a death by signal from an exit status, and acts on it: it ends a loop at SIGINT.
 * RLIMIT_CORE does not keep a core_pattern with a pipe from being run, but this does.
 */
_Noreturn void ending_by_signal(int number)
{
	sigset_t set;
	(void)fflush(NULL);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
	_exit(128 + number); /* one that is ignored by default */
}

int ending_as(int status)
{
	if (status < 0)
		ending_by_signal(-status);
	return status;
}
