/* SPDX-License-Identifier: MIT */
/*
 * `ro`, `rw` and the workspace: what is given is there, and nothing else; nobody reaches through
 * a session what they could not reach without it.
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
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(paths, .init = outside_start, .fini = outside_stop, .timeout = 120);

static const uid_t users[] = { ROOT, ANN };

/* A directory d of the owner's with two files and a directory, beside one that nobody asks for. */
static void lay(uid_t owner)
{
	outside_directory(outside("d"), owner, 0755);
	outside_directory(outside("d/sub"), owner, 0755);
	outside_file(outside("d/f"), "inside\n", owner, 0644);
	outside_file(outside("d/sub/g"), "below\n", owner, 0644);
	outside_file(outside("other"), "other\n", owner, 0644);
}

static bool file_there(const void *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

static bool file_gone(const void *path)
{
	return !file_there(path);
}

struct look {
	const char *config; /* $D: the directory */
	const char *command, *output;
};

static char *fill_in(const char *config)
{
	char *whole = text("%s", "");

	for (const char *at; (at = strstr(config, "$D")); config = at + 2)
		whole = text("%s%.*s%s", whole, (int)(at - config), config, outside("d"));
	return text("%s%s", whole, config);
}

static void look_all(uid_t user, const struct look *looks, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int status;
		char *config = fill_in(text("%s\ncommand %s\n", looks[i].config, looks[i].command));
		char *output = session_run_as(user, "a", config, &status);

		cr_expect_str_eq(output, looks[i].output, "user %u, %s: '%s'\n%s", user, config,
				 output, get("a/log", NULL));
		session_remove("a");
	}
}

Test(paths, read_only)
{
	static const struct look looks[] = {
		{ "ro $D", "cat $D/f $D/sub/g", "inside\nbelow\n" },
		{ "ro $D:/srv/x", "cat /srv/x/f /srv/x/sub/g; ls /srv", "inside\nbelow\nx\n" },
		{ "ro $D/f:/srv/y/z/file", "cat /srv/y/z/file; ls -R /srv",
		  "inside\n/srv:\ny\n\n/srv/y:\nz\n\n/srv/y/z:\nfile\n" },
		{ "ro $D//sub/:/srv//x/", "cat /srv/x/g", "below\n" },
		/* by none of the ways to write */
		{ "ro $D:/x",
		  "(echo n > /x/f) 2>&1 | grep -o 'Read-only.*\\|Perm.*'; touch /x/new 2>/dev/null "
		  "|| "
		  "echo 1; chmod 600 /x/f 2>/dev/null || echo 2; touch -d 2001-01-01 /x/f "
		  "2>/dev/null "
		  "|| echo 3; mv /x/f /x/h 2>/dev/null || echo 4; rm -f /x/f 2>/dev/null || echo "
		  "5; "
		  "ln /x/f /tmp/l 2>/dev/null || echo 6; ln /x/f /x/l 2>/dev/null || echo 7; "
		  "/usr/bin/python3 -c \"import os; os.setxattr('/x/f', 'user.a', b'b')\" "
		  "2>/dev/null || echo 8; mkdir /x/m 2>/dev/null || echo 9; "
		  "truncate -s 0 /x/f 2>/dev/null || echo 10; cat /x/f",
		  "Read-only file system\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\ninside\n" },
		/* the parent and what is beside it are not there */
		{ "ro $D/sub", "ls $D; cat $D/f $D/../other 2>/dev/null || echo none",
		  "sub\nnone\n" },
		{ "ro $D:/x", "cat /x/../other /x/sub/../../other 2>/dev/null || echo none",
		  "none\n" },
	};

	for (unsigned i = 0; i < 2; i++) {
		lay(users[i]);
		look_all(users[i], looks, sizeof(looks) / sizeof(*looks));
		cr_expect_str_eq(outside_read(outside("d/f")), "inside\n");
		sh("rm -r $M/../d $M/../other");
	}
}

