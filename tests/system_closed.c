/* SPDX-License-Identifier: MIT */
/*
 * A layer that cannot be put in force: the start is refused, whichever call it is that fails, and
 * nothing has run. The same of what the daemon takes from itself.
 *
 * Each place that puts a layer in force is found in a start that is well (fault.h), and fails in
 * one of its own.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"
#include "sweep.h"

#if defined(__SANITIZE_ADDRESS__)
enum { EVERY = 2 };
#else
enum { EVERY = 1 };
#endif

static struct fault_plan *plan;

static void closed_prepare(void)
{
	outside_prepare();
	plan = sweep_plan(0);
	setenv("FAULT_PLAN", text("%s/plan-0", fixture.dir), 1);
	setenv("ASAN_OPTIONS",
	       text("%s:verify_asan_link_order=0:detect_leaks=0", getenv("ASAN_OPTIONS")), 1);
}

static void start_daemon(const char *pool)
{
	setenv("LD_PRELOAD", getenv("FAULT"), 1);
	setenv("POOL", pool, 1);
	fixture_daemon(NULL);
	unsetenv("LD_PRELOAD");
}

static void disarm(void)
{
	plan->target = 0;
	plan->always = false;
}

static void closed_stop(void)
{
	if (plan)
		disarm();
	outside_stop();
}

TestSuite(closed, .init = closed_prepare, .fini = closed_stop, .timeout = 200);

/* What puts a layer in force, or makes what one is put in force on. */
static const char *const layers[] = {
	"unshare",
	"sethostname",
	"prctl",
	"setresuid",
	"setresgid",
	"setrlimit64",
	"cap_drop_bound",
	"cap_reset_ambient",
	"cap_set_secbits",
	"cap_set_proc",
	"landlock_create_ruleset",
	"landlock_add_rule",
	"landlock_restrict_self",
	"seccomp",
	"close_range",
	"mount",
	"umount2",
	"fsopen",
	"fsconfig",
	"fsmount",
	"open_tree",
	"move_mount",
	"mount_setattr",
	"pivot_root",
	"openat2",
	"mkdirat",
	"symlinkat",
	"fchmodat",
	"unlinkat",
	"fchdir",
	"chdir",
	"setsid",
	"setpgid",
	"tcsetpgrp",
	"ioctl",
	"tcsetattr",
	"clone3",
	"_Fork",
	"openat64",
	"open64",
	"write",
};

/* Those that a start does without, for a reason; its sandbox is the whole one all the same. */
static const struct {
	const char *call, *function, *except, *reason;
} spared[] = {
	{ "prctl", "init_title", NULL, "a name" },
	{ "prctl", "privileges_bound", NULL, "libcap asks whether there is an ambient set" },
	{ "close_range", "finish", NULL, "at the end" },
	{ "ioctl", "resize", NULL, "the size that it has from the beginning" },
	{ "unlinkat", "cgroup_destroy", NULL, "at the end" },
	{ "ioctl", "make_network", NULL, "ahead; another is made with the clone" },
	{ "unshare", "make_network", NULL, "ahead; another is made with the clone" },
	{ "open64", "make_network", NULL, "the same" },
	{ "openat64", "make_network", NULL, "the same" },
	{ "write", "make_network", NULL, "the same" },
	{ "open64", "admit", "give_identity", "the OOM score, which not everybody may set" },
	{ "write", "admit", "give_identity", "the same" },
	{ "open64", "clone_init", "init_run", "a mount namespace, to be cleared away at leisure" },
	{ "openat64", "cgroup_favour", NULL, "who goes first" },
	{ "write", "cgroup_favour", NULL, "who goes first" },
};

static bool is_layer(const char *call)
{
	for (size_t i = 0; i < sizeof(layers) / sizeof(*layers); i++)
		if (strcmp(call, layers[i]) == 0)
			return true;
	return false;
}

