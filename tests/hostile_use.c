/* SPDX-License-Identifier: MIT */
/* More than one's share: each goes up to a bound of its own, and gives back what it took. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"

#define MIB ((size_t)1 << 20)
#define LONG_SECONDS 60

static struct outcome bounded(long count, long wanted, int error, const char *what)
{
	if (count >= wanted)
		return escaped("%ld %s", count, what);
	return denied_after(error, "after %ld", count);
}

/* Children that only wait, as many as there may be. */
static struct outcome fork_bomb(const char *object)
{
	long wanted = parameter("HOSTILE_FORKS", 512);
	pid_t *pids = calloc((size_t)wanted, sizeof(*pids));
	long count = 0;
	int error = 0;

	(void)object;
	if (pids == NULL)
		return untestable("no memory");
	while (count < wanted) {
		pids[count] = fork();
		error = errno;
		if (pids[count] == 0)
			for (;;)
				pause();
		if (pids[count] < 0)
			break;
		count++;
	}
	for (long i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (long i = 0; i < count; i++)
		waitpid(pids[i], NULL, 0);
	free(pids);
	return bounded(count, wanted, error, "processes");
}

static void *wait_for_ever(void *data)
{
	(void)data;
	for (;;)
		pause();
	return NULL;
}

/* They end with the process. */
static struct outcome thread_bomb(const char *object)
{
	long wanted = parameter("HOSTILE_FORKS", 512);
	pthread_attr_t attributes;
	long count = 0;
	int error = 0;

	(void)object;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	while (count < wanted && error == 0) {
		pthread_t thread;

		error = pthread_create(&thread, &attributes, wait_for_ever, NULL);
		count += error == 0;
	}
	return bounded(count, wanted, error, "threads");
}

/* Survives its session, unless what ends that finds it. Its number is that of the inside. */
static struct outcome survivor(const char *object)
{
	pid_t pid = fork();

	(void)object;
	if (pid < 0)
		return denied(errno);
	if (pid > 0) {
		waitpid(pid, NULL, 0);
		return escaped("left one behind, if the session ends and it doesn't");
	}
	setsid();
	if (fork() != 0)
		_exit(0);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_IGN);
	close(0);
	close(1);
	close(2);
	for (int i = 0; i < LONG_SECONDS; i++)
		sleep(1);
	_exit(0);
}

/* Touches each page; what ends it is the kernel's killer, or a limit of mmap. */
static struct outcome memory_bomb(const char *object)
{
	long wanted = parameter("HOSTILE_MEMORY", 768);

	(void)object;
	for (long count = 0; count < wanted; count++) {
		char *block =
			mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (block == MAP_FAILED)
			return bounded(count, wanted, errno, "MiB");
		memset(block, 1, MIB);
	}
	return escaped("%ld MiB", wanted);
}

static struct outcome fill(const char *path)
{
	static char block[1 << 20];
	long wanted = parameter("HOSTILE_DISK", 128);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	long count = 0;
	int error = 0;

	if (fd < 0)
		return untestable("no file %s: %s", path, strerrorname_np(errno));
	signal(SIGXFSZ, SIG_IGN);
	unlink(path);
	memset(block, 1, sizeof(block));
	while (count < wanted && write(fd, block, sizeof(block)) == (ssize_t)sizeof(block))
		count++;
	/* A last piece may have fitted in part. */
	if (count < wanted && write(fd, block, sizeof(block)) < 0)
		error = errno;
	close(fd);
	return bounded(count, wanted, error != 0 ? error : ENOSPC, "MiB");
}

static struct outcome disk_fill(const char *object)
{
	(void)object;
	return fill(scratch("disk"));
}

/* Memory that looks like a disk, beside the one that is limited. */
static struct outcome memory_disk_fill(const char *object)
{
	(void)object;
	return fill("/dev/shm/hostile-fill");
}

static struct outcome inode_fill(const char *object)
{
	long wanted = parameter("HOSTILE_INODES", 100000);
	char directory[4096];
	char name[32];
	long count = 0;
	int error = 0;
	int at;

	(void)object;
	snprintf(directory, sizeof(directory), "%s", scratch("inodes"));
	if (mkdir(directory, 0700) < 0)
		return untestable("no directory %.100s", directory);
	at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (count < wanted) {
		int fd;

		snprintf(name, sizeof(name), "%ld", count);
		fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		error = errno;
		if (fd < 0)
			break;
		close(fd);
		count++;
	}
	for (long i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%ld", i);
		unlinkat(at, name, 0);
	}
	close(at);
	rmdir(directory);
	return bounded(count, wanted, error, "files");
}

