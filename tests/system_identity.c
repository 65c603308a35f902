/* SPDX-License-Identifier: MIT */
/*
 * Who the processes of a sandbox are outside, and what holds them, as the kernel tells it of
 * every one of them: also of the first, which is not the command's.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

#define OWN_IDS 0x70000000ul

TestSuite(identity, .init = outside_start, .fini = outside_stop, .timeout = 90);
TestSuite(inherited, .init = outside_prepare, .fini = outside_stop, .timeout = 90);

/* A session with three processes at least: init, the command, and one in the background. */
static void start_waiting(uid_t user, const char *name, const char *more)
{
	struct stream output;

	session_start_as(user, name, text("%s\ncommand sleep 1000 & echo READY; read x\n", more));
	stream_open(&output, text("%s/output", name));
	stream_until(&output, "READY");
	stream_close(&output);
}

static char *link_of(const char *process, const char *link)
{
	char target[256] = "";

	if (readlink(text("/proc/%s/%s", process, link), target, sizeof(target) - 1) < 0)
		return text("nothing");
	return text("%s", target);
}

/* Every process in the PID namespace of `pid`. */
static unsigned inmates(pid_t pid, pid_t pids[64])
{
	const char *theirs = link_of(text("%d", pid), "ns/pid");
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned count = 0;

	cr_assert(proc != NULL);
	while ((entry = readdir(proc)))
		if (isdigit((unsigned char)*entry->d_name) &&
		    !strcmp(link_of(entry->d_name, "ns/pid"), theirs)) {
			cr_assert_lt(count, 64);
			pids[count++] = atoi(entry->d_name);
		}
	closedir(proc);
	return count;
}

/* The four ids of a line of /proc/PID/status are all in the range. */
static void ids_between(pid_t pid, const char *key, unsigned long low, unsigned long high)
{
	const char *line = process_fact(pid, key);
	unsigned long ids[4];

	cr_assert(line && sscanf(line, "%lu %lu %lu %lu", ids, ids + 1, ids + 2, ids + 3) == 4);
	for (unsigned i = 0; i < 4; i++)
		cr_expect(ids[i] >= low && ids[i] <= high, "%d: %s is %s", pid, key, line);
}

static bool no_group(pid_t pid)
{
	const char *groups = process_fact(pid, "Groups");

	return groups && groups[strspn(groups, " ")] == '\0';
}

/* There is no other id in there, and no other outside that it could become. */
static void one_id(const char *map)
{
	unsigned long inside, count;

	cr_expect(sscanf(map, "%lu %*u %lu", &inside, &count) == 2 && inside == 1000 && count == 1,
		  "%s", map);
	cr_expect_eq(strchr(map, '\n'), strrchr(map, '\n'), "%s", map);
}

static void assert_ids(const char *name, unsigned long low, unsigned long high)
{
	pid_t pids[64];
	unsigned count = inmates(session_pid(name), pids);

	cr_assert_geq(count, 3, "%u processes", count);
	for (unsigned i = 0; i < count; i++) {
		ids_between(pids[i], "Uid", low, high);
		ids_between(pids[i], "Gid", low, high);
		cr_expect(no_group(pids[i]), "%d: groups %s", pids[i],
			  process_fact(pids[i], "Groups"));
		cr_expect_str_eq(outside_read(text("/proc/%d/setgroups", pids[i])), "deny\n");
		one_id(outside_read(text("/proc/%d/uid_map", pids[i])));
		one_id(outside_read(text("/proc/%d/gid_map", pids[i])));
	}
}

Test(identity, of_roots_sessions_is_their_own)
{
	start_waiting(ROOT, "a", "");
	start_waiting(ROOT, "b", "");
	assert_ids("a", OWN_IDS + 1, 2 * OWN_IDS);
	assert_ids("b", OWN_IDS + 1, 2 * OWN_IDS);
	cr_expect_str_neq(get_value("a/status", "uid"), get_value("b/status", "uid"));
	cr_expect_str_neq(get_value("a/status", "gid"), get_value("b/status", "gid"));
	/* the control: outside, root is root */
	ids_between(getpid(), "Uid", 0, 0);
}

