/* SPDX-License-Identifier: MIT */
/* Limits: each with the same program under a limit that is wide enough. */
#include <criterion/criterion.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "process.h"

TestSuite(limits, .init = fixture_start, .fini = fixture_stop, .timeout = 90);

static const struct {
	const char *command;
	const char *narrow, *wide;
	const char *shows; /* printed under the wide limit, and not under the narrow one */
} limits[] = {
	{ "python3 -c 'x = bytearray(256<<20); print(\"sur\" + \"vived\")'", "memory 32M",
	  "memory 400M", "survived" },
	/* of all processes together, not of each */
	{ "for i in 1 2 3 4; do python3 -c 'import time; x = bytearray(b\"1\")*(60<<20); "
	  "print(\"sur\" + \"vived\"); time.sleep(1)' & done; wait; dmesg >/dev/null 2>&1; : ",
	  "memory 20M", "memory 400M", "survived\nsurvived\nsurvived\nsurvived" },
	/* the private /tmp is memory too, and bounded by both */
	{ "head -c 8M /dev/zero > /tmp/f && echo fits", "tmp-size 4M", "tmp-size 16M", "fits" },
	{ "head -c 8M /dev/zero > /tmp/f && echo fits", "file-size 4M", "file-size 16M", "fits" },
	{ "test $(ulimit -n) = 77 && echo equal", "open-files 78", "open-files 77", "equal" },
	{ "for i in 1 2 3 4 5 6 7 8 9; do sleep 60 & done && echo all", "processes 5",
	  "processes 50", "all" },
	{ "python3 -c 'import threading, time; [threading.Thread(target=time.sleep, "
	  "args=(60,), daemon=True).start() for i in range(30)]; print(\"every\", \"one\")'",
	  "processes 10", "processes 50", "every one" },
};

Test(limits, hold)
{
	for (unsigned i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		int status;
		char *out = session_run(text("w%u", i),
					text("%s\ncommand %s\n", limits[i].wide, limits[i].command),
					&status);

		cr_expect(has(out, limits[i].shows), "%s, %s: %s", limits[i].wide,
			  limits[i].command, out);
		out = session_run(text("n%u", i),
				  text("%s\ncommand %s\n", limits[i].narrow, limits[i].command),
				  &status);
		cr_expect(!has(out, limits[i].shows), "%s, %s: %s", limits[i].narrow,
			  limits[i].command, out);
		cr_expect_eq(rmdir(at("w%u", i)), 0);
		cr_expect_eq(rmdir(at("n%u", i)), 0);
	}
}

Test(limits, memory_kills)
{
	int status;

	session_run("a", "memory 32M\nargv [\"python3\",\"-c\",\"x = b'1' * (256<<20)\"]\n",
		    &status);
	cr_assert(status == -SIGKILL || status == 1, "%d", status); /* or MemoryError */
	session_run("b", "memory 32M\ncommand exit 3\n", &status);  /* others are not touched */
	cr_assert_eq(status, 3);
}

static unsigned long fact(const char *key)
{
	const char *value = get_value("a/status", key);

	cr_assert(value != NULL, "no '%s' in status:\n%s", key, get("a/status", NULL));
	return strtoul(value, NULL, 10);
}

static bool fifteen_with(const void *part)
{
	return processes_with(part) >= 15;
}

Test(limits, fork_bomb)
{
	char *sleeper = text("%u", marker());

	session_start("a", text("processes 20\nargv [\"python3\",\"-c\","
				"\"import os, time, sys\\nwhile True:\\n try: os.fork()\\n except "
				"OSError: time.sleep(0.05)\",\"%s\"]\n",
				sleeper));
	cr_assert(await(fifteen_with, sleeper, 10000), "%u", processes_with(sleeper));
	for (int i = 0; i < 20; i++) {
		unsigned count = processes_with(sleeper);

		cr_assert(count >= 10 && count <= 20, "%u", count);
		pause_ms(10);
	}
	cr_assert_leq(fact("processes"), 20);
	put_all("a/ctl", "kill\n");
	session_exit("a");
	cr_assert(none_with(sleeper));
}

