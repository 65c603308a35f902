/* SPDX-License-Identifier: MIT */
/*
 * Each call that can fail is made to fail, once or from then on, wherever it is made: first a run
 * without a fault tells the sites that there are, then each has a run of its own (sweep.h).
 *
 * Of the sites every so many is taken, or every $FAULTS, 1 for all; those at which something was
 * found once are always among them. With $FAULTS_LISTED each is told of, else those where something
 * is found. $FAULTS_ERRNO is what they fail with. See contrib/faults.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "process.h"
#include "sweep.h"

static const char *const roles[] = { "daemon",    "forker", "spawner", "sweeper", "remover",
				     "unmounter", "ticker", "init",    "builder", "server" };

static unsigned number_of(const char *name, unsigned otherwise)
{
	const char *value = getenv(name);

	return value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

static void *share(size_t size)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(shared != MAP_FAILED);
	return shared;
}

/* Something was found there once; see the log of the project for what. */
static const struct {
	const char *call, *function;
	bool always; /* where all such calls failed */
} once_found[] = {
	{ "calloc", "keep_enter", false },
	{ "calloc", "mimobox_resume", false },
	{ "calloc", "on_fuse", false },
	{ "calloc", "streams_resume", false },
	{ "calloc", "take_up", false },
	{ "close_range", "close_others", false },
	{ "epoll_ctl", "add_sources", false },
	{ "epoll_ctl", "make_contact", false },
	{ "epoll_ctl", "session_watch", false },
	{ "epoll_ctl", "watch_all", false },
	{ "fcntl64", "add_sources", false },
	{ "fopen64", "open_proc", false },
	{ "ioctl", "resize", false },
	{ "landlock_create_ruleset", "init_box", false },
	{ "fstat64", "copy_hosts", false },
	{ "fstat64", "find_base", false },
	{ "lstat64", "root_layout_init", false },
	{ "madvise", "keep_enter", false },
	{ "malloc", "add_options", false },
	{ "malloc", "fill_reserve", false },
	{ "malloc", "next_line", false },
	{ "mkdirat", "cgroup_base_make", false },
	{ "open64", "server_run", false },
	{ "openat2", "add_accounts", true },
	{ "openat64", "cgroup_base_make", false },
	{ "openat64", "open_base", false },
	{ "poll", "supervise", false },
	{ "posix_spawn", "start_rm", false },
	{ "read", "copy_hosts", false },
	{ "read", "on_fuse", false },
	{ "read", "ring_bell", false },
	{ "read", "serve", false },
	{ "read", "wait_for_child", false },
	{ "readlink", "root_layout_init", false },
	{ "realloc", "release_later", false },
	{ "recvmsg", "keep_hear", false },
	{ "recvmsg_cut", "keep_hear", false },
	{ "recvmsg_cut", "on_answer", false },
	{ "send", "sandbox_control", false },
	{ "sendmsg", "keep_releases_commit", false },
	{ "sendmsg", "keep_tell", false },
	{ "write", "daemon_ready", false },
	{ "write", "monitor_call", false },
	{ "write", "pass_piece", false },
	{ "writev", "handle_wake", false },
	{ "writev", "is_awaited", false },
	{ "writev", "server_process", false },
};
#define ONCE_FOUND (sizeof(once_found) / sizeof(*once_found))

static int by_key(const void *a, const void *b)
{
	const struct fault_site *first = a, *second = b;

	if (first->role != second->role)
		return first->role < second->role ? -1 : 1;
	int order = strcmp(first->call, second->call);
	return order ? order : first->key < second->key ? -1 : first->key > second->key;
}

struct sweeping {
	struct sweep_setup setup;
	struct sweep *expected, *outs;
	bool always;
	unsigned every;
	bool past[ONCE_FOUND];
	const char *names[FAULT_SITES_MAX];
	struct fault_site sites[FAULT_SITES_MAX];
	unsigned count;
};

/* One line for the address itself, then two for each function there, the innermost first. */
static char *read_frame(char *all, char **rest)
{
	char *line = strsep(rest, "\n");

	if (!line || strncmp(line, "0x", 2) != 0)
		return all;
	while (*rest && **rest && strncmp(*rest, "0x", 2) != 0) {
		char *name = strsep(rest, "\n");
		char *place = strsep(rest, "\n");
		all = text("%s %s(%s)", all, name, place ? place : "");
	}
	return all;
}

