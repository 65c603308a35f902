/* SPDX-License-Identifier: MIT */
/*
 * Everything that was allocated or spawned is on a list, so that a test which fails half-way
 * (Criterion jumps out of it) leaves neither processes nor leaks to its .fini.
 */
#include "process.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

struct kept {
	struct kept *next;
	void *memory;
};

static struct kept *kept;
static pid_t spawned[2048];
static unsigned spawned_count;

void *keep(void *memory)
{
	struct kept *entry = malloc(sizeof(*entry));

	cr_assert(memory != NULL && entry != NULL);
	*entry = (struct kept){ .next = kept, .memory = memory };
	kept = entry;
	return memory;
}

char *text(const char *format, ...)
{
	char *made = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&made, format, arguments);
	va_end(arguments);
	cr_assert(length >= 0);
	return keep(made);
}

bool has(const char *whole, const char *part)
{
	return strstr(whole, part) != NULL;
}

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void pause_ms(unsigned milliseconds)
{
	struct timespec wait = { .tv_sec = milliseconds / 1000,
				 .tv_nsec = milliseconds % 1000 * 1000000L };

	while (ppoll(NULL, 0, &wait, NULL) < 0 && errno == EINTR)
		;
}

bool await(bool (*condition)(const void *data), const void *data, unsigned milliseconds)
{
	uint64_t end = now_ms() + scaled(milliseconds);

	while (!condition(data)) {
		if (now_ms() >= end)
			return false;
		pause_ms(2);
	}
	return true;
}

static int status_of(int status)
{
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* What a pipe has brought so far. */
struct capture {
	int fd;
	char *data;
	size_t size;
};

/* Takes what is there; false at the end. */
static bool capture_read(struct capture *capture)
{
	const size_t step = 65536;
	ssize_t count;

	capture->data = realloc(capture->data, capture->size + step + 1);
	cr_assert(capture->data != NULL);
	count = read(capture->fd, capture->data + capture->size, step);
	if (count > 0)
		capture->size += (size_t)count;
	capture->data[capture->size] = '\0';
	return count > 0 || (count < 0 && errno == EINTR);
}

/* Reads both until their ends. */
static bool capture_both(struct capture *out, struct capture *err, uint64_t end)
{
	struct capture *captures[] = { out, err };

	while (out->fd >= 0 || err->fd >= 0) {
		struct pollfd fds[] = { { .fd = out->fd, .events = POLLIN },
					{ .fd = err->fd, .events = POLLIN } };
		uint64_t now = now_ms();

		if (now >= end || poll(fds, 2, (int)(end - now)) == 0)
			return false;
		for (int i = 0; i < 2; i++) {
			if (fds[i].fd < 0 || !fds[i].revents || capture_read(captures[i]))
				continue;
			close(captures[i]->fd);
			captures[i]->fd = -1;
		}
	}
	return true;
}

static _Noreturn void become(const char *const argv[], int out, int err)
{
	int null = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	/* A shell has the tests ignore them, if it starts them in the background. */
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGQUIT, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close_range(3, ~0u, 0);
	setenv("M", fixture.mount, 1);
	execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

short poll_one(int fd, short events, unsigned milliseconds)
{
	struct pollfd poll_for = { .fd = fd, .events = events };

	return poll(&poll_for, 1, (int)scaled(milliseconds)) == 1 ? poll_for.revents : 0;
}

bool ended(pid_t pid, unsigned milliseconds, int *status)
{
	int pidfd = pidfd_open(pid, 0);
	bool has;
	int raw = 0;

	cr_assert(pidfd >= 0, "process %d: %s", pid, strerror(errno));
	has = poll_one(pidfd, POLLIN, milliseconds);
	close(pidfd);
	if (!has)
		return false;
	cr_assert_eq(waitpid(pid, &raw, 0), pid);
	if (status)
		*status = status_of(raw);
	for (unsigned i = 0; i < spawned_count; i++)
		if (spawned[i] == pid)
			spawned[i] = 0;
	return true;
}

struct run run_for(unsigned seconds, const char *const argv[])
{
	uint64_t end = now_ms() + scaled(seconds) * 1000;
	struct capture out = { 0 }, err = { 0 };
	struct run run = { 0 };
	int out_pipe[2], err_pipe[2];
	bool all;
	pid_t pid;

	cr_assert(pipe2(out_pipe, O_CLOEXEC) == 0 && pipe2(err_pipe, O_CLOEXEC) == 0);
	pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0)
		become(argv, out_pipe[1], err_pipe[1]);
	close(out_pipe[1]);
	close(err_pipe[1]);
	out.fd = out_pipe[0];
	err.fd = err_pipe[0];
	all = capture_both(&out, &err, end) &&
	      ended(pid, now_ms() < end ? (unsigned)(end - now_ms()) / factor() : 0, &run.status);
	if (!all) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	run.out = keep(out.data ? out.data : strdup(""));
	run.err = keep(err.data ? err.data : strdup(""));
	run.out_size = out.size;
	run.err_size = err.size;
	cr_assert(all, "%s %s: not ended in %u s; it printed:\n%s\n%s", argv[0],
		  argv[1] ? argv[1] : "", scaled(seconds), run.out, run.err);
	return run;
}

struct run run(const char *const argv[])
{
	return run_for(SECONDS, argv);
}

struct run run_shell(const char *shell, const char *script)
{
	return run((const char *const[]){ shell, "-c", script, NULL });
}

char *sh(const char *script)
{
	struct run done = run_shell("sh", script);

	cr_assert_eq(done.status, 0, "%s: status %d, errors: %s", script, done.status, done.err);
	return done.out;
}

static bool group_removed(const void *path)
{
	return rmdir(path) == 0 || errno == ENOENT;
}

/* Others' groups come and go meanwhile, which find(1) takes for an error. */
void groups_remove(const char *name)
{
	const char *find = "find /sys/fs/cgroup -depth -type d -path '*/%s*' 2>/dev/null || :";
	char *group, *groups = sh(text(find, name));

	while ((group = strsep(&groups, "\n")))
		cr_expect(!*group || await(group_removed, group, 5000), "%s", group);
}

static pid_t spawned_add(pid_t pid)
{
	cr_assert(pid > 0 && spawned_count < sizeof(spawned) / sizeof(*spawned));
	spawned[spawned_count++] = pid;
	return pid;
}

pid_t spawn(const char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		become(argv, null, null);
	}
	return spawned_add(pid);
}

