/* SPDX-License-Identifier: MIT */
/*
 * Sandboxes that are built ahead: each is used once, isolates as one made on demand does, and holds
 * nothing of anybody's while it waits.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

/* What others mount and unmount is none of these tests' business. */
static void prepare(void)
{
	fixture_private_mounts();
	fixture_prepare();
}

TestSuite(pool, .init = prepare, .fini = fixture_stop, .timeout = 120);

static unsigned counter(const char *key)
{
	return (unsigned)strtoul(get_value("stats", key), NULL, 10);
}

static bool ready_is(const void *number)
{
	return counter("pool-ready") == *(const unsigned *)number;
}

static void start_daemon(const char *pool)
{
	const unsigned size = (unsigned)atoi(pool);

	fixture_daemon((const char *const[]){ "--pool", pool, NULL });
	cr_assert(await(ready_is, &size, 15000));
}

/* The daemon's children that wait, and their builders. */
static unsigned waiting(pid_t pids[], unsigned room)
{
	char *list =
		sh(text("for p in $(pgrep -P %d -x mimobox-init); do echo $p; pgrep -P $p; done",
			fixture.daemon));
	unsigned count = 0;

	for (char *at = strtok(list, "\n"); at && count < room; at = strtok(NULL, "\n"))
		pids[count++] = (pid_t)atoi(at);
	return count;
}

Test(pool, counts_and_refills)
{
	const unsigned two = 2;
	int status;

	start_daemon("2");
	for (unsigned i = 1; i <= 6; i++) {
		cr_assert_str_eq(session_run("a", "command echo hi\n", &status), "hi\n");
		cr_assert_eq(status, 0);
		cr_assert_eq(rmdir(at("a")), 0);
		cr_assert_eq(counter("pool-hits"), i);
		cr_assert(await(ready_is, &two, 15000));
	}
	cr_assert_eq(counter("pool-misses"), 0);
}

Test(pool, none)
{
	int status;

	start_daemon("0");
	session_run("a", "command exit 4\n", &status);
	cr_assert_eq(status, 4);
	cr_assert_eq(counter("pool-hits"), 0);
	cr_assert_eq(counter("pool-misses"), 1);
	cr_assert_eq(counter("pool-ready"), 0);
}

/* What it cannot serve is made on demand, and from then on there are such, too. */
Test(pool, follows_what_is_asked_for)
{
	static const char *const kinds[] = { "terminal no\n", "network host\n", "tmp-size 1M\n",
					     "terminals 2\n", "ends last-process\n" };
	const unsigned two = 2;
	int status;

	start_daemon("2");
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		char *config = text("%scommand exit 6\n", kinds[i]);
		unsigned misses = counter("pool-misses"), hits = counter("pool-hits");

		session_run("a", config, &status);
		cr_expect_eq(status, 6, "%s", kinds[i]);
		cr_assert_eq(rmdir(at("a")), 0);
		cr_expect_eq(counter("pool-misses"), misses + 1, "%s", kinds[i]);
		for (int tries = 0; tries < 20 && counter("pool-hits") == hits; tries++) {
			pause_ms(20);
			cr_assert(await(ready_is, &two, 15000));
			session_run("a", config, &status);
			cr_expect_eq(status, 6, "%s", kinds[i]);
			cr_assert_eq(rmdir(at("a")), 0);
		}
		cr_expect_gt(counter("pool-hits"), hits, "%s", kinds[i]);
	}
}

/* Each has processes, an id, a network and a /tmp that nobody had before. */
Test(pool, each_is_used_once)
{
	static const char config[] =
		"command touch /tmp/mine; ls /tmp; readlink /proc/self/ns/net; "
		"cat /proc/self/uid_map; hostname lost 2>/dev/null; hostname\n";
	const char *before = "";
	int status;

	start_daemon("3");
	for (int i = 0; i < 5; i++) {
		char *is = session_run("a", config, &status);

		cr_assert_eq(strncmp(is, "mine\n", 5), 0, "%s", is);
		cr_assert(has(is, "\nmimobox\n"), "%s", is);
		cr_assert_str_neq(is, before);
		cr_assert_eq(rmdir(at("a")), 0);
		before = is;
	}
}

