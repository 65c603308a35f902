/* SPDX-License-Identifier: MIT */
/*
 * The upper layer is what overlayfs says it is (Documentation/filesystems/overlayfs): a character
 * device 0/0 hides what the host has, an opaque directory hides all that the host has in it, any
 * other directory is merged with the host's, and everything else takes the place of the host's.
 * Where the host's inode was only copied up, the two are the same, and there is no change.
 *
 * The host has changed meanwhile if a path that is to be touched has a later change time than the
 * start: that is the kernel's, and no program sets it.
 */
#include "changes.h"

#include "access.h"
#include "attributes.h"
#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { DEPTH_MAX = 1000 };

struct walk {
	struct changes *changes;
	unsigned overlay;
	char *path; /* of what is looked at, below the overlay */
	size_t length, room;
	unsigned depth;
};

/* An entry of a directory, in both layers. `host` is -1 where the host has no such directory. */
struct entry {
	struct place upper, host;
	struct stat one, other;
	bool above, there; /* in the upper layer, on the host */
};

bool changes_is_whiteout(mode_t mode, dev_t device)
{
	return S_ISCHR(mode) && device == makedev(0, 0);
}

int changes_open_below(int directory, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_DIRECTORY | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	int fd = (int)syscall(SYS_openat2, directory, *path ? path : ".", &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* Lists */

static void *grow(void *list, size_t count, size_t size)
{
	return count & (count - 1) ? list : realloc(list, (count ? 2 * count : 1) * size);
}

int changes_add_link(struct changes *changes, unsigned overlay, uint64_t inode, const char *path)
{
	struct change_link *links = grow(changes->links, changes->link_count, sizeof(*links));
	if (!links)
		return -ENOMEM;
	changes->links = links;
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	size_t *chain = &changes->chains[inode % CHANGES_CHAINS];
	links[changes->link_count++] = (struct change_link){ overlay, inode, copy, *chain };
	*chain = changes->link_count;
	return 0;
}

const char *changes_find_link(const struct changes *changes, unsigned overlay, uint64_t inode)
{
	size_t at = changes->chains[inode % CHANGES_CHAINS];
	for (; at; at = changes->links[at - 1].next)
		if (changes->links[at - 1].inode == inode &&
		    changes->links[at - 1].overlay == overlay)
			return changes->links[at - 1].path;
	return NULL;
}

static int add(struct walk *walk, char kind, enum change_work work, const struct stat *old)
{
	struct changes *changes = walk->changes;
	struct change *list = grow(changes->list, changes->size, sizeof(*list));
	if (!list)
		return -ENOMEM;
	changes->list = list;
	char *path = strdup(walk->path);
	if (!path)
		return -ENOMEM;
	list[changes->size++] = (struct change){ .kind = kind,
						 .work = work,
						 .overlay = walk->overlay,
						 .path = path,
						 .old_inode = old ? old->st_ino : 0,
						 .old_mode = old ? old->st_mode : 0 };
	return 0;
}

static int add_time(struct walk *walk, const struct stat *before, const struct stat *after)
{
	struct changes *changes = walk->changes;
	struct change_time *times = grow(changes->times, changes->time_count, sizeof(*times));
	if (!times)
		return -ENOMEM;
	changes->times = times;
	char *path = strdup(walk->path);
	if (!path)
		return -ENOMEM;
	times[changes->time_count++] =
		(struct change_time){ walk->overlay, path, before->st_mtim, after->st_mtim };
	return 0;
}

/* Places */

static int push(struct walk *walk, const char *name)
{
	size_t length = strlen(name), end = walk->length + 1 + length;
	if (end + 1 > walk->room) {
		char *path = realloc(walk->path, 2 * end + 256);
		if (!path)
			return -ENOMEM;
		walk->path = path;
		walk->room = 2 * end + 256;
	}
	if (walk->length)
		walk->path[walk->length++] = '/';
	strcpy(walk->path + walk->length, name);
	walk->length += length;
	return 0;
}

static void pop(struct walk *walk, size_t length)
{
	walk->length = length;
	walk->path[length] = '\0';
}

static bool is_in(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	return length == 0 || (strncmp(path, directory, length) == 0 &&
			       (path[length] == '/' || path[length] == '\0'));
}

enum change_relation changes_relation(const struct changes *changes, unsigned overlay,
				      const char *path)
{
	const char *filter = changes->layers[overlay].filter;
	if (changes->is_dropped && changes->is_dropped(changes, overlay, path))
		return RELATION_OUT;
	if (is_in(path, filter))
		return RELATION_IN;
	return is_in(filter, path) ? RELATION_ABOVE : RELATION_OUT;
}

static enum change_relation relation(const struct walk *walk)
{
	return changes_relation(walk->changes, walk->overlay, walk->path);
}

static int open_entry(struct place place)
{
	return changes_open_below(place.directory, place.name, O_RDONLY);
}

/* Conflicts */

/* Some filesystems have whole seconds. */
static bool is_later(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_nsec == 0)
		return a->tv_sec >= b->tv_sec;
	return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec >= b->tv_nsec);
}

