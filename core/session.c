/* SPDX-License-Identifier: MIT */
/*
 * The life of a session:
 *
 *     CREATED -start-> STARTING -exec'd-> RUNNING -no child-> DRAINING -pidfd, EIO-> EXITED
 *                          |
 *                          +-failed, and nothing of it left-> CREATED
 *
 * When its last child has ended init says so, and the terminal is read to its end while init itself
 * goes. Only when its pidfd says that no process is left, and nothing can be read any more, is the
 * exit status told: it cannot overtake output.
 */
#include "session.h"

#include "machine.h"
#include "screen.h"
#include "start.h"
#include "terminal.h"
#include "units.h"
#include "workspace.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long init may take to carry out a SIGKILL before it gets one itself. */
#define PATIENCE_NS UINT64_C(200000000)
#define REMOVED_GRACE_MAX_NS UINT64_C(2000000000)
#define DRAIN_PATIENCE_NS UINT64_C(2000000000)
/* A cgroup can be busy for a moment after its last process has gone. */
#define BUSY_RETRY_NS UINT64_C(10000000)

struct mimobox_session *mimobox_session_ref(struct mimobox_session *session)
{
	session->references++;
	return session;
}

void mimobox_session_unref(struct mimobox_session *session)
{
	assert(session->references > 0);
	if (--session->references == 0) {
		if (session->box)
			box_forget(session->box, session);
		session_free(session);
	}
}

void session_notify(struct mimobox_session *session, unsigned events)
{
	session_touch(session);
	if (session->box->notify)
		session->box->notify(session, events, session->box->data);
}

void mimobox_session_log(struct mimobox_session *session, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	journal_add(&session->journal, format, arguments);
	va_end(arguments);
	session_touch(session);
}

/* Start */

static void unwatch(struct loop_source **source)
{
	loop_remove(*source);
	*source = NULL;
}

/* Lets go of the sandbox; the cgroup goes when the kernel is done with it. */
static void drop_sandbox(struct mimobox_session *session)
{
	unwatch(&session->start_source);
	unwatch(&session->control_source);
	unwatch(&session->end_source);
	streams_close(session);
	network_close(session);
	if (session->sandbox.mounts >= 0) {
		if (session->mounts >= 0)
			close(session->mounts);
		session->mounts = session->sandbox.mounts;
		session->sandbox.mounts = -1;
	}
	sandbox_finish(&session->sandbox);
	if (session->sandbox.kept)
		keep_release(session->box->keep, session_keep_sandbox_id(session));
	session->sandbox.kept = false;
	session_touch(session);
	loop_timer_disarm(&session->timeout);
	loop_timer_disarm(&session->kill_timer);
	loop_timer_disarm(&session->retry_timer);
	favour_stop(session);
	session->kill_stage = 0;
}

bool session_drop_cgroup(struct mimobox_session *session)
{
	if (!session->has_cgroup)
		return true;
	if (cgroup_destroy(session->box->cgroups, session->sandbox.group) == -EBUSY)
		return false;
	session->has_cgroup = false;
	return true;
}

void session_leave_share(struct mimobox_session *session)
{
	unsigned readers = 0;
	for (int i = 0; i < STREAMS; i++)
		readers += session->streams[i].output.reader_count;
	ceiling_remove(&session->share, readers > 0);
}

void session_await_share(struct mimobox_session *session, bool awaits)
{
	session->box->awaiting += (unsigned)awaits - (unsigned)session->awaits_share;
	session->awaits_share = awaits;
}

/* Each of them tries again, and may wait again. */
static void tell_of_share(struct mimobox *box, uid_t uid)
{
	struct mimobox_session *session = box->awaiting ? box->first : NULL;
	for (; session; session = session->next)
		if (session->awaits_share && session->uid == uid) {
			session_await_share(session, false);
			session_notify(session, MIMOBOX_STARTED);
		}
}

void session_give_back(struct mimobox_session *session)
{
	if (session->state != MIMOBOX_CREATED && session->state != MIMOBOX_EXITED)
		return;
	for (int total = 0; total < TOTALS; total++)
		if ((total != TOTAL_SESSIONS || session->removed) &&
		    (total != TOTAL_SPOOL || session->started.tv_sec == 0))
			ceiling_release(&session->share, (enum ceiling_total)total);
	if (session->removed)
		tell_of_share(session->box, session->uid);
}

