/* SPDX-License-Identifier: MIT */
/*
 * What the isolation costs over plain fork, exec and wait, layer by layer: each line of the table
 * is the one before it with one more layer, all of them made by the functions that core makes
 * them with. The work is /bin/true, from the clone to its end. Then whole sessions, by the library
 * and by a mount, and bubblewrap with the same work, where it is installed.
 *
 * meson test --benchmark; MIMOBOX_ROUNDS (300) times each, the lines in an order that changes, so
 * that what else goes on in the machine falls on all of them alike. Run by root, in a release
 * build.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "config.h"
#include "landlock.h"
#include "mimobox.h"
#include "mounts.h"
#include "paths.h"
#include "plan.h"
#include "privileges.h"
#include "quotas.h"
#include "root.h"
#include "sandbox.h"
#include "sysfilter.h"

#define ROUNDS_MAX 5000
#define OUTSIDE_ID 0x70000001

/* In the order in which they are added. */
enum layer {
	USER = 1 << 0,
	MOUNT = 1 << 1,
	PID = 1 << 2,
	IPC = 1 << 3,
	UTS = 1 << 4,
	NET = 1 << 5,
	IDENTITY = 1 << 6, /* maps, and waiting for them */
	CGROUP_NS = 1 << 7,
	GROUP = 1 << 8, /* a cgroup with three limits */
	ROOT = 1 << 9,  /* with /proc, devices and devpts */
	PRIVILEGES = 1 << 10,
	INIT = 1 << 11, /* a process of its own for PID 1 */
	LANDLOCK = 1 << 12,
	FILTER = 1 << 13,
};

static struct {
	struct root_layout layout;
	struct quotas quotas;
	struct cgroups *cgroups;
	struct sysfilter filter;
	struct plan plan;
	cap_t no_capabilities;
	struct config config;
	struct mimobox *box;
	char mount[64], directory[48];
	uint64_t next_group, group; /* the last; 0: none is left */
	bool ended;
} bench;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "bench_isolation: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* In the child */

static void child_need(bool condition)
{
	if (!condition)
		_exit(111);
}

static void confine(unsigned layers)
{
	const char *what;
	unsigned failed;
	int root;

	if (layers & IDENTITY)
		child_need(setresgid(SANDBOX_GID, SANDBOX_GID, SANDBOX_GID) == 0 &&
			   setresuid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID) == 0);
	if (layers & CGROUP_NS)
		child_need(unshare(CLONE_NEWCGROUP) == 0);
	if (layers & ROOT)
		child_need((root = root_make(&bench.layout, &bench.quotas,
					     &(struct root_options){ .tmp_size = "67108864",
								     .tmp_inodes = "65792",
								     .terminals = "8",
								     .own_network = true },
					     &what)) >= 0 &&
			   root_enter(root, NULL, 0, &what) == 0 && close(root) == 0);
	if (layers & PRIVILEGES)
		child_need(privileges_limit(1024, UINT64_MAX, &what) == 0 &&
			   privileges_bound(&what) == 0 &&
			   privileges_drop(bench.no_capabilities) == 0);
	if (layers & INIT) {
		int status = 0;
		pid_t pid = _Fork();

		child_need(pid >= 0);
		if (pid > 0) {
			child_need(waitpid(pid, &status, 0) == pid);
			_exit(WEXITSTATUS(status));
		}
	}
	if (layers & LANDLOCK)
		child_need(landlock_apply(&bench.plan.landlock, &failed) == 0);
	if (layers & FILTER)
		child_need(sysfilter_load(&bench.filter) == 0);
}

static _Noreturn void become(unsigned layers, int go, const struct cgroup_entry *entry)
{
	char true_path[] = "/bin/true", *argv[] = { true_path, NULL }, *envp[] = { NULL };
	char byte;

	child_need(cgroup_enter(entry) == 0);
	if (layers & IDENTITY)
		child_need(read(go, &byte, 1) == 1);
	confine(layers);
	execve(true_path, argv, envp);
	_exit(112);
}

