/* SPDX-License-Identifier: MIT */
#include "apply.h"

#include "apply_journal.h"
#include "apply_stage.h"
#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 20 };

/* For somebody who moves directories about to be done with that. */
static void wait_a_moment(void)
{
	const struct timespec moment = { .tv_nsec = 50000000 };
	clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
}

/* Clearing */

static int clear_below(int directory, const char *name)
{
	struct dirent *found;
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmodat(directory, name, 0700, 0) == 0)
		fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *all = fd < 0 ? NULL : fdopendir(fd);
	int error = all ? 0 : -errno;
	if (!all && fd >= 0)
		close(fd);
	while (error == 0 && (errno = 0, found = readdir(all)))
		if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
			error = apply_clear(fd, found->d_name);
	if (error == 0 && errno)
		error = -errno;
	if (all)
		closedir(all);
	return error;
}

int apply_clear(int directory, const char *name)
{
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	int error = clear_below(directory, name);
	if (error == -ENOTDIR)
		return -EPERM;
	return error == 0 && unlinkat(directory, name, AT_REMOVEDIR) < 0 ? -errno : error;
}

/* Steps */

static uint64_t inode_of(int directory, const char *name)
{
	struct stat status;
	return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : status.st_ino;
}

static int change_names(int directory, const char *from, const char *to, unsigned flags)
{
	if (renameat2(directory, from, directory, to, flags) == 0)
		return 0;
	if (errno == EINVAL) /* this filesystem cannot exchange names */
		return -EOPNOTSUPP;
	return errno == EEXIST || errno == ENOENT ? -ESTALE : -errno;
}

/* The place's inode must be the one that was compared; another has been put there meanwhile. */
static int commit_over(const struct change *change, const struct apply_place *place)
{
	if (inode_of(place->directory, place->staged) == change->old_inode)
		return 0; /* it was done */
	if (inode_of(place->directory, place->name) != change->old_inode)
		return -ESTALE;
	int error = change_names(place->directory, place->staged, place->name, RENAME_EXCHANGE);
	if (error < 0 || inode_of(place->directory, place->staged) == change->old_inode)
		return error;
	error = change_names(place->directory, place->staged, place->name, RENAME_EXCHANGE);
	return error < 0 ? error : -ESTALE;
}

static int commit_removal(const struct change *change, const struct apply_place *place)
{
	if (inode_of(place->directory, place->staged))
		return 0;
	if (inode_of(place->directory, place->name) != change->old_inode)
		return -ESTALE;
	return change_names(place->directory, place->name, place->staged, RENAME_NOREPLACE);
}

static int commit_attributes(const struct changes *changes, const struct change *change)
{
	const struct overlay_layers *layers = &changes->layers[change->overlay];
	struct stat status;
	int upper = changes_open_below(layers->upper, change->path, O_RDONLY);
	int host = upper < 0 ? upper : changes_open_below(layers->host, change->path, O_RDONLY);
	int error = host < 0 ? host : fstat(upper, &status) < 0 ? -errno : 0;
	bool whole = *change->path || layers->noted.same;
	if (error == 0 && whole)
		error = copy_directory(upper, &status, host);
	else if (error == 0 && fchmod(host, copy_mode(status.st_mode)) < 0)
		error = -errno;
	if (upper >= 0)
		close(upper);
	if (host >= 0)
		close(host);
	return error;
}

static int commit_one(struct changes *changes, size_t index, const char *id)
{
	const struct change *change = &changes->list[index];
	struct apply_place place;
	if (change->work == WORK_ATTRIBUTES)
		return commit_attributes(changes, change);
	int error = apply_place_open(changes, change->overlay, change->path, id, index, &place);
	if (error < 0)
		return error;
	if (change->work == WORK_REMOVE)
		error = commit_removal(change, &place);
	else if (change->old_inode)
		error = commit_over(change, &place);
	else if (inode_of(place.directory, place.staged))
		error = change_names(place.directory, place.staged, place.name, RENAME_NOREPLACE);
	apply_place_close(&place);
	return error;
}

static int undo_attributes(const struct changes *changes, const struct change *change)
{
	int host =
		changes_open_below(changes->layers[change->overlay].host, change->path, O_RDONLY);
	int error = host < 0 ? host : fchmod(host, change->old_mode & 07777) < 0 ? -errno : 0;
	if (host >= 0)
		close(host);
	return error;
}

static int undo_one(struct changes *changes, size_t index, const char *id)
{
	const struct change *change = &changes->list[index];
	struct apply_place place;
	if (change->work == WORK_ATTRIBUTES)
		return undo_attributes(changes, change);
	int error = apply_place_open(changes, change->overlay, change->path, id, index, &place);
	if (error < 0)
		return error;
	uint64_t staged = inode_of(place.directory, place.staged);
	if (change->work == WORK_REMOVE && staged)
		error = change_names(place.directory, place.staged, place.name, RENAME_NOREPLACE);
	else if (change->work != WORK_REMOVE && change->old_inode && staged == change->old_inode)
		error = change_names(place.directory, place.staged, place.name, RENAME_EXCHANGE);
	else if (change->work != WORK_REMOVE && !change->old_inode && !staged)
		error = change_names(place.directory, place.name, place.staged, RENAME_NOREPLACE);
	apply_place_close(&place);
	return error;
}

