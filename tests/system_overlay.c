/* SPDX-License-Identifier: MIT */
/*
 * `overlay`: what a session changes there is its own, `changes` lists it exactly, `apply` brings it
 * to the host or does nothing, and nobody reaches by it what they could not reach without it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(overlay, .init = outside_start, .fini = outside_stop, .timeout = 120);

static const uid_t users[] = { ROOT, ANN };

static void lay(uid_t owner)
{
	outside_directory(outside("p"), owner, 0755);
	outside_directory(outside("p/sub"), owner, 0755);
	outside_file(outside("p/f"), "one\n", owner, 0600);
	outside_file(outside("p/g"), "two\n", owner, 0644);
	outside_file(outside("p/sub/h"), "three\n", owner, 0644);
}

static void clear(void)
{
	sh("rm -rf $M/../p");
}

/* The session has ended, and is there still. */
static char *run_overlay(uid_t user, const char *name, const char *command)
{
	int status;
	char *output = session_run_as(
		user, name, text("overlay %s:/x\nterminal no\ncommand %s\n", outside("p"), command),
		&status);

	cr_expect_eq(status, 0, "%d %s %s", status, output, get(text("%s/stderr", name), NULL));
	return output;
}

static ssize_t verb(uid_t user, const char *name, const char *line)
{
	act_as(user);
	ssize_t result = put(text("%s/ctl", name), line);
	act_as(ROOT);
	return result;
}

static char *changes(uid_t user, const char *name)
{
	act_as(user);
	char *all = get(text("%s/changes", name), NULL);
	act_as(ROOT);
	return all;
}

/* All that can be told of it. */
static char *facts(void)
{
	return sh("cd $M/../p && find . -printf '%p %y %m %s %T@ %l\\n' | sort && "
		  "find . -type f -exec sha1sum {} + | sort");
}

static void remove_as(uid_t user, const char *name)
{
	act_as(user);
	cr_assert_eq(rmdir(at("%s", name)), 0);
	act_as(ROOT);
}

Test(overlay, anything_is_as_the_session_saw_it, .timeout = 600)
{
	sh("cp -r $SOURCE/tests/overlay $M/../tool; chmod -R a+rX $M/../tool");
	for (unsigned i = 0; i < 2; i++) {
		struct run result =
			run_for(240, (const char *const[]){ "python3", outside("tool/property.py"),
							    fixture.mount, fixture.dir,
							    i ? "1000" : "0", i ? "1020" : "20",
							    text("%d", users[i]), NULL });

		cr_expect_eq(result.status, 0, "%s%s", result.out, result.err);
	}
}

Test(overlay, the_host_stays_as_it_is)
{
	for (unsigned i = 0; i < 2; i++) {
		lay(users[i]);
		char *before = facts();
		char *output = run_overlay(users[i], "a",
					   "cd /x; cat f; echo more >> f; rm -r sub g; mkdir new; "
					   "echo n > new/n; cat f; ls");

		cr_expect_str_eq(output, "one\none\nmore\nf\nnew\n");
		cr_expect_str_eq(facts(), before);
		cr_expect_str_eq(changes(users[i], "a"),
				 "M /x/f\nD /x/g\nA /x/new\nA /x/new/n\nD /x/sub\nD /x/sub/h\n");
		cr_expect_str_eq(get_value("a/status", "overlays"), "1");
		cr_expect(access(get_value("a/status", "changes-directory"), F_OK) == 0);
		remove_as(users[i], "a");
		cr_expect_str_eq(facts(), before);
		clear();
	}
}

