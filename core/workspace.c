/* SPDX-License-Identifier: MIT */
#include "workspace.h"

#include "disk.h"
#include "home.h"
#include "overlay.h"
#include "remover.h"
#include "session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_NS UINT64_C(250000000)

enum { TRIES = 16, NAME_LETTERS = 6, NAME_TRIES = 100 };

struct removal {
	struct mimobox *box;
	uint64_t id; /* the session's */
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

void workspace_discard(const char *workspace)
{
	(void)home_remove(workspace);
	(void)rmdir(workspace);
}

static void sweep_one(const char *directory, const char *name)
{
	char *path;
	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return;
	workspace_discard(path);
	free(path);
}

void workspace_sweep(const char *directory, pid_t own)
{
	DIR *all = opendir(directory);
	struct dirent *entry;
	while (all && (entry = readdir(all))) {
		int pid, length = 0;
		if (sscanf(entry->d_name, ".%d-%n", &pid, &length) == 1 && length && pid > 0 &&
		    (pid == own || (kill(pid, 0) < 0 && errno == ESRCH)))
			sweep_one(directory, entry->d_name);
	}
	if (all)
		closedir(all);
}

static int make_all(const char *directory)
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
	return 0;
}

int workspace_prepare(const char *directory, pid_t again)
{
	int error = make_all(directory);
	if (error == 0)
		workspace_sweep(directory, again);
	return error;
}

/* The path is through directories that are the daemon's alone. */
static int give(const char *workspace, uid_t uid, gid_t gid)
{
	return geteuid() == 0 && chown(workspace, uid, gid) < 0 ? -errno : 0;
}