/* In the parent */

static void write_to(pid_t pid, const char *file, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	need(fd >= 0 && write(fd, text, strlen(text)) > 0, file);
	close(fd);
}

static void attend(unsigned layers, pid_t pid)
{
	char map[64];

	if (layers & IDENTITY) {
		write_to(pid, "setgroups", "deny");
		snprintf(map, sizeof(map), "%d %u 1", SANDBOX_UID, OUTSIDE_ID);
		write_to(pid, "uid_map", map);
		write_to(pid, "gid_map", map);
	}
}

static uint64_t flags_of(unsigned layers)
{
	return (layers & USER ? CLONE_NEWUSER : 0) | (layers & MOUNT ? CLONE_NEWNS : 0) |
	       (layers & PID ? CLONE_NEWPID : 0) | (layers & IPC ? CLONE_NEWIPC : 0) |
	       (layers & UTS ? CLONE_NEWUTS : 0) | (layers & NET ? CLONE_NEWNET : 0);
}

static void make_group(uint64_t group, struct cgroup_entry *entry)
{
	const struct cgroup_limits limits = { 512u << 20, 128, 1000 };
	const char *what = "cgroup";

	need(cgroup_create(bench.cgroups, group) == 0, what);
	need(cgroup_limit(bench.cgroups, group, &cgroup_unlimited, &limits, &what) == 0, what);
	need(cgroup_entry_open(bench.cgroups, group, entry) == 0, what);
}

static void with_layers(unsigned layers)
{
	struct clone_args args = { .flags = flags_of(layers), .exit_signal = SIGCHLD };
	struct cgroup_entry entry = { .directory = -1 };
	uint64_t group = ++bench.next_group;
	int go[2], status = 0;
	pid_t pid;

	need(pipe2(go, O_CLOEXEC) == 0, "pipe");
	if (layers & GROUP)
		make_group(group, &entry);
	if (entry.directory >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)entry.directory;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		become(layers, go[0], &entry);
	need(pid > 0, "clone3");
	cgroup_entry_close(&entry);
	attend(layers, pid);
	need(write(go[1], "", 1) == 1, "pipe");
	need(waitpid(pid, &status, 0) == pid && status == 0, "a layer that could not be had");
	if (layers & GROUP)
		bench.group = group;
	close(go[0]);
	close(go[1]);
}

/* Not within the time: a group is busy for a while after its last process, and core comes back. */
static void settle(void)
{
	while (bench.group && cgroup_destroy(bench.cgroups, bench.group) == -EBUSY)
		sched_yield();
	bench.group = 0;
}

/* Whole sessions */

static void on_event(struct mimobox_session *session, unsigned events, void *data)
{
	(void)session, (void)data;
	if (events & MIMOBOX_ENDED)
		bench.ended = true;
}

static void by_library(unsigned layers)
{
	static const char config[] = "argv [\"/bin/true\"]";
	struct mimobox_session *session;
	int status = -1;

	(void)layers;
	bench.ended = false;
	need(mimobox_session_create(bench.box, "bench", 0, 0, &session) == 0, "create");
	need(mimobox_session_configure(session, config, sizeof(config) - 1) > 0, "configure");
	need(mimobox_session_start(session) == -EINPROGRESS, "start");
	while (!bench.ended)
		need(mimobox_dispatch(bench.box, 5000) == 0, "dispatch");
	need(mimobox_session_exit(session, &status) == 0 && status == 0, "exit");
	mimobox_session_remove(session);
	mimobox_session_unref(session);
}

static void put(int directory, const char *name, const char *text)
{
	int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);

	need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), name);
	close(fd);
}

