/* SPDX-License-Identifier: MIT */
/*
 * The input queue against a real terminal: what is passed on, the line that would be cut, and
 * end-of-file at the start and in the middle of a line. The kernel is the judge: each claim of
 * the mirror is compared with what a reader of the slave gets.
 */
#include "input.h"
#include "pace.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int master, slave;
static struct termios modes;
static struct input input;
static char big[2 * INPUT_MAX];

static void setup(void)
{
	cr_assert_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	tcgetattr(slave, &modes);
	modes.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(slave, TCSANOW, &modes);
	memset(big, 'x', sizeof(big));
}

static void teardown(void)
{
	input_finish(&input);
	close(master);
	close(slave);
}

TestSuite(input, .init = setup, .fini = teardown, .timeout = 20);

static void make_raw(void)
{
	cfmakeraw(&modes);
	tcsetattr(slave, TCSANOW, &modes);
}

static ssize_t read_slave(void *data, size_t size)
{
	struct pollfd ready = { .fd = slave, .events = POLLIN };
	cr_assert_eq(poll(&ready, 1, (int)scaled(5000)), 1, "the reader got nothing");
	return read(slave, data, size);
}

static ssize_t put(const void *data, size_t size)
{
	return input_put(&input, &modes, data, size);
}

Test(input, a_canonical_line_of_4095_arrives_whole_and_one_more_is_refused)
{
	char line[INPUT_LINE_MAX + 2], read_back[8192];
	memset(line, 'a', sizeof(line));
	line[INPUT_LINE_MAX + 1] = '\n';
	cr_expect_eq(put(line, sizeof(line)), -EMSGSIZE);
	cr_expect_eq(put(line, INPUT_LINE_MAX + 1), -EMSGSIZE, "also without its newline");
	cr_expect_eq(input.size, 0);
	cr_expect_eq(put(line + 1, INPUT_LINE_MAX + 1), INPUT_LINE_MAX + 1);
	cr_expect_eq(input_pass(&input, master), 0);
	cr_expect_eq(read_slave(read_back, sizeof(read_back)), INPUT_LINE_MAX + 1);
	cr_expect_eq(read_back[INPUT_LINE_MAX], '\n');
}

Test(input, the_kernel_cuts_the_line_that_is_refused)
{
	/* The control of the test above: why it is refused. */
	char line[INPUT_LINE_MAX + 2], read_back[8192];
	memset(line, 'a', sizeof(line));
	line[INPUT_LINE_MAX + 1] = '\n';
	cr_assert_eq(write(master, line, sizeof(line)), (ssize_t)sizeof(line));
	cr_expect_lt(read_slave(read_back, sizeof(read_back)), (ssize_t)sizeof(line));
}

Test(input, a_line_that_grows_over_several_writes_is_refused)
{
	cr_expect_eq(put(big, 4000), 4000);
	cr_expect_eq(input_pass(&input, master), 0);
	cr_expect_eq(put(big, 96), -EMSGSIZE);
	cr_expect_eq(put(big, 95), 95);
	cr_expect_eq(put("\n", 1), 1);
	cr_expect_eq(put(big, 95), 95, "the next line is a new one");
}

Test(input, erasing_and_killing_shorten_the_line)
{
	cr_expect_eq(put(big, 4095), 4095);
	cr_expect_eq(put("y", 1), -EMSGSIZE);
	cr_expect_eq(put("\177", 1), 1);
	cr_expect_eq(put("y", 1), 1);
	cr_expect_eq(put("\025", 1), 1); /* ^U */
	cr_expect_eq(put(big, 4095), 4095);
	cr_expect_eq(put("\003", 1), 1); /* ^C */
	cr_expect_eq(put(big, 4095), 4095);
}

Test(input, raw_mode_has_no_limit_but_the_queue)
{
	make_raw();
	cr_expect_eq(put(big, sizeof(big)), INPUT_MAX);
	cr_expect_eq(put(big, 1), -EAGAIN);
	size_t passed = 0;
	while (passed < INPUT_MAX) {
		int error = input_pass(&input, master);
		cr_assert(error == 0 || error == -EAGAIN);
		static char chunk[65536];
		ssize_t count = read_slave(chunk, sizeof(chunk));
		cr_assert_gt(count, 0);
		passed += (size_t)count;
	}
	cr_expect_eq(passed, INPUT_MAX);
	cr_expect(!input_pending(&input));
}

Test(input, the_ring_keeps_the_order)
{
	make_raw();
	uint32_t sent = 0, seen = 0;
	static uint32_t numbers[40000], chunk[16384];
	size_t partial = 0;
	while (seen < 300000) {
		for (size_t i = 0; i < 40000; i++)
			numbers[i] = sent + (uint32_t)i;
		ssize_t count = put(numbers, sizeof(numbers));
		if (count > 0) {
			cr_assert_eq(count % 4, 0);
			sent += (uint32_t)count / 4;
		}
		input_pass(&input, master);
		ssize_t got = read_slave((char *)chunk + partial, sizeof(chunk) - partial);
		cr_assert_gt(got, 0);
		size_t have = partial + (size_t)got;
		for (size_t i = 0; i < have / 4; i++)
			cr_assert_eq(chunk[i], seen++);
		partial = have % 4;
		memmove(chunk, (char *)chunk + have - partial, partial);
	}
}

Test(input, eof_at_the_start_of_a_line)
{
	char byte;
	cr_assert_eq(input_end(&input), 0);
	cr_expect_eq(input_pass(&input, master), 0);
	cr_expect_eq(read_slave(&byte, 1), 0);
}

Test(input, eof_in_the_middle_of_a_line_comes_after_it)
{
	char text[16];
	put("one\ntwo", 7);
	cr_assert_eq(input_end(&input), 0);
	put("three\n", 6);
	cr_expect_eq(input_pass(&input, master), 0);
	cr_expect_eq(read_slave(text, sizeof(text)), 4);
	cr_expect_eq(read_slave(text, sizeof(text)), 3);
	cr_expect_eq(read_slave(text, sizeof(text)), 0, "the end of file");
	cr_expect_eq(read_slave(text, sizeof(text)), 6, "one end, and no second");
	cr_expect_arr_eq(text, "three\n", 6);
}
