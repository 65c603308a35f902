/* SPDX-License-Identifier: MIT */
#include "paths.h"

#include "mountinfo.h"
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A mount needs something to be mounted on; it is made in the root's own tmpfs, nowhere else. */
static int make_place(int root, const char *inside, bool directory, dev_t device)
{
	char path[PATH_MAX];
	struct stat status;
	size_t end = 0;
	if (strlen(inside) >= sizeof(path))
		return -ENAMETOOLONG;
	int parent = mount_open_below(root, "/", O_PATH);
	while (parent >= 0 && inside[end] == '/') {
		size_t start = end + 1;
		end = start + strcspn(inside + start, "/");
		bool last = inside[end] == '\0';
		memcpy(path, inside, end);
		path[end] = '\0';
		int place = mount_open_below(root, path, O_PATH);
		int error = place < 0 ? place : 0;
		if (error == -ENOENT && fstat(parent, &status) == 0 && status.st_dev == device) {
			error = last && !directory
					? mount_make_file(parent, path + start, "")
					: mount_make_directory(parent, path + start, 0755);
			if (error == 0)
				place = mount_open_below(root, path, O_PATH);
		}
		close(parent);
		parent = place < 0 && error < 0 ? error : place;
	}
	if (parent < 0)
		return parent;
	close(parent);
	return 0;
}

int paths_attach(int root, const struct sandbox_path *paths, unsigned count, const char **what)
{
	struct stat own, status;
	if (fstat(root, &own) < 0)
		return -errno;
	for (unsigned i = 0; i < count; i++) {
		*what = paths[i].inside;
		if (fstat(paths[i].mount, &status) < 0)
			return -errno;
		int error = make_place(root, paths[i].inside, S_ISDIR(status.st_mode), own.st_dev);
		if (error == 0)
			error = mount_attach(root, paths[i].mount, paths[i].inside);
		if (error < 0)
			return error;
	}
	return 0;
}