static struct outcome descriptors(const char *object)
{
	long wanted = parameter("HOSTILE_FILES", 4096);
	struct rlimit limit;
	long count = 0;

	(void)object;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	while (count < wanted && dup(0) >= 0)
		count++;
	return bounded(count, wanted, EMFILE, "descriptors");
}

/* All terminals of the machine are counted together. */
static struct outcome terminals(const char *object)
{
	long wanted = parameter("HOSTILE_TERMINALS", 512);
	long count = 0;

	(void)object;
	while (count < wanted && posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0)
		count++;
	return bounded(count, wanted, errno, "terminals");
}

/* More than the kernel takes: it must say so, and nothing else happen. */
static struct outcome huge_arguments(const char *object)
{
	enum { STRINGS = 256, EACH = 100000 };
	char *argv[STRINGS + 1] = { (char *)"true" };

	(void)object;
	for (int i = 1; i < STRINGS; i++) {
		argv[i] = malloc(EACH);
		if (argv[i] == NULL)
			return untestable("no memory");
		memset(argv[i], 'x', EACH - 1);
		argv[i][EACH - 1] = '\0';
	}
	execve("/bin/true", argv, argv + 1);
	return denied(errno);
}

static struct outcome core_limit(const char *object)
{
	struct rlimit limit = { 0, 0 };
	const struct rlimit zero = { 0, 0 };

	(void)object;
	/* Where dumps go into a pipe, 0 keeps nothing back; 1 does (core(5)). */
	setrlimit(RLIMIT_CORE, &zero);
	if (getrlimit(RLIMIT_CORE, &limit) < 0)
		return denied(errno);
	return limit.rlim_cur == 1 && limit.rlim_max == 1 ? denied(0) : escaped("the limit is set");
}

static struct outcome core_dump(const char *object)
{
	int status;
	pid_t pid = fork();

	(void)object;
	if (pid < 0)
		return untestable("no child");
	if (pid == 0) {
		struct rlimit limit = { 0, 0 };

		if (getrlimit(RLIMIT_CORE, &limit) == 0) {
			limit.rlim_cur = limit.rlim_max;
			setrlimit(RLIMIT_CORE, &limit);
		}
		abort();
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFSIGNALED(status))
		return untestable("it ended oddly");
	return WCOREDUMP(status) ? escaped("it was written") : denied(0);
}

static struct outcome flood(const char *object)
{
	static char line[65536];
	size_t left = (size_t)parameter("HOSTILE_FLOOD", 64) * MIB;

	(void)object;
	memset(line, 'y', sizeof(line));
	for (size_t i = 79; i < sizeof(line); i += 80)
		line[i] = '\n';
	while (left > 0) {
		ssize_t n = write(1, line, left < sizeof(line) ? left : sizeof(line));

		if (n < 0)
			return denied(errno);
		left -= (size_t)n;
	}
	return denied(0);
}

static struct outcome another_process(const char *object)
{
	pid_t pid = fork();

	(void)object;
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return denied(errno);
	waitpid(pid, NULL, 0);
	return escaped("it ran");
}

const struct probe use_probes[] = {
	{ "huge-arguments", MACHINE, NULL, false, 0, huge_arguments, "25 MB to a program" },
	{ "core-limit", ANYONE, NULL, false, 0, core_limit, "dumps into pipes" },
	{ "core-dump", MACHINE, NULL, false, 0, core_dump, "dumps into files" },
	{ "descriptors", MACHINE, NULL, false, 0, descriptors, "thousands" },
	{ "terminals", MACHINE, NULL, false, 0, terminals, "hundreds" },
	{ "disk-fill", MACHINE, NULL, false, LONG_SECONDS, disk_fill, "more than /tmp may have" },
	{ "shm-fill", MACHINE, NULL, false, LONG_SECONDS, memory_disk_fill,
	  "the same of /dev/shm" },
	{ "inode-fill", MACHINE, NULL, false, LONG_SECONDS, inode_fill, "files without bytes" },
	{ "fork-bomb", MACHINE, NULL, false, LONG_SECONDS, fork_bomb, "processes" },
	{ "thread-bomb", MACHINE, NULL, false, LONG_SECONDS, thread_bomb, "threads" },
	{ "memory-bomb", MACHINE, NULL, true, LONG_SECONDS, memory_bomb, "memory" },
	{ "fork", ANYONE, NULL, true, 0, another_process, "any process, where fork is no" },
	{ "survivor", ANYONE, NULL, true, 0, survivor, "outliving the session" },
	{ "flood", ANYONE, NULL, true, LONG_SECONDS, flood, "output without end" },
	{ NULL, ANYONE, NULL, false, 0, NULL, NULL },
};