/* The functions that lead to it, the innermost first, each with a line of its place. */
static char *functions_of(const struct fault_site *site)
{
	const char *argv[8 + FAULT_FRAMES] = { "addr2line", "-f", "-i", "-s", "-e", mimoboxfs() };
	unsigned count = 6;

	for (uint32_t i = 0; i < site->depth; i++) /* a call is before where it returns to */
		argv[count++] = text("0x%llx", (unsigned long long)site->frames[i] - 1);
	return text("\n%s", run(argv).out);
}

/* Up to the helper's loop, which is on the way to everything. */
static bool is_spared(const struct fault_site *site, char *functions)
{
	char *loop = strstr(functions, "\nserve_one\n");

	if (loop)
		loop[1] = '\0';
	for (size_t i = 0; i < sizeof(spared) / sizeof(*spared); i++)
		if (strcmp(site->call, spared[i].call) == 0 &&
		    has(functions, text("\n%s\n", spared[i].function)) &&
		    !(spared[i].except && has(functions, text("\n%s\n", spared[i].except))))
			return true;
	return false;
}

static struct fault_site sites[512];
static const char *told; /* what the command saw then */

static char *proof(void);

/* The places that a start of that kind comes by, in the processes that make a sandbox. */
static unsigned find_sites(const char *config)
{
	unsigned count = 0;
	int status;

	memset(plan->sites, 0, sizeof(plan->sites));
	plan->record = true;
	session_run("a", config, &status);
	plan->record = false;
	cr_assert_eq(status, 0, "%s", config);
	told = proof();
	session_remove("a");
	cr_assert(!plan->full);
	for (unsigned i = 0; i < FAULT_SITES_MAX; i++) {
		const struct fault_site *site = &plan->sites[i];

		if (!site->key || !is_layer(site->call) ||
		    (site->role != FAULT_SPAWNER && site->role != FAULT_INIT &&
		     site->role != FAULT_BUILDER))
			continue;
		cr_assert_lt(count, sizeof(sites) / sizeof(*sites));
		sites[count++] = *site;
	}
	return count;
}

static void arm(const struct fault_site *site, bool always)
{
	memcpy(plan->call, site->call, sizeof(plan->call));
	plan->hits = 0;
	plan->always = always;
	plan->target = site->key;
}

/* What the command can see of the layers, where it has run at all. */
#define PROOF                                                                                    \
	"command { grep -E '^(NoNewPrivs|Seccomp|Cap...|Groups):' /proc/self/status; "           \
	"cat /proc/sys/user/max_user_namespaces /proc/self/cgroup /proc/self/oom_score_adj;"     \
	" hostname; umask; id -u; id -g; tail -n +3 /proc/net/dev | cut -d: -f1; ls -A / /dev; " \
	"ulimit -Hc;"                                                                            \
	" ulimit -Hn; ulimit -Hf; cut -d' ' -f5,6 /proc/self/mountinfo | sort;"                  \
	" ls /proc/self/fd; (echo x > /proc/self/comm) 2>&1; } > /workspace/proof; :\n"

static const struct {
	const char *config; /* $D: a directory */
	unsigned least;     /* so many places there are, or the finding of them is broken */
} kinds[] = {
	{ PROOF, 80 },
	{ "ends last-process\nterminal no\nnetwork host\n" PROOF, 70 },
	{ "ro $D:/x\n" PROOF, 80 },
	{ "ro $D:/x\nends last-process\nnetwork tcp 80\nfile-size 1G\n" PROOF, 70 },
};

static char *proof(void)
{
	const char *path = at("a/workspace/proof");

	return access(path, F_OK) == 0 ? outside_read(path) : text("nothing");
}

static void expect_refused(const struct fault_site *site)
{
	cr_expect(plan->hits > 0);
	cr_expect(has(get("a/log", NULL), "start failed: "), "%s:\n%s", site->call,
		  get("a/log", NULL));
	cr_expect_str_eq(get_value("a/status", "state"), "created");
	cr_expect_str_eq(proof(), "nothing", "%s: it ran in%s", site->call, functions_of(site));
}