/* The names of the functions that lead to each site, those inlined as well. */
static void name_sites(struct sweeping *sweeping)
{
	unsigned count = 7;
	const char **argv = keep(calloc(sweeping->count * FAULT_FRAMES + count + 1, sizeof(*argv)));
	static const char *const command[] = { "addr2line", "-a", "-f", "-i", "-s", "-e" };

	memcpy(argv, command, sizeof(command));
	argv[count - 1] = mimoboxfs();
	for (unsigned i = 0; i < sweeping->count; i++) /* a call is before where it returns to */
		for (uint32_t at = 0; at < sweeping->sites[i].depth; at++)
			argv[count++] = text("0x%llx",
					     (unsigned long long)sweeping->sites[i].frames[at] - 1);
	char *rest = run_for(60, argv).out;
	for (unsigned i = 0; i < sweeping->count; i++) {
		struct fault_site *site = &sweeping->sites[i];
		char *names = text("%s %s:", roles[site->role], site->call);
		for (uint32_t at = 0; at < site->depth; at++)
			names = read_frame(names, &rest);
		sweeping->names[i] = names;
	}
}

/* Without a fault: what is there, and how it is when all is well. */
static void find_sites(struct sweeping *sweeping)
{
	struct fault_plan *plan = sweep_plan(0);

	plan->record = true;
	sweep_run(&sweeping->setup, plan, NULL, NULL, sweeping->expected);
	plan->record = false;
	cr_assert(!plan->full);
	cr_assert_str_empty(sweeping->expected->findings, "without a fault:\n%s",
			    sweeping->expected->findings);
	for (unsigned i = 0; i < FAULT_SITES_MAX; i++)
		if (plan->sites[i].key && plan->sites[i].error != FAULT_NONE)
			sweeping->sites[sweeping->count++] = plan->sites[i];
	qsort(sweeping->sites, sweeping->count, sizeof(*sweeping->sites), by_key);
}

/* $FAULTS_ERRNO in the place of its own, or, if that is `kernel`, one that has no name. */
static int error_of(const struct fault_site *site, unsigned index)
{
	static const int kernels[] = { 524, 512, 4095 };
	const char *error = getenv("FAULTS_ERRNO");

	if (!error)
		return site->error;
	if (strcmp(error, "kernel") != 0)
		return atoi(error);
	return index % 4 ? kernels[index % 4 - 1] : 512 + (int)(site->key % (4096 - 512));
}

static void tell(const struct sweeping *sweeping, unsigned index)
{
	const struct sweep *out = &sweeping->outs[index];
	int error = error_of(&sweeping->sites[index], index);

	if (out->findings[0] || getenv("FAULTS_LISTED"))
		fprintf(stderr, "%s -> %d %s, %u hits, %s, %u ms\n%s", sweeping->names[index],
			error, strerrorname_np(error), out->hits,
			out->started ? "started" : "not started", out->milliseconds, out->findings);
}

/* What is used up stays so; an interruption or a lost answer doesn't. */
static bool lasts(const char *call)
{
	static const char *const passing[] = { "epoll_ctl", "epoll_wait", "poll",   "read",
					       "recv",      "recvmsg",    "send",   "sendmsg",
					       "unlinkat",  "rmdir",      "writev", "umount2" };

	for (size_t i = 0; i < sizeof(passing) / sizeof(*passing); i++)
		if (strcmp(call, passing[i]) == 0)
			return false;
	return true;
}

/* Whether it is the first site of one where something was found. */
static bool was_found(struct sweeping *sweeping, unsigned index)
{
	for (size_t i = 0; i < ONCE_FOUND; i++) {
		if (sweeping->past[i] || once_found[i].always != sweeping->always ||
		    strcmp(sweeping->sites[index].call, once_found[i].call) != 0 ||
		    !strstr(sweeping->names[index], text(" %s(", once_found[i].function)))
			continue;
		sweeping->past[i] = true;
		return true;
	}
	return false;
}

static bool is_taken(struct sweeping *sweeping, unsigned index)
{
	const struct fault_site *site = &sweeping->sites[index];
	const char *only = getenv("FAULTS_ONLY");
	unsigned every = number_of("FAULTS", 0);

	if (sweeping->always && !lasts(site->call))
		return false;
	if (sweeping->setup.late ? site->count == site->at_start
				 : !sweeping->always && site->at_start == 0)
		return false;
	if (only)
		return strcmp(only, site->call) == 0;
	if (every)
		return index % every == 0;
	return index % sweeping->every == 0 ||
	       (sweeping->setup.pool == 0 && was_found(sweeping, index));
}

