/* SPDX-License-Identifier: MIT */
/*
 * Known bytes through a raw terminal, and what becomes of them with readers of every kind.
 *
 * The bytes are python's random.Random(7), a mebibyte at a time, inside as outside; what arrives is
 * compared by md5 with what was to come. MIMOBOX_MEGABYTES sets how many there are (1024 for a
 * gigabyte), MIMOBOX_SECONDS how long a stopped reader is watched.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

enum { MIB = 1 << 20, READERS = 4 };

TestSuite(bytes, .init = fixture_start, .fini = fixture_stop, .timeout = 230);

static unsigned setting(const char *name, unsigned otherwise)
{
	const char *value = getenv(name);

	return value ? (unsigned)atoi(value) : otherwise;
}

static unsigned megabytes(void)
{
	return setting("MIMOBOX_MEGABYTES", 64);
}

static char *made(const char *to, unsigned count)
{
	return text("import random, sys\\nr = random.Random(7)\\nfor i in range(%u): "
		    "%s(r.randbytes(1048576))\\n",
		    count, to);
}

/* The config of a session that prints them. */
static char *prints(unsigned count, const char *more)
{
	return text("argv [\"python3\",\"-c\",\"import tty\\ntty.setraw(1)\\n%s\"]\n"
		    "retain 2G\nmemory 256M\n%s",
		    made("sys.stdout.buffer.write", count), more);
}

/* The md5 of `count` of them, a line. */
static char *expected(unsigned count)
{
	char *script = text("%s", "");

	script = text("printf \"import hashlib\\nh = hashlib.md5()\\n%s"
		      "print(h.hexdigest())\\n\" | python3",
		      made("h.update", count));
	return run_for(60, (const char *const[]){ "sh", "-c", script, NULL }).out;
}

static char *sum(const char *path)
{
	struct run done =
		run_for(60, (const char *const[]){
				    "sh", "-c", text("md5sum < %s | cut -d' ' -f1", path), NULL });

	return done.out;
}

/* Readers write to files of their own, $M/../got.NAME. */
static pid_t reader(const char *name, const char *command)
{
	return spawn((const char *const[]){ "sh", "-c",
					    text("exec %s > $M/../got.%s", command, name), NULL });
}

static void arrives(pid_t pid, const char *name, const char *wanted)
{
	char *path = text("%s/got.%s", fixture.dir, name);
	struct stat st;
	char *got;
	int status;

	cr_assert(ended(pid, 120000, &status), "%s: not ended\n%s", name, get("a/status", NULL));
	cr_assert_eq(status, 0, "%s: %d", name, status);
	got = sum(path);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_str_eq(got, wanted, "%s: %jd bytes", name, (intmax_t)st.st_size);
	unlink(path);
}

#define CAT "cat $M/a/output"
#define DD "dd if=$M/a/output bs=1M status=none"
#define PYTHON                                                                                 \
	"python3 -c 'import sys, os\nf = open(os.environ[\"M\"] + \"/a/output\", \"rb\", 0)\n" \
	"while b := f.read(100001): sys.stdout.buffer.write(b)'"

/* Each in its turn, of a session of its own, live; and cat once more, after the end. */
Test(bytes, by_one_reader_at_a_time)
{
	static const struct {
		const char *name, *command;
	} readers[] = { { "cat", CAT }, { "dd", DD }, { "python", PYTHON } };
	char *wanted = expected(megabytes());

	for (unsigned i = 0; i < 3; i++) {
		uint64_t begin = now_ms();
		pid_t pid;

		session_start("a", prints(megabytes(), ""));
		pid = reader(readers[i].name, readers[i].command);
		arrives(pid, readers[i].name, wanted);
		cr_assert_eq(session_exit("a"), 0, "%s", get("a/log", NULL));
		fprintf(stderr, "%s: %u MiB in %u ms\n", readers[i].name, megabytes(),
			(unsigned)(now_ms() - begin));
		if (i == 2)
			arrives(reader("late", CAT), "late", wanted);
		cr_assert_eq(rmdir(at("a")), 0);
	}
}

/*
 * Stops each in turn and lets it go on, mostly inside of a read, until the first has come to its
 * end. Returns how many of them were stopped more than once.
 */
static unsigned stop_in_turn(const pid_t pids[READERS])
{
	unsigned stops[READERS] = { 0 }, stopped = 0;
	uint64_t end = now_ms() + 1000 * scaled(100);

	for (unsigned turn = 0; now_ms() < end; turn++) {
		const pid_t *pid = &pids[turn % READERS];

		if (process_gone(pid))
			break;
		kill(*pid, SIGSTOP);
		stops[turn % READERS] += await(process_stopped, pid, 1000);
		pause_ms(turn % 7 ? 3 : 60);
		kill(*pid, SIGCONT);
		pause_ms(2);
	}
	for (unsigned i = 0; i < READERS; i++)
		stopped += stops[i] > 1;
	return stopped;
}

/* Four at once, live, and stopped in turn. */
Test(bytes, by_four_at_once_in_fits)
{
	static const struct {
		const char *name, *command;
	} readers[READERS] = {
		{ "cat", CAT }, { "dd", DD }, { "python", PYTHON }, { "other", CAT }
	};
	char *wanted = expected(megabytes());
	pid_t pids[READERS];

	session_make("a");
	put_all("a/config", prints(megabytes(), ""));
	for (unsigned i = 0; i < READERS; i++)
		pids[i] = reader(readers[i].name, readers[i].command);
	put_all("a/ctl", "start\n");
	cr_assert_eq(stop_in_turn(pids), READERS);
	for (unsigned i = 0; i < READERS; i++)
		arrives(pids[i], readers[i].name, wanted);
	cr_assert_eq(session_exit("a"), 0);
	arrives(reader("late", DD), "late", wanted);
}

