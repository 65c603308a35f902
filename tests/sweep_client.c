/* SPDX-License-Identifier: MIT */
#include "sweep_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "fixture.h"
#include "process.h"

struct sweep_now sweep_now;
volatile sig_atomic_t sweep_late;

void sweep_found(const char *format, ...)
{
	size_t size = strlen(sweep_now.out->findings);
	va_list arguments;

	va_start(arguments, format);
	size += (size_t)snprintf(sweep_now.out->findings + size, SWEEP_TEXT_MAX - size,
				 "  %s: ", sweep_now.out->step);
	if (size < SWEEP_TEXT_MAX)
		size += (size_t)vsnprintf(sweep_now.out->findings + size, SWEEP_TEXT_MAX - size,
					  format, arguments);
	if (size < SWEEP_TEXT_MAX - 1)
		strcpy(sweep_now.out->findings + size, "\n");
	va_end(arguments);
}

void sweep_step(const char *name)
{
	snprintf(sweep_now.out->step, sizeof(sweep_now.out->step), "%s", name);
}

/* Calls of a client, each with an end */

static void on_alarm(int signal)
{
	(void)signal;
	sweep_late = 1;
}

void sweep_arm(unsigned seconds)
{
	struct itimerval timer = { .it_value.tv_sec = scaled(seconds),
				   .it_interval.tv_usec = 50000 };

	sweep_late = 0;
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

ssize_t sweep_disarm(ssize_t result)
{
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	if (sweep_late)
		sweep_found("not answered in %u s", scaled(STEP_SECONDS));
	return result;
}

static const char *in(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(*paths), "%s/%s", sweep_now.mount, name);
	return path;
}

static ssize_t put(const char *name, const char *data)
{
	ssize_t result;

	sweep_step(name);
	sweep_arm(STEP_SECONDS);
	int fd = open(in(name), O_WRONLY | O_TRUNC | O_CLOEXEC);
	result = fd < 0 ? -1 : write(fd, data, strlen(data));
	if (result < 0)
		result = -errno;
	if (fd >= 0 && close(fd) < 0 && result >= 0)
		result = -errno;
	return sweep_disarm(result);
}

