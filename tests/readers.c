/* SPDX-License-Identifier: MIT */
/* Which of an output's readers is the last, however many there are. */
#include "output.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RETAIN = 1 << 20, MANY = 30000, FEW = 10, MOVES = 20000 };

static struct output output;
static struct mimobox_reader *readers;

static void start(void)
{
	output = (struct output){ .retain = RETAIN, .overflow = OVERFLOW_WAIT };
	cr_assert_eq(spool_open(&output.spool, "/tmp"), 0);
	readers = calloc(MANY, sizeof(*readers));
}

static void stop(void)
{
	output_close(&output);
	free(readers);
}

TestSuite(readers, .init = start, .fini = stop, .timeout = 60);

static void print(size_t size)
{
	char *at;
	size_t room;

	while (size) {
		cr_assert_eq(spool_room(&output.spool, true, &at, &room), 0);
		room = room < size ? room : size;
		memset(at, 'x', room);
		output_commit(&output, room);
		size -= room;
	}
}

/* Asked of each in turn, as it would be without any order. */
static uint64_t expected(unsigned count)
{
	uint64_t floor = output.spool.end;

	for (unsigned i = 0; i < count; i++)
		if (readers[i].output && readers[i].position < floor)
			floor = readers[i].position;
	return floor;
}

static void move_or_replace(struct mimobox_reader *reader)
{
	if (!reader->output) {
		cr_assert_eq(output_attach(&output, reader), 0);
	} else if (rand() % 4 == 0) {
		output_detach(&output, reader);
		reader->output = NULL;
	} else {
		output_move(reader,
			    output.spool.start +
				    (uint64_t)rand() % (output.spool.end - output.spool.start + 1));
	}
}

Test(readers, the_last_one_bounds_the_room)
{
	enum { COUNT = 37 };

	srand(7);
	print(RETAIN / 2);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t floor;

		move_or_replace(&readers[rand() % COUNT]);
		if (output.spool.end - expected(COUNT) < RETAIN - 100)
			print((size_t)(rand() % 100));
		floor = expected(COUNT);
		if (output.reader_count)
			cr_assert_eq(output_room(&output), RETAIN - (output.spool.end - floor));
		else
			cr_assert_eq(output_room(&output), SIZE_MAX);
		cr_assert_leq(output.spool.start, floor);
	}
}

static double cost_of(unsigned count)
{
	struct timespec begun, done;
	size_t room = 0;

	for (unsigned i = output.reader_count; i < count; i++)
		cr_assert_eq(output_attach(&output, &readers[i]), 0);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (unsigned i = 0; i < MOVES; i++) {
		output_move(&readers[i % count], i);
		room += output_room(&output);
	}
	clock_gettime(CLOCK_MONOTONIC, &done);
	cr_assert_gt(room, 0);
	return (double)(done.tv_sec - begun.tv_sec) * 1e9 + (double)(done.tv_nsec - begun.tv_nsec);
}

/* By a walk over all of them it would be some thousand times as much. */
Test(readers, many_cost_hardly_more_than_few)
{
	double few, many;

	print(RETAIN - 1000);
	few = cost_of(FEW);
	many = cost_of(MANY);
	cr_expect_lt(many, 200 * few, "%.0f ns of few, %.0f ns of many", few, many);
}
