/* SPDX-License-Identifier: MIT */
/*
 * Symlinks swapped by a second process while sessions start, thousands of times: whichever name
 * the start meets, it gets what the owner may have, or is refused. What lies behind a directory
 * that is closed to the owner never comes out.
 *
 * Workers do mkdir, config, start, output and rmdir by system calls, several at a time; a swapper
 * exchanges names without a pause. Both belong to the same user as the sessions. MIMOBOX_RUNS sets
 * how many starts there are.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

#if defined(__SANITIZE_ADDRESS__)
#define RUNS 1600
#else
#define RUNS 10000
#endif
#define WORKERS 4
#define LONGEST_MS 180000

TestSuite(swapped, .init = outside_start, .fini = outside_stop, .timeout = 230);

/* Seen by all processes of a test. */
struct tally {
	_Atomic unsigned allowed, refused, neither, secret, broken, swaps;
	_Atomic int last_error;
	char odd[256];
};

struct race {
	const char *config;      /* of each session */
	const char *one, *other; /* names that are exchanged */
	bool exact; /* an output is the allowed text, or none; else it is just not the secret */
	unsigned runs;
	struct tally *tally;
	unsigned worker;
};

static void be(uid_t user)
{
	if (setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0)
		_exit(1);
}

static int swap(const void *data)
{
	const struct race *race = data;

	be(ANN);
	for (;;) {
		if (renameat2(AT_FDCWD, race->one, AT_FDCWD, race->other, RENAME_EXCHANGE) < 0)
			return 1;
		race->tally->swaps++;
	}
}

static int write_file(int dir, const char *name, const char *data)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	ssize_t size = (ssize_t)strlen(data);
	int result;

	if (fd < 0)
		return -errno;
	result = write(fd, data, (size_t)size) == size ? 0 : -errno;
	close(fd);
	return result;
}

static size_t read_output(int dir, char *output, size_t room)
{
	int fd = openat(dir, "output", O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t count;

	while (fd >= 0 && size < room - 1 && (count = read(fd, output + size, room - 1 - size)) > 0)
		size += (size_t)count;
	output[size] = '\0';
	close(fd);
	return size;
}

static void judge(const struct race *race, const char *output)
{
	struct tally *tally = race->tally;

	if (strstr(output, "secret")) {
		tally->secret++;
	} else if (!strcmp(output, "allowed\r\n")) {
		tally->allowed++;
	} else {
		tally->neither++;
		snprintf(tally->odd, sizeof(tally->odd), "%.200s", output);
	}
}

/* One session; false where the client itself could not go on. */
static bool one_start(const struct race *race, const char *name)
{
	char output[4096];
	int dir, error;

	if (mkdir(name, 0700) < 0)
		return false;
	dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || write_file(dir, "config", race->config) < 0)
		return false;
	error = write_file(dir, "ctl", "start\n");
	if (error < 0) {
		race->tally->refused++;
		race->tally->last_error = -error;
	} else {
		read_output(dir, output, sizeof(output));
		judge(race, output);
	}
	close(dir);
	return rmdir(name) == 0;
}

static int work(const void *data)
{
	const struct race *race = data;
	char name[128];

	be(ANN);
	for (unsigned i = 0; i < race->runs; i++) {
		snprintf(name, sizeof(name), "%s/s%u-%u", fixture.mount, race->worker, i);
		if (!one_start(race, name)) {
			race->tally->broken++;
			race->tally->last_error = errno;
			return 1;
		}
	}
	return 0;
}

static unsigned runs(void)
{
	const char *wanted = getenv("MIMOBOX_RUNS");

	return wanted ? (unsigned)atoi(wanted) : RUNS;
}

/* A file g that ann may read in d/open, and one that she may not reach in closed/d. */
static void lay(void)
{
	outside_directory(outside("d"), ANN, 0755);
	outside_directory(outside("d/open"), ANN, 0755);
	outside_directory(outside("d/real"), ANN, 0755);
	outside_directory(outside("closed"), BOB, 0700);
	outside_directory(outside("closed/d"), BOB, 0755);
	outside_file(outside("d/open/g"), "allowed\n", ANN, 0644);
	outside_file(outside("d/real/g"), "allowed\n", ANN, 0644);
	outside_file(outside("closed/d/g"), "secret\n", BOB, 0644);
	sh(text("cd %s/d && ln -s open/g link && ln -s ../closed/d/g link2 && ln -s open way && "
		"ln -s ../closed/d way2 && ln -s ../closed/d fake && ln -s /srv/closed trap && "
		"chown -h %d link link2 way way2 fake trap",
		fixture.dir, ANN));
}

static void race(struct race *race, unsigned parts)
{
	struct tally *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t workers[WORKERS];
	uint64_t start = now_ms();
	unsigned all = runs() / parts;

	cr_assert_neq(tally, MAP_FAILED);
	race->tally = tally;
	race->runs = all / WORKERS;
	spawn_function(swap, race);
	for (race->worker = 0; race->worker < WORKERS; race->worker++)
		workers[race->worker] = spawn_function(work, race);
	for (unsigned i = 0; i < WORKERS; i++)
		cr_assert(ended(workers[i], LONGEST_MS, NULL), "not over");
	fprintf(stderr,
		"%s <-> %s: %u starts in %u ms, %u swaps: %u allowed, %u refused (last %s), %u "
		"neither, %u secret\n",
		strrchr(race->one, '/') + 1, strrchr(race->other, '/') + 1, race->runs * WORKERS,
		(unsigned)(now_ms() - start), tally->swaps, tally->allowed, tally->refused,
		strerrorname_np(tally->last_error), tally->neither, tally->secret);
	cr_expect_eq(tally->broken, 0, "%s", strerror(tally->last_error));
	cr_expect_eq(tally->secret, 0);
	if (race->exact)
		cr_expect_eq(tally->neither, 0, "%s", tally->odd);
	/* the control: both were met, many times */
	cr_expect_gt(tally->allowed, race->runs / 50);
	cr_expect_gt(tally->refused + (race->exact ? 0 : tally->neither), race->runs / 50);
	cr_expect_gt(tally->swaps, race->runs);
	munmap(tally, sizeof(*tally));
}

Test(swapped, the_path_itself)
{
	lay();
	race(&(struct race){ .config = text("ro %s:/x\nargv [\"/bin/cat\",\"/x\"]\n",
					    outside("d/link")),
			     .one = outside("d/link"),
			     .other = outside("d/link2"),
			     .exact = true },
	     4);
}

Test(swapped, a_directory_above_it)
{
	lay();
	race(&(struct race){ .config = text("ro %s:/x\nargv [\"/bin/cat\",\"/x\"]\n",
					    outside("d/way/g")),
			     .one = outside("d/way"),
			     .other = outside("d/way2"),
			     .exact = true },
	     4);
}

/* A directory, and a symlink in its place. */
Test(swapped, a_directory_for_a_link)
{
	lay();
	race(&(struct race){ .config = text("rw %s:/x\nargv [\"/bin/cat\",\"/x/g\"]\n",
					    outside("d/real")),
			     .one = outside("d/real"),
			     .other = outside("d/fake"),
			     .exact = true },
	     4);
}

/* The place inside, where it is in a directory that may be written: no mount goes astray. */
Test(swapped, the_place_inside)
{
	lay();
	race(&(struct race){ .config = text("rw %s:/srv/d\nro %s:/srv/d/real/g\n"
					    "command cat /srv/d/real/g 2>/dev/null\n",
					    outside("d"), outside("d/open/g")),
			     .one = outside("d/real"),
			     .other = outside("d/trap"),
			     .exact = false },
	     4);
}