/* Also while it runs, and to its owner alone. */
Test(overlay, changes_at_any_time)
{
	lay(ANN);
	session_start_as(ANN, "a",
			 text("overlay %s:/x\nterminal no\ncommand echo n > '/x/a\tb'; echo 1; "
			      "read x; rm /x/g; echo 2; read x\n",
			      outside("p")));
	get("a/wait/match@0:1", NULL);
	cr_expect_str_eq(changes(ANN, "a"), "A /x/a\\011b\n");
	act_as(BOB);
	cr_expect_lt(can_open("a/changes", O_RDONLY), 0);
	act_as(ROOT);
	put_all("a/input", "\n");
	get("a/wait/match@0:2", NULL);
	cr_expect_str_eq(changes(ANN, "a"), "A /x/a\\011b\nD /x/g\n");
	/* what runs is not touched */
	cr_expect_eq(verb(ANN, "a", "apply\n"), -EBUSY);
	cr_expect_eq(verb(ANN, "a", "discard\n"), -EBUSY);
	cr_expect(has(get("a/log", NULL), "apply: the session runs"));
	put_all("a/ctl", "kill\n");
	session_exit("a");
	cr_expect_eq(verb(ANN, "a", "apply\n"), 6);
	cr_expect_str_eq(sh("ls $M/../p"), "a\tb\nf\nsub\n");
	remove_as(ANN, "a");
}

/* However much comes and goes meanwhile. */
Test(overlay, changes_of_what_is_at_work)
{
	lay(ANN);
	session_start_as(
		ANN, "a",
		text("overlay %s:/x\nterminal no\ncommand cd /x; echo 1; while :; do mkdir -p "
		     "d/e; echo n > d/e/f; echo n > g; rm -r d; mkfifo d; rm d g; done\n",
		     outside("p")));
	get("a/wait/match@0:1", NULL);
	act_as(ANN);
	for (unsigned i = 0; i < 100; i++) {
		int fd = open(at("a/changes"), O_RDONLY);
		char line[4096];

		cr_assert_geq(read(fd, line, sizeof(line)), 0, "%s\n%s", strerror(errno),
			      get("a/log", NULL));
		close(fd);
	}
	act_as(ROOT);
	put_all("a/ctl", "kill\n");
	session_exit("a");
	remove_as(ANN, "a");
}

Test(overlay, parts)
{
	for (unsigned i = 0; i < 2; i++) {
		lay(users[i]);
		run_overlay(users[i], "a",
			    "cd /x; echo 1 > f; rm -r sub; mkdir -p new/deep; echo 2 > new/deep/a; "
			    "echo 3 > new/b; echo 4 > 'new/c d'; echo 5 > g");
		cr_expect_eq(verb(users[i], "a", "apply /x/new/deep\n"), 18);
		cr_expect_str_eq(sh("cd $M/../p; find | sort"),
				 ".\n./f\n./g\n./new\n./new/deep\n./new/deep/a\n./sub\n./sub/h\n");
		cr_expect_gt(verb(users[i], "a", "discard /x/new/c\\040d\n"), 0);
		cr_expect_gt(verb(users[i], "a", "discard /x/sub/h\n"), 0);
		cr_expect_str_eq(changes(users[i], "a"), "M /x/f\nM /x/g\nA /x/new/b\n");
		cr_expect_eq(verb(users[i], "a", "apply /x/none\n"), -ENOENT);
		cr_expect_eq(verb(users[i], "a", "apply /y\n"), -ENOENT);
		cr_expect_eq(verb(users[i], "a", "apply x\n"), -EINVAL);
		cr_expect_eq(verb(users[i], "a", "apply /x/../y\n"), -EINVAL);
		cr_expect_gt(verb(users[i], "a", "apply /x/new\n"), 0);
		cr_expect_gt(verb(users[i], "a", "discard /x/g\n"), 0);
		cr_expect_gt(verb(users[i], "a", "apply /\n"), 0);
		cr_expect_str_eq(sh("cd $M/../p; find | sort; cat f g sub/h new/b new/deep/a"),
				 ".\n./f\n./g\n./new\n./new/b\n./new/deep\n./new/deep/a\n./sub\n"
				 "./sub/h\n1\ntwo\nthree\n3\n2\n");
		cr_expect_str_eq(changes(users[i], "a"), "");
		remove_as(users[i], "a");
		clear();
	}
}