/* What a session's own config wants is so in one that was built before it was known. */
Test(pool, serves_what_a_session_adds)
{
	char *is;

	start_daemon("1");
	session_make("a");
	put_all("a/size", "37 91\n");
	put_all("a/config",
		"memory 100M\nprocesses 33\ncpu 0.5\nopen-files 77\nfile-size 5M\n"
		"env ANSWER=42\ncwd /usr\nargv [\"sh\",\"-c\",\"stty size; pwd; ulimit -n; "
		"ulimit -f; echo $ANSWER; echo here > /workspace/f; "
		"cat /workspace/f; read x\"]\n");
	put_all("a/ctl", "start\n");
	cr_assert_eq(counter("pool-hits"), 1);
	is = sh("cat $M/a/wait/match@0:here >/dev/null; tr -d '\\r' < $M/a/transcript");
	cr_assert_str_eq(is, "37 91\n/usr\n77\n10240\n42\nhere\n");
	is = sh(text("grep -h . $(find /sys/fs/cgroup -path '*mimobox-%d*' \\( -name "
		     "memory.limit_in_bytes -o -name pids.max -o -name cpu.cfs_quota_us -o -name "
		     "memory.max -o -name cpu.max \\)) | sort -u",
		     fixture.daemon));
	cr_assert(has(is, "104857600\n"), "%s", is);
	cr_assert(has(is, "35\n"), "%s", is);
	cr_assert(has(is, "50000"), "%s", is);
	put_all("a/input", "\n");
	session_exit("a");
}

/* All that the kernel tells of a process's confinement, the numbers of this one left out. */
static const char evidence[] =
	"command exec 2>&1; grep -E '^(Seccomp|NoNewPrivs|Cap|Groups|CoreDumping)' "
	"/proc/self/status; cut -d' ' -f4- /proc/self/mountinfo | "
	"sed 's,/workspaces/[^ ]*,W,; s/uid=[0-9]*,gid=[0-9]*//' | sort; "
	"cat /proc/self/cgroup | sed 's/[0-9]*$//'; cat /proc/self/limits; env; "
	"cat /proc/self/comm; ls /proc/self/fd; cat /proc/self/uid_map | sed "
	"'s/2[01][0-9]\\{8\\}/X/'; "
	"id; tty; stat -c '%A %U %n' /tmp /dev/* /workspace\n";

static const char *const profiles[] = { "",           "shell.conf", "python.conf",   "node.conf",
					"build.conf", "agent.conf", "network host\n" };

/* `status`, without what differs from one session to the next. */
static char *in_force(void)
{
	return sh("grep -E '^(seccomp|no-new-privs|caps|landlock|uid|gid|namespace)' $M/a/status | "
		  "sed 's/\\[.*//; s/ 2[01][0-9]\\{8\\}//g'");
}

static char *profile_text(const char *name)
{
	return strstr(name, ".conf") ? sh(text("cat %s/%s", getenv("PROFILES"), name))
				     : text("%s", name);
}

static char *one(const char *profile)
{
	int status;
	char *said, *told;

	session_start("a", text("%s%s", profile, "command read x\n"));
	told = in_force();
	cr_assert_eq(rmdir(at("a")), 0);
	said = session_run("a", text("%s%s", profile, evidence), &status);
	cr_assert_eq(rmdir(at("a")), 0);
	return text("%s%s", told, said);
}

