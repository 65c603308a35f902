/* SPDX-License-Identifier: MIT */
#include "cgroup_kernel.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT = 512, TREE = 4096 };

struct cgroup_kernel cgroup_kernel;
static char top[64];

ssize_t __real_write(int fd, const void *data, size_t size);
int __real_mkdirat(int directory, const char *name, mode_t mode);
int __real_unlinkat(int directory, const char *name, int flags);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_mkdirat(int directory, const char *name, mode_t mode);
int __wrap_unlinkat(int directory, const char *name, int flags);
ssize_t __wrap_getxattr(const char *path, const char *name, void *value, size_t size);
int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
uid_t __wrap_geteuid(void);

/* Files */

const char *cgroup_kernel_path(const char *group)
{
	static char paths[8][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, PATH_MAX, "%s%s%s", top, *group ? "/" : "", group);
	return path;
}

static void join(char path[PATH_MAX], const char *group, const char *name)
{
	cr_assert(snprintf(path, PATH_MAX, "%s/%s", group, name) < PATH_MAX);
}

static void put(const char *group, const char *file, const char *text)
{
	char path[PATH_MAX];
	FILE *to;

	join(path, group, file);
	to = fopen(path, "we");
	cr_assert(to && fputs(text, to) >= 0 && fclose(to) == 0, "%s", path);
	if (strcmp(file, "cgroup.procs") == 0) /* each has one thread */
		put(group, "cgroup.threads", text);
}

static void get(const char *group, const char *file, char text[TEXT])
{
	char path[PATH_MAX];
	FILE *from;
	size_t size = 0;

	join(path, group, file);
	from = fopen(path, "re");
	if (from) {
		size = fread(text, 1, TEXT - 1, from);
		fclose(from);
	}
	text[size] = '\0';
}

static bool lists(const char *group, const char *file, const char *word)
{
	char text[TEXT], *rest = text, *at;

	get(group, file, text);
	while ((at = strsep(&rest, " \n")))
		if (strcmp(at, word) == 0)
			return true;
	return false;
}

static bool is_top(const char *group)
{
	return strcmp(group, top) == 0;
}

static bool is_populated(const char *group)
{
	char text[TEXT];

	get(group, "cgroup.procs", text);
	return text[0] != '\0';
}

/* Calls `fn` for each group directly below. Returns whether it was true for one of them. */
static bool any_child(const char *group, bool (*fn)(const char *child, const void *data),
		      const void *data)
{
	char child[PATH_MAX];
	DIR *directory = opendir(group);
	struct dirent *entry;
	bool found = false;

	cr_assert(directory != NULL, "%s", group);
	while (!found && (entry = readdir(directory))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		join(child, group, entry->d_name);
		found = fn(child, data);
	}
	closedir(directory);
	return found;
}

/* Rules */

static bool subtree_is_populated(const char *group, const void *data)
{
	(void)data;
	return is_populated(group) || any_child(group, subtree_is_populated, NULL);
}

static bool gives(const char *group, const void *controller)
{
	return lists(group, "cgroup.subtree_control", controller);
}

static bool can_be_thread_root(const char *group)
{
	return is_top(group) ||
	       (!any_child(group, subtree_is_populated, NULL) && !gives(group, "memory"));
}

static bool is_thread_root(const char *group)
{
	return !is_top(group) && is_populated(group) &&
	       (gives(group, "pids") || gives(group, "cpu"));
}

static bool is_invalid(const char *group)
{
	char above[PATH_MAX];

	if (is_top(group))
		return false;
	snprintf(above, sizeof(above), "%s", group);
	*strrchr(above, '/') = '\0';
	return is_thread_root(above) || is_invalid(above);
}

static bool put_types(const char *group, const void *data)
{
	(void)data;
	put(group, "cgroup.type",
	    is_invalid(group)       ? "domain invalid\n"
	    : is_thread_root(group) ? "domain threaded\n"
				    : "domain\n");
	any_child(group, put_types, NULL);
	return false;
}

static bool put_controllers(const char *group, const void *given)
{
	char text[TEXT];

	put(group, "cgroup.controllers", given);
	get(group, "cgroup.subtree_control", text);
	any_child(group, put_controllers, text);
	return false;
}

