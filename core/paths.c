/* SPDX-License-Identifier: MIT */
#include "paths.h"

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

/* proc_pid_mountinfo(5) writes blanks and backslashes as \ooo. */
static void unescape(char *path)
{
	char *to = path;
	for (const char *from = path; *from; to++) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static bool is_at_or_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	if (length == 1)
		return true;
	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

/* A line of proc_pid_mountinfo(5): "ID PARENT DEVICE ROOT PLACE ... - TYPE SOURCE OPTIONS". */

static const char *word(const char *line, unsigned index)
{
	for (; index > 0 && line; index--) {
		line = strchr(line, ' ');
		line += line != NULL;
	}
	return line ? line : "";
}

static bool same_word(const char *a, const char *b)
{
	size_t length = strcspn(a, " ");
	return strcspn(b, " ") == length && memcmp(a, b, length) == 0;
}

enum { ID, PARENT, PLACE = 4 };

/*
 * Whether it is a session filesystem that lets `uid` in: the kernel lets nobody in but the one who
 * mounted it, unless it was mounted for all.
 */
static bool is_open_session_filesystem(const char *line, uid_t uid)
{
	static const char type[] = " - fuse.mimoboxfs ";
	const char *at = strstr(line, type);
	if (!at)
		return false;
	const char *options = word(at + sizeof(type) - 1, 1);
	const char *user = strstr(options, "user_id=");
	uid_t owner = 0;
	if (!user || strstr(options, "allow_other"))
		return true;
	for (user += strlen("user_id="); *user >= '0' && *user <= '9'; user++)
		owner = 10 * owner + (uid_t)(*user - '0');
	return owner == uid;
}

/* Calls `visit` for each line, until one returns an error; that, or why they cannot be read. */
static int each_mount(int (*visit)(char *line, void *data), void *data)
{
	char text[10 * PATH_MAX]; /* a line has two paths, with four characters for a blank */
	size_t size = 0;
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;
	while (error == 0) {
		ssize_t count = read(fd, text + size, sizeof(text) - 1 - size);
		if (count <= 0) {
			error = count < 0 ? -errno : 0;
			break;
		}
		size += (size_t)count;
		text[size] = '\0';
		char *line = text, *end;
		while (error == 0 && (end = strchr(line, '\n'))) {
			*end = '\0';
			error = visit(line, data);
			line = end + 1;
		}
		size -= (size_t)(line - text);
		memmove(text, line, size);
		if (size >= sizeof(text) - 1)
			error = -E2BIG;
	}
	if (fd >= 0)
		close(fd);
	return error;
}

struct guarded {
	const char *path;
	uid_t uid;
};

static int guard_mount(char *line, void *data)
{
	const struct guarded *guarded = data;
	if (!is_open_session_filesystem(line, guarded->uid))
		return 0;
	char *place = line + (word(line, PLACE) - line);
	place[strcspn(place, " ")] = '\0';
	unescape(place);
	if (is_at_or_below(guarded->path, place))
		return -EPERM;
	return is_at_or_below(place, guarded->path) ? cover(place) : 0;
}

/*
 * A sandbox that could open its own control files could start another with more rights. So that
 * none does by a path that it asked for, a session filesystem is refused as a path, and is covered
 * where it is below one. Others are left alone: to mount on one takes a lock that is held while
 * its daemon answers a request, and a daemon that doesn't is no business of this session's.
 *
 * The list is this mount namespace's own, and private: nothing is added to it meanwhile. But a
 * directory on the way can be renamed meanwhile; hence the last look, at what came of it.
 */
static int guard_session_filesystems(const char *path, uid_t uid)
{
	struct guarded guarded = { path, uid };
	return each_mount(guard_mount, &guarded);
}

struct cover_search {
	const char *line; /* of what is to be covered */
	bool found;
};

static int find_cover(char *line, void *data)
{
	struct cover_search *search = data;
	search->found |= same_word(word(line, PARENT), word(search->line, ID)) &&
			 same_word(word(line, PLACE), word(search->line, PLACE));
	return 0;
}

static int check_mount(char *line, void *data)
{
	struct cover_search search = { .line = line };
	if (!is_open_session_filesystem(line, *(const uid_t *)data))
		return 0;
	int error = each_mount(find_cover, &search);
	return error < 0 ? error : search.found ? 0 : -EPERM;
}

int paths_check(uid_t uid)
{
	return each_mount(check_mount, &uid);
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

static int guard(const struct sandbox_path *path, int fd, uid_t uid)
{
	char name[PATH_MAX];
	int error = name_of(fd, name);
	if (error == 0)
		error = check_bounds(path, name);
	return error < 0 ? error : guard_session_filesystems(name, uid);
}

static int open_one(struct sandbox_path *path, bool guarded, uid_t uid)
{
	int fd = open_path(path->outside);
	if (fd < 0)
		return fd;
	int error = guarded ? guard(path, fd, uid) : 0;
	if (error == 0) {
		path->mount = mount_clone(
			fd, "", MOUNT_LOCKED_DOWN | (path->writable ? 0 : MOUNT_ATTR_RDONLY));
		error = path->mount < 0 ? path->mount : 0;
	}
	close(fd);
	return error;
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
		error = open_one(&paths[i], i >= trusted, uid);
	}
	return error;
}
