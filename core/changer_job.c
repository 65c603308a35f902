/* SPDX-License-Identifier: MIT */
/*
 * A lock on the directory of changes keeps two of these apart: the second waits for the first,
 * which may be one that a server that was killed has asked for.
 *
 * Under Landlock the process can write to the overlays' directories and to the changes, and nowhere
 * else, whatever directory somebody moves away while it is at work.
 */
#include "changer_job.h"

#include "access.h"
#include "apply.h"
#include "apply_journal.h"
#include "changes.h"
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CONFLICTS_TOLD = 16, TEXT_MAX = 1 << 20 };

struct job {
	struct changes changes; /* whose `data` is the next */
	int base;
	const struct change_request *request;
	int reports;
	const char *outside[OVERLAYS_MAX], *filter;
	char *dropped; /* paths inside, each with its NUL; an empty one ends them */
};

static struct job job;

/* Reports */

static void report(bool ended, int error, const char *text)
{
	struct change_report message = { .ended = ended, .error = error };
	snprintf(message.text, sizeof(message.text), "%s", text);
	message_send(job.reports, &message, sizeof(message), NULL, 0, 0);
}

static const char *verb_name(void)
{
	static const char *const names[] = { "changes", "apply", "discard" };
	return names[job.request->verb];
}

static void report_path(bool ended, int error, unsigned overlay, const char *path, const char *why)
{
	char text[sizeof(((struct change_report *)0)->text)] = "", *name = NULL;
	size_t size;
	FILE *to = open_memstream(&name, &size);
	if (to) {
		changes_print_path(&job.changes, overlay, path, to);
		(void)fclose(to);
	}
	snprintf(text, sizeof(text), "%s: %.180s: %s", verb_name(), name ? name : "?", why);
	report(ended, error, text);
	free(name);
}

_Noreturn static void end(int error, const char *text)
{
	report(true, error, text);
	_exit(0);
}

_Noreturn static void fail(int error, const char *what)
{
	char text[sizeof(((struct change_report *)0)->text)];
	snprintf(text, sizeof(text), "%s: %s%s%s", verb_name(), what, *what ? ": " : "",
		 strerror(-error));
	end(error, text);
}

_Noreturn static void fail_at(int error, unsigned overlay, const char *path)
{
	report_path(true, error, overlay, path,
		    error == -ESTALE ? "it has changed on the host meanwhile" : strerror(-error));
	_exit(0);
}

static void on_conflict(const struct changes *changes, unsigned overlay, const char *path)
{
	if (changes->conflicts <= CONFLICTS_TOLD)
		report_path(false, 0, overlay, path, "it has changed on the host meanwhile");
}

/* What was dropped */

/* Compares a path with one inside: 0 the same or below it, 1 above it, -1 neither. */
static int lies(const struct changes *changes, unsigned overlay, const char *path,
		const char *other)
{
	char *whole;
	const char *inside = changes->layers[overlay].inside;
	if (asprintf(&whole, "%s%s%s", inside, *path ? "/" : "", path) < 0)
		fail(-ENOMEM, "");
	int result = access_is_below(whole, other) ? 0 : access_is_below(other, whole) ? 1 : -1;
	free(whole);
	return result;
}

static bool is_dropped(const struct changes *changes, unsigned overlay, const char *path)
{
	for (const char *at = job.dropped; at && *at; at += strlen(at) + 1)
		if (lies(changes, overlay, path, at) == 0)
			return true;
	return false;
}

static bool is_dropped_below(const struct changes *changes, unsigned overlay, const char *path)
{
	for (const char *at = job.dropped; at && *at; at += strlen(at) + 1)
		if (lies(changes, overlay, path, at) == 1)
			return true;
	return false;
}

/* The whole of a file, with two NULs behind it. */
static char *read_text(int fd)
{
	char *text = calloc(1, TEXT_MAX + 2);
	size_t size = 0;
	ssize_t count = 1;
	while (text && size < TEXT_MAX && count > 0) {
		count = read(fd, text + size, TEXT_MAX - size);
		size += count > 0 ? (size_t)count : 0;
	}
	return text;
}

static void read_dropped(void)
{
	int fd = openat(job.base, "dropped", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	job.dropped = read_text(fd);
	close(fd);
	if (!job.dropped)
		fail(-ENOMEM, "");
}

/* Layers */

static int open_layer(unsigned number, const char *name, int flags)
{
	char path[32];
	snprintf(path, sizeof(path), "%u/%s", number, name);
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, job.base, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static int read_host(unsigned number, struct overlay_host *out)
{
	int fd = open_layer(number, "host", O_RDONLY);
	if (fd < 0)
		return fd;
	ssize_t size = read(fd, out, sizeof(*out));
	close(fd);
	return size == sizeof(*out) ? 0 : -EUCLEAN;
}

/* As it was at the start, by whatever links its path leads. */
static int open_host(const char *outside, const struct overlay_host *noted)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_NO_MAGICLINKS };
	struct stat status;
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, outside, &how, sizeof(how));
	int error = fd < 0 || fstat(fd, &status) < 0 ? -errno : 0;
	if (error == 0 && (status.st_dev != noted->device || status.st_ino != noted->inode))
		error = -ESTALE;
	if (error < 0 && fd >= 0)
		close(fd);
	return error < 0 ? error : fd;
}

static void open_layers(unsigned number)
{
	struct overlay_layers *layers = &job.changes.layers[number];
	int error = read_host(number, &layers->noted);
	layers->host = error < 0 ? error : open_host(job.outside[number], &layers->noted);
	layers->upper = layers->host < 0 ? layers->host
					 : open_layer(number, "upper", O_RDONLY | O_DIRECTORY);
	if (layers->upper < 0)
		fail_at(layers->upper, number, "");
}