/* Defaults may be above the ceiling, too. */
static int ask_ceiling(struct mimobox_session *session)
{
	struct reason reason;
	int error = ceiling_take(&session->share, &session->config, &reason);
	if (error == -ERESTART)
		return error;
	const char *advice = error < 0 ? box_advice_for_limit(session->box, reason.text) : NULL;
	if (advice)
		mimobox_session_log(session, "start refused: %s (this machine cannot limit it: %s)",
				    reason.text, advice);
	else if (error < 0)
		mimobox_session_log(session, "start refused: %s", reason.text);
	return error;
}

/* The sandbox is on its way out; on_end() completes the failure when nothing is left of it. */
static void fail_start(struct mimobox_session *session, const struct start_report *report)
{
	unwatch(&session->start_source);
	if (session->start_result != -EINPROGRESS)
		return;
	start_log_failure(session, report);
	session->box->stats.failed_starts++;
	session->start_result = report->error ? -report->error : -ECHILD;
	sandbox_kill(&session->sandbox);
}

static void complete_failure(struct mimobox_session *session)
{
	session->state = MIMOBOX_CREATED;
	session_give_back(session);
	session_notify(session, MIMOBOX_STARTED);
	if (session->removed && session->state == MIMOBOX_CREATED)
		session_end_unstarted(session);
}

static void on_swept(void *data, int result, const int *descriptors)
{
	(void)descriptors;
	struct mimobox_session *session = data;
	if (result == -EBUSY) {
		loop_timer_arm(&session->retry_timer, BUSY_RETRY_NS);
		return;
	}
	session->has_cgroup = result < 0; /* there is no answer: then it is done here */
	session_settle(session);
}

/* True when the sweeper is at it. */
static bool sweep(struct mimobox_session *session)
{
	int mounts = session->mounts;
	session->mounts = -1;
	int error = session->has_cgroup ? helper_ask(session->box->sweeper, &session->sandbox.group,
						     &mounts, mounts >= 0, on_swept, session)
					: -ENOENT;
	if (mounts >= 0)
		close(mounts);
	return error == 0;
}

/* The last of the sandbox is its cgroup; with it goes the reference that the sandbox held. */
void session_settle(struct mimobox_session *session)
{
	session_touch(session);
	if (session->state == MIMOBOX_EXITED)
		session_account(session);
	if (!session->swept && (session->swept = sweep(session)))
		return;
	if (!session_drop_cgroup(session)) {
		loop_timer_arm(&session->retry_timer, BUSY_RETRY_NS);
		return;
	}
	session->box->live--;
	session->live = false;
	session->box->lingering -= session->removed;
	if (session->state == MIMOBOX_STARTING)
		complete_failure(session);
	else if (session->removed)
		workspace_remove(session);
	mimobox_session_unref(session);
}

static void on_retry(void *data)
{
	struct mimobox_session *session = data;
	session->swept = false;
	session_settle(session);
}

static void on_timeout(void *data)
{
	struct mimobox_session *session = data;
	mimobox_session_log(session, "timeout");
	session_kill(session, END_TIMEOUT);
}

static int session_resize(struct mimobox_session *session)
{
	int master = session->streams[MIMOBOX_STDOUT].fd;
	timeline_resize(&session->timeline, session->streams[MIMOBOX_STDOUT].output.spool.end,
			loop_now() - session->begun, session->rows, session->cols);
	return session->config.terminal && master >= 0
		       ? terminal_resize(master, session->rows, session->cols)
		       : 0;
}

/* One that would block would hold up all; then there is nothing to be had of it, nor is it run. */
static void take_streams(struct mimobox_session *session)
{
	int *ends = session->sandbox.ends, error = 0;
	for (int i = 0; i < 3; i++)
		if (ends[i] >= 0 && fcntl(ends[i], F_SETFL, O_NONBLOCK) < 0)
			error = -errno;
	if (error < 0) {
		mimobox_session_log(session, "no use of the terminal: %s: ended", strerror(-error));
		session_kill_now(session);
		return;
	}
	streams_open(session, ends);
	ends[0] = ends[1] = ends[2] = -1;
}

/* No limit of a session keeps the kernel from it. */
static void tell_of_cores(struct mimobox_session *session)
{
	char path[128];
	if (machine_core_socket(path, sizeof(path)))
		mimobox_session_log(session,
				    "crashes go to the host's socket %s, without memory "
				    "(kernel.core_pattern)",
				    path);
}

