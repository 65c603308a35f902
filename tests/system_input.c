/* SPDX-License-Identifier: MIT */
/* Input: written whole, in order, bounded; lines that the terminal would cut are refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

TestSuite(input, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

static void start_raw(const char *then, struct stream *output)
{
	session_start("a", text("command stty raw -echo; echo READY; %s\n", then));
	stream_open(output, "a/output");
	stream_until(output, "READY\n");
}

static void write_whole(const char *data, size_t size)
{
	uint64_t end = now_ms() + 1000 * scaled(SECONDS);

	while (size > 0) {
		ssize_t count = put_bytes("a/input", data, size, 0);

		cr_assert(count > 0 || count == -EAGAIN, "%zd", count);
		cr_assert_lt(now_ms(), end);
		if (count > 0) {
			data += count;
			size -= (size_t)count;
		}
	}
}

Test(input, is_exact_in_raw_mode)
{
	enum { BYTES = 3000000 };
	struct stream output;
	char *data = malloc(BYTES + 1);

	keep(data);
	for (unsigned i = 0; i < BYTES; i++)
		data[i] = (char)(i * 2654435761u >> 24);
	start_raw(text("head -c %u | md5sum", BYTES), &output);
	write_whole(data, BYTES);
	stream_rest(&output);
	cr_assert_eq(session_exit("a"), 0);
	stream_close(&output);
	{
		FILE *file = fopen(text("%s/data", fixture.dir), "we");

		cr_assert_eq(fwrite(data, 1, BYTES, file), BYTES);
		fclose(file);
		cr_assert(has(output.data, sh("md5sum < $M/../data | cut -d' ' -f1 | tr -d '\\n'")),
			  "%s", output.data);
	}
}

/* 300,000 bytes of lines in canonical mode: the terminal alone would lose most of them. */
Test(input, lines_in_canonical_mode)
{
	struct stream output;
	char *lines = malloc(300001);

	keep(lines);
	for (unsigned i = 0; i < 3000; i++)
		sprintf(lines + i * 100, "%099u\n", i);
	session_start("a", "command stty -echo; echo READY; head -c 300000 | md5sum\n");
	stream_open(&output, "a/output");
	stream_until(&output, "READY\r\n");
	write_whole(lines, 300000);
	stream_rest(&output);
	cr_assert(has(output.data,
		      sh("i=0; while [ $i -lt 3000 ]; do printf '%099u\\n' $i; i=$((i+1)); done |"
			 "md5sum | cut -d' ' -f1 | tr -d '\\n'")),
		  "%s", output.data);
	stream_close(&output);
}

static char *line_of(size_t size)
{
	char *line = malloc(size + 2);

	memset(line, 'x', size);
	strcpy(line + size, "\n");
	return keep(line);
}

/* 4,095 bytes and the newline are what a canonical terminal takes. */
Test(input, line_that_would_be_cut_is_refused)
{
	struct stream output;

	session_start("a",
		      "command stty -echo; echo READY; while read -r x; do echo ${#x}; done\n");
	stream_open(&output, "a/output");
	stream_until(&output, "READY\r\n");
	put_all("a/input", line_of(4095));
	stream_until(&output, "4095\r\n");
	put_refused("a/input", line_of(4096), EMSGSIZE);
	put_refused("a/input", line_of(100000), EMSGSIZE);
	put_all("a/input", line_of(17)); /* and nothing of those came */
	stream_until(&output, "17\r\n");
	/* a line made of several writes */
	put_all("a/input", text("%.*s", 4000, line_of(4000)));
	put_refused("a/input", line_of(100), EMSGSIZE);
	put_all("a/input", "\n");
	stream_until(&output, "4000\r\n");
	put_all("a/ctl", "eof\n");
	stream_rest(&output);
	stream_close(&output);
}

