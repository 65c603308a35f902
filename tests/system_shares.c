/* SPDX-License-Identifier: MIT */
/*
 * Modes and groups of a session's files: an owner shows others one file, and nothing else. Ann is
 * also in the group TEAM, as is Bob; Carl is in none.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

enum { CARL = 23463, TEAM = 23470, OTHER_TEAM = 23471 };

TestSuite(shares, .init = outside_start, .fini = outside_stop, .timeout = 60);

/* Everything from here on is done as this user, with the groups that it has. */
static void act_in_groups(uid_t user)
{
	const gid_t team = TEAM;

	act_as(ROOT);
	cr_assert_eq(setgroups(user == ANN || user == BOB, &team), 0);
	act_as(user);
}

static bool is_another(const void *before)
{
	pid_t now = fixture_server();

	return now && now != *(const pid_t *)before;
}

static void kill_server(void)
{
	pid_t server = fixture_server();

	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert(await(is_another, &server, 10000));
	cr_assert_eq(access(at("stats"), F_OK), 0);
}

static int error_of(int result)
{
	return result < 0 ? errno : 0;
}

static int change_mode(const char *path, mode_t mode)
{
	return error_of(chmod(at("%s", path), mode));
}

static int change_group(const char *path, gid_t group)
{
	return error_of(chown(at("%s", path), (uid_t)-1, group));
}

static mode_t mode_of(const char *path)
{
	struct stat is;

	cr_assert_eq(stat(at("%s", path), &is), 0, "%s: %s", path, strerror(errno));
	return is.st_mode & 07777;
}

static gid_t group_of(const char *path)
{
	struct stat is;

	cr_assert_eq(stat(at("%s", path), &is), 0, "%s: %s", path, strerror(errno));
	return is.st_gid;
}

static void make_shared(void)
{
	act_in_groups(ANN);
	session_start("a", "command echo hello; read x; echo \"<$x>\"; read x\n");
	get("a/wait/match@0:hello", NULL);
	cr_assert_eq(change_mode("a", 0700), 0);
	cr_assert_eq(change_group("a/screen", TEAM), 0);
	cr_assert_eq(change_mode("a/screen", 0440), 0);
}

/* `screen` is all that there is for Bob, and nothing for Carl. */
static void assert_shared(void)
{
	static const char *const others[] = { "output",     "input",        "ctl",  "config",
					      "log",        "status",       "size", "cast",
					      "transcript", "wait/idle:1s", "exit", "sizes",
					      "modes",      "cursor" };

	act_in_groups(BOB);
	cr_expect(has(get("a/screen", NULL), "hello"));
	for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++) {
		cr_expect_eq(can_open(text("a/%s", others[i]), O_RDONLY), -EACCES, "%s", others[i]);
		cr_expect_eq(can_open(text("a/%s", others[i]), O_WRONLY), -EACCES, "%s", others[i]);
	}
	cr_expect_eq(can_open("a/screen", O_WRONLY), -EACCES);
	cr_expect_eq(can_open("a", O_RDONLY | O_DIRECTORY), -EACCES);
	cr_expect_eq(error_of(rmdir(at("a"))), EPERM);
	act_in_groups(CARL);
	cr_expect_eq(can_open("a/screen", O_RDONLY), -EACCES);
	act_in_groups(ANN);
	cr_expect(has(get("a/screen", NULL), "hello"));
}

Test(shares, one_file_with_a_group)
{
	make_shared();
	/* the control: nobody gets in by the file's mode alone */
	act_in_groups(BOB);
	cr_expect_eq(can_open("a/screen", O_RDONLY), -EACCES);
	act_in_groups(ANN);
	cr_assert_eq(change_mode("a", 0711), 0);
	assert_shared();
	cr_expect_eq(group_of("a/screen"), TEAM);
	cr_expect_eq(group_of("a/output"), ANN);
	cr_expect_eq(mode_of("a/screen"), 0440);
	/* and taken back */
	cr_assert_eq(change_mode("a/screen", 0400), 0);
	act_in_groups(BOB);
	cr_expect_eq(can_open("a/screen", O_RDONLY), -EACCES);
}

/* By the directory's group alone; who is not in it does not get to a file that is for all. */
Test(shares, a_directory_with_a_group)
{
	make_shared();
	cr_assert_eq(change_mode("a/screen", 0444), 0);
	cr_assert_eq(change_group("a", TEAM), 0);
	cr_assert_eq(change_mode("a", 0710), 0);
	assert_shared();
	/* The program's group is what it was. */
	cr_expect_eq(group_of("a/output"), ANN);
}

