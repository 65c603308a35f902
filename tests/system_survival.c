/* SPDX-License-Identifier: MIT */
/*
 * The server is killed while it is in use, again and again, and nobody sees any of it: each byte is
 * read once, each word is typed once, each status is right, and no call fails.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "crew.h"
#include "fixture.h"

#if defined(__SANITIZE_ADDRESS__)
enum { RESTART_MS = 10000 };
#else
enum { RESTART_MS = 5000 };
#endif
enum { KILLS = 10, ECHOES = 4 };

static bool is_another(const void *before)
{
	pid_t now = fixture_server();

	return now && now != *(const pid_t *)before && process_state(now) != 'Z';
}

static pid_t server;

/* /proc may leave one out while others come and go. */
static bool is_there(const void *unused)
{
	(void)unused;
	server = fixture_server();
	return server != 0;
}

static void kill_server(void)
{
	cr_assert(await(is_there, NULL, RESTART_MS), "there is no server");
	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert(await(is_another, &server, RESTART_MS), "there is no other server");
}

static unsigned random_ms(unsigned least, unsigned most)
{
	unsigned number = 0;

	cr_assert_eq(getrandom(&number, sizeof(number), 0), (ssize_t)sizeof(number));
	return least + number % (most - least);
}

static void kill_again_and_again(unsigned least, unsigned most)
{
	for (unsigned i = 0; i < KILLS; i++) {
		pause_ms(random_ms(least, most));
		kill_server();
	}
	pause_ms(least);
	*over = true;
}

static void start_survival(void)
{
	fixture_prepare();
	fixture_daemon(NULL);
	crew_begin();
}

TestSuite(survival, .init = start_survival, .fini = fixture_stop, .timeout = 200);

/* Streams */

Test(survival, streams_are_exact)
{
	crew_print();
	kill_again_and_again(100, 700);
	crew_printed();
}

/* Dialogues */

/* What is typed is typed once; and what is asked for of output is answered. */
static int talk(const void *data)
{
	const char *name = data;
	unsigned count = 0;
	const char *offset = "0";
	char *whole;

	session_start(name, "command stty -echo; echo ready; while read x; do echo \"<$x>\"; done; "
			    "exit 5\n");
	get(text("%s/wait/match@0:ready", name), NULL);
	for (; !*over; count++) {
		char *line = text("%u\n", count);
		char *answer;
		ssize_t done = put(text("%s/input", name), line);

		NEED(done == (ssize_t)strlen(line), "%s: %zd", name, done);
		answer = get(text("%s/wait/match@%s:<%u>", name, offset, count), NULL);
		NEED(has(answer, "match "), "%s: %s", name, answer);
		offset = text("%lu", strtoul(answer + strlen("match "), NULL, 10));
	}
	put_all(text("%s/ctl", name), "eof\n");
	NEED(session_exit(name) == 5, "%s", name);
	whole = plain(get(text("%s/output", name), NULL)) + strlen("ready\n");
	for (unsigned i = 0; i < count; i++) {
		char *expected = text("<%u>\n", i);

		NEED(strncmp(whole, expected, strlen(expected)) == 0, "%s: %u of %u: %.20s", name,
		     i, count, whole);
		whole += strlen(expected);
	}
	NEED(*whole == '\0', "%s: more: %.20s", name, whole);
	NEED(rmdir(at("%s", name)) == 0, "%s: %s", name, strerror(errno));
	return 0;
}

/* A signal is one. `read` would not do: one that comes just before it is heeded only after it. */
static int signal_it(const void *data)
{
	const char *name = data;
	unsigned count = 0;
	char *whole;

	session_start(name, "command n=0; trap 'n=$((n+1)); echo \"[$n]\"' USR1; echo ready; "
			    "while :; do sleep 1000 & wait; done\n");
	get(text("%s/wait/match@0:ready", name), NULL);
	while (!*over) {
		put_all(text("%s/ctl", name), "signal USR1\n");
		count++;
		get(text("%s/wait/match@0:\\[%u\\]", name, count), NULL);
	}
	put_all(text("%s/ctl", name), "kill\n");
	NEED(session_exit(name) == -SIGTERM, "%s", name);
	whole = get(text("%s/output", name), NULL);
	NEED(!has(whole, text("[%u]", count + 1)), "%s: one more than %u", name, count);
	NEED(rmdir(at("%s", name)) == 0, "%s: %s", name, strerror(errno));
	return 0;
}

