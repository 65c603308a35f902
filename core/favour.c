/* SPDX-License-Identifier: MIT */
#include "favour.h"

#include "session.h"

#define MOMENT_NS UINT64_C(50000000)
#define USED_MAX_NS UINT64_C(25000000)
#define WITHOUT_NS UINT64_C(500000000)

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
	uint64_t used = cgroup_cpu_time(session->box->cgroups, session->sandbox.group);
	turn(session, false);
	if (used - favour->used > USED_MAX_NS)
		loop_timer_arm(&favour->timer, WITHOUT_NS);
}

void favour_init(struct mimobox_session *session)
{
	loop_timer_init(&session->favour.timer, session->box->loop, on_timer, session);
}

void favour_typed(struct mimobox_session *session)
{
	struct favour *favour = &session->favour;
	if (loop_timer_armed(&favour->timer) || loop_timer_arm(&favour->timer, MOMENT_NS) < 0)
		return;
	favour->used = cgroup_cpu_time(session->box->cgroups, session->sandbox.group);
	turn(session, true);
}

void favour_stop(struct mimobox_session *session)
{
	loop_timer_disarm(&session->favour.timer);
}