static bool is_changed(const struct walk *walk, const char *path, const struct stat *status)
{
	const struct changes *changes = walk->changes;
	return is_later(&status->st_ctim, &changes->layers[walk->overlay].noted.since) &&
	       !(changes->is_own &&
		 changes->is_own(changes, walk->overlay, path, &status->st_ctim));
}

static void conflict(struct walk *walk)
{
	walk->changes->conflicts++;
	if (walk->changes->conflict)
		walk->changes->conflict(walk->changes, walk->overlay, walk->path);
}

static void check(struct walk *walk, const struct stat *status)
{
	if (is_changed(walk, walk->path, status))
		conflict(walk);
}

/*
 * What the host does not have may have been copied from there, and removed there meanwhile. Then
 * the directory was changed there, and overlayfs has noted that something was copied to it.
 */
static void check_absent(struct walk *walk, const struct entry *entry)
{
	struct stat status;
	size_t length = walk->length - strlen(entry->upper.name);
	length -= length > 0;
	if (entry->host.directory < 0 ||
	    !attributes_overlay_has(entry->upper.directory, "impure") ||
	    fstat(entry->host.directory, &status) < 0)
		return;
	char *path = strndup(walk->path, length);
	struct stat content = status;
	content.st_ctim = status.st_mtim;
	if (path && is_changed(walk, path, &content) && is_changed(walk, path, &status))
		conflict(walk);
	free(path);
}

/* The walk */

static int walk_directory(struct walk *walk, int upper, int host, bool opaque, bool covered);

typedef int (*entry_fn)(struct walk *walk, const char *name, void *data);

static int each_entry(struct walk *walk, int directory, entry_fn act, void *data)
{
	struct dirent *found;
	int error = 0, fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *all = fd < 0 ? NULL : fdopendir(fd);
	if (!all) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	while (error == 0 && (errno = 0, found = readdir(all))) {
		size_t length = walk->length;
		if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
			continue;
		error = push(walk, found->d_name);
		if (error == 0)
			error = act(walk, found->d_name, data);
		if (error == 0)
			pop(walk, length);
	}
	if (error == 0 && errno)
		error = -errno;
	closedir(all);
	return error;
}

struct removing {
	int host;
	bool covered; /* by the removal of a directory above */
};

