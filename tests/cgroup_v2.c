/* SPDX-License-Identifier: MIT */
/* Where the daemon's groups of v2 are, on a double that refuses and grants as the kernel does. */
#include "cgroup_backend.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup_kernel.h"

#define ALL_THREE "cpu memory pids"

/* The starter that waits, which is the same program as the daemon; and some other program. */
static pid_t starter, other;
static struct cgroups cgroups;
static char before[4096];

static pid_t child(bool another_program)
{
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (pid == 0 && another_program)
		execlp("sleep", "sleep", "1000", (char *)NULL);
	while (pid == 0)
		pause();
	/* Its program is another from exec(2) on. */
	for (char path[64], own[256], its[256]; another_program;) {
		snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
		ssize_t a = readlink("/proc/self/exe", own, sizeof(own));
		ssize_t b = readlink(path, its, sizeof(its));
		if (b > 0 && (a != b || memcmp(own, its, (size_t)a) != 0))
			break;
	}
	return pid;
}

static void become(pid_t daemon)
{
	cgroups = (struct cgroups){ .owner = daemon };
	snprintf(cgroups.name, sizeof(cgroups.name), "mimobox-%d", (int)daemon);
	for (int i = 0; i < CGROUP_BASES; i++)
		cgroups.bases[i] = (struct cgroup_base){ .fd = -1, .parent = -1 };
}

static void prepare(void)
{
	starter = child(false);
	other = child(true);
	become(getpid());
}

static void finish(void)
{
	kill(starter, SIGKILL);
	kill(other, SIGKILL);
	waitpid(starter, NULL, 0);
	waitpid(other, NULL, 0);
	cgroup_kernel_end();
}

TestSuite(cgroup_v2, .init = prepare, .fini = finish, .timeout = 30);

static void enter(const char *group, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", (int)pid);
	cgroup_kernel_enter(group, text);
}

/* A machine with a group `unit` in which the daemon and its starter are. */
static void boot(const char *controllers)
{
	cgroup_kernel_begin(controllers);
	cgroup_kernel_make("unit");
	enter("unit", getpid());
	enter("unit", starter);
}

static bool detect_at(const char *own, const char *mount)
{
	struct cgroup_hierarchy found = { .controllers = "" };

	snprintf(found.own, sizeof(found.own), "%s", cgroup_kernel_path(own));
	snprintf(found.mount, sizeof(found.mount), "%s", cgroup_kernel_path(mount));
	snprintf(before, sizeof(before), "%s", cgroup_kernel_tree());
	return cgroup_v2_detect(&cgroups, &found, 1);
}

static void expect_as_before(void)
{
	cr_expect_str_eq(cgroup_kernel_tree(), before, "before:\n%safter:\n%s", before,
			 cgroup_kernel_tree());
}

/* The double itself: what a group with processes is refused and granted. */
Test(cgroup_v2, the_double_is_as_the_kernel)
{
	boot(ALL_THREE);
	cgroup_kernel_make("unit/below");
	cr_expect_eq(cgroup_kernel_write("unit", "cgroup.subtree_control", "+memory"), -EBUSY);
	cr_expect_eq(cgroup_kernel_write("unit", "cgroup.subtree_control", "+io"), -ENOENT);
	cr_expect_eq(cgroup_kernel_write("unit", "cgroup.subtree_control", "+pids"), 0);
	cr_expect(strstr(cgroup_kernel_tree(), "/unit: domain threaded, gives (pids)"), "%s",
		  cgroup_kernel_tree());
	cr_expect(strstr(cgroup_kernel_tree(), "/unit/below: domain invalid"), "%s",
		  cgroup_kernel_tree());
	cr_expect_eq(cgroup_kernel_write("unit", "cgroup.subtree_control", "+memory"), -EOPNOTSUPP);
	cr_expect_eq(cgroup_kernel_write("unit/below", "cgroup.procs", "1"), -EOPNOTSUPP);
	cr_expect_eq(cgroup_kernel_write("unit", "cgroup.subtree_control", "-pids"), 0);
	enter("unit/below", getpid());
	cr_expect_eq(cgroup_kernel_write("unit", "cgroup.subtree_control", "+pids"), -EBUSY);
	enter("unit/below", starter);
	cr_expect_eq(cgroup_kernel_write("unit", "cgroup.subtree_control", "+memory"), 0);
	cr_expect_eq(cgroup_kernel_write("unit", "cgroup.procs", "1"), -EBUSY);
}