static int work(struct sweeping *sweeping, unsigned worker, unsigned workers)
{
	struct sweep_setup setup = sweeping->setup;
	struct fault_plan *plan = sweep_plan(worker);
	unsigned turn = 0;

	setup.worker = worker;
	plan->always = sweeping->always;
	for (unsigned i = 0; i < sweeping->count; i++) {
		if (!is_taken(sweeping, i) || turn++ % workers != worker)
			continue;
		plan->error = error_of(&sweeping->sites[i], i);
		sweep_run(&setup, plan, &sweeping->sites[i], sweeping->expected,
			  &sweeping->outs[i]);
		tell(sweeping, i);
	}
	return 0;
}

static void sweep(const struct sweep_setup *setup, bool always, unsigned every)
{
	unsigned workers = number_of("FAULTS_JOBS", 1), swept = 0, reached = 0, found = 0;
	struct sweeping *sweeping = share(sizeof(*sweeping));
	const char *sanitizers = getenv("SANITIZE");
	uint64_t begun = now_ms();
	pid_t pids[8];

	cr_assert(workers >= 1 && workers <= 8);
	sweeping->setup = *setup;
	sweeping->setup.library = getenv("FAULT");
	sweeping->setup.counts = setup->pool == 0 && (!sanitizers || !strcmp(sanitizers, "none"));
	sweeping->always = always;
	sweeping->every = every;
	sweeping->expected = share(sizeof(*sweeping->expected));
	find_sites(sweeping);
	name_sites(sweeping);
	sweeping->outs = share(sweeping->count * sizeof(*sweeping->outs));
	for (unsigned i = 0; i < workers; i++)
		if ((pids[i] = fork()) == 0)
			_exit(work(sweeping, i, workers));
	for (unsigned i = 0; i < workers; i++)
		waitpid(pids[i], NULL, 0);
	for (unsigned i = 0; i < sweeping->count; i++) {
		swept += sweeping->outs[i].milliseconds > 0;
		reached += sweeping->outs[i].hits > 0;
		found += sweeping->outs[i].findings[0] != '\0';
	}
	fprintf(stderr, "pool %u%s%s%s: %u sites, %u swept, %u failed, %u with findings, %u s\n",
		setup->pool, setup->late ? ", in service" : "",
		setup->dies ? ", the server killed" : "", always ? ", always" : "", sweeping->count,
		swept, reached, found, (unsigned)(now_ms() - begun) / 1000);
	cr_expect_eq(found, 0);
	cr_expect_gt(reached, 0);
}

/* Errnos that are the kernel's own, and answers that it does not accept */

static struct fault_plan *fail_any(const char *call)
{
	static struct fault_plan *plan;

	if (!plan) {
		plan = sweep_plan(0);
		setenv("FAULT_PLAN", text("%s/plan-0", fixture.dir), 1);
		setenv("LD_PRELOAD", getenv("FAULT"), 1);
		setenv("ASAN_OPTIONS",
		       text("%s:verify_asan_link_order=0:detect_leaks=0", getenv("ASAN_OPTIONS")),
		       1);
		setenv("POOL", "0", 1);
		fixture_daemon(NULL);
		unsetenv("LD_PRELOAD");
	}
	snprintf(plan->call, sizeof(plan->call), "%s", call);
	plan->hits = 0;
	plan->always = true;
	return plan;
}

static int answer_to(int error)
{
	return error == 524 ? EOPNOTSUPP : EIO;
}

/* With no more of the other end than that one call. */
Test(errnos, of_a_read)
{
	struct fault_plan *plan = fail_any("pread64");
	int status, fd;
	char byte;

	session_run("a", "command head -c 1000000 /dev/zero\n", &status);
	fd = open(at("a/transcript"), O_RDONLY | O_CLOEXEC);
	cr_assert(fd >= 0);
	plan->any = true;
	for (int error = 512; error < 4096; error++) {
		plan->error = error;
		cr_assert_eq(pread(fd, &byte, 1, 0), -1, "%d", error);
		cr_assert_eq(errno, answer_to(error), "%d: %s", error, strerror(errno));
	}
	cr_assert_eq(plan->hits, 4096 - 512);
	plan->any = false;
	cr_assert_eq(pread(fd, &byte, 1, 0), 1);
	close(fd);
}