/* Of something that the host has and the session has not. */
static int removed(struct walk *walk, const char *name, void *data)
{
	const struct removing *removing = data;
	struct stat status;
	enum change_relation where = relation(walk);
	int error = 0;
	if (where == RELATION_OUT)
		return 0;
	if (fstatat(removing->host, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(status.st_mode) && where == RELATION_IN && walk->changes->is_dropped_below &&
	    walk->changes->is_dropped_below(walk->changes, walk->overlay, walk->path))
		where = RELATION_ABOVE;
	if (where == RELATION_IN) {
		check(walk, &status);
		error = add(walk, 'D', removing->covered ? WORK_NONE : WORK_REMOVE, &status);
	}
	if (error < 0 || !S_ISDIR(status.st_mode))
		return error;
	if (++walk->depth > DEPTH_MAX)
		return -ENAMETOOLONG;
	struct removing below = { open_entry((struct place){ removing->host, name }),
				  removing->covered || where == RELATION_IN };
	if (below.host < 0)
		return below.host;
	error = each_entry(walk, below.host, removed, &below);
	close(below.host);
	walk->depth--;
	return error;
}

/* What is below a directory of the host's that is none any more. */
static int removed_below(struct walk *walk, struct place host, bool covered)
{
	struct removing below = { open_entry(host), covered };
	if (below.host < 0)
		return below.host;
	int error = each_entry(walk, below.host, removed, &below);
	close(below.host);
	return error;
}

/* The overlay's own directory may have begun with less than what the host has. */
static int directory_differs(const struct walk *walk, const struct entry *entry, int upper,
			     int host)
{
	const struct overlay_host *noted = &walk->changes->layers[walk->overlay].noted;
	mode_t mode = copy_mode(entry->one.st_mode);
	if (*walk->path || noted->same)
		return copy_directory_differs(upper, &entry->one, host, &entry->other);
	return mode != noted->mode && mode != (entry->other.st_mode & 07777);
}

static int merged(struct walk *walk, const struct entry *entry, int upper, int host)
{
	enum change_relation where = relation(walk);
	int differs = 0;
	if (where == RELATION_IN)
		differs = directory_differs(walk, entry, upper, host);
	int error = differs < 0 ? differs : 0;
	if (differs > 0) {
		check(walk, &entry->other);
		error = add(walk, 'M', WORK_ATTRIBUTES, &entry->other);
	}
	/* Where the host has changed it, the time is that of the last change. */
	if (error == 0 && where == RELATION_IN && !is_changed(walk, walk->path, &entry->other))
		error = add_time(walk, &entry->other, &entry->one);
	if (error < 0)
		return error;
	return walk_directory(walk, upper, host, attributes_overlay_has(upper, "opaque"), false);
}

static int new_directory(struct walk *walk, const struct entry *entry, int upper, bool covered)
{
	int error = 0;
	if (entry->there)
		check(walk, &entry->other);
	else
		check_absent(walk, entry);
	if (relation(walk) == RELATION_IN || !covered)
		error = add(walk, entry->there ? 'T' : 'A', covered ? WORK_NONE : WORK_TREE,
			    entry->there ? &entry->other : NULL);
	return error < 0 ? error : walk_directory(walk, upper, -1, false, true);
}

static bool goes_meanwhile(const struct walk *walk, int error)
{
	return walk->changes->live && (error == -ENOENT || error == -ENOTDIR || error == -ELOOP);
}

static int visit_directory(struct walk *walk, const struct entry *entry, bool covered)
{
	int host = -1, upper = open_entry(entry->upper);
	if (upper < 0)
		return goes_meanwhile(walk, upper) ? 0 : upper;
	bool merges = entry->there && S_ISDIR(entry->other.st_mode);
	if (merges)
		host = open_entry(entry->host);
	int error = merges && host < 0 ? host : 0;
	if (++walk->depth > DEPTH_MAX)
		error = -ENAMETOOLONG;
	if (error == 0)
		error = merges ? merged(walk, entry, upper, host)
			       : new_directory(walk, entry, upper, covered);
	walk->depth--;
	close(upper);
	if (host >= 0)
		close(host);
	return error;
}

static int visit_same(struct walk *walk, const struct entry *entry)
{
	int differs = copy_differs(entry->upper, &entry->one, entry->host, &entry->other);
	if (differs < 0)
		return goes_meanwhile(walk, differs) ? 0 : differs;
	if (differs) {
		check(walk, &entry->other);
		return add(walk, 'M', WORK_PUT, &entry->other);
	}
	return entry->one.st_nlink > 1 ? changes_add_link(walk->changes, walk->overlay,
							  entry->one.st_ino, walk->path)
				       : 0;
}

static int visit_file(struct walk *walk, const struct entry *entry, bool covered)
{
	bool in = relation(walk) == RELATION_IN;
	bool was_directory = entry->there && S_ISDIR(entry->other.st_mode);
	int error = 0;
	if (!in)
		return was_directory ? removed_below(walk, entry->host, false) : 0;
	if (entry->there && (entry->one.st_mode & S_IFMT) == (entry->other.st_mode & S_IFMT))
		return visit_same(walk, entry);
	if (entry->there)
		check(walk, &entry->other);
	else
		check_absent(walk, entry);
	error = add(walk, entry->there ? 'T' : 'A', covered ? WORK_NONE : WORK_PUT,
		    entry->there ? &entry->other : NULL);
	return error == 0 && was_directory ? removed_below(walk, entry->host, true) : error;
}

struct layers {
	int upper, host;
	bool covered; /* by a directory above that is new */
};

static int visit(struct walk *walk, const char *name, void *data)
{
	const struct layers *layers = data;
	struct entry entry = { .upper = { layers->upper, name }, .host = { layers->host, name } };
	if (relation(walk) == RELATION_OUT)
		return 0;
	if (fstatat(layers->upper, name, &entry.one, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno; /* the session is at work */
	entry.there = layers->host >= 0 &&
		      fstatat(layers->host, name, &entry.other, AT_SYMLINK_NOFOLLOW) == 0;
	if (layers->host >= 0 && !entry.there && errno != ENOENT)
		return -errno;
	if (changes_is_whiteout(entry.one.st_mode, entry.one.st_rdev)) {
		struct removing removing = { layers->host, false };
		return entry.there ? removed(walk, name, &removing) : 0;
	}
	return S_ISDIR(entry.one.st_mode) ? visit_directory(walk, &entry, layers->covered)
					  : visit_file(walk, &entry, layers->covered);
}

/* Of an opaque directory: what the host has in it, and the upper layer has not. */
static int visit_hidden(struct walk *walk, const char *name, void *data)
{
	const struct layers *layers = data;
	struct stat status;
	struct removing removing = { layers->host, false };
	if (fstatat(layers->upper, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == ENOENT ? removed(walk, name, &removing) : -errno;
}

static int walk_directory(struct walk *walk, int upper, int host, bool opaque, bool covered)
{
	struct layers layers = { upper, host, covered };
	int error = each_entry(walk, upper, visit, &layers);
	return error == 0 && opaque && host >= 0 ? each_entry(walk, host, visit_hidden, &layers)
						 : error;
}

static int walk_overlay(struct walk *walk)
{
	const struct overlay_layers *layers = &walk->changes->layers[walk->overlay];
	struct entry entry = { .there = true };
	int error = push(walk, "");
	if (error < 0)
		return error;
	if (fstat(layers->upper, &entry.one) < 0 || fstat(layers->host, &entry.other) < 0)
		return -errno;
	return merged(walk, &entry, layers->upper, layers->host);
}

int changes_find(struct changes *changes, unsigned *overlay, char **path)
{
	int error = 0;
	for (unsigned i = 0; error == 0 && i < changes->count; i++) {
		struct walk walk = { .changes = changes, .overlay = i };
		if (!changes->layers[i].filter)
			continue;
		error = walk_overlay(&walk);
		if (error < 0) {
			*overlay = i;
			*path = walk.path;
		} else {
			free(walk.path);
		}
	}
	return error;
}

/* Printing */

void changes_print_path(const struct changes *changes, unsigned overlay, const char *path, FILE *to)
{
	const char *const parts[] = { changes->layers[overlay].inside, *path ? "/" : "", path };
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		for (const char *at = parts[i]; *at; at++) {
			unsigned char byte = (unsigned char)*at;
			if (byte <= ' ' || byte == 127 || byte == '\\')
				(void)fprintf(to, "\\%03o", byte);
			else
				(void)fputc(byte, to);
		}
}

static const struct changes *sorted; /* qsort(3) passes nothing on */

static unsigned char byte_at(const struct change *change, size_t at)
{
	const char *inside = sorted->layers[change->overlay].inside;
	size_t length = strlen(inside);
	if (at < length)
		return (unsigned char)inside[at];
	if (at == length)
		return *change->path ? '/' : 0;
	return (unsigned char)change->path[at - length - 1];
}

/* As the paths are seen inside. */
static int by_path(const void *a, const void *b)
{
	for (size_t i = 0;; i++) {
		unsigned char one = byte_at(a, i), other = byte_at(b, i);
		if (one != other || !one)
			return one - other;
	}
}

void changes_print(struct changes *changes, FILE *to)
{
	sorted = changes;
	if (changes->size)
		qsort(changes->list, changes->size, sizeof(*changes->list), by_path);
	for (size_t i = 0; i < changes->size; i++) {
		(void)fprintf(to, "%c ", changes->list[i].kind);
		changes_print_path(changes, changes->list[i].overlay, changes->list[i].path, to);
		(void)fputc('\n', to);
	}
}

void changes_finish(struct changes *changes)
{
	for (size_t i = 0; i < changes->size; i++)
		free(changes->list[i].path);
	for (size_t i = 0; i < changes->time_count; i++)
		free(changes->times[i].path);
	for (size_t i = 0; i < changes->link_count; i++)
		free(changes->links[i].path);
	free(changes->list);
	free(changes->times);
	free(changes->links);
}