/* The base is below `above`, the daemon in a leaf beside it unless that is the top. */
static void expect_used(const char *above, unsigned can)
{
	char base[128], daemon[128];

	cr_expect_eq(cgroups_can(&cgroups), can);
	snprintf(base, sizeof(base), "%s/%s: domain, gives (cpu %spids), has ()\n", above,
		 cgroups.name, can & CGROUP_MEMORY ? "memory " : "");
	snprintf(daemon, sizeof(daemon), "%s/mimobox-daemon: domain, gives (), has (%d %d ", above,
		 (int)getpid(), (int)starter);
	cr_expect(strstr(cgroup_kernel_tree(), base), "no %s in\n%s", base, cgroup_kernel_tree());
	cr_expect(!*above || strstr(cgroup_kernel_tree(), daemon), "no %s in\n%s", daemon,
		  cgroup_kernel_tree());
	cr_expect(!strstr(cgroup_kernel_tree(), "threaded"), "%s", cgroup_kernel_tree());
}

enum { LIMITS = CGROUP_MEMORY | CGROUP_PROCESSES | CGROUP_CPU };

Test(cgroup_v2, a_unit_of_its_own_is_used)
{
	boot(ALL_THREE);
	cr_assert(detect_at("unit", ""));
	expect_used("/unit", LIMITS);
	cgroups_remove(&cgroups);
	expect_as_before();
}

/* A shell that is in a scope, too. */
Test(cgroup_v2, of_a_delegated_unit_all_move)
{
	boot(ALL_THREE);
	enter("unit", other);
	cgroup_kernel.delegated = "unit";
	cr_assert(detect_at("unit", ""));
	expect_used("/unit", LIMITS);
	cgroups_remove(&cgroups);
	expect_as_before();
}

Test(cgroup_v2, of_an_ordinary_users_group_all_move)
{
	boot(ALL_THREE);
	enter("unit", other);
	cgroup_kernel.uid = 1000;
	cr_assert(detect_at("unit", ""));
	expect_used("/unit", LIMITS);
	cgroups_remove(&cgroups);
	expect_as_before();
}

/* A login session, in which root's shell is. */
Test(cgroup_v2, others_stay_where_root_was_given_nothing)
{
	boot(ALL_THREE);
	enter("unit", other);
	cr_assert(detect_at("unit", ""));
	expect_used("", LIMITS);
	cr_expect(!strstr(cgroup_kernel_tree(), "mimobox-daemon"), "%s", cgroup_kernel_tree());
	cgroups_remove(&cgroups);
	expect_as_before();
}

Test(cgroup_v2, a_container_s_top_is_used)
{
	boot(ALL_THREE);
	enter("unit", other);
	cr_assert(detect_at("unit", "unit"));
	expect_used("/unit", LIMITS);
	cgroups_remove(&cgroups);
	expect_as_before();
}

Test(cgroup_v2, without_the_memory_controller)
{
	boot("cpu pids");
	cr_assert(detect_at("unit", ""));
	expect_used("/unit", CGROUP_PROCESSES | CGROUP_CPU);
	cgroups_remove(&cgroups);
	expect_as_before();
}

static void expect_top(void)
{
	expect_used("", LIMITS);
	cr_expect(!strstr(cgroup_kernel_tree(), "mimobox-daemon"), "%s", cgroup_kernel_tree());
	cgroups_remove(&cgroups);
	expect_as_before();
}

Test(cgroup_v2, a_process_that_comes_in_has_it_undone)
{
	boot("cpu pids");
	cgroup_kernel.comes_to = "unit";
	cr_assert(detect_at("unit", ""));
	expect_used("", CGROUP_PROCESSES | CGROUP_CPU);
	cr_expect(strstr(cgroup_kernel_tree(), "/unit: domain, gives (), has (1 "), "%s",
		  cgroup_kernel_tree());
	cr_expect(!strstr(cgroup_kernel_tree(), "mimobox-daemon"), "%s", cgroup_kernel_tree());
	cgroups_remove(&cgroups);
}

/* systemd puts processes of its own into the groups of its units, as those of a reload. */
Test(cgroup_v2, systemd_keeps_a_unit_that_it_has_not_delegated)
{
	boot(ALL_THREE);
	cgroup_kernel.systemd = true;
	cr_assert(detect_at("unit", ""));
	expect_top();
}

/* Root's helpers could not enter it without capabilities. */
Test(cgroup_v2, root_takes_no_group_of_a_user_s)
{
	boot(ALL_THREE);
	cgroup_kernel.delegated = "unit";
	cr_assert_eq(chown(strcat((char *)cgroup_kernel_path("unit"), "/cgroup.procs"), 1000, 1000),
		     0);
	cr_assert(detect_at("unit", ""));
	expect_top();
}

Test(cgroup_v2, root_takes_the_top_where_its_group_has_less)
{
	boot(ALL_THREE);
	cr_assert_eq(cgroup_kernel_write("", "cgroup.subtree_control", "-memory"), 0);
	cr_assert(detect_at("unit", ""));
	expect_used("", LIMITS);
	cr_expect(!strstr(cgroup_kernel_tree(), "mimobox-daemon"), "%s", cgroup_kernel_tree());
	cgroups_remove(&cgroups);
	/* Others may use by then what it has asked for. */
	cr_expect(strstr(cgroup_kernel_tree(), "/: , gives (cpu memory pids)"), "%s",
		  cgroup_kernel_tree());
}

