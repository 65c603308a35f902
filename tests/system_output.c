/* SPDX-License-Identifier: MIT */
/* Output is an absolute log of bytes: exact, for any number of readers, kept and never lost. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

TestSuite(output, .init = fixture_start, .fini = fixture_stop, .timeout = 90);

/* Prints `bytes` of a known sequence, raw. */
static const char *flood(unsigned bytes)
{
	return text("command stty raw -opost; exec python3 -c 'import random, sys; "
		    "random.seed(7); sys.stdout.buffer.write(random.randbytes(%u))'\n",
		    bytes);
}

static char *flood_expected(unsigned bytes)
{
	struct run done =
		run((const char *const[]){ "/usr/bin/python3", "-c",
					   text("import random, sys; random.seed(7); "
						"sys.stdout.buffer.write(random.randbytes(%u))",
						bytes),
					   NULL });

	cr_assert_eq(done.out_size, bytes);
	return done.out;
}

static void assert_same(const char *what, const char *data, size_t size, const char *expected,
			size_t expected_size)
{
	size_t i = 0;

	while (i < size && i < expected_size && data[i] == expected[i])
		i++;
	cr_assert(i == size && i == expected_size, "%s: %zu bytes of %zu, the same up to %zu", what,
		  size, expected_size, i);
}

enum { BYTES = 5 << 20 };

Test(output, is_exact)
{
	char *expected = flood_expected(BYTES);
	struct stream one, two, late;
	char *transcript;
	size_t size;
	char part[1000];

	session_make("a");
	put_all("a/config", flood(BYTES));
	stream_open(&one, "a/output"); /* before the start */
	put_all("a/ctl", "start\n");
	stream_open(&two, "a/output");
	stream_rest(&one);
	stream_rest(&two);
	assert_same("first reader", one.data, one.size, expected, BYTES);
	assert_same("second reader", two.data, two.size, expected, BYTES);
	cr_assert_eq(session_exit("a"), 0);
	stream_open(&late, "a/output");
	stream_rest(&late);
	assert_same("reader after the end", late.data, late.size, expected, BYTES);
	transcript = get("a/transcript", &size);
	assert_same("transcript", transcript, size, expected, BYTES);
	/* offset N is byte N */
	for (unsigned offset = 0; offset < BYTES; offset += 999983) {
		cr_assert_eq(pread(late.fd, part, 1000, offset), 1000);
		cr_assert_eq(memcmp(part, expected + offset, 1000), 0);
	}
	cr_assert_eq(pread(late.fd, part, 1000, BYTES - 10), 10);
	cr_assert_eq(pread(late.fd, part, 1000, BYTES), 0);
	stream_close(&one);
	stream_close(&two);
	stream_close(&late);
}

/* With tools that read in their own ways. */
Test(output, by_ordinary_tools)
{
	session_start("a", "command seq 10000; exit 2\n");
	cr_assert_eq(session_exit("a"), 2);
	cr_assert_str_eq(sh("tr -d '\\r' < $M/a/output | md5sum"), sh("seq 10000 | md5sum"));
	cr_assert_str_eq(sh("dd if=$M/a/output bs=1 count=5 2>/dev/null | od -c"),
			 sh("printf '1\\r\\n2\\r' | od -c"));
	cr_assert_str_eq(sh("wc -l < $M/a/output; grep -c 77 $M/a/transcript; tail -n 1 "
			    "$M/a/transcript; tail -c 7 $M/a/output"),
			 text("10000\n%s10000\r\n10000\r\n", sh("seq 10000 | grep -c 77")));
	cr_assert_str_eq(sh("{ read a; read b; echo $a $b; } < $M/a/output | tr -d '\\r'"),
			 "1 2\n");
	cr_assert_str_eq(
		run_shell("bash", "{ read a; read b; echo $a $b; } < $M/a/output | tr -d '\\r'")
			.out,
		"1 2\n");
}

Test(output, transcript_is_an_ordinary_file)
{
	struct stream output;
	struct stat st;

	session_start("a", "command printf 12345; read x; printf 67890; read x\n");
	stream_open(&output, "a/output");
	stream_until(&output, "12345");
	cr_assert_str_eq(get("a/transcript", NULL), "12345"); /* and it lives */
	cr_assert_eq(stat(at("a/transcript"), &st), 0);
	cr_assert_eq(st.st_size, 5);
	put_all("a/input", "\n");
	stream_until(&output, "67890");
	cr_assert_str_eq(get("a/transcript", NULL), "12345\r\n67890");
	cr_assert_eq(stat(at("a/transcript"), &st), 0);
	cr_assert_eq(st.st_size, 12);
	put_all("a/ctl", "kill\n");
	stream_close(&output);
}

Test(output, is_live)
{
	struct stream output;

	session_start("a", "command while read x; do echo got $x; done\n");
	stream_open(&output, "a/output");
	for (unsigned i = 0; i < 50; i++) {
		put_all("a/input", text("%u\n", i));
		stream_until(&output, text("got %u\r\n", i));
	}
	put_all("a/ctl", "eof\n");
	stream_rest(&output);
	stream_close(&output);
}

