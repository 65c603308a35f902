/* SPDX-License-Identifier: MIT */
/*
 * The file is written whole under another name, and renamed; after that one byte of it changes. It
 * belongs to the session's owner, so what is read is checked.
 */
#include "apply_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "journal"
#define NEW_NAME "journal.new"
#define OWN_NAME "own"
#define MAGIC "mimoapp1"

enum { PATH_LONGEST = 1 << 20 };

struct header {
	char magic[8];
	char state, id[APPLY_ID];
	uint64_t changes, times;
};

/* Of a change or a time; the path is behind it. */
struct row {
	uint32_t kind, work, overlay, mode;
	uint64_t inode, length;
	struct timespec before, after;
};

/* Writing */

static int make_id(char id[static APPLY_ID + 1])
{
	unsigned char bytes[APPLY_ID / 2];
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -errno;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static void write_row(FILE *to, struct row row, const char *path)
{
	row.length = strlen(path);
	(void)fwrite(&row, sizeof(row), 1, to);
	(void)fwrite(path, 1, row.length, to);
}

static void write_rows(FILE *to, const struct changes *changes)
{
	for (size_t i = 0; i < changes->size; i++) {
		const struct change *change = &changes->list[i];
		struct row row;
		memset(&row, 0, sizeof(row));
		row.kind = (uint32_t)change->kind;
		row.work = (uint32_t)change->work;
		row.overlay = change->overlay;
		row.mode = change->old_mode;
		row.inode = change->old_inode;
		write_row(to, row, change->path);
	}
	for (size_t i = 0; i < changes->time_count; i++) {
		const struct change_time *time = &changes->times[i];
		struct row row;
		memset(&row, 0, sizeof(row));
		row.overlay = time->overlay;
		row.before = time->before;
		row.after = time->after;
		write_row(to, row, time->path);
	}
}

static int add_time(struct changes *changes, unsigned overlay, const char *path)
{
	struct stat status;
	int fd = changes_open_below(changes->layers[overlay].host, path, O_RDONLY);
	int error = fd < 0 ? fd : fstat(fd, &status) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (error < 0)
		return error;
	struct change_time *times =
		realloc(changes->times, (changes->time_count + 1) * sizeof(*times));
	char *copy = times ? strdup(path) : NULL;
	if (times)
		changes->times = times;
	if (!copy)
		return -ENOMEM;
	times[changes->time_count++] =
		(struct change_time){ overlay, copy, status.st_mtim, { .tv_nsec = UTIME_OMIT } };
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct change_time *one = a, *other = b;
	return one->overlay != other->overlay ? (one->overlay < other->overlay ? -1 : 1)
					      : strcmp(one->path, other->path);
}

/* Those that are not in the list have their time back where nothing comes of it. */
static int add_parents(struct changes *changes)
{
	int error = 0;
	size_t known = changes->time_count;
	if (known)
		qsort(changes->times, known, sizeof(*changes->times), by_place);
	for (size_t i = 0; error == 0 && i < changes->size; i++) {
		const struct change *change = &changes->list[i];
		if (change->work == WORK_ATTRIBUTES)
			continue;
		char *path = strdup(change->path);
		if (!path)
			return -ENOMEM;
		char *slash = strrchr(path, '/');
		path[slash ? slash - path : 0] = '\0';
		const struct change_time key = { .overlay = change->overlay, .path = path };
		const struct change_time *last = changes->time_count > known
							 ? &changes->times[changes->time_count - 1]
							 : NULL;
		if (!(known && bsearch(&key, changes->times, known, sizeof(key), by_place)) &&
		    !(last && by_place(last, &key) == 0))
			error = add_time(changes, change->overlay, path);
		free(path);
	}
	return error;
}

static int write_file(struct apply_journal *journal, const struct changes *changes)
{
	struct header header;
	memset(&header, 0, sizeof(header));
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	header.state = journal->state;
	memcpy(header.id, journal->id, sizeof(header.id));
	header.changes = changes->size;
	header.times = changes->time_count;
	journal->fd = openat(journal->base, NEW_NAME,
			     O_CREAT | O_TRUNC | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	int copy = journal->fd < 0 ? -1 : fcntl(journal->fd, F_DUPFD_CLOEXEC, 0);
	FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
	if (!to) {
		int error = -errno;
		if (copy >= 0)
			close(copy);
		return error;
	}
	(void)fwrite(&header, sizeof(header), 1, to);
	write_rows(to, changes);
	int error = fflush(to) != 0 || ferror(to) ? -errno : 0;
	if (fclose(to) != 0 && error == 0)
		error = -errno;
	return error;
}

int apply_journal_create(struct apply_journal *journal, int base, struct changes *changes)
{
	*journal = (struct apply_journal){ .base = base, .fd = -1, .state = APPLY_STAGING };
	int error = make_id(journal->id);
	if (error == 0)
		error = add_parents(changes);
	if (error == 0)
		error = write_file(journal, changes);
	if (error == 0 && renameat(base, NEW_NAME, base, NAME) < 0)
		error = -errno;
	if (error < 0) {
		(void)unlinkat(base, NEW_NAME, 0);
		apply_journal_close(journal);
	}
	return error;
}

int apply_journal_advance(struct apply_journal *journal, enum apply_state state)
{
	char byte = (char)state;
	if (pwrite(journal->fd, &byte, 1, offsetof(struct header, state)) != 1)
		return -errno;
	journal->state = byte;
	return 0;
}

int apply_journal_remove(struct apply_journal *journal)
{
	return unlinkat(journal->base, NAME, 0) < 0 ? -errno : 0;
}

void apply_journal_close(struct apply_journal *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = -1;
}

/* Reading */

static char *read_path(FILE *from, uint64_t length)
{
	char *path = length < PATH_LONGEST ? malloc(length + 1) : NULL;
	if (path && fread(path, 1, length, from) != length) {
		free(path);
		return NULL;
	}
	if (path)
		path[length] = '\0';
	return path;
}

static int read_changes(FILE *from, const struct header *header, struct changes *changes)
{
	for (uint64_t i = 0; i < header->changes + header->times; i++) {
		struct row row;
		if (fread(&row, sizeof(row), 1, from) != 1 || row.overlay >= changes->count ||
		    row.work > WORK_REMOVE)
			return -EUCLEAN;
		bool is_change = i < header->changes;
		void *list = is_change ? realloc(changes->list, (i + 1) * sizeof(*changes->list))
				       : realloc(changes->times, (changes->time_count + 1) *
									 sizeof(*changes->times));
		char *path = list ? read_path(from, row.length) : NULL;
		if (list && is_change)
			changes->list = list;
		else if (list)
			changes->times = list;
		if (!path)
			return list ? -EUCLEAN : -ENOMEM;
		if (is_change)
			changes->list[changes->size++] =
				(struct change){ (char)row.kind, (enum change_work)row.work,
						 row.overlay,    path,
						 row.inode,      row.mode };
		else
			changes->times[changes->time_count++] =
				(struct change_time){ row.overlay, path, row.before, row.after };
	}
	return 0;
}

static bool is_sound(const struct header *header)
{
	return memcmp(header->magic, MAGIC, sizeof(header->magic)) == 0 &&
	       strspn(header->id, "0123456789abcdef") >= APPLY_ID &&
	       memchr("SCUR", header->state, 4) && header->changes < UINT32_MAX &&
	       header->times < UINT32_MAX;
}

int apply_journal_open(struct apply_journal *journal, int base, struct changes *changes)
{
	struct header header;
	*journal = (struct apply_journal){ .base = base, .fd = -1 };
	journal->fd = openat(base, NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int copy = journal->fd < 0 ? -1 : fcntl(journal->fd, F_DUPFD_CLOEXEC, 0);
	FILE *from = copy < 0 ? NULL : fdopen(copy, "r");
	if (!from) {
		int error = -errno;
		if (copy >= 0)
			close(copy);
		return error;
	}
	int error =
		fread(&header, sizeof(header), 1, from) == 1 && is_sound(&header) ? 0 : -EUCLEAN;
	if (error == 0) {
		journal->state = header.state;
		memcpy(journal->id, header.id, APPLY_ID);
		error = read_changes(from, &header, changes);
	}
	(void)fclose(from);
	return error;
}

/* What is apply's own */

struct own {
	uint32_t overlay, length;
	struct timespec changed;
};

void apply_journal_own(const struct changes *changes, const struct apply_journal *journal)
{
	int fd = openat(journal->base, OWN_NAME,
			O_CREAT | O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *to = fd < 0 ? NULL : fdopen(fd, "a");
	for (size_t i = 0; to && i < changes->time_count; i++) {
		const struct change_time *time = &changes->times[i];
		struct stat status;
		struct own own;
		int host =
			changes_open_below(changes->layers[time->overlay].host, time->path, O_PATH);
		if (host < 0)
			continue;
		memset(&own, 0, sizeof(own));
		own.overlay = time->overlay;
		own.length = (uint32_t)strlen(time->path);
		if (fstat(host, &status) == 0) {
			own.changed = status.st_ctim;
			(void)fwrite(&own, sizeof(own), 1, to);
			(void)fwrite(time->path, 1, own.length, to);
		}
		close(host);
	}
	if (to)
		(void)fclose(to);
	else if (fd >= 0)
		close(fd);
}

bool apply_journal_is_own(const struct changes *changes, unsigned overlay, const char *path,
			  const struct timespec *changed)
{
	const int *base = changes->data;
	struct own own;
	bool found = false;
	int fd = openat(*base, OWN_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *from = fd < 0 ? NULL : fdopen(fd, "r");
	while (from && !found && fread(&own, sizeof(own), 1, from) == 1) {
		char *of = read_path(from, own.length);
		if (!of)
			break;
		found = own.overlay == overlay && strcmp(of, path) == 0 &&
			own.changed.tv_sec == changed->tv_sec &&
			own.changed.tv_nsec == changed->tv_nsec;
		free(of);
	}
	if (from)
		(void)fclose(from);
	else if (fd >= 0)
		close(fd);
	return found;
}