/* Starts another daemon beside the fixture's. */
static struct run start_other(const char *ids)
{
	return run((const char *const[]){ mimoboxfs(), "--workspaces", outside("ow"), "--spool",
					  fixture.spool, "--ids", ids, outside("om"), NULL });
}

/* Neither of two daemons, nor of those that come after, and none that somebody else has. */
Test(identity, no_two_daemons_have_one)
{
	/* below those of other daemons; the suite runs with and without a pool at the same time */
	unsigned long pair = (unsigned long)getpid() % 500 * 2 + (fixture_pool() == 0);
	unsigned long first = OWN_IDS + pair * 2 * 65536;
	const char *one = text("%lu-%lu", first, first + 65535);
	const char *two = text("%lu-%lu", first, first + 131071);
	struct run other = start_other(one), refused;

	cr_assert_eq(other.status, 0, "%s", other.err);
	sh(text("cd %s && mkdir b && echo 'command sleep 1000' > b/config && echo start > b/ctl && "
		"id=$(sed -n 's/^uid //p' b/status) && test $((id >> 16)) = %lu",
		outside("om"), first >> 16));
	start_waiting(ROOT, "a", "");
	cr_expect_geq(strtoul(get_value("a/status", "uid"), NULL, 10), 0x78000000);
	cr_expect_leq(strtoul(get_value("a/status", "uid"), NULL, 10), 0x7ffdffff);
	sh(text("mkdir -p %s", outside("third")));
	refused = run((const char *const[]){ mimoboxfs(), "--workspaces", outside("tw"), "--spool",
					     fixture.spool, "--ids", one, outside("third"), NULL });
	cr_expect_eq(refused.status, 1, "%d", refused.status);
	cr_expect(has(refused.err, "--ids"), "%s", refused.err);
	sh(text("fusermount3 -u %s", outside("om")));
	/* A block that users of containers have is left out. */
	sh(text("echo ann:%lu:65536 >> /etc/subuid", first));
	refused = start_other(one);
	cr_expect_eq(refused.status, 1, "%d", refused.status);
	other = start_other(two);
	cr_assert_eq(other.status, 0, "%s", other.err);
	sh(text("cd %s && mkdir b && echo 'command sleep 1000' > b/config && echo start > b/ctl && "
		"id=$(sed -n 's/^uid //p' b/status) && test $((id >> 16)) = %lu",
		outside("om"), (first >> 16) + 1));
	sh(text("fusermount3 -u %s", outside("om")));
}

/* A server that goes on in another's place has the same block, and gives none of its ids twice. */
Test(identity, of_sessions_before_and_after_a_servers_death)
{
	pid_t server = fixture_server();

	if (!server || server == fixture.daemon)
		cr_skip_test("there is no keeper");
	start_waiting(ROOT, "a", "");
	fixture.crashed = true;
	cr_assert_eq(kill(server, SIGKILL), 0);
	start_waiting(ROOT, "b", "");
	unsigned long before = strtoul(get_value("a/status", "uid"), NULL, 10);
	unsigned long after = strtoul(get_value("b/status", "uid"), NULL, 10);
	cr_expect_neq(before, after);
	cr_expect_eq(before >> 16, after >> 16);
}

Test(identity, of_a_users_session_is_the_users)
{
	start_waiting(ANN, "a", "");
	start_waiting(BOB, "b", "");
	assert_ids("a", ANN, ANN);
	assert_ids("b", BOB, BOB);
}