/* For how many milliseconds its group was held back: v1 has nanoseconds, v2 microseconds. */
static long held_back(const char *name)
{
	return atol(
		sh(text("pid=$(sed -n 's/^pid //p' $M/%s/status); for f in $(find "
			"/sys/fs/cgroup -path '*mimobox-%d/*' -name cgroup.procs -exec grep -lx "
			"$pid {} +); do cat ${f%%/*}/cpu.stat 2>/dev/null || :; done | "
			"awk '/^throttled_time/ { print int($2 / 1e6) } "
			"/^throttled_usec/ { print int($2 / 1e3) }' | sort -n | tail -1",
			name, fixture.daemon)));
}

/* How many milliseconds half a second of work takes, and for how many it was held back. */
static long burn(const char *name, const char *cpu, long *held)
{
	char *took;

	session_start(
		name,
		text("cpu %s\nargv [\"python3\",\"-c\",\"import time\\na=time."
		     "monotonic()\\nb=time.process_time()+0.5\\nwhile time.process_time() < b: "
		     "pass\\nprint('took', int((time.monotonic()-a)*1000))\\ninput()\"]\n",
		     cpu));
	cr_assert(has(get(text("%s/wait/match@0:took [0-9]*\r", name), NULL), "match"));
	*held = held_back(name);
	put_all(text("%s/input", name), "\n");
	cr_assert_eq(session_exit(name), 0);
	took = strstr(get(text("%s/output", name), NULL), "took ");
	return atol(took + strlen("took "));
}

/* With 0.3 of a core it takes more than a second, always; with a core, as long as others let it. */
Test(limits, cpu)
{
	long held, took = burn("narrow", "0.3", &held);

	cr_assert_gt(took, 1000, "%ld ms", took);
	took = burn("wide", "1", &held);
	cr_assert_lt(4 * held, took, "held back for %ld of %ld ms", held, took);
}

Test(limits, status_shows_the_use)
{
	struct stream output;

	session_start("a", "argv [\"python3\",\"-c\",\"x = bytearray(b'1') * (50<<20)\\n"
			   "for i in range(10**6): pass\\nprint('READY')\\ninput()\\ndel x\"]\n");
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	cr_assert(fact("memory") > 50u << 20 && fact("memory") < 200u << 20, "%lu", fact("memory"));
	cr_assert_geq(fact("memory-peak"), fact("memory"));
	cr_assert(fact("processes") >= 1 && fact("processes") <= 3, "%lu", fact("processes"));
	cr_assert_gt(fact("readers"), 0);
	put_all("a/input", "\n");
	session_exit("a");
	cr_assert_gt(fact("memory-peak"), 50u << 20);
	stream_close(&output);
}

Test(limits, no_core_is_written)
{
	int status;
	char *out = session_run("a",
				"command ulimit -c; ulimit -Hc; cd /tmp; sh -c 'kill -SEGV $$'; "
				"ls /tmp | wc -l\n",
				&status);

	cr_assert(has(out, "0\n0\n"), "%s", out);
	cr_assert_str_eq(strrchr(text("%.*s", (int)strlen(out) - 1, out), '\n'), "\n0", "%s", out);
}

/* The file of a session's group. */
static char *idle_of(const char *name)
{
	return sh(text("pid=$(sed -n 's/^pid //p' $M/%s/status); for f in $(find /sys/fs/cgroup "
		       "-path '*mimobox-%d/*' -name cgroup.procs -exec grep -lx $pid {} +); do "
		       "ls ${f%%/*}/cpu.idle 2>/dev/null || :; done | head -1 | tr -d '\\n'",
		       name, fixture.daemon));
}

static bool is_idle(const void *path)
{
	FILE *idle = fopen(path, "re");
	bool is;

	cr_assert(idle != NULL, "'%s'", (const char *)path);
	is = fgetc(idle) == '1';
	fclose(idle);
	return is;
}

static bool is_favoured_when_typed_at(const void *path)
{
	put_all("quiet/input", "a\n");
	return !is_idle(path);
}

/* A start is waited for by somebody, too. Stopped, the daemon does not take it back in time. */
Test(limits, who_has_just_begun_goes_first)
{
	unsigned favoured = 0;
	uint64_t end = now_ms() + 1000 * scaled(SECONDS);

	for (unsigned i = 0; favoured == 0 && now_ms() < end; i++) {
		session_start(text("s%u", i), "command exec sleep 60\n");
		kill(fixture.server, SIGSTOP);
		favoured = (unsigned)atoi(
			sh(text("find /sys/fs/cgroup -path "
				"'*mimobox-%d/*/cpu.idle' -exec cat {} + | grep -c 0 || :",
				fixture.daemon)));
		kill(fixture.server, SIGCONT);
		cr_assert_eq(rmdir(at("s%u", i)), 0);
	}
	cr_expect_eq(favoured, 1);
}

