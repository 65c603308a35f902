/* SPDX-License-Identifier: MIT */
/*
 * What a session wants of its sandbox, as data: complete before the sandbox is told of it.
 *
 * It travels as an image in a memory file (memfd_create(2)): one block in which every pointer is
 * counted from the block's beginning. The sandbox maps it for itself alone, and puts the pointers
 * right; so it allocates nothing, and no size is too large.
 */
#include "plan.h"

#include "environ.h"
#include "landlock_floor.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Making */

static char **command_vector(const struct config *config)
{
	/* After "--" no command is an option of the shell. */
	const char *const shell[] = { "/bin/sh", "-c", "--", config->command, NULL };
	const char *const *from = config->command ? shell : (const char *const *)config->argv;
	size_t count = 0;
	while (from[count])
		count++;
	char **vector = calloc(count + 1, sizeof(*vector));
	for (size_t i = 0; vector && i < count; i++) {
		vector[i] = strdup(from[i]);
		if (!vector[i]) {
			environ_free_vector(vector);
			return NULL;
		}
	}
	return vector;
}

static const char *search_path(char **envp)
{
	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return "";
}

static size_t count_parts(const char *path)
{
	size_t count = 1;
	for (; *path; path++)
		count += *path == ':';
	return count;
}

/* As execvp(3) does, with the PATH of the sandbox; made here so that the child only tries. */
static char **command_paths(const char *command, char **envp)
{
	const char *path = strchr(command, '/') ? "" : search_path(envp);
	char **paths = calloc(count_parts(path) + 1, sizeof(*paths));
	if (!paths)
		return NULL;
	for (size_t i = 0;; i++) {
		int length = (int)strcspn(path, ":");
		if (asprintf(&paths[i], "%.*s%s%s", length, path, length ? "/" : "", command) < 0) {
			paths[i] = NULL;
			environ_free_vector(paths);
			return NULL;
		}
		if (path[length] == '\0')
			return paths;
		path += length + 1;
	}
}

/* A directory's place comes before those below it, whatever the order of the config's lines. */
static int by_depth(const void *a, const void *b)
{
	const struct sandbox_path *one = a, *other = b;
	int order = strcmp(one->inside, other->inside);
	size_t length = strlen(one->inside), others = strlen(other->inside);
	return length != others ? (length < others ? -1 : 1) : order;
}

static int plan_paths(struct plan *plan, const struct access *access,
		      const struct sandbox_path *extra, unsigned extra_count)
{
	plan->paths = calloc(access->path_count + extra_count + 1, sizeof(*plan->paths));
	if (!plan->paths)
		return -ENOMEM;
	plan->own_paths = extra_count;
	unsigned overlays = 0;
	for (unsigned i = 0; i < extra_count; i++)
		plan->paths[plan->path_count++] = extra[i];
	for (size_t i = 0; i < access->path_count; i++)
		plan->paths[plan->path_count++] = (struct sandbox_path){
			.outside = access->paths[i].outside,
			.inside = access->paths[i].inside,
			.kind = access->paths[i].kind,
			.number = access->paths[i].kind == PATH_OVERLAY ? overlays++ : 0,
		};
	qsort(plan->paths + extra_count, access->path_count, sizeof(*plan->paths), by_depth);
	return 0;
}

static const enum landlock_class classes[] = {
	[PATH_RO] = LANDLOCK_READ_EXEC,
	[PATH_OVERLAY] = LANDLOCK_FULL,
	[PATH_RW] = LANDLOCK_FULL,
	[PATH_DEVICE] = LANDLOCK_TERMINAL, /* with its ioctl */
};

static int plan_landlock(struct plan *plan, const struct access *access,
			 const struct root_layout *layout)
{
	plan->rules = calloc(ROOT_RULES_MAX + plan->path_count, sizeof(*plan->rules));
	if (!plan->rules)
		return -ENOMEM;
	bool own_root = access_count(access, PATH_ROOT) > 0;
	unsigned count = root_rules(own_root ? NULL : layout, plan->rules);
	if (!own_root && access_has_relay(access) &&
	    root_resolver_rule(layout, &plan->rules[count]))
		count++;
	for (unsigned i = 0; i < plan->path_count; i++)
		if (plan->paths[i].kind != PATH_ROOT)
			plan->rules[count++] =
				(struct landlock_rule){ plan->paths[i].inside,
							classes[plan->paths[i].kind] };
	plan->landlock = (struct landlock_policy){
		.floor = landlock_floor(access),
		.rules = plan->rules,
		.rule_count = count,
		.net = access->network == NETWORK_TCP,
		.connect_ports = access->ports,
		.port_count = access->network == NETWORK_TCP ? (unsigned)access->port_count : 0,
	};
	return 0;
}