/* What was made ahead for somebody is for nobody else, sealed or not. */
Test(identity, of_one_made_ahead_is_its_owners)
{
	static const uid_t users[] = { ANN, ANN, BOB, ROOT, ROOT, ROOT, BOB, ANN };
	static const char *const configs[] = { "", "network tcp 80" };

	for (unsigned i = 0; i < 16; i++) {
		uid_t user = users[i % 8];

		fixture_pool_filled();
		start_waiting(user, "a", configs[i / 8]);
		assert_ids("a", user == ROOT ? OWN_IDS + 1 : user,
			   user == ROOT ? 2 * OWN_IDS : user);
		cr_expect_str_eq(sh("stat -Lc %u $M/a/workspace; sed -n 's/^uid //p' $M/a/status"),
				 text("%s\n%s\n", get_value("a/status", "uid"),
				      get_value("a/status", "uid")));
		put_all("a/ctl", "kill\n");
		session_exit("a");
		session_remove("a");
	}
}

/* A daemon with groups gives none of them away. */
Test(inherited, groups_of_the_daemon_stay_behind)
{
	struct run started = run((const char *const[]){
		"setpriv", "--groups", "4,24,27", mimoboxfs(), "--workspaces", fixture.workspaces,
		"--spool", fixture.spool, fixture.mount, NULL });

	cr_assert_eq(started.status, 0, "%s", started.err);
	fixture_adopt();
	start_waiting(ROOT, "a", "");
	start_waiting(ANN, "b", "");
	assert_ids("a", OWN_IDS + 1, 2 * OWN_IDS);
	assert_ids("b", ANN, ANN);
	/* the control */
	cr_expect(has(sh("setpriv --groups 4,24,27 grep Groups: /proc/self/status"), "24"));
}

/* `status` */

static const struct {
	const char *key, *fact;
} facts[] = {
	{ "seccomp", "Seccomp" },
	{ "no-new-privs", "NoNewPrivs" },
	{ "caps-effective", "CapEff" },
	{ "caps-permitted", "CapPrm" },
	{ "caps-bounding", "CapBnd" },
	{ "caps-inheritable", "CapInh" },
	{ "caps-ambient", "CapAmb" },
	{ "uid", "Uid" },
	{ "gid", "Gid" },
};

static const char *const kinds[] = { "user", "mnt", "pid", "ipc", "uts", "cgroup", "net" };

static bool has_no_pid(const void *name)
{
	return get_value(text("%s/status", (const char *)name), "pid") == NULL;
}

/* The kernel counts one that has ended until init has reaped it. */
static bool has_one_process(const void *name)
{
	return !strcmp(get_value(text("%s/status", (const char *)name), "processes"), "1");
}

/* Nothing is told of a process that has gone, whoever has its number by now. */
Test(identity, status_of_a_command_that_has_ended)
{
	static const char *const left_out[] = { "pid", "uid", "seccomp", "caps-bounding",
						"namespaces" };

	session_start("a", "ends last-process\ncommand sleep 1000 & read x\n");
	for (unsigned i = 0; i < 5; i++)
		cr_expect_not_null(get_value("a/status", left_out[i]), "%s", left_out[i]);
	put_all("a/input", "\n");
	cr_assert(await(has_no_pid, "a", 20000));
	for (unsigned i = 0; i < 5; i++)
		cr_expect_null(get_value("a/status", left_out[i]), "%s", left_out[i]);
	cr_expect_str_eq(get_value("a/status", "state"), "running");
	cr_expect(await(has_one_process, "a", 20000));
}

static void assert_confined(pid_t pid, bool network)
{
	char process[16];

	snprintf(process, sizeof(process), "%d", pid);
	for (unsigned i = 2; i < 7; i++)
		cr_expect_str_eq(process_fact(pid, facts[i].fact), "0000000000000000", "%d: %s",
				 pid, facts[i].fact);
	cr_expect_str_eq(process_fact(pid, "NoNewPrivs"), "1");
	for (unsigned i = 0; i < 7; i++) {
		bool same = !strcmp(link_of(process, text("ns/%s", kinds[i])),
				    link_of("self", text("ns/%s", kinds[i])));

		cr_expect_eq(same, network && !strcmp(kinds[i], "net"), "%d: %s", pid, kinds[i]);
	}
}