static bool is_client;

/*
 * Takes the place of Criterion's. Its runner knows only the test's own process, so it never answers
 * a process that the test forked, which would wait for that.
 */
void criterion_send_assert(struct criterion_assert_stats *stats)
{
	if (!is_client) {
		void (*send)(struct criterion_assert_stats *);

		*(void **)&send = dlsym(RTLD_NEXT, "criterion_send_assert");
		send(stats);
	} else if (!stats->passed) {
		fprintf(stderr, "%s:%u: in a client: %s\n", stats->file, stats->line,
			stats->message);
		_exit(1);
	}
}

pid_t spawn_function(int (*function)(const void *data), const void *data)
{
	pid_t pid = fork();

	if (pid == 0) {
		is_client = true;
		_exit(function(data));
	}
	return spawned_add(pid);
}

bool was_spawned(pid_t pid)
{
	for (unsigned i = 0; i < spawned_count; i++)
		if (spawned[i] == pid)
			return true;
	return false;
}

static char *read_proc(pid_t pid, const char *name, size_t *size)
{
	char path[64];
	struct capture capture = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	capture.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (capture.fd < 0)
		return NULL;
	while (capture_read(&capture))
		;
	close(capture.fd);
	if (size)
		*size = capture.size;
	return capture.data;
}

/* The letter after "PID (NAME) ", and the parent after it. */
static char state_and_parent(pid_t pid, pid_t *parent)
{
	char *stat = read_proc(pid, "stat", NULL);
	char *end = stat ? strrchr(stat, ')') : NULL;
	char state = '\0';

	if (end && end[1] == ' ') {
		state = end[2];
		*parent = (pid_t)strtol(end + 3, NULL, 10);
	}
	free(stat);
	return state;
}

char process_state(pid_t pid)
{
	pid_t parent;

	return state_and_parent(pid, &parent);
}

char *process_fact(pid_t pid, const char *key)
{
	char *status = read_proc(pid, "status", NULL);
	char *line, *rest = status;
	size_t length = strlen(key);

	if (!status)
		return NULL;
	keep(status);
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, key, length) || line[length] != ':')
			continue;
		line += length + 1;
		return line + strspn(line, " \t");
	}
	return NULL;
}

static bool is_with(pid_t pid, const char *part)
{
	size_t size = 0;
	char *line = read_proc(pid, "cmdline", &size);
	bool found = line && memmem(line, size, part, strlen(part));

	free(line);
	return found;
}

/* Calls visit(pid, data) for each process of the machine, and adds up what it returns. */
static unsigned count_processes(bool (*visit)(pid_t pid, void *data), void *data)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned count = 0;

	cr_assert(proc != NULL);
	while ((entry = readdir(proc)))
		if (isdigit((unsigned char)*entry->d_name))
			count += visit((pid_t)strtol(entry->d_name, NULL, 10), data);
	closedir(proc);
	return count;
}

static bool visit_part(pid_t pid, void *part)
{
	return is_with(pid, part);
}

unsigned processes_with(const char *part)
{
	return count_processes(visit_part, (void *)part);
}

struct brood {
	pid_t *pids;
	unsigned room, count;
};

static bool visit_child(pid_t pid, void *data)
{
	struct brood *brood = data;
	pid_t parent = 0;

	if (!state_and_parent(pid, &parent) || parent != getpid())
		return false;
	if (brood->count < brood->room)
		brood->pids[brood->count++] = pid;
	return true;
}

unsigned children(pid_t pids[], unsigned room)
{
	struct brood brood = { .pids = pids, .room = room };

	return count_processes(visit_child, &brood);
}

bool process_waits(const void *pid)
{
	char state = process_state(*(const pid_t *)pid);

	return state == 'S' || state == 'D';
}

bool process_reads(const void *pid)
{
	char *call = read_proc(*(const pid_t *)pid, "syscall", NULL), *end;
	bool reads =
		call && process_waits(pid) && strtol(call, &end, 10) == SYS_read && end != call;

	free(call);
	return reads;
}

bool process_gone(const void *pid)
{
	char state = process_state(*(const pid_t *)pid);

	return state == '\0' || state == 'Z';
}

bool none_with(const void *part)
{
	return processes_with(part) == 0;
}

bool any_with(const void *part)
{
	return processes_with(part) > 0;
}

bool process_stopped(const void *pid)
{
	return process_state(*(const pid_t *)pid) == 'T';
}

unsigned marker(void)
{
	static unsigned count;

	/* pids are below 2^22, and sleep takes any number */
	return 1000000000u + (unsigned)getpid() * 100 + count++;
}

void process_finish(void)
{
	while (spawned_count > 0) {
		pid_t pid = spawned[--spawned_count];

		if (pid == 0)
			continue;
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	while (kept) {
		struct kept *entry = kept;

		kept = entry->next;
		free(entry->memory);
		free(entry);
	}
}