/* As mkdtemp(3), but that the name is known to the keeper before. */
static int make_directory(struct keep *keep, char *path)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	char *end = path + strlen(path) - NAME_LETTERS;
	if (!keep)
		return mkdtemp(path) ? 0 : -errno;
	for (int tries = 0; tries < NAME_TRIES; tries++) {
		unsigned char bytes[NAME_LETTERS];
		if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
			return -errno;
		for (int i = 0; i < NAME_LETTERS; i++)
			end[i] = letters[bytes[i] % (sizeof(letters) - 1)];
		keep_making(keep, path);
		if (mkdir(path, 0700) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* No two homes are one, even where two names end alike. */
static int make_both(const struct mimobox *box, char *path, uid_t uid, gid_t gid)
{
	int error = -EEXIST;
	for (int tries = 0; error == -EEXIST && tries < NAME_TRIES; tries++) {
		strcpy(path + strlen(path) - NAME_LETTERS, "XXXXXX");
		error = make_directory(box->keep, path);
		if (error < 0)
			return error;
		if (box->projects)
			disk_join(path, path);
		error = home_make(path, uid, gid, box->projects);
		if (error == 0 && (error = give(path, uid, gid)) < 0)
			(void)home_remove(path);
		if (error < 0)
			rmdir(path);
	}
	return error;
}

static int make(const struct mimobox *box, const char *name, uid_t uid, gid_t gid, char **out)
{
	char *path;
	if (asprintf(&path, "%s/%s-XXXXXX", box->workspaces, name) < 0)
		return -ENOMEM;
	int error = make_both(box, path, uid, gid);
	/* Somebody has removed the directory of all, or unmounted its filesystem. */
	if (error == -ENOENT && make_all(box->workspaces) == 0)
		error = make_both(box, path, uid, gid);
	if (error < 0)
		free(path);
	else
		*out = path;
	return error;
}

int workspace_create(struct mimobox_session *session)
{
	return session->box->workspaces ? make(session->box, session->name, session->run_uid,
					       session->run_gid, &session->workspace)
					: 0;
}

static bool is_gone(const char *path)
{
	struct stat status;
	return lstat(path, &status) < 0 && errno == ENOENT;
}

/* Of a workspace that is there, where only that is gone. */
static int renew_home(const struct mimobox_session *session)
{
	char home[PATH_MAX];
	if (home_path(session->workspace, home) < 0 || !is_gone(home))
		return 0;
	int error = home_make(session->workspace, session->run_uid, session->run_gid,
			      session->box->projects);
	return error < 0 ? error : 1;
}

int workspace_renew(struct mimobox_session *session)
{
	if (!session->workspace)
		return 0;
	if (!is_gone(session->workspace))
		return renew_home(session);
	char *gone = session->workspace;
	session->workspace = NULL;
	int error = workspace_create(session);
	if (error < 0) {
		session->workspace = gone;
		return error;
	}
	mimobox_session_log(session, "workspace: %s was removed: made %s", gone,
			    session->workspace);
	session_touch(session);
	(void)home_remove(gone);
	free(gone);
	return 1;
}

/* The server may not look into it: it belongs to another id. */
bool workspace_is_new(const struct mimobox_session *session)
{
	struct statx status;
	return !session->workspace || (statx(AT_FDCWD, session->workspace, AT_SYMLINK_NOFOLLOW,
					     STATX_BTIME | STATX_MTIME, &status) == 0 &&
				       (status.stx_mask & STATX_BTIME) &&
				       status.stx_mtime.tv_sec == status.stx_btime.tv_sec &&
				       status.stx_mtime.tv_nsec == status.stx_btime.tv_nsec);
}

int workspace_give(const struct mimobox_session *session)
{
	if (!session->workspace)
		return 0;
	int error = give(session->workspace, session->run_uid, session->run_gid);
	char *changes = error == 0 ? workspace_changes(session) : NULL;
	if (changes && access(changes, F_OK) == 0) /* there are overlays */
		error = give(changes, session->run_uid, session->run_gid);
	free(changes);
	return error < 0 ? error
			 : home_give(session->workspace, session->run_uid, session->run_gid);
}

char *workspace_changes(const struct mimobox_session *session)
{
	char *path;
	if (!session->workspace || asprintf(&path, "%s" OVERLAY_SUFFIX, session->workspace) < 0)
		return NULL;
	return path;
}

int workspace_make_changes(const struct mimobox_session *session, char **out)
{
	char *path = session->workspace ? workspace_changes(session) : NULL;
	if (!path)
		return session->workspace ? -ENOMEM : -EOPNOTSUPP;
	int error = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
	if (error == 0 && session->box->projects)
		disk_join(path, session->workspace);
	if (error == 0)
		error = give(path, session->run_uid, session->run_gid);
	if (error < 0)
		free(path);
	else
		*out = path;
	return error;
}

int workspace_create_ahead(const struct mimobox *box, uid_t uid, gid_t gid, char **out)
{
	char name[32];
	snprintf(name, sizeof(name), ".%d", (int)keep_owner(box->keep));
	return make(box, name, uid, gid, out);
}

int workspace_rename(struct keep *keep, const char *ahead, const char *name, char **out)
{
	char *path;
	int directory = (int)(strrchr(ahead, '/') - ahead);
	if (asprintf(&path, "%.*s/%s%s", directory, ahead, name, strrchr(ahead, '-')) < 0)
		return -ENOMEM;
	keep_making(keep, path);
	if (renameat2(AT_FDCWD, ahead, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
		int error = -errno;
		free(path);
		return error;
	}
	*out = path;
	return 0;
}

static void finish(struct removal *removal)
{
	loop_remove(removal->source);
	if (removal->pidfd >= 0)
		close(removal->pidfd);
	removal->box->live--;
	box_keep_removal(removal->box, removal->id, NULL);
	free(removal->path);
	free(removal);
}

static void on_removed(void *data, uint32_t events)
{
	(void)events;
	finish(data);
}

static void try_again(struct removal *removal)
{
	if (++removal->tries == TRIES || loop_timer_arm(&removal->retry, RETRY_NS) < 0)
		finish(removal);
}

static void on_removing(void *data, int result, const int *descriptors)
{
	struct removal *removal = data;
	removal->pidfd = descriptors[0];
	if (result < 0)
		try_again(removal);
	else if (removal->pidfd < 0 || loop_add(removal->box->loop, removal->pidfd, EPOLLIN,
						on_removed, removal, &removal->source) < 0)
		finish(removal); /* it has been, or will be, but nobody is told */
}

static int ask(struct mimobox *box, const char *workspace, helper_fn fn, void *data)
{
	struct removal_request request = { .name = "" };
	const char *name = strrchr(workspace, '/') + 1;
	if (strlen(name) >= sizeof(request.name))
		return -ENAMETOOLONG;
	strcpy(request.name, name);
	return helper_ask(box->remover, &request, NULL, 0, fn, data);
}

static void begin(void *data)
{
	struct removal *removal = data;
	if (ask(removal->box, removal->path, on_removing, removal) < 0)
		try_again(removal);
}

static void ignore(void *data, int result, const int *descriptors)
{
	(void)data, (void)result;
	if (descriptors[0] >= 0)
		close(descriptors[0]);
}

void workspace_clear(struct mimobox *box, uint64_t id, char *workspace)
{
	struct removal *removal = calloc(1, sizeof(*removal));
	if (!removal) {
		ask(box, workspace, ignore, NULL);
		free(workspace);
		return;
	}
	*removal = (struct removal){ .box = box, .id = id, .path = workspace, .pidfd = -1 };
	loop_timer_init(&removal->retry, box->loop, begin, removal);
	box_keep_removal(box, id, workspace);
	box->live++;
	begin(removal);
}

static bool is_removed(const char *directory)
{
	return directory && (rmdir(directory) == 0 || errno == ENOENT);
}

void workspace_remove(struct mimobox_session *session)
{
	session->workspace_awaits = session->review_count > 0;
	if (session->workspace_awaits)
		return;
	char *changes = workspace_changes(session), *workspace = session->workspace;
	session->workspace = NULL;
	session_touch(session);
	bool empty = workspace && home_remove(workspace) == 0;
	empty = workspace && is_removed(changes) && empty;
	if (!workspace || (is_removed(workspace) && empty)) {
		free(changes);
		free(workspace);
		return;
	}
	free(changes);
	workspace_clear(session->box, session->id, workspace);
}
