/* SPDX-License-Identifier: MIT */
/*
 * Labels: extended attributes of a session's directory. Who has them, what they bound, that other
 * programs find them, and that they outlive a server.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

enum { MOST = 4096, RESTART_MS = 10000 };

static void start(void)
{
	fixture_prepare();
	chmod(fixture.dir, 0755);
	fixture_daemon(NULL);
}

TestSuite(labels, .init = start, .fini = fixture_stop, .timeout = 120);

/* Runs it to its end. */
static void ran(const char *name, const char *config)
{
	int status;

	(void)session_run(name, config, &status);
}

/* 0 or -errno. */
static int set(const char *path, const char *name, const char *value, int flags)
{
	return setxattr(at("%s", path), name, value, strlen(value), flags) ? -errno : 0;
}

static const char *value_of(const char *path, const char *name)
{
	char value[MOST];
	ssize_t size = getxattr(at("%s", path), name, value, sizeof(value));

	return size < 0 ? text("%s", strerrorname_np(errno)) : text("%.*s", (int)size, value);
}

static const char *names_of(const char *path)
{
	char names[MOST];
	ssize_t size = listxattr(at("%s", path), names, sizeof(names));

	for (ssize_t i = 0; i < size; i++)
		if (!names[i])
			names[i] = ' ';
	return size < 0 ? text("%s", strerrorname_np(errno)) : text("%.*s", (int)size, names);
}

Test(labels, are_set_read_listed_and_removed)
{
	session_make("a");
	session_make("b");
	cr_expect_str_eq(names_of("a"), "");
	cr_expect_str_eq(value_of("a", "user.team"), "ENODATA");
	cr_expect_eq(set("a", "user.team", "blue", 0), 0);
	cr_expect_eq(set("a", "user.empty", "", 0), 0);
	cr_expect_eq(set("a", "user.team", "red and green", 0), 0);
	cr_expect_str_eq(value_of("a", "user.team"), "red and green");
	cr_expect_str_eq(value_of("a", "user.empty"), "");
	cr_expect_str_eq(names_of("a"), "user.empty user.team ");
	cr_expect_eq(set("a", "user.team", "x", XATTR_CREATE), -EEXIST);
	cr_expect_eq(set("a", "user.none", "x", XATTR_REPLACE), -ENODATA);
	cr_expect_eq(set("a", "user.team", "x", XATTR_REPLACE), 0);
	cr_expect_str_eq(names_of("b"), "", "another session has none");
	cr_expect_eq(removexattr(at("a"), "user.empty"), 0);
	cr_expect_eq(removexattr(at("a"), "user.empty"), -1);
	cr_expect_eq(errno, ENODATA);
	cr_expect_str_eq(names_of("a"), "user.team ");
	sh("rmdir $M/a; mkdir $M/a");
	cr_expect_str_eq(names_of("a"), "", "they went with their session");
}

/* Any byte may be in a value; a buffer that is too small is told of. */
Test(labels, values_are_bytes)
{
	static const char bytes[] = "\0\377\n\"x";
	char value[64];

	session_make("a");
	cr_assert_eq(setxattr(at("a"), "user.b", bytes, sizeof(bytes), 0), 0);
	cr_assert_eq(getxattr(at("a"), "user.b", NULL, 0), (ssize_t)sizeof(bytes));
	cr_assert_eq(getxattr(at("a"), "user.b", value, sizeof(value)), (ssize_t)sizeof(bytes));
	cr_assert_eq(memcmp(value, bytes, sizeof(bytes)), 0);
	cr_assert_eq(getxattr(at("a"), "user.b", value, 3), -1);
	cr_assert_eq(errno, ERANGE);
	cr_assert_eq(listxattr(at("a"), value, 3), -1);
	cr_assert_eq(errno, ERANGE);
}

/* A session's directory has them alone, and only those of users. */
Test(labels, of_sessions_alone)
{
	static const char *const paths[] = { "", "stats", "a/config", "a/wait" };

	session_make("a");
	for (unsigned i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		cr_expect_eq(set(paths[i], "user.x", "1", 0), -EOPNOTSUPP, "%s", paths[i]);
		cr_expect_str_eq(names_of(paths[i]), "");
	}
	cr_expect_eq(set("a", "security.x", "1", 0), -EOPNOTSUPP);
	cr_expect_eq(set("a", "trusted.x", "1", 0), -EOPNOTSUPP);
	cr_expect_eq(set("a", "user.", "1", 0), -EOPNOTSUPP);
	cr_expect_str_eq(value_of("a", "security.selinux"), "EOPNOTSUPP");
	cr_expect_eq(set("a", "user.x", "1", 0), 0, "the kernel still asks");
}