static int clear_one(struct changes *changes, size_t index, const char *id)
{
	const struct change *change = &changes->list[index];
	struct apply_place place;
	if (change->work == WORK_ATTRIBUTES)
		return 0;
	int error = apply_place_open(changes, change->overlay, change->path, id, index, &place);
	if (error < 0)
		return error;
	error = apply_clear(place.directory, place.staged);
	apply_place_close(&place);
	return error;
}

/* Below others first, so that a directory is there still when its time is set. */
static void set_times(struct changes *changes, bool applied)
{
	for (size_t i = changes->time_count; i-- > 0;) {
		const struct change_time *time = &changes->times[i];
		const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
						  applied ? time->after : time->before };
		int host = changes_open_below(changes->layers[time->overlay].host, time->path,
					      O_RDONLY);
		if (host < 0)
			continue; /* it was removed */
		(void)futimens(host, times);
		close(host);
	}
}

static int clear_all(struct changes *changes, const struct apply_journal *journal)
{
	int error = 0;
	for (size_t i = 0; i < changes->size; i++) {
		int result = clear_one(changes, i, journal->id);
		error = error < 0 && error != -ENOENT ? error : result < 0 ? result : error;
	}
	return error;
}

/* What is left by a name of ours is told, but the changes are made. */
static int clear(struct changes *changes, struct apply_journal *journal, bool applied)
{
	int error = clear_all(changes, journal);
	for (int tries = 0; error < 0 && tries < TRIES; tries++) {
		wait_a_moment();
		error = clear_all(changes, journal);
	}
	if (error == -ENOENT)
		error = 0; /* the directory has gone, with what was in it */
	set_times(changes, applied);
	if (applied)
		apply_journal_own(changes, journal);
	if (error == 0)
		error = apply_journal_remove(journal);
	return error;
}

/* Attributes last: they may take away what the rest needs. */
static int commit(struct changes *changes, const struct apply_journal *journal,
		  const struct change **failed)
{
	int error = 0;
	for (int attributes = 0; attributes < 2; attributes++)
		for (size_t i = 0; error == 0 && i < changes->size; i++)
			if ((changes->list[i].work == WORK_ATTRIBUTES) == attributes) {
				error = commit_one(changes, i, journal->id);
				*failed = &changes->list[i];
			}
	if (error == 0)
		*failed = NULL;
	return error;
}

/* All that can be taken back is; the first error. */
static int undo_all(struct changes *changes, const struct apply_journal *journal)
{
	int error = 0;
	for (int attributes = 1; attributes >= 0; attributes--)
		for (size_t i = changes->size; i-- > 0;)
			if ((changes->list[i].work == WORK_ATTRIBUTES) == attributes) {
				int result = undo_one(changes, i, journal->id);
				error = error < 0 ? error : result;
			}
	return error;
}

static int undo(struct changes *changes, const struct apply_journal *journal)
{
	int error = undo_all(changes, journal);
	for (int tries = 0; error < 0 && tries < TRIES; tries++) {
		wait_a_moment();
		error = undo_all(changes, journal);
	}
	return error;
}

/* From where the journal is. */
static int go_on(struct changes *changes, struct apply_journal *journal,
		 const struct change **failed)
{
	int error = 0;
	if (journal->state == APPLY_COMMITTING) {
		error = commit(changes, journal, failed);
		int noted =
			apply_journal_advance(journal, error == 0 ? APPLY_CLEARING : APPLY_UNDOING);
		if (noted < 0)
			return noted;
	}
	if (journal->state == APPLY_UNDOING) {
		int undone = undo(changes, journal);
		if (undone == 0)
			undone = apply_journal_advance(journal, APPLY_STAGING);
		if (undone < 0) {
			*failed = NULL;
			return -EINPROGRESS;
		}
	}
	bool applied = journal->state == APPLY_CLEARING;
	int cleared = clear(changes, journal, applied);
	return error < 0 ? error : cleared;
}

/* With what the journal holds in place of what is there. */
int apply_recover(struct changes *changes, int base)
{
	struct apply_journal journal;
	const struct change *failed;
	struct changes left = *changes;
	left.list = NULL;
	left.times = NULL;
	left.links = NULL;
	left.size = left.time_count = left.link_count = 0;
	int error = apply_journal_open(&journal, base, &left);
	if (error == 0)
		error = go_on(&left, &journal, &failed);
	apply_journal_close(&journal);
	changes_finish(&left);
	return error == -ENOENT ? 0 : error;
}

/* Only what has work to do stays in the list. */
static void drop_idle(struct changes *changes)
{
	size_t kept = 0;
	for (size_t i = 0; i < changes->size; i++)
		if (changes->list[i].work == WORK_NONE)
			free(changes->list[i].path);
		else
			changes->list[kept++] = changes->list[i];
	changes->size = kept;
}

int apply_run(struct changes *changes, int base, const struct change **failed)
{
	struct apply_journal journal;
	*failed = NULL;
	drop_idle(changes);
	int error = apply_journal_create(&journal, base, changes);
	for (size_t i = 0; error == 0 && i < changes->size; i++) {
		error = apply_stage(changes, i, journal.id);
		*failed = error < 0 ? &changes->list[i] : NULL;
	}
	if (error == 0) {
		error = apply_journal_advance(&journal, APPLY_COMMITTING);
		if (error == 0)
			error = go_on(changes, &journal, failed);
	} else if (journal.fd >= 0) {
		(void)clear(changes, &journal, false);
	}
	apply_journal_close(&journal);
	return error;
}
