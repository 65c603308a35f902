/* SPDX-License-Identifier: MIT */
/* The event loop: timers in order, sources that remove themselves and each other, nesting. */
#include "loop.h"
#include "pace.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct loop *loop;

static void setup(void)
{
	cr_assert_eq(loop_create(&loop), 0);
}

static void teardown(void)
{
	loop_destroy(loop);
}

TestSuite(loop, .init = setup, .fini = teardown, .timeout = 20);

enum { TIMERS = 500 };

struct expiry {
	struct loop_timer timer;
	uint64_t due;
};

static uint64_t last_due;
static unsigned fired, out_of_order;

static void on_expiry(void *data)
{
	const struct expiry *expiry = data;
	out_of_order += expiry->due < last_due;
	out_of_order += loop_now() < expiry->due;
	last_due = expiry->due;
	fired++;
}

Test(loop, timers_fire_in_order_and_not_early)
{
	static struct expiry expiries[TIMERS];
	uint64_t seed = 1;
	for (int i = 0; i < TIMERS; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		loop_timer_init(&expiries[i].timer, loop, on_expiry, &expiries[i]);
		cr_assert_eq(loop_timer_arm(&expiries[i].timer, (seed >> 40) % 50000000), 0);
		expiries[i].due = expiries[i].timer.due;
	}
	/* Every third is taken back, and every seventh is put off. */
	unsigned expected = TIMERS;
	for (int i = 0; i < TIMERS; i++) {
		if (i % 3 == 0) {
			loop_timer_disarm(&expiries[i].timer);
			expected--;
		} else if (i % 7 == 0) {
			loop_timer_arm(&expiries[i].timer, 60000000);
			expiries[i].due = expiries[i].timer.due;
		}
	}
	while (fired < expected)
		loop_dispatch(loop, 1000);
	cr_expect_eq(fired, expected);
	cr_expect_eq(out_of_order, 0);
	loop_dispatch(loop, 0);
	cr_expect_eq(fired, expected, "a disarmed timer fired");
}

static void rearm(void *data)
{
	struct loop_timer *timer = data;
	if (++fired < 5)
		loop_timer_arm(timer, 1000);
}

Test(loop, a_timer_may_arm_itself_again)
{
	struct loop_timer timer;
	loop_timer_init(&timer, loop, rearm, &timer);
	loop_timer_arm(&timer, 1000);
	while (fired < 5)
		loop_dispatch(loop, 1000);
	cr_expect(!loop_timer_armed(&timer));
}

static struct loop_source *sources[2];
static unsigned calls;

static void remove_both(void *data, uint32_t events)
{
	(void)data;
	(void)events;
	calls++;
	for (int i = 0; i < 2; i++) {
		loop_remove(sources[i]);
		sources[i] = NULL;
	}
}

Test(loop, a_source_may_remove_itself_and_one_that_is_ready_too)
{
	int fds[2] = { eventfd(1, 0), eventfd(1, 0) };
	for (int i = 0; i < 2; i++)
		cr_assert_eq(loop_add(loop, fds[i], EPOLLIN, remove_both, NULL, &sources[i]), 0);
	cr_expect_eq(loop_dispatch(loop, 0), 0);
	cr_expect_eq(calls, 1, "the removed one was called as well");
	cr_expect_eq(loop_dispatch(loop, 0), 0);
	cr_expect_eq(calls, 1);
	close(fds[0]);
	close(fds[1]);
}

Test(loop, its_descriptor_is_readable_when_a_timer_is_due)
{
	struct loop_timer timer;
	struct pollfd outer = { .fd = loop_fd(loop), .events = POLLIN };
	loop_timer_init(&timer, loop, rearm, &timer);
	cr_expect_eq(poll(&outer, 1, 0), 0);
	fired = 10;
	loop_timer_arm(&timer, 1000000);
	cr_expect_eq(poll(&outer, 1, (int)scaled(5000)), 1);
	loop_dispatch(loop, 0);
	cr_expect_eq(fired, 11);
}

static unsigned counts[4];

static void count(void *data, uint32_t events)
{
	(void)events;
	++*(unsigned *)data;
}

/* Eventfds that are ready for ever; the first has to be called at once, the others can wait. */
static void add_ready(int fds[4], struct loop_source *added[4], uint32_t events)
{
	for (int i = 0; i < 4; i++) {
		fds[i] = eventfd(1, 0);
		cr_assert_eq(loop_add(loop, fds[i], events, count, &counts[i], &added[i]), 0);
		loop_later(added[i], i > 0);
	}
}

static void remove_ready(const int fds[4], struct loop_source *added[4])
{
	for (int i = 0; i < 4; i++) {
		loop_remove(added[i]);
		close(fds[i]);
	}
}

Test(loop, one_of_those_that_can_wait_has_its_turn_a_round)
{
	int fds[4];
	struct loop_source *added[4];
	add_ready(fds, added, EPOLLIN);
	for (unsigned round = 1; round <= 9; round++) {
		loop_dispatch(loop, 1000);
		cr_expect_eq(counts[0], round);
		cr_expect_eq(counts[1] + counts[2] + counts[3], round);
	}
	for (int i = 1; i < 4; i++)
		cr_expect_eq(counts[i], 3, "number %d: %u", i, counts[i]);
	loop_later(added[1], false);
	loop_dispatch(loop, 1000);
	cr_expect_eq(counts[1], 4);
	remove_ready(fds, added);
	cr_expect_eq(loop_dispatch(loop, 0), 0);
	cr_expect_eq(counts[1] + counts[2] + counts[3], 11);
}

Test(loop, those_that_can_wait_are_held)
{
	struct pollfd outer = { .fd = loop_fd(loop), .events = POLLIN };
	int fds[4];
	struct loop_source *added[4];
	add_ready(fds, added, EPOLLIN);
	loop_hold(loop, true);
	loop_dispatch(loop, 1000);
	cr_expect_eq(counts[0], 1);
	loop_remove(added[0]);
	added[0] = NULL;
	cr_expect_eq(poll(&outer, 1, 0), 0);
	cr_expect_eq(counts[1] + counts[2] + counts[3], 0);
	loop_hold(loop, false);
	cr_expect_eq(poll(&outer, 1, (int)scaled(5000)), 1);
	loop_dispatch(loop, 1000);
	cr_expect_eq(counts[1] + counts[2] + counts[3], 1);
	remove_ready(fds, added);
}

Test(loop, what_is_told_once_is_told_again_when_asked)
{
	int fds[4];
	struct loop_source *added[4];
	add_ready(fds, added, EPOLLIN | EPOLLET);
	for (int i = 0; i < 5; i++)
		loop_dispatch(loop, 0);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(counts[i], 1);
	loop_again(added[0]);
	loop_again(added[3]);
	for (int i = 0; i < 3; i++)
		loop_dispatch(loop, 0);
	cr_expect_eq(counts[0], 2);
	cr_expect_eq(counts[1] + counts[2], 2);
	cr_expect_eq(counts[3], 2);
	remove_ready(fds, added);
}
