/* SPDX-License-Identifier: MIT */
/*
 * `events` and `stats`: what happens to all sessions, in lines for those who may know of it, and
 * in numbers.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(events, .init = fixture_start, .fini = fixture_stop, .timeout = 90);
TestSuite(events_of_users, .init = outside_start, .fini = outside_stop, .timeout = 60);

/* 2026-11-24T15:08:43.123Z */
static bool is_time(const char *word)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? !isdigit((unsigned char)word[i]) : word[i] != form[i])
			return false;
	return true;
}

/* The lines without their times, which must not go backwards. */
static char *timeless(const char *lines)
{
	char *rest = text("%s", lines), *line, *all = text("%s", "");
	const char *last = "";

	while ((line = strsep(&rest, "\n")) && *line) {
		cr_assert(is_time(line), "%s", line);
		cr_assert(strncmp(last, line, 24) <= 0, "%s after %s", line, last);
		cr_assert_eq(line[24], ' ', "%s", line);
		last = line;
		all = text("%s%s\n", all, line + 25);
	}
	return all;
}

/* From birth to the end, by itself. */
static void live(const char *name, int status)
{
	session_start(name, text("command exit %d\n", status));
	cr_assert_eq(session_exit(name), status);
	session_remove(name);
}

Test(events, a_life)
{
	struct stream all;
	pid_t pid;

	live("before", 1); /* nobody listens: nobody is told */
	stream_open(&all, "events");
	session_start("a", "command read x; exit 3\n");
	pid = session_pid("a");
	session_make("b");
	put_all("a/input", "\n");
	cr_assert_eq(session_exit("a"), 3);
	session_remove("a");
	session_remove("b");
	stream_until(&all, " b removed\n");
	cr_assert_str_eq(timeless(all.data),
			 text("a created\na started %d\nb created\na exited 3\na removed\n"
			      "b removed\n",
			      pid));
	stream_close(&all);
}

/* The name may be another's by then, so that a removed session is told of no more. */
Test(events, a_life_cut_short)
{
	struct stream all, held;
	char *lines;

	stream_open(&all, "events");
	session_start("a", "command trap '' TERM; echo ready; while :; do sleep 60; done\n");
	stream_open(&held, "a/output");
	stream_until(&held, "ready");
	session_remove("a");
	session_make("a");
	stream_rest(&held);
	stream_close(&held);
	session_remove("a");
	live("z", 0);
	stream_until(&all, " z removed\n");
	lines = timeless(all.data);
	cr_assert(has(lines, "a removed\na created\na removed\nz created\n"), "%s", lines);
	cr_assert(!has(lines, "a exited"), "%s", lines);
	stream_close(&all);
}

/* A start that fails tells of nothing but itself in the log; signals are minus their number. */
Test(events, of_starts_and_ends)
{
	struct stream all;

	stream_open(&all, "events");
	session_make("a");
	put_all("a/config", "cwd /nowhere\n");
	cr_assert_lt(put("a/ctl", "start\n"), 0);
	put_all("a/config", "cwd /tmp\ncommand kill -9 $$\n");
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), -9);
	session_remove("a");
	stream_until(&all, " a removed\n");
	all.data[strcspn(all.data, "\n")] = '\n';
	cr_assert(has(all.data, " a exited -9\n"), "%s", all.data);
	cr_assert_eq(strstr(strstr(all.data, "started") + 1, "started"), NULL, "%s", all.data);
	stream_close(&all);
}

