/* SPDX-License-Identifier: MIT */
#include "idle.h"

#include "session.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>

/* What was asked of a server that was killed is asked again, and is to be heard first. */
#define RESUME_NS UINT64_C(1000000000)
enum { KEPT_PARTS = 8 };

static uint64_t later(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

uint64_t idle_since(const struct mimobox_session *session)
{
	return later(later(session->idle.used, session->last_output), session->begun);
}

static bool is_asked_for(const struct mimobox_session *session)
{
	return session->config.idle_timeout_ns != UNITS_NONE;
}

static void on_idle(void *data)
{
	struct mimobox_session *session = data;
	uint64_t due = idle_since(session) + session->config.idle_timeout_ns;
	char *text = NULL;
	size_t size;
	if (session->state != MIMOBOX_RUNNING || session->kill_stage)
		return;
	if (due > loop_now()) {
		loop_timer_arm_at(&session->idle.timer, due);
		return;
	}
	FILE *to = open_memstream(&text, &size);
	if (to) {
		units_print_duration(to, session->config.idle_timeout_ns);
		fclose(to);
	}
	mimobox_session_log(session, "idle-timeout: not used for %s", text ? text : "so long");
	free(text);
	session_kill(session, END_IDLE);
}

void idle_init(struct mimobox_session *session)
{
	loop_timer_init(&session->idle.timer, session->box->loop, on_idle, session);
}

void idle_start(struct mimobox_session *session)
{
	idle_use_host(session);
	if (is_asked_for(session))
		loop_timer_arm(&session->idle.timer, session->config.idle_timeout_ns);
}

void idle_resume(struct mimobox_session *session)
{
	uint64_t timeout = session->config.idle_timeout_ns;
	if (session->state != MIMOBOX_RUNNING || !is_asked_for(session))
		return;
	if (session->idle.kept)
		session->idle.used = session->idle.kept + timeout / KEPT_PARTS;
	loop_timer_arm_at(&session->idle.timer,
			  later(idle_since(session) + timeout,
				loop_now() + (timeout < RESUME_NS ? timeout : RESUME_NS)));
}

void idle_stop(struct mimobox_session *session)
{
	loop_timer_disarm(&session->idle.timer);
}

static void use(struct mimobox_session *session)
{
	struct idle *idle = &session->idle;
	if (!is_asked_for(session))
		return;
	idle->used = loop_now();
	if (idle->used - idle->kept < session->config.idle_timeout_ns / KEPT_PARTS)
		return;
	idle->kept = idle->used;
	session_touch(session);
}

void idle_use(struct mimobox_session *session)
{
	use(session);
	idle_use_host(session);
}

void idle_use_host(struct mimobox_session *session)
{
	if (session->host)
		use(session->host);
}