/* The part of an overlay that is meant; NULL: none. */
static const char *filter_for(const char *inside, const char *path)
{
	size_t length = strlen(inside);
	if (!*path || access_is_below(inside, path))
		return "";
	if (!access_is_below(path, inside))
		return NULL;
	return path + length + (path[length] == '/');
}

static void read_paths(int paths)
{
	char *text = read_text(paths);
	if (!text || job.request->overlays > OVERLAYS_MAX)
		fail(-ENOMEM, "");
	const char *at = text;
	for (unsigned i = 0; i < job.request->overlays; i++) {
		job.outside[i] = at;
		at += strlen(at) + 1;
		job.changes.layers[i].inside = at;
		at += strlen(at) + 1;
	}
	job.filter = at;
	bool any = false;
	for (unsigned i = 0; i < job.request->overlays; i++) {
		job.changes.layers[i].filter = filter_for(job.changes.layers[i].inside, at);
		any |= job.changes.layers[i].filter != NULL;
	}
	if (!any)
		fail(-ENOENT, "that is in no overlay");
	job.changes.count = job.request->overlays;
}

static void confine(void)
{
	int directories[OVERLAYS_MAX + 1];
	unsigned count = 0;
	directories[count++] = job.base;
	for (unsigned i = 0; i < job.changes.count; i++)
		directories[count++] = job.changes.layers[i].host;
	int error = landlock_bound_writes(directories, count);
	if (error < 0)
		fail(error, "landlock");
}

/* Work */

static void find(void)
{
	unsigned overlay = 0;
	char *path = NULL;
	int error = changes_find(&job.changes, &overlay, &path);
	if (error < 0)
		fail_at(error, overlay, path ? path : "");
}

_Noreturn static void list(int listing)
{
	int copy = listing < 0 ? -1 : fcntl(listing, F_DUPFD_CLOEXEC, 0);
	FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
	if (!to)
		fail(-errno, "listing");
	find();
	changes_print(&job.changes, to);
	int error = fflush(to) != 0 ? -errno : 0;
	if (error < 0)
		fail(error, "listing");
	end(0, "");
}

_Noreturn static void fail_in_part(void)
{
	end(-EIO, "apply: a part of it is done, and cannot be taken back, since somebody moves "
		  "directories about: say apply or discard once more");
}

static void recover(void)
{
	int error = apply_recover(&job.changes, job.base);
	if (error == -EINPROGRESS)
		fail_in_part();
	if (error < 0)
		fail(error, "what was begun before");
}

_Noreturn static void apply(void)
{
	const struct change *failed;
	char text[96];
	job.changes.conflict = on_conflict;
	job.changes.is_own = apply_journal_is_own;
	find();
	if (job.changes.conflicts) {
		snprintf(text, sizeof(text), "apply: %zu paths have changed meanwhile",
			 job.changes.conflicts);
		end(-ESTALE, text);
	}
	if (*job.filter && job.changes.size == 0)
		fail(-ENOENT, "nothing has changed there");
	size_t count = job.changes.size;
	int error = apply_run(&job.changes, job.base, &failed);
	if (error == -EINPROGRESS)
		fail_in_part();
	if (error < 0 && failed)
		fail_at(error, failed->overlay, failed->path);
	if (error < 0)
		fail(error, "");
	snprintf(text, sizeof(text), "applied %zu changes", count);
	end(0, text);
}

/* Other changes stay as they are, and these are overlooked from now on. */
static void drop(const char *path)
{
	int fd = openat(job.base, "dropped", O_CREAT | O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
			0600);
	size_t size = strlen(path) + 1;
	int error = fd < 0 ? -errno : 0;
	if (error == 0 && write(fd, path, size) != (ssize_t)size)
		error = -ENOSPC;
	if (fd >= 0)
		close(fd);
	if (error < 0)
		fail(error, "");
}

_Noreturn static void discard(void)
{
	find();
	if (*job.filter && job.changes.size == 0)
		fail(-ENOENT, "nothing has changed there");
	drop(*job.filter ? job.filter : "/");
	char text[64];
	snprintf(text, sizeof(text), "discarded %zu changes", job.changes.size);
	for (unsigned i = 0; !*job.filter && i < job.changes.count; i++) {
		snprintf(text + 32, 32, "%u", i);
		int layer = openat(job.base, text + 32, O_PATH | O_DIRECTORY | O_NOFOLLOW);
		if (layer >= 0 && apply_clear(layer, "upper") == 0)
			(void)mkdirat(layer, "upper", 0700);
	}
	snprintf(text, sizeof(text), "discarded %zu changes", job.changes.size);
	end(0, text);
}

_Noreturn void changer_job(const struct change_request *request, int reports, int base, int paths,
			   int listing)
{
	job.request = request;
	job.reports = reports;
	job.base = base;
	job.changes.data = &job.base;
	if (flock(base, request->verb == CHANGE_LIST ? LOCK_SH : LOCK_EX) < 0)
		fail(-errno, "lock");
	read_paths(paths);
	read_dropped();
	for (unsigned i = 0; i < job.changes.count; i++)
		open_layers(i);
	if (request->verb == CHANGE_LIST) {
		job.changes.is_dropped = is_dropped;
		job.changes.is_dropped_below = is_dropped_below;
		job.changes.live = true;
		list(listing);
	}
	confine();
	recover();
	job.changes.is_dropped = is_dropped;
	job.changes.is_dropped_below = is_dropped_below;
	if (request->verb == CHANGE_APPLY)
		apply();
	discard();
}
