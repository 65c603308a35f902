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
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A cgroup can be busy for a moment after its last process has gone. */
#define BUSY_RETRY_NS UINT64_C(10000000)
#define STUCK_RETRY_NS UINT64_C(1000000000)

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

void session_unwatch(struct loop_source **source)
{
	loop_remove(*source);
	*source = NULL;
}

/* Lets go of the sandbox; the cgroup goes when the kernel is done with it. */
void session_drop_sandbox(struct mimobox_session *session)
{
	session_unwatch(&session->start_source);
	session_unwatch(&session->end_source);
	streams_close(session);
	network_close(session);
	replies_finish(session);
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
	idle_stop(session);
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
	if (session->stuck ||
	    (session->state != MIMOBOX_CREATED && session->state != MIMOBOX_EXITED))
		return;
	for (int total = 0; total < TOTALS; total++)
		if ((total != TOTAL_SESSIONS || session->removed) &&
		    ((total != TOTAL_SPOOL && total != TOTAL_DISK) || session->started.tv_sec == 0))
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

/* The sandbox is on its way out; session_on_end() completes the failure when nothing is left of it.
 */
void session_fail_start(struct mimobox_session *session, const struct start_report *report)
{
	session_unwatch(&session->start_source);
	if (session->start_result != -EINPROGRESS)
		return;
	start_log_failure(session, report);
	session->box->stats.failed_starts++;
	session->start_result = report->error ? -report->error : -ECHILD;
	if (session->host && session->sandbox.pidfd < 0) { /* there is nothing to wait for */
		session_drop_sandbox(session);
		loop_timer_arm(&session->retry_timer, 0);
		return;
	}
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

static void try_later(struct mimobox_session *session)
{
	loop_timer_arm(&session->retry_timer, session->stuck ? STUCK_RETRY_NS : BUSY_RETRY_NS);
}

static void on_swept(void *data, int result, const int *descriptors)
{
	(void)descriptors;
	struct mimobox_session *session = data;
	if (result == -EBUSY) {
		try_later(session);
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

void session_leave_host(struct mimobox_session *session)
{
	struct mimobox_session *host = session->host;
	if (!host)
		return;
	session->host = NULL;
	if (session->plan >= 0)
		close(session->plan);
	session->plan = -1;
	mimobox_session_unref(host);
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
		try_later(session);
		return;
	}
	if (session->stuck) {
		mimobox_session_log(session, "the kernel has ended the last process");
		session->stuck = false;
		session_give_back(session);
	}
	session_leave_host(session);
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

void session_resized(struct mimobox_session *session, uint16_t rows, uint16_t cols)
{
	session->rows = rows;
	session->cols = cols;
	session_touch(session);
	if (session->state == MIMOBOX_RUNNING)
		timeline_resize(&session->timeline,
				session->streams[MIMOBOX_STDOUT].output.spool.end,
				loop_now() - session->begun, rows, cols);
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
	session_unwatch(&session->start_source);
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
	idle_start(session);
	timeline_init(&session->timeline, session->rows, session->cols);
	streams_open(session);
	network_open(session);
	if (session->config.terminal && session->contact.page) /* asked for meanwhile, perhaps */
		typing_resize(session, 0, session->rows, session->cols);
	session_notify(session, MIMOBOX_STARTED);
}

/* Takes what the sandbox has to say of its start. */
void session_hear_start(struct mimobox_session *session)
{
	struct start_report report;
	int result;
	session_touch(session);
	while ((result = sandbox_receive(&session->sandbox, &report)) == 1) {
		if (report.error) {
			session_fail_start(session, &report);
			return;
		}
		session->exec_seen |= report.stage == STAGE_EXEC;
		if (report.stage == STAGE_PATHS)
			start_log_path(session, &report);
		if (session->host && session->plan >= 0 && session->sandbox.pidfd >= 0) {
			start_joined(session);
		} else if (session->sandbox.kept) {
			session_keep_sandbox(session);
			sandbox_received(&session->sandbox);
		}
	}
	/*
	 * Another session's init may have its copy of the other end still, where this one's has
	 * ended already (join.h).
	 */
	if (result == -EAGAIN && !session->gone)
		return;
	if (session->exec_seen && sandbox_has_page(&session->sandbox)) {
		started(session);
		return;
	}
	report = (struct start_report){ .stage = STAGE_FORK,
					.error = result < 0 && result != -EAGAIN ? -result : ECHILD,
					.what = "init was killed: too little memory?" };
	if (session->exec_seen)
		report = (struct start_report){ .stage = STAGE_TERMINAL, .error = EMFILE };
	session_fail_start(session, &report);
}

static void on_start(void *data, uint32_t events)
{
	(void)events;
	session_hear_start(data);
}

int session_watch(struct mimobox_session *session)
{
	struct loop *loop = session->box->loop;
	int error = 0;
	if (session->state == MIMOBOX_STARTING)
		error = loop_add(loop, session->sandbox.start, EPOLLIN, on_start, session,
				 &session->start_source);
	if (error == 0 && session->sandbox.pidfd >= 0)
		error = loop_add(loop, session->sandbox.pidfd, EPOLLIN, session_on_end, session,
				 &session->end_source);
	if (error < 0) {
		keep_take_up_anew(session->box->keep);
		mimobox_session_log(session, "start failed: loop: %s", strerror(-error));
		sandbox_abandon(&session->sandbox);
		session_drop_sandbox(session);
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
	session_drop_sandbox(session);
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
	session->refusals = 0;
	session->reason = END_NONE;
	keep_request_starts(session->box->keep);
	if (error == 0)
		error = start_launch(session);
	if (error == 0 && (session->sandbox.pidfd >= 0 || session->host)) {
		error = session_watch(session);
		if (error < 0)
			session_drop_cgroup(session);
	}
	if (error < 0) {
		session_leave_host(session);
		session->state = MIMOBOX_CREATED;
		session->start_result = error;
		session->box->stats.failed_starts++;
		session_give_back(session);
		return error;
	}
	session->box->live++;
	session->live = true;
	mimobox_session_ref(session);
	if (session->sandbox.pidfd >= 0 || session->host)
		loop_timer_arm(&session->kill_timer, START_PATIENCE_NS);
	return -EINPROGRESS;
}

int mimobox_session_start_result(const struct mimobox_session *session)
{
	return session->start_result;
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

int mimobox_session_resize(struct mimobox_session *session, uint64_t key, const char *text,
			   size_t size)
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
	idle_use(session);
	if (session->state == MIMOBOX_RUNNING && session->config.terminal && session->contact.page)
		return typing_resize(session, key, rows, cols);
	session_resized(session, rows, cols);
	return 0;
}

void mimobox_session_resize_not(struct mimobox_session *session, uint64_t key)
{
	mimobox_session_log(session, "size refused: the session's init does not answer");
	typing_resize_not(session, key);
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
	loop_timer_init(&session->kill_timer, loop, session_on_kill_timer, session);
	loop_timer_init(&session->retry_timer, loop, on_retry, session);
	idle_init(session);
	favour_init(session);
	sandbox_init(&session->sandbox);
	session->plan = session->mounts = -1;
	streams_init(session);
	replies_init(session);
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
	session_drop_sandbox(session);
	session_leave_host(session);
	if (session->plan >= 0)
		close(session->plan);
	if (session->mounts >= 0)
		close(session->mounts);
	session_drop_cgroup(session);
	review_orphan(session);
	streams_finish(session);
	replies_finish(session);
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