/* The rest of the flood waits, in the program. */

static unsigned long resident(void)
{
	return strtoul(process_fact(fixture.server, "VmRSS"), NULL, 10) * 1024;
}

/* What the daemon's unlinked files take of the disk. */
static unsigned long spooled(void)
{
	char *name = text("/proc/%d/fd", fixture.server);
	DIR *dir = opendir(name);
	unsigned long all = 0;
	struct dirent *entry;
	struct stat st;

	cr_assert(dir != NULL);
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)*entry->d_name) &&
		    !fstatat(dirfd(dir), entry->d_name, &st, 0) && S_ISREG(st.st_mode) &&
		    st.st_nlink == 0)
			all += (unsigned long)st.st_blocks * 512;
	closedir(dir);
	return all;
}

static unsigned long fact(const char *key)
{
	return strtoul(get_value("a/status", key), NULL, 10);
}

static bool is_paused(const void *unused)
{
	(void)unused;
	return !strcmp(get_value("a/status", "output-paused"), "yes");
}

#define RETAIN (4ul * MIB)

/* Retained is what may be held back; a hole is punched a mebibyte at a time. */
static unsigned long bounded(void)
{
	unsigned long all = spooled();

	cr_assert_leq(all, RETAIN + 2 * MIB, "%lu", all);
	return all;
}

Test(bytes, overflow_wait_with_a_stopped_reader)
{
	char *wanted = expected(megabytes());
	unsigned long before, most = 0, seen, memory;
	uint64_t until;
	pid_t slow;

	session_make("a");
	put_all("a/config", prints(megabytes(), "retain 4M\noverflow wait\n"));
	slow = reader("slow", CAT);
	cr_assert(await(any_with, at("a/output"), 5000));
	put_all("a/ctl", "start\n");
	get("a/wait/match@0:.{100}", NULL);
	kill(slow, SIGSTOP);
	cr_assert(await(is_paused, NULL, 20000));
	before = resident();
	seen = fact("output-end");
	until = now_ms() + 1000 * setting("MIMOBOX_SECONDS", 2);
	while (now_ms() < until) {
		unsigned long disk = bounded();

		most = disk > most ? disk : most;
		memory = resident();
		cr_assert(memory < before + 8 * MIB, "%lu, before %lu", memory, before);
		pause_ms(50);
	}
	cr_assert_eq(fact("output-end"), seen);
	cr_assert(is_paused(NULL));
	cr_assert_str_eq(get_value("a/status", "state"), "running");
	cr_assert_gt(most, RETAIN / 2); /* the control: it is the spool that was looked at */
	kill(slow, SIGCONT);
	until += 1000 * scaled(100);
	while (!process_gone(&slow) && now_ms() < until) {
		bounded();
		pause_ms(20);
	}
	fprintf(stderr, "stopped at %lu bytes: spool %lu on the disk at most, daemon %lu KiB\n",
		seen, most, resident() / 1024);
	arrives(slow, "slow", wanted);
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_eq(fact("output-end"), (unsigned long)megabytes() * MIB);
}

/* overflow drop */

enum { RECORD = 16, BURST = 3 * MIB, KEPT = MIB, ROUNDS = 5 };

static bool burst_is_out(const void *end)
{
	return fact("output-end") == *(const unsigned long *)end;
}

/* From a whole record on, each is one more than the one before. Returns the first. */
static unsigned long records(const char *data, size_t size)
{
	unsigned long first = strtoul(data, NULL, 10);

	cr_assert_eq(size % RECORD, 0, "%zu", size);
	for (size_t i = 0; i < size / RECORD; i++)
		cr_assert_eq(strtoul(data + i * RECORD, NULL, 10), first + i, "record %zu", i);
	return first;
}

/* Five bursts of 3 MiB, of which 1 MiB is kept, and each is read when all of it is out. */
Test(bytes, overflow_drop_counts_add_up)
{
	static char data[2 * MIB];
	unsigned long got = 0, lost = 0, end = 0, position = 0;
	int fd;

	session_make("a");
	put_all("a/config",
		text("retain 1M\noverflow drop\nargv [\"python3\",\"-c\",\"import sys, tty\\n"
		     "tty.setraw(1)\\nfor r in range(%d):\\n  "
		     "sys.stdout.write(''.join('%%015d\\\\n'"
		     " %% i for i in range(r * %d, (r + 1) * %d)))\\n  sys.stdout.flush()\\n"
		     "  sys.stdin.buffer.read1(1)\\n\"]\n",
		     ROUNDS, BURST / RECORD, BURST / RECORD));
	fd = open(at("a/output"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert(fd >= 0);
	put_all("a/ctl", "start\n");
	for (int round = 0; round < ROUNDS; round++) {
		size_t size = 0;
		ssize_t count;
		unsigned long first;

		end += BURST;
		cr_assert(await(burst_is_out, &end, 20000), "%s", get("a/status", NULL));
		cr_assert_eq(fact("output-start"), end - KEPT);
		cr_assert(read(fd, data, 1) == -1 && errno == ESTALE, "%s", strerror(errno));
		while ((count = read(fd, data + size, sizeof(data) - size)) > 0)
			size += (size_t)count;
		cr_assert(count == -1 && errno == EAGAIN, "round %d: %zd %s", round, count,
			  strerror(errno));
		first = records(data, size) * RECORD;
		cr_assert_eq(first, end - KEPT, "%lu", first);
		lost += first - position;
		got += size;
		position = first + size;
		put_all("a/input", "\n");
	}
	cr_assert_eq(got, (unsigned long)ROUNDS * KEPT);
	cr_assert_eq(got + lost, fact("output-end"));
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_eq(read(fd, data, 1), 0, "%s", strerror(errno));
	close(fd);
}