/* rw for root's own sessions: an id of its own has no rights to root's files but others' rights. */
Test(paths, read_write)
{
	static const struct look looks[] = {
		{ "rw $D:/x",
		  "echo new > /x/n && chmod 600 /x/n && mv /x/n /x/sub/m && cat /x/sub/m",
		  "new\n" },
		{ "rw $D/f:/x", "echo changed >> /x && cat /x", "inside\nchanged\n" },
		{ "rw $D:/x\nro $D/sub:/x/sub",
		  "echo n > /x/n && (echo n > /x/sub/n) 2>/dev/null || echo no; cat /x/sub/g",
		  "no\nbelow\n" },
		{ "ro $D:/x\nrw $D/sub:/x/sub",
		  "(echo n > /x/q) 2>/dev/null || echo no; echo n > /x/sub/n && cat /x/sub/n",
		  "no\nn\n" },
		/* no device, and no set-user-ID file, comes of it */
		{ "rw $D:/x", "mknod /x/null c 1 3 2>/dev/null || echo no; mkfifo /x/p && echo yes",
		  "no\nyes\n" },
		{ "rw $D:/x", "cp /bin/true /x/t; chmod 4755 /x/t 2>/dev/null || echo no", "no\n" },
	};
	struct stat status;

	lay(ANN);
	look_all(ANN, looks, sizeof(looks) / sizeof(*looks));
	cr_expect_str_eq(outside_read(outside("d/sub/m")), "new\n");
	cr_expect_str_eq(outside_read(outside("d/f")), "inside\nchanged\n");
	cr_assert_eq(stat(outside("d/sub/m"), &status), 0);
	cr_expect(status.st_uid == ANN && status.st_gid == ANN, "%u", status.st_uid);
}

/* root's files are not its sessions' to change, not even by rw: they run as somebody else. */
Test(paths, root_is_not_root_inside)
{
	static const struct look looks[] = {
		{ "rw $D:/x", "(echo n > /x/f) 2>/dev/null || echo no; cat /x/f", "no\ninside\n" },
		{ "rw $D:/x", "cat /x/closed 2>/dev/null || echo no", "no\n" },
		{ "rw $D:/x", "echo n > /x/open && cat /x/open", "n\n" },
	};

	lay(ROOT);
	outside_file(outside("d/closed"), "secret\n", ROOT, 0600);
	outside_file(outside("d/open"), "", ROOT, 0666);
	look_all(ROOT, looks, 3);
}

/* The log names a path that is given to be changed, and cannot be. */
Test(paths, one_that_may_not_be_written_is_told_of)
{
	static const char part[] = ": the session may not write there";
	const char *line = text("path: rw %s%s", outside("d"), part);

	lay(ROOT);
	for (int i = 0; i < 3; i++) {
		uid_t user = i ? ANN : ROOT;

		cr_assert_eq(chown(outside("d"), i == 2 ? ANN : ROOT, 0), 0);
		session_start_as(
			user, "a",
			text("rw %s:/x\nro %s/f:/y\ncommand true\n", outside("d"), outside("d")));
		session_exit("a");
		cr_expect_eq(has(get("a/log", NULL), line), i < 2, "%s", get("a/log", NULL));
		cr_expect_eq(has(get("a/log", NULL), "an id of their own"), i == 0);
		session_remove("a");
	}
}

/* As the manual says: root gives the files to the id that the session has. */
static void work_in_a_clone(const char *config, bool given)
{
	struct stat status;
	char *output;

	fixture_pool_filled();
	session_make("a");
	sh(text("git clone -q %s $M/a/workspace/repo && ln -s %s $M/a/workspace/repo/link",
		outside("origin"), outside("d/f")));
	if (given)
		sh("chown -R --reference=$M/a/workspace/ $M/a/workspace/repo");
	put_all("a/config", config);
	put_all("a/config", "cwd /workspace/repo\ncommand git log --oneline | wc -l; echo n > new; "
			    "git add new && git -c user.name=a -c user.email=a@b commit -qm 2; "
			    "git log --oneline | wc -l\n");
	put_all("a/ctl", "start\n");
	session_exit("a");
	output = plain(get("a/output", NULL));
	if (given)
		cr_expect_str_eq(output, "1\n2\n", "%s: %s", config, output);
	else
		cr_expect(has(output, "dubious ownership"), "%s", output);
	cr_assert_eq(stat(outside("d/f"), &status), 0);
	cr_expect_eq(status.st_uid, ROOT);
	session_remove("a");
}

Test(paths, a_clone_of_roots_in_a_workspace)
{
	lay(ROOT);
	sh(text("git init -q %s && cd %s && echo 1 > f && git add f && git -c user.name=a -c "
		"user.email=a@b commit -qm 1",
		outside("origin"), outside("origin")));
	work_in_a_clone("", true);
	work_in_a_clone(fill_in("ro $D:/x\n"), true);
	work_in_a_clone("", false);
}