/* One write is never interleaved with another. */
static int write_lines(const void *letter)
{
	char line[402];

	memset(line, *(const char *)letter, 400);
	strcpy(line + 400, "\n");
	for (unsigned i = 0; i < 100; i++) {
		while (put("a/input", line) == -EAGAIN)
			;
	}
	return 0;
}

Test(input, of_several_writers_is_not_mixed)
{
	struct stream output;
	pid_t writers[4];
	char *line, *rest;
	unsigned count = 0;

	start_raw("head -c 160400", &output);
	for (unsigned i = 0; i < 4; i++)
		writers[i] = spawn_function(write_lines, &"abcd"[i]);
	for (unsigned i = 0; i < 4; i++)
		cr_assert(ended(writers[i], 20000, NULL));
	stream_rest(&output);
	rest = output.data + output.seen;
	while ((line = strsep(&rest, "\n")) && *line) {
		cr_assert_eq(strlen(line), 400, "%s", line);
		cr_assert_eq(strspn(line, text("%c", *line)), 400, "%s", line);
		count++;
	}
	cr_assert_eq(count, 400, "%u", count);
	stream_close(&output);
}

enum { WAITS_MS = 200 };

static bool is_refused_at_once(const void *unused)
{
	uint64_t begin = now_ms();

	(void)unused;
	cr_assert_eq(put_bytes("a/input", "x", 1, O_NONBLOCK), -EAGAIN);
	return now_ms() - begin < WAITS_MS;
}

/* A queue of 1 MiB: what does not fit is taken in part, then EAGAIN after a quarter of a second. */
Test(input, queue_is_bounded)
{
	enum { BYTES = 2 << 20 };
	char *data = calloc(1, BYTES);
	struct stream output;
	ssize_t taken = 0, count;
	uint64_t begin;

	keep(data);
	start_raw("sleep 60", &output);
	while ((count = put_bytes("a/input", data, BYTES, O_NONBLOCK)) > 0)
		taken += count;
	cr_assert_eq(count, -EAGAIN, "%zd", count);
	cr_assert(taken >= 1 << 20 && taken <= (1 << 20) + 65536, "%zd", taken);
	begin = now_ms();
	cr_assert_eq(put_bytes("a/input", data, 1, 0), -EAGAIN);
	cr_assert_geq(now_ms() - begin, WAITS_MS, "%u ms", (unsigned)(now_ms() - begin));
	/* Something else may have taken the processor; if it waited it would each time. */
	cr_assert(await(is_refused_at_once, NULL, 1000 * SECONDS));
	put_all("a/ctl", "kill\n");
	session_exit("a");
	cr_assert_eq(put("a/input", "x"), -EPIPE);
	stream_close(&output);
}

static int write_much(const void *unused)
{
	static char data[1 << 20];
	(void)unused;

	while (true)
		put_bytes("a/input", data, sizeof(data), 0);
	return 0;
}

/* A parked writer goes at once when it is told to, and others get their turn. */
Test(input, parked_writers_can_be_killed)
{
	static const int signals[] = { SIGINT, SIGKILL, SIGTERM };
	struct stream output;

	start_raw("sleep 60", &output);
	for (unsigned i = 0; i < 3; i++) {
		pid_t writer = spawn_function(write_much, NULL);

		pause_ms(100);
		cr_assert(await(process_waits, &writer, 2000));
		kill(writer, signals[i]);
		cr_assert(ended(writer, 2000, NULL), "signal %d: state %c", signals[i],
			  process_state(writer));
	}
	cr_assert_eq(put("a/input", "x"), -EAGAIN);
	stream_close(&output);
}

Test(input, first_write_starts_and_is_kept)
{
	session_make("a");
	put_all("a/config", "command read x; echo got $x; exit 4\n");
	put_all("a/input", "typed\n");
	cr_assert_eq(session_exit("a"), 4);
	cr_assert(has(get("a/output", NULL), "got typed\r\n"));
	cr_assert_eq(put("a/input", "more\n"), -EPIPE);
}
