/* SPDX-License-Identifier: MIT */
/*
 * The event loop: one thread, one epoll descriptor, timers on one timerfd.
 *
 * A callback may add and remove any source and timer, its own too. loop_remove() takes effect at
 * once (no callback for that source comes any more, also not from events that were already
 * fetched); the memory goes after the current batch.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_source;

typedef void (*loop_source_fn)(void *data, uint32_t events); /* EPOLLIN and so on */
typedef void (*loop_timer_fn)(void *data);

/* Embedded in its owner; zero-initialised, then loop_timer_init(). One shot. */
struct loop_timer {
	struct loop *loop;
	loop_timer_fn fn;
	void *data;
	uint64_t due;  /* CLOCK_MONOTONIC, ns */
	uint32_t slot; /* index in the heap + 1; 0: not armed */
};

int loop_create(struct loop **out);
void loop_destroy(struct loop *loop);

int loop_fd(const struct loop *loop);
/* Handles what is ready, waiting up to timeout_ms (-1: for ever). 0 or -errno; EINTR is 0. */
int loop_dispatch(struct loop *loop, int timeout_ms);

/* `fd` stays the caller's, to be closed after loop_remove(). */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_source_fn fn, void *data,
	     struct loop_source **out);
int loop_modify(struct loop_source *source, uint32_t events);
void loop_remove(struct loop_source *source); /* NULL is fine */
/* With EPOLLET: there is more, and it is to be called again, behind others. */
void loop_again(struct loop_source *source);
/* One that can wait: of all those, one is called a round, after what cannot. */
void loop_later(struct loop_source *source, bool later);
/* Those that can wait do, until they are let go. */
void loop_hold(struct loop *loop, bool hold);

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_fn fn, void *data);
/* Arms anew, `ns` from now. 0 or -ENOMEM. */
int loop_timer_arm(struct loop_timer *timer, uint64_t ns);
/* At this time of CLOCK_MONOTONIC. */
int loop_timer_arm_at(struct loop_timer *timer, uint64_t due);
void loop_timer_disarm(struct loop_timer *timer);
static inline bool loop_timer_armed(const struct loop_timer *timer)
{
	return timer->slot != 0;
}

uint64_t loop_now(void); /* CLOCK_MONOTONIC, ns */

#endif