Test(shares, typing_and_questions)
{
	char *answer;

	make_shared();
	cr_assert_eq(change_mode("a", 0711), 0);
	cr_assert_eq(change_mode("a/input", 0222), 0);
	cr_assert_eq(change_mode("a/wait", 0555), 0);
	act_in_groups(CARL);
	put_all("a/input", "by carl\n");
	answer = get("a/wait/match@0:<by carl>", NULL);
	cr_expect(has(answer, "match "), "%s", answer);
	cr_expect_eq(can_open("a/input", O_RDONLY), -EACCES);
	cr_expect_eq(can_open("a/output", O_RDONLY), -EACCES);
}

Test(shares, no_more_than_a_file_can_do)
{
	static const struct {
		const char *file;
		mode_t most;
	} files[] = {
		{ "input", 0222 },  { "output", 0444 }, { "size", 0666 },   { "ctl", 0666 },
		{ "exit", 0444 },   { "config", 0666 }, { "status", 0444 }, { "log", 0444 },
		{ "screen", 0444 }, { "wait", 0555 },   { "cast", 0444 },   { "transcript", 0444 },
	};

	act_in_groups(ANN);
	session_make("a");
	for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
		const char *file = text("a/%s", files[i].file);

		for (mode_t bit = 1; bit <= 07777; bit <<= 1) {
			bool can = (bit & files[i].most) != 0;
			cr_expect_eq(change_mode(file, bit), can ? 0 : EPERM, "%s, %o", file, bit);
			if (can)
				cr_expect_eq(mode_of(file), bit, "%s", file);
		}
		cr_expect_eq(change_mode(file, files[i].most), 0);
		cr_expect_eq(change_mode(file, 0), 0);
		cr_expect_eq(can_open(file, O_RDONLY), -EACCES, "%s", file);
	}
	/* A question has what `wait` has, and none of its own. */
	cr_expect_eq(change_mode("a/wait", 0550), 0);
	cr_expect_eq(mode_of("a/wait/exit"), 0440);
	cr_expect_eq(change_mode("a/wait/exit", 0444), EPERM);
	act_as(ROOT);
	cr_expect_eq(change_mode("stats", 0400), EPERM);
	cr_expect_eq(change_group("stats", TEAM), EPERM);
}

Test(shares, only_the_owner_and_only_groups_of_theirs)
{
	const uid_t strangers[] = { BOB, CARL };

	make_shared();
	cr_assert_eq(change_mode("a", 0777), 0);
	cr_expect_eq(change_group("a/output", OTHER_TEAM), EPERM);
	cr_expect_eq(change_group("a", OTHER_TEAM), EPERM);
	cr_expect_eq(error_of(chown(at("a/output"), BOB, (gid_t)-1)), EPERM);
	for (unsigned i = 0; i < 2; i++) {
		act_in_groups(strangers[i]);
		cr_expect_eq(change_mode("a/output", 0444), EPERM);
		cr_expect_eq(change_group("a/output", strangers[i]), EPERM);
		cr_expect_eq(change_group("a/output", TEAM), EPERM);
	}
	/* Root may; but a file's owner is its session's. */
	act_as(ROOT);
	cr_expect_eq(change_group("a/output", OTHER_TEAM), 0);
	cr_expect_eq(error_of(chown(at("a/output"), BOB, (gid_t)-1)), EPERM);
	/* Another session of that name is nobody's but its owner's. */
	act_in_groups(ANN);
	put_all("a/ctl", "kill\n");
	cr_assert_eq(rmdir(at("a")), 0);
	session_make("a");
	cr_expect_eq(mode_of("a/screen"), 0400);
	cr_expect_eq(group_of("a/screen"), ANN);
}

Test(shares, after_a_servers_death)
{
	make_shared();
	cr_assert_eq(change_group("a", TEAM), 0);
	cr_assert_eq(change_mode("a", 0710), 0);
	for (unsigned i = 0; i < 3; i++) {
		act_as(ROOT);
		kill_server();
		assert_shared();
	}
	cr_expect_eq(group_of("a/screen"), TEAM);
	cr_expect_eq(mode_of("a/screen"), 0440);
	cr_expect_eq(group_of("a"), TEAM);
}