/* Of the leaf, the base and a sandbox's group, the last one that may be made: cgroup.max.* */
Test(cgroup_v2, where_no_group_can_be_made_nothing_is_changed)
{
	for (int room = 0; room < 3; room++) {
		boot(ALL_THREE);
		cgroup_kernel.full = "unit";
		cgroup_kernel.room = room;
		cr_assert(detect_at("unit", ""), "%d", room);
		expect_top();
		become(getpid());
		cgroup_kernel.uid = 1000;
		cgroup_kernel.room = room;
		cr_expect(!detect_at("unit", ""), "%d", room);
		cr_expect_eq(cgroups_can(&cgroups), 0);
		cr_expect_eq(cgroups.error, 0);
		expect_as_before();
		cgroup_kernel_end();
	}
	cgroup_kernel_begin(ALL_THREE);
}

Test(cgroup_v2, processes_that_are_not_seen_stay)
{
	boot(ALL_THREE);
	cgroup_kernel.uid = 1000;
	cgroup_kernel_enter("unit", "0");
	cr_expect(!detect_at("unit", ""));
	expect_as_before();
}

Test(cgroup_v2, a_threaded_domain_is_left_as_it_is)
{
	boot(ALL_THREE);
	cr_assert_eq(cgroup_kernel_write("unit", "cgroup.subtree_control", "+pids"), 0);
	cgroup_kernel.uid = 1000;
	cr_expect(!detect_at("unit", ""));
	expect_as_before();
	cgroup_kernel.uid = 0;
	cr_expect(detect_at("unit", ""));
	cr_expect(strstr(cgroup_kernel_tree(), "/mimobox-"), "%s", cgroup_kernel_tree());
	cgroups_remove(&cgroups);
	expect_as_before();
}

/* Whichever ends last undoes it. */
Test(cgroup_v2, a_second_daemon_is_beside_the_first)
{
	for (int second_last = 0; second_last < 2; second_last++) {
		struct cgroups first, second;
		char alone[sizeof(before)];

		boot(ALL_THREE);
		cgroup_kernel.uid = 1000;
		become(getpid());
		cr_assert(detect_at("unit", ""));
		snprintf(alone, sizeof(alone), "%s", before);
		first = cgroups;
		become(starter);
		cr_assert(detect_at("unit/mimobox-daemon", ""));
		expect_used("/unit", LIMITS);
		second = cgroups;
		cgroups_remove(second_last ? &first : &second);
		cr_expect(strstr(cgroup_kernel_tree(), "/unit: domain, gives (cpu memory pids)"),
			  "%s", cgroup_kernel_tree());
		cgroups_remove(second_last ? &second : &first);
		cr_expect_str_eq(cgroup_kernel_tree(), alone, "%s", cgroup_kernel_tree());
		cgroup_kernel_end();
	}
	cgroup_kernel_begin(ALL_THREE);
}

static void close_all(void)
{
	for (int i = 0; i < CGROUP_BASES; i++)
		if (cgroups.bases[i].fd >= 0) {
			close(cgroups.bases[i].fd);
			close(cgroups.bases[i].parent);
		}
}

/* The next one, from the shell that the killed one has moved, undoes what that one did. */
Test(cgroup_v2, a_killed_daemon_is_cleared_away)
{
	pid_t dead = child(false);
	char alone[sizeof(before)];

	kill(dead, SIGKILL);
	waitpid(dead, NULL, 0);
	boot(ALL_THREE);
	cgroup_kernel.uid = 1000;
	become(dead);
	cr_assert(detect_at("unit", ""));
	snprintf(alone, sizeof(alone), "%s", before);
	close_all();
	become(getpid());
	cr_assert(detect_at("unit/mimobox-daemon", ""));
	expect_used("/unit", LIMITS);
	cgroups_remove(&cgroups);
	cr_expect_str_eq(cgroup_kernel_tree(), alone, "%s", cgroup_kernel_tree());
}

/* Of a PID namespace that this process does not see. It may have this process's PID, too. */
Test(cgroup_v2, a_daemon_with_a_strange_pid_keeps_its_groups)
{
	struct cgroups first;
	char name[sizeof(cgroups.name)];

	boot(ALL_THREE);
	cgroup_kernel.uid = 1000;
	cr_assert(detect_at("unit", ""));
	snprintf(name, sizeof(name), "%s", cgroups.name);
	first = cgroups;
	become(getpid());
	cr_assert(detect_at("unit/mimobox-daemon", ""));
	cr_expect_str_neq(cgroups.name, name);
	expect_used("/unit", LIMITS);
	cr_expect(strstr(cgroup_kernel_tree(), name), "%s", cgroup_kernel_tree());
	cgroups_remove(&cgroups);
	cr_expect(strstr(cgroup_kernel_tree(), name), "%s", cgroup_kernel_tree());
	cgroups_remove(&first);
}
