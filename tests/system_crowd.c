/* SPDX-License-Identifier: MIT */
/* Four thousand readers wait at once: everybody else is answered, and so are they in the end. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

enum { SESSIONS = 8, CROWDS = 4, READERS = 1000, ASKED = 100 };

TestSuite(crowd, .init = fixture_start, .fini = fixture_stop, .timeout = 150);

/* What each session prints, and what its exit and wait/exit say. */
#define PRINTED "{ printf 'first\\r\\n\\r\\n'; seq 3000 | sed 's/$/\\r/'; }"

static pid_t crowd(const char *file, const char *expected)
{
	const char *program = getenv("CROWD");
	char *paths = text("%s", "");

	cr_assert(program && !access(program, X_OK), "CROWD: its path: run by meson test");
	for (unsigned i = 0; i < SESSIONS; i++)
		paths = text("%s $M/s%u/%s", paths, i, file);
	return spawn((const char *const[]){ "sh", "-c",
					    text("exec %s %d $M/../%s %s > $M/../crowd.$$ 2>&1",
						 program, READERS, expected, paths),
					    NULL });
}

static char *said(pid_t pid)
{
	return sh(text("cat $M/../crowd.%d", pid));
}

/* How many threads of a process are inside of a read, as the kernel tells. */
static unsigned in_a_read(pid_t pid)
{
	DIR *tasks = opendir(text("/proc/%d/task", pid));
	unsigned count = 0;
	struct dirent *entry;

	while (tasks && (entry = readdir(tasks))) {
		char path[300], line[256] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/syscall", pid, entry->d_name);
		file = isdigit((unsigned char)*entry->d_name) ? fopen(path, "re") : NULL;
		if (file && fgets(line, sizeof(line), file) && isdigit((unsigned char)*line) &&
		    atoi(line) == SYS_read) /* or `running` */
			count++;
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return count;
}

static bool all_read(const void *pid)
{
	return in_a_read(*(const pid_t *)pid) == READERS;
}

static void parks(pid_t pid)
{
	cr_assert(await(all_read, &pid, 60000), "%u in a read\n%s", in_a_read(pid), said(pid));
	cr_assert_str_eq(said(pid), "open\n");
}

static void sessions_start(void)
{
	sh(PRINTED " > $M/../output; echo 3 > $M/../exit;"
		   "echo exit $(wc -c < $M/../output) > $M/../wait");
	for (unsigned i = 0; i < SESSIONS; i++)
		session_start(text("s%u", i), "command echo first; read x; seq 3000; exit 3\n");
	for (unsigned i = 0; i < SESSIONS; i++)
		cr_assert_str_eq(get(text("s%u/wait/match@0:first", i), NULL), "match 5\n");
}

static void sessions_end(void)
{
	for (unsigned i = 0; i < SESSIONS; i++)
		put_all(text("s%u/input", i), "\n");
}

static void ask(unsigned number)
{
	struct stat st;

	if (number % 2) {
		cr_assert_eq(stat(at("s%u/output", number % SESSIONS), &st), 0);
		return;
	}
	put_all("other/input", text("%u\n", number));
	cr_assert(has(get(text("other/wait/match@0:got %u\r", number), NULL), "match"));
}

/* Stats, and a dialogue with a session that has no part in it. */
static void everybody_else_is_answered(void)
{
	uint64_t begin, took, longest = 0, all = now_ms();

	for (unsigned i = 0; i < ASKED; i++) {
		begin = now_ms();
		ask(i);
		took = now_ms() - begin;
		longest = took > longest ? took : longest;
	}
	fprintf(stderr, "%d parked: %d answers in %u ms, the longest in %u ms\n", CROWDS * READERS,
		ASKED, (unsigned)(now_ms() - all), (unsigned)longest);
}

Test(crowd, four_thousand_readers)
{
	static const char *const files[CROWDS] = { "output", "exit", "output", "wait/exit" };
	static const char *const wanted[CROWDS] = { "output", "exit", "output", "wait" };
	pid_t crowds[CROWDS];
	uint64_t begin;
	int status;

	sessions_start();
	session_start("other", "command stty -echo; while read x; do echo got $x; done\n");
	for (unsigned i = 0; i < CROWDS; i++)
		crowds[i] = crowd(files[i], wanted[i]);
	for (unsigned i = 0; i < CROWDS; i++)
		parks(crowds[i]);
	cr_assert_str_eq(get_value("s0/status", "readers"), text("%d", 2 * READERS / SESSIONS));
	everybody_else_is_answered();
	for (unsigned i = 0; i < CROWDS; i++)
		cr_assert_eq(in_a_read(crowds[i]), READERS); /* all the while */
	begin = now_ms();
	sessions_end();
	for (unsigned i = 0; i < CROWDS; i++) {
		cr_assert(ended(crowds[i], 60000, &status), "%s", said(crowds[i]));
		cr_assert_eq(status, 0, "%s: %d\n%s", files[i], status, said(crowds[i]));
		cr_assert_str_eq(said(crowds[i]), text("open\n%d\n", READERS));
	}
	fprintf(stderr, "%d answered in %u ms\n", CROWDS * READERS, (unsigned)(now_ms() - begin));
}

static bool has_no_reader(const void *status)
{
	return strcmp(get_value(status, "readers"), "0") == 0;
}

/* A thousand that are killed go at once, and the sessions never notice. */
Test(crowd, a_thousand_killed)
{
	unsigned descriptors = 0;
	uint64_t begin;
	pid_t pid;
	int status;

	sessions_start();
	fixture_pool_filled();
	descriptors = fixture_descriptors();
	pid = crowd("output", "output");
	parks(pid);
	begin = now_ms();
	kill(pid, SIGKILL);
	cr_assert(ended(pid, 5000, &status), "state %c", process_state(pid));
	cr_assert_eq(status, -SIGKILL);
	fprintf(stderr, "%d gone in %u ms\n", READERS, (unsigned)(now_ms() - begin));
	sessions_end();
	for (unsigned i = 0; i < SESSIONS; i++) {
		cr_assert_eq(session_exit(text("s%u", i)), 3);
		/* the kernel tells of what is closed when it comes to it */
		cr_assert(await(has_no_reader, text("s%u/status", i), 10000));
	}
	cr_assert_leq(fixture_descriptors(), descriptors);
}