/* Says the first line that differs. */
static void expect_same(const char *profile, const char *warm, const char *cold)
{
	size_t from = 0;

	for (size_t i = 0; warm[i] && warm[i] == cold[i]; i++)
		from = warm[i] == '\n' ? i + 1 : from;
	cr_expect_str_eq(warm, cold, "'%s': warm: %.*s, cold: %.*s", profile,
			 (int)strcspn(warm + from, "\n"), warm + from,
			 (int)strcspn(cold + from, "\n"), cold + from);
}

Test(pool, isolates_as_one_made_on_demand)
{
	const unsigned none = 0, two = 2;
	char *cold[sizeof(profiles) / sizeof(*profiles)];

	start_daemon("0");
	cr_assert(ready_is(&none));
	for (unsigned i = 0; i < sizeof(profiles) / sizeof(*profiles); i++)
		cold[i] = one(profile_text(profiles[i]));
	cr_assert_eq(counter("pool-hits"), 0);
	fixture_daemon_ended(SIGTERM);
	start_daemon("2");
	for (unsigned i = 0; i < sizeof(profiles) / sizeof(*profiles); i++) {
		char *warm = NULL;
		bool served = false;

		for (int tries = 0; tries < 20 && !served; tries++) {
			unsigned hits = counter("pool-hits");

			cr_assert(await(ready_is, &two, 15000));
			pause_ms(20);
			cr_assert(await(ready_is, &two, 15000));
			warm = one(profile_text(profiles[i]));
			served = counter("pool-hits") == hits + 2;
		}
		cr_expect(served, "'%s'", profiles[i]);
		expect_same(profiles[i], warm, cold[i]);
	}
}

/* What it has that is not its own. */
static char *found_in(pid_t pid, const char *search, const char *of_memory, const char *of_daemon)
{
	char *found = text("%s", ""), *descriptors;
	struct run done = run_for(
		60, (const char *const[]){ "python3", search, of_memory, text("%d", pid), NULL });

	if (strcmp(done.out, "0\n") != 0)
		found = text("in memory: %s%s", done.out, done.err);
	descriptors =
		run_shell("sh", text("ls -l /proc/%d/fd | sed 1d | sed 's/.*-> //'", pid)).out;
	for (char *line = strtok(descriptors, "\n"); line; line = strtok(NULL, "\n"))
		if (!has(line, "socket:") && !has(line, "signalfd") && !has(line, "[event") &&
		    strcmp(line, "anon_inode:seccomp notify") && strcmp(line, "/dev/null") &&
		    !has(line, "pts/") && !has(line, "ptmx") && strcmp(line, "/"))
			found = text("%sdescriptor: %s\n", found, line);
	done = run_shell("sh", text("grep -c %s /proc/%d/environ", of_daemon, pid));
	return done.status == 1 ? found : text("%senvironment: %s%s", found, done.out, done.err);
}

/* The `which`th of the processes that wait, looked at until one was there before and after. */
static void expect_nothing_in(unsigned which, const char *search, const char *of_memory,
			      const char *of_daemon)
{
	uint64_t end = now_ms() + 1000 * scaled(SECONDS);
	const unsigned two = 2;
	char *found = text("none has held still");
	bool still = false;

	while (!still && now_ms() < end) {
		pid_t before[16], after[16];
		unsigned count;

		cr_assert(await(ready_is, &two, 15000));
		if (waiting(before, 16) != 4)
			continue;
		found = found_in(before[which], search, of_memory, of_daemon);
		count = waiting(after, 16);
		for (unsigned i = 0; i < count; i++)
			still |= after[i] == before[which];
	}
	cr_expect_str_eq(found, "", "%u: %s", which, found);
	cr_expect(still);
}