/* An empty, read-only filesystem over what is at `path`. */
static int cover(const char *path)
{
	int mount = mount_new("tmpfs", NULL, MOUNT_LOCKED_DOWN | MOUNT_ATTR_RDONLY);
	if (mount < 0)
		return mount;
	int error = move_mount(mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
	close(mount);
	/* What this process cannot come to, neither can the sandbox that has its identity. */
	return error == -ENOENT || error == -ENOTDIR || error == -EACCES ? 0 : error;
}

static bool is_at_or_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	if (length == 1)
		return true;
	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

/*
 * Whether it is a session filesystem that lets `uid` in: the kernel lets nobody in but the one who
 * mounted it, unless it was mounted for all.
 */
static bool is_open_session_filesystem(const struct mountinfo *mount, uid_t uid)
{
	if (strcmp(mount->type, "fuse.mimoboxfs") != 0)
		return false;
	const char *user = strstr(mount->options, "user_id=");
	uid_t owner = 0;
	if (!user || mount->options_cut || strstr(mount->options, "allow_other"))
		return true;
	for (user += strlen("user_id="); *user >= '0' && *user <= '9'; user++)
		owner = 10 * owner + (uid_t)(*user - '0');
	return owner == uid;
}

/* No magic link of /proc is followed: it would lead past the rights of the session's owner. */
static int open_path(const char *outside)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, outside, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* The name that the kernel has for what was opened: no link is in it. */
static int name_of(int fd, char path[static PATH_MAX])
{
	char name[32];
	strcpy(name, "/proc/self/fd/");
	size_t length = strlen(name), digits = 1;
	for (int rest = fd; rest >= 10; rest /= 10)
		digits++;
	name[length + digits] = '\0';
	for (; digits > 0; digits--, fd /= 10)
		name[length + digits - 1] = (char)('0' + fd % 10);
	ssize_t size = readlink(name, path, PATH_MAX - 1);
	if (size < 0)
		return -errno;
	path[size] = '\0';
	return path[0] == '/' ? 0 : -ENOENT;
}

/* Whoever cannot come to the directory cannot have come by a path below it. */
static bool leads_below(const char *path, const char *directory)
{
	char name[PATH_MAX];
	int fd = open_path(directory);
	if (fd < 0)
		return false;
	bool below = name_of(fd, name) == 0 && is_at_or_below(path, name);
	close(fd);
	return below;
}

static int check_bounds(const struct sandbox_path *path, const char *name)
{
	if (!path->bounds)
		return 0;
	for (const struct path_bound *bound = path->bounds; bound->path; bound++)
		if ((bound->writable || !path->writable) && leads_below(name, bound->path))
			return 0;
	return -EPERM;
}

/* Before any is cloned; the descriptor of each path stands where its clone will. */
struct guarded {
	const struct sandbox_path *paths;
	unsigned count;
	uid_t uid;
	const char **what;
};

static int guard_mount(const struct mountinfo *mount, void *data)
{
	const struct guarded *guarded = data;
	char name[PATH_MAX];
	bool covered = false;
	if (!is_open_session_filesystem(mount, guarded->uid))
		return 0;
	if (mount->place_cut && !mount->place[0])
		return -EOVERFLOW;
	for (unsigned i = 0; i < guarded->count; i++) {
		const struct sandbox_path *path = &guarded->paths[i];
		int error = name_of(path->mount, name);
		bool below = error == 0 && is_at_or_below(mount->place, name);
		/* No call takes the whole of a place that was cut, so that it cannot be covered. */
		if (error == 0 &&
		    (is_at_or_below(name, mount->place) || (below && mount->place_cut)))
			error = -EPERM;
		if (error == 0 && below && !covered) {
			error = cover(mount->place);
			covered = true;
		}
		if (error < 0) {
			*guarded->what = path->outside;
			return error;
		}
	}
	return 0;
}

/*
 * A sandbox that could open its own control files could start another with more rights. So that
 * none does by a path that it asked for, a session filesystem is refused as a path, and is covered
 * where it is below one. Others are left alone: to mount on one takes a lock that is held while
 * its daemon answers a request, and a daemon that doesn't is no business of this session's.
 *
 * The list is this mount namespace's own, and private: nothing is added to it meanwhile. But a
 * directory on the way can be renamed meanwhile; hence the last look, at what came of it.
 *
 * Other users' mounts are in the list. The kernel builds each line of mountinfo in memory of this
 * session's, so lines are read only where mounts cannot be asked for by number, or where a session
 * filesystem has a path that is too long for an answer.
 */
static int guard_session_filesystems(const struct sandbox_path *paths, unsigned count, uid_t uid,
				     const char **what)
{
	struct guarded guarded = { paths, count, uid, what };
	int error = count ? mountinfo_ask(guard_mount, &guarded) : 0;
	if (error == -ENOSYS || error == -EOVERFLOW)
		error = mountinfo_read_own(guard_mount, &guarded);
	return error;
}

/* Of session filesystems that were met, those that nothing was met on yet. */
enum { BARE_MAX = 8 };

struct last_look {
	uid_t uid;
	unsigned count;
	struct {
		uint64_t id;
		char place[PATH_MAX];
	} bare[BARE_MAX];
};

/* What covers another comes after it in the list. */
static int look(const struct mountinfo *mount, void *data)
{
	struct last_look *last = data;
	for (unsigned i = 0; i < last->count; i++)
		if (last->bare[i].id == mount->parent &&
		    strcmp(last->bare[i].place, mount->place) == 0)
			last->bare[i] = last->bare[--last->count];
	if (!is_open_session_filesystem(mount, last->uid))
		return 0;
	if (mount->place_cut || last->count == BARE_MAX)
		return -EPERM;
	last->bare[last->count].id = mount->id;
	strcpy(last->bare[last->count++].place, mount->place);
	return 0;
}

int paths_check(uid_t uid)
{
	struct last_look last = { .uid = uid };
	int error = mountinfo_ask(look, &last);
	if (error == -ENOSYS) {
		last.count = 0;
		error = mountinfo_read_own(look, &last);
	}
	return error == 0 && last.count ? -EPERM : error;
}

static int open_guarded(struct sandbox_path *path, bool trusted)
{
	char name[PATH_MAX];
	path->mount = open_path(path->outside);
	if (path->mount < 0 || trusted)
		return path->mount < 0 ? path->mount : 0;
	int error = name_of(path->mount, name);
	return error < 0 ? error : check_bounds(path, name);
}

/*
 * The host may have the workspaces on a mount that follows no symbolic links (nosymfollow), because
 * a program's links could lead the host's users astray. In the sandbox links lead only inside.
 */
static int clone_opened(struct sandbox_path *path, bool trusted)
{
	int opened = path->mount;
	path->mount = mount_clone(opened, "",
				  MOUNT_LOCKED_DOWN | (path->writable ? 0 : MOUNT_ATTR_RDONLY));
	close(opened);
	if (path->mount < 0)
		return path->mount;
	return trusted ? mount_follow_links(path->mount) : 0;
}

int paths_open(struct sandbox_path *paths, unsigned count, unsigned trusted, uid_t uid,
	       const char **what)
{
	int error = 0;
	*what = "private";
	if (count && mount_make_private() < 0)
		return -errno;
	for (unsigned i = 0; error == 0 && i < count; i++) {
		*what = paths[i].outside;
		error = open_guarded(&paths[i], i < trusted);
	}
	if (error == 0 && trusted < count) {
		*what = "mounts";
		error = guard_session_filesystems(paths + trusted, count - trusted, uid, what);
	}
	for (unsigned i = 0; error == 0 && i < count; i++) {
		*what = paths[i].outside;
		error = clone_opened(&paths[i], i < trusted);
	}
	return error;
}