/* A set-user-ID program of root's in a path gives nothing. */
Test(paths, set_user_id)
{
	static const struct look looks[] = {
		{ "rw $D:/x", "/x/id -u; /x/id -ur", "1000\n1000\n" },
		{ "ro $D:/x\nseccomp compat", "/x/id -u", "1000\n" },
	};

	lay(ANN);
	sh("cp /usr/bin/id $M/../d/id; chown root $M/../d/id; chmod 4755 $M/../d/id");
	look_all(ANN, looks, 2);
	/* the control */
	cr_expect_str_eq(run_as(ANN, text("%s -u", outside("d/id"))).out, "0\n");
}

/* Refused, and nothing is left; then mended, and started. */
static void refused_and_mended(uid_t user, const char *config, int error)
{
	int status = -1;
	char *output;

	start_refused(user, "a", text("%s:/srv/x\ncommand cat /srv/x\n", config), error,
		      strchr(config, ' ') + 1);
	cr_expect_str_eq(get_value("a/status", "pid") ? get_value("a/status", "pid") : "none",
			 "none");
	put_all("a/config", text("reset\nro %s:/srv/x\ncommand cat /srv/x\n", outside("d/f")));
	put_all("a/ctl", "start\n");
	output = plain(get("a/output", NULL));
	status = session_exit("a");
	cr_expect(status == 0 && !strcmp(output, "inside\n"), "%d %s", status, output);
	session_remove("a");
}

Test(paths, missing)
{
	for (unsigned i = 0; i < 2; i++) {
		lay(users[i]);
		refused_and_mended(users[i], text("ro %s", outside("d/none")), ENOENT);
		refused_and_mended(users[i], text("rw %s", outside("none/none")), ENOENT);
		refused_and_mended(users[i], text("ro %s", outside("d/f/x")), ENOTDIR);
		sh("rm -r $M/../d $M/../other");
	}
}

/* A directory closed to ann, with something that would be open to her. */
Test(paths, owner_may_not_enter)
{
	int status;
	char *output;

	lay(ANN);
	outside_directory(outside("closed"), BOB, 0700);
	outside_directory(outside("closed/sub"), BOB, 0755);
	outside_file(outside("closed/sub/f"), "secret\n", BOB, 0644);
	sh(text("ln -s ../closed/sub/f %s; ln -s ../closed/sub %s; chown -h %d %s %s",
		outside("d/link"), outside("d/dirlink"), ANN, outside("d/link"),
		outside("d/dirlink")));
	refused_and_mended(ANN, text("ro %s", outside("closed/sub/f")), EACCES);
	refused_and_mended(ANN, text("rw %s", outside("closed/sub")), EACCES);
	refused_and_mended(ANN, text("ro %s", outside("d/link")), EACCES);
	refused_and_mended(ANN, text("ro %s", outside("d/dirlink")), EACCES);
	refused_and_mended(ANN, text("ro %s", outside("d/dirlink/f")), EACCES);
	/* the control: its owner may, also by the symlink */
	output = session_run_as(BOB, "b",
				text("ro %s:/srv/x\nro %s:/srv/y\ncommand cat /srv/x /srv/y\n",
				     outside("closed/sub/f"), outside("d/link")),
				&status);
	cr_expect_str_eq(output, "secret\nsecret\n");
	/* root's own are open to root's sessions; those of others need a capability, and it has
	 * none */
	outside_directory(outside("roots"), ROOT, 0700);
	outside_file(outside("roots/f"), "secret\n", ROOT, 0644);
	output = session_run("c", text("ro %s:/srv/x\ncommand cat /srv/x\n", outside("roots/f")),
			     &status);
	cr_expect_str_eq(output, "secret\n");
	refused_and_mended(ANN, text("ro %s", outside("roots/f")), EACCES);
	refused_and_mended(ROOT, text("ro %s", outside("closed/sub/f")), EACCES);
}

