/* SPDX-License-Identifier: MIT */
#include "sweep.h"

#include "sweep_client.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "process.h"

enum { RUN_MS = 60000, SETTLE_MS = 1000, GONE_MS = 8000, PATIENCE_SECONDS = 5 };

static int start_daemon(int errors)
{
	char spool[160], workspaces[160], plan[96], pool[16], patience[16], options[256];

	pid_t pid = fork();
	if (pid == 0) {
		const char *argv[] = { mimoboxfs(), "--pool",        pool,  "--patience",
				       patience,    "--spool",       spool, "--workspaces",
				       workspaces,  sweep_now.mount, NULL };
		int null = open("/dev/null", O_RDWR);

		snprintf(spool, sizeof(spool), "%s/spool", sweep_now.dir);
		snprintf(workspaces, sizeof(workspaces), "%s/workspaces", sweep_now.dir);
		/* The dynamic linker's own memory would be a leak; what leaks is counted. */
		snprintf(options, sizeof(options), "%s:verify_asan_link_order=0:detect_leaks=0",
			 getenv("ASAN_OPTIONS"));
		snprintf(patience, sizeof(patience), "%u", scaled(PATIENCE_SECONDS));
		snprintf(pool, sizeof(pool), "%u", sweep_now.setup->pool);
		snprintf(plan, sizeof(plan), "%s/plan-%u", fixture.dir, sweep_now.setup->worker);
		dup2(null, 0);
		dup2(null, 1);
		dup2(errors, 2);
		close_range(3, ~0U, 0);
		setenv("FAULT_PLAN", plan, 1);
		setenv("LD_PRELOAD", sweep_now.setup->library, 1);
		setenv("ASAN_OPTIONS", options, 1);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	int status = -1;
	sweep_arm(STEP_SECONDS);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && !sweep_late)
		;
	sweep_disarm(0);
	if (sweep_late) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -1;
	}
	if (WIFSIGNALED(status))
		sweep_found("signal %d", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* One line on standard error says why. */
static void check_refusal(int errors, int status)
{
	char text[4096] = "";
	char *line;
	ssize_t size = pread(errors, text, sizeof(text) - 1, 0);

	line = strchr(text, '\n');

	if (status < 1 || status > 3)
		sweep_found("exit status %d", status);
	/* libfuse may have said something as well, once it is mounted. */
	while (strncmp(text, "fuse: ", 6) == 0 && line)
		line = strchr(memmove(text, line + 1, strlen(line)), '\n');
	if (size <= 0 || strncmp(text, "mimoboxfs: ", 11) != 0 || !line || line[1])
		sweep_found("no clear line, but: '%s'", text);
}

static bool is_mounted(void)
{
	char line[4096], place[256];
	FILE *mounts = fopen("/proc/self/mounts", "re");
	bool mounted = false;

	while (mounts && fgets(line, sizeof(line), mounts))
		mounted |= sscanf(line, "%*s %255s", place) == 1 && !strcmp(place, sweep_now.mount);
	if (mounts)
		fclose(mounts);
	return mounted;
}

static unsigned descriptors(const void *unused)
{
	char path[64];
	unsigned count = 0;

	(void)unused;
	snprintf(path, sizeof(path), "/proc/%d/fd", sweep_now.daemon);
	DIR *listing = opendir(path);
	while (listing && readdir(listing))
		count++;
	if (listing)
		closedir(listing);
	return count;
}

static bool has_settled(const void *unused)
{
	return descriptors(unused) <= sweep_now.expected->descriptors;
}

static char cgroup_name[32];

static int cgroup_is_left(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type;
	if (strcmp(path + ftw->base, cgroup_name) != 0)
		return 0;
	/* The one that it could not remove, whatever it did. */
	if (!sweep_now.site || strcmp(sweep_now.site->call, "unlinkat") != 0)
		sweep_found("cgroup %s", path);
	rmdir(path);
	return 0;
}

static int entry_is_left(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	if (ftw->level > 0) {
		sweep_found("%s", path);
		if (type == FTW_DP)
			rmdir(path);
		else
			unlink(path);
	}
	return 0;
}

static int report_is_left(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char text[2000];

	(void)st, (void)ftw;
	if (type != FTW_F)
		return 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
	sweep_found("%.*s", size > 0 ? (int)size : 0, text);
	if (fd >= 0)
		close(fd);
	unlink(path);
	return 0;
}

static bool none_left(const void *unused)
{
	int status;

	(void)unused;
	while (waitpid(-1, &status, WNOHANG) > 0)
		;
	return waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD;
}

static void nothing_is_left(void)
{
	char path[160];
	pid_t left[16];

	sweep_step("left");
	if (!await(none_left, NULL, SETTLE_MS)) {
		unsigned count = children(left, 16);
		for (unsigned i = 0; i < count && i < 16; i++) {
			sweep_found("process %d", left[i]);
			kill(left[i], SIGKILL);
		}
		await(none_left, NULL, SETTLE_MS);
	}
	if (is_mounted()) {
		if (!sweep_now.site || strcmp(sweep_now.site->call, "umount2") != 0)
			sweep_found("the mount");
		umount2(sweep_now.mount, MNT_DETACH);
	}
	snprintf(cgroup_name, sizeof(cgroup_name), "mimobox-%d", sweep_now.plan->daemon);
	nftw("/sys/fs/cgroup", cgroup_is_left, 16, FTW_PHYS | FTW_DEPTH);
	snprintf(path, sizeof(path), "%s/spool", sweep_now.dir);
	nftw(path, entry_is_left, 16, FTW_PHYS | FTW_DEPTH);
	snprintf(path, sizeof(path), "%s/workspaces", sweep_now.dir);
	nftw(path, entry_is_left, 16, FTW_PHYS | FTW_DEPTH);
	snprintf(path, sizeof(path), "%s/sanitizer", fixture.dir);
	nftw(path, report_is_left, 16, FTW_PHYS);
}

static void end_daemon(void)
{
	int status = 0;

	sweep_step("end");
	kill(sweep_now.daemon, SIGTERM);
	if (!ended(sweep_now.daemon, GONE_MS, &status)) {
		sweep_found("the daemon has not ended in %u ms", scaled(GONE_MS));
		kill(sweep_now.daemon, SIGKILL);
		umount2(sweep_now.mount, MNT_DETACH);
		waitpid(sweep_now.daemon, NULL, 0);
	} else if (status != 0) {
		sweep_found("the daemon ended with %d", status);
	}
}

static void use_daemon(void)
{
	char text[SWEEP_TEXT_MAX];

	fixture.daemon = sweep_now.daemon;
	pid_t server = fixture_server();
	if (!sweep_now.setup->dies)
		sweep_begin();
	sweep_look_around();
	sweep_terminal("one", !sweep_now.site);
	sweep_pipes("two");
	sweep_step("events");
	if (sweep_now.events >= 0) {
		ssize_t size = read(sweep_now.events, text, sizeof(text));
		(void)size;
		close(sweep_now.events);
	}
	sweep_now.plan->target = 0;
	sweep_terminal("three", true);
	sweep_step("descriptors");
	if (!sweep_now.expected) {
		pause_ms(50);
		sweep_now.out->descriptors = descriptors(NULL);
	} else if (sweep_now.setup->pool == 0 && !await(has_settled, NULL, SETTLE_MS)) {
		sweep_found("%u, more than %u", descriptors(NULL), sweep_now.expected->descriptors);
	}
	bool same = fixture_server() == server; /* another has freed nothing of the first one's */
	end_daemon();
	sweep_step("memory");
	sweep_now.out->live = sweep_now.plan->live;
	if (sweep_now.setup->counts && same && sweep_now.expected &&
	    sweep_now.out->live > sweep_now.expected->live)
		sweep_found("%d allocations were not freed",
			    (int)(sweep_now.out->live - sweep_now.expected->live));
}

static void prepare(void)
{
	char path[160];
	static const char *const parts[] = { "", "m", "spool", "workspaces", "shared" };

	snprintf(sweep_now.dir, sizeof(sweep_now.dir), "%s/worker-%u", fixture.dir,
		 sweep_now.setup->worker);
	snprintf(sweep_now.mount, sizeof(sweep_now.mount), "%s/m", sweep_now.dir);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		snprintf(path, sizeof(path), "%s/%s", sweep_now.dir, parts[i]);
		mkdir(path, 0755);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static void run_here(void)
{
	uint64_t begun = now_ms();
	int errors = memfd_create("errors", MFD_CLOEXEC);

	prepare();
	sweep_step("start");
	int status = start_daemon(errors);
	sweep_now.daemon = sweep_now.plan->daemon;
	if (status == 0) {
		sweep_now.out->started = true;
		use_daemon();
	} else {
		check_refusal(errors, status);
	}
	nothing_is_left();
	sweep_now.out->hits = sweep_now.plan->hits;
	sweep_now.out->milliseconds = (unsigned)(now_ms() - begun);
	sweep_now.out->over = true;
}

char *functions_of(const struct fault_site *site)
{
	const char *argv[8 + FAULT_FRAMES] = { "addr2line", "-f", "-i", "-s", "-e", mimoboxfs() };
	unsigned count = 6;

	for (uint32_t i = 0; i < site->depth; i++) /* a call is before where it returns to */
		argv[count++] = text("0x%llx", (unsigned long long)site->frames[i] - 1);
	return text("\n%s", run(argv).out);
}

struct fault_plan *sweep_plan(unsigned worker)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/plan-%u", fixture.dir, worker);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && ftruncate(fd, sizeof(struct fault_plan)) == 0);
	void *plan =
		mmap(NULL, sizeof(struct fault_plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(plan != MAP_FAILED);
	close(fd);
	return plan;
}

void sweep_run(const struct sweep_setup *setup, struct fault_plan *plan,
	       const struct fault_site *site, const struct sweep *expected, struct sweep *out)
{
	plan->target = site && !setup->late ? site->key : 0;
	if (site)
		memcpy(plan->call, site->call, sizeof(plan->call));
	plan->hits = 0;
	plan->live = 0;
	sweep_now.setup = setup;
	sweep_now.plan = plan;
	sweep_now.site = site;
	sweep_now.expected = expected;
	sweep_now.out = out;
	sweep_now.events = -1;
	pid_t pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0) {
		run_here();
		_exit(0);
	}
	if (!ended(pid, RUN_MS, NULL)) {
		if (plan->daemon > 0) /* whoever waits for it cannot even be killed */
			kill(plan->daemon, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (!out->over) {
		sweep_found("the run has not come to its end");
		snprintf(sweep_now.mount, sizeof(sweep_now.mount), "%s/worker-%u/m", fixture.dir,
			 setup->worker);
		umount2(sweep_now.mount, MNT_DETACH);
	}
}