static void assert_status_is_true(const char *name, bool network)
{
	const char *status = text("%s/status", name);
	const char *namespaces = get_value(status, "namespaces");
	pid_t pids[64], pid = session_pid(name);
	unsigned count = inmates(pid, pids);

	for (unsigned i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		const char *said = get_value(status, facts[i].key);
		const char *fact = process_fact(pid, facts[i].fact);

		cr_expect(said && !strncmp(said, fact, strcspn(fact, "\t")), "%s: %s, but %s",
			  facts[i].key, said ? said : "nothing", fact);
	}
	for (unsigned i = 0; i < 7; i++)
		cr_expect(namespaces && has(namespaces, kinds[i]) !=
						(network && !strcmp(kinds[i], "net")),
			  "%s: %s", kinds[i], namespaces ? namespaces : "nothing");
	for (unsigned i = 0; i < count; i++)
		assert_confined(pids[i], network);
	cr_expect_str_eq(process_fact(pid, "Seccomp"), "2");
	/* the control */
	cr_expect_str_eq(process_fact(getpid(), "Seccomp"), "0");
	cr_expect_str_neq(process_fact(getpid(), "CapEff"), "0000000000000000");
}

Test(identity, status_is_what_the_kernel_says)
{
	static const char *const configs[] = { "", "network host", "network tcp 80",
					       "seccomp compat", "fork yes" };

	for (unsigned i = 0; i < sizeof(configs) / sizeof(*configs); i++) {
		start_waiting(i % 2 ? ANN : ROOT, text("s%u", i), configs[i]);
		assert_status_is_true(text("s%u", i), has(configs[i], "network"));
	}
}

/* Init */

/* The terminal's, three of the command's, and what it waits for. */
Test(identity, init_holds_nine_descriptors)
{
	char process[16];
	unsigned count = 0;
	DIR *dir;
	struct dirent *entry;

	start_waiting(ROOT, "a", "");
	snprintf(process, sizeof(process), "%d", session_init("a"));
	dir = opendir(text("/proc/%s/fd", process));
	cr_assert(dir != NULL);
	while ((entry = readdir(dir))) {
		const char *target;

		if (*entry->d_name == '.')
			continue;
		target = link_of(process, text("fd/%s", entry->d_name));
		cr_expect(has(target, "/pts/") || has(target, "socket:") ||
				  has(target, "signalfd") || has(target, "ptmx") ||
				  has(target, "eventpoll") || has(target, "eventfd") ||
				  has(target, "seccomp notify"),
			  "%s is %s", entry->d_name, target);
		count++;
	}
	closedir(dir);
	cr_expect_eq(count, 9, "%u", count);
	cr_expect_gt(fixture_descriptors(), 9);
}

/* What somebody left open when the daemon was started goes no further: CVE-2024-21626. */
Test(inherited, what_the_daemon_had_open_stays_behind)
{
	int status;
	char *output;

	sh(text("exec 8</ 9</etc/shadow; exec %s --workspaces %s --spool %s $M", mimoboxfs(),
		fixture.workspaces, fixture.spool));
	fixture_adopt();
	output = session_run(
		"a", "command ls /proc/self/fd | tr '\\n' ' '; ls /proc/self/fd/8/root\n", &status);
	cr_expect(has(output, "0 1 2 3 ") && has(output, "No such file"), "%s", output);
}

