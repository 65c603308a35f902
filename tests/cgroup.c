/* SPDX-License-Identifier: MIT */
/*
 * What is written where for a limit, in a directory that looks like a hierarchy: of the two kinds
 * of them a machine has but one that works.
 */
#include "cgroup_backend.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup_view.h"
#include "root_cgroup.h"
#include "units.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char base[64];
static struct cgroups cgroups;

static const char *in(const char *path)
{
	static char paths[4][512];
	static unsigned next;
	char *whole = paths[next++ % 4];

	snprintf(whole, sizeof(*paths), "%s/%s", base, path);
	return whole;
}

static void put_file(const char *path, const char *data)
{
	FILE *file = fopen(in(path), "we");

	cr_assert(file && fputs(data, file) >= 0 && fclose(file) == 0, "%s", path);
}

/* Each write is a line, for what the kernel has as one value is the whole file here. */
static const char *content(const char *path)
{
	static char text[256];
	FILE *file = fopen(in(path), "re");

	text[file ? fread(text, 1, sizeof(text) - 1, file) : 0] = '\0';
	if (file)
		fclose(file);
	return text;
}

static void prepare(void)
{
	snprintf(base, sizeof(base), "/tmp/mimobox-cgroup.XXXXXX");
	cr_assert(mkdtemp(base) != NULL);
	cgroups = (struct cgroups){ .owner = getpid() };
	snprintf(cgroups.name, sizeof(cgroups.name), "mimobox-test");
	for (int i = 0; i < CGROUP_BASES; i++)
		cgroups.bases[i] = (struct cgroup_base){ .fd = -1, .parent = -1 };
}

static void finish(void)
{
	char command[128];

	for (int i = 0; i < CGROUP_BASES; i++)
		if (cgroups.bases[i].fd >= 0) {
			close(cgroups.bases[i].fd);
			close(cgroups.bases[i].parent);
		}
	snprintf(command, sizeof(command), "rm -rf %s", base);
	cr_assert_eq(system(command), 0);
}

TestSuite(cgroup, .init = prepare, .fini = finish, .timeout = 30);

static void make_v2(void)
{
	struct cgroup_hierarchy found = { .controllers = "" };

	snprintf(found.mount, sizeof(found.mount), "%s", base);
	snprintf(found.own, sizeof(found.own), "%s", base);
	put_file("cgroup.controllers", "cpu memory pids\n");
	put_file("cgroup.procs", "");
	put_file("cgroup.subtree_control", "");
	cr_assert_eq(mkdir(in("mimobox-test"), 0755), 0);
	put_file("mimobox-test/cgroup.subtree_control", "");
	cr_assert(cgroup_v2_detect(&cgroups, &found, 1));
	cr_assert_eq(cgroups_can(&cgroups), CGROUP_MEMORY | CGROUP_PROCESSES | CGROUP_CPU);
}

static const char *const controllers[] = { "memory", "pids", "cpu,cpuacct" };
static struct cgroup_hierarchy found[COUNT(controllers) + 1];

static void make_v1(void)
{
	for (size_t i = 0; i < COUNT(controllers); i++) {
		snprintf(found[i].controllers, sizeof(found[i].controllers), "%s", controllers[i]);
		snprintf(found[i].mount, sizeof(found[i].mount), "%s", in(controllers[i]));
		snprintf(found[i].own, sizeof(found[i].own), "%s", in(controllers[i]));
		cr_assert_eq(mkdir(in(controllers[i]), 0755), 0);
	}
	cr_assert(cgroup_v1_detect(&cgroups, found, COUNT(controllers)));
	cr_assert_eq(cgroups_can(&cgroups), CGROUP_MEMORY | CGROUP_PROCESSES | CGROUP_CPU);
}

struct written {
	const char *path, *narrow, *none;
};

static const struct written v2[] = {
	{ "mimobox-test/7/memory.max", "67108864", "max" },
	{ "mimobox-test/7/memory.swap.max", "0", "max" },
	{ "mimobox-test/7/pids.max", "50", "max" },
	{ "mimobox-test/7/cpu.max", "30000 100000", "max" },
};
static const struct written v1[] = {
	{ "memory/mimobox-test/7/memory.limit_in_bytes", "67108864", "-1" },
	{ "memory/mimobox-test/7/memory.memsw.limit_in_bytes", "67108864", "-1" },
	{ "memory/mimobox-test/7/memory.kmem.tcp.limit_in_bytes", "16777216", "-1" },
	{ "pids/mimobox-test/7/pids.max", "50", "max" },
	{ "cpu,cpuacct/mimobox-test/7/cpu.cfs_quota_us", "30000", "-1" },
};

static const struct cgroup_limits narrow = { 64 << 20, 50, 300 };

static void put_files(const struct written *files, size_t count)
{
	cr_assert_eq(cgroup_create(&cgroups, 7), 0);
	for (size_t i = 0; i < count; i++)
		put_file(files[i].path, "");
}