static void by_mount(unsigned layers)
{
	char path[80], answer[16];
	int directory, fd;

	(void)layers;
	snprintf(path, sizeof(path), "%s/bench", bench.mount);
	need(mkdir(path, 0700) == 0, "mkdir");
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(directory, "config", "argv [\"/bin/true\"]\n");
	put(directory, "ctl", "start\n");
	fd = openat(directory, "exit", O_RDONLY | O_CLOEXEC);
	need(read(fd, answer, sizeof(answer)) == 2 && answer[0] == '0', "exit");
	close(fd);
	close(directory);
	need(rmdir(path) == 0, "rmdir");
}

static void by_bubblewrap(unsigned layers)
{
	static const char *const argv[] = { "bwrap",     "--unshare-all", "--ro-bind", "/usr",
					    "/usr",      "--symlink",     "usr/bin",   "/bin",
					    "--symlink", "usr/lib",       "/lib",      "--symlink",
					    "usr/lib64", "/lib64",        "--ro-bind", "/etc",
					    "/etc",      "--proc",        "/proc",     "--dev",
					    "/dev",      "--tmpfs",       "/tmp",      "/bin/true",
					    NULL };
	int status = 0;
	pid_t pid = vfork();

	(void)layers;
	if (pid == 0) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "bwrap");
}

/* The table */

static struct line {
	const char *name;
	void (*run)(unsigned layers);
	unsigned layers;
	uint64_t *times;
} lines[] = {
	{ "fork, exec, wait", with_layers, 0, NULL },
	{ "+ user namespace", with_layers, USER, NULL },
	{ "+ mount namespace", with_layers, USER | MOUNT, NULL },
	{ "+ PID namespace", with_layers, USER | MOUNT | PID, NULL },
	{ "+ IPC namespace", with_layers, USER | MOUNT | PID | IPC, NULL },
	{ "+ UTS namespace", with_layers, USER | MOUNT | PID | IPC | UTS, NULL },
	{ "+ network namespace", with_layers, (NET << 1) - 1, NULL },
	{ "+ identity: setgroups, uid and gid maps", with_layers, (IDENTITY << 1) - 1, NULL },
	{ "+ cgroup namespace", with_layers, (CGROUP_NS << 1) - 1, NULL },
	{ "+ cgroup: memory, processes, cpu", with_layers, (GROUP << 1) - 1, NULL },
	{ "+ root: system, /proc, /dev, devpts, pivot", with_layers, (ROOT << 1) - 1, NULL },
	{ "+ rlimits, capabilities, no_new_privs", with_layers, (PRIVILEGES << 1) - 1, NULL },
	{ "+ init as PID 1", with_layers, (INIT << 1) - 1, NULL },
	{ "+ Landlock", with_layers, (LANDLOCK << 1) - 1, NULL },
	{ "+ seccomp filter", with_layers, (FILTER << 1) - 1, NULL },
	{ "a session by the library, to its end", by_library, 0, NULL },
	{ "a session by a mount: mkdir ... exit, rmdir", by_mount, 0, NULL },
	{ "bwrap --unshare-all", by_bubblewrap, 0, NULL },
};

#define LINES (sizeof(lines) / sizeof(*lines))

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double us(const struct line *line, unsigned rounds, unsigned percent)
{
	return (double)line->times[(rounds - 1) * percent / 100] / 1000;
}

static void print_table(unsigned rounds)
{
	double before = 0, plain = us(&lines[0], rounds, 50);

	printf("| step | p50 us | p99 us | this step, us | of plain fork and exec |\n"
	       "|---|---|---|---|---|\n");
	for (size_t i = 0; i < LINES; i++) {
		double median = us(&lines[i], rounds, 50);
		char step[24] = "";

		if (lines[i].run == with_layers && i > 0)
			snprintf(step, sizeof(step), "%+.0f", median - before);
		printf("| %s | %.0f | %.0f | %s | %.2f |\n", lines[i].name, median,
		       us(&lines[i], rounds, 99), step, median / plain);
		before = median;
	}
}

