/* SPDX-License-Identifier: MIT */
/* How a session is killed, and how it ends. */
#include "session.h"

#include "workspace.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/*
 * The steps of a kill. A process that the kernel holds cannot be ended, nor can init when it waits
 * for a lock of the terminal that such a process holds: so there is a last step. Init is spared
 * for long, because what it has not read yet goes with it.
 */
enum kill_stage {
	KILL_NOT,
	KILL_TOLD,    /* init was told to send SIGTERM */
	KILL_BY_INIT, /* and SIGKILL */
	KILL_INSIDE,  /* the children of init had it from here */
	KILL_ALL,     /* and init, with all of the group */
	KILL_GIVEN_UP
};
/* How long each step may take. */
#define PATIENCE_NS UINT64_C(200000000)
#define INSIDE_PATIENCE_NS UINT64_C(2000000000)
#define ALL_PATIENCE_NS UINT64_C(3000000000)
#define REMOVED_GRACE_MAX_NS UINT64_C(2000000000)
#define DRAIN_PATIENCE_NS UINT64_C(2000000000)

/* Kill */

static void take_status(struct mimobox_session *session)
{
	enum end_reason natural = END_EXIT;
	int status;
	if (!streams_exit_status(session, &status)) {
		/* Init was killed before it could tell, and the command with it. */
		session->status = -SIGKILL;
		natural = END_LOST;
	} else if (WIFSIGNALED(status)) {
		session->status = -WTERMSIG(status);
		natural = END_SIGNAL;
	} else {
		session->status = WEXITSTATUS(status);
	}
	if (session->reason == END_NONE)
		session->reason = natural;
	session->status_told = true;
}

/* What is left of it is the kernel's. */
static void give_up(struct mimobox_session *session)
{
	struct cgroup_usage usage;
	cgroup_usage(session->box->cgroups, session->sandbox.group, &usage);
	session->stuck = true;
	if (usage.processes == UINT64_MAX)
		mimobox_session_log(session, "a process cannot be ended: it waits in the kernel");
	else
		mimobox_session_log(session,
				    "%llu processes cannot be ended: they wait in the kernel",
				    (unsigned long long)usage.processes);
	if (session->state == MIMOBOX_STARTING) {
		session_notify(session, MIMOBOX_STARTED);
		return;
	}
	session->gone = true;
	if (!session->status_told)
		take_status(session);
	session->state = MIMOBOX_DRAINING;
	streams_drain(session);
	streams_close(session);
	session_drained(session);
}

/* It has no process, and so no end that is waited for. */
static bool is_only_asked_for(const struct mimobox_session *session)
{
	return session->host && session->sandbox.pidfd < 0;
}

static void take_step(struct mimobox_session *session)
{
	uint64_t patience = PATIENCE_NS;
	switch (++session->kill_stage) {
	case KILL_BY_INIT:
		/* By init, so that a status that the command has already reached is not lost. */
		session_say(session, CONTROL_ALL, SIGKILL);
		break;
	case KILL_INSIDE:
		sandbox_kill_inside(&session->sandbox);
		patience = INSIDE_PATIENCE_NS;
		break;
	case KILL_ALL:
		session_kill_now(session);
		patience = ALL_PATIENCE_NS;
		break;
	default:
		give_up(session);
		return;
	}
	loop_timer_arm(&session->kill_timer, patience);
}

void session_on_kill_timer(void *data)
{
	struct mimobox_session *session = data;
	session_touch(session);
	if (session->state == MIMOBOX_STARTING && session->kill_stage == KILL_NOT)
		session_fail_start(session, &(struct start_report){ .stage = STAGE_EXEC,
								    .error = ETIMEDOUT,
								    .what = "it was not reached" });
	if (is_only_asked_for(session) || session->state == MIMOBOX_CREATED)
		return;
	/* A start has nothing to lose, and after the command's end init was about to end all. */
	if (session->state != MIMOBOX_RUNNING && session->kill_stage < KILL_INSIDE)
		session->kill_stage = KILL_INSIDE;
	take_step(session);
}

int session_say(struct mimobox_session *session, enum control_verb verb, int signal)
{
	/* Nobody asks for that but the time that is over, and it is so but once. */
	uint64_t key = keep_request_key(session->box->keep);
	session->sandbox.key = key || verb != CONTROL_TERMINATE ? key : 1;
	session->sandbox.typed = input_position(&session->typing.input);
	int error = sandbox_control(&session->sandbox, verb, signal);
	if (error == 0)
		input_said(&session->typing.input);
	return error;
}

void session_kill(struct mimobox_session *session, enum end_reason reason)
{
	session_touch(session);
	if (session->state == MIMOBOX_STARTING)
		session_fail_start(session,
				   &(struct start_report){ .stage = STAGE_EXEC,
							   .error = ECANCELED,
							   .what = "it was killed before" });
	if (session->state != MIMOBOX_RUNNING)
		return;
	/* Nobody sees, or can hurry, what has been removed. */
	uint64_t grace = session->config.kill_grace_ns;
	if (reason == END_REMOVED && grace > REMOVED_GRACE_MAX_NS)
		grace = REMOVED_GRACE_MAX_NS;
	else if (session->kill_stage)
		return;
	if (session->reason == END_NONE)
		session->reason = reason;
	if (session->kill_stage == KILL_NOT)
		session_say(session, CONTROL_TERMINATE, 0);
	session->kill_stage = KILL_TOLD;
	if (loop_timer_arm(&session->kill_timer, grace) < 0)
		sandbox_kill(&session->sandbox);
}

