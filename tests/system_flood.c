/* SPDX-License-Identifier: MIT */
/*
 * Floods of open files and names by one user: what the daemon refuses, what it holds in memory
 * meanwhile, and that it gives it back. Memory is that of the server, and the part that outlives it
 * apart: where a sanitizer is, the rest is the sanitizer's as well.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

#if defined(__SANITIZE_ADDRESS__)
enum { OWN_MEMORY = 0 };
#else
enum { OWN_MEMORY = 1 };
#endif

enum { LARGE = 100000, MIB = 1024 };

static void prepare(void)
{
	struct rlimit limit;

	outside_prepare();
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TestSuite(flood, .init = prepare, .fini = outside_stop, .timeout = 200);

static void serve(const char *ceiling)
{
	outside_file(outside("ceiling"), ceiling, ROOT, 0600);
	fixture_daemon((const char *const[]){ "--ceiling", outside("ceiling"), NULL });
}

struct memory {
	size_t own, kept; /* KiB */
};

static struct memory memory_now(void)
{
	char path[64], line[256];
	struct memory memory = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/status", fixture_server());
	FILE *status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status)) {
		(void)sscanf(line, "RssAnon: %zu kB", &memory.own);
		(void)sscanf(line, "RssShmem: %zu kB", &memory.kept);
	}
	if (status)
		fclose(status);
	return memory;
}

/* For await(): no more than so many MiB above what was there before. */
struct bound {
	struct memory before;
	size_t more;
};

static bool is_within(const void *data)
{
	const struct bound *bound = data;
	struct memory now = memory_now();

	return (now.own <= bound->before.own + bound->more * MIB || !OWN_MEMORY) &&
	       now.kept <= bound->before.kept + bound->more * MIB;
}

static void assert_within(struct memory before, size_t more)
{
	struct bound bound = { before, more };
	struct memory now = memory_now();

	cr_assert(await(is_within, &bound, 5000), "%zu and %zu KiB, before: %zu and %zu", now.own,
		  now.kept, before.own, before.kept);
}

static bool is_another(const void *before)
{
	pid_t now = fixture_server();

	return now && now != *(const pid_t *)before;
}

static void kill_server(void)
{
	pid_t server = fixture_server();

	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert(await(is_another, &server, 10000));
	cr_assert_eq(access(at("stats"), F_OK), 0);
}

