/* SPDX-License-Identifier: MIT */
/*
 * One epoll descriptor for everything. Timers are a binary heap in front of one timerfd, so that
 * thousands of sessions with a timeout cost one descriptor, and so that the whole loop can be
 * nested in another program's (its descriptor becomes readable when a timer is due).
 *
 * Sources that can wait are on an epoll descriptor of their own inside of it, from which one is
 * taken a round: so whatever else is ready has its turn in between.
 *
 * A source that is removed stays allocated until the batch of events at hand is done: an event
 * that was already fetched for it finds `removed` set and is skipped.
 */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64 };

struct loop_source {
	struct loop *loop;
	loop_source_fn fn;
	void *data;
	int fd;
	int epoll_fd; /* the one that it is on */
	uint32_t events;
	bool removed;
	struct loop_source *next_removed;
};

struct loop {
	int epoll_fd, later_fd;
	int timer_fd;
	struct loop_source *removed;
	struct loop_timer **heap;
	uint32_t armed, room;
	uint64_t timer_set; /* what the timerfd is set to; 0: nothing */
	bool dispatching;
};

uint64_t loop_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int loop_create(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	int error;
	loop->timer_fd = loop->later_fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		goto fail;
	loop->later_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->later_fd < 0)
		goto fail;
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->timer_fd < 0)
		goto fail;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->timer_fd, &event) < 0)
		goto fail;
	event.data.ptr = loop;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->later_fd, &event) < 0)
		goto fail;
	*out = loop;
	return 0;
fail:
	error = -errno;
	loop_destroy(loop);
	return error;
}

static void free_removed(struct loop *loop)
{
	while (loop->removed) {
		struct loop_source *source = loop->removed;
		loop->removed = source->next_removed;
		free(source);
	}
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	free_removed(loop);
	if (loop->timer_fd >= 0)
		close(loop->timer_fd);
	if (loop->later_fd >= 0)
		close(loop->later_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	free(loop->heap);
	free(loop);
}

int loop_fd(const struct loop *loop)
{
	return loop->epoll_fd;
}

static int control(const struct loop_source *source, int operation)
{
	struct epoll_event event = { .events = source->events, .data.ptr = (void *)source };
	return epoll_ctl(source->epoll_fd, operation, source->fd, &event) < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, int fd, uint32_t events, loop_source_fn fn, void *data,
	     struct loop_source **out)
{
	struct loop_source *source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	*source = (struct loop_source){
		.loop = loop,
		.fn = fn,
		.data = data,
		.fd = fd,
		.epoll_fd = loop->epoll_fd,
		.events = events,
	};
	int error = control(source, EPOLL_CTL_ADD);
	if (error < 0) {
		free(source);
		return error;
	}
	*out = source;
	return 0;
}

int loop_modify(struct loop_source *source, uint32_t events)
{
	source->events = events;
	return control(source, EPOLL_CTL_MOD);
}

void loop_again(struct loop_source *source)
{
	(void)control(source, EPOLL_CTL_MOD);
}

/* Where it cannot be had on the other, it stays on its own. */
void loop_later(struct loop_source *source, bool later)
{
	struct loop *loop = source->loop;
	int from = source->epoll_fd, to = later ? loop->later_fd : loop->epoll_fd;
	if (from == to)
		return;
	source->epoll_fd = to;
	if (control(source, EPOLL_CTL_ADD) < 0)
		source->epoll_fd = from;
	else
		epoll_ctl(from, EPOLL_CTL_DEL, source->fd, NULL);
}

void loop_hold(struct loop *loop, bool hold)
{
	struct epoll_event event = { .events = hold ? 0 : EPOLLIN, .data.ptr = loop };
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, loop->later_fd, &event);
}

