/* SPDX-License-Identifier: MIT */
/*
 * More than one's share, of everything: each bomb ends with its session, for a reason that is
 * told, and the daemon and another session go on meanwhile. How well they go on is measured (the
 * round trip of a byte through the other session's terminal) and printed, with the same of a
 * quiet machine; what is asserted is that each byte comes back, and that all of it ends.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

#define TRIPS_MAX 4096
#define TRIP_MS 20000

TestSuite(bombs, .init = outside_start, .fini = outside_stop, .timeout = 120);

/* The other session: bytes go in at its input and come out at its output. */
struct bystander {
	int input, output;
	unsigned trips[TRIPS_MAX]; /* microseconds */
	unsigned count;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void bystander_start(struct bystander *bystander)
{
	struct stream output;

	session_start_as(BOB, "bystander", "command stty raw -echo; echo READY; exec cat\n");
	stream_open(&output, "bystander/output");
	stream_until(&output, "READY\n");
	bystander->output = output.fd;
	bystander->input = open(at("bystander/input"), O_WRONLY | O_CLOEXEC);
	cr_assert(bystander->input >= 0);
}

static void bystander_end(const struct bystander *bystander)
{
	close(bystander->input);
	close(bystander->output);
	put_all("bystander/ctl", "kill\n");
	session_exit("bystander");
}

static void trip(struct bystander *bystander)
{
	uint64_t start = now_us();
	char byte = 'x';

	cr_assert_eq(write(bystander->input, &byte, 1), 1, "%s", strerror(errno));
	cr_assert(poll_one(bystander->output, POLLIN, TRIP_MS), "no answer");
	cr_assert_eq(read(bystander->output, &byte, 1), 1);
	if (bystander->count < TRIPS_MAX)
		bystander->trips[bystander->count++] = (unsigned)(now_us() - start);
}

static int by_size(const void *a, const void *b)
{
	const unsigned *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static unsigned percentile(struct bystander *bystander, unsigned percent)
{
	cr_assert_gt(bystander->count, 0);
	qsort(bystander->trips, bystander->count, sizeof(*bystander->trips), by_size);
	return bystander->trips[(bystander->count - 1) * percent / 100];
}

static bool session_over(const char *name)
{
	char now[4096];

	return get_now(text("%s/exit", name), now) > 0;
}

struct bomb {
	const char *name, *config, *script; /* of python3 */
	const char *reason;                 /* how it ends */
	const char *output; /* part of what it prints; NULL: nothing in particular */
	const char *log;    /* part of the log; NULL: nothing in particular */
};

static const struct bomb bombs[] = {
	{ "fork bomb", "processes 64\n",
	  "import os\nwhile True:\n try: os.fork()\n except OSError: pass\n", "timeout", NULL,
	  "fork" },
	{ "thread bomb", "processes 64\n",
	  "import threading, time\nwhile True:\n try: threading.Thread(target=time.sleep, "
	  "args=(99,)).start()\n except RuntimeError: pass\n",
	  "timeout", NULL, "fork" },
	{ "memory bomb", "memory 64M\n", "a = []\nwhile True: a.append(bytearray(1 << 20))\n",
	  "oom", NULL, "memory" },
	{ "memory bomb of many", "memory 64M\nprocesses 64\n",
	  "import os\nfor i in range(20): os.fork() or exec('a=[]\\nwhile True: "
	  "a.append(bytearray(1<<20))')\nwhile True: os.wait()\n",
	  NULL, NULL, "memory" },
	{ "disk fill", "tmp-size 32M\n",
	  "try:\n with open('/tmp/f','wb',0) as f:\n  while True: f.write(bytes(1 << 20))\nexcept "
	  "OSError as e: print('full', e.errno)\n",
	  "exit", "full 28", NULL },
	{ "inode fill", "tmp-size 16M\n",
	  "i = 0\ntry:\n while True: open(f'/tmp/{i}', 'w').close(); i += 1\nexcept OSError as e: "
	  "print('full', e.errno, 10000 < i < 17000)\n",
	  "exit", "full 28 True", NULL },
	{ "shm fill", "tmp-size 32M\n",
	  "try:\n with open('/dev/shm/f','wb',0) as f:\n  while True: f.write(bytes(1 << "
	  "20))\nexcept "
	  "OSError as e: print('full', e.errno)\n",
	  "exit", "full 28", NULL },
	{ "output flood", "retain 1M\n",
	  "import os\nb = b'flood ' * 10000\nwhile True: os.write(1, b)\n", "timeout", "flood",
	  NULL },
	{ "open files", "open-files 64\n",
	  "import os\nn = 0\ntry:\n while True: os.dup(0); n += 1\nexcept OSError as e: "
	  "print('full', "
	  "e.errno, n < 64)\n",
	  "exit", "full 24 True", NULL },
	{ "terminals", "",
	  "import os\nn = 0\ntry:\n while True: os.openpty(); n += 1\nexcept OSError "
	  "as e: print('full', n < 64)\n",
	  "exit", "full True", NULL },
	{ "processor", "processes 64\n",
	  "import os\nfor i in range(5): os.fork()\nwhile True: pass\n", "timeout", NULL, NULL },
};

/* Runs it, and the bystander's trips while it does. */
static void explode(const struct bomb *bomb, struct bystander *bystander)
{
	/* Most end by themselves. The others are to have done their work by then. */
	unsigned seconds = scaled(bomb->reason && !strcmp(bomb->reason, "timeout") ? 2 : 30);
	const char *reason, *log;
	size_t size;

	outside_file(outside("bomb.py"), bomb->script, ROOT, 0644);
	bystander->count = 0;
	session_start_as(
		ANN, "bomb",
		text("timeout %us\nro %s:/srv/bomb.py\n%sargv [\"/usr/bin/python3\",\"/srv/"
		     "bomb.py\"]\n",
		     seconds, outside("bomb.py"), bomb->config));
	do
		trip(bystander);
	while (!session_over("bomb"));
	reason = get_value("bomb/status", "reason");
	log = get("bomb/log", NULL);
	if (bomb->reason)
		cr_expect_str_eq(reason, bomb->reason, "%s: %s\n%s", bomb->name, reason, log);
	if (bomb->output) {
		char *output = get("bomb/output", &size);

		cr_expect(memmem(output, size, bomb->output, strlen(bomb->output)) != NULL,
			  "%s: %s", bomb->name, output);
	}
	if (bomb->log)
		cr_expect(has(log, bomb->log), "%s: not '%s' in the log:\n%s", bomb->name,
			  bomb->log, log);
}

static unsigned counted(const char *key)
{
	const char *value = get_value("bomb/status", key);

	return value ? (unsigned)strtoul(value, NULL, 10) : 0;
}

Test(bombs, one_session_does_not_disturb_another)
{
	struct bystander bystander = { 0 };
	unsigned quiet, quiet_median;

	bystander_start(&bystander);
	for (unsigned i = 0; i < 1000; i++)
		trip(&bystander);
	quiet_median = percentile(&bystander, 50);
	quiet = percentile(&bystander, 99);
	fprintf(stderr, "echo round trip, us: quiet p50 %u p99 %u\n", quiet_median, quiet);
	for (unsigned i = 0; i < sizeof(bombs) / sizeof(*bombs); i++) {
		unsigned late;

		explode(&bombs[i], &bystander);
		late = percentile(&bystander, 99);
		fprintf(stderr, "%s: p50 %u p99 %u, %.1f of the quiet p99, %u trips\n",
			bombs[i].name, percentile(&bystander, 50), late, (double)late / quiet,
			bystander.count);
		if (has(bombs[i].name, "fork") || has(bombs[i].name, "thread"))
			cr_expect_gt(counted("refused-forks"), 0, "%s", bombs[i].name);
		if (has(bombs[i].name, "memory"))
			cr_expect_gt(counted("oom-kills"), 0, "%s", bombs[i].name);
		session_remove("bomb");
	}
	trip(&bystander);
	bystander_end(&bystander);
	cr_expect(none_with("/srv/bomb.py"));
}

/* Nothing of a limit's own is there without the bomb. */
Test(bombs, a_quiet_session_has_no_such_reason)
{
	int status;

	session_run_as(ANN, "bomb", "memory 64M\nprocesses 64\ncommand true & wait\n", &status);
	cr_expect_str_eq(get_value("bomb/status", "reason"), "exit");
	cr_expect_eq(counted("refused-forks"), 0);
	cr_expect_eq(counted("oom-kills"), 0);
	cr_expect(!has(get("bomb/log", NULL), "fork") && !has(get("bomb/log", NULL), "memory"),
		  "%s", get("bomb/log", NULL));
}

/* Arguments and environments as large as they may be, and larger. */
Test(bombs, huge_arguments)
{
	char *fits = text("%0100000d", 0), *no = text("%0140000d", 0), *output;
	int status;

	output = session_run_as(ANN, "a", text("env A=%s\ncommand echo ${#A}\n", fits), &status);
	cr_expect_str_eq(output, "100000\n");
	output = session_run_as(
		ANN, "b", text("argv [\"/bin/sh\",\"-c\",\"echo ${#1}\",\"sh\",\"%s\"]\n", fits),
		&status);
	cr_expect_str_eq(output, "100000\n");
	start_refused(ANN, "c", text("argv [\"/bin/true\",\"%s\"]\n", no), E2BIG, "exec");
	/* it can be mended */
	put_all("c/config", "argv [\"/bin/true\"]\n");
	put_all("c/ctl", "start\n");
	cr_expect_eq(session_exit("c"), 0);
}