/* What follows for all groups from what was changed. */
static void settle(void)
{
	char text[TEXT];

	get(top, "cgroup.subtree_control", text);
	any_child(top, put_controllers, text);
	any_child(top, put_types, NULL);
}

static int may_give(const char *group, const char *controller)
{
	if (!lists(group, "cgroup.controllers", controller))
		return -ENOENT;
	if (is_invalid(group))
		return -EOPNOTSUPP;
	if (is_top(group))
		return 0;
	if (strcmp(controller, "memory") == 0) {
		if (is_thread_root(group))
			return -EOPNOTSUPP;
	} else if (can_be_thread_root(group)) {
		return 0;
	}
	return is_populated(group) ? -EBUSY : 0;
}

static int change_control(const char *group, const char *text)
{
	const char *controller = text + 1;
	static const char *const all[] = { "cpu", "memory", "pids" };
	char new[TEXT] = "";
	int error = 0;

	if (*text == '+')
		error = may_give(group, controller);
	else if (any_child(group, gives, controller))
		error = -EBUSY;
	if (error < 0)
		return error;
	/* The kernel lists them in an order of its own. */
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i], controller) == 0 ? *text == '+' : gives(group, all[i]))
			snprintf(new + strlen(new), TEXT - strlen(new), "%s%s", *new ? " " : "",
				 all[i]);
	put(group, "cgroup.subtree_control", new);
	return 0;
}

static bool take_out(const char *group, const void *pid)
{
	char text[TEXT], left[TEXT] = "", *rest = text, *at;

	get(group, "cgroup.procs", text);
	while ((at = strsep(&rest, "\n")))
		if (*at && strcmp(at, pid) != 0)
			snprintf(left + strlen(left), TEXT - strlen(left), "%s\n", at);
	put(group, "cgroup.procs", left);
	any_child(group, take_out, pid);
	return false;
}

static int move(const char *group, const char *pid)
{
	char text[TEXT];

	if (is_invalid(group))
		return -EOPNOTSUPP;
	get(group, "cgroup.subtree_control", text);
	if (!can_be_thread_root(group) && *text)
		return -EBUSY;
	take_out(top, pid);
	get(group, "cgroup.procs", text);
	snprintf(text + strlen(text), TEXT - strlen(text), "%s\n", pid);
	put(group, "cgroup.procs", text);
	return 0;
}

void cgroup_kernel_enter(const char *group, const char *pid)
{
	cr_assert_eq(move(cgroup_kernel_path(group), pid), 0, "%s", group);
	settle();
}

int cgroup_kernel_write(const char *group, const char *file, const char *text)
{
	const char *path = *group == '/' ? group : cgroup_kernel_path(group);
	bool asks = strcmp(file, "cgroup.subtree_control") == 0;
	char word[64];
	int error = -EACCES;

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, "\n"), text);
	if (asks && *word == '+' && cgroup_kernel.comes_to &&
	    strcmp(path, cgroup_kernel_path(cgroup_kernel.comes_to)) == 0)
		cgroup_kernel_enter(cgroup_kernel.comes_to, "1");
	if (strcmp(file, "cgroup.procs") == 0)
		error = move(path, strcmp(word, "0") ? word : "self");
	else if (asks)
		error = change_control(path, word);
	settle();
	return error;
}

/* Calls */

/* The path of what `fd` is; false: it is outside of the tree. */
static bool inside(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, PATH_MAX - 1);
	path[size > 0 ? size : 0] = '\0';
	return *top && strncmp(path, top, strlen(top)) == 0;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	char path[PATH_MAX], text[64];
	int error;

	if (!inside(fd, path))
		return __real_write(fd, data, size);
	snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)data);
	char *file = strrchr(path, '/');
	*file++ = '\0';
	error = cgroup_kernel_write(path, file, text);
	errno = -error;
	return error < 0 ? -1 : (ssize_t)size;
}

static bool is_below(const char *path, const char *group)
{
	const char *whole = cgroup_kernel_path(group);

	return strncmp(path, whole, strlen(whole)) == 0;
}

