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
#include <sys/mman.h>
#include <unistd.h>

static int master, slave;
static struct termios modes;
static struct input_shared shared;
static char ring[INPUT_MAX];
static struct input input = { .shared = &shared, .data = ring };
static struct typist typist = { .shared = &shared, .data = ring };
static uint64_t key;
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
	ssize_t count = input_ask(&input, ++key, data, size);
	if (count != -EINPROGRESS)
		return count;
	cr_assert(input_answer(&typist, &modes));
	return input_ask(&input, key, data, size);
}

/* As init does when it is woken. */
static int pass(void)
{
	struct termios now = modes;
	input_answer(&typist, &modes);
	return input_pass(&typist, master, &now);
}

Test(input, a_canonical_line_of_4095_arrives_whole_and_one_more_is_refused)
{
	char line[INPUT_LINE_MAX + 2], read_back[8192];
	memset(line, 'a', sizeof(line));
	line[INPUT_LINE_MAX + 1] = '\n';
	cr_expect_eq(put(line, sizeof(line)), -EMSGSIZE);
	cr_expect_eq(put(line, INPUT_LINE_MAX + 1), -EMSGSIZE, "also without its newline");
	cr_expect(!input_pending(&typist));
	cr_expect_eq(put(line + 1, INPUT_LINE_MAX + 1), INPUT_LINE_MAX + 1);
	cr_expect_eq(pass(), 0);
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
	cr_expect_eq(pass(), 0);
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
		int error = pass();
		cr_assert(error == 0 || error == -EAGAIN);
		static char chunk[65536];
		ssize_t count = read_slave(chunk, sizeof(chunk));
		cr_assert_gt(count, 0);
		passed += (size_t)count;
	}
	cr_expect_eq(passed, INPUT_MAX);
	cr_expect(!input_pending(&typist));
}

Test(input, room_is_what_the_terminal_has_taken)
{
	make_raw();
	cr_expect_eq(input_room(&input), INPUT_MAX);
	cr_assert_eq(put(big, 1000), 1000);
	cr_expect_eq(input_room(&input), INPUT_MAX - 1000);
	cr_expect_eq(input_passed(&input), 0);
	cr_assert_eq(pass(), 0);
	cr_expect_eq(input_passed(&input), 1000);
	cr_expect_eq(input_room(&input), INPUT_MAX);
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
		pass();
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
	cr_assert_eq(input_end(&input, ++key), 0);
	cr_expect_eq(pass(), 0);
	cr_expect_eq(read_slave(&byte, 1), 0);
}

Test(input, eof_in_the_middle_of_a_line_comes_after_it)
{
	char text[16];
	put("one\ntwo", 7);
	cr_assert_eq(input_end(&input, ++key), 0);
	put("three\n", 6);
	cr_expect_eq(pass(), 0);
	cr_expect_eq(read_slave(text, sizeof(text)), 4);
	cr_expect_eq(read_slave(text, sizeof(text)), 3);
	cr_expect_eq(read_slave(text, sizeof(text)), 0, "the end of file");
	cr_expect_eq(read_slave(text, sizeof(text)), 6, "one end, and no second");
	cr_expect_arr_eq(text, "three\n", 6);
}

Test(input, what_cannot_make_a_line_too_long_is_accepted_at_once)
{
	input_answer(&typist, &modes);
	cr_expect_eq(input_ask(&input, 1, big, 4000), 4000);
	cr_expect_eq(input_ask(&input, 2, big, 95), 95);
	cr_expect_eq(input_ask(&input, 3, big, 1), -EINPROGRESS);
	cr_expect(input_answer(&typist, &modes));
	cr_expect_eq(input_ask(&input, 3, big, 1), -EMSGSIZE);
	cr_expect_eq(input_ask(&input, 4, "\n", 1), -EINPROGRESS, "it may be no newline");
	cr_expect(input_answer(&typist, &modes));
	cr_expect_eq(input_ask(&input, 4, "\n", 1), 1);
	cr_expect_eq(input_ask(&input, 5, big, INPUT_LINE_MAX), INPUT_LINE_MAX);
}

Test(input, a_line_begins_behind_the_end_of_a_file)
{
	input_answer(&typist, &modes);
	cr_expect_eq(input_ask(&input, 1, big, 4000), 4000);
	cr_assert_eq(input_end(&input, 2), 0);
	cr_expect_eq(input_ask(&input, 3, big, 50), 50);
	cr_expect_eq(put(big, 4000), 4000, "of that line there are but 50");
	cr_expect_eq(put(big, 46), -EMSGSIZE);
}

Test(input, what_goes_to_a_pipe_has_no_lines)
{
	input_answer(&typist, NULL);
	cr_expect_eq(input_ask(&input, 1, big, INPUT_MAX - 1), INPUT_MAX - 1);
	cr_expect_eq(input_ask(&input, 2, big, 2), 1);
	cr_expect_eq(input_ask(&input, 3, big, 1), -EAGAIN);
}