static void start_well(const char *config, const char *expected, const char *after)
{
	put_all("a/config", config);
	put_all("a/ctl", "start\n");
	cr_expect_eq(session_exit("a"), 0);
	cr_expect_str_eq(proof(), expected, "after %s", after);
	session_remove("a");
}

/* A start with that fault; and the next, if it is asked for, which is well. */
static void start_with(const struct fault_site *site, const char *config, const char *expected,
		       bool next)
{
	ssize_t result;

	session_make("a");
	put_all("a/config", config);
	arm(site, false);
	result = put("a/ctl", "start\n");
	disarm();
	if (result < 0) {
		expect_refused(site);
	} else {
		cr_expect(is_spared(site, functions_of(site)),
			  "%s failed %u times, and it went on%s", site->call, plan->hits,
			  functions_of(site));
		cr_expect_eq(session_exit("a"), 0);
		cr_expect_str_eq(proof(), expected, "%s%s", site->call, functions_of(site));
		session_remove("a");
		session_make("a");
	}
	if (next)
		start_well(config, expected, site->call);
	else
		session_remove("a");
}

/* Of the kinds behind the first one a share each; all with $CLOSED. */
static bool is_taken(unsigned kind, unsigned i)
{
	return kind == 0 || getenv("CLOSED") || (i + kind) % EVERY == 0;
}

static void refuse_all(unsigned kind)
{
	const char *config = kinds[kind].config, *place = strstr(config, "$D"), *expected;
	unsigned count;

	outside_directory(outside("d"), ROOT, 0755);
	if (place)
		config = text("%.*s%s%s", (int)(place - config), config, outside("d"), place + 2);
	start_daemon("0");
	find_sites(config); /* what is done but once has been done then */
	count = find_sites(config);
	cr_expect_geq(count, kinds[kind].least, "%u places", count);
	expected = told;
	for (unsigned i = 0; i < count; i++)
		if (is_taken(kind, i))
			start_with(&sites[i], config, expected, i % 4 == 0 || i + 1 == count);
}

Test(closed, sealed)
{
	refuse_all(0);
}

Test(closed, sealed_with_init_as_leader)
{
	refuse_all(1);
}

Test(closed, with_paths)
{
	refuse_all(2);
}

Test(closed, with_paths_and_init_as_leader)
{
	refuse_all(3);
}

static bool was_hit(const void *unused)
{
	(void)unused;
	return plan->hits > 0;
}

/* A filter that cannot be loaded: none that waits is ready, and none that is asked for starts. */
Test(closed, made_ahead)
{
	unsigned count;

	start_daemon("0");
	count = find_sites(kinds[0].config);
	fixture_daemon_ended(SIGTERM);
	start_daemon("2");
	fixture_pool_filled();
	for (unsigned i = 0; i < count; i++)
		if (strcmp(sites[i].call, "seccomp") == 0)
			arm(&sites[i], true);
	cr_assert(plan->target != 0, "%u places", count);
	/* a new mount: others take the place of those that wait */
	outside_directory(outside("d"), ROOT, 0755);
	sh("mount -t tmpfs none $M/../d");
	cr_assert(await(was_hit, NULL, 15000));
	session_make("a");
	put_all("a/config", kinds[0].config);
	put_refused("a/ctl", "start\n", ENOMEM);
	cr_expect(has(get("a/log", NULL), "start failed: seccomp"), "%s", get("a/log", NULL));
	cr_expect_str_eq(proof(), "nothing");
	cr_expect_str_eq(get_value("stats", "pool-ready"), "0");
	disarm();
	put_all("a/ctl", "start\n");
	cr_expect_eq(session_exit("a"), 0);
	cr_expect_str_eq(proof(), told);
	session_remove("a");
	sh("umount $M/../d");
}

static const char *site_within(const struct fault_site *site, const char *function)
{
	return strstr(functions_of(site), text("\n%s\n", function));
}

