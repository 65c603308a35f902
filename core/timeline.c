/* SPDX-License-Identifier: MIT */
/*
 * One sorted array serves for times and sizes: each mark says when the output from its offset on
 * came, and what the size was. A resize is a mark whose size is not that of the mark before, and
 * stands before the output of the same offset. A mark left out thus only makes what follows
 * it count to the one before: times become coarser, and a size in force is never lost.
 *
 * A batch of output that comes shortly after the newest mark needs none. At TIMELINE_MAX marks
 * every second of the older half goes, resizes only where there would otherwise be no room (then
 * one takes effect at the next mark); so what is recent is exact, and the older the coarser.
 *
 * A walk remembers the last mark it gave by its (offset, time), not its place, for marks go away
 * under it: by thinning, and from below by trimming.
 */
#include "timeline.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 16 };

void timeline_init(struct timeline *timeline, uint16_t rows, uint16_t cols)
{
	*timeline = (struct timeline){ .rows = rows, .cols = cols };
}

void timeline_finish(struct timeline *timeline)
{
	free(timeline->marks);
	timeline->marks = NULL;
	timeline->first = timeline->count = timeline->room = 0;
}

static struct timeline_mark *mark_at(const struct timeline *timeline, size_t index)
{
	return timeline->marks + timeline->first + index;
}

static struct timeline_mark *newest(const struct timeline *timeline)
{
	return timeline->count ? mark_at(timeline, timeline->count - 1) : NULL;
}

/* The mark's size is news: it isn't that of the mark before. */
static bool is_resize(const struct timeline *timeline, size_t index)
{
	const struct timeline_mark *mark = mark_at(timeline, index);
	if (index == 0)
		return mark->rows != timeline->rows || mark->cols != timeline->cols;
	return mark->rows != mark[-1].rows || mark->cols != mark[-1].cols;
}