/* As much as there is room for, until the end of the file. */
static ssize_t get(const char *name, char *data, size_t room)
{
	ssize_t size = 0, count = -1;

	sweep_step(name);
	sweep_arm(STEP_SECONDS);
	int fd = open(in(name), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		size = -errno;
	while (fd >= 0 && (size_t)size < room - 1 &&
	       (count = read(fd, data + size, room - 1 - (size_t)size)) > 0)
		size += count;
	if (fd >= 0 && count < 0)
		size = -errno;
	data[size > 0 ? size : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return sweep_disarm(size);
}

static int make(const char *name)
{
	sweep_step("mkdir");
	sweep_arm(STEP_SECONDS);
	return (int)sweep_disarm(mkdir(in(name), 0755) < 0 ? -errno : 0);
}

/* One that is not there any more, or never was, is none to be removed. */
static void discard(const char *name)
{
	int error = 0;

	sweep_step("rmdir");
	sweep_arm(STEP_SECONDS);
	for (int tries = 0; tries < 3; tries++) {
		error = rmdir(in(name)) < 0 ? -errno : 0;
		if (error == 0 || error == -ENOENT)
			break;
	}
	sweep_disarm(0);
	if (error < 0 && error != -ENOENT)
		sweep_found("%s", strerrorname_np(-error));
}

/* Sessions */

/* Without the view of its own cgroup, which a session has only where the server found cgroups. */
#define PROOF                                                                                \
	"{ grep -E '^(NoNewPrivs|Seccomp|Cap...|Uid|Gid|Groups):' /proc/self/status;"        \
	" cat /proc/sys/user/max_user_namespaces /proc/self/cgroup; hostname; ls / /dev;"    \
	" cut -d' ' -f5,6 /proc/self/mountinfo | grep -v /sys/fs/cgroup | sort;"             \
	" (echo x > /proc/self/comm) 2>&1; ulimit -n; ulimit -c; cat /proc/net/dev | wc -l;" \
	" kill -0 1 2>&1; } > /workspace/proof"

static const char terminal_config[] =
	"timeout 5s\ncommand " PROOF "; echo ready; read line; echo got $line;"
	" stty size; exit 7\n";

static const char pipes_config[] = "timeout 5s\nterminal no\nends last-process\nnetwork tcp 80\n"
				   "retain 64K\noverflow drop\nrw %s/shared:/srv/shared\n"
				   "command " PROOF "; echo wrong >&2; head -c 1500000 /dev/zero;"
				   " echo; echo ready; exec sleep 100\n";

/* What cannot tell more than that memory was short, or that an answer was lost. */
static bool has_log(ssize_t error)
{
	const char *call = sweep_now.site ? sweep_now.site->call : "";

	return !(error == -EIO && strcmp(call, "writev") == 0) &&
	       !(error == -ENOMEM && strstr(call, "alloc"));
}

static bool was_started(const char *name)
{
	char text[4096];
	char path[64];

	snprintf(path, sizeof(path), "%s/status", name);
	return get(path, text, sizeof(text)) > 0 && !strstr(text, "state created");
}

/* The start, which is refused with a reason or has taken place. */
static bool start(const char *name)
{
	char path[64], log[8192];
	snprintf(path, sizeof(path), "%s/ctl", name);
	ssize_t result = put(path, "start\n");

	if (result == 6)
		return true;
	snprintf(path, sizeof(path), "%s/log", name);
	if (has_log(result) && get(path, log, sizeof(log)) >= 0 && !strstr(log, "start failed: ") &&
	    !strstr(log, "start refused: ") && !was_started(name))
		sweep_found("the start failed with %s, and the log has nothing of it:\n%s",
			    result < 0 ? strerrorname_np((int)-result) : "nothing", log);
	return false;
}

/* What the command saw of its sandbox, where it has run at all: the whole of it, or a part. */
static void check_proof(const char *name, bool whole, char *to, size_t room)
{
	char path[64];
	struct stat status;
	ssize_t size = -1;

	sweep_step("proof");
	snprintf(path, sizeof(path), "%s/workspace/proof", name);
	sweep_arm(STEP_SECONDS);
	int fd = open(in(path), O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == EIO) /* where the link leads to may be the answer that was lost */
		fd = open(in(path), O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &status) == 0)
		size = read(fd, to, room - 1);
	if (fd >= 0)
		close(fd);
	sweep_disarm(0);
	to[size > 0 ? size : 0] = '\0';
	if (whole && size <= 0)
		sweep_found("the command has not run, and the start succeeded");
}

static void compare(const char *what, const char *is, const char *expected, bool whole)
{
	size_t size = strlen(is);

	sweep_step(what);
	if (!sweep_now.expected || (size == 0 && !whole))
		return;
	if (whole ? strcmp(is, expected) != 0 : strncmp(is, expected, size) != 0)
		sweep_found("not as it was without a fault: '%.800s' instead of '%.800s'", is,
			    expected);
}

void sweep_begin(void)
{
	if (sweep_now.setup->late && sweep_now.site)
		sweep_now.plan->target = sweep_now.site->key;
	for (unsigned i = 0; !sweep_now.site && i < FAULT_SITES_MAX; i++)
		sweep_now.plan->sites[i].at_start = sweep_now.plan->sites[i].count;
}

static void server_dies(void)
{
	sweep_step("death");
	sweep_begin();
	pid_t server = fixture_server();
	if (server == 0 || kill(server, SIGKILL) < 0)
		sweep_found("no server to kill");
}

void sweep_terminal(const char *name, bool whole)
{
	char path[64], text[SWEEP_TEXT_MAX], proof[SWEEP_TEXT_MAX] = "";
	const struct sweep *expected = sweep_now.expected ? sweep_now.expected : sweep_now.out;
#define AT(file) (snprintf(path, sizeof(path), "%s/" file, name), path)
	int error = make(name);

	/* The kernel was told that its greeting failed: then it lets nobody in. */
	if (error == -ECONNREFUSED && sweep_now.site && strcmp(sweep_now.site->call, "writev") == 0)
		return;
	if (error < 0) {
		if (whole)
			sweep_found("%s", strerrorname_np(-error));
		return;
	}
	bool works = put(AT("config"), terminal_config) == sizeof(terminal_config) - 1;
	if (works)
		works = start(name);
	bool begun = works;
	works = works && put(AT("size"), "30 100\n") == 7;
	works = works && get(AT("wait/match@0:ready[^a-z]"), text, sizeof(text)) > 0;
	if (sweep_now.setup->dies && strcmp(name, "one") == 0)
		server_dies();
	works = works && put(AT("input"), "hello\n") == 6 &&
		get(AT("log"), text, sizeof(text)) > 0 && !strstr(text, "input was dropped: ");
	if (begun && !works)
		put(AT("ctl"), "kill\n");
	ssize_t size = begun ? get(AT("output"), text, sizeof(text)) : 0;
	if (begun && size >= 0 && works)
		compare("output", text, expected->terminal, true);
	if (!sweep_now.expected)
		snprintf(sweep_now.out->terminal, sizeof(text), "%s", text);
	size = begun ? get(AT("exit"), text, sizeof(text)) : 0;
	if (works && size >= 0 && strcmp(text, "7\n") != 0)
		sweep_found("'%s' instead of 7", text);
	for (int i = 0; works && i < 4; i++) {
		static const char *const files[] = { "status", "screen", "cast", "transcript" };
		snprintf(path, sizeof(path), "%s/%s", name, files[i]);
		size = get(path, text, sizeof(text));
		if (whole && size <= 0)
			sweep_found("%zd", size);
	}
	if (whole && !works)
		sweep_found("a session after the fault does not work: %s",
			    get(AT("log"), text, sizeof(text)) > 0 ? text : "no log");
	check_proof(name, works, proof, sizeof(proof));
	compare("proof", proof, expected->proof, works);
	if (!sweep_now.expected)
		memcpy(sweep_now.out->proof, proof, sizeof(proof));
	discard(name);
}

void sweep_pipes(const char *name)
{
	char path[64], text[SWEEP_TEXT_MAX], config[2048];
	int fd;

	if (make(name) < 0)
		return;
	snprintf(config, sizeof(config), pipes_config, sweep_now.dir);
	if (put(AT("config"), config) != (ssize_t)strlen(config) || !start(name)) {
		check_proof(name, false, text, sizeof(text));
		discard(name);
		return;
	}
	fd = open(in(AT("exit")), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	get(AT("wait/match@0:ready"), text, sizeof(text));
	put(AT("ctl"), "kill\n");
	sweep_step("poll");
	if (fd >= 0) {
		sweep_arm(STEP_SECONDS);
		poll_one(fd, POLLIN, 1000 * STEP_SECONDS);
		sweep_disarm(0);
		close(fd);
	}
	get(AT("stderr"), text, sizeof(text));
	get(AT("exit"), text, sizeof(text));
	check_proof(name, false, text, sizeof(text));
	if (!sweep_now.expected)
		snprintf(sweep_now.out->pipes, sizeof(sweep_now.out->pipes), "%.4095s", text);
	compare("proof", text, sweep_now.expected ? sweep_now.expected->pipes : "", false);
	discard(name);
#undef AT
}

void sweep_look_around(void)
{
	char text[SWEEP_TEXT_MAX];

	get("stats", text, sizeof(text));
	put("defaults", "env A=b\n");
	get("defaults", text, sizeof(text));
	sweep_step("listing");
	sweep_arm(STEP_SECONDS);
	DIR *listing = opendir(sweep_now.mount);
	while (listing && readdir(listing))
		;
	if (listing)
		closedir(listing);
	sweep_now.events = open(in("events"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	sweep_disarm(0);
}
