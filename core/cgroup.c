/* SPDX-License-Identifier: MIT */
#include "cgroup_backend.h"

#include "keep.h"
#include "mountinfo.h"
#include "units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 1000 };

/* The bases' descriptors have a number of their own. */
#define KEPT_BASES (UINT64_MAX - 1)

static void id_name(uint64_t id, char name[32])
{
	snprintf(name, 32, "%" PRIu64, id);
}

int cgroup_note(struct cgroups *cgroups, int error)
{
	static const int shortages[] = { ENOMEM, EMFILE, ENFILE, EAGAIN, ENOSPC };
	for (size_t i = 0; i < sizeof(shortages) / sizeof(shortages[0]); i++)
		if (error == -shortages[i])
			cgroups->error = error;
	return error;
}

/* Finding */

/* As getline(3), for which an error is the end. */
static bool next_line(struct cgroups *cgroups, char **line, size_t *room, FILE *file)
{
	errno = 0;
	if (!file)
		return false;
	if (getline(line, room, file) > 0)
		return true;
	cgroup_note(cgroups, -errno);
	return false;
}

static FILE *open_proc(struct cgroups *cgroups, const char *path)
{
	FILE *file = fopen(path, "re");
	if (!file)
		cgroup_note(cgroups, -errno);
	return file;
}

/* `list` with a comma or an end on both sides: mount options have other things among them. */
static bool is_among(const char *options, const char *list)
{
	const char *at = strstr(options, list);
	size_t length = strlen(list);
	return at && (at == options || at[-1] == ',') &&
	       (at[length] == '\0' || at[length] == ',' || at[length] == '\n');
}

/*
 * Finds the hierarchy in /proc/self/cgroup that was mounted with `options`, NULL for v2: its
 * controllers as they are named there, and the path of this process in it.
 */