/* Of the server's, and of the process that becomes the command. */
Test(errnos, of_a_start)
{
	static const char *const calls[] = { "memfd_create", "seccomp" };
	static const int errors[] = { 133, 512, 513, 524, 530, 999, 1000, 4095 };

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		struct fault_plan *plan = fail_any(calls[i]);
		for (size_t j = 0; j < sizeof(errors) / sizeof(*errors); j++) {
			int error = errors[j];
			cr_assert_eq(mkdir(at("a"), 0700), 0);
			plan->error = error;
			plan->any = true;
			cr_assert_eq(put("a/ctl", "start\n"),
				     -(error < 512 ? error : answer_to(error)), "%s: %d", calls[i],
				     error);
			plan->any = false;
			cr_assert_gt(plan->hits, 0);
			cr_assert_eq(rmdir(at("a")), 0);
		}
	}
}

static long ask_open(int fd)
{
	(void)fd;
	return open(at("stats"), O_RDONLY | O_CLOEXEC);
}

static long ask_room(int fd)
{
	struct statfs status;

	return fstatfs(fd, &status);
}

static long ask_link(int fd)
{
	char to[512];

	(void)fd;
	return readlink(at("a/workspace"), to, sizeof(to));
}

static long ask_list(int fd)
{
	char entries[1024];

	return syscall(SYS_getdents64, fd, entries, sizeof(entries));
}

static long ask_read(int fd)
{
	char byte;

	return read(fd, &byte, 1);
}

static long ask_write(int fd)
{
	return write(fd, "timeout 9s\n", 11);
}

static const struct {
	const char *path;
	int flags;
	long (*ask)(int fd);
} asks[] = {
	{ "stats", O_RDONLY, ask_open }, { "stats", O_RDONLY, ask_room },
	{ "a", O_DIRECTORY, ask_link },  { "a", O_DIRECTORY, ask_list },
	{ "stats", O_RDONLY, ask_read }, { "a/config", O_WRONLY, ask_write },
};

/* The client is told, and the next is answered as ever. */
Test(errnos, of_an_answer_that_is_not_accepted)
{
	struct fault_plan *plan = fail_any("writev");

	plan->always = false;
	plan->error = EINVAL;
	cr_assert_eq(mkdir(at("a"), 0700), 0);
	for (size_t i = 0; i < sizeof(asks) / sizeof(*asks); i++) {
		int fd = open(at("%s", asks[i].path), asks[i].flags | O_CLOEXEC);
		cr_assert(fd >= 0);
		plan->hits = 0;
		plan->any = true;
		cr_assert_eq(asks[i].ask(fd), -1, "%zu", i);
		cr_assert_eq(errno, EIO, "%zu: %s", i, strerror(errno));
		plan->any = false;
		cr_assert_gt(plan->hits, 0, "%zu", i);
		cr_assert_geq(asks[i].ask(fd), 0, "%zu: %s", i, strerror(errno));
		close(fd);
	}
	cr_assert_eq(rmdir(at("a")), 0);
}

enum { SECONDS_MAX = 3600 };

static void prepare(void)
{
	fixture.seconds = SECONDS_MAX;
	fixture_prepare();
}

TestSuite(errnos, .init = fixture_prepare, .fini = fixture_stop, .timeout = 60);
TestSuite(faults, .init = prepare, .fini = fixture_stop, .timeout = SECONDS_MAX);

Test(faults, at_the_start)
{
	sweep(&(struct sweep_setup){ 0 }, false, 48);
}

Test(faults, at_the_start_with_a_pool)
{
	sweep(&(struct sweep_setup){ .pool = 2 }, false, 128);
}

Test(faults, in_service)
{
	sweep(&(struct sweep_setup){ .late = true }, false, 48);
}

Test(faults, in_service_with_a_pool)
{
	sweep(&(struct sweep_setup){ .pool = 2, .late = true }, false, 128);
}

Test(faults, while_it_takes_up)
{
	sweep(&(struct sweep_setup){ .late = true, .dies = true }, false, 48);
}

Test(faults, at_the_start_with_errnos_of_the_kernels_own)
{
	setenv("FAULTS_ERRNO", "kernel", 0);
	sweep(&(struct sweep_setup){ 0 }, false, 128);
}

Test(faults, from_the_start_on)
{
	sweep(&(struct sweep_setup){ 0 }, true, 128);
}