/* It is killed before it says so. */
Test(input, what_a_server_was_about_to_put_is_not_there)
{
	char text[8];
	input_answer(&typist, &modes);
	cr_expect_eq(input_ask(&input, 1, "a", 1), 1);
	shared.writes[0] = (struct input_write){ .key = 2, .base = 77, .count = 99 };
	shared.lock = INPUT_FILLS;
	cr_expect_eq(input_ask(&input, 3, "b\n", 2), -EINPROGRESS);
	input_resume(&input);
	cr_expect_eq(input_ask(&input, 3, "b\n", 2), 2);
	cr_expect_eq(pass(), 0);
	cr_expect_eq(read_slave(text, sizeof(text)), 3);
	cr_expect_arr_eq(text, "ab\n", 3);
}

static bool is_there(const char *at)
{
	unsigned char resident;
	cr_assert_eq(mincore((void *)at, 4096, &resident), 0);
	return resident & 1;
}

Test(input, memory_is_given_back_between_writes)
{
	typist.data = input.data =
		mmap(NULL, INPUT_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	make_raw();
	cr_expect_eq(put("x", 1), 1);
	cr_expect(!input_is_untidy(&input));
	cr_expect_eq(pass(), 0);
	cr_expect_eq(put(big, 65536), 65536);
	cr_expect(input_is_untidy(&input));
	input_tidy(&typist);
	cr_expect(is_there(input.data), "it is not passed yet");
	while (pass() == -EAGAIN)
		read_slave(big, sizeof(big));
	shared.lock = INPUT_FILLS;
	input_tidy(&typist);
	cr_expect(is_there(input.data), "the server puts something there");
	shared.lock = INPUT_FREE;
	input_tidy(&typist);
	cr_expect(!is_there(input.data));
	shared.lock = INPUT_TIDIES;
	cr_expect(!input_has_news(&input));
	cr_expect_eq(input_ask(&input, ++key, "x", 1), -EINPROGRESS, "init gives it back");
	shared.lock = INPUT_FREE;
	cr_expect(input_has_news(&input));
}

/* What a server, or the one after it, makes of a write that is asked. */

static ssize_t ask(uint64_t of)
{
	shared.sure = 0;
	return input_ask(&input, of, "x", 1);
}

Test(input, an_answer_is_for_the_client_that_asked)
{
	cr_expect_eq(ask(1), -EINPROGRESS);
	cr_expect_eq(ask(2), -EINPROGRESS, "another waits for its turn");
	cr_expect(!input_has_news(&input));
	cr_assert(input_answer(&typist, &modes));
	cr_expect(input_has_news(&input));
	cr_expect_eq(ask(2), -EINPROGRESS, "until that one has its answer");
	cr_expect_eq(ask(1), 1);
	cr_expect_eq(ask(2), -EINPROGRESS);
	cr_assert(input_answer(&typist, &modes));
	cr_expect_eq(ask(2), 1);
	cr_expect_eq(typist.accepted, 2);
}

Test(input, what_is_withdrawn_is_never_taken)
{
	cr_expect_eq(ask(1), -EINPROGRESS);
	cr_expect_eq(input_withdraw(&input, 2), -EAGAIN, "not that client's");
	cr_expect_eq(input_withdraw(&input, 1), -EAGAIN);
	cr_expect(!input_answer(&typist, &modes));
	cr_expect_eq(ask(2), -EINPROGRESS);
	cr_assert(input_answer(&typist, &modes));
	cr_expect_eq(input_withdraw(&input, 2), 1, "it was taken before");
	cr_expect_eq(input_withdraw(&input, 2), -EAGAIN, "and told once");
	cr_expect_eq(typist.accepted, 1);
}

Test(input, another_server_finds_the_answer)
{
	uint64_t collected = input.collected;
	cr_expect_eq(ask(1), -EINPROGRESS);
	cr_assert(input_answer(&typist, &modes));
	input = (struct input){ .shared = &shared, .data = ring, .collected = collected };
	cr_expect_eq(ask(2), -EINPROGRESS);
	cr_expect_eq(ask(1), 1);
	input = (struct input){ .shared = &shared, .data = ring, .collected = input.collected };
	cr_expect_eq(ask(1), -EINPROGRESS, "its answer was told: this is another write");
}

Test(input, an_end_is_asked_for_once_by_a_client)
{
	cr_assert_eq(input_end(&input, 7), 0);
	cr_assert_eq(input_end(&input, 7), 0);
	cr_expect_eq(atomic_load(&shared.ends_asked), 1);
	for (uint64_t i = 1; i < INPUT_ENDS_MAX; i++)
		cr_assert_eq(input_end(&input, 7 + i), 0);
	cr_expect_eq(input_end(&input, 1), -EAGAIN);
	cr_expect_eq(pass(), 0);
	cr_expect_eq(input_end(&input, 1), 0);
}

Test(input, a_write_without_room_is_told_of_room)
{
	make_raw();
	cr_expect_eq(put(big, INPUT_MAX), INPUT_MAX);
	cr_expect_eq(atomic_load(&shared.wants_room), 0);
	cr_expect_eq(put(big, 1), -EAGAIN);
	cr_expect_eq(atomic_load(&shared.wants_room), 1);
}