static char *network_of(const char *name)
{
	char link[64] = "";

	cr_assert_gt(readlink(text("/proc/%d/ns/net", session_pid(name)), link, sizeof(link) - 1),
		     0);
	return text("%s", link);
}

/* The network that could not be made ahead is not the one before once more. */
Test(closed, no_network_is_had_twice)
{
	unsigned count;
	int faults = 0;

	start_daemon("0");
	find_sites(kinds[0].config);
	count = find_sites(kinds[0].config);
	for (unsigned i = 0; i < count; i++) {
		if (sites[i].role != FAULT_SPAWNER || !site_within(&sites[i], "make_network"))
			continue;
		faults++;
		arm(&sites[i], false);
		session_start("k", "command read x\n");
		session_start("l", "command read x\n");
		disarm();
		session_start("m", "command read x\n");
		cr_expect_str_neq(network_of("k"), network_of("l"), "%s", sites[i].call);
		cr_expect_str_neq(network_of("l"), network_of("m"), "%s", sites[i].call);
		cr_expect_str_neq(network_of("k"), network_of("m"), "%s", sites[i].call);
		for (const char *name = "klm"; *name; name++) {
			put_all(text("%c/input", *name), "\n");
			session_exit(text("%c", *name));
			session_remove(text("%c", *name));
		}
	}
	cr_expect_geq(faults, 1);
}

/* What one that waits still lacks, its limits: the server's own to set. */
Test(closed, limits_of_one_made_ahead)
{
	static const char config[] = "memory 100M\nprocesses 33\ncpu 0.5\n" PROOF;
	unsigned count = 0;
	int status;

	start_daemon("2");
	fixture_pool_filled();
	plan->record = true;
	session_run("a", config, &status);
	plan->record = false;
	cr_expect_eq(status, 0);
	session_remove("a");
	cr_assert_eq(atoi(get_value("stats", "pool-hits")), 1);
	for (unsigned i = 0; i < FAULT_SITES_MAX; i++) {
		const struct fault_site *site = &plan->sites[i];

		if (site->key && site->role == FAULT_SERVER &&
		    (!strcmp(site->call, "write") || !strcmp(site->call, "openat64")) &&
		    site_within(site, "cgroup_limit"))
			sites[count++] = *site;
	}
	cr_expect_geq(count, 2, "%u places", count);
	for (unsigned i = 0; i < count; i++) {
		ssize_t result;

		fixture_pool_filled();
		session_make("a");
		put_all("a/config", config);
		arm(&sites[i], false);
		result = put("a/ctl", "start\n");
		disarm();
		cr_expect_lt(result, 0, "%s%s", sites[i].call, functions_of(&sites[i]));
		cr_expect(has(get("a/log", NULL), "start failed: cgroup: "), "%s",
			  get("a/log", NULL));
		expect_refused(&sites[i]);
		session_remove("a");
	}
}

/* The same where one that was made ahead for somebody who has asked for none waits. */
static void take_without_landlock(const struct fault_site *site)
{
	const char *defaults = outside("none");

	outside_file(defaults, "landlock none\n", ROOT, 0644);
	arm(site, true);
	setenv("LD_PRELOAD", getenv("FAULT"), 1);
	setenv("POOL", "2", 1);
	fixture_daemon((const char *const[]){ "--defaults", defaults, NULL });
	unsetenv("LD_PRELOAD");
	fixture_pool_filled();
	session_make("a");
	put_all("a/config", "landlock 6\n" PROOF);
	put_refused("a/ctl", "start\n", ENOMEM);
	cr_expect_str_eq(proof(), "nothing");
	put_all("a/config", "landlock none\n"); /* the control */
	put_all("a/ctl", "start\n");
	cr_expect_eq(session_exit("a"), 0);
	session_remove("a");
	disarm();
	fixture_daemon_ended(SIGTERM);
}

