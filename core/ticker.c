/* SPDX-License-Identifier: MIT */
#include "ticker.h"

#include "confine.h"
#include "loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_NS 500000
#define MOST_NS UINT64_C(1000000000)
#define STACK_SIZE (256 * 1024)
/* /proc/uptime has hundredths of a second. */
#define LOOK_NS UINT64_C(50000000)
#define IDLE 0.75

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t begun = PTHREAD_COND_INITIALIZER, ready = PTHREAD_COND_INITIALIZER;
static unsigned starting; /* threads */
static uint64_t end;      /* ns, on the loop's clock */

static int uptime = -1; /* -1: it is never known */
static long processors;
static uint64_t looked; /* ns: when there was */
static double idle;     /* so much, in s */
static bool busy;       /* before that */

/* What all processors together have idled: seconds, proc_uptime(5). */
static double idled(void)
{
	char text[64];
	ssize_t size = pread(uptime, text, sizeof(text) - 1, 0);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	const char *second = strchr(text, ' ');
	return second ? strtod(second, NULL) : 0;
}

static void look(uint64_t now)
{
	if (now - looked < LOOK_NS)
		return;
	double before = idle;
	idle = idled();
	busy = (idle - before) * 1e9 < IDLE * (double)(now - looked) * (double)processors;
	looked = now;
}

static void tick_until(uint64_t when)
{
	const struct timespec period = { .tv_nsec = PERIOD_NS };
	while (loop_now() < when)
		nanosleep(&period, NULL);
}

/* Where that is not to be had it ticks wherever it is. */
static void stay_on(int processor)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((size_t)processor, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void *tick_beside(void *processor)
{
	uint64_t done = 0;
	stay_on((int)(intptr_t)processor);
	pthread_mutex_lock(&lock);
	starting--;
	pthread_cond_signal(&ready);
	for (;;) {
		while (end == done)
			pthread_cond_wait(&begun, &lock);
		done = end;
		pthread_mutex_unlock(&lock);
		tick_until(done);
		pthread_mutex_lock(&lock);
	}
	return NULL;
}

static int tick(void *context, const void *message, const int *in, int *out, unsigned *count)
{
	(void)context, (void)in, (void)out, (void)count;
	const uint64_t *ns = message;
	uint64_t when = loop_now() + (*ns < MOST_NS ? *ns : MOST_NS);
	pthread_mutex_lock(&lock);
	end = when;
	pthread_cond_broadcast(&begun);
	pthread_mutex_unlock(&lock);
	tick_until(when);
	look(loop_now());
	return busy;
}

/*
 * A processor for which there is no thread has keys wait longer, and that is all. Each has done
 * what the C library does at its start before there is a filter.
 */
static void make_threads(void)
{
	cpu_set_t set;
	pthread_attr_t attributes;
	bool first = true;
	if (sched_getaffinity(0, sizeof(set), &set) < 0 || pthread_attr_init(&attributes))
		return;
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		pthread_t thread;
		if (!CPU_ISSET((size_t)i, &set))
			continue;
		if (first)
			stay_on(i);
		else if (pthread_create(&thread, &attributes, tick_beside, (void *)(intptr_t)i))
			break;
		else
			starting++;
		first = false;
	}
	while (starting > 0)
		pthread_cond_wait(&ready, &lock);
	pthread_mutex_unlock(&lock);
	pthread_attr_destroy(&attributes);
}

static int begin(void *context)
{
	(void)context;
	/* It would itself have to wait, where it has just had its share. */
	(void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 });
	int error = confine_rights(CONFINE_TICKER);
	if (error < 0)
		return error;
	uptime = open("/proc/uptime", O_RDONLY | O_CLOEXEC);
	processors = uptime < 0 ? 0 : sysconf(_SC_NPROCESSORS_ONLN);
	look(loop_now());
	make_threads();
	return confine_calls(CONFINE_TICKER);
}

void ticker_kind(struct helper_kind *kind)
{
	*kind = (struct helper_kind){ .title = "mimobox-ticker",
				      .work = tick,
				      .begin = begin,
				      .message_size = sizeof(uint64_t) };
}
