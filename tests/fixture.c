/* SPDX-License-Identifier: MIT */
/*
 * What is checked at the end of each test is what every test would have to check otherwise: the
 * daemon's exit status is 0 (a sanitizer's report makes it another, LeakSanitizer's at the exit
 * too), the mount is gone, and no process, no cgroup, no spool file and no workspace is left.
 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "reports.h"

#define GUARDIAN_SECONDS 240 /* longer than a test may take that says nothing else */
#define STOP_MS 15000
#define FOLLOW_MS 2000 /* for what ends when the daemon has ended */

struct fixture fixture;

/* The guardian */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	remove(path);
	return 0;
}

static void remove_tree(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* What tests have mounted in the directory, the last first. */
static void detach_all(void)
{
	char line[4096], path[PATH_MAX], last[PATH_MAX];
	FILE *mounts;

	do {
		*last = '\0';
		mounts = fopen("/proc/self/mounts", "re");
		while (mounts && fgets(line, sizeof(line), mounts))
			if (sscanf(line, "%*s %4095s", path) == 1 &&
			    !strncmp(path, fixture.dir, strlen(fixture.dir)))
				strcpy(last, path);
		if (mounts)
			fclose(mounts);
	} while (*last && umount2(last, MNT_DETACH) == 0);
}

/* The daemons that the guardian knows of. */
static struct {
	pid_t pid;
	int pidfd;
} wards[64];
static unsigned wards_count;

static char cgroup_name[32];

static int remove_cgroup(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type;
	if (!strcmp(path + ftw->base, cgroup_name))
		nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* Frees whoever waits for an answer. A cgroup can go once what was in it has gone. */
static void kill_all(void)
{
	detach_all();
	for (unsigned i = 0; i < wards_count; i++) {
		pidfd_send_signal(wards[i].pidfd, SIGKILL, NULL, 0);
		poll_one(wards[i].pidfd, POLLIN, FOLLOW_MS);
		close(wards[i].pidfd);
		snprintf(cgroup_name, sizeof(cgroup_name), "mimobox-%d", wards[i].pid);
		for (int tries = 0; tries < 20; tries++) {
			nftw("/sys/fs/cgroup", remove_cgroup, 16, FTW_PHYS);
			pause_ms(20);
		}
	}
	wards_count = 0;
}

/* Reads pids of daemons; 0 says that all is tidied. At the end of the pipe it tidies itself. */
static _Noreturn void guardian_main(int pipe_end)
{
	uint64_t seconds = fixture.seconds ? fixture.seconds : GUARDIAN_SECONDS;
	uint64_t end = now_ms() + seconds * 1000 * factor();
	pid_t pid;

	setsid();
	dup2(pipe_end, 3);
	close_range(4, ~0u, 0);
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	while (true) {
		struct pollfd poll_for = { .fd = 3, .events = POLLIN };
		uint64_t now = now_ms();

		if (poll(&poll_for, 1, now < end ? (int)(end - now) : -1) == 0) {
			kill_all();
			continue;
		}
		if (read(3, &pid, sizeof(pid)) != sizeof(pid))
			break;
		if (pid == 0)
			_exit(0);
		if (wards_count < sizeof(wards) / sizeof(*wards)) {
			wards[wards_count].pid = pid;
			wards[wards_count++].pidfd = pidfd_open(pid, 0);
		}
	}
	kill_all();
	remove_tree(fixture.dir);
	_exit(0);
}

static void guardian_start(void)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	fixture.guardian = fork();
	cr_assert(fixture.guardian >= 0);
	if (fixture.guardian == 0) {
		close(ends[1]);
		guardian_main(ends[0]);
	}
	close(ends[0]);
	fixture.guardian_pipe = ends[1];
}

static void guardian_tell(pid_t pid)
{
	cr_assert_eq(write(fixture.guardian_pipe, &pid, sizeof(pid)), (ssize_t)sizeof(pid));
}

/* The directory */

const char *mimoboxfs(void)
{
	const char *path = getenv("MIMOBOXFS");

	cr_assert(path && !access(path, X_OK), "MIMOBOXFS: the program's path: run by meson test");
	return path;
}

void fixture_prepare(void)
{
	const char *logs = NULL;

	snprintf(fixture.dir, sizeof(fixture.dir), "/tmp/mimobox-test.XXXXXX");
	cr_assert(mkdtemp(fixture.dir) != NULL);
	chmod(fixture.dir, 0755);
	snprintf(fixture.mount, sizeof(fixture.mount), "%s/m", fixture.dir);
	snprintf(fixture.spool, sizeof(fixture.spool), "%s/spool", fixture.dir);
	snprintf(fixture.workspaces, sizeof(fixture.workspaces), "%s/workspaces", fixture.dir);
	cr_assert(mkdir(fixture.mount, 0755) == 0 && mkdir(fixture.spool, 0777) == 0);
	cr_assert(chmod(fixture.spool, 01777) == 0);
	guardian_start();
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	logs = text("%s/sanitizer", fixture.dir);
	cr_assert(mkdir(logs, 0777) == 0 && chmod(logs, 01777) == 0);
	setenv("ASAN_OPTIONS", text("log_path=%s/asan:exitcode=99:detect_leaks=1", logs), 1);
	setenv("UBSAN_OPTIONS", text("log_path=%s/ubsan:halt_on_error=1:print_stacktrace=1", logs),
	       1);
}

void fixture_private_mounts(void)
{
	cr_assert_eq(unshare(CLONE_NEWNS), 0, "unshare: %s", strerror(errno));
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

bool fixture_mounted(void)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	char line[4096], found[PATH_MAX];
	bool mounted = false;

	cr_assert(mounts != NULL);
	while (fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*s %4095s", found) == 1 && !strcmp(found, fixture.mount))
			mounted = true;
	fclose(mounts);
	return mounted;
}

static bool is_mounted(const void *unused)
{
	(void)unused;
	return fixture_mounted();
}

/* The daemon */

static bool is_ours(pid_t pid)
{
	return pid == fixture.guardian || was_spawned(pid);
}

/* /proc may leave one out while others come and go. */
static bool has_daemon(const void *unused)
{
	pid_t pids[256]; /* those that an example has left are among them, dead */
	unsigned count = children(pids, 256);

	(void)unused;
	fixture.daemon = 0;
	for (unsigned i = 0; i < count && i < 256; i++)
		if (!is_ours(pids[i]) && process_state(pids[i]) != 'Z') {
			cr_assert_eq(fixture.daemon, 0, "two daemons: %d, %d", fixture.daemon,
				     pids[i]);
			fixture.daemon = pids[i];
		}
	return fixture.daemon != 0;
}

void fixture_adopt(void)
{
	cr_assert(await(has_daemon, NULL, FOLLOW_MS), "no daemon in the background");
	guardian_tell(fixture.daemon);
	/* one that was not waited for has no server yet */
	cr_assert(await(is_mounted, NULL, STOP_MS), "nothing is mounted");
	fixture.server = fixture_server();
	if (!fixture.server) /* without a keeper */
		fixture.server = fixture.daemon;
}

void fixture_daemon(const char *const options[])
{
	const char *argv[32] = { mimoboxfs(), "--pool", text("%u", fixture_pool()) };
	unsigned count = 3;
	struct run started;

	while (options && *options) {
		cr_assert_lt(count, 26);
		argv[count++] = *options++;
	}
	argv[count++] = "--spool";
	argv[count++] = fixture.spool;
	argv[count++] = "--workspaces";
	argv[count++] = fixture.workspaces;
	argv[count++] = fixture.mount;
	started = run(argv);
	cr_assert_eq(started.status, 0, "mimoboxfs: status %d\n%s", started.status, started.err);
	cr_assert_eq(started.out_size, 0, "mimoboxfs printed: %s", started.out);
	fixture_adopt();
}

void fixture_start(void)
{
	fixture_prepare();
	fixture_daemon(NULL);
}

int fixture_landlock(void)
{
	const char *played = getenv("LANDLOCK_ABI");
	int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	return played && atoi(played) < version ? atoi(played) : version;
}

unsigned fixture_pool(void)
{
	const char *pool = getenv("POOL");

	return pool ? (unsigned)atoi(pool) : 4;
}

/* Straight by read(): not a check, and whoever wants it asks again. */
static bool pool_is_full(const void *unused)
{
	char data[4096] = "", *at;
	int fd = open(text("%s/stats", fixture.mount), O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, data, sizeof(data) - 1);

	(void)unused;
	if (fd >= 0)
		close(fd);
	at = size > 0 ? strstr(data, "pool-ready ") : NULL;
	return at && (unsigned)atoi(at + strlen("pool-ready ")) == fixture_pool();
}

void fixture_pool_filled(void)
{
	cr_assert(await(pool_is_full, NULL, STOP_MS), "the pool has not been filled");
}

pid_t fixture_child(pid_t parent, const char *name)
{
	char list[4096] = "", *rest = NULL;
	FILE *file = fopen(text("/proc/%d/task/%d/children", parent, parent), "re");

	if (!file)
		return 0;
	if (!fgets(list, sizeof(list), file))
		list[0] = '\0';
	fclose(file);
	for (char *word = strtok_r(list, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *is = process_fact((pid_t)atoi(word), "Name");

		if (is && strncmp(is, name, 15) == 0) /* the kernel has no more of it */
			return (pid_t)atoi(word);
	}
	return 0;
}

/* Its helpers and sandboxes have names of their own. */
pid_t fixture_server(void)
{
	pid_t pid = fixture_child(fixture.daemon, "mimoboxfs");

	/* It leads a process group; what the keeper has at its end to look for leaks does not. */
	return pid && getpgid(pid) == pid ? pid : 0;
}

bool fixture_next_is_stopped(const void *before)
{
	pid_t pid = fixture_server();

	return pid && pid != *(const pid_t *)before && process_stopped(&pid);
}

bool fixture_unmounted(const void *unused)
{
	(void)unused;
	return !fixture_mounted();
}

bool fixture_alone(const void *unused)
{
	pid_t pids[64];
	unsigned number = children(pids, 64), others = 0;

	(void)unused;
	for (unsigned i = 0; i < number && i < 64; i++) {
		if (pids[i] == fixture.guardian || was_spawned(pids[i]))
			continue;
		if (process_state(pids[i]) != 'Z' || waitpid(pids[i], NULL, WNOHANG) != pids[i])
			others++;
	}
	return others == 0;
}

static unsigned descriptors_of(pid_t pid)
{
	DIR *dir = opendir(text("/proc/%d/fd", pid));
	unsigned count = 0;

	cr_assert(dir != NULL);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

unsigned fixture_descriptors(void)
{
	pid_t serves = fixture_server();

	return descriptors_of(fixture.daemon) + (serves ? descriptors_of(serves) : 0);
}

/* What is left. Each check says what it found and goes on: one failure may explain another. */

static void no_process_left(void)
{
	pid_t pids[64];
	unsigned count = children(pids, 64);

	for (unsigned i = 0; i < count && i < 64; i++) {
		if (is_ours(pids[i]))
			continue;
		if (await(process_gone, &pids[i], FOLLOW_MS)) { /* ours to reap */
			waitpid(pids[i], NULL, WNOHANG);
			continue;
		}
		report_failure("process %d is left: %s, state %c", pids[i],
			       process_fact(pids[i], "Name"), process_state(pids[i]));
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

static int cgroup_is_left(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (strcmp(path + ftw->base, cgroup_name))
		return 0;
	report_failure("cgroup %s is left", path);
	return remove_cgroup(path, st, type, ftw);
}

static int report_is_left(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char report[16384];
	FILE *file;

	(void)st, (void)ftw;
	if (type != FTW_F)
		return 0;
	file = fopen(path, "re");
	report[file ? fread(report, 1, sizeof(report) - 1, file) : 0] = '\0';
	if (file)
		fclose(file);
	report_failure("sanitizer:\n%s", report);
	remove(path);
	return 0;
}

static int something_is_left(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	if (ftw->level > 0)
		report_failure("%s %s is left", type == FTW_D ? "directory" : "file", path);
	return 0;
}

void fixture_nothing_left(pid_t pid)
{
	if (fixture_mounted()) {
		report_failure("%s is still mounted", fixture.mount);
		umount2(fixture.mount, MNT_DETACH);
	}
	no_process_left();
	snprintf(cgroup_name, sizeof(cgroup_name), "mimobox-%d", pid);
	nftw("/sys/fs/cgroup", cgroup_is_left, 16, FTW_PHYS);
	nftw(fixture.spool, something_is_left, 16, FTW_PHYS);
	if (!fixture.crashed)
		nftw(fixture.workspaces, something_is_left, 16, FTW_PHYS);
	nftw(text("%s/sanitizer", fixture.dir), report_is_left, 16, FTW_PHYS);
}

void fixture_daemon_ended(int signal)
{
	pid_t pid = fixture.daemon;
	int status = 0;

	fixture.daemon = 0;
	if (signal)
		kill(pid, signal);
	if (!ended(pid, STOP_MS, &status)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		report_failure("mimoboxfs has not ended in %u ms", scaled(STOP_MS));
	} else if (status != 0) {
		report_failure("mimoboxfs ended with status %d", status);
	}
	fixture_nothing_left(pid);
}

void fixture_stop(void)
{
	if (fixture.daemon)
		fixture_daemon_ended(SIGTERM);
	process_finish();
	if (!fixture.guardian)
		return;
	detach_all();
	remove_tree(fixture.dir);
	guardian_tell(0);
	close(fixture.guardian_pipe);
	waitpid(fixture.guardian, NULL, 0);
}