/* The daemon's memory has a secret of a session's in it, and its environment has another. */
Test(pool, what_waits_holds_nothing_of_anybody)
{
	static const char search[] =
		"import sys,re\n"
		"found=0\n"
		"mem=open('/proc/%s/mem'%sys.argv[2],'rb',0)\n"
		"for line in open('/proc/%s/maps'%sys.argv[2]):\n"
		"    m=re.match(r'([0-9a-f]+)-([0-9a-f]+) r.*',line)\n"
		"    if not m or 'vvar' in line or 'vsyscall' in line: continue\n"
		"    a,b=int(m[1],16),int(m[2],16)\n"
		"    if b-a>1<<28: continue\n"
		"    try:\n"
		"        mem.seek(a); data=mem.read(b-a)\n"
		"    except OSError: continue\n"
		"    found+=data.count(sys.argv[1].encode())\n"
		"print(found)\n";
	const unsigned two = 2;
	char *secret = text("secret%u", marker()), *other = text("private%u", marker());
	char *script = text("%s/search.py", fixture.dir);
	FILE *file = fopen(script, "we");

	cr_assert(file && fputs(search, file) >= 0 && fclose(file) == 0);
	setenv("DAEMON_SECRET", secret, 1);
	start_daemon("2");
	unsetenv("DAEMON_SECRET");
	session_start("a", text("env TOKEN=%s\ncommand echo $TOKEN; read x\n", other));
	sh(text("cat $M/a/wait/match@0:%s", other));
	cr_assert(await(ready_is, &two, 15000));
	put_all("a/ctl", "kill\n");
	session_exit("a");
	/* A search that finds nothing where there is something proves nothing. */
	cr_assert_gt(atoi(sh(text("python3 %s %s %d", script, other, fixture.server))), 0);
	for (unsigned i = 0; i < 4; i++)
		expect_nothing_in(i, script, other, secret);
	cr_assert_eq(unlink(script), 0);
}

static const char policy[] =
	"argv [\"python3\",\"-c\",\"import ctypes, os, socket\\n"
	"def fork():\\n"
	"    if os.fork() == 0: os._exit(0)\\n"
	"    os.wait()\\n"
	"def inet(): socket.socket(socket.AF_INET, socket.SOCK_STREAM)\\n"
	"def sysv():\\n"
	"    if ctypes.CDLL(None, use_errno=True).shmget(0, 4096, 0o1600) < 0:\\n"
	"        raise OSError(ctypes.get_errno(), 'shmget')\\n"
	"for what in fork, inet, sysv:\\n"
	"    try: what(); print('done', end=' ')\\n"
	"    except OSError as e: print(e.errno, end=' ')\"]\n";

/* One that waits with another policy serves nobody who has not asked for that. */
Test(pool, each_has_the_policy_asked_for)
{
	static const struct {
		const char *config, *says;
	} all[] = {
		{ "", "done done 1 " },
		{ "fork no\n", "1 done 1 " },
		{ "", "done done 1 " },
		{ "seccomp compat\n", "done done done " },
		{ "fork no\nseccomp compat\n", "1 done done " },
		{ "seccomp strict\n", "done 97 1 " },
		{ "seccomp network\n", "done done 1 " },
		{ "seccomp compat\n", "done done done " },
		{ "", "done done 1 " },
	};
	const unsigned two = 2;
	int status;

	start_daemon("2");
	for (unsigned i = 0; i < 2 * sizeof(all) / sizeof(*all); i++) {
		const char *said;

		cr_assert(await(ready_is, &two, 15000));
		said = session_run("a", text("%s%s", all[i / 2].config, policy), &status);
		cr_expect_str_eq(said, all[i / 2].says, "'%s': %s", all[i / 2].config, said);
		cr_assert_eq(rmdir(at("a")), 0);
	}
	cr_expect_gt(counter("pool-hits"), 0);
}

/* Of two that are alike in all else, one is told of its paths later, and the other has none. */
Test(pool, each_has_the_paths_asked_for)
{
	static const char *const paths[] = { "", "ro /usr/share:/srv/x\n" };
	const unsigned two = 2;
	int status;

	start_daemon("2");
	for (unsigned i = 0; i < 12; i++) {
		const char *said;

		cr_assert(await(ready_is, &two, 15000));
		said = session_run("a",
				   text("fork no\nlandlock none\n%sargv [\"python3\",\"-c\","
					"\"import os; print(os.path.isdir('/srv/x'))\"]\n",
					paths[i / 2 % 2]),
				   &status);
		cr_expect_str_eq(said, i / 2 % 2 ? "True\n" : "False\n", "%s", said);
		cr_assert_eq(rmdir(at("a")), 0);
	}
	cr_expect_gt(counter("pool-hits"), 0);
}