/* Not even into a process that executes nothing: those that serve the daemon, and what waits. */
Test(inherited, what_the_daemon_had_open_is_in_no_helper)
{
	unsigned count = 0;
	char *line, *rest, *list = NULL;

	sh(text("exec 8</ 9</etc/shadow; exec %s --pool 2 --workspaces %s --spool %s $M",
		mimoboxfs(), fixture.workspaces, fixture.spool));
	fixture_adopt();
	setenv("POOL", "2", 1);
	/* one that waits may make way for another at any time */
	for (unsigned tries = 0; tries < 20 && count < 11; tries++) {
		pause_ms(20);
		fixture_pool_filled();
		list = sh(text("for p in $(pgrep -P %d); do [ $p = %d ] || echo $p; "
			       "pgrep -P $p || :; done",
			       fixture.daemon, fixture.server));
		count = 0;
		for (const char *at = list; (at = strchr(at, '\n')); at++)
			count++;
	}
	cr_expect_eq(count, 11, "%u", count);
	rest = list;
	while ((line = strsep(&rest, "\n")) && *line) {
		char *open = sh(text("ls -l /proc/%s/fd || :", line));

		cr_expect(!has(open, "-> /etc/shadow") && !has(open, " 8 -> /\n"), "%s: %s",
			  process_fact(atoi(line), "Name"), open);
	}
	/* nor in the daemon itself; the control is a shell, which keeps what it opens */
	list = sh(text("ls -l /proc/%d/fd /proc/%d/fd", fixture.daemon, fixture.server));
	cr_expect(!has(list, "-> /etc/shadow") && !has(list, " 8 -> /\n"), "%s", list);
	cr_expect(has(sh("exec 9</etc/shadow; ls -l /proc/$$/fd"), "-> /etc/shadow"));
}

static const char look_at_init[] =
	"command stat -c '%u' /proc/1 /proc/1/maps /proc/self/maps;"
	"for f in maps environ auxv; do cat /proc/1/$f >/dev/null 2>&1 && echo read $f; done;"
	"for f in exe root cwd; do readlink /proc/1/$f; done; ls /proc/1/fd;"
	"cat /proc/self/maps >/dev/null && echo own; readlink /proc/self/cwd\n";

/* It is dumpable where its files are its user's, 1000 in here. */
static void assert_closed(const char *output)
{
	cr_expect_str_eq(output,
			 "1000\n65534\n1000\n"
			 "ls: cannot open directory '/proc/1/fd': Permission denied\n"
			 "own\n/tmp\n",
			 "%s", output);
}

Test(identity, init_cannot_be_looked_into)
{
	static const uid_t users[] = { ROOT, ANN };
	static const char *const profiles[] = { "essential", "compat" };

	for (unsigned i = 0; i < 4; i++) {
		int status;

		assert_closed(session_run_as(users[i / 2], "a",
					     text("seccomp %s\n%s", profiles[i % 2], look_at_init),
					     &status));
		session_remove("a");
	}
}

/* A user's own daemon, which is dumpable itself, and changes no id on its way in. */
static void own_start(void)
{
	outside_prepare();
	sh("mknod -m 666 $M/../fuse c 10 229 2>/dev/null;"
	   "mkdir $M/../dev && mount -t tmpfs -o mode=755 none $M/../dev &&"
	   "mknod -m 666 $M/../dev/fuse c 10 229 && mount --bind $M/../dev/fuse /dev/fuse; rm -f "
	   "$M/../fuse");
	cr_assert_eq(chown(fixture.dir, ANN, ANN), 0);
	cr_assert_eq(chown(fixture.mount, ANN, ANN), 0);
	sh(text("cp %s %s", mimoboxfs(), outside("mimoboxfs")));
	cr_assert_eq(run_as(ANN, text("exec %s --workspaces %s --spool %s %s", outside("mimoboxfs"),
				      fixture.workspaces, fixture.spool, fixture.mount))
			     .status,
		     0);
	fixture_adopt();
}

TestSuite(own_identity, .init = own_start, .fini = outside_stop, .timeout = 60);

static char *run_by_ann(const char *name, const char *config)
{
	return plain(run_as(ANN, text("cd %s; mkdir %s; cat > %s/config <<'EOF'\n%s\nEOF\n"
				      "echo start > %s/ctl; cat %s/log >&2; cat %s/output",
				      fixture.mount, name, name, config, name, name, name))
			     .out);
}

