/* SPDX-License-Identifier: MIT */
/* When output came and at which size: marks, walks over them, and their bounded number. */
#include "timeline.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)

static struct timeline timeline;
static struct timeline_walk walk;
static struct timeline_segment segment;

static void setup(void)
{
	timeline_init(&timeline, 24, 80);
	timeline_walk_init(&walk, 0);
}

static void teardown(void)
{
	timeline_finish(&timeline);
}

TestSuite(timeline, .init = setup, .fini = teardown, .timeout = 60);

static void expect_segment(uint64_t end, struct timeline_segment wanted)
{
	cr_assert(timeline_walk_next(&timeline, &walk, end, &segment));
	cr_expect_eq(segment.from, wanted.from, "from %lu", segment.from);
	cr_expect_eq(segment.to, wanted.to, "to %lu", segment.to);
	cr_expect_eq(segment.time, wanted.time, "time %lu", segment.time);
	cr_expect_eq(segment.rows, wanted.rows);
	cr_expect_eq(segment.cols, wanted.cols);
}

static void expect_end(uint64_t end)
{
	cr_expect_not(timeline_walk_next(&timeline, &walk, end, &segment));
}

Test(timeline, an_idle_session_costs_nothing)
{
	cr_expect_null(timeline.marks);
	cr_expect_eq(timeline_time(&timeline, 0), 0);
	expect_end(0);
}

Test(timeline, each_batch_has_its_time)
{
	timeline_output(&timeline, 0, 5 * MS);
	timeline_output(&timeline, 10, 50 * MS);
	timeline_output(&timeline, 30, 90 * MS);
	expect_segment(35, (struct timeline_segment){ 0, 10, 5 * MS, 24, 80 });
	expect_segment(35, (struct timeline_segment){ 10, 30, 50 * MS, 24, 80 });
	expect_segment(35, (struct timeline_segment){ 30, 35, 90 * MS, 24, 80 });
	expect_end(35);
	expect_segment(40, (struct timeline_segment){ 35, 40, 90 * MS, 24, 80 });
	cr_expect_eq(timeline_time(&timeline, 9), 5 * MS);
	cr_expect_eq(timeline_time(&timeline, 10), 50 * MS);
	cr_expect_eq(timeline_time(&timeline, 1000), 90 * MS);
}

Test(timeline, close_batches_are_one)
{
	for (uint64_t i = 0; i < 1000; i++)
		timeline_output(&timeline, i, i * MS / 10);
	cr_expect_eq(timeline.count, 25, "%zu", timeline.count);
	expect_segment(1000, (struct timeline_segment){ 0, 40, 0, 24, 80 });
}

Test(timeline, what_somebody_used_stays)
{
	timeline_output(&timeline, 0, 0);
	expect_segment(10, (struct timeline_segment){ 0, 10, 0, 24, 80 });
	timeline_seal(&timeline);
	timeline_output(&timeline, 10, MS);
	timeline_output(&timeline, 20, 2 * MS);
	expect_segment(30, (struct timeline_segment){ 10, 30, MS, 24, 80 });
}

Test(timeline, a_resize_comes_before_the_output_at_its_offset)
{
	timeline_output(&timeline, 0, 10 * MS);
	timeline_resize(&timeline, 8, 20 * MS, 30, 90);
	expect_segment(8, (struct timeline_segment){ 0, 8, 10 * MS, 24, 80 });
	expect_segment(8, (struct timeline_segment){ 8, 8, 20 * MS, 30, 90 });
	expect_end(8);
	timeline_output(&timeline, 8, 40 * MS);
	expect_segment(9, (struct timeline_segment){ 8, 9, 40 * MS, 30, 90 });
	timeline_resize(&timeline, 9, 50 * MS, 31, 91);
	timeline_output(&timeline, 9, 51 * MS);
	expect_segment(12, (struct timeline_segment){ 9, 12, 50 * MS, 31, 91 });
	expect_end(12);
}