static void started(struct mimobox_session *session)
{
	unwatch(&session->start_source);
	close(session->sandbox.start);
	session->sandbox.start = -1;
	if (session->sandbox.kept)
		keep_release_part(session->box->keep, session_keep_sandbox_id(session),
				  SESSION_START);
	loop_timer_disarm(&session->kill_timer);
	clock_gettime(CLOCK_REALTIME, &session->started);
	session->changed = session->started;
	session->state = MIMOBOX_RUNNING;
	session->start_result = 0;
	session->box->stats.starts++;
	stats_add_latency(&session->box->stats, loop_now() - session->start_begun);
	mimobox_session_log(session, "started %d", (int)session->sandbox.pid);
	tell_of_cores(session);
	if (session->config.timeout_ns != UNITS_NONE)
		loop_timer_arm(&session->timeout, session->config.timeout_ns);
	session->begun = loop_now();
	timeline_init(&session->timeline, session->rows, session->cols);
	take_streams(session);
	network_open(session);
	session_resize(session); /* it may have been asked for meanwhile */
	session_notify(session, MIMOBOX_STARTED);
}

/* Takes what the sandbox has to say of its start. */
static void hear_start(struct mimobox_session *session)
{
	struct start_report report;
	int result;
	session_touch(session);
	while ((result = sandbox_receive(&session->sandbox, &report)) == 1) {
		if (report.error) {
			fail_start(session, &report);
			return;
		}
		session->exec_seen |= report.stage == STAGE_EXEC;
		if (session->sandbox.kept) {
			session_keep_sandbox(session);
			sandbox_received(&session->sandbox);
		}
	}
	if (result == -EAGAIN)
		return;
	if (session->exec_seen && sandbox_has_ends(&session->sandbox)) {
		started(session);
		return;
	}
	report = (struct start_report){ .stage = STAGE_FORK,
					.error = result < 0 ? -result : ECHILD,
					.what = "init was killed: too little memory?" };
	if (session->exec_seen)
		report = (struct start_report){ .stage = STAGE_TERMINAL, .error = EMFILE };
	fail_start(session, &report);
}

static void on_start(void *data, uint32_t events)
{
	(void)events;
	hear_start(data);
}

static void on_control(void *data, uint32_t events);
static void on_end(void *data, uint32_t events);

int session_watch(struct mimobox_session *session)
{
	struct loop *loop = session->box->loop;
	int error = 0;
	if (session->state == MIMOBOX_STARTING)
		error = loop_add(loop, session->sandbox.start, EPOLLIN, on_start, session,
				 &session->start_source);
	if (error == 0 && !session->status_told)
		error = loop_add(loop, session->sandbox.control, EPOLLIN, on_control, session,
				 &session->control_source);
	if (error == 0)
		error = loop_add(loop, session->sandbox.pidfd, EPOLLIN, on_end, session,
				 &session->end_source);
	if (error < 0) {
		keep_take_up_anew(session->box->keep);
		mimobox_session_log(session, "start failed: loop: %s", strerror(-error));
		sandbox_abandon(&session->sandbox);
		drop_sandbox(session);
	}
	return error;
}

static int take_clone(struct mimobox_session *session, int result, const int *descriptors)
{
	struct start_report report;
	int error = sandbox_take(&session->sandbox, result, descriptors, &report);
	session_touch(session);
	if (error < 0) {
		if (session->start_result == -EINPROGRESS)
			start_log_failure(session, &report);
		return error;
	}
	error = session_watch(session);
	if (error == 0)
		session_keep_sandbox(session);
	if (error == 0 && session->start_result == -EINPROGRESS) {
		sandbox_give(&session->sandbox, session->plan); /* or it has ended: on_end() */
		favour_started(session);
	}
	return error;
}

void session_cloned(void *data, int result, const int *descriptors)
{
	struct mimobox_session *session = data;
	int error = take_clone(session, result, descriptors);
	close(session->plan);
	session->plan = -1;
	if (error == 0) {
		/* Others' turns to be cloned are no time of its own. */
		loop_timer_arm(&session->kill_timer, START_PATIENCE_NS);
		if (session->start_result != -EINPROGRESS) /* it was killed meanwhile */
			sandbox_kill(&session->sandbox);
		return;
	}
	if (session->start_result == -EINPROGRESS) {
		session->box->stats.failed_starts++;
		session->start_result = error;
	}
	drop_sandbox(session);
	session_settle(session);
}

