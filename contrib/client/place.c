/* SPDX-License-Identifier: MIT */
#include "place.h"

#include "report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static int set(struct place *place, const char *directory, const char *name)
{
	int size = snprintf(place->path, sizeof(place->path), "%s%s", directory, name);
	return size < 0 || (size_t)size >= sizeof(place->path) ? -ENAMETOOLONG : 0;
}

int place_check(const struct place *place)
{
	/* A file of the root's that no ordinary directory of this name would have. */
	char path[PATH_MAX + sizeof("/defaults")];
	struct statfs about;
	snprintf(path, sizeof(path), "%s/defaults", place->path);
	/* Of a dead server the kernel may know the name still. */
	return access(path, F_OK) < 0 || statfs(place->path, &about) < 0 ? -errno : 0;
}

/* One is mounted there, if only a dead one. */
static bool has_one(struct place *place, const char *runtime)
{
	int error = set(place, runtime, "/mimobox");
	if (error == 0)
		error = place_check(place);
	return error == 0 || error == -ENOTCONN;
}

/* Where nothing has set XDG_RUNTIME_DIR, as cron does not: what pam_systemd(8) would set. */
static bool is_own(const char *runtime)
{
	struct stat about;
	return lstat(runtime, &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid();
}

int place_find(struct place *place, const char *given)
{
	const char *named = given ? given : getenv("MIMOBOX");
	if (named && *named)
		return set(place, named, "");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char usual[64];
	snprintf(usual, sizeof(usual), "/run/user/%u", (unsigned)geteuid());
	if (runtime && *runtime ? has_one(place, runtime) : is_own(usual) && has_one(place, usual))
		return 0;
	return set(place, "/run/mimobox", "");
}

int place_open(struct place *place, const char *given)
{
	int error = place_find(place, given);
	if (error == 0)
		error = place_check(place);
	if (error == -ENOENT || error == -ENOTDIR)
		return report(STATUS_CLIENT,
			      "nothing is mounted at %s; mount it with: mimoboxfs %s", place->path,
			      place->path);
	if (error == -ENOTCONN || error == -ECONNABORTED)
		return report(STATUS_CLIENT,
			      "the mimoboxfs at %s has died; mount it again with: mimoboxfs %s",
			      place->path, place->path);
	if (error < 0)
		return report(STATUS_CLIENT, "%s: %s", place->path, strerror(-error));
	return 0;
}