/* Names have addresses of a range that is there already. */
static int plan_routes(struct plan *plan, const struct names *names)
{
	plan->routes = calloc(names->count + 1, sizeof(*plan->routes));
	if (!plan->routes)
		return -ENOMEM;
	for (size_t i = 0; i < names->count; i++)
		if (names->rules[i].kind == NAMES_ADDRESS && !names->rules[i].deny)
			plan->routes[plan->route_count++] = names->rules[i].address;
	return 0;
}

int plan_init(struct plan *plan, const struct config *config, const struct root_layout *layout,
	      const struct sandbox_path *extra, unsigned extra_count)
{
	*plan = (struct plan){
		.argv = command_vector(config),
		.envp = environ_vector(
			&config->environ,
			&(struct environ_places){ config->cwd, config_has_home(config) }),
		.cwd = strdup(config->cwd),
		.open_files = config->open_files,
		.file_size = config->file_size,
	};
	int error = plan_paths(plan, &config->access, extra, extra_count);
	if (error == 0 && config->access.network == NETWORK_NAMES)
		error = plan_routes(plan, &config->access.names);
	if (error == 0 && layout)
		error = plan_landlock(plan, &config->access, layout);
	if (plan->argv && plan->envp)
		plan->candidates = command_paths(plan->argv[0], plan->envp);
	if (error == 0 && plan->candidates && plan->cwd)
		return 0;
	plan_finish(plan);
	return -ENOMEM;
}

void plan_finish(struct plan *plan)
{
	char **const vectors[] = { plan->candidates, plan->argv, plan->envp };
	for (size_t i = 0; i < 3; i++)
		if (vectors[i])
			environ_free_vector(vectors[i]);
	free(plan->cwd);
	free(plan->paths);
	free(plan->rules);
	free(plan->routes);
	*plan = (struct plan){ 0 };
}

/* Packing */

enum { ALIGNMENT = 8 };

struct image {
	char *data;
	size_t size, room;
	bool failed;
};