void loop_remove(struct loop_source *source)
{
	if (!source)
		return;
	assert(!source->removed);
	epoll_ctl(source->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	if (!source->loop->dispatching) {
		free(source);
		return;
	}
	source->removed = true;
	source->next_removed = source->loop->removed;
	source->loop->removed = source;
}

static void heap_put(struct loop *loop, uint32_t at, struct loop_timer *timer)
{
	loop->heap[at] = timer;
	timer->slot = at + 1;
}

static void heap_up(struct loop *loop, uint32_t at)
{
	struct loop_timer *timer = loop->heap[at];
	while (at > 0 && timer->due < loop->heap[(at - 1) / 2]->due) {
		heap_put(loop, at, loop->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_put(loop, at, timer);
}

static void heap_down(struct loop *loop, uint32_t at)
{
	struct loop_timer *timer = loop->heap[at];
	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child >= loop->armed)
			break;
		if (child + 1 < loop->armed && loop->heap[child + 1]->due < loop->heap[child]->due)
			child++;
		if (timer->due <= loop->heap[child]->due)
			break;
		heap_put(loop, at, loop->heap[child]);
		at = child;
	}
	heap_put(loop, at, timer);
}

/* Setting is lazy: a timerfd that fires too early costs one empty wake-up and no system call now.
 */
static void set_timer_fd(struct loop *loop)
{
	uint64_t due = loop->armed ? loop->heap[0]->due : 0;
	if (due == 0 || (loop->timer_set != 0 && loop->timer_set <= due))
		return;
	struct itimerspec spec = {
		.it_value = { .tv_sec = (time_t)(due / 1000000000u),
			      .tv_nsec = (long)(due % 1000000000u) },
	};
	if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0)
		loop->timer_set = due;
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_fn fn, void *data)
{
	*timer = (struct loop_timer){ .loop = loop, .fn = fn, .data = data };
}

int loop_timer_arm(struct loop_timer *timer, uint64_t ns)
{
	uint64_t now = loop_now();
	return loop_timer_arm_at(timer, ns < UINT64_MAX / 2 - now ? now + ns : UINT64_MAX / 2);
}

int loop_timer_arm_at(struct loop_timer *timer, uint64_t due)
{
	struct loop *loop = timer->loop;
	loop_timer_disarm(timer);
	if (loop->armed == loop->room) {
		uint32_t room = loop->room ? 2 * loop->room : 64;
		struct loop_timer **heap = realloc(loop->heap, room * sizeof(struct loop_timer *));
		if (!heap)
			return -ENOMEM;
		loop->heap = heap;
		loop->room = room;
	}
	timer->due = due;
	heap_put(loop, loop->armed++, timer);
	heap_up(loop, loop->armed - 1);
	set_timer_fd(loop);
	return 0;
}

void loop_timer_disarm(struct loop_timer *timer)
{
	if (!timer->slot)
		return;
	struct loop *loop = timer->loop;
	uint32_t at = timer->slot - 1;
	struct loop_timer *last = loop->heap[--loop->armed];
	timer->slot = 0;
	if (last == timer)
		return;
	heap_put(loop, at, last);
	heap_up(loop, at);
	heap_down(loop, last->slot - 1);
}

static void run_timers(struct loop *loop)
{
	uint64_t count;
	if (read(loop->timer_fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
		return;
	loop->timer_set = 0;
	uint64_t now = loop_now();
	while (loop->armed && loop->heap[0]->due <= now) {
		struct loop_timer *timer = loop->heap[0];
		loop_timer_disarm(timer);
		timer->fn(timer->data);
	}
	set_timer_fd(loop);
}

static void run_source(const struct epoll_event *event)
{
	struct loop_source *source = event->data.ptr;
	if (!source->removed)
		source->fn(source->data, event->events);
}

/* The kernel puts the one that it has told of behind the others that are ready. */
static void run_later(struct loop *loop)
{
	struct epoll_event event;
	if (epoll_wait(loop->later_fd, &event, 1, 0) == 1)
		run_source(&event);
}

int loop_dispatch(struct loop *loop, int timeout_ms)
{
	assert(!loop->dispatching);
	struct epoll_event events[BATCH];
	int count = epoll_wait(loop->epoll_fd, events, BATCH, timeout_ms);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	bool later = false;
	loop->dispatching = true;
	for (int i = 0; i < count; i++) {
		if (!events[i].data.ptr)
			run_timers(loop);
		else if (events[i].data.ptr == loop)
			later = true;
		else
			run_source(&events[i]);
	}
	if (later)
		run_later(loop);
	loop->dispatching = false;
	free_removed(loop);
	return 0;
}
