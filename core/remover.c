/* SPDX-License-Identifier: MIT */
#include "remover.h"

#include "confine.h"
#include "home.h"
#include "older.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int start_rm(const char *directory, const char *name, pid_t *pid)
{
	char rm[] = "rm", options[] = "-rf", one[] = "--one-file-system", end[] = "--", *path;
	char home[PATH_MAX];
	char search[] = "PATH=/usr/bin:/bin", *environment[] = { search, NULL };
	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	char *arguments[] = { rm, options, one, end, path, home, NULL };
	int error = home_path(path, home);
	if (error == 0)
		error = -posix_spawn(pid, "/bin/rm", NULL, NULL, arguments, environment);
	free(path);
	return error;
}

static int start_removal(void *context, const void *message, const int *in, int *out,
			 unsigned *count)
{
	const struct removal_request *request = message;
	size_t length = strnlen(request->name, sizeof(request->name));
	pid_t pid;
	(void)in;
	if (!context || length == 0 || length == sizeof(request->name) ||
	    strchr(request->name, '/') || strcmp(request->name, ".") == 0 ||
	    strcmp(request->name, "..") == 0)
		return -EINVAL;
	int error = start_rm(context, request->name, &pid);
	if (error < 0)
		return error;
	out[0] = pidfd_open(pid, 0); /* nobody else waits for it */
	if (out[0] < 0)
		return errno == ESRCH ? 0 : -errno;
	*count = 1;
	return 0;
}

static int begin(void *context)
{
	(void)context;
	/* The kernel takes it off the process table, when it has ended. */
	return signal(SIGCHLD, SIG_IGN) == SIG_ERR ? -errno : confine_rights(CONFINE_REMOVER);
}

void remover_kind(struct helper_kind *kind, const char *workspaces)
{
	*kind = (struct helper_kind){ .title = "mimobox-remover",
				      .work = start_removal,
				      .begin = begin,
				      .context = (void *)(uintptr_t)workspaces,
				      .message_size = sizeof(struct removal_request) };
}