/* Where it is from the beginning; whatever is first is never pointed to, so 0 is NULL. */
static void *put(struct image *image, const void *data, size_t size)
{
	size_t at = (image->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	size_t end = at + size;
	while (!image->failed && end > image->room) {
		size_t room = image->room ? 2 * image->room : 16384;
		char *grown = realloc(image->data, room);
		image->failed = !grown;
		if (grown) {
			image->data = grown;
			image->room = room;
		}
	}
	if (image->failed)
		return NULL;
	memset(image->data + image->size, 0, at - image->size);
	if (size)
		memcpy(image->data + at, data, size);
	image->size = end;
	return (void *)(uintptr_t)at;
}

static char *put_string(struct image *image, const char *text)
{
	return put(image, text, strlen(text) + 1);
}

static char **put_vector(struct image *image, char *const *vector)
{
	size_t count = 0;
	while (vector[count])
		count++;
	char **moved = calloc(count + 1, sizeof(*moved));
	image->failed |= !moved;
	for (size_t i = 0; moved && i < count; i++)
		moved[i] = put_string(image, vector[i]);
	char **at = moved ? put(image, moved, (count + 1) * sizeof(*moved)) : NULL;
	free(moved);
	return at;
}

static struct sandbox_path *put_paths(struct image *image, const struct plan *plan)
{
	struct sandbox_path *moved = calloc(plan->path_count + 1, sizeof(*moved));
	image->failed |= !moved;
	for (unsigned i = 0; moved && i < plan->path_count; i++) {
		moved[i] = plan->paths[i];
		moved[i].outside = put_string(image, plan->paths[i].outside);
		moved[i].inside = put_string(image, plan->paths[i].inside);
	}
	struct sandbox_path *at =
		moved ? put(image, moved, (plan->path_count + 1) * sizeof(*moved)) : NULL;
	free(moved);
	return at;
}

static struct path_bound *put_bounds(struct image *image, const struct plan *plan)
{
	struct path_bound *moved = calloc(plan->bound_count + 1, sizeof(*moved));
	image->failed |= !moved;
	for (unsigned i = 0; moved && i < plan->bound_count; i++) {
		moved[i] = plan->bounds[i];
		if (moved[i].path)
			moved[i].path = put_string(image, moved[i].path);
	}
	struct path_bound *at =
		moved ? put(image, moved, plan->bound_count * sizeof(*moved)) : NULL;
	free(moved);
	return at;
}

static struct landlock_rule *put_rules(struct image *image, const struct landlock_policy *policy)
{
	struct landlock_rule *moved = calloc(policy->rule_count + 1, sizeof(*moved));
	image->failed |= !moved;
	for (unsigned i = 0; moved && i < policy->rule_count; i++) {
		moved[i] = policy->rules[i];
		moved[i].path = put_string(image, policy->rules[i].path);
	}
	struct landlock_rule *at =
		moved ? put(image, moved, (policy->rule_count + 1) * sizeof(*moved)) : NULL;
	free(moved);
	return at;
}

static void fill(struct image *image, const struct plan *plan)
{
	struct plan moved = *plan;
	put(image, plan, sizeof(*plan));
	moved.candidates = put_vector(image, plan->candidates);
	moved.argv = put_vector(image, plan->argv);
	moved.envp = put_vector(image, plan->envp);
	moved.cwd = put_string(image, plan->cwd);
	moved.changes = put_string(image, plan->changes ? plan->changes : "");
	moved.paths = put_paths(image, plan);
	moved.bounds = put_bounds(image, plan);
	moved.rules = put_rules(image, &plan->landlock);
	moved.landlock.connect_ports =
		put(image, plan->landlock.connect_ports,
		    plan->landlock.port_count * sizeof(*plan->landlock.connect_ports));
	moved.routes = put(image, plan->routes, plan->route_count * sizeof(*plan->routes));
	moved.filter.code =
		put(image, plan->filter.code, plan->filter.length * sizeof(*plan->filter.code));
	if (!image->failed)
		memcpy(image->data, &moved, sizeof(moved));
}

int plan_pack(const struct plan *plan)
{
	struct image image = { 0 };
	fill(&image, plan);
	int fd = image.failed ? -1 : memfd_create("mimobox-plan", MFD_CLOEXEC);
	int error = image.failed ? -ENOMEM : fd < 0 ? -errno : 0;
	if (error == 0) {
		ssize_t size = write(fd, image.data, image.size);
		error = size < 0 ? -errno : size == (ssize_t)image.size ? 0 : -ENOMEM;
	}
	free(image.data);
	if (error < 0 && fd >= 0)
		close(fd);
	return error < 0 ? error : fd;
}

/* Unpacking */

#define MOVE(pointer, base) ((pointer) = (void *)((base) + (uintptr_t)(pointer)))

/* Each path that was asked for has the bounds. */
static void move_bounds(struct plan *plan, char *base)
{
	struct path_bound *bounds = (void *)(base + (uintptr_t)plan->bounds);
	for (unsigned i = 0; i + 1 < plan->bound_count; i++)
		MOVE(bounds[i].path, base);
	plan->bounds = bounds;
	for (unsigned i = plan->own_paths; i < plan->path_count; i++)
		plan->paths[i].bounds = plan->bound_count ? bounds : NULL;
}

static void move_vector(char ***vector, char *base)
{
	MOVE(*vector, base);
	for (char **at = *vector; *at; at++)
		MOVE(*at, base);
}

struct plan *plan_map(int fd)
{
	struct stat status;
	if (fstat(fd, &status) < 0 || status.st_size < (off_t)sizeof(struct plan))
		return NULL;
	char *base = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (base == MAP_FAILED)
		return NULL;
	struct plan *plan = (struct plan *)(void *)base;
	move_vector(&plan->candidates, base);
	move_vector(&plan->argv, base);
	move_vector(&plan->envp, base);
	MOVE(plan->cwd, base);
	MOVE(plan->changes, base);
	MOVE(plan->paths, base);
	for (unsigned i = 0; i < plan->path_count; i++) {
		MOVE(plan->paths[i].outside, base);
		MOVE(plan->paths[i].inside, base);
	}
	move_bounds(plan, base);
	MOVE(plan->rules, base);
	for (unsigned i = 0; i < plan->landlock.rule_count; i++)
		MOVE(plan->rules[i].path, base);
	plan->landlock.rules = plan->rules;
	MOVE(plan->landlock.connect_ports, base);
	MOVE(plan->routes, base);
	MOVE(plan->filter.code, base);
	plan->image_size = (size_t)status.st_size;
	return plan;
}

void plan_unmap(struct plan *plan)
{
	munmap(plan, plan->image_size);
}
