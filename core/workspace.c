/* SPDX-License-Identifier: MIT */
/*
 * Removing is left to rm(1), in a process of its own: it walks a tree that somebody hostile has
 * made, and may still be changing, without following a link out of it, and it may take its time.
 */
#include "workspace.h"

#include "session.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct removal {
	struct mimobox *box;
	struct loop_source *source;
	int pidfd;
};

static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int error = mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
		*slash = '/';
		if (error < 0)
			return error;
	}
	return 0;
}

int workspace_prepare(const char *directory)
{
	struct stat status;
	char *path = strdup(directory);
	if (!path)
		return -ENOMEM;
	int error = make_parents(path);
	free(path);
	if (error < 0)
		return error;
	/* Others may pass through to what is theirs, and not list. */
	if (mkdir(directory, 0711) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(directory, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	/* Whoever can make names in it could lead the daemon elsewhere. */
	return status.st_uid == geteuid() && !(status.st_mode & 022) ? 0 : -EPERM;
}

int workspace_create(struct mimobox_session *session)
{
	const char *directory = session->box->workspaces;
	char *path;
	if (!directory)
		return 0;
	if (asprintf(&path, "%s/%s-XXXXXX", directory, session->name) < 0)
		return -ENOMEM;
	int error = mkdtemp(path) ? 0 : -errno;
	session->workspace = path;
	if (error == 0) {
		error = workspace_give(session);
		if (error < 0)
			rmdir(path);
	}
	if (error < 0) {
		session->workspace = NULL;
		free(path);
	}
	return error;
}

/* The path is through directories that are the daemon's alone. */
int workspace_give(const struct mimobox_session *session)
{
	if (!session->workspace || geteuid() != 0)
		return 0;
	return chown(session->workspace, session->run_uid, session->run_gid) < 0 ? -errno : 0;
}

static void on_removed(void *data, uint32_t events)
{
	struct removal *removal = data;
	(void)events;
	waitid(P_PIDFD, (id_t)removal->pidfd, &(siginfo_t){ 0 }, WEXITED);
	loop_remove(removal->source);
	close(removal->pidfd);
	removal->box->live--;
	free(removal);
}

static void watch(struct mimobox *box, pid_t pid)
{
	struct removal *removal = calloc(1, sizeof(*removal));
	int pidfd = pidfd_open(pid, 0);
	if (removal)
		*removal = (struct removal){ .box = box, .pidfd = pidfd };
	if (!removal || pidfd < 0 ||
	    loop_add(box->loop, pidfd, EPOLLIN, on_removed, removal, &removal->source) < 0) {
		/* Nothing to watch it with: then it is waited for. */
		waitpid(pid, NULL, 0);
		if (pidfd >= 0)
			close(pidfd);
		free(removal);
		return;
	}
	box->live++;
}

void workspace_remove(struct mimobox_session *session)
{
	char rm[] = "rm", options[] = "-rf", one[] = "--one-file-system", end[] = "--";
	char path[] = "PATH=/usr/bin:/bin", *environment[] = { path, NULL };
	char *workspace = session->workspace;
	pid_t pid;
	if (!workspace)
		return;
	session->workspace = NULL;
	char *arguments[] = { rm, options, one, end, workspace, NULL };
	if (rmdir(workspace) < 0 && errno != ENOENT &&
	    posix_spawn(&pid, "/bin/rm", NULL, NULL, arguments, environment) == 0)
		watch(session->box, pid);
	free(workspace);
}