int mimobox_session_start(struct mimobox_session *session)
{
	if (session->removed)
		return -ENOENT;
	if (session->state != MIMOBOX_CREATED) {
		mimobox_session_log(session, "start refused: it was started before");
		return -EBUSY;
	}
	session_touch(session);
	session_await_share(session, false);
	int error = ask_ceiling(session);
	if (error == -ERESTART) {
		session_await_share(session, true);
		session->start_result = error;
		return error;
	}
	session->start_begun = loop_now();
	session->failure[0] = '\0';
	session->state = MIMOBOX_STARTING;
	session->start_result = -EINPROGRESS;
	session->exec_seen = session->status_told = session->gone = session->swept = false;
	session->reason = END_NONE;
	keep_request_starts(session->box->keep);
	if (error == 0)
		error = start_launch(session);
	if (error == 0 && session->sandbox.pidfd >= 0) {
		error = session_watch(session);
		if (error < 0)
			session_drop_cgroup(session);
	}
	if (error < 0) {
		session->state = MIMOBOX_CREATED;
		session->start_result = error;
		session->box->stats.failed_starts++;
		session_give_back(session);
		return error;
	}
	session->box->live++;
	session->live = true;
	mimobox_session_ref(session);
	if (session->sandbox.pidfd >= 0)
		loop_timer_arm(&session->kill_timer, START_PATIENCE_NS);
	return -EINPROGRESS;
}

int mimobox_session_start_result(const struct mimobox_session *session)
{
	return session->start_result;
}

/* Kill */

static void on_kill_timer(void *data)
{
	struct mimobox_session *session = data;
	session_touch(session);
	if (session->state == MIMOBOX_DRAINING) {
		session_kill_now(session); /* where init is there still */
		streams_close(session);
		session_drained(session);
		return;
	}
	if (session->state == MIMOBOX_STARTING) {
		fail_start(session, &(struct start_report){ .stage = STAGE_EXEC,
							    .error = ETIMEDOUT,
							    .what = "it was not reached" });
		return;
	}
	if (session->kill_stage++ == 1) {
		/* By init, so that a status that the command has already reached is not lost. */
		session_say(session, CONTROL_ALL, SIGKILL);
		loop_timer_arm(&session->kill_timer, PATIENCE_NS);
		return;
	}
	session_kill_now(session);
}

int session_say(struct mimobox_session *session, enum control_verb verb, int signal)
{
	/* Nobody asks for that but the time that is over, and it is so but once. */
	uint64_t key = keep_request_key(session->box->keep);
	session->sandbox.key = key || verb != CONTROL_TERMINATE ? key : 1;
	return sandbox_control(&session->sandbox, verb, signal);
}