Test(overlay, discarded)
{
	lay(ANN);
	char *before = facts();
	run_overlay(ANN, "a", "cd /x; echo 1 > f; rm -r sub; mkdir new; echo 2 > new/a");
	cr_expect_eq(verb(ANN, "a", "discard\n"), 8);
	cr_expect_str_eq(changes(ANN, "a"), "");
	cr_expect_eq(verb(ANN, "a", "apply\n"), 6);
	cr_expect_str_eq(facts(), before);
	remove_as(ANN, "a");
}

/* Each is a change of the host's after the start, and what the session did there. */
Test(overlay, conflicts)
{
	static const struct {
		const char *session, *host, *path;
	} cases[] = {
		{ "echo s > /x/f", "echo h > f", "/x/f" },
		{ "echo s > /x/f", "chmod 644 f", "/x/f" },
		{ "echo s > /x/f", "touch -d 2001-01-01 f", "/x/f" },
		{ "echo s > /x/f", "mv f f2; echo h > f", "/x/f" },
		{ "echo s >> /x/f", "rm f", "/x/f" },
		{ "rm /x/f", "echo h > f", "/x/f" },
		{ "rm -r /x/sub", "echo h > sub/i", "/x/sub" },
		{ "rm -r /x/sub", "echo h > sub/h", "/x/sub/h" },
		{ "rm -r /x/sub; echo s > /x/sub", "echo h > sub/h", "/x/sub/h" },
		{ "echo s > /x/n", "echo h > n", "/x/n" },
		{ "mkdir /x/n", "echo h > n", "/x/n" },
		{ "echo s > /x/sub/h", "mv sub other; mkdir sub; echo h > sub/h", "/x/sub/h" },
		{ "echo s > /x/sub/h", "mv sub other", "/x/sub" },
		{ "chmod 700 /x/sub", "chmod 750 sub", "/x/sub" },
		{ "echo s > /x/f; echo s > /x/g", "echo h > g", "/x/g" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lay(ANN);
		run_overlay(ANN, "a", cases[i].session);
		sh(text("cd $M/../p; %s", cases[i].host));
		char *before = facts();

		cr_expect_eq(verb(ANN, "a", "apply\n"), -ESTALE, "%s", cases[i].session);
		cr_expect(has(get("a/log", NULL), text("apply: %s: it has changed", cases[i].path)),
			  "%s\n%s", cases[i].path, get("a/log", NULL));
		cr_expect_str_eq(facts(), before);
		remove_as(ANN, "a");
		clear();
	}
	/* the control: what it does not touch may change */
	lay(ANN);
	run_overlay(ANN, "a", "echo s > /x/f; rm /x/sub/h");
	sh("cd $M/../p; echo h > g; echo h > new");
	cr_expect_eq(verb(ANN, "a", "apply\n"), 6, "%s", get("a/log", NULL));
	cr_expect_str_eq(sh("cd $M/../p; cat f g new; ls sub"), "s\nh\nh\n");
	remove_as(ANN, "a");
}

Test(overlay, refused)
{
	static const struct {
		const char *config;
		int error;
		const char *part;
	} cases[] = {
		{ "overlay %s/none:/x", ENOENT, "none" },
		{ "overlay %s/p/f:/x", ENOTDIR, "/x" },
		{ "overlay %s/closed/sub:/x", EACCES, "closed" },
		{ "overlay %s/m:/x", EPERM, "session filesystem" },
	};

	lay(ANN);
	outside_directory(outside("closed"), BOB, 0700);
	outside_directory(outside("closed/sub"), ANN, 0755);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *dir = strrchr(fixture.mount, '/');
		char *prefix = text("%.*s", (int)(dir - fixture.mount), fixture.mount);
		char *config = text("%s", cases[i].config), *at = strstr(config, "%s");
		config = text("%.*s%s%s\ncommand true\n", (int)(at - config), config, prefix,
			      at + 2);
		start_refused(ANN, "a", config, cases[i].error, cases[i].part);
		remove_as(ANN, "a");
	}
	act_as(ANN);
	session_make("b");
	put_all("b/config", text("overlay %s\n", outside("p")));
	put_refused("b/config", text("overlay %s:/y\n", outside("p")), EINVAL);
	put_all("b/config", "reset\n");
	put_refused("b/ctl", "apply\n", EINVAL);
	put_all("b/config", text("reset\noverlay %s:/x\n", outside("p")));
	put_refused("b/ctl", "apply\n", ESRCH);
	cr_expect_str_eq(get("b/changes", NULL), "");
	act_as(ROOT);
	remove_as(ANN, "b");
}

