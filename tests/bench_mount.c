/* SPDX-License-Identifier: MIT */
#include "bench_mount.h"

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOUNTS_MAX = 4 };

static struct bench_mount *mounts[MOUNTS_MAX]; /* those that are to be stopped at the end */
static pid_t owner;

static const char *program(void)
{
	const char *name = getenv("MIMOBOXFS");

	errno = EINVAL;
	if (!name)
		give_up("MIMOBOXFS is not set");
	return name;
}

static void write_defaults(const struct bench_mount *mount, const char *config)
{
	FILE *file = fopen(path("%s.conf", mount->name), "we");

	if (!file || fputs(config, file) < 0 || fclose(file) != 0)
		give_up("defaults");
}

static bool is_mounted(const struct bench_mount *mount)
{
	return access(path("%s/defaults", mount->name), F_OK) == 0;
}

static void stop_all(void)
{
	for (unsigned i = 0; i < MOUNTS_MAX && getpid() == owner; i++)
		if (mounts[i])
			mount_stop(mounts[i]);
}

static void remember(struct bench_mount *mount)
{
	unsigned i = 0;

	if (!owner)
		atexit(stop_all);
	owner = getpid();
	while (i < MOUNTS_MAX && mounts[i])
		i++;
	errno = EMFILE;
	if (i == MOUNTS_MAX)
		give_up("too many daemons");
	mounts[i] = mount;
}

void mount_start(struct bench_mount *mount, const char *config)
{
	const char *name = mount->name;
	char pool[16];

	snprintf(pool, sizeof(pool), "%u", mount->pool);
	remember(mount);
	write_defaults(mount, config);
	if (mkdir(path("%s", name), 0755) < 0 || mkdir(path("%s.spool", name), 0700) < 0)
		give_up(name);
	mount->pid = run_later((const char *const[]){
		program(), "-f", "--defaults", path("%s.conf", name), "--spool",
		path("%s.spool", name), "--workspaces", path("%s.work", name), path("%s", name),
		"--pool", pool, NULL });
	for (int i = 0; i < 2000 && !is_mounted(mount); i++)
		poll(NULL, 0, 5);
	if (!is_mounted(mount))
		give_up("mimoboxfs does not mount");
}

void mount_stop(struct bench_mount *mount)
{
	for (unsigned i = 0; i < MOUNTS_MAX; i++)
		if (mounts[i] == mount)
			mounts[i] = NULL;
	if (mount->pid > 0) {
		kill(mount->pid, SIGTERM);
		waitpid(mount->pid, NULL, 0);
	}
	mount->pid = 0;
	rmdir(path("%s", mount->name));
	rmdir(path("%s.spool", mount->name));
	rmdir(path("%s.work", mount->name));
	unlink(path("%s.conf", mount->name));
}

uint64_t mount_stat(const struct bench_mount *mount, const char *key)
{
	FILE *file = fopen(path("%s/stats", mount->name), "re");
	char line[256];
	unsigned long long value = 0;
	size_t length = strlen(key);

	if (!file)
		give_up("stats");
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, length) && line[length] == ' ')
			value = strtoull(line + length, NULL, 10);
	fclose(file);
	return value;
}

void mount_settle(struct bench_mount *mount)
{
	double end = now() + 2;

	if (mount->pool == 0 || !mount->waits)
		return;
	while (mount_stat(mount, "pool-ready") < mount->pool && mount->waits) {
		poll(NULL, 0, 1);
		mount->waits = now() < end;
	}
	if (!mount->waits)
		fprintf(stderr, "%s: its pool does not fill up; not waited for any more\n",
			mount->name);
}

/* A session */

static int put(int directory, const char *name, const char *text)
{
	int fd = openat(directory, name, O_WRONLY | O_CLOEXEC), error = 0;

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static void must_put(int directory, const char *name, const char *text)
{
	int error = put(directory, name, text);

	errno = -error;
	if (error < 0)
		give_up(name);
}

static int make_session(const char *at)
{
	int directory = mkdir(at, 0700) == 0 ? open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (directory < 0)
		give_up(at);
	return directory;
}

static void read_output(int fd, const char *printed, struct life *life)
{
	char data[256];
	size_t size = 0;
	ssize_t count;

	while ((count = read(fd, data + size, sizeof(data) - size)) > 0) {
		if (size == 0)
			life->byte = now();
		size += (size_t)count;
	}
	if (count < 0)
		give_up("output");
	errno = EIO;
	if (size != strlen(printed) || memcmp(data, printed, size) != 0)
		give_up("output is not what was printed");
}

static void read_exit(int directory)
{
	char answer[16];
	int fd = openat(directory, "exit", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, answer, sizeof(answer));

	if (size < 0)
		give_up("exit");
	errno = EIO;
	if (size != 2 || memcmp(answer, "0\n", 2) != 0)
		give_up("exit is not 0");
	close(fd);
}

void mount_session(const struct bench_mount *mount, const char *name, const char *config,
		   const char *printed, struct life *life)
{
	const char *at = path("%s/%s", mount->name, name);
	int directory, output = -1;

	life->begin = now();
	directory = make_session(at);
	if (config)
		must_put(directory, "config", config);
	if (printed)
		output = openat(directory, "output", O_RDONLY | O_CLOEXEC);
	life->start = now();
	must_put(directory, "ctl", "start\n");
	if (printed)
		read_output(output, printed, life);
	read_exit(directory);
	life->exit = now();
	if (output >= 0)
		close(output);
	close(directory);
	if (rmdir(at) < 0)
		give_up("rmdir");
	life->gone = now();
}

static void last_line(int directory, char *to, size_t size)
{
	int fd = openat(directory, "log", O_RDONLY | O_CLOEXEC);
	char log[4096], *line;
	ssize_t count = fd < 0 ? -1 : read(fd, log, sizeof(log) - 1);

	log[count > 0 ? count : 0] = '\0';
	log[strcspn(log, "\n") == strlen(log) ? strlen(log) : strlen(log) - 1] = '\0';
	line = strrchr(log, '\n');
	snprintf(to, size, "%s", line ? line + 1 : log);
	if (fd >= 0)
		close(fd);
}

int mount_keep(const struct bench_mount *mount, const char *name, const char *config, char *why,
	       size_t why_size)
{
	const char *at = path("%s/%s", mount->name, name);
	int directory, error;

	snprintf(why, why_size, "mkdir");
	if (mkdir(at, 0700) < 0)
		return -errno;
	directory = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	error = put(directory, "config", config);
	if (error == 0)
		error = put(directory, "ctl", "start\n");
	if (error < 0)
		last_line(directory, why, why_size);
	close(directory);
	return error;
}
