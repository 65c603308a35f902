/* SPDX-License-Identifier: MIT */
/*
 * The image in which a plan goes to the sandbox: what is mapped there is what was packed here.
 *
 * The input: config text.
 */
#include "fuzz.h"

#include <errno.h>
#include <linux/filter.h>
#include <plan.h>
#include <unistd.h>

static void check_vectors(char *const *a, char *const *b)
{
	for (; *a && *b; a++, b++)
		CHECK(strcmp(*a, *b) == 0);
	CHECK(!*a && !*b);
}

static void check_paths(const struct plan *a, const struct plan *b)
{
	CHECK(a->path_count == b->path_count && a->own_paths == b->own_paths);
	for (unsigned i = 0; i < a->path_count; i++) {
		CHECK(strcmp(a->paths[i].outside, b->paths[i].outside) == 0);
		CHECK(strcmp(a->paths[i].inside, b->paths[i].inside) == 0);
		CHECK(a->paths[i].writable == b->paths[i].writable);
		bool bounded = i >= a->own_paths && a->bound_count;
		CHECK(b->paths[i].bounds == (bounded ? b->bounds : NULL));
	}
	CHECK(a->bound_count == b->bound_count);
	for (unsigned i = 0; i + 1 < a->bound_count; i++)
		CHECK(strcmp(a->bounds[i].path, b->bounds[i].path) == 0 &&
		      a->bounds[i].writable == b->bounds[i].writable);
	CHECK(a->bound_count == 0 || !b->bounds[a->bound_count - 1].path);
}

static void check_landlock(const struct landlock_policy *a, const struct landlock_policy *b)
{
	CHECK(a->abi == b->abi && a->floor == b->floor && a->net == b->net);
	CHECK(a->rule_count == b->rule_count && a->port_count == b->port_count);
	for (unsigned i = 0; i < a->rule_count; i++)
		CHECK(strcmp(a->rules[i].path, b->rules[i].path) == 0 &&
		      a->rules[i].access == b->rules[i].access);
	for (unsigned i = 0; i < a->port_count; i++)
		CHECK(a->connect_ports[i] == b->connect_ports[i]);
}

static void check_same(const struct plan *a, const struct plan *b)
{
	check_vectors(a->candidates, b->candidates);
	check_vectors(a->argv, b->argv);
	check_vectors(a->envp, b->envp);
	CHECK(strcmp(a->cwd, b->cwd) == 0);
	CHECK(a->rows == b->rows && a->cols == b->cols && a->owner_is_root == b->owner_is_root);
	CHECK(a->open_files == b->open_files && a->file_size == b->file_size);
	check_paths(a, b);
	check_landlock(&a->landlock, &b->landlock);
	CHECK(a->filter.length == b->filter.length);
	CHECK(memcmp(a->filter.code, b->filter.code, a->filter.length * sizeof(*a->filter.code)) ==
	      0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct root_layout layout = {
		.directories = { { "/usr", "" }, { "/bin", "usr/bin" } }, .count = 2
	};
	static const struct sandbox_path own = { .outside = "/srv/w", .inside = "/workspace" };
	static struct sock_filter code[] = { { 6, 0, 0, 0x7fff0000 }, { 6, 0, 0, 0 } };
	char writable[] = "/srv", readable[] = "/usr/share";
	const struct path_bound bounds[] = { { writable, true }, { readable, false }, { 0 } };
	struct config config;
	struct plan plan;
	struct reason reason;
	unsigned line;
	int error;
	if (size == 0)
		return 0;
	uint8_t flags = *data;
	CHECK(config_init(&config) == 0);
	config_apply(&config, NULL, (const char *)data + 1, size - 1, &error, &line, &reason);
	CHECK(plan_init(&plan, &config, &layout, &own, flags & 1) == 0);
	plan.rows = flags;
	plan.filter = (struct sysfilter){ .code = code, .length = flags & 2 ? 2 : 1 };
	plan.bounds = flags & 4 ? bounds : NULL;
	plan.bound_count = flags & 4 ? 3 : 0;
	int fd = plan_pack(&plan);
	CHECK(fd >= 0);
	struct plan *mapped = plan_map(fd);
	close(fd);
	CHECK(mapped);
	check_same(&plan, mapped);
	plan_unmap(mapped);
	plan_finish(&plan);
	config_finish(&config);
	return 0;
}