Test(events, waits_at_its_end)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int fd = open(at("events"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct pollfd poll_for = { .fd = fd, .events = POLLIN };
	char line[256];

	cr_assert(fd >= 0 && epoll >= 0);
	cr_assert_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	for (int i = 0; i < 3; i++) {
		ssize_t size;

		cr_assert_eq(read(fd, line, 1), -1);
		cr_assert_eq(errno, EAGAIN, "%s", strerror(errno));
		cr_assert_eq(poll(&poll_for, 1, 0), 0);
		cr_assert_eq(epoll_wait(epoll, &event, 1, 0), 0);
		session_make(text("s%d", i));
		cr_assert_eq(epoll_wait(epoll, &event, 1, 5000), 1);
		cr_assert_eq(poll(&poll_for, 1, 0), 1);
		size = read(fd, line, sizeof(line) - 1);
		cr_assert_gt(size, 0);
		line[size] = '\0';
		cr_assert_str_eq(timeless(line), text("s%d created\n", i));
	}
	close(fd);
	close(epoll);
}

Test(events, readers_go_when_told)
{
	static const int signals[] = { SIGINT, SIGKILL };
	int status;

	for (int i = 0; i < 2; i++) {
		pid_t reader = spawn((const char *const[]){ "cat", at("events"), NULL });

		cr_assert(await(any_with, at("events"), 5000));
		cr_assert(await(process_waits, &reader, 5000));
		kill(reader, signals[i]);
		cr_assert(ended(reader, 3000, &status));
		cr_assert_eq(status, -signals[i]);
	}
}

/* With the daemon, a stream comes to its end. */
Test(events, end_with_the_daemon)
{
	struct stream all;

	stream_open(&all, "events");
	session_make("a");
	stream_until(&all, " a created\n");
	kill(fixture.daemon, SIGTERM);
	stream_rest(&all);
	cr_assert(has(all.data, " a removed\n"), "%s", all.data);
	stream_close(&all);
	fixture_daemon_ended(0);
}

static bool has_open(const void *pid)
{
	char *links = sh(text("ls -l /proc/%d/fd || :", *(const pid_t *)pid));

	return has(links, at("events"));
}

static void read_loop(const char *shell)
{
	pid_t loop = spawn((const char *const[]){
		shell, "-c",
		"while read -r time name what rest; do echo $name $what; "
		"[ $name-$what = z-removed ] && exit 6; done < $M/events > $M/../seen",
		NULL });
	int status;

	cr_assert(await(has_open, &loop, 10000));
	live("a", 0);
	live("z", 0);
	cr_assert(ended(loop, 10000, &status), "%s", sh("cat $M/../seen"));
	cr_assert_eq(status, 6);
	cr_assert_str_eq(sh("cat $M/../seen"), "a created\na started\na exited\na removed\n"
					       "z created\nz started\nz exited\nz removed\n");
}

/* bash reads more than a line and seeks back; dash reads byte by byte. */
Test(events, in_a_loop_of_bash)
{
	read_loop("bash");
}

Test(events, in_a_loop_of_dash)
{
	read_loop("dash");
}

static char *long_name(unsigned number)
{
	return text("%064u", number);
}

/* One who reads gets all of 3,000 lines; one who does not gets ESTALE once, and whole lines. */
Test(events, a_listener_that_does_not_read)
{
	enum { COUNT = 1500 };
	struct stream reads;
	int sleeps = open(at("events"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char data[4096], last[COUNT];
	ssize_t size, total = 0;

	stream_open(&reads, "events");
	for (unsigned i = 0; i < COUNT; i++) {
		cr_assert_eq(mkdir(at("%s", long_name(i)), 0700), 0, "%s", strerror(errno));
		cr_assert_eq(rmdir(at("%s", long_name(i))), 0);
		if (i % 100 == 99)
			stream_until(&reads, text("%s removed\n", long_name(i)));
	}
	for (unsigned i = 0; i < COUNT; i++)
		cr_assert(has(reads.data, text("%s created\n", long_name(i))), "%u", i);
	stream_close(&reads);
	cr_assert(read(sleeps, data, sizeof(data)) == -1 && errno == ESTALE, "%s", strerror(errno));
	while ((size = read(sleeps, data, sizeof(data))) > 0) {
		cr_assert(total > 0 || is_time(data), "%.*s", 40, data);
		snprintf(last, sizeof(last), "%.*s", 100, data + (size < 100 ? 0 : size - 100));
		total += size;
	}
	cr_assert(size == -1 && errno == EAGAIN, "%s", strerror(errno));
	cr_assert(total > 100000 && total <= 262144, "%zd", total);
	cr_assert(has(last, text("%s removed\n", long_name(COUNT - 1))), "%s", last);
	close(sleeps);
}

/* The sessions of others are none of one's business; root sees all. */
Test(events_of_users, each_sees_their_own)
{
	struct stream root, ann, bob;

	stream_open(&root, "events");
	act_as(ANN);
	stream_open(&ann, "events");
	act_as(BOB);
	stream_open(&bob, "events");
	live("of-bob", 2);
	act_as(ANN);
	live("of-ann", 1);
	act_as(ROOT);
	live("of-root", 3);
	stream_until(&root, " of-root removed\n");
	act_as(BOB);
	live("z", 0); /* by now, all that bob will ever see is there */
	stream_until(&bob, " z removed\n");
	act_as(ANN);
	live("y", 0);
	stream_until(&ann, " y removed\n");
	act_as(ROOT);
	cr_assert(has(root.data, " of-bob exited 2\n") && has(root.data, " of-ann exited 1\n") &&
			  has(root.data, " of-root exited 3\n"),
		  "%s", root.data);
	cr_assert(has(bob.data, " of-bob created\n") && has(bob.data, " of-bob exited 2\n") &&
			  has(bob.data, " of-bob removed\n"),
		  "%s", bob.data);
	cr_assert(has(ann.data, " of-ann exited 1\n"), "%s", ann.data);
	cr_assert(!has(bob.data, "-ann") && !has(bob.data, "-root"), "%s", bob.data);
	cr_assert(!has(ann.data, "-bob") && !has(ann.data, "-root") && !has(ann.data, " z "), "%s",
		  ann.data);
	stream_close(&root);
	stream_close(&ann);
	stream_close(&bob);
}

/* stats */

static unsigned long stat_of(const char *key)
{
	char *value = get_value("stats", key);

	cr_assert(value != NULL, "%s:\n%s", key, get("stats", NULL));
	return strtoul(value, NULL, 10);
}

Test(events, stats)
{
	static const char *const keys[] = { "sessions",          "running",          "starts",
					    "failed-starts",     "bytes-in",         "bytes-out",
					    "start-latency-p50", "start-latency-p99" };
	unsigned long starts = stat_of("starts"), failed = stat_of("failed-starts");
	unsigned long in = stat_of("bytes-in"), out = stat_of("bytes-out");
	struct stat st;

	for (unsigned i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		stat_of(keys[i]);
	cr_assert_eq(stat(at("stats"), &st), 0);
	cr_assert_eq(st.st_mode, S_IFREG | 0444, "%o", st.st_mode);
	cr_assert_eq(stat_of("sessions"), 0);
	session_make("a");
	cr_assert(stat_of("sessions") == 1 && stat_of("running") == 0);
	put_all("a/config", "cwd /nowhere\n");
	cr_assert_lt(put("a/ctl", "start\n"), 0);
	cr_assert_eq(stat_of("failed-starts"), failed + 1);
	cr_assert_eq(stat_of("running"), 0, "%lu", stat_of("running"));
	put_all("a/config", "cwd /tmp\ncommand stty -echo raw; printf 12345; head -c 7\n");
	put_all("a/ctl", "start\n");
	cr_assert(stat_of("running") == 1 && stat_of("starts") == starts + 1);
	get("a/wait/match@0:5", NULL);
	put_all("a/input", "1234567");
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_eq(stat_of("bytes-in"), in + 7);
	cr_assert_eq(stat_of("bytes-out"), out + 12);
	cr_assert_gt(strtod(get_value("stats", "start-latency-p50"), NULL), 0);
	cr_assert_geq(strtod(get_value("stats", "start-latency-p99"), NULL),
		      strtod(get_value("stats", "start-latency-p50"), NULL));
	session_remove("a");
	cr_assert(stat_of("sessions") == 0 && stat_of("starts") == starts + 1);
	for (int i = 0; i < 500 && stat_of("running"); i++)
		pause_ms(10);
	cr_assert_eq(stat_of("running"), 0);
}