Test(timeline, resizes_at_one_offset_are_the_last_of_them)
{
	for (uint16_t i = 1; i <= 1000; i++)
		timeline_resize(&timeline, 0, i * MS, i, i);
	cr_expect_eq(timeline.count, 1);
	expect_segment(5, (struct timeline_segment){ 0, 5, 1000 * MS, 1000, 1000 });
	timeline_resize(&timeline, 5, 2000 * MS, 1000, 1000);
	cr_expect_eq(timeline.count, 1, "it has that size already");
	timeline_resize(&timeline, 5, 2000 * MS, 1, 1);
	timeline_seal(&timeline);
	timeline_resize(&timeline, 5, 2000 * MS, 2, 2);
	cr_expect_eq(timeline.count, 3, "somebody saw the size between");
}

Test(timeline, a_mark_for_nothing_is_passed_over)
{
	timeline_output(&timeline, 0, 10 * MS);
	timeline_output(&timeline, 5, 20 * MS);
	timeline_output(&timeline, 5, 30 * MS);
	expect_segment(5, (struct timeline_segment){ 0, 5, 10 * MS, 24, 80 });
	expect_end(5);
	expect_segment(7, (struct timeline_segment){ 5, 7, 30 * MS, 24, 80 });
	timeline_output(&timeline, 7, 40 * MS);
	timeline_resize(&timeline, 7, 50 * MS, 1, 1);
	expect_segment(7, (struct timeline_segment){ 7, 7, 50 * MS, 1, 1 });
}

Test(timeline, time_never_goes_back)
{
	timeline_output(&timeline, 0, 100 * MS);
	timeline_seal(&timeline);
	timeline_output(&timeline, 5, 50 * MS);
	timeline_resize(&timeline, 9, 20 * MS, 1, 1);
	uint64_t last = 0;
	for (int i = 0; i < 3; i++) {
		cr_assert(timeline_walk_next(&timeline, &walk, 10, &segment));
		cr_expect_geq(segment.time, last);
		last = segment.time;
	}
}

Test(timeline, a_walk_may_begin_anywhere)
{
	timeline_output(&timeline, 0, 10 * MS);
	timeline_resize(&timeline, 10, 20 * MS, 30, 90);
	timeline_output(&timeline, 10, 30 * MS);
	timeline_output(&timeline, 20, 40 * MS);
	timeline_walk_init(&walk, 15);
	expect_segment(30, (struct timeline_segment){ 15, 20, 30 * MS, 30, 90 });
	expect_segment(30, (struct timeline_segment){ 20, 30, 40 * MS, 30, 90 });
	timeline_walk_back(&walk, 25);
	expect_segment(30, (struct timeline_segment){ 25, 30, 40 * MS, 30, 90 });
	timeline_walk_init(&walk, 10);
	expect_segment(30, (struct timeline_segment){ 10, 10, 20 * MS, 30, 90 });
	expect_segment(30, (struct timeline_segment){ 10, 20, 30 * MS, 30, 90 });
}

Test(timeline, trimming_keeps_what_is_in_force)
{
	uint16_t rows, cols;
	timeline_output(&timeline, 0, 10 * MS);
	timeline_resize(&timeline, 10, 20 * MS, 30, 90);
	timeline_output(&timeline, 20, 30 * MS);
	timeline_output(&timeline, 30, 40 * MS);
	timeline_trim(&timeline, 25);
	cr_expect_eq(timeline.count, 2);
	cr_expect_eq(timeline_time(&timeline, 25), 30 * MS);
	timeline_size(&timeline, 25, &rows, &cols);
	cr_expect_eq(rows, 30);
	cr_expect_eq(cols, 90);
	timeline_walk_init(&walk, 25);
	expect_segment(35, (struct timeline_segment){ 25, 30, 30 * MS, 30, 90 });
	expect_segment(35, (struct timeline_segment){ 30, 35, 40 * MS, 30, 90 });
	timeline_trim(&timeline, 1000);
	cr_expect_eq(timeline.count, 1);
	cr_expect_eq(timeline_time(&timeline, 1000), 40 * MS);
}

