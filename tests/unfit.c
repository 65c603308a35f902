/* SPDX-License-Identifier: MIT */
/*
 * A program that a keeper takes for one of its kind, and which does not serve. What it does is in
 * the name of its file: `waits` does nothing when it is tried, and `starts` starts another daemon;
 * the servers of `hangs` do nothing, and those of any other are killed.
 */
#include <daemon.h>
#include <handover.h>
#include <keeper.h>
#include <options.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_called(const char *name)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[size > 0 ? size : 0] = '\0';
	return strstr(path, name) != NULL;
}

static int serve(const struct options *options, struct daemon *daemon, struct keep *keep)
{
	(void)options, (void)daemon, (void)keep;
	while (is_called("/hangs"))
		pause();
	return kill(getpid(), SIGKILL);
}

/* As a program does that knows of no handover: in `second`, beside it. */
static int start(void)
{
	char path[4096], mount[4200], workspaces[4200];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[size > 0 ? size : 0] = '\0';
	*strrchr(path, '/') = '\0';
	snprintf(mount, sizeof(mount), "%s/second", path);
	snprintf(workspaces, sizeof(workspaces), "%s/workspaces-of-second", path);
	unsetenv("MIMOBOX_HANDOVER");
	mkdir("made-by-a-trial", 0700); /* by a relative name */
	return execl(getenv("MIMOBOXFS"), "mimoboxfs", "--pool", "1", "--spool", path,
		     "--workspaces", workspaces, mount, NULL);
}

int main(int argc, char **argv)
{
	struct handover handover;
	struct options options;
	struct daemon daemon;
	int status = 1;

	while (is_called("/waits"))
		pause();
	if (is_called("/starts"))
		return start();
	if (handover_find(&handover) != HANDOVER_FOUND)
		return 1;
	prctl(PR_SET_NAME, "mimoboxfs");
	daemon_go_on(&daemon);
	if (options_parse(&options, argc, argv) == OPTIONS_SERVE &&
	    handover_options(&handover, &options) == 0) {
		if (handover.trial)
			handover_tell(&handover, 0);
		else
			status = keeper_run(&options, &daemon, serve, &handover);
	}
	options_finish(&options);
	return status;
}
