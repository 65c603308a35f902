/* SPDX-License-Identifier: MIT */
/*
 * Removing is left to rm(1), in a process of its own: it walks a tree that somebody hostile has
 * made, and may still be changing, without following a link out of it, and it may take its time.
 */
#include "workspace.h"

#include "session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RETRY_NS UINT64_C(250000000)

enum { TRIES = 16 };

struct removal {
	struct mimobox *box;
	char *path;
	struct loop_source *source;
	struct loop_timer retry; /* where no process is to be had for it now */
	unsigned tries;
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

/* Those that nobody had claimed when their daemon was killed: they are empty. */
static void sweep(const char *directory)
{
	DIR *all = opendir(directory);
	struct dirent *entry;
	while (all && (entry = readdir(all))) {
		int pid, length = 0;
		if (sscanf(entry->d_name, ".%d-%n", &pid, &length) == 1 && length && pid > 0 &&
		    kill(pid, 0) < 0 && errno == ESRCH)
			unlinkat(dirfd(all), entry->d_name, AT_REMOVEDIR);
	}
	if (all)
		closedir(all);
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
	if (status.st_uid != geteuid() || (status.st_mode & 022))
		return -EPERM;
	sweep(directory);
	return 0;
}

/* The path is through directories that are the daemon's alone. */
static int give(const char *workspace, uid_t uid, gid_t gid)
{
	return geteuid() == 0 && chown(workspace, uid, gid) < 0 ? -errno : 0;
}

static int make(const char *directory, const char *name, uid_t uid, gid_t gid, char **out)
{
	char *path;
	if (asprintf(&path, "%s/%s-XXXXXX", directory, name) < 0)
		return -ENOMEM;
	int error = mkdtemp(path) ? 0 : -errno;
	if (error == 0) {
		error = give(path, uid, gid);
		if (error < 0)
			rmdir(path);
	}
	if (error < 0)
		free(path);
	else
		*out = path;
	return error;
}

int workspace_create(struct mimobox_session *session)
{
	const char *directory = session->box->workspaces;
	return directory ? make(directory, session->name, session->run_uid, session->run_gid,
				&session->workspace)
			 : 0;
}

int workspace_give(const struct mimobox_session *session)
{
	return session->workspace ? give(session->workspace, session->run_uid, session->run_gid)
				  : 0;
}

int workspace_create_ahead(const struct mimobox *box, uid_t uid, gid_t gid, char **out)
{
	char name[32];
	snprintf(name, sizeof(name), ".%d", (int)getpid());
	return make(box->workspaces, name, uid, gid, out);
}

int workspace_rename(const char *ahead, const char *name, char **out)
{
	char *path;
	int directory = (int)(strrchr(ahead, '/') - ahead);
	if (asprintf(&path, "%.*s/%s%s", directory, ahead, name, strrchr(ahead, '-')) < 0)
		return -ENOMEM;
	if (renameat2(AT_FDCWD, ahead, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
		int error = -errno;
		free(path);
		return error;
	}
	*out = path;
	return 0;
}

static int start_rm(const char *workspace, pid_t *pid)
{
	char rm[] = "rm", options[] = "-rf", one[] = "--one-file-system", end[] = "--";
	char path[] = "PATH=/usr/bin:/bin", *environment[] = { path, NULL };
	char *arguments[] = { rm, options, one, end, (char *)(uintptr_t)workspace, NULL };
	return -posix_spawn(pid, "/bin/rm", NULL, NULL, arguments, environment);
}

static void finish(struct removal *removal)
{
	loop_remove(removal->source);
	if (removal->pidfd >= 0)
		close(removal->pidfd);
	removal->box->live--;
	free(removal->path);
	free(removal);
}

static void on_removed(void *data, uint32_t events)
{
	struct removal *removal = data;
	(void)events;
	waitid(P_PIDFD, (id_t)removal->pidfd, &(siginfo_t){ 0 }, WEXITED);
	finish(removal);
}

static void begin(void *data)
{
	struct removal *removal = data;
	pid_t pid;
	if (start_rm(removal->path, &pid) < 0) {
		if (++removal->tries == TRIES || loop_timer_arm(&removal->retry, RETRY_NS) < 0)
			finish(removal);
		return;
	}
	removal->pidfd = pidfd_open(pid, 0);
	if (removal->pidfd >= 0 && loop_add(removal->box->loop, removal->pidfd, EPOLLIN, on_removed,
					    removal, &removal->source) == 0)
		return;
	waitpid(pid, NULL, 0); /* nothing to watch it with: then it is waited for */
	finish(removal);
}

void workspace_remove(struct mimobox_session *session)
{
	char *workspace = session->workspace;
	pid_t pid;
	session->workspace = NULL;
	if (!workspace || rmdir(workspace) == 0 || errno == ENOENT) {
		free(workspace);
		return;
	}
	struct removal *removal = calloc(1, sizeof(*removal));
	if (!removal) {
		if (start_rm(workspace, &pid) == 0)
			waitpid(pid, NULL, 0);
		free(workspace);
		return;
	}
	*removal = (struct removal){ .box = session->box, .path = workspace, .pidfd = -1 };
	loop_timer_init(&removal->retry, session->box->loop, begin, removal);
	session->box->live++;
	begin(removal);
}