static void expect_written(const struct written *files, size_t count)
{
	const char *what = "";

	put_files(files, count);
	cr_assert_eq(cgroup_limit(&cgroups, 7, &cgroup_unlimited, &narrow, &what), 0, "%s", what);
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(content(files[i].path), files[i].narrow, "%s: '%s'", files[i].path,
				 content(files[i].path));
	for (size_t i = 0; i < count; i++)
		put_file(files[i].path, "");
	cr_assert_eq(cgroup_limit(&cgroups, 7, &narrow, &cgroup_unlimited, &what), 0, "%s", what);
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(content(files[i].path), files[i].none, "%s: '%s'", files[i].path,
				 content(files[i].path));
}

/* A limit whose file is not there is refused, but that of a swap, or of sockets, not counted. */
static void expect_refused(const struct written *files, size_t count)
{
	put_files(files, count);
	for (size_t i = 0; i < count; i++) {
		const char *what = "";
		bool spared = strstr(files[i].path, "swap") || strstr(files[i].path, "memsw") ||
			      strstr(files[i].path, "kmem.tcp");
		int error;

		cr_assert_eq(unlink(in(files[i].path)), 0);
		error = cgroup_limit(&cgroups, 7, &cgroup_unlimited, &narrow, &what);
		put_file(files[i].path, "");
		cr_expect_eq(error, spared ? 0 : -ENOENT, "without %s: %d", files[i].path, error);
		if (error < 0)
			cr_expect(strstr(files[i].path, what) != NULL, "%s: %s", files[i].path,
				  what);
	}
}

Test(cgroup, limits_of_v2)
{
	make_v2();
	expect_written(v2, COUNT(v2));
}

Test(cgroup, limits_of_v1)
{
	make_v1();
	expect_written(v1, COUNT(v1));
}

Test(cgroup, a_limit_of_v2_that_is_not_there)
{
	make_v2();
	expect_refused(v2, COUNT(v2));
}

Test(cgroup, a_limit_of_v1_that_is_not_there)
{
	make_v1();
	expect_refused(v1, COUNT(v1));
}

/* Version 1 counts the memory of sockets apart. */
Test(cgroup, use_of_v1_has_that_of_sockets)
{
	static const struct {
		const char *path, *data;
	} files[] = {
		{ "memory/mimobox-test/7/memory.usage_in_bytes", "1000\n" },
		{ "memory/mimobox-test/7/memory.max_usage_in_bytes", "5000\n" },
		{ "memory/mimobox-test/7/memory.kmem.tcp.usage_in_bytes", "200\n" },
		{ "memory/mimobox-test/7/memory.kmem.tcp.max_usage_in_bytes", "700\n" },
	};
	struct cgroup_usage usage;

	make_v1();
	cr_assert_eq(cgroup_create(&cgroups, 7), 0);
	for (size_t i = 0; i < COUNT(files); i++) {
		cgroup_usage(&cgroups, 7, &usage);
		cr_expect_eq(usage.memory, i < 1 ? UINT64_MAX : i < 3 ? 1000 : 1200);
		cr_expect_eq(usage.memory_peak, i < 2 ? UINT64_MAX : 5000);
		put_file(files[i].path, files[i].data);
	}
	cgroup_usage(&cgroups, 7, &usage);
	cr_expect_eq(usage.memory, 1200);
	cr_expect_eq(usage.memory_peak, 5700);
}

/* What a sandbox sees of its limits */

Test(cgroup, view_of_v2)
{
	struct cgroup_view view;

	cgroups_view(&cgroups, &view);
	cr_expect_eq(view.count, 0);
	make_v2();
	cgroups_view(&cgroups, &view);
	cr_assert_eq(view.count, 1);
	cr_expect_str_eq(view.places[0].name, "");
	cr_expect_str_eq(view.places[0].path, in("mimobox-test"));
	cr_expect_str_eq(view.places[0].file, "");
}

static void make_cpuset(void)
{
	struct cgroup_hierarchy *last = &found[COUNT(controllers)];

	strcpy(last->controllers, "cpuset");
	snprintf(last->own, sizeof(last->own), "%s", in("cpuset"));
	cr_assert_eq(mkdir(last->own, 0755), 0);
	put_file("cpuset/cpuset.cpus", "0-3\n");
}

/* One hierarchy is seen once, and of one in which there is no group of its own but a file. */
Test(cgroup, view_of_v1)
{
	struct cgroup_view view = { .count = 0 };

	make_v1();
	make_cpuset();
	cgroup_v1_view(&cgroups, found, COUNT(found), &view);
	cr_assert_eq(view.count, 4);
	for (unsigned i = 0; i < 3; i++) {
		cr_expect_str_eq(view.places[i].name, controllers[i]);
		cr_expect_str_eq(view.places[i].path, in(i == 0   ? "memory/mimobox-test"
							 : i == 1 ? "pids/mimobox-test"
								  : "cpu,cpuacct/mimobox-test"));
		cr_expect_str_eq(view.places[i].file, "");
	}
	cr_expect_str_eq(view.places[3].path, in("cpuset/cpuset.cpus"));
	cr_expect_str_eq(view.places[3].file, "cpuset.cpus");
}