static int open_one(const char *path)
{
	int fd = open(at("%s", path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void make_large(const char *name)
{
	char *line = keep(malloc(LARGE + 1));

	memset(line, 'x', LARGE);
	line[LARGE] = '\0';
	session_make(name);
	put_all(text("%s/config", name), text("env V=%s\n", line));
}

/* 100 MB of text, of which a reader has got a byte each time. */
static void read_a_byte_each(int *fds, unsigned count)
{
	char byte;

	for (unsigned i = 0; i < count; i++) {
		fds[i] = open_one("a/config");
		cr_assert_geq(fds[i], 0, "%u: %s", i, strerror(-fds[i]));
		cr_assert_eq(read(fds[i], &byte, 1), 1);
	}
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

Test(flood, of_texts)
{
	enum { COUNT = 1000 };
	int *fds = keep(calloc(COUNT, sizeof(*fds)));
	size_t size;
	char *whole, *rest = keep(malloc(2 * LARGE));
	struct memory before;

	serve("");
	act_as(ANN);
	make_large("a");
	whole = get("a/config", &size);
	before = memory_now();
	read_a_byte_each(fds, COUNT);
	assert_within(before, 16);
	/* Those that were dropped meanwhile, too. */
	for (unsigned i = 0; i < COUNT; i += 37) {
		size_t got = 1;
		ssize_t count;

		while ((count = read(fds[i], rest + got, 2 * LARGE - got)) > 0)
			got += (size_t)count;
		cr_assert_eq(count, 0, "%s", strerror(errno));
		cr_assert(got == size && memcmp(rest + 1, whole + 1, size - 1) == 0, "%u", i);
	}
	kill_server();
	assert_within(before, 16);
	close_all(fds, COUNT);
	assert_within(before, 4);
	act_as(ROOT);
	session_remove("a");
}

/* Another user's reading goes on in the text that it has. */
Test(flood, a_text_that_has_changed)
{
	char data[256];
	int status, fds[2];

	serve("user-buffers 64K\n");
	act_as(ANN);
	make_large("a");
	session_make("b");
	status = open_one("b/status");
	cr_assert_eq(read(status, data, 10), 10);
	read_a_byte_each(fds, 2);
	cr_expect_gt(read(status, data, 10), 0, "it is the same");
	read_a_byte_each(fds, 2);
	put_all("b/ctl", "start\n");
	cr_expect_eq(read(status, data, 10), -1);
	cr_expect_eq(errno, ESTALE, "%s", strerror(errno));
	cr_expect_gt(pread(status, data, 100, 0), 0);
	act_as(ROOT);
	session_remove("a");
	session_remove("b");
}

Test(flood, of_open_files)
{
	enum { MOST = 5 };
	int fds[MOST], roots[MOST + 1];

	serve(text("user-handles %d\n", MOST));
	act_as(ANN);
	session_make("a");
	for (unsigned i = 0; i < MOST; i++)
		cr_assert_geq((fds[i] = open_one("a/log")), 0);
	cr_expect_eq(open_one("a/log"), -ENFILE);
	cr_expect_eq(open_one("events"), -ENFILE);
	act_as(BOB);
	close(open_one("stats"));
	act_as(ROOT);
	for (unsigned i = 0; i <= MOST; i++)
		cr_assert_geq((roots[i] = open_one("a/log")), 0);
	close_all(roots, MOST + 1);
	kill_server();
	act_as(ANN);
	cr_expect_eq(open_one("a/log"), -ENFILE, "they are open still");
	close(fds[0]);
	cr_assert_geq((fds[0] = open_one("a/log")), 0);
	close_all(fds, MOST);
	act_as(ROOT);
	session_remove("a");
}

/* What each of them could have had of its own is a hundred times that. */
Test(flood, of_listeners)
{
	enum { MOST = 1024, EVENTS = 1500 };
	int fds[MOST];
	struct memory before;
	char line[4096];

	serve("");
	act_as(ANN);
	before = memory_now();
	for (unsigned i = 0; i < MOST; i++)
		cr_assert_geq((fds[i] = open_one("events")), 0, "%u", i);
	cr_expect_eq(open_one("events"), -ENFILE);
	for (unsigned i = 0; i < EVENTS; i++) {
		session_make("q");
		cr_assert_eq(rmdir(at("q")), 0);
	}
	assert_within(before, 8);
	kill_server();
	for (unsigned i = 0; i < MOST; i += 100) {
		ssize_t size = read(fds[i], line, sizeof(line) - 1);

		cr_assert_gt(size, 0, "%s", strerror(errno));
		line[size] = '\0';
		cr_expect(has(line, "Z q created\n"), "%s", line);
	}
	close_all(fds, MOST);
	assert_within(before, 4);
	act_as(ROOT);
}

/* The kernel knows names that the server has forgotten, or another server never knew. */
Test(flood, of_names)
{
	enum { COUNT = 20000 };
	struct memory before;
	struct stat status;

	serve("");
	act_as(ANN);
	session_make("a");
	before = memory_now();
	for (unsigned i = 0; i < COUNT; i++)
		cr_assert_eq(stat(at("a/wait/match:%u", i), &status), 0, "%u", i);
	assert_within(before, 4);
	cr_expect_eq(stat(at("a/wait/match:%u", 0), &status), 0);
	kill_server();
	for (unsigned i = 0; i < COUNT; i += 1999) {
		int fd = open_one(text("a/wait/match:%u", i));

		cr_expect_geq(fd, 0, "%u: %s", i, strerror(-fd));
		cr_expect_eq(fstat(fd, &status), 0);
		close(fd);
	}
	act_as(ROOT);
	session_remove("a");
}

/* Patterns stay in memory for as long as they are asked. */
Test(flood, of_patterns)
{
	static const char pattern[] = "(a{255}b){7}";
	struct memory before;
	int fds[1000], count = 0, fd;

	serve("user-buffers 1M\n");
	act_as(ANN);
	session_make("a");
	before = memory_now();
	while (count < 1000 && (fd = open_one(text("a/wait/match:%d%s", count, pattern))) >= 0)
		fds[count++] = fd;
	cr_expect(count > 3 && count < 100, "%d", count);
	cr_expect_eq(open_one(text("a/wait/match:%d%s", count, pattern)), -EDQUOT);
	assert_within(before, 4);
	cr_expect(has(get("a/log", NULL), "user-buffers"), "%s", get("a/log", NULL));
	close_all(fds, (unsigned)count);
	fd = open_one(text("a/wait/match:%s", pattern));
	cr_expect_geq(fd, 0, "%s", strerror(-fd));
	close(fd);
	act_as(ROOT);
	session_remove("a");
}