Test(own_identity, init_cannot_be_looked_into)
{
	assert_closed(run_by_ann("a", look_at_init));
}

Test(own_identity, of_all_processes_is_the_users)
{
	const char *place = text("%u", marker());
	pid_t pids[64], pid = 0;
	unsigned count;

	run_as(ANN, text("cd %s; mkdir a; echo 'command sleep %s & sleep %s; :' > a/config;"
			 "echo start > a/ctl",
			 fixture.mount, place, place));
	pid = (pid_t)atoi(run_as(ANN, text("sed -n 's/^pid //p' %s/a/status", fixture.mount)).out);
	cr_assert_gt(pid, 1);
	cr_assert(await(any_with, place, 20000));
	count = inmates(pid, pids);
	cr_assert_geq(count, 3);
	for (unsigned i = 0; i < count; i++) {
		ids_between(pids[i], "Uid", ANN, ANN);
		ids_between(pids[i], "Gid", ANN, ANN);
		cr_expect(no_group(pids[i]));
		assert_confined(pids[i], false);
	}
}

/* What is left of the one before would be taken for the next. */
static bool no_remains(const void *unused)
{
	pid_t pids[64];
	unsigned count = children(pids, 64);

	(void)unused;
	for (unsigned i = 0; i < count && i < 64; i++) {
		const char *name = process_fact(pids[i], "Name");

		if (name && !strncmp(name, "mimobox", 7) && !process_gone(&pids[i]))
			return false;
	}
	return true;
}

/* A daemon that is killed takes its sandboxes with it: also one whose init cannot hear of it. */
Test(identity, a_stopped_init_dies_with_the_daemon)
{
	pid_t init, daemon = fixture.daemon;

	start_waiting(ROOT, "a", "");
	init = session_init("a");
	cr_assert_eq(kill(init, SIGSTOP), 0);
	cr_assert(await(process_stopped, &init, 20000));
	cr_assert_eq(kill(daemon, SIGKILL), 0);
	cr_expect(await(process_gone, &init, 20000), "init is left: %c", process_state(init));
	if (!process_gone(&init))
		kill(init, SIGKILL);
	fixture.daemon = 0;
	fixture.crashed = true;
	cr_assert(ended(daemon, 20000, NULL));
	cr_expect(await(no_remains, NULL, 20000));
	/* a new daemon removes what it left of cgroups */
	fixture_daemon(NULL);
}

static bool all_gone(const void *data)
{
	const pid_t *pids = data;

	while (*pids)
		if (!process_gone(pids++))
			return false;
	return true;
}

/* What is stopped cannot hear of its end, and has to end as well. */
static void kill_daemon(const pid_t *stopped)
{
	pid_t daemon = fixture.daemon;

	cr_assert_eq(kill(daemon, SIGKILL), 0);
	cr_expect(await(all_gone, stopped, 20000));
	for (; *stopped; stopped++)
		if (!process_gone(stopped)) {
			cr_expect(false, "left: %s", process_fact(*stopped, "Name"));
			kill(*stopped, SIGKILL);
		}
	fixture.daemon = 0;
	fixture.crashed = true;
	cr_assert(ended(daemon, 20000, NULL));
	cr_expect(await(no_remains, NULL, 20000));
	cr_expect(!fixture_mounted()); /* by the unmounter */
	fixture_daemon(NULL);          /* removes what it left of cgroups */
}

/* Nor do its helpers stay, one of which makes sandboxes: also where they cannot hear of it. */
Test(identity, stopped_helpers_die_with_the_daemon)
{
	pid_t pids[64] = { 0 };
	char *line,
		*rest = sh(text("pgrep -P %d '^mimobox-(forker|spawner|sweeper|remover|ticker)'",
				fixture.daemon));
	unsigned count = 0;

	while ((line = strsep(&rest, "\n")) && *line)
		pids[count++] = atoi(line);
	cr_assert_eq(count, 5, "%u helpers", count);
	for (unsigned i = 0; i < count; i++) {
		cr_assert_eq(kill(pids[i], SIGSTOP), 0);
		cr_assert(await(process_stopped, &pids[i], 20000));
	}
	kill_daemon(pids);
}