/* overlayfs would show what a mount covers. */
Test(overlay, mounts_below)
{
	lay(ANN);
	outside_file(outside("p/sub/covered"), "secret\n", ANN, 0644);
	cr_assert_eq(mount("none", outside("p/sub"), "tmpfs", 0, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		start_refused(users[i], "a", text("overlay %s:/x\ncommand true\n", outside("p")),
			      EINVAL, "mount");
		remove_as(users[i], "a");
	}
	cr_assert_eq(umount(outside("p/sub")), 0);
}

/* Files of others are what they are by `ro`: none is read, or changed, that could not be before. */
Test(overlay, files_of_others)
{
	outside_directory(outside("p"), BOB, 0755);
	outside_file(outside("p/open"), "open\n", BOB, 0644);
	outside_file(outside("p/closed"), "secret\n", BOB, 0600);
	outside_directory(outside("p/dir"), BOB, 0711);
	outside_file(outside("p/dir/inner"), "inner\n", BOB, 0644);
	for (unsigned i = 0; i < 2; i++) {
		char *output = run_overlay(
			users[i], "a",
			"cd /x; cat open; cat closed || echo 1; echo n > open || echo 2; echo n > "
			"new || echo 3; ls dir || echo 4; cat dir/inner; rm -f open || echo 5; "
			"chmod 644 closed || echo 6; mv closed c || echo 7; cat closed || echo 8; "
			"true");

		cr_expect_str_eq(output, "open\n1\n2\n3\n4\ninner\n5\n6\n7\n8\n", "%s", output);
		cr_expect_str_eq(changes(users[i], "a"), "");
		remove_as(users[i], "a");
	}
}

/* root's sessions run as an id of their own, and root's files are theirs in an overlay. */
Test(overlay, of_roots)
{
	struct stat status;

	lay(ROOT);
	sh("chown 23462 $M/../p/g; chmod 600 $M/../p/g");
	char *output = run_overlay(ROOT, "a",
				   "cd /x; stat -c %u f; echo s >> f; cat f; echo n > n; "
				   "(cat g || echo no); (echo n > g) || echo no; true");

	cr_expect_str_eq(output, "1000\none\ns\nno\nno\n");
	cr_assert_eq(stat(outside("p/f"), &status), 0);
	cr_expect_str_eq(outside_read(outside("p/f")), "one\n");
	cr_expect_eq(verb(ROOT, "a", "apply\n"), 6);
	cr_assert_eq(stat(outside("p/n"), &status), 0);
	cr_expect(status.st_uid == 0 && status.st_gid == 0, "%u", status.st_uid);
	cr_assert_eq(stat(outside("p/f"), &status), 0);
	cr_expect(status.st_uid == 0 && (status.st_mode & 07777) == 0600);
	cr_expect_str_eq(outside_read(outside("p/f")), "one\ns\n");
	remove_as(ROOT, "a");
}

/* A directory that was there is a link by now, and leads elsewhere: nothing is written there. */
Test(overlay, links_out)
{
	static const char *const swaps[] = {
		"mv sub away; ln -s ../other sub",
		"cd ..; mv p away; ln -s other p",
		"cd ..; mv p away; mkdir p; mkdir p/sub; echo three > p/sub/h",
	};

	for (unsigned i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++) {
		lay(ANN);
		outside_directory(outside("other"), ANN, 0755);
		outside_directory(outside("other/sub"), ANN, 0755);
		outside_file(outside("other/h"), "mine\n", ANN, 0644);
		outside_file(outside("other/f"), "mine\n", ANN, 0644);
		run_overlay(ANN, "a", "echo s > /x/sub/h; echo s > /x/sub/n");
		sh(text("cd $M/../p; %s", swaps[i]));
		char *before = sh("cd $M/../other; find . -printf '%p %s %T@\\n' | sort");

		cr_expect_lt(verb(ANN, "a", "apply\n"), 0, "%s", swaps[i]);
		cr_expect_str_eq(sh("cd $M/../other; find . -printf '%p %s %T@\\n' | sort"),
				 before);
		remove_as(ANN, "a");
		sh("rm -rf $M/../p $M/../other $M/../away");
	}
}

/* What root has put into the upper layer of ann's: set-ID bits go, and devices are refused. */
Test(overlay, no_privileges_come_of_it)
{
	struct stat status;

	lay(ANN);
	run_overlay(ANN, "a", "echo s > /x/suid; echo s > /x/f");
	char *upper = text("%s/0/upper", sh("printf %s $M/../workspaces/a-*.changes"));
	sh(text("chmod 6755 %s/suid", upper));
	cr_expect_eq(verb(ANN, "a", "apply\n"), 6);
	cr_assert_eq(stat(outside("p/suid"), &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0755, "%o", status.st_mode);
	sh(text("mknod %s/device c 1 3", upper));
	cr_expect_eq(verb(ANN, "a", "apply\n"), -EPERM);
	cr_expect_lt(lstat(outside("p/device"), &status), 0);
	remove_as(ANN, "a");
}

/* The names that the sandbox shares with the host are what they are by the deeper path. */
Test(overlay, nested)
{
	int status;

	lay(ANN);
	outside_directory(outside("p/.git"), ANN, 0755);
	outside_directory(outside("p/.git/hooks"), ANN, 0755);
	outside_file(outside("p/.git/config"), "config\n", ANN, 0644);
	char *output = session_run_as(
		ANN, "a",
		text("ro %s/.git/hooks:/x/.git/hooks\nro %s/.git/config:/x/.git/config\n"
		     "overlay %s:/x\nrw %s/sub:/x/sub\nterminal no\ncommand cd /x; "
		     "(echo n > .git/hooks/n) || echo 1; (echo n > .git/config) || echo 2; "
		     "mv .git g || echo 3; rm -rf .git || echo 4; echo n > .git/new; "
		     "echo n > sub/n; echo s > f\n",
		     outside("p"), outside("p"), outside("p"), outside("p")),
		&status);
	cr_expect_str_eq(output, "1\n2\n3\n4\n");
	cr_expect_str_eq(changes(ANN, "a"), "A /x/.git/new\nM /x/f\n");
	cr_expect_str_eq(outside_read(outside("p/sub/n")), "n\n");
	cr_expect_eq(verb(ANN, "a", "apply\n"), 6);
	cr_expect_str_eq(sh("cd $M/../p; cat .git/new .git/config f; ls .git/hooks"),
			 "n\nconfig\ns\n");
	remove_as(ANN, "a");
}

/* A disk that is full: nothing has happened. */
Test(overlay, no_room)
{
	outside_directory(outside("p"), ANN, 0755);
	cr_assert_eq(mount("none", outside("p"), "tmpfs", 0, "size=1M,mode=777"), 0);
	outside_file(outside("p/f"), "one\n", ANN, 0600);
	outside_file(outside("p/g"), "two\n", ANN, 0600);
	sh("chown 23461 $M/../p");
	char *before = facts();
	run_overlay(ANN, "a",
		    "cd /x; rm g; echo s > f; mkdir d; head -c 600000 /dev/urandom > d/a; "
		    "head -c 600000 /dev/urandom > d/b");
	cr_expect_eq(verb(ANN, "a", "apply\n"), -ENOSPC, "%s", get("a/log", NULL));
	cr_expect_str_eq(facts(), before);
	cr_expect_gt(verb(ANN, "a", "apply /x/d/a\n"), 0);
	cr_expect_eq(verb(ANN, "a", "apply /x/d/b\n"), -ENOSPC);
	cr_expect_str_eq(sh("ls -A $M/../p $M/../p/d | grep -c '^.mimobox' || true"), "0\n");
	remove_as(ANN, "a");
	/* the process may be on its way out still */
	cr_assert_eq(umount2(outside("p"), MNT_DETACH), 0);
}

/* Deaths */

static bool is_at_work(const void *unused)
{
	(void)unused;
	return run((const char *const[]){ "pgrep", "-x", "mimobox-changes", NULL }).status == 0;
}

static const char many[] =
	"cd /x; mkdir $(seq -f d%g 1500); for i in $(seq 1500); do echo s > f$i; "
	"echo s > d$i/n; done; rm -r sub g";

static const char expected[] =
	"test $(ls | wc -l) = 3001 && test $(cat f[0-9]* d*/n | sort -u) = s && ! ls -A | grep -q "
	"mimobox && ls -d f; test ! -e g";

static int apply_a(const void *unused)
{
	(void)unused;
	act_as(ANN);
	return put("a/ctl", "apply\n") == 6 ? 0 : 1;
}

/* The process is killed twice; a third one goes on. */
Test(overlay, apply_is_killed)
{
	int status;

	lay(ANN);
	run_overlay(ANN, "a", many);
	pid_t client = spawn_function(apply_a, NULL);
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(await(is_at_work, NULL, 5000));
		sh("pkill -KILL -x mimobox-changes");
	}
	cr_assert(ended(client, 30000, &status));
	cr_expect_eq(status, 0, "%s", get("a/log", NULL));
	cr_expect_str_eq(sh(text("cd $M/../p; %s", expected)), "f\n");
	cr_expect_str_eq(changes(ANN, "a"), "");
	remove_as(ANN, "a");
}

/* The next server tells those who wait, and nothing is done twice. */
Test(overlay, the_server_is_killed)
{
	int status;

	lay(ANN);
	run_overlay(ANN, "a", many);
	pid_t client = spawn_function(apply_a, NULL);
	cr_assert(await(is_at_work, NULL, 5000));
	cr_assert_eq(kill(fixture_server(), SIGKILL), 0);
	cr_assert(ended(client, 30000, &status));
	cr_expect_eq(status, 0, "%s", get("a/log", NULL));
	cr_expect_str_eq(sh(text("cd $M/../p; %s", expected)), "f\n");
	remove_as(ANN, "a");
}

/* The client */

static const char project[] =
	"cd $M/..; mkdir p; cd p; git init -q .; git config user.email a@b; git config user.name "
	"n; "
	"mkdir sub; echo one > f; echo two > sub/g; git add -A; git commit -qm one; "
	"git worktree add -q ../tree; export MIMOBOX=$M C=$CLIENT; ";

static char *with_project(const char *script)
{
	return sh(text("%s%s", project, script));
}

Test(overlay, a_project_is_tried_on)
{
	cr_expect_str_eq(with_project("cd sub; $C run --project .. -- sh -c 'pwd | grep -o p/sub; "
				      "cat g; echo s > n' </dev/null 2>../../err; echo $?; ls; "
				      "name=$($C ls -q); $C diff $name | sed s,/.*/p/,,; "
				      "$C diff -u $name | tail -n +3; $C apply $name n; cat n; "
				      "$C diff $name; $C rm $name; grep -c kept ../../err"),
			 "p/sub\ntwo\n0\ng\nA sub/n\n@@ -0,0 +1 @@\n+s\ns\n1\n");
	clear();
	sh("rm -rf $M/../tree");
	cr_expect_str_eq(with_project("$C run --project . --apply -- sh -c 'rm f; echo s > n' "
				      "2>&1 </dev/null | sed s,/.*/p/,,; ls; "
				      "$C run --project . --discard -- sh -c 'rm -r *' 2>&1 "
				      "</dev/null | tail -n 1; ls; $C ls -q; "
				      "$C run --project . -- true; $C ls -q"),
			 "D f\nA n\n2 changes: 1 new, 0 others, 1 gone\nn\nsub\n"
			 "3 changes: 0 new, 0 others, 3 gone\nn\nsub\n");
}

/* What git would run is not the session's to write; a worktree's commit is the repository's. */
Test(overlay, a_project_of_git)
{
	cr_expect_str_eq(with_project("$C run --project . --apply -- sh -c '"
				      "(echo x > .git/hooks/pre-commit) 2>/dev/null || echo 1; "
				      "git config a.b c 2>/dev/null || echo 2; mv .git g "
				      "2>/dev/null || echo 3; echo s >> f; git commit -qam two' "
				      "2>/dev/null </dev/null; git log --format=%s; "
				      "git status --short; git fsck 2>&1; cd ../tree; "
				      "$C run --project . --apply -- sh -c 'echo w > w; git add w; "
				      "git commit -qm three; (echo x > ../p/.git/hooks/x) "
				      "2>/dev/null || echo 4' 2>/dev/null </dev/null; "
				      "git log --format=%s; git status --short; git fsck 2>&1"),
			 "1\n2\n3\ntwo\none\n4\nthree\none\n");
}

/* Nothing is lost where apply is refused. */
Test(overlay, a_project_that_changed)
{
	cr_expect_str_eq(
		with_project("$C run --name a --project . --apply -- sh -c 'echo s > f; mkfifo "
			     "/workspace/go; read x < /workspace/go' </dev/null 2>../err & "
			     "until [ -p $M/a/workspace/go ]; do sleep .05; done; "
			     "$C diff a; echo h > f; echo > $M/a/workspace/go; wait $! || echo $?; "
			     "cat f; $C ls -q; grep -c 'it has changed' ../err"),
		text("M %s\n1\nh\na\n1\n", outside("p/f")));
}

/* By an ordinary user */

static void own_start(void)
{
	outside_prepare();
	cr_assert(chown(fixture.dir, ANN, ANN) == 0 && chown(fixture.mount, ANN, ANN) == 0);
	sh(text("cd %s; mkdir dev; mount -t tmpfs -o mode=755 none dev; mknod dev/fuse c 10 229;"
		"chmod 666 dev/fuse; mount --bind dev/fuse /dev/fuse; cp %s mimoboxfs;"
		"cp %s mimobox; chmod 755 mimoboxfs mimobox",
		fixture.dir, mimoboxfs(), getenv("CLIENT")));
	struct run done =
		run_as(ANN, text("%s/mimoboxfs --spool %s --workspaces %s %s", fixture.dir,
				 fixture.spool, fixture.workspaces, fixture.mount));
	cr_assert_eq(done.status, 0, "%s", done.err);
	fixture_adopt();
}

TestSuite(overlay_own, .init = own_start, .fini = outside_stop, .timeout = 90);

static bool nothing_of_it(const void *unused)
{
	(void)unused;
	return run_shell("sh", "! ls $M/../workspaces | grep -q changes").status == 0;
}

/* Nothing is left of what overlayfs makes for itself, and closes to its owner. */
Test(overlay_own, by_a_user)
{
	lay(ANN);
	struct run done = run_as(
		ANN, text("cd %s; export MIMOBOX=%s; %s/mimobox run --project . --apply -- sh -c "
			  "'echo s >> f; rm -r sub; mkdir n; chmod 0 f; mkdir -m 0 closed' "
			  "2>/dev/null </dev/null; ls; chmod 600 f; cat f; %s/mimobox ls -q",
			  outside("p"), fixture.mount, fixture.dir, fixture.dir));

	cr_expect_str_eq(done.out, "closed\nf\ng\nn\none\ns\n", "%s", done.err);
	cr_expect(await(nothing_of_it, NULL, 5000), "%s", sh("ls -lR $M/../workspaces"));
}