/* Links of /proc lead elsewhere than their text says: past the rights of whoever follows them. */
Test(paths, magic_links)
{
	static const char *const links[] = { "/proc/self/root", "/proc/1/root", "/proc/self/cwd",
					     "/proc/thread-self/root", "/proc/self/fd/3" };
	static const char *const ordinary[] = { "/proc/self/root", "/proc/self/cwd" };

	lay(ANN);
	for (unsigned i = 0; i < sizeof(links) / sizeof(*links); i++)
		for (unsigned u = 0; u < 2; u++) {
			char *name = text("m%u-%u", i, u);
			ssize_t result;

			act_as(users[u]);
			session_make(name);
			put_all(text("%s/config", name),
				text("ro %s%s:/srv/x\n", links[i], i == 4 ? "" : outside("other")));
			result = put(text("%s/ctl", name), "start\n");
			act_as(ROOT);
			cr_expect(result == -ELOOP || result == -EACCES || result == -ENOENT,
				  "%s: %zd", links[i], result);
			if (i == 0 || i == 2 || i == 3)
				cr_expect_eq(result, -ELOOP, "%s: %zd", links[i], result);
			session_remove(name);
		}
	/* the control: outside they are followed */
	for (unsigned i = 0; i < 2; i++)
		cr_expect_eq(access(text("%s/%s", ordinary[i], i ? "." : outside("other")), F_OK),
			     0);
}

/* What is mounted outside after the start is not seen inside, nor the other way round. */
Test(paths, mounts_do_not_propagate)
{
	struct stream output;

	lay(ROOT);
	outside_directory(outside("d/late"), ROOT, 0755);
	sh("mount --bind $M/../d $M/../d && mount --make-shared $M/../d");
	session_start("a", text("ro %s:/x\ncommand echo READY; read x; ls -A /x/late | wc -l; echo "
				"END; read x\n",
				outside("d")));
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	sh("mount -t tmpfs none $M/../d/late && echo > $M/../d/late/seen");
	put_all("a/input", "\n");
	stream_until(&output, "END");
	cr_expect(has(output.data, "\n0\r\n"), "%s", output.data);
	/* the control */
	cr_expect_eq(access(outside("d/late/seen"), F_OK), 0);
	cr_expect(!has(sh("cat /proc/self/mounts"), " /x "));
	put_all("a/input", "\n");
	session_exit("a");
	stream_close(&output);
	sh("umount $M/../d/late; umount $M/../d");
}

/* A sandbox's own places are no place for a path. */
Test(paths, own_places)
{
	static const char *const places[] = { "/",         "/proc", "/proc/x",    "/dev",
					      "/dev/null", "/../x", "/x/../../y", "x" };

	lay(ROOT);
	session_make("a");
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++)
		put_refused("a/config", text("ro %s:%s\n", outside("d"), places[i]), EINVAL);
	/* nor one in a read-only directory that has no such place */
	start_refused(ROOT, "b", text("ro %s:/usr/none/x\n", outside("d")), ENOENT, "/usr/none/x");
	cr_expect_neq(access("/usr/none", F_OK), 0);
}

/* Nothing is mounted by way of a symlink that whoever writes there may have made. */
Test(paths, no_place_behind_a_symlink)
{
	static const struct look looks[] = {
		{ "rw $D:/x\nro $D/f:/x/sub/g", "cat /x/sub/g", "inside\n" },
	};

	lay(ANN);
	sh(text("ln -s sub %s; chown -h %d %s", outside("d/way"), ANN, outside("d/way")));
	start_refused(ANN, "b", fill_in("rw $D:/x\nro $D/f:/x/way/g\n"), ELOOP, "/x/way/g");
	start_refused(ROOT, "c", fill_in("rw $D:/x\nro $D/f:/x/way\n"), ELOOP, "/x/way");
	look_all(ANN, looks, 1); /* the control */
}

/* The workspace */