/* Between keys that come in time, too. */
Test(limits, who_is_typed_at_all_the_time_goes_first_all_the_time)
{
	char *idle;
	uint64_t end = now_ms() + 1000 * scaled(SECONDS);
	unsigned seen = 0;

	session_start("a", "command stty -echo; exec cat > /dev/null\n");
	idle = idle_of("a");
	cr_assert(await(is_idle, idle, 5000));
	for (unsigned i = 0; seen < 100 && now_ms() < end; i++) {
		uint64_t typed = now_ms();
		bool idles;

		put_all("a/input", "a\n");
		pause_ms(4);
		idles = is_idle(idle);
		if (now_ms() - typed > 40)
			continue; /* what was seen may be old */
		cr_expect(!idles, "after %u keys", i);
		seen++;
	}
	cr_assert_geq(seen, 100);
}

static pid_t ticker(void)
{
	return atoi(sh(text("pgrep -x -P %d mimobox-ticker", fixture.daemon)));
}

/* That of its threads which ticked least did so often. */
static unsigned ticks(void)
{
	unsigned least = UINT_MAX;
	const char *tasks = sh(text("ls /proc/%d/task", ticker()));

	pid_t task;

	for (char *end; (task = (pid_t)strtol(tasks, &end, 10)) > 0; tasks = end) {
		unsigned count = (unsigned)atoi(process_fact(task, "voluntary_ctxt_switches"));

		least = count < least ? count : least;
	}
	return least;
}

static bool has_ticked(const void *since)
{
	return ticks() >= *(const unsigned *)since + 5;
}

static bool is_at_rest(const void *data)
{
	unsigned before = ticks();

	(void)data;
	pause_ms(100);
	return ticks() == before;
}

/* What has had its share waits for the next time that the scheduler looks. */
Test(limits, the_scheduler_looks_again_while_somebody_types)
{
	cpu_set_t processors;
	unsigned before;

	session_start("a", "command stty -echo; exec cat > /dev/null\n");
	cr_assert_eq(sched_getaffinity(0, sizeof(processors), &processors), 0);
	cr_assert_eq(atoi(process_fact(ticker(), "Threads")), CPU_COUNT(&processors));
	for (unsigned i = 0; i < 3; i++) {
		cr_assert(await(is_at_rest, NULL, 10000));
		before = ticks();
		put_all("a/input", "a\n");
		cr_expect(await(has_ticked, &before, 5000), "%u, then %u", before, ticks());
	}
}

/* In hundredths of a second, which is how the kernel tells it. */
static unsigned long computed(pid_t pid)
{
	FILE *file = fopen(text("/proc/%d/stat", pid), "re");
	unsigned long used = 0;

	cr_assert(file &&
		  fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu",
			 &used) == 1);
	fclose(file);
	return used;
}

struct share {
	pid_t pid;
	unsigned long at;
};

static bool has_had_its_share(const void *data)
{
	const struct share *share = data;

	return computed(share->pid) >= share->at;
}

/* Who computes is favoured for no longer than it takes to see that it does. */
Test(limits, who_is_typed_at_goes_first_for_a_moment)
{
	char *quiet, *busy;
	unsigned favoured = 0;

	session_start("quiet", "command stty -echo; cat > /dev/null\n");
	session_start("busy", "command stty -echo; while :; do :; done\n");
	quiet = idle_of("quiet");
	busy = idle_of("busy");
	for (int i = 0; i < 3; i++) {
		cr_assert(await(is_idle, quiet, 5000));
		cr_assert(await(is_favoured_when_typed_at, quiet, 5000));
		cr_expect(await(is_idle, busy, 5000));
	}
	for (int i = 0; i < 50; i++) {
		struct share share = { .pid = session_pid("busy") };

		put_all("busy/input", "a\n");
		share.at = computed(share.pid) + 3;
		cr_assert(await(has_had_its_share, &share, 5000));
		favoured += !is_idle(busy);
	}
	cr_expect_lt(favoured, 25, "%u of 50", favoured);
}