static bool holds(const char *path, const char *data)
{
	return strcmp(content(path), data) == 0;
}

static bool is_read_only(const char *path)
{
	return open(in(path), O_WRONLY | O_CLOEXEC) < 0 && errno == EROFS;
}

/* In a mount namespace of its own; the number of what is not as it should be. */
static int look_at_view(const struct cgroup_view *view)
{
	const char *what;
	int root;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mkdir(in("root"), 0755) < 0)
		return 77;
	root = open(in("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_add_cgroup(root, view, 7, &what) < 0)
		return 1;
	if (!holds("root/sys/fs/cgroup/memory/limit", "7\n") ||
	    !holds("root/sys/fs/cgroup/cpu/quota", "8\n") ||
	    !holds("root/sys/fs/cgroup/cpuacct/quota", "8\n") ||
	    !holds("root/sys/fs/cgroup/cpuset/cpuset.cpus", "0-3\n"))
		return 2;
	if (access(in("root/sys/fs/cgroup/cpuset/other"), F_OK) == 0 ||
	    access(in("root/sys/fs/cgroup/memory/limit"), F_OK) < 0)
		return 3;
	return is_read_only("root/sys/fs/cgroup/memory/limit") &&
			       is_read_only("root/sys/fs/cgroup/cpuset/cpuset.cpus")
		       ? 0
		       : 4;
}

Test(cgroup, view_from_inside)
{
	struct cgroup_view view = { .count = 0 };
	int status;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip_test("it takes root to mount");
	make_v1();
	make_cpuset();
	cr_assert_eq(cgroup_create(&cgroups, 7), 0);
	put_file("memory/mimobox-test/7/limit", "7\n");
	put_file("cpu,cpuacct/mimobox-test/7/quota", "8\n");
	put_file("cpuset/other", "");
	cgroup_v1_view(&cgroups, found, COUNT(found), &view);
	pid = fork();
	if (pid == 0)
		_exit(look_at_view(&view));
	cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 0, "%d", WEXITSTATUS(status));
}

/* The lowest number that is free: the same before and after, where nothing was left open. */
static int next_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

static bool is_directory(int fd, const char *path)
{
	struct stat is, wanted;

	return fstat(fd, &is) == 0 && stat(in(path), &wanted) == 0 && is.st_ino == wanted.st_ino;
}

Test(cgroup, into_a_group_of_v2_a_process_is_cloned)
{
	struct cgroup_entry entry;
	int free_before;

	make_v2();
	free_before = next_descriptor();
	cr_assert_eq(cgroup_create(&cgroups, 7), 0);
	cr_assert_eq(cgroup_entry_open(&cgroups, 7, &entry), 0);
	cr_expect(is_directory(entry.directory, "mimobox-test/7"));
	cr_expect_eq(entry.count, 0);
	cr_expect_eq(cgroup_enter(&entry), 0);
	cgroup_entry_close(&entry);
	cr_expect_eq(next_descriptor(), free_before);
	cr_expect_eq(cgroup_entry_open(&cgroups, 8, &entry), -ENOENT);
	cr_expect_eq(next_descriptor(), free_before);
}

/* It moves itself, and alone: only that takes no lock for which everybody who forks waits. */
Test(cgroup, into_groups_of_v1_a_process_moves_itself)
{
	static const char *const tasks[] = { "memory/mimobox-test/7/tasks",
					     "pids/mimobox-test/7/tasks",
					     "cpu,cpuacct/mimobox-test/7/tasks" };
	struct cgroup_entry entry;
	int free_before;

	make_v1();
	free_before = next_descriptor();
	cr_assert_eq(cgroup_create(&cgroups, 7), 0);
	for (size_t i = 0; i < COUNT(tasks); i++)
		put_file(tasks[i], "");
	cr_assert_eq(cgroup_entry_open(&cgroups, 7, &entry), 0);
	cr_expect_eq(entry.directory, -1);
	cr_expect_eq(entry.count, COUNT(tasks));
	cr_expect_eq(cgroup_enter(&entry), 0);
	cgroup_entry_close(&entry);
	for (size_t i = 0; i < COUNT(tasks); i++)
		cr_expect_str_eq(content(tasks[i]), "0", "%s", tasks[i]);
	cr_assert_eq(unlink(in(tasks[2])), 0);
	cr_expect_eq(cgroup_entry_open(&cgroups, 7, &entry), -ENOENT);
	cr_expect_eq(next_descriptor(), free_before);
	cr_assert_eq(symlink("/dev/full", in(tasks[2])), 0);
	cr_assert_eq(cgroup_entry_open(&cgroups, 7, &entry), 0);
	cr_expect_eq(cgroup_enter(&entry), -ENOSPC);
	cgroup_entry_close(&entry);
}