/* Nor is it the host's network for one that has not asked for it, or the other way round. */
Test(pool, each_has_the_network_asked_for)
{
	static const struct {
		const char *config;
		bool host;
	} all[] = {
		{ "network host\n", true },
		{ "seccomp network\n", false },
		{ "network host\n", true },
		{ "ro /usr/share:/srv/x\n", false },
		{ "ro /usr/share:/srv/x\nnetwork host\n", true },
		{ "", false },
	};
	const char *host = sh("readlink /proc/self/ns/net");
	const unsigned two = 2;
	int status;

	start_daemon("2");
	for (unsigned i = 0; i < 2 * sizeof(all) / sizeof(*all); i++) {
		const char *said;

		cr_assert(await(ready_is, &two, 15000));
		said = session_run(
			"a", text("%scommand readlink /proc/self/ns/net\n", all[i / 2].config),
			&status);
		cr_expect_eq(strcmp(said, host) == 0, all[i / 2].host, "'%s': %s",
			     all[i / 2].config, said);
		cr_expect_eq(status, 0);
		cr_assert_eq(rmdir(at("a")), 0);
	}
	cr_expect_gt(counter("pool-hits"), 0);
}

/* All that holds a command holds what waits to become one, before it is known what that is. */
Test(pool, what_waits_is_sealed)
{
	static const char *const facts[][2] = {
		{ "Seccomp", "2" },
		{ "NoNewPrivs", "1" },
		{ "CapInh", "0000000000000000" },
		{ "CapPrm", "0000000000000000" },
		{ "CapEff", "0000000000000000" },
		{ "CapBnd", "0000000000000000" },
		{ "CapAmb", "0000000000000000" },
	};
	const unsigned two = 2;
	pid_t pids[16];
	unsigned count;

	start_daemon("2");
	cr_assert(await(ready_is, &two, 15000));
	count = waiting(pids, 16);
	cr_assert_eq(count, 4, "%u processes", count);
	/* of each pair the first is init, which has no filter: nothing is executed by it */
	for (unsigned i = 0; i < count; i++)
		for (unsigned j = i % 2 ? 0 : 1; j < sizeof(facts) / sizeof(*facts); j++)
			cr_expect_str_eq(process_fact(pids[i], facts[j][0]), facts[j][1], "%s: %s",
					 facts[j][0], process_fact(pids[i], facts[j][0]));
	/* its terminal, and the way to the daemon by which it is told: nothing else */
	for (unsigned i = 1; i < count; i += 2) {
		char *open = sh(text("ls /proc/%d/fd | tr '\\n' ' '", pids[i]));

		cr_expect_str_eq(open, "0 1 2 3 ", "%s", open);
	}
	for (unsigned i = 0; i < count; i++) {
		char *root = sh(text("ls -A /proc/%d/root | tr '\\n' ' '", pids[i]));

		cr_expect(has(root, "usr ") && has(root, "workspace ") && !has(root, "root "), "%s",
			  root);
	}
}

/* The helpers and all that waits are killed from outside: a start is served all the same. */
Test(pool, survives_what_kills_it)
{
	pid_t pids[16];
	unsigned count;
	int status;

	start_daemon("2");
	count = waiting(pids, 16);
	for (unsigned i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (unsigned i = 0; i < count; i++)
		cr_assert(await(process_gone, &pids[i], 5000));
	session_run("a", "command exit 9\n", &status);
	cr_assert_eq(status, 9);
	sh(text("pkill -9 -P %d -x mimobox-spawner; pkill -9 -P %d -x mimobox-sweeper",
		fixture.daemon, fixture.daemon));
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(rmdir(at("a")), 0);
		session_run("a", "command exit 9\n", &status);
		cr_assert_eq(status, 9);
	}
}