/* How many marks are at or before (offset, time). */
static size_t count_until(const struct timeline *timeline, uint64_t offset, uint64_t time)
{
	size_t low = 0, high = timeline->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct timeline_mark *mark = mark_at(timeline, middle);
		if (mark->offset < offset || (mark->offset == offset && mark->time <= time))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Bounded memory */

/* Drops every second of the older half: with `resizes`, whatever it is. After compact(). */
static void thin(struct timeline *timeline, bool resizes)
{
	size_t half = timeline->count / 2, kept = 1;
	timeline->rewrites++;
	bool drop = false;
	assert(timeline->marks);
	for (size_t i = 1; i < timeline->count; i++) {
		drop = !drop && i < half && (resizes || !is_resize(timeline, i));
		if (!drop)
			timeline->marks[kept++] = timeline->marks[i];
	}
	timeline->count = kept;
}

static void compact(struct timeline *timeline)
{
	if (timeline->first == 0)
		return;
	assert(timeline->marks);
	memmove(timeline->marks, mark_at(timeline, 0), timeline->count * sizeof(*timeline->marks));
	timeline->first = 0;
	timeline->rewrites++;
}

/* Whatever is done here makes room for a quarter more, so that it is seldom done. */
static int make_room(struct timeline *timeline)
{
	if (timeline->first + timeline->count < timeline->room)
		return 0;
	compact(timeline);
	if (timeline->count < timeline->room - timeline->room / 4)
		return 0;
	if (timeline->room == TIMELINE_MAX) {
		thin(timeline, false);
		if (timeline->count > TIMELINE_MAX - TIMELINE_MAX / 8)
			thin(timeline, true);
		return 0;
	}
	size_t room = timeline->room ? timeline->room * 2 : ROOM_MIN;
	struct timeline_mark *marks = reallocarray(timeline->marks, room, sizeof(*marks));
	if (!marks)
		return -ENOMEM;
	timeline->marks = marks;
	timeline->room = room;
	return 0;
}

static int add(struct timeline *timeline, struct timeline_mark mark)
{
	int error = make_room(timeline);
	if (error < 0)
		return error;
	const struct timeline_mark *last = newest(timeline);
	if (last && mark.time <= last->time)
		mark.time = last->time + 1;
	*mark_at(timeline, timeline->count++) = mark;
	timeline->sealed = false;
	return 0;
}

/* What happens */

int timeline_output(struct timeline *timeline, uint64_t offset, uint64_t time)
{
	const struct timeline_mark *last = newest(timeline);
	struct timeline_mark mark = { offset, time, timeline->rows, timeline->cols };
	if (last) {
		assert(offset >= last->offset);
		if (time < last->time)
			mark.time = last->time;
		if (!timeline->sealed && mark.time - last->time < TIMELINE_CLOSE_NS)
			return 0;
		mark.rows = last->rows;
		mark.cols = last->cols;
	}
	return add(timeline, mark);
}

int timeline_resize(struct timeline *timeline, uint64_t offset, uint64_t time, uint16_t rows,
		    uint16_t cols)
{
	struct timeline_mark *last = newest(timeline);
	struct timeline_mark mark = { offset, time, rows, cols };
	if (!last && rows == timeline->rows && cols == timeline->cols)
		return 0;
	if (last) {
		assert(offset >= last->offset);
		if (rows == last->rows && cols == last->cols)
			return 0;
		if (time < last->time)
			mark.time = last->time;
		if (!timeline->sealed && last->offset == offset) {
			*last = mark;
			return 0;
		}
	}
	return add(timeline, mark);
}

void timeline_seal(struct timeline *timeline)
{
	timeline->sealed = true;
}

void timeline_trim(struct timeline *timeline, uint64_t offset)
{
	size_t passed = count_until(timeline, offset, UINT64_MAX);
	if (passed < 2)
		return;
	const struct timeline_mark *before = mark_at(timeline, passed - 2);
	timeline->rows = before->rows;
	timeline->cols = before->cols;
	timeline->first += passed - 1;
	timeline->count -= passed - 1;
}

uint64_t timeline_time(const struct timeline *timeline, uint64_t offset)
{
	size_t passed = count_until(timeline, offset, UINT64_MAX);
	return passed ? mark_at(timeline, passed - 1)->time : 0;
}

void timeline_size(const struct timeline *timeline, uint64_t offset, uint16_t *rows, uint16_t *cols)
{
	size_t passed = offset ? count_until(timeline, offset - 1, UINT64_MAX) : 0;
	*rows = passed ? mark_at(timeline, passed - 1)->rows : timeline->rows;
	*cols = passed ? mark_at(timeline, passed - 1)->cols : timeline->cols;
}

bool timeline_next_resize(const struct timeline *timeline, size_t *index,
			  struct timeline_mark *mark)
{
	while (*index < timeline->count) {
		size_t at = (*index)++;
		if (!is_resize(timeline, at))
			continue;
		*mark = *mark_at(timeline, at);
		return true;
	}
	return false;
}

/* Walks */

void timeline_walk_init(struct timeline_walk *walk, uint64_t offset)
{
	*walk = (struct timeline_walk){ .offset = offset };
}

/* Marks at the walk's beginning are all in force; later, those at its offset come one by one. */
static size_t passed_by(const struct timeline *timeline, struct timeline_walk *walk)
{
	size_t passed;
	if (walk->begun)
		return count_until(timeline, walk->offset, walk->time);
	/* below the offset; at it they are still to come */
	passed = walk->offset ? count_until(timeline, walk->offset - 1, UINT64_MAX) : 0;
	walk->time = 0;
	walk->begun = true;
	return passed;
}

static void fill(const struct timeline *timeline, size_t passed, struct timeline_segment *segment)
{
	const struct timeline_mark *mark = passed ? mark_at(timeline, passed - 1) : NULL;
	segment->time = mark ? mark->time : 0;
	segment->rows = mark ? mark->rows : timeline->rows;
	segment->cols = mark ? mark->cols : timeline->cols;
}

static uint64_t next_offset(const struct timeline *timeline, size_t passed, uint64_t end)
{
	if (passed == timeline->count || mark_at(timeline, passed)->offset > end)
		return end;
	return mark_at(timeline, passed)->offset;
}

bool timeline_walk_next(const struct timeline *timeline, struct timeline_walk *walk, uint64_t end,
			struct timeline_segment *segment)
{
	size_t passed = passed_by(timeline, walk);
	bool resize = false;
	segment->from = walk->offset;
	segment->to = next_offset(timeline, passed, end);
	/* nothing of the mark before is left; and a mark may be there for nothing */
	while (segment->to == walk->offset && !resize && passed < timeline->count &&
	       mark_at(timeline, passed)->offset <= walk->offset) {
		resize = is_resize(timeline, passed);
		walk->time = mark_at(timeline, passed++)->time;
		segment->to = next_offset(timeline, passed, end);
	}
	if (segment->to == walk->offset && !resize)
		return false;
	fill(timeline, passed, segment);
	walk->offset = segment->to;
	return true;
}

void timeline_walk_back(struct timeline_walk *walk, uint64_t offset)
{
	assert(offset <= walk->offset);
	walk->offset = offset;
}
