/* SPDX-License-Identifier: MIT */
#include "favour.h"

#include "helper.h"
#include "monitor.h"
#include "session.h"

#include <time.h>

#define MOMENT_NS UINT64_C(50000000)
#define USED_MAX_NS UINT64_C(25000000)
#define WITHOUT_NS UINT64_C(500000000)
#define TICK_NS UINT64_C(10000000)
#define LATELY_NS UINT64_C(1000000000)
#define HOLD_NS UINT64_C(1000000)
/* Of the time in which somebody types all the time, a quarter is the floods'. */
#define CREDIT_MAX_NS INT64_C(6000000)
enum { CREDIT_TIMES = 3 };

/* All sessions */

static void hold(struct attention *attention, bool on, uint64_t until)
{
	loop_hold(attention->loop, on);
	for (const struct mimobox_session *session = attention->floods; session;
	     session = session->favour.next)
		if (session->contact.page)
			atomic_store(&session->contact.page->hold, until);
}

static void let_go(struct attention *attention)
{
	if (!attention->awaited)
		return;
	uint64_t now = loop_now();
	attention->credit -= (int64_t)(now - attention->since);
	attention->since = now;
	attention->awaited = NULL;
	loop_timer_disarm(&attention->hold);
	hold(attention, false, 0);
}

static void on_hold(void *data)
{
	let_go(data);
}

void attention_init(struct attention *attention, struct loop *loop)
{
	*attention = (struct attention){ .loop = loop };
	loop_timer_init(&attention->hold, loop, on_hold, attention);
}

bool attention_lately(const struct attention *attention)
{
	return attention->typed && loop_now() - attention->typed < LATELY_NS;
}

static void tick(struct attention *attention);

static void on_ticked(void *data, int result, const int *descriptors)
{
	struct attention *attention = data;
	(void)descriptors;
	attention->ticking = false;
	uint64_t since = loop_now() - attention->typed;
	if (result >= 0 && (since < TICK_NS || (result > 0 && attention_lately(attention))))
		tick(attention);
}

/*
 * Who types does so again, and the next key should not have to wait for that; but only a machine
 * that has much to do is worth it. One that cannot be had now may be at the next key.
 */
static void tick(struct attention *attention)
{
	const uint64_t ns = TICK_NS;
	attention->ticking = attention->ticker &&
			     helper_ask(attention->ticker, &ns, NULL, 0, on_ticked, attention) == 0;
}

static void await(struct attention *attention, const struct mimobox_session *session, uint64_t now)
{
	attention->typed = now;
	if (!attention->ticking)
		tick(attention);
	if (attention->awaited) {
		attention->awaited = session;
		return;
	}
	/* a flood is no answer, and none is waited for of it */
	if (!attention->floods || session->favour.floods)
		return;
	attention->credit += CREDIT_TIMES * (int64_t)(now - attention->since);
	if (attention->credit > CREDIT_MAX_NS)
		attention->credit = CREDIT_MAX_NS;
	attention->since = now;
	if (attention->credit <= 0 || loop_timer_arm(&attention->hold, HOLD_NS) < 0)
		return;
	attention->awaited = session;
	hold(attention, true, now + HOLD_NS);
}

/* One session */

/* Processor time of the session, without that of its init, which works for the daemon. */
static uint64_t used_by(const struct mimobox_session *session)
{
	uint64_t all = cgroup_cpu_time(session->box->cgroups, session->sandbox.group), own = 0;
	struct timespec used;
	clockid_t clock;
	if (clock_getcpuclockid(session->sandbox.init, &clock) == 0 &&
	    clock_gettime(clock, &used) == 0)
		own = (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
	return all > own ? all - own : 0;
}

static void turn(struct mimobox_session *session, bool on)
{
	session->favour.on = on;
	cgroup_favour(session->box->cgroups, session->sandbox.group, on);
}

static void on_timer(void *data)
{
	struct mimobox_session *session = data;
	struct favour *favour = &session->favour;
	if (!favour->on)
		return; /* it may be had again */
	uint64_t used = used_by(session);
	bool computes = used - favour->used > USED_MAX_NS;
	favour->used = used;
	if (!computes && loop_now() - favour->typed < MOMENT_NS &&
	    loop_timer_arm(&favour->timer, MOMENT_NS) == 0)
		return;
	turn(session, false);
	if (computes)
		loop_timer_arm(&favour->timer, WITHOUT_NS);
}

void favour_init(struct mimobox_session *session)
{
	loop_timer_init(&session->favour.timer, session->box->loop, on_timer, session);
}

void favour_started(struct mimobox_session *session)
{
	struct favour *favour = &session->favour;
	if (loop_timer_armed(&favour->timer) || loop_timer_arm(&favour->timer, MOMENT_NS) < 0)
		return;
	favour->used = used_by(session);
	turn(session, true);
}

void favour_typed(struct mimobox_session *session)
{
	session->favour.typed = loop_now();
	await(&session->box->attention, session, session->favour.typed);
	favour_started(session);
}

void favour_flood(struct mimobox_session *session, bool floods)
{
	struct favour *favour = &session->favour;
	struct attention *attention = &session->box->attention;
	if (favour->floods == floods)
		return;
	favour->floods = floods;
	if (!floods) {
		*(favour->previous ? &favour->previous->favour.next : &attention->floods) =
			favour->next;
		if (favour->next)
			favour->next->favour.previous = favour->previous;
		favour->previous = favour->next = NULL;
		return;
	}
	favour->next = attention->floods;
	if (favour->next)
		favour->next->favour.previous = session;
	attention->floods = session;
}

void favour_answered(struct mimobox_session *session)
{
	if (session->box->attention.awaited == session)
		let_go(&session->box->attention);
}

void favour_stop(struct mimobox_session *session)
{
	favour_answered(session);
	loop_timer_disarm(&session->favour.timer);
}