void session_kill(struct mimobox_session *session, enum end_reason reason)
{
	session_touch(session);
	if (session->state == MIMOBOX_STARTING)
		fail_start(session, &(struct start_report){ .stage = STAGE_EXEC,
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
	if (session->kill_stage++ == 0)
		session_say(session, CONTROL_TERMINATE, 0);
	session->kill_stage = 1;
	if (loop_timer_arm(&session->kill_timer, grace) < 0)
		sandbox_kill(&session->sandbox);
}

void session_kill_now(struct mimobox_session *session)
{
	if (session->sandbox.pidfd < 0)
		return;
	cgroup_kill(session->box->cgroups, session->sandbox.group);
	sandbox_kill(&session->sandbox);
}

/* End */

static void take_status(struct mimobox_session *session, const struct exit_report *ended)
{
	enum end_reason natural = END_EXIT;
	if (!ended) {
		/* Init was killed before it could tell, and the command with it. */
		session->status = -SIGKILL;
		natural = END_LOST;
	} else if (WIFSIGNALED(ended->status)) {
		session->status = -WTERMSIG(ended->status);
		natural = END_SIGNAL;
	} else {
		session->status = WEXITSTATUS(ended->status);
	}
	if (session->reason == END_NONE)
		session->reason = natural;
}

/* No process of it is left, but perhaps init, which holds nothing. */
void session_drain(struct mimobox_session *session)
{
	session_touch(session);
	session->state = MIMOBOX_DRAINING;
	loop_timer_disarm(&session->timeout);
	/* Patience, once more: with a terminal that would not come to its end. */
	loop_timer_arm(&session->kill_timer, DRAIN_PATIENCE_NS);
	streams_drain(session);
	if (session->state == MIMOBOX_DRAINING && !streams_open_still(session))
		session_drained(session);
}

/* What init says comes once; its end is what its pidfd is for. */
static void on_control(void *data, uint32_t events)
{
	(void)events;
	struct mimobox_session *session = data;
	struct exit_report ended;
	if (session->state == MIMOBOX_STARTING && session->start_source)
		hear_start(session); /* it was before that */
	unwatch(&session->control_source);
	if (session->state != MIMOBOX_RUNNING || !sandbox_exit_status(&session->sandbox, &ended))
		return;
	take_status(session, &ended);
	session->status_told = true;
	session_touch(session);
	if (ended.alone)
		session_drain(session);
}

static void on_end(void *data, uint32_t events)
{
	(void)events;
	struct mimobox_session *session = data;
	struct exit_report ended;
	/* What happened before the end may still be to be heard. */
	if (session->state == MIMOBOX_STARTING && session->start_source)
		hear_start(session);
	sandbox_reap(&session->sandbox);
	unwatch(&session->end_source);
	session->gone = true;
	session_touch(session);
	if (session->state == MIMOBOX_STARTING) {
		/* Its end of the start socket is closed by now, so that it was heard. */
		drop_sandbox(session);
		session_settle(session);
		return;
	}
	if (!session->status_told)
		take_status(session,
			    sandbox_exit_status(&session->sandbox, &ended) ? &ended : NULL);
	session->status_told = true;
	if (session->state == MIMOBOX_RUNNING)
		session_drain(session);
	else if (!streams_open_still(session))
		session_drained(session);
}

/* Another had it, and nothing is left of it that could be gone on with. */
void session_lost(struct mimobox_session *session)
{
	if (session->has_cgroup)
		cgroup_kill(session->box->cgroups, session->sandbox.group);
	session->gone = true;
	if (session->state == MIMOBOX_STARTING) {
		drop_sandbox(session);
		session_settle(session);
		return;
	}
	if (!session->status_told)
		take_status(session, NULL);
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
	drop_sandbox(session);
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

int mimobox_session_exit(const struct mimobox_session *session, int *status)
{
	if (session->state != MIMOBOX_EXITED)
		return -EAGAIN;
	if (session->started.tv_sec == 0)
		return -ESRCH;
	*status = session->status;
	return 0;
}

/* Settings */

int mimobox_session_resize(struct mimobox_session *session, const char *text, size_t size)
{
	uint16_t rows, cols;
	int error = terminal_parse_size(text, size, &rows, &cols);
	if (error < 0) {
		mimobox_session_log(session, "size: %s, ROWS COLS are 1 to 65535 each",
				    error == -ERANGE ? "out of bounds" : "malformed");
		return error;
	}
	if (session->state >= MIMOBOX_DRAINING)
		return 0;
	session->rows = rows;
	session->cols = cols;
	session_touch(session);
	return session->state == MIMOBOX_RUNNING ? session_resize(session) : 0;
}

ssize_t mimobox_session_configure(struct mimobox_session *session, const char *text, size_t size)
{
	struct reason reason;
	unsigned line;
	int error;
	if (session->state != MIMOBOX_CREATED) {
		mimobox_session_log(session, "config refused: the session has been started");
		return -EBUSY;
	}
	session_touch(session);
	size_t taken = ceiling_apply(&session->share, &session->config, &session->box->defaults,
				     text, size, &error, &line, &reason);
	if (error < 0)
		mimobox_session_log(session, "config line %u: %s", line, reason.text);
	return taken == 0 && error < 0 ? error : (ssize_t)taken;
}

void session_init(struct mimobox_session *session)
{
	struct loop *loop = session->box->loop;
	loop_timer_init(&session->timeout, loop, on_timeout, session);
	loop_timer_init(&session->kill_timer, loop, on_kill_timer, session);
	loop_timer_init(&session->retry_timer, loop, on_retry, session);
	favour_init(session);
	sandbox_init(&session->sandbox);
	session->plan = session->mounts = -1;
	streams_init(session);
	session->rows = 24;
	session->cols = 80;
	timeline_init(&session->timeline, session->rows, session->cols);
	session->references = 1;
	session_touch(session);
	clock_gettime(CLOCK_REALTIME, &session->created);
	session->changed = session->created;
}

/* Its box is about to go, and somebody still holds a reference. */
void session_orphan(struct mimobox_session *session)
{
	session_keep_nothing(session);
	loop_timer_disarm(&session->retry_timer);
	drop_sandbox(session);
	if (session->plan >= 0)
		close(session->plan);
	if (session->mounts >= 0)
		close(session->mounts);
	session_drop_cgroup(session);
	streams_finish(session);
	timeline_finish(&session->timeline);
	screen_destroy(session->screen);
	session->screen = NULL;
	workspace_remove(session);
	ceiling_leave(&session->share);
	tell_of_share(session->box, session->uid);
	session_keep_nothing(session); /* what was touched here */
	session->box = NULL;
}

void session_free(struct mimobox_session *session)
{
	if (session->box)
		session_orphan(session);
	network_free(session);
	config_finish(&session->config);
	journal_finish(&session->journal);
	free(session);
}