static unsigned counter(const char *key)
{
	return (unsigned)atoi(get_value("stats", key));
}

/* Nor what was made ahead: one that is told of its paths later waits before it is a sandbox. */
Test(inherited, what_waits_dies_with_the_daemon)
{
	static const char config[] = "network tcp 80\ncommand exit 0\n";
	pid_t pids[64] = { 0 };
	unsigned count = 0, hits;
	char *line, *rest;
	int status;

	setenv("POOL", "2", 1);
	fixture_daemon(NULL);
	hits = counter("pool-hits");
	for (unsigned i = 0; i < 50 && counter("pool-hits") == hits; i++) {
		session_run("a", config, &status);
		session_remove("a");
		fixture_pool_filled();
	}
	cr_assert_gt(counter("pool-hits"), hits);
	fixture_pool_filled();
	rest = sh(text("pgrep -P %d mimobox-init", fixture.daemon));
	while ((line = strsep(&rest, "\n")) && *line)
		pids[count++] = atoi(line);
	cr_assert_geq(count, 2);
	for (unsigned i = 0; i < count; i++) {
		cr_assert_eq(kill(pids[i], SIGSTOP), 0);
		cr_assert(await(process_stopped, &pids[i], 20000) || process_gone(&pids[i]));
	}
	kill_daemon(pids);
}

/* The OOM killer takes of a sandbox as of any process, whatever is said of the daemon. */
Test(inherited, the_oom_score_of_the_daemon_stays_behind)
{
	static const char *const configs[] = { "", "network tcp 80", "ends last-process" };
	pid_t pids[64];

	sh(text("echo 321 > /proc/self/oom_score_adj; exec %s --workspaces %s --spool %s $M",
		mimoboxfs(), fixture.workspaces, fixture.spool));
	fixture_adopt();
	/* the control */
	cr_assert_str_eq(outside_read(text("/proc/%d/oom_score_adj", fixture.daemon)), "321\n");
	for (unsigned i = 0; i < 3; i++) {
		char *name = text("s%u", i);
		unsigned count;

		start_waiting(ROOT, name, configs[i]);
		count = inmates(session_pid(name), pids);
		cr_assert_geq(count, 3);
		for (unsigned j = 0; j < count; j++)
			cr_expect_str_eq(outside_read(text("/proc/%d/oom_score_adj", pids[j])),
					 "0\n", "%s: %s", configs[i],
					 process_fact(pids[j], "Name"));
	}
}

/* What is in its group ends with it, in no namespace of its too: where init does not obey. */
Test(identity, what_is_in_the_group_is_killed)
{
	pid_t init, guest;
	char *group;

	start_waiting(ROOT, "a", "kill-grace 0ms");
	init = session_init("a");
	group = sh(text("for f in $(find /sys/fs/cgroup -path '*/mimobox-%d/*' -name cgroup.procs "
			"-exec grep -lx %d {} +); do if test -e ${f%%/*}/cgroup.kill; then "
			"echo $f; break; fi; done | tr -d '\\n'",
			fixture.daemon, init));
	if (!*group)
		return; /* a kernel before 5.14 */
	guest = spawn((const char *const[]){ "sleep", "1000", NULL });
	sh(text("echo %d > %s", guest, group));
	cr_assert_eq(kill(init, SIGSTOP), 0);
	cr_assert(await(process_stopped, &init, 20000));
	put_all("a/ctl", "kill\n");
	cr_expect(await(process_gone, &guest, 20000), "it is left: %c", process_state(guest));
	if (!process_gone(&guest)) /* or the group could not be removed */
		kill(guest, SIGKILL);
	session_exit("a");
}

/* Further walls, which stand behind others */

struct look {
	const char *config, *output;
};