static void prepare(void)
{
	const struct sysfilter_options options = { .profile = SYSFILTER_ESSENTIAL, .fork = true };
	char why[160] = "";

	need(geteuid() == 0, "run as root");
	need(root_layout_init(&bench.layout) == 0, "layout");
	quotas_init(&bench.quotas);
	need(cgroups_create(NULL, &bench.cgroups) == 0, "cgroups");
	need(sysfilter_build(&options, &bench.filter, why, sizeof(why)) == 0, why);
	need(config_init(&bench.config) == 0, "config");
	need(plan_init(&bench.plan, &bench.config, &bench.layout, NULL, 0) == 0, "plan");
	bench.plan.landlock.abi = landlock_abi();
	bench.no_capabilities = cap_init();
	need(mimobox_create(&(struct mimobox_options){ .notify = on_event }, &bench.box, why,
			    sizeof(why)) == 0,
	     why);
}

/* In the foreground, to be ended by its id. */
static pid_t mount_start(void)
{
	const char *program = getenv("MIMOBOXFS");
	struct stat above, at;
	pid_t pid;

	snprintf(bench.directory, sizeof(bench.directory), "/tmp/mimobox-bench.XXXXXX");
	need(program && mkdtemp(bench.directory), "MIMOBOXFS: run by meson test --benchmark");
	snprintf(bench.mount, sizeof(bench.mount), "%s/m", bench.directory);
	need(mkdir(bench.mount, 0755) == 0 && stat(bench.directory, &above) == 0, bench.mount);
	pid = fork();
	if (pid == 0) {
		char workspaces[64];

		snprintf(workspaces, sizeof(workspaces), "%s/w", bench.directory);
		execl(program, program, "-f", "--workspaces", workspaces, bench.mount,
		      (char *)NULL);
		_exit(127);
	}
	for (uint64_t end = now_ns() + UINT64_C(20000000000);
	     now_ns() < end && stat(bench.mount, &at) == 0 && at.st_dev == above.st_dev;)
		sched_yield();
	need(at.st_dev != above.st_dev, "mount");
	return pid;
}

static void mount_stop(pid_t pid)
{
	char workspaces[64];

	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	snprintf(workspaces, sizeof(workspaces), "%s/w", bench.directory);
	rmdir(workspaces);
	rmdir(bench.mount);
	rmdir(bench.directory);
}

/* Moving into a cgroup is quick when another has just done so: no line may always follow one. */
static void shuffle(size_t order[LINES])
{
	for (size_t i = LINES - 1; i > 0; i--) {
		size_t other = (size_t)rand() % (i + 1), held = order[i];

		order[i] = order[other];
		order[other] = held;
	}
}

static void measure(unsigned rounds)
{
	size_t order[LINES];

	for (size_t i = 0; i < LINES; i++) {
		lines[i].times = calloc(rounds, sizeof(*lines[i].times));
		need(lines[i].times != NULL, "memory");
		order[i] = i;
		lines[i].run(lines[i].layers); /* once for warmth */
		settle();
	}
	for (unsigned round = 0; round < rounds; round++) {
		shuffle(order);
		for (size_t i = 0; i < LINES; i++) {
			struct line *line = &lines[order[i]];
			uint64_t start = now_ns();

			line->run(line->layers);
			line->times[round] = now_ns() - start;
			settle();
		}
	}
	for (size_t i = 0; i < LINES; i++)
		qsort(lines[i].times, rounds, sizeof(*lines[i].times), by_size);
}

int main(void)
{
	const char *wanted = getenv("MIMOBOX_ROUNDS");
	unsigned rounds = wanted ? (unsigned)atoi(wanted) : 300;
	pid_t daemon;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		rounds = 300;
	prepare();
	daemon = mount_start();
	measure(rounds);
	print_table(rounds);
	mount_stop(daemon);
	for (size_t i = 0; i < LINES; i++)
		free(lines[i].times);
	mimobox_destroy(bench.box);
	cgroups_destroy(bench.cgroups);
	sysfilter_finish(&bench.filter);
	cap_free(bench.no_capabilities);
	plan_finish(&bench.plan);
	config_finish(&bench.config);
	return 0;
}