Test(output, without_waiting)
{
	char data[4096];
	struct stream output;

	session_start("a", "command read x; echo later; exit 3\n");
	cr_assert_eq(get_now("a/output", data), -EAGAIN);
	cr_assert_eq(get_now("a/exit", data), -EAGAIN);
	stream_open(&output, "a/output");
	put_all("a/input", "\n");
	stream_until(&output, "later\r\n");
	cr_assert_gt(get_now("a/output", data), 0);
	stream_rest(&output);
	session_exit("a");
	cr_assert_eq(get_now("a/exit", data), 2);
	cr_assert_eq(read(output.fd, data, sizeof(data)), 0);
	stream_close(&output);
}

Test(output, poll)
{
	int output, exit_fd, input, epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	char data[4096];

	session_start("a", "command stty -echo; echo READY; read x; echo one; read x\n");
	output = open(at("a/output"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	exit_fd = open(at("a/exit"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	input = open(at("a/input"), O_WRONLY | O_CLOEXEC);
	cr_assert(poll_one(output, POLLIN, 10000) & POLLIN);
	while (read(output, data, sizeof(data)) > 0 || !has(get("a/transcript", NULL), "READY"))
		;
	cr_assert_eq(poll_one(output, POLLIN, 50), 0);
	cr_assert_eq(poll_one(exit_fd, POLLIN, 0), 0);
	cr_assert_eq(poll_one(input, POLLOUT, 0), POLLOUT);
	cr_assert_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, output, &event), 0);
	cr_assert_eq(epoll_wait(epoll, &event, 1, 0), 0);
	put_all("a/input", "\n");
	cr_assert_eq(epoll_wait(epoll, &event, 1, 10000), 1);
	cr_assert(event.events & EPOLLIN);
	while (read(output, data, sizeof(data)) > 0)
		;
	put_all("a/input", "\n");
	cr_assert(poll_one(exit_fd, POLLIN, 10000) & POLLIN);
	cr_assert(poll_one(output, POLLIN, 10000) & POLLHUP);
	close(output);
	close(exit_fd);
	close(input);
	close(epoll);
}

static unsigned long output_fact(const char *key)
{
	return strtoul(get_value("a/status", key), NULL, 10);
}

static bool output_rests(const void *last)
{
	unsigned long *before = *(unsigned long *const *)last;
	unsigned long end = output_fact("output-end");
	bool rests = end == *before && end > 0;

	*before = end;
	if (!rests)
		pause_ms(100);
	return rests;
}

/* The oldest go, but nothing that an open reader has not read. */
Test(output, overflow_wait)
{
	char *expected = flood_expected(BYTES);
	unsigned long end = 0, *last = &end;
	struct stream reader;

	session_make("a");
	put_all("a/config", flood(BYTES));
	put_all("a/config", "retain 1M\noverflow wait\n");
	stream_open(&reader, "a/output");
	put_all("a/ctl", "start\n");
	cr_assert(await(output_rests, &last, 10000));
	cr_assert(end >= (1u << 20) && end < (3u << 20), "%lu", end);
	cr_assert_eq(output_fact("output-start"), 0);
	cr_assert_str_eq(get_value("a/status", "state"), "running");
	stream_rest(&reader);
	assert_same("reader", reader.data, reader.size, expected, BYTES);
	cr_assert_eq(session_exit("a"), 0);
	stream_close(&reader);
}

/* A reader that goes without reading holds nothing up. */
Test(output, overflow_wait_ends_with_the_reader)
{
	unsigned long end = 0, *last = &end;
	struct stream reader;

	session_make("a");
	put_all("a/config", flood(BYTES));
	put_all("a/config", "retain 1M\n");
	stream_open(&reader, "a/output");
	put_all("a/ctl", "start\n");
	cr_assert(await(output_rests, &last, 10000));
	stream_close(&reader);
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_eq(output_fact("output-end"), BYTES);
}

Test(output, nobody_reads)
{
	char *expected = flood_expected(BYTES);
	unsigned long start;
	size_t size;
	char *kept;

	session_make("a");
	put_all("a/config", flood(BYTES));
	put_all("a/config", "retain 1M\n");
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 0);
	start = output_fact("output-start");
	cr_assert_eq(output_fact("output-end"), BYTES);
	cr_assert(start >= BYTES - (2u << 20) && start <= BYTES - (1u << 20), "%lu", start);
	kept = get("a/output", &size);
	assert_same("late reader", kept, size, expected + start, BYTES - start);
}

Test(output, overflow_drop)
{
	char *expected = flood_expected(BYTES);
	unsigned long start;
	struct stream reader;
	char first[100];

	session_make("a");
	put_all("a/config", "retain 1M\noverflow drop\n");
	put_all("a/config", text("command stty raw -echo; printf first; head -c 1 >/dev/null; %s",
				 strchr(flood(BYTES), ' ')));
	stream_open(&reader, "a/output");
	put_all("a/ctl", "start\n");
	stream_until(&reader, "first");
	put_all("a/input", "x");
	cr_assert_eq(session_exit("a"), 0, "held up");
	start = output_fact("output-start") - strlen("first");
	cr_assert_eq(read(reader.fd, first, sizeof(first)), -1);
	cr_assert_eq(errno, ESTALE, "%s", strerror(errno));
	stream_rest(&reader); /* ESTALE comes once */
	assert_same("rest", reader.data + reader.seen, reader.size - reader.seen, expected + start,
		    BYTES - start);
	stream_close(&reader);
}