static bool find_own(struct cgroups *cgroups, const char *options, char *controllers,
		     size_t controllers_size, char *path, size_t path_size)
{
	FILE *file = open_proc(cgroups, "/proc/self/cgroup");
	char *line = NULL;
	size_t room = 0;
	bool found = false;
	while (!found && next_line(cgroups, &line, &room, file)) {
		char *list = strchr(line, ':');
		char *place = list ? strchr(++list, ':') : NULL;
		if (!place)
			continue;
		*place++ = '\0';
		place[strcspn(place, "\n")] = '\0';
		found = options ? *list && is_among(options, list) : !*list;
		if (found) {
			snprintf(controllers, controllers_size, "%s", list);
			found = snprintf(path, path_size, "%s", place) < (int)path_size;
		}
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

struct finding {
	struct cgroups *cgroups;
	struct cgroup_hierarchy *found;
	size_t count;
};

static bool take_mount(struct cgroups *cgroups, const struct mountinfo *mount,
		       struct cgroup_hierarchy *hierarchy)
{
	char path[2048];
	bool v2 = strcmp(mount->type, "cgroup2") == 0;
	if ((!v2 && strcmp(mount->type, "cgroup") != 0) || mount->root_cut ||
	    strlen(mount->place) >= sizeof(hierarchy->mount))
		return false;
	if (!find_own(cgroups, v2 ? NULL : mount->options, hierarchy->controllers,
		      sizeof(hierarchy->controllers), path, sizeof(path)))
		return false;
	/* It is mounted for another cgroup namespace, and its groups are not of this one. */
	if (strncmp(mount->root, "/..", 3) == 0)
		return false;
	strcpy(hierarchy->mount, mount->place);
	/* A container may have but a part of the hierarchy mounted. */
	const char *below = path;
	size_t length = strlen(mount->root);
	if (length > 1 && strncmp(path, mount->root, length) == 0 &&
	    (path[length] == '/' || path[length] == '\0'))
		below = path + length;
	if (strcmp(below, "/") == 0)
		below = "";
	int size =
		snprintf(hierarchy->own, sizeof(hierarchy->own), "%s%s", hierarchy->mount, below);
	return size > 0 && (size_t)size < sizeof(hierarchy->own);
}

static int visit_mount(const struct mountinfo *mount, void *data)
{
	struct finding *finding = data;
	finding->count += take_mount(finding->cgroups, mount, &finding->found[finding->count]);
	return finding->count == CGROUP_HIERARCHIES_MAX;
}

size_t cgroup_find_hierarchies(struct cgroups *cgroups, struct cgroup_hierarchy *found)
{
	struct finding finding = { cgroups, found, 0 };
	int error = mountinfo_read_own(visit_mount, &finding);
	if (error < 0)
		cgroup_note(cgroups, error);
	return finding.count;
}

const struct cgroup_hierarchy *cgroup_find_v2(const struct cgroup_hierarchy *found, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (found[i].controllers[0] == '\0')
			return &found[i];
	return NULL;
}

/* Bases */

static void remove_tree(int above, const char *name)
{
	int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	while (directory && (entry = readdir(directory)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			remove_tree(fd, entry->d_name);
	if (directory)
		closedir(directory);
	else if (fd >= 0)
		close(fd);
	unlinkat(above, name, AT_REMOVEDIR);
}

/*
 * A daemon holds a lock on each of its bases, which the kernel keeps until the last process of the
 * daemon has ended. A PID alone does not tell: another PID namespace may share the hierarchy.
 */
static int open_base(int above, const char *name)
{
	int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

/* A daemon that was killed could not remove its groups; its sandboxes died with it. */
static void sweep(int above)
{
	int fd = openat(above, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	while (directory && (entry = readdir(directory))) {
		int pid, length = 0;
		if (sscanf(entry->d_name, "mimobox-%d%n", &pid, &length) != 1 || pid <= 0 ||
		    (entry->d_name[length] && entry->d_name[length] != '.') || kill(pid, 0) == 0 ||
		    errno != ESRCH)
			continue;
		int base = open_base(above, entry->d_name);
		if (base < 0)
			continue;
		remove_tree(above, entry->d_name);
		close(base);
	}
	if (directory)
		closedir(directory);
	else if (fd >= 0)
		close(fd);
}

static bool has_bases(const struct cgroups *cgroups)
{
	for (int i = 0; i < CGROUP_BASES; i++)
		if (cgroups->bases[i].fd >= 0)
			return true;
	return false;
}

/* Another daemon may have swept it before it was locked: -EAGAIN. */
static int find_base(int above, const char *name, int fd)
{
	struct stat locked, there;
	if (fstat(fd, &locked) < 0)
		return -errno;
	if (fstatat(above, name, &there, 0) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	return locked.st_ino == there.st_ino ? 0 : -EAGAIN;
}

/* 0 with the base, locked; -EAGAIN: another daemon's has the name. */
static int make_base(int above, const char *name, int *out)
{
	bool made = mkdirat(above, name, 0755) == 0;
	if (!made && errno != EEXIST)
		return errno == EAGAIN ? -EMLINK : -errno; /* there may be no more groups */
	int fd = open_base(above, name);
	int error = fd < 0 ? fd : find_base(above, name, fd);
	if (error == 0) {
		*out = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	if (made && error != -EAGAIN)
		unlinkat(above, name, AT_REMOVEDIR);
	return error;
}

int cgroup_base_make_at(struct cgroups *cgroups, int index, int above)
{
	int fd = -1, parent = fcntl(above, F_DUPFD_CLOEXEC, 0);
	if (parent < 0)
		return cgroup_note(cgroups, -errno);
	sweep(parent);
	int error = make_base(parent, cgroups->name, &fd);
	for (int i = 1; error == -EAGAIN && i < NAMES_MAX && !has_bases(cgroups); i++) {
		snprintf(cgroups->name, sizeof(cgroups->name), "mimobox-%d.%d", (int)cgroups->owner,
			 i);
		error = make_base(parent, cgroups->name, &fd);
	}
	if (error < 0) {
		close(parent);
		return cgroup_note(cgroups, error);
	}
	cgroups->bases[index] = (struct cgroup_base){ .fd = fd, .parent = parent };
	return 0;
}

int cgroup_base_make(struct cgroups *cgroups, int index, const char *above)
{
	int fd = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cgroup_note(cgroups, -errno);
	int error = cgroup_base_make_at(cgroups, index, fd);
	close(fd);
	return error;
}

void cgroup_base_remove(struct cgroups *cgroups, int index)
{
	struct cgroup_base *base = &cgroups->bases[index];
	if (base->fd < 0)
		return;
	/* The lock goes last: another daemon could take the name between. */
	remove_tree(base->parent, cgroups->name);
	close(base->fd);
	cgroup_v2_give_back(cgroups, base->parent);
	close(base->parent);
	*base = (struct cgroup_base){ .fd = -1, .parent = -1 };
}

static int detect(struct cgroups *cgroups)
{
	struct cgroup_hierarchy *found = calloc(CGROUP_HIERARCHIES_MAX, sizeof(*found));
	if (!found)
		return -ENOMEM;
	size_t count = cgroup_find_hierarchies(cgroups, found);
	if (!cgroup_v2_detect(cgroups, found, count))
		cgroup_v1_detect(cgroups, found, count);
	free(found);
	return cgroups->error;
}

/* What was found once is not looked for again: the answer could be another. */
static int keep_found(const struct cgroups *cgroups)
{
	struct cgroups_kept kept = { .can = cgroups->can,
				     .emptied = cgroups->emptied,
				     .version = !cgroups->backend                ? 0
						: cgroups->backend == &cgroup_v1 ? 1
										 : 2 };
	memcpy(kept.name, cgroups->name, sizeof(kept.name));
	int error = 0;
	keep_put(cgroups->keep, KEEP_CGROUPS, 0, 0, &kept, sizeof(kept));
	for (uint32_t i = 0; error == 0 && i < CGROUP_BASES; i++)
		error = keep_store(
			cgroups->keep, KEPT_BASES, (const uint32_t[]){ 2 * i, 2 * i + 1 },
			(const int[]){ cgroups->bases[i].fd, cgroups->bases[i].parent }, 2);
	return error;
}

static int take_found(struct cgroups *cgroups)
{
	const struct cgroups_kept *kept = keep_get(cgroups->keep, KEEP_CGROUPS, 0, 0, NULL);
	if (!kept)
		return -ENOENT;
	cgroups->can = kept->can;
	cgroups->emptied = kept->emptied;
	memcpy(cgroups->name, kept->name, sizeof(cgroups->name));
	cgroups->backend = kept->version == 1 ? &cgroup_v1 : kept->version == 2 ? &cgroup_v2 : NULL;
	for (uint32_t i = 0; i < CGROUP_BASES; i++)
		cgroups->bases[i] =
			(struct cgroup_base){ .fd = keep_take(cgroups->keep, KEPT_BASES, 2 * i),
					      .parent = keep_take(cgroups->keep, KEPT_BASES,
								  2 * i + 1) };
	return 0;
}

int cgroups_create(struct keep *keep, struct cgroups **out)
{
	struct cgroups *cgroups = calloc(1, sizeof(*cgroups));
	if (!cgroups)
		return -ENOMEM;
	for (int i = 0; i < CGROUP_BASES; i++)
		cgroups->bases[i] = (struct cgroup_base){ .fd = -1, .parent = -1 };
	cgroups->keep = keep;
	cgroups->owner = keep_owner(keep);
	snprintf(cgroups->name, sizeof(cgroups->name), "mimobox-%d", (int)cgroups->owner);
	int error = keep_again(keep) ? take_found(cgroups) : detect(cgroups);
	if (error == 0 && !keep_again(keep))
		error = keep_found(cgroups);
	if (error < 0)
		cgroups_destroy(cgroups);
	else
		*out = cgroups;
	return error;
}

void cgroups_remove(struct cgroups *cgroups)
{
	for (int i = 0; i < CGROUP_BASES; i++)
		cgroup_base_remove(cgroups, i);
}

void cgroups_destroy(struct cgroups *cgroups)
{
	if (!cgroups)
		return;
	cgroups_remove(cgroups);
	free(cgroups);
}

unsigned cgroups_can(const struct cgroups *cgroups)
{
	return cgroups->can;
}

unsigned cgroups_descriptors(const struct cgroups *cgroups, int *out)
{
	unsigned count = 0;
	for (int i = 0; i < CGROUP_BASES; i++) {
		if (cgroups->bases[i].fd < 0)
			continue;
		out[count++] = cgroups->bases[i].fd;
		out[count++] = cgroups->bases[i].parent;
	}
	return count;
}

/* Files */

static int open_file(struct cgroups *cgroups, int index, const char *id, const char *file,
		     int flags)
{
	char path[NAME_MAX + 64];
	if (cgroups->bases[index].fd < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s", id, file);
	int fd = openat(cgroups->bases[index].fd, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cgroup_write(struct cgroups *cgroups, int index, const char *id, const char *file,
		 const char *value)
{
	int fd = open_file(cgroups, index, id, file, O_WRONLY);
	if (fd < 0)
		return fd;
	int error = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return error;
}

uint64_t cgroup_read(struct cgroups *cgroups, int index, const char *id, const char *file,
		     const char *key)
{
	char text[4096];
	int fd = open_file(cgroups, index, id, file, O_RDONLY);
	if (fd < 0)
		return UINT64_MAX;
	ssize_t size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0)
		return UINT64_MAX;
	text[size] = '\0';
	uint64_t number;
	size_t length = key ? strlen(key) : 0;
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (key && (strncmp(line, key, length) != 0 || line[length] != ' '))
			continue;
		return sscanf(line + length, "%" SCNu64, &number) == 1 ? number : UINT64_MAX;
	}
	return UINT64_MAX;
}

/* A session's group: a directory of the same name in every base. */

static int make_directories(struct cgroups *cgroups, const char *id)
{
	for (int i = 0; i < CGROUP_BASES; i++) {
		if (cgroups->bases[i].fd < 0)
			continue;
		if (mkdirat(cgroups->bases[i].fd, id, 0755) < 0)
			return -errno;
	}
	return 0;
}

int cgroup_create(struct cgroups *cgroups, uint64_t id)
{
	char name[32];
	if (!cgroups->backend)
		return 0;
	id_name(id, name);
	int error = make_directories(cgroups, name);
	if (error < 0)
		cgroup_destroy(cgroups, id);
	else
		cgroup_favour(cgroups, id, false);
	return error;
}

void cgroup_favour(struct cgroups *cgroups, uint64_t id, bool on)
{
	char name[32];
	id_name(id, name);
	if (cgroups->can & CGROUP_CPU)
		cgroup_write(cgroups, cgroups->backend->cpu, name, "cpu.idle", on ? "0" : "1");
}

uint64_t cgroup_cpu_time(struct cgroups *cgroups, uint64_t id)
{
	char name[32];
	id_name(id, name);
	return cgroups->backend ? cgroups->backend->cpu_time(cgroups, name) : UINT64_MAX;
}

const struct cgroup_limits cgroup_unlimited = { UNITS_NONE, UNITS_NONE, UNITS_NONE };

int cgroup_limit(struct cgroups *cgroups, uint64_t id, const struct cgroup_limits *from,
		 const struct cgroup_limits *to, const char **what)
{
	char name[32];
	if (!cgroups->backend)
		return 0;
	id_name(id, name);
	return cgroups->backend->limit(cgroups, name, from, to, what);
}

static int open_directory(struct cgroups *cgroups, int index, const char *id)
{
	int fd = openat(cgroups->bases[index].fd, id, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cgroup_entry_open(struct cgroups *cgroups, uint64_t id, struct cgroup_entry *entry)
{
	char name[32];
	*entry = (struct cgroup_entry){ .directory = -1 };
	id_name(id, name);
	for (int i = 0; cgroups->backend && i < CGROUP_BASES; i++) {
		if (cgroups->bases[i].fd < 0)
			continue;
		bool unified = i == cgroups->backend->unified;
		int fd = unified ? open_directory(cgroups, i, name)
				 : open_file(cgroups, i, name, "tasks", O_WRONLY);
		if (fd < 0) {
			cgroup_entry_close(entry);
			return fd;
		}
		*(unified ? &entry->directory : &entry->tasks[entry->count++]) = fd;
	}
	return 0;
}

void cgroup_entry_close(const struct cgroup_entry *entry)
{
	if (entry->directory >= 0)
		close(entry->directory);
	for (unsigned i = 0; i < entry->count; i++)
		close(entry->tasks[i]);
}

int cgroup_enter(const struct cgroup_entry *entry)
{
	for (unsigned i = 0; i < entry->count; i++)
		if (write(entry->tasks[i], "0", 1) < 0) /* the writer */
			return -errno;
	return 0;
}

void cgroup_kill(struct cgroups *cgroups, uint64_t id)
{
	char name[32];
	id_name(id, name);
	for (int i = 0; i < CGROUP_BASES; i++)
		if (cgroups->bases[i].fd >= 0)
			cgroup_write(cgroups, i, name, "cgroup.kill", "1");
}

void cgroup_usage(struct cgroups *cgroups, uint64_t id, struct cgroup_usage *usage)
{
	char name[32];
	*usage = (struct cgroup_usage){ UINT64_MAX, UINT64_MAX, UINT64_MAX,
					UINT64_MAX, UINT64_MAX, UINT64_MAX };
	id_name(id, name);
	if (cgroups->backend)
		cgroups->backend->usage(cgroups, name, usage);
}

int cgroup_destroy(struct cgroups *cgroups, uint64_t id)
{
	char name[32];
	int error = 0;
	id_name(id, name);
	for (int i = 0; i < CGROUP_BASES; i++)
		if (cgroups->bases[i].fd >= 0 &&
		    unlinkat(cgroups->bases[i].fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			error = -errno;
	return error;
}

static int clear_base(struct cgroups *cgroups, int index, bool (*wanted)(void *data, uint64_t id),
		      void *data)
{
	int error = 0,
	    fd = openat(cgroups->bases[index].fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	while (directory && (entry = readdir(directory))) {
		int length = 0;
		uint64_t id;
		if (sscanf(entry->d_name, "%" SCNu64 "%n", &id, &length) != 1 ||
		    entry->d_name[length] || wanted(data, id))
			continue;
		cgroup_kill(cgroups, id);
		if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0)
			error = -EBUSY;
	}
	if (directory)
		closedir(directory);
	else if (fd >= 0)
		close(fd);
	return error;
}

int cgroups_clear(struct cgroups *cgroups, bool (*wanted)(void *data, uint64_t id), void *data)
{
	int error = 0;
	for (int i = 0; i < CGROUP_BASES; i++)
		if (cgroups->bases[i].fd >= 0 && clear_base(cgroups, i, wanted, data) < 0)
			error = -EBUSY;
	return error;
}