static void look_all(const struct look *looks, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int status;
		char *out = session_run_as(i % 2 ? ANN : ROOT, "a", looks[i].config, &status);

		cr_expect_str_eq(out, looks[i].output, "%s: '%s'", looks[i].config, out);
		session_remove("a");
	}
}

/* Also where a filter has a hole, there is none: the limit is the namespace's own. */
Test(identity, no_user_namespace_within)
{
	static const struct look looks[] = {
		{ "command cat /proc/sys/user/max_user_namespaces\n", "0\n" },
		{ "command unshare -U true 2>/dev/null || echo refused\n", "refused\n" },
		{ "seccomp compat\ncommand unshare -Ur true 2>/dev/null || echo refused\n",
		  "refused\n" },
	};

	look_all(looks, 3);
	/* the control */
	cr_expect_neq(atoi(outside_read("/proc/sys/user/max_user_namespaces")), 0);
	cr_expect_eq(run_as(ANN, "unshare -U true").status, 0);
}

Test(identity, limits_are_in_force)
{
	static const struct look looks[] = {
		{ "open-files 77\ncommand ulimit -n; ulimit -Hn\n", "77\n77\n" },
		{ "open-files 78\ncommand ulimit -n 79 2>/dev/null || echo refused\n",
		  "refused\n" },
		{ "file-size 1M\ncommand ulimit -f; ulimit -Hf\n", "2048\n2048\n" },
		{ "command ulimit -f\n", "unlimited\n" },
		{ "tmp-size 4M\ncommand stat -fc '%b %S' /tmp | awk '{ print $1 * $2 }'\n",
		  "4194304\n" },
		{ "tmp-size 8M\ncommand stat -fc '%c' /tmp\n", "8448\n" },
		{ "command cat /proc/self/limits | awk '/core/ { print $5, $6 }'\n", "1 1\n" },
	};

	look_all(looks, sizeof(looks) / sizeof(*looks));
}

/* As its group has them: a busy machine would make a program slow as well. */
Test(identity, limits_of_the_whole_are_in_force)
{
	char *limits;

	start_waiting(ANN, "a", "cpu 0.3\nmemory 64M\nprocesses 50");
	limits = sh(
		text("for f in $(grep -lsx %d $(find /sys/fs/cgroup -path '*/mimobox-%d/*' -name "
		     "cgroup.procs)); do cd ${f%%/*}; grep -s . cpu.cfs_quota_us cpu.max pids.max "
		     "memory.limit_in_bytes memory.max memory.memsw.limit_in_bytes; done; :",
		     session_pid("a"), fixture.daemon));
	cr_expect(has(limits, "cpu.cfs_quota_us:30000\n") || has(limits, "cpu.max:30000 100000\n"),
		  "%s", limits);
	cr_expect(has(limits, "memory.limit_in_bytes:67108864\n") ||
			  has(limits, "memory.max:67108864\n"),
		  "%s", limits);
	cr_expect(has(limits, "pids.max:50\n") || has(limits, "pids.max:52\n"), "%s", limits);
}

Test(identity, no_core_dump)
{
	static const struct look looks[] = {
		{ "command bash -c 'kill -SEGV $$' 2>/dev/null; ls -A | wc -l\n", "0\n" },
		{ "cwd /workspace\ncommand bash -c 'kill -QUIT $$' 2>/dev/null; ls -A | wc -l\n",
		  "0\n" },
		{ "command ulimit -c 0; bash -c 'kill -SEGV $$' 2>/dev/null; ls -A | wc -l\n",
		  "0\n" },
	};
	const char *pattern = outside_read("/proc/sys/kernel/core_pattern");

	look_all(looks, 3);
	if (*pattern == '|')
		return; /* a pipe's control would start a program of the machine's */
	outside_directory(outside("core"), ROOT, 0755);
	sh("cd $M/../core && { sh -c 'ulimit -c unlimited; kill -SEGV $$' 2>/dev/null || :; } && "
	   "test $(ls | wc -l) = 1");
}
