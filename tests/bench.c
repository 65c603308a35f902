/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[64];
static pid_t owner; /* whose exit tidies: not that of a process forked off */
pid_t daemon_pid;

_Noreturn void give_up(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

const char *path(const char *format, ...)
{
	static char paths[8][NAME];
	static unsigned next;
	char *to = paths[next++ % 8];
	va_list arguments;
	int length = snprintf(to, NAME, "%s/", dir);

	va_start(arguments, format);
	vsnprintf(to + length, NAME - (size_t)length, format, arguments);
	va_end(arguments);
	return to;
}

unsigned setting(const char *name, unsigned otherwise)
{
	const char *value = getenv(name);

	return value ? (unsigned)atoi(value) : otherwise;
}

double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

static int by_size(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

double part(double *values, unsigned count, double share)
{
	unsigned at = (unsigned)(share * count);

	qsort(values, count, sizeof(*values), by_size);
	return values[at < count ? at : count - 1];
}

/* Processes */

pid_t run_later(const char *const argv[])
{
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork");
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGTERM); /* nothing outlives the benchmark */
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid;
}

void must_end(pid_t pid)
{
	int status;

	errno = 0;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		give_up("a process that failed");
}

double cpu_of(pid_t pid)
{
	char stat[1024], *at;
	unsigned long user, system;
	int fd;
	ssize_t size;

	snprintf(stat, sizeof(stat), "/proc/%d/stat", pid);
	fd = open(stat, O_RDONLY | O_CLOEXEC);
	size = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (size <= 0)
		give_up("/proc/PID/stat");
	stat[size] = '\0';
	at = strrchr(stat, ')') + 2;
	if (sscanf(at, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		give_up("/proc/PID/stat");
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

unsigned long resident_kib(pid_t pid)
{
	char line[256];
	unsigned long size = 0;
	FILE *file;

	snprintf(line, sizeof(line), "/proc/%d/status", pid);
	file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmRSS: %lu", &size);
	if (file)
		fclose(file);
	return size;
}

/* The daemon */

pid_t server_of(pid_t daemon)
{
	char line[4096] = "", *rest = NULL;
	FILE *file;

	snprintf(line, sizeof(line), "/proc/%d/task/%d/children", daemon, daemon);
	file = fopen(line, "re");
	if (!file || !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char name[64], comm[32] = "";

		snprintf(name, sizeof(name), "/proc/%d/comm", atoi(word));
		file = fopen(name, "re");
		if (file && fgets(comm, sizeof(comm), file) && !strcmp(comm, "mimoboxfs\n")) {
			fclose(file);
			return (pid_t)atoi(word);
		}
		if (file)
			fclose(file);
	}
	return 0;
}

double daemon_cpu(void)
{
	pid_t server = server_of(daemon_pid);

	return cpu_of(daemon_pid) + (server ? cpu_of(server) : 0);
}

unsigned long daemon_kib(pid_t daemon)
{
	pid_t server = server_of(daemon);

	return resident_kib(daemon) + (server ? resident_kib(server) : 0);
}

static bool is_mounted(void)
{
	return access(path("m/defaults"), F_OK) == 0;
}

void start_daemon(void)
{
	const char *program = getenv("MIMOBOXFS");

	if (!program)
		give_up("MIMOBOXFS is not set");
	daemon_pid = run_later((const char *const[]){ program, "-f", "--spool", path("spool"),
						      "--workspaces", path("workspaces"), path("m"),
						      NULL });
	for (int i = 0; i < 2000 && !is_mounted(); i++)
		poll(NULL, 0, 5);
	if (!is_mounted())
		give_up("mimoboxfs does not mount");
}

void stop_daemon(void)
{
	if (daemon_pid <= 0)
		return;
	kill(daemon_pid, SIGTERM);
	waitpid(daemon_pid, NULL, 0);
	daemon_pid = 0;
}

static void tidy(void)
{
	if (getpid() != owner)
		return;
	stop_daemon();
	rmdir(path("m"));
	rmdir(path("spool"));
	rmdir(path("workspaces"));
	rmdir(dir);
}

static void put(const char *name, const char *data)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, data, strlen(data)) != (ssize_t)strlen(data))
		give_up(name);
	close(fd);
}

void make(const char *name, const char *command)
{
	char config[4 * NAME];

	snprintf(config, sizeof(config), "command %s\n", command);
	if (mkdir(path("m/%s", name), 0755) < 0)
		give_up(name);
	put(path("m/%s/config", name), config);
}

void start(const char *name)
{
	put(path("m/%s/ctl", name), "start\n");
}

void end(const char *name)
{
	if (rmdir(path("m/%s", name)) < 0)
		give_up(name);
}

void bench_prepare(void)
{
	snprintf(dir, sizeof(dir), "/tmp/mimobox-bench.XXXXXX");
	if (!mkdtemp(dir))
		give_up("/tmp");
	owner = getpid();
	atexit(tidy);
	if (mkdir(path("m"), 0755) < 0 || mkdir(path("spool"), 0700) < 0)
		give_up(dir);
	setenv("M", path("m"), 1);
}