void session_kill_now(struct mimobox_session *session)
{
	if (session->sandbox.pidfd < 0)
		return;
	if (session->has_cgroup)
		cgroup_kill(session->box->cgroups, session->sandbox.group);
	sandbox_kill(&session->sandbox);
}

/* End */

/* The command has ended; init ends what is left, and reads what it has printed. */
void session_drain(struct mimobox_session *session)
{
	session_touch(session);
	session->state = MIMOBOX_DRAINING;
	refusals_log(session);
	loop_timer_disarm(&session->timeout);
	/* Patience, once more: with a terminal that would not come to its end. */
	if (session->kill_stage < KILL_ALL)
		loop_timer_arm(&session->kill_timer, DRAIN_PATIENCE_NS);
	streams_drain(session);
	if (session->state == MIMOBOX_DRAINING && !streams_open_still(session))
		session_drained(session);
}

/* Its end is what its pidfd is for. */
void session_hear(struct mimobox_session *session)
{
	int status;
	bool ended = session->state == MIMOBOX_RUNNING && streams_exit_status(session, &status);
	refusals_log(session);
	if (ended) {
		take_status(session);
		session_drain(session);
	}
	streams_look(session);
}

/* Its init's end may be heard of only later: the kernel ends the others of a sandbox before it. */
static bool host_has_ended(const struct mimobox_session *session)
{
	int status;
	return session->host &&
	       (session->host->state != MIMOBOX_RUNNING || session->host->kill_stage != KILL_NOT ||
		streams_exit_status(session->host, &status));
}

void session_on_end(void *data, uint32_t events)
{
	(void)events;
	struct mimobox_session *session = data;
	session->gone = true;
	/* What happened before the end may still be to be heard. */
	if (session->state == MIMOBOX_STARTING && session->start_source)
		session_hear_start(session);
	sandbox_reap(&session->sandbox);
	session_unwatch(&session->end_source);
	session_touch(session);
	if (session->state == MIMOBOX_STARTING) {
		/* Its end of the start socket is closed by now, so that it was heard. */
		session_drop_sandbox(session);
		session_settle(session);
		return;
	}
	if (host_has_ended(session))
		mimobox_session_log(session, "the sandbox of %s has ended", session->host->name);
	if (!session->status_told)
		take_status(session);
	session_drain(session);
}

/* Another had it, and nothing is left of it that could be gone on with. */
void session_lost(struct mimobox_session *session)
{
	if (session->has_cgroup)
		cgroup_kill(session->box->cgroups, session->sandbox.group);
	session->gone = true;
	if (session->state == MIMOBOX_STARTING) {
		session_drop_sandbox(session);
		session_settle(session);
		return;
	}
	if (!session->status_told)
		take_status(session);
	session_drain(session);
}

void session_account(struct mimobox_session *session)
{
	if (session->accounted || !session->has_cgroup)
		return;
	session->accounted = true;
	session_touch(session);
	cgroup_usage(session->box->cgroups, session->sandbox.group, &session->usage);
	uint64_t kills = session->usage.oom_kills, refused = session->usage.refused_forks;
	if (kills != 0 && kills != UINT64_MAX) {
		if ((session->reason == END_SIGNAL || session->reason == END_LOST) &&
		    session->status == -SIGKILL)
			session->reason = END_OOM;
		mimobox_session_log(session, "memory: %llu processes were killed at the limit",
				    (unsigned long long)kills);
	}
	if (refused != 0 && refused != UINT64_MAX)
		mimobox_session_log(session, "processes: %llu forks were refused at the limit",
				    (unsigned long long)refused);
}

/* Whoever waits for the end is told first; what is left is cleared away after that. */
void session_drained(struct mimobox_session *session)
{
	if (!session->gone)
		return; /* on_end() comes back here */
	session_drop_sandbox(session);
	streams_end(session);
	clock_gettime(CLOCK_REALTIME, &session->ended);
	session->changed = session->ended;
	mimobox_session_log(session, "exited %d", session->status);
	session->state = MIMOBOX_EXITED;
	session_give_back(session); /* first: who is told may start another */
	session_notify(session, MIMOBOX_OUTPUT | MIMOBOX_ROOM | MIMOBOX_ENDED);
	if (loop_timer_arm(&session->retry_timer, 0) < 0)
		session_settle(session);
}

/* A session that is removed without having run: its readers get the end, its name is free. */
void session_end_unstarted(struct mimobox_session *session)
{
	pool_disclaim(session->box->pool, session);
	streams_end(session);
	session->state = MIMOBOX_EXITED;
	session->reason = END_REMOVED;
	workspace_remove(session);
	session_notify(session, MIMOBOX_OUTPUT | MIMOBOX_ROOM | MIMOBOX_ENDED);
}