/* A session that asks for a path sees what is mounted there now, not what was. */
Test(pool, sees_mounts_that_came_later)
{
	char *place = text("%s/later", fixture.dir);
	int status;

	cr_assert_eq(mkdir(place, 0755), 0);
	start_daemon("2");
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(mount("tmpfs", place, "tmpfs", 0, NULL), 0);
		sh(text("echo %d > %s/new", i, place));
		cr_assert_str_eq(session_run("a", text("ro %s\ncommand cat %s/new\n", place, place),
					     &status),
				 text("%d\n", i));
		cr_assert_eq(rmdir(at("a")), 0);
		cr_assert_eq(umount2(place, MNT_DETACH), 0);
	}
	cr_assert_eq(rmdir(place), 0);
}

/* Sessions that are created and not started. */

static unsigned sandboxes(void)
{
	return (unsigned)atoi(sh(text("pgrep -c -P %d -x mimobox-init || true", fixture.daemon)));
}

static bool sandboxes_are(const void *number)
{
	return sandboxes() == *(const unsigned *)number;
}

static bool no_more_than(const void *number)
{
	return sandboxes() <= *(const unsigned *)number;
}

static bool some_ready(const void *nothing)
{
	(void)nothing;
	return counter("pool-ready") > 0;
}

static char *workspaces(void)
{
	return sh(text("ls -A %s | sed 's/-.*//' | LC_ALL=C sort | tr '\\n' ' '",
		       fixture.workspaces));
}

/* What it printed, lines ended as everywhere; it was created before. */
static char *run_made(const char *name, const char *config)
{
	put_all(text("%s/config", name), config);
	put_all(text("%s/ctl", name), "start\n");
	session_exit(name);
	return sh(text("tr -d '\\r' < $M/%s/output", name));
}

/* What is put there before the start is there, and belongs to who reads it. */
Test(pool, a_session_has_its_workspace_from_the_beginning)
{
	const unsigned one = 1;

	start_daemon("1");
	session_make("a");
	sh("echo before > $M/a/workspace/f");
	cr_expect(has(sh("readlink $M/a/workspace"), "/a-"));
	cr_assert_str_eq(run_made("a", "command cat /workspace/f; stat -c %u /workspace\n"),
			 "before\n1000\n");
	cr_assert_eq(counter("pool-hits"), 1);
	cr_assert_eq(rmdir(at("a")), 0);
	cr_assert(await(ready_is, &one, 15000));
	fixture_daemon_ended(SIGTERM);
	cr_expect_str_eq(workspaces(), "", "%s", workspaces());
}

/* A claim is no reason to have more and more of them; and each still has what it needs. */
Test(pool, claims_are_bounded)
{
	const unsigned four = 4;

	start_daemon("2");
	for (int i = 0; i < 6; i++) {
		cr_assert(await(some_ready, NULL, 15000));
		session_make(text("s%d", i));
		sh(text("echo %d > $M/s%d/workspace/f", i, i));
	}
	cr_assert(await(no_more_than, &four, 15000), "%u", sandboxes());
	for (int i = 0; i < 6; i++) {
		cr_assert_eq(atoi(run_made(text("s%d", i), "command cat /workspace/f\n")), i);
		cr_assert_eq(rmdir(at("s%d", i)), 0);
	}
	cr_expect_geq(counter("pool-hits"), 2);
	cr_expect_eq(counter("pool-hits") + counter("pool-misses"), 6);
}

