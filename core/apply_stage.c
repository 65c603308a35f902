/* SPDX-License-Identifier: MIT */
#include "apply_stage.h"

#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file in both layers: by its directories, and by its paths, which differ while it is staged. */
struct pair {
	struct place upper, host;
	const char *path, *staged;
};

struct staging {
	struct changes *changes;
	unsigned overlay;
};

int apply_place_open(const struct changes *changes, unsigned overlay, const char *path,
		     const char *id, size_t index, struct apply_place *out)
{
	*out = (struct apply_place){ .directory = -1, .path = strdup(path) };
	if (!out->path)
		return -ENOMEM;
	char *slash = strrchr(out->path, '/');
	if (slash)
		*slash = '\0';
	out->name = slash ? slash + 1 : path;
	snprintf(out->staged, sizeof(out->staged), ".mimobox-%s-%zu", id, index);
	out->directory =
		changes_open_below(changes->layers[overlay].host, slash ? out->path : "", O_PATH);
	if (out->directory >= 0)
		return 0;
	int error = out->directory;
	free(out->path);
	return error;
}

void apply_place_close(struct apply_place *place)
{
	close(place->directory);
	free(place->path);
}

static char *join(const char *directory, const char *name)
{
	char *path;
	return asprintf(&path, "%s%s%s", directory, *directory ? "/" : "", name) < 0 ? NULL : path;
}

/* Another name of what is there already, if that is what it is in the upper layer. */
static int make_link(const struct staging *staging, const struct pair *pair, const char *link)
{
	char *path = strdup(link);
	if (!path)
		return -ENOMEM;
	char *slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	int directory = changes_open_below(staging->changes->layers[staging->overlay].host,
					   slash ? path : "", O_PATH);
	int error = directory;
	if (directory >= 0) {
		error = linkat(directory, slash ? slash + 1 : path, pair->host.directory,
			       pair->host.name, 0) < 0
				? -errno
				: 0;
		close(directory);
	}
	free(path);
	return error;
}

static int make_file(const struct staging *staging, const struct pair *pair,
		     const struct stat *status)
{
	const char *link =
		status->st_nlink > 1
			? changes_find_link(staging->changes, staging->overlay, status->st_ino)
			: NULL;
	if (link)
		return make_link(staging, pair, link);
	int error = copy_make(pair->upper, status, pair->host);
	if (error == 0 && status->st_nlink > 1)
		error = changes_add_link(staging->changes, staging->overlay, status->st_ino,
					 pair->staged);
	return error;
}

static int make_any(const struct staging *staging, const struct pair *pair);

static int make_entry(const struct staging *staging, const struct pair *directory,
		      struct place upper, int host)
{
	char *path = join(directory->path, upper.name);
	char *staged = path ? join(directory->staged, upper.name) : NULL;
	int error = staged ? 0 : -ENOMEM;
	if (error == 0 &&
	    changes_relation(staging->changes, staging->overlay, path) != RELATION_OUT) {
		const struct pair pair = { upper, { host, upper.name }, path, staged };
		error = make_any(staging, &pair);
	}
	free(path);
	free(staged);
	return error;
}

static int make_entries(const struct staging *staging, const struct pair *pair, int upper, int host)
{
	struct dirent *found;
	int error = 0, fd = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *all = fd < 0 ? NULL : fdopendir(fd);
	if (!all) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	while (error == 0 && (errno = 0, found = readdir(all)))
		if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
			error = make_entry(staging, pair, (struct place){ upper, found->d_name },
					   host);
	if (error == 0 && errno)
		error = -errno;
	closedir(all);
	return error;
}

static int make_directory(const struct staging *staging, const struct pair *pair,
			  const struct stat *status)
{
	const struct timespec times[] = { status->st_atim, status->st_mtim };
	if (mkdirat(pair->host.directory, pair->host.name, 0700) < 0)
		return -errno;
	int upper = changes_open_below(pair->upper.directory, pair->upper.name, O_RDONLY);
	int host = upper < 0 ? upper
			     : changes_open_below(pair->host.directory, pair->host.name, O_RDONLY);
	int error = host < 0 ? host : make_entries(staging, pair, upper, host);
	if (error == 0)
		error = copy_directory(upper, status, host);
	if (error == 0 && futimens(host, times) < 0)
		error = -errno;
	if (upper >= 0)
		close(upper);
	if (host >= 0)
		close(host);
	return error;
}

static int make_any(const struct staging *staging, const struct pair *pair)
{
	struct stat status;
	if (fstatat(pair->upper.directory, pair->upper.name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (changes_is_whiteout(status.st_mode, status.st_rdev))
		return 0; /* it hides nothing here */
	return S_ISDIR(status.st_mode) ? make_directory(staging, pair, &status)
				       : make_file(staging, pair, &status);
}

/* Its name there is that of the place. */
static int open_upper(const struct changes *changes, const struct change *change,
		      const struct apply_place *place)
{
	const char *parent = place->name == change->path ? "" : place->path;
	return changes_open_below(changes->layers[change->overlay].upper, parent, O_PATH);
}

int apply_stage(struct changes *changes, size_t index, const char *id)
{
	const struct change *change = &changes->list[index];
	struct apply_place place;
	if (change->work != WORK_PUT && change->work != WORK_TREE)
		return 0;
	int error = apply_place_open(changes, change->overlay, change->path, id, index, &place);
	if (error < 0)
		return error;
	const struct staging staging = { changes, change->overlay };
	int upper = open_upper(changes, change, &place);
	char *staged = join(place.name == change->path ? "" : place.path, place.staged);
	error = upper < 0 ? upper : staged ? 0 : -ENOMEM;
	if (error == 0) {
		const struct pair pair = { { upper, place.name },
					   { place.directory, place.staged },
					   change->path,
					   staged };
		error = make_any(&staging, &pair);
	}
	if (upper >= 0)
		close(upper);
	free(staged);
	apply_place_close(&place);
	return error;
}