/* A daemon in which calls fail as the plan says, and what it says of its start. */
static struct run run_faulty(void)
{
	struct run started;

	setenv("LD_PRELOAD", getenv("FAULT"), 1);
	started = run((const char *const[]){ mimoboxfs(), "--pool", "0", "--spool", fixture.spool,
					     "--workspaces", fixture.workspaces, fixture.mount,
					     NULL });
	unsetenv("LD_PRELOAD");
	return started;
}

/*
 * A machine that says it has no Landlock: a session starts only if its config says `landlock none`,
 * and not with `network tcp`, because only Landlock enforces ports.
 */
static void start_without_landlock(const struct fault_site *site)
{
	static const char *const configs[] = { "", "network tcp 80\n",
					       "network tcp 80\nlandlock none\n" };
	static const char *const controls[] = { "", "network host\n", "network host\n" };
	struct run started;
	unsigned refused = 0;

	arm(site, true);
	started = run_faulty();
	if (started.status) {
		cr_expect(has(started.err, "landlock"), "%s", started.err);
		disarm();
		return;
	}
	fixture_adopt();
	for (unsigned i = 0; i < 3; i++) {
		int status;

		session_make("a");
		put_all("a/config", text("%s%s", configs[i], PROOF));
		plan->hits = 0;
		ssize_t result = put("a/ctl", "start\n");
		if (plan->hits || result < 0) {
			cr_expect(result < 0 && has(get("a/log", NULL), "start failed: landlock"),
				  "'%s': %zd, %s", configs[i], result, get("a/log", NULL));
			cr_expect_str_eq(proof(), "nothing");
			refused++;
		} else {
			session_exit("a");
		}
		session_remove("a");
		/* the control */
		session_run("b", text("%slandlock none\ncommand exit 7\n", controls[i]), &status);
		cr_expect_eq(status, 7);
		session_remove("b");
	}
	cr_expect_gt(refused, 0);
	disarm();
	fixture_daemon_ended(SIGTERM);
}

Test(closed, without_landlock)
{
	unsigned count = 0;
	int status;

	plan->record = true;
	start_daemon("0");
	session_run("a", "network tcp 80\ncommand exit 7\n", &status);
	plan->record = false;
	cr_expect_eq(status, 7);
	fixture_daemon_ended(SIGTERM);
	for (unsigned i = 0; i < FAULT_SITES_MAX; i++)
		if (plan->sites[i].key && plan->sites[i].role == FAULT_SERVER &&
		    !strcmp(plan->sites[i].call, "landlock_create_ruleset"))
			sites[count++] = plan->sites[i];
	cr_expect_geq(count, 1);
	for (unsigned i = 0; i < count; i++) {
		start_without_landlock(&sites[i]);
		if (site_within(&sites[i], "init_box"))
			take_without_landlock(&sites[i]);
	}
}

/* The daemon's own processes */

/* Each helper has work. */
static const char work[] = "cd $M; mkdir w; echo 'command mkdir /workspace/d; touch /workspace/d/f;"
			   "exit 3' > w/config; echo start > w/ctl; cat w/exit; rmdir w";

static const char *const processes[] = { "mimoboxfs",       "mimobox-forker",  "mimobox-spawner",
					 "mimobox-sweeper", "mimobox-remover", "mimobox-unmount" };

/* Of each what the kernel tells of its privileges, one a line. */
static char *privileges(void)
{
	return sh(text("for p in %d $(pgrep -P %d,%d); do { cat /proc/$p/comm; grep -E "
		       "'^(Cap...|NoNewPrivs|Seccomp):' /proc/$p/status; } 2>/dev/null | "
		       "tr -d '\\t' | tr '\\n' ' '; echo; done | grep mimobox | sort -u",
		       fixture.server, fixture.daemon, fixture.server));
}

static bool all_are_expected(const void *expected)
{
	char *line, *rest = privileges();

	while ((line = strsep(&rest, "\n")) && *line)
		if (!has(expected, line))
			return false;
	return true;
}