static void fill(const char *group)
{
	put(group, "cgroup.procs", "");
	put(group, "cgroup.subtree_control", "");
	settle();
}

int __wrap_mkdirat(int directory, const char *name, mode_t mode)
{
	char path[PATH_MAX], whole[PATH_MAX];

	if (!inside(directory, path))
		return __real_mkdirat(directory, name, mode);
	if (cgroup_kernel.full && is_below(path, cgroup_kernel.full) && cgroup_kernel.room-- <= 0) {
		errno = EAGAIN; /* cgroup.max.descendants */
		return -1;
	}
	join(whole, path, name);
	if (__real_mkdirat(AT_FDCWD, whole, mode) < 0)
		return -1;
	fill(whole);
	return 0;
}

int __wrap_unlinkat(int directory, const char *name, int flags)
{
	static const char *const files[] = { "cgroup.procs", "cgroup.threads",
					     "cgroup.subtree_control", "cgroup.controllers",
					     "cgroup.type" };
	char path[PATH_MAX], whole[PATH_MAX];
	int result;

	if (!inside(directory, path))
		return __real_unlinkat(directory, name, flags);
	join(whole, path, name);
	if (access(whole, F_OK) < 0)
		return -1;
	if (subtree_is_populated(whole, NULL)) {
		errno = EBUSY;
		return -1;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char file[PATH_MAX];
		join(file, whole, files[i]);
		__real_unlinkat(AT_FDCWD, file, 0);
	}
	result = __real_unlinkat(AT_FDCWD, whole, AT_REMOVEDIR);
	if (result < 0)
		fill(whole); /* there are groups below it */
	settle();
	return result;
}

ssize_t __wrap_getxattr(const char *path, const char *name, void *value, size_t size)
{
	bool marked = cgroup_kernel.delegated && strcmp(name, "trusted.delegate") == 0 &&
		      strcmp(path, cgroup_kernel_path(cgroup_kernel.delegated)) == 0;

	if (!marked || size < 1) {
		errno = ENODATA;
		return -1;
	}
	*(char *)value = '1';
	return 1;
}

int __wrap_access(const char *path, int mode)
{
	if (strcmp(path, "/run/systemd/system") != 0)
		return __real_access(path, mode);
	errno = ENOENT;
	return cgroup_kernel.systemd ? 0 : -1;
}

uid_t __wrap_geteuid(void)
{
	return cgroup_kernel.uid;
}

/* The whole */

void cgroup_kernel_make(const char *group)
{
	cr_assert_eq(__real_mkdirat(AT_FDCWD, cgroup_kernel_path(group), 0755), 0, "%s", group);
	fill(cgroup_kernel_path(group));
}

void cgroup_kernel_begin(const char *controllers)
{
	cgroup_kernel = (struct cgroup_kernel){ .uid = 0 };
	snprintf(top, sizeof(top), "/tmp/mimobox-cgroup.XXXXXX");
	cr_assert(mkdtemp(top) != NULL);
	put(top, "cgroup.procs", "");
	put(top, "cgroup.subtree_control", controllers);
	put(top, "cgroup.controllers", controllers);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status, (void)type, (void)ftw;
	return remove(path);
}

void cgroup_kernel_end(void)
{
	cr_assert_eq(nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	top[0] = '\0';
}

static char tree[TREE];

static int print_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
	char type[TEXT], control[TEXT], procs[TEXT];
	size_t size = strlen(tree);

	(void)status, (void)ftw;
	if (kind != FTW_D)
		return 0;
	get(path, "cgroup.type", type);
	get(path, "cgroup.subtree_control", control);
	get(path, "cgroup.procs", procs);
	type[strcspn(type, "\n")] = '\0';
	for (char *at = procs; (at = strchr(at, '\n'));)
		*at = ' ';
	snprintf(tree + size, TREE - size, "/%s: %s, gives (%s), has (%s)\n",
		 path + strlen(top) + (path[strlen(top)] == '/'), type, control, procs);
	return 0;
}

const char *cgroup_kernel_tree(void)
{
	tree[0] = '\0';
	nftw(top, print_one, 8, FTW_PHYS);
	return tree;
}