Test(labels, are_bounded)
{
	char value[MOST + 1];

	session_make("a");
	memset(value, 'x', sizeof(value));
	cr_assert_eq(setxattr(at("a"), "user.x", value, MOST - 5, 0), -1);
	cr_assert_eq(errno, ENOSPC);
	cr_assert_eq(setxattr(at("a"), "user.x", value, MOST - 6, 0), 0);
	cr_assert_eq(set("a", "user.y", "", 0), -ENOSPC);
	cr_assert_eq(getxattr(at("a"), "user.x", NULL, 0), MOST - 6, "as it was");
	cr_assert_eq(setxattr(at("a"), "user.x", value, MOST - 12, 0), 0);
	cr_assert_eq(set("a", "user.y", "", 0), 0);
	cr_assert_eq(set("a", "user.y", "1", 0), -ENOSPC);
}

static struct run as_ann(const char *script)
{
	return run((const char *const[]){ "setpriv", "--reuid", "23451", "--regid", "23451",
					  "--clear-groups", "sh", "-c", script, NULL });
}

/* Even where the mode of the directory lets others in. */
Test(labels, are_the_owners)
{
	struct run denied;

	session_make("a");
	cr_assert_eq(set("a", "user.team", "blue", 0), 0);
	sh("chmod 777 $M/a");
	cr_expect_str_eq(as_ann("getfattr --absolute-names -d $M/a").out, "");
	cr_expect(has(as_ann("getfattr --absolute-names -n user.team $M/a").err, "No such attr"));
	denied = as_ann("setfattr -n user.team -v red $M/a");
	cr_expect(has(denied.err, "Operation not permitted"), "%s", denied.err);
	cr_expect(has(as_ann("setfattr -x user.team $M/a").err, "Operation not permitted"));
	cr_expect_str_eq(value_of("a", "user.team"), "blue");
	cr_expect_eq(as_ann("mkdir $M/b; setfattr -n user.team -v red $M/b").status, 0);
	cr_expect(has(as_ann("getfattr --absolute-names -d $M/b").out, "user.team=\"red\""));
	cr_expect_str_eq(value_of("b", "user.team"), "red", "root sees all");
}

Test(labels, other_programs_know_them)
{
	ran("a", "command echo hello\n");
	session_make("b");
	sh("setfattr -n user.team -v blue $M/a; setfattr -n user.team -v red $M/b");
	cr_expect(has(sh("cd $M; timeout 20 getfattr -R -d ."),
		      "# file: a\nuser.team=\"blue\"\n\n# file: b\nuser.team=\"red\"\n"));
	/* `input` is for writing alone. */
	cr_expect(has(run_shell("sh", "cp -a $M/a $M/../copy").err, "a/input' for reading"));
	cr_expect(has(sh("cd $M/..; getfattr -d copy"), "user.team=\"blue\""));
	sh("mkdir $M/../synced; rsync -aX --exclude '/*/*' $M/a $M/b $M/../synced/");
	cr_expect(has(sh("cd $M/../synced; getfattr -d a b"), "user.team=\"blue\""));
	cr_expect(has(sh("cd $M/../synced; getfattr -d a b"), "user.team=\"red\""));
	cr_expect(has(sh("cat $M/../copy/transcript"), "hello"));
	cr_expect_eq(run_shell("sh", "ls -lA --color=always $M/a").err_size, 0);
}

static bool is_another(const void *before)
{
	pid_t now = fixture_server();

	return now && now != *(const pid_t *)before;
}

Test(labels, outlive_the_server)
{
	pid_t server = fixture_server();

	session_make("a");
	session_make("b");
	cr_assert_eq(set("a", "user.team", "blue", 0), 0);
	cr_assert_eq(set("a", "user.gone", "x", 0), 0);
	cr_assert_eq(removexattr(at("a"), "user.gone"), 0);
	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert(await(is_another, &server, RESTART_MS));
	cr_expect_str_eq(names_of("a"), "user.team ");
	cr_expect_str_eq(value_of("a", "user.team"), "blue");
	cr_expect_str_eq(names_of("b"), "");
	cr_assert_eq(set("b", "user.team", "red", 0), 0);
	sh(text("%s --replace $M", mimoboxfs()));
	cr_expect_str_eq(value_of("a", "user.team"), "blue");
	cr_expect_str_eq(value_of("b", "user.team"), "red");
}