/* Somebody tidies up among the workspaces: those that wait without one make way for others. */
Test(pool, a_workspace_that_is_tidied_away)
{
	const unsigned one = 1;
	int status;

	start_daemon("1");
	sh(text("rmdir %s/.[0-9]*-*", fixture.workspaces));
	session_run("a", "command exit 3\n", &status);
	cr_assert_eq(status, 3);
	cr_assert_eq(rmdir(at("a")), 0);
	cr_assert(await(sandboxes_are, &one, 15000));
	cr_assert(await(ready_is, &one, 15000));
	session_run("b", "command exit 4\n", &status);
	cr_assert_eq(status, 4);
	cr_expect_eq(counter("pool-hits"), 1);
}

/* The mounts of each attempt go with it. */
Test(pool, starts_that_fail_leave_no_mounts)
{
	char *count;
	int status;

	start_daemon("0");
	count = text("ls -l /proc/%d/fd | grep -c mnt: || true", fixture.server);
	session_make("a");
	put_all("a/config", "argv [\"/nonexistent\"]\n");
	for (int i = 0; i < 3; i++)
		cr_assert_eq(put("a/ctl", "start\n"), -ENOENT);
	put_all("a/config", "command umask\nends last-process\n");
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_eq(rmdir(at("a")), 0);
	session_run("b", "command exit 5\n", &status);
	cr_assert_eq(rmdir(at("b")), 0);
	cr_expect_str_eq(sh(count), "0\n");
}

/* Whatever the daemon's own is, and whoever ends the session. */
Test(pool, every_command_has_the_same_umask)
{
	static const char *const ends[] = { "command", "last-process" };
	mode_t before = umask(0);
	int status;

	start_daemon("0");
	umask(before);
	for (int i = 0; i < 2; i++) {
		char *config = text("ends %s\ncommand umask\n", ends[i]);

		cr_expect_str_eq(session_run("a", config, &status), "0022\n", "%s", ends[i]);
		cr_assert_eq(rmdir(at("a")), 0);
	}
}

/* One that is removed, or wants another kind, gives its sandbox up. */
Test(pool, a_claim_is_given_up)
{
	const unsigned two = 2;

	start_daemon("2");
	session_make("a");
	cr_assert_eq(rmdir(at("a")), 0);
	cr_assert(await(ready_is, &two, 15000));
	cr_assert(await(sandboxes_are, &two, 15000), "%u", sandboxes());
	session_make("b");
	sh("echo mine > $M/b/workspace/f");
	cr_assert_str_eq(run_made("b", "terminal no\ncommand cat /workspace/f\n"), "mine\n");
	cr_assert_eq(rmdir(at("b")), 0);
	cr_assert(await(ready_is, &two, 15000));
	cr_assert(await(sandboxes_are, &two, 15000), "%u", sandboxes());
}

/* What a daemon that was killed had made ahead. */
Test(pool, what_nobody_claimed_is_swept)
{
	pid_t dead, pids[16];
	unsigned count;
	int status;

	start_daemon("2");
	session_make("a");
	dead = fixture.daemon;
	fixture.crashed = true;
	kill(dead, SIGKILL);
	cr_assert(ended(dead, 5000, &status));
	count = children(pids, 16); /* the sandboxes' remains, ours to reap */
	for (unsigned i = 0; i < count && i < 16; i++)
		if (await(process_gone, &pids[i], 5000))
			waitpid(pids[i], NULL, WNOHANG);
	cr_expect(has(workspaces(), text(".%d ", dead)), "%s", workspaces());
	start_daemon("0");
	cr_expect_str_eq(workspaces(), "a ~home ", "%s", workspaces());
	fixture_daemon_ended(SIGTERM);
	fixture_nothing_left(dead);
}