Test(paths, workspace)
{
	char path[512] = "", other[512] = "";
	struct stat status;
	int result;
	char *output;

	session_start_as(ANN, "a",
			 "command cd /workspace; echo of a > f; ln -s /etc/shadow shadow; "
			 "ln -s ../../../../../../etc/hostname up; echo READY; read x; ls\n");
	session_start_as(ANN, "b", "command read x; ls -A /workspace; cat /workspace/f\n");
	cr_assert_gt(readlink(at("a/workspace"), path, sizeof(path) - 1), 0);
	cr_assert_gt(readlink(at("b/workspace"), other, sizeof(other) - 1), 0);
	cr_assert_str_neq(path, other);
	cr_assert(await(file_there, text("%s/up", path), 20000));
	cr_assert_eq(stat(path, &status), 0);
	cr_expect(status.st_uid == ANN && (status.st_mode & 07777) == 0700, "%o", status.st_mode);
	cr_expect_str_eq(outside_read(text("%s/f", path)), "of a\n");
	/* from outside to the inside, at once */
	outside_file(text("%s/g", other), "from outside\n", ANN, 0644);
	put_all("b/input", "\n");
	output = plain(get("b/output", NULL));
	cr_expect(has(output, "g\n") && !has(output, "of a"), "%s", output);
	put_all("a/input", "\n");
	session_exit("a");
	/* what was made is there until the session is removed, and goes with it */
	cr_expect_eq(access(text("%s/f", path), F_OK), 0);
	session_remove("a");
	cr_assert(await(file_gone, path, 20000), "%s is left", path);
	session_remove("b");
	cr_assert(await(file_gone, other, 20000), "%s is left", other);
	/* symlinks in it lead nowhere but inside: the /etc there */
	output = session_run_as(
		ANN, "c",
		"command cd /workspace; ln -s /root r; ln -s /proc/1/root p; ls r/ p/; "
		"cat p/etc/shadow; ln -s / s; ls s | grep -c workspace\n",
		&result);
	cr_expect(has(output, "'r/': No such file") && has(output, "\n1\n") &&
			  !has(output, "root:"),
		  "%s", output);
}

/* If the host follows no links there, those of a program work inside only. */
Test(paths, workspaces_of_which_the_host_follows_no_links)
{
	static const char config[] = "cwd /workspace\ncommand echo inside > f; ln -s f link; "
				     "ln -s /etc/hostname out; cat link; read x\n";

	outside_directory(outside("ws"), ROOT, 0711);
	fixture_daemon_ended(SIGTERM);
	strcpy(fixture.workspaces, outside("ws"));
	for (int i = 0; i < 2; i++) {
		if (i == 1)
			sh(text("mount --bind %s %s && mount -o remount,bind,nosymfollow %s",
				outside("ws"), outside("ws"), outside("ws")));
		fixture_daemon(NULL);
		session_start_as(ANN, "a", config);
		sh("cat $M/a/wait/match@0:inside");
		/* i == 0: the control */
		cr_expect_eq(run_as(ANN, "cat $M/a/workspace/out").status, i);
		cr_expect_eq(run_as(ANN, "echo x > $M/a/workspace/link").status != 0, i);
		cr_expect_eq(run_as(ANN, "cat $M/a/workspace/f").status, 0);
		put_all("a/input", "\n");
		cr_expect_eq(session_exit("a"), 0);
		session_remove("a");
		fixture_daemon_ended(SIGTERM);
	}
	sh(text("umount %s", outside("ws")));
	fixture_daemon(NULL);
}