/* Names come and go, with a program in them or without. */
static int come_and_go(const void *data)
{
	const char *name = data;

	while (!*over) {
		int status;
		char *output;

		NEED(mkdir(at("%s", name), 0700) == 0, "%s: %s", name, strerror(errno));
		NEED(mkdir(at("%s", name), 0700) < 0 && errno == EEXIST, "%s: %s", name,
		     strerror(errno));
		NEED(rmdir(at("%s", name)) == 0, "%s: %s", name, strerror(errno));
		output = session_run(name,
				     "command echo once >>/workspace/x; cat /workspace/x; exit 9\n",
				     &status);
		NEED(status == 9, "%s: status %d", name, status);
		NEED(strcmp(output, "once\n") == 0, "%s: %s", name, output);
		NEED(rmdir(at("%s", name)) == 0, "%s: %s", name, strerror(errno));
	}
	return 0;
}

/* From `fd`, behind the `size` bytes that are in `both` already. */
static size_t read_rest(int fd, char *both, size_t room, size_t size)
{
	ssize_t more;

	while ((more = read(fd, both + size, room - size - 1)) > 0)
		size += (size_t)more;
	NEED(more == 0, "%s", strerror(errno));
	both[size] = '\0';
	close(fd);
	return size;
}

static int open_half(const char *path, char *both)
{
	int fd = open(at("%s", path), O_RDONLY | O_CLOEXEC);

	NEED(fd >= 0, "%s", strerror(errno));
	NEED(read(fd, both, 100) == 100, "%s: %s", path, strerror(errno));
	return fd;
}

/* A text that was begun is read to its end, as it was; a log to what has been added meanwhile. */
static int read_halves(const void *data)
{
	const char *name = data, *config = text("%s/config", name), *log = text("%s/log", name);

	session_make(name);
	for (unsigned i = 0; i < 40; i++)
		put(config, "nonsense\n");
	for (unsigned i = 0; !*over; i++) {
		static char text_both[65536], log_both[65536];
		char *expected = get(config, NULL), *memory = text("%uM", 100 + i % 100);
		int text_fd = open_half(config, text_both), log_fd = open_half(log, log_both);
		size_t size;

		put(config, "nonsense\n");
		put_all(config, text("memory %s\n", memory));
		NEED(strcmp(get_value(config, "memory"), memory) == 0, "memory");
		pause_ms(20);
		read_rest(text_fd, text_both, sizeof(text_both), 100);
		NEED(strcmp(text_both, expected) == 0, "the config is another: %s", text_both);
		size = read_rest(log_fd, log_both, sizeof(log_both), 100);
		expected = get(log, NULL);
		NEED(size == strlen(expected) && strcmp(log_both, expected) == 0,
		     "the log is another: %s", log_both);
	}
	NEED(rmdir(at("%s", name)) == 0, "%s", strerror(errno));
	return 0;
}

/* `events`, whole: who is created is removed. */
static int watch_events(const void *data)
{
	static char line[256];
	FILE *events = fopen(at("events"), "re");
	bool there = false;
	unsigned count = 0;

	(void)data;
	NEED(events != NULL, "%s", strerror(errno));
	setvbuf(events, NULL, _IONBF, 0);
	session_make("e-begin");
	while (fgets(line, sizeof(line), events)) {
		if (has(line, " e-end created"))
			break;
		if (!has(line, " c0 "))
			continue;
		if (has(line, " created")) {
			NEED(!there, "created twice: %s", line);
			there = true;
			count++;
		} else if (has(line, " removed")) {
			NEED(there, "removed twice: %s", line);
			there = false;
		}
	}
	NEED(!ferror(events) && !feof(events), "%s", strerror(errno));
	NEED(count > 0 && !there, "%u times created", count);
	fclose(events);
	NEED(rmdir(at("e-begin")) == 0, "%s", strerror(errno));
	return 0;
}

static bool is_made(const void *name)
{
	return access(at("%s", (const char *)name), F_OK) == 0;
}

Test(survival, dialogues_are_exact)
{
	crew_work(watch_events, NULL);
	cr_assert(await(is_made, "e-begin", 60000), "nobody watches");
	for (unsigned i = 0; i < ECHOES; i++)
		crew_work(talk, text("t%u", i));
	crew_work(signal_it, "s");
	crew_work(come_and_go, "c0");
	crew_work(come_and_go, "c1");
	crew_work(read_halves, "h");
	kill_again_and_again(100, 700);
	crew_ended(1);
	session_make("e-end");
	crew_ended(0);
	cr_assert_eq(rmdir(at("e-end")), 0);
}