/* Limits that are not those it was made with: less, more, and none. */
Test(pool, limits_in_force_are_those_asked_for)
{
	static const struct {
		const char *config, *memory, *processes, *cpu;
	} cases[] = {
		{ "memory 1G\nprocesses 500\ncpu 2\n", "1073741824", "502", "200000" },
		{ "memory 64M\nprocesses 7\ncpu 0.25\n", "67108864", "9", "25000" },
		{ "memory none\nprocesses none\ncpu none\n", "9223372036854771712", "max", "-1" },
	};
	const unsigned one = 1;

	start_daemon("1");
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned hits = counter("pool-hits");
		char *is;

		cr_assert(await(ready_is, &one, 15000));
		session_start("a", text("%scommand read x\n", cases[i].config));
		cr_expect_eq(counter("pool-hits"), hits + 1, "%s", cases[i].config);
		is = sh(text("pid=$(sed -n 's/^pid //p' $M/a/status); "
			     "for f in $(find /sys/fs/cgroup -path '*mimobox-%d/*' -name "
			     "cgroup.procs -exec grep -lx $pid {} +); do cat "
			     "${f%%/*}/memory*limit_in_bytes "
			     "${f%%/*}/memory.max ${f%%/*}/pids.max ${f%%/*}/cpu.cfs_quota_us "
			     "${f%%/*}/cpu.max 2>/dev/null || :; done",
			     fixture.daemon));
		cr_expect(has(is, cases[i].memory) || has(is, "max\n"), "%s: %s", cases[i].config,
			  is);
		cr_expect(has(is, text("%s\n", cases[i].processes)), "%s: %s", cases[i].config, is);
		cr_expect(has(is, cases[i].cpu) || has(is, "max "), "%s: %s", cases[i].config, is);
		cr_assert_eq(rmdir(at("a")), 0);
	}
}

/* Networks are made ahead, too: each session has one that is nobody else's, or the host's. */
Test(pool, no_two_have_one_network)
{
	static const char *const pools[] = { "0", "3" };
	const char *host = sh("readlink /proc/self/ns/net");

	for (unsigned p = 0; p < 2; p++) {
		start_daemon(pools[p]);
		for (int i = 0; i < 8; i++)
			session_start(text("s%d", i),
				      text("%scommand readlink /proc/self/ns/net; read x\n",
					   i % 4 == 2 ? "network host\n" : ""));
		for (int i = 0; i < 8; i++)
			sh(text("cat $M/s%d/wait/match@0:net: > /dev/null", i));
		cr_expect_str_eq(
			sh("cat $M/s2/transcript $M/s6/transcript | tr -d '\\r' | sort -u"), host);
		cr_expect_eq(atoi(sh("cat $M/s*/transcript | sort -u | wc -l")), 7);
		fixture_daemon_ended(SIGTERM);
	}
}

/* More at once than fit into the way to who makes them. */
Test(pool, a_burst_of_starts)
{
	static const char burst[] =
		"import os, threading\n"
		"failed = []\n"
		"def start(i):\n"
		"    ctl = os.open(f'{M}/s{i}/ctl', os.O_WRONLY)\n"
		"    go.wait()\n"
		"    try: os.write(ctl, b'start\\n')\n"
		"    except OSError as e: failed.append(e.errno)\n"
		"M, N = os.environ['M'], 250\n"
		"go = threading.Barrier(N)\n"
		"for i in range(N):\n"
		"    os.mkdir(f'{M}/s{i}')\n"
		"    open(f'{M}/s{i}/config', 'w').write('argv [\"/bin/true\"]\\n')\n"
		"all = [threading.Thread(target=start, args=(i,)) for i in range(N)]\n"
		"for t in all: t.start()\n"
		"for t in all: t.join()\n"
		"ends = [open(f'{M}/s{i}/exit').read() for i in range(N) if not failed]\n"
		"print(failed, set(ends))\n";
	char *script = text("%s/burst.py", fixture.dir);

	start_daemon("0");
	outside_file(script, burst, ROOT, 0644);
	cr_expect_str_eq(sh(text("python3 %s", script)), "[] {'0\\n'}\n");
	sh("rmdir $M/s[0-9]*");
	cr_assert_eq(unlink(script), 0);
}