/* Who could make names among the workspaces could lead the daemon elsewhere; none are listed. */
Test(paths, workspaces_are_the_daemons_own)
{
	static const struct {
		uid_t owner;
		mode_t mode;
	} others[] = { { ANN, 0755 }, { ROOT, 0775 }, { ROOT, 0757 }, { ROOT, 01777 } };
	const char *other = text("%s/other", fixture.dir);
	struct stat status;

	cr_assert_eq(stat(fixture.workspaces, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0711, "%o", status.st_mode);
	cr_expect_neq(run_as(ANN, text("ls %s", fixture.workspaces)).status, 0);
	cr_assert_eq(mkdir(other, 0755), 0);
	for (unsigned i = 0; i <= sizeof(others) / sizeof(*others); i++) {
		const char *path = outside("others-%u", i);
		struct run refused;

		if (i < sizeof(others) / sizeof(*others))
			outside_directory(path, others[i].owner, others[i].mode);
		else
			cr_assert_eq(symlink(fixture.workspaces, path), 0);
		refused = run((const char *const[]){ mimoboxfs(), "--spool", fixture.spool,
						     "--workspaces", path, other, NULL });
		cr_expect_eq(refused.status, 1, "%s: %d", path, refused.status);
		cr_expect(has(refused.err, "workspaces"), "%s", refused.err);
		if (refused.status == 0)
			sh(text("fusermount3 -u %s", other));
	}
}

/* A symlink that a sandbox made is not followed when its workspace is removed. */
Test(paths, removal_follows_no_link)
{
	char path[512] = "";
	int status;

	lay(ANN);
	session_start_as(
		ANN, "a",
		text("command cd /workspace; ln -s %s d; ln -s %s/f f; mkdir -p x/y; chmod 0 "
		     "x\n",
		     outside("d"), outside("d")));
	status = session_exit("a");
	cr_assert_eq(status, 0);
	cr_assert_gt(readlink(at("a/workspace"), path, sizeof(path) - 1), 0);
	session_remove("a");
	cr_assert(await(file_gone, path, 20000), "%s is left", path);
	cr_expect_str_eq(outside_read(outside("d/sub/g")), "below\n");
	cr_expect_str_eq(outside_read(outside("d/f")), "inside\n");
}

/*
 * A mount at m below `directory`, whose path is made longer after that by `levels` directories.
 * Anybody can do so who can mount anything; here root does it, which takes no FUSE.
 */
static void mount_deep(const char *directory, const char *mount, unsigned levels)
{
	char level[5 + 250] = "new/";

	memset(level + 4, ' ', sizeof(level) - 5);
	outside_directory(directory, ROOT, 0755);
	sh(text("mount -t tmpfs -o mode=755 none %s && mkdir -p %s/d/m && %s %s/d/m", directory,
		directory, mount, directory));
	cr_assert_eq(chdir(directory), 0);
	for (unsigned i = 0; i < levels; i++) {
		cr_assert_eq(mkdir("new", 0755), 0);
		cr_assert_eq(rename("d", level), 0);
		cr_assert_eq(rename("new", "d"), 0);
	}
	cr_assert_eq(chdir("/"), 0);
}

/* Lines of mountinfo of that length; the longer are more than the memory of the session. */
Test(paths, others_mounts_of_any_length)
{
	static const struct {
		unsigned levels;
		const char *limits;
		bool by_number;
	} rows[] = { { 45, "", false }, { 24000, "memory 16M\n", true } };
	static const struct look looks[] = {
		{ "ro $D:/x", "cat /x/f", "inside\n" },
		{ "rw $D:/x", "echo n > /x/n && cat /x/n", "n\n" },
	};

	lay(ANN);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].by_number && syscall(457, NULL, NULL, 0, 0) < 0 && errno == ENOSYS)
			continue;
		mount_deep(outside("deep%u", i), "mount -t tmpfs none", rows[i].levels);
		sh(text("[ $(wc -c < /proc/self/mountinfo) -gt %u ]", 1000 * rows[i].levels));
		for (unsigned l = 0; l < sizeof(looks) / sizeof(*looks); l++) {
			struct look look = looks[l];

			look.config = text("%s%s", rows[i].limits, look.config);
			look_all(ANN, &look, 1);
		}
		sh(text("umount -l %s", outside("deep%u", i)));
	}
}

/* A session filesystem below a path is covered; where its own path is too long, it is refused. */
Test(paths, session_filesystems_of_any_length)
{
	int status;
	char *output;

	lay(ANN);
	mount_deep(outside("short"), text("mount --bind %s", fixture.mount), 0);
	mount_deep(outside("long"), text("mount --bind %s", fixture.mount), 45);
	output = session_run_as(ANN, "a",
				text("ro %s:/x\ncommand ls -A /x/d/m | wc -l\n", outside("short")),
				&status);
	cr_expect_str_eq(output, "0\n");
	cr_expect_str_neq(sh(text("ls -A %s | wc -l", outside("short/d/m"))), "0\n");
	start_refused(ANN, "b", text("ro %s:/x\n", outside("long")), EPERM,
		      "a session filesystem is no part of a sandbox");
	/* one that is elsewhere holds nobody up */
	output = session_run_as(ANN, "c", text("ro %s:/x\ncommand cat /x/f\n", outside("d")),
				&status);
	cr_expect_str_eq(output, "inside\n");
	sh(text("umount -l %s; umount -l %s", outside("short"), outside("long")));
}

/* btrfs */