Test(timeline, resizes_are_told_one_by_one)
{
	struct timeline_mark mark;
	size_t index = 0;
	timeline_output(&timeline, 0, 10 * MS);
	timeline_resize(&timeline, 10, 20 * MS, 30, 90);
	timeline_output(&timeline, 20, 30 * MS);
	timeline_resize(&timeline, 40, 40 * MS, 24, 80);
	cr_assert(timeline_next_resize(&timeline, &index, &mark));
	cr_expect(mark.offset == 10 && mark.rows == 30 && mark.cols == 90);
	cr_assert(timeline_next_resize(&timeline, &index, &mark));
	cr_expect(mark.offset == 40 && mark.rows == 24 && mark.cols == 80);
	cr_expect_not(timeline_next_resize(&timeline, &index, &mark));
}

Test(timeline, memory_is_bounded_by_thinning_what_is_old)
{
	uint64_t count = UINT64_C(1) << 20;
	for (uint64_t i = 0; i < count; i++)
		cr_assert_eq(timeline_output(&timeline, i * 7, i * 10 * MS), 0);
	cr_expect_leq(timeline.room, TIMELINE_MAX);
	cr_expect_leq(timeline.count, TIMELINE_MAX);
	cr_expect_geq(timeline.count, TIMELINE_MAX / 2);
	for (uint64_t i = count - TIMELINE_MAX / 4; i < count; i++)
		cr_assert_eq(timeline_time(&timeline, i * 7 + 3), i * 10 * MS, "recent is exact");
	cr_expect_eq(timeline_time(&timeline, 0), 0);
	uint64_t end = 0;
	while (timeline_walk_next(&timeline, &walk, count * 7, &segment)) {
		cr_assert_eq(segment.from, end, "no byte is left out");
		cr_assert_leq(segment.time, segment.from / 7 * 10 * MS);
		end = segment.to;
	}
	cr_expect_eq(end, count * 7);
}

Test(timeline, resizes_outlast_marks)
{
	unsigned resizes = 0;
	for (uint64_t i = 0; i < 200000; i++) {
		if (i % 100 == 0)
			timeline_resize(&timeline, i, i * 10 * MS, 10 + i / 100 % 2, 80);
		timeline_output(&timeline, i, i * 10 * MS + MS);
	}
	cr_assert_leq(timeline.count, TIMELINE_MAX);
	uint16_t rows = 24;
	while (timeline_walk_next(&timeline, &walk, 200000, &segment)) {
		resizes += segment.rows != rows;
		rows = segment.rows;
		cr_assert_eq(rows, 10 + segment.from / 100 % 2);
	}
	cr_expect_eq(resizes, 2000, "%u", resizes);
}

Test(timeline, resizes_alone_are_bounded_too)
{
	for (uint64_t i = 0; i < 500000; i++)
		timeline_resize(&timeline, i, i * 10 * MS, (uint16_t)(1 + i % 1000), 80);
	cr_expect_leq(timeline.room, TIMELINE_MAX);
	while (timeline_walk_next(&timeline, &walk, 500000, &segment))
		;
	cr_expect_eq(segment.rows, 1 + 499999 % 1000, "the last is in force");
}

Test(timeline, a_steadily_trimmed_one_stays_small)
{
	for (uint64_t i = 0; i < 300000; i++) {
		timeline_output(&timeline, i * 1000, i * 10 * MS);
		timeline_trim(&timeline, i > 50 ? (i - 50) * 1000 : 0);
	}
	cr_expect_leq(timeline.room, 128, "%zu", timeline.room);
	cr_expect_eq(timeline_time(&timeline, UINT64_C(299970005)), 299970 * (10 * MS));
}

Test(timeline, a_walk_survives_thinning_and_trimming)
{
	uint64_t end = 0, read = 0;
	srand(1);
	for (uint64_t i = 0; i < 200000; i++) {
		timeline_output(&timeline, end, i * 5 * MS);
		end += (uint64_t)(rand() % 50);
		if (rand() % 4 == 0)
			timeline_resize(&timeline, end, i * 5 * MS, (uint16_t)(1 + rand() % 9), 80);
		if (rand() % 20000 == 0)
			timeline_trim(&timeline, read);
		while (rand() % 3 && timeline_walk_next(&timeline, &walk, end, &segment)) {
			cr_assert_eq(segment.from, read);
			cr_assert_geq(segment.to, segment.from);
			read = segment.to;
		}
	}
	cr_expect_leq(timeline.count, TIMELINE_MAX);
}