static unsigned find_own_sites(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < FAULT_SITES_MAX; i++) {
		const struct fault_site *site = &plan->sites[i];
		char *functions;

		if (!site->key || !is_layer(site->call) || site->role >= FAULT_INIT)
			continue;
		functions = functions_of(site);
		if (!has(functions, "\nconfine_rights\n") && !has(functions, "\nconfine_calls\n"))
			continue;
		cr_assert_lt(count, sizeof(sites) / sizeof(*sites));
		sites[count++] = *site;
	}
	return count;
}

/* It does not serve, or all of its processes are as ever. */
static void serve_with(const struct fault_site *site, const char *expected)
{
	struct run started;

	arm(site, false);
	started = run_faulty();
	if (started.status) {
		cr_expect(has(started.err, "mimoboxfs: ") && !fixture_mounted(), "%s", started.err);
		disarm();
		return;
	}
	fixture_adopt();
	run_shell("sh", text("{ %s; } 2>/dev/null; rmdir $M/w", work));
	cr_expect(plan->hits > 0);
	disarm();
	cr_expect_str_eq(sh(work), "3\n");
	cr_assert(await(all_are_expected, expected, 5000), "%s failed in%s\n%s", site->call,
		  functions_of(site), privileges());
	fixture_daemon_ended(SIGTERM);
}

Test(closed, the_daemons_own)
{
	char *expected;
	unsigned count;

	plan->record = true;
	start_daemon("0");
	cr_assert_str_eq(sh(work), "3\n");
	plan->record = false;
	cr_assert(!plan->full);
	expected = privileges();
	for (unsigned i = 0; i < 6; i++)
		cr_assert(has(expected, processes[i]), "no %s:\n%s", processes[i], expected);
	count = find_own_sites();
	cr_expect_geq(count, 30, "%u places", count);
	fixture_daemon_ended(SIGTERM);
	for (unsigned i = 0; i < count; i++)
		serve_with(&sites[i], expected);
}

/* What it has of each, of `names`. */
static bool has_privileges(pid_t pid, const char *const names[][2])
{
	for (size_t i = 0; names[i][0]; i++)
		if (strcmp(process_fact(pid, names[i][0]), names[i][1]) != 0)
			return false;
	return true;
}

static const struct fault_site *find_within(const char *call, const char *function)
{
	for (unsigned i = 0; i < FAULT_SITES_MAX; i++)
		if (plan->sites[i].key && plan->sites[i].role == FAULT_SERVER &&
		    strcmp(plan->sites[i].call, call) == 0 &&
		    site_within(&plan->sites[i], function))
			return &plan->sites[i];
	return NULL;
}

static bool has_resumed(const void *call)
{
	return find_within(call, "mimobox_resume") != NULL;
}

/* A server that was broken into may have written it. */
Test(closed, what_is_kept_is_read_without_privileges)
{
	static const char *const privileges_of_it[][2] = { { "CapEff", "0000000000000001" },
							   { "CapPrm", "0000000000000001" },
							   { "NoNewPrivs", "1" },
							   { "Seccomp", "2" },
							   { NULL, NULL } };
	const char *call = "epoll_ctl";
	pid_t server;

	start_daemon("0");
	session_start("a", "command read x; exit 7\n");
	plan->record = true;
	server = fixture_server();
	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert(await(has_resumed, call, 20000));
	plan->record = false;
	plan->death = FAULT_STOPS_AFTER;
	arm(find_within(call, "mimobox_resume"), false);
	server = fixture_server();
	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert(await(fixture_next_is_stopped, &server, 20000));
	server = fixture_server();
	cr_expect(has_privileges(server, privileges_of_it), "%s",
		  sh(text("cat /proc/%d/status", server)));
	disarm();
	plan->death = FAULT_LIVES;
	kill(server, SIGCONT);
	put_all("a/input", "x\n");
	cr_expect_eq(session_exit("a"), 7);
	session_remove("a");
}