/* By the numbers of ioctl(2): SUBVOL_CREATE, SUBVOL_CREATE_V2, SNAP_CREATE_V2, and FICLONE. */
#define SUBVOLUMES                                                                                \
	"import fcntl, os, struct\n"                                                              \
	"top = os.open('.', os.O_RDONLY)\n"                                                       \
	"def attempt(name, request, argument):\n"                                                 \
	"    try:\n"                                                                              \
	"        fcntl.ioctl(top, request, bytearray(argument))\n"                                \
	"        print(name, 'made')\n"                                                           \
	"    except OSError as error:\n"                                                          \
	"        print(name, error.errno)\n"                                                      \
	"attempt('create', 0x5000940e, struct.pack('q4088s', 0, b'one'))\n"                       \
	"attempt('create2', 0x50009418, struct.pack('qQQ32s4040s', 0, 0, 0, b'', b'two'))\n"      \
	"attempt('snapshot', 0x50009417, struct.pack('qQQ32s4040s', top, 0, 0, b'', b'three'))\n" \
	"open('a', 'w').write('x' * 65536)\n"                                                     \
	"a, b = open('a'), open('b', 'w')\n"                                                      \
	"fcntl.ioctl(b, 0x40049409, a.fileno())\n"                                                \
	"print('clone', os.stat('b').st_size)\n"

static bool can_mount_btrfs(void)
{
	return run_shell("sh",
			 text("grep -qw btrfs /proc/filesystems && cd %s && "
			      "truncate -s 128M btrfs && mkfs.btrfs -q btrfs && mkdir btrfs.d && "
			      "mount -o loop btrfs btrfs.d",
			      fixture.dir))
		       .status == 0;
}

/* A subvolume that was made from outside stays, and holds nothing up. */
Test(paths, a_subvolume_from_outside)
{
	char path[512] = "";
	int status;

	if (!can_mount_btrfs())
		cr_skip_test("no mkfs.btrfs(8), no loop device, or no btrfs in the kernel");
	fixture_daemon_ended(SIGTERM);
	strcpy(fixture.workspaces, outside("btrfs.d/w"));
	fixture_daemon(NULL);
	session_run_as(ANN, "a", "command mkdir /workspace/d; echo 1 > /workspace/d/f\n", &status);
	cr_assert_gt(readlink(at("a/workspace"), path, sizeof(path) - 1), 0);
	sh(text("btrfs -q subvolume create %s/sub && echo 1 > %s/sub/f && "
		"btrfs -q subvolume snapshot -r %s/sub %s/d/closed",
		path, path, path, path));
	session_remove("a");
	cr_expect(await(file_gone, text("%s/d/f", path), 20000));
	session_run_as(ANN, "b", "command true\n", &status);
	session_remove("b");
	fixture.crashed = true; /* these stay */
	fixture_daemon_ended(SIGTERM);
	cr_expect_str_eq(sh(text("cd %s; find . -name f -o -type d | sort", path)),
			 ".\n./d\n./d/closed\n./d/closed/f\n./sub\n./sub/f\n");
	sh(text("btrfs -q subvolume delete %s/sub %s/d/closed && umount %s", path, path,
		outside("btrfs.d")));
}

/* Nobody makes a subvolume in a workspace, where it would stay for good. */
Test(paths, no_subvolumes)
{
	char path[512] = "";
	int status;
	char *output;

	if (!can_mount_btrfs())
		cr_skip_test("no mkfs.btrfs(8), no loop device, or no btrfs in the kernel");
	outside_directory(outside("btrfs.d/own"), ANN, 0755);
	outside_file(outside("btrfs.d/make.py"), SUBVOLUMES, ROOT, 0644);
	/* the control */
	output = run_as(ANN, text("cd %s && python3 ../make.py", outside("btrfs.d/own"))).out;
	cr_expect(has(output, "create made\ncreate2 made\n") && has(output, "clone 65536\n"), "%s",
		  output);
	fixture_daemon_ended(SIGTERM);
	strcpy(fixture.workspaces, outside("btrfs.d/w"));
	fixture_daemon(NULL);
	output = session_run_as(ANN, "a",
				text("cwd /workspace\nro %s:/make.py\ncommand python3 /make.py\n",
				     outside("btrfs.d/make.py")),
				&status);
	cr_expect_str_eq(output, "create 1\ncreate2 1\nsnapshot 1\nclone 65536\n", "%s", output);
	cr_assert_gt(readlink(at("a/workspace"), path, sizeof(path) - 1), 0);
	session_remove("a");
	cr_expect(await(file_gone, path, 20000));
	fixture_daemon_ended(SIGTERM);
	sh(text("umount %s", outside("btrfs.d")));
}
