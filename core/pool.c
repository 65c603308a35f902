/* SPDX-License-Identifier: MIT */
/*
 * A sandbox that waits holds nothing of anybody's: it was cloned from the spawner, and is told of
 * its plan only when it is taken. It is taken once; what is left of it goes with its session.
 *
 * A sealed one (sandbox.h) has its workspace from the beginning. So a session that is created gets
 * the workspace of one that waits, and with it the claim on that one; it need not make use of it.
 *
 * Until it is taken it has the mounts of the machine, as they were when it was made, and would hold
 * on to one that is unmounted. So when anything is mounted or unmounted, others take the place
 * of those that wait.
 *
 * They are made one at a time, and not at once when one was taken: the command that has just
 * begun goes first. When the machine is short of memory (PSI, Documentation/accounting/psi.rst),
 * those that wait are ended, and none is made for a while.
 */
#include "pool.h"

#include "session.h"
#include "units.h"
#include "workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define REFILL_NS UINT64_C(3000000)
#define MOUNTS_NS UINT64_C(50000000)
/* After a failure, or a shortage. */
#define HOLD_NS UINT64_C(10000000000)
#define BUSY_RETRY_NS UINT64_C(10000000)

enum { MEMORY_SHARE = 16 }; /* less than this part of it available is a shortage */

struct waiting {
	struct pool *pool;
	struct sandbox sandbox;
	bool own_identity; /* of no user's */
	bool ready, ending;
	char *workspace; /* until it is claimed; NULL: none */
	const struct mimobox_session *claimant;
	unsigned mounts; /* pool.mounts when it was made */
	struct loop_source *start_source, *end_source;
	struct loop_timer timer; /* patience with its making, then with its cgroup */
	struct waiting *next;    /* younger */
};

struct pool {
	struct mimobox *box;
	unsigned size;
	bool closed, held;
	struct sandbox_shape shape; /* of those to be made; uid 0: with ids of their own */
	struct waiting *first;
	struct loop_timer refill;
	int mountinfo;   /* tells of changes, see proc_pid_mountinfo(5) */
	unsigned mounts; /* how many there were */
	int pressure;
	struct loop_source *pressure_source, *mounts_source;
};

static void refill_in(struct pool *pool, uint64_t ns)
{
	if (!pool->closed && !loop_timer_armed(&pool->refill))
		loop_timer_arm(&pool->refill, ns);
}

static void hold(struct pool *pool)
{
	loop_timer_disarm(&pool->refill);
	pool->held = true;
	refill_in(pool, HOLD_NS);
}

static void unlink_waiting(struct waiting *waiting)
{
	struct waiting **at = &waiting->pool->first;
	while (*at != waiting)
		at = &(*at)->next;
	*at = waiting->next;
}

static void drop_workspace(struct waiting *waiting)
{
	if (waiting->workspace)
		workspace_discard(waiting->workspace);
	free(waiting->workspace);
	waiting->workspace = NULL;
}

/* Lets go of one of which no process is left, as soon as the kernel lets go of its cgroup. */
static void forget(struct waiting *waiting)
{
	struct mimobox *box = waiting->pool->box;
	if (cgroup_destroy(box->cgroups, waiting->sandbox.group) == -EBUSY &&
	    loop_timer_arm(&waiting->timer, BUSY_RETRY_NS) == 0)
		return;
	loop_timer_disarm(&waiting->timer);
	unlink_waiting(waiting);
	box->waiting--;
	drop_workspace(waiting);
	free(waiting);
}

static void stop_watching(struct waiting *waiting)
{
	loop_remove(waiting->start_source);
	loop_remove(waiting->end_source);
	waiting->start_source = waiting->end_source = NULL;
}

static void discard(struct waiting *waiting)
{
	waiting->ready = false;
	waiting->ending = true;
	sandbox_kill(&waiting->sandbox); /* on_end() does the rest; before the clone, on_clone() */
}

static void on_end(void *data, uint32_t events)
{
	(void)events;
	struct waiting *waiting = data;
	if (!waiting->ending)
		hold(waiting->pool);
	waiting->ready = false;
	waiting->ending = true;
	stop_watching(waiting);
	sandbox_reap(&waiting->sandbox);
	sandbox_finish(&waiting->sandbox);
	forget(waiting);
}

static void on_timer(void *data)
{
	struct waiting *waiting = data;
	if (waiting->sandbox.pidfd < 0) {
		forget(waiting);
		return;
	}
	hold(waiting->pool);
	discard(waiting);
}

/* The last word of its own making. */
static bool is_complete(const struct waiting *waiting, const struct start_report *report)
{
	return report->stage == (waiting->sandbox.shape.sealed ? STAGE_SECCOMP : STAGE_TERMINAL);
}

static void on_report(void *data, uint32_t events)
{
	(void)events;
	struct waiting *waiting = data;
	struct start_report report;
	int result = sandbox_receive(&waiting->sandbox, &report);
	if (result == -EAGAIN)
		return;
	if (result != 1 || report.error || waiting->ending) {
		loop_remove(waiting->start_source); /* on_end() comes */
		waiting->start_source = NULL;
		return;
	}
	if (!is_complete(waiting, &report))
		return;
	loop_timer_disarm(&waiting->timer);
	if (!sandbox_has_page(&waiting->sandbox)) { /* no descriptor was left for them */
		hold(waiting->pool);
		discard(waiting);
		return;
	}
	waiting->ready = true;
	refill_in(waiting->pool, REFILL_NS);
}

static void on_clone(void *data, int result, const int *descriptors)
{
	struct waiting *waiting = data;
	struct mimobox *box = waiting->pool->box;
	struct start_report report;
	int error = sandbox_take(&waiting->sandbox, result, descriptors, &report);
	if (error == 0) {
		error = loop_add(box->loop, waiting->sandbox.start, EPOLLIN, on_report, waiting,
				 &waiting->start_source);
		if (error == 0)
			error = loop_add(box->loop, waiting->sandbox.pidfd, EPOLLIN, on_end,
					 waiting, &waiting->end_source);
		if (error < 0)
			sandbox_abandon(&waiting->sandbox);
	}
	if (error < 0) {
		hold(waiting->pool);
		waiting->ending = true;
		stop_watching(waiting);
		sandbox_finish(&waiting->sandbox);
		forget(waiting);
	} else if (waiting->ending) {
		sandbox_kill(&waiting->sandbox);
	} else {
		loop_timer_arm(&waiting->timer, waiting->pool->box->patience_ns);
	}
}

static void discard_stale(struct pool *pool)
{
	for (struct waiting *waiting = pool->first; waiting; waiting = waiting->next)
		if (!waiting->ending && waiting->mounts != pool->mounts)
			discard(waiting);
}

static void on_mounts(void *data, uint32_t events)
{
	struct pool *pool = data;
	pool->mounts += (events & EPOLLPRI) != 0;
	discard_stale(pool);
	refill_in(pool, MOUNTS_NS); /* there may be more of it */
}

/* The loop may not have come to it yet. */
static void count_mounts(struct pool *pool)
{
	struct pollfd change = { .fd = pool->mountinfo, .events = POLLPRI };
	if (poll(&change, 1, 0) > 0 && (change.revents & POLLPRI))
		on_mounts(pool, EPOLLPRI);
}

/* Its limits are likely to be those of whoever comes. */
static int ask(struct waiting *waiting)
{
	struct mimobox *box = waiting->pool->box;
	struct sandbox *sandbox = &waiting->sandbox;
	const char *workspace = waiting->workspace ? waiting->workspace : "";
	sandbox->group = ++box->last_group;
	box_limits(&box->defaults, &sandbox->limits);
	return sandbox_ask(sandbox, workspace, UNITS_NONE, box->spawner, on_clone, waiting);
}

static int make(struct pool *pool)
{
	struct mimobox *box = pool->box;
	struct waiting *waiting = calloc(1, sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	waiting->pool = pool;
	loop_timer_init(&waiting->timer, box->loop, on_timer, waiting);
	sandbox_init(&waiting->sandbox);
	count_mounts(pool);
	waiting->mounts = pool->mounts;
	waiting->own_identity = pool->shape.uid == 0;
	struct sandbox_shape *shape = &waiting->sandbox.shape;
	*shape = pool->shape;
	if (waiting->own_identity)
		shape->uid = shape->gid = box_identity(box);
	int error = 0;
	if (shape->sealed && box->workspaces)
		error = workspace_create_ahead(box, shape->uid, shape->gid, &waiting->workspace);
	if (error == 0)
		error = ask(waiting);
	if (error < 0) {
		drop_workspace(waiting);
		free(waiting);
		return error;
	}
	struct waiting **last = &pool->first;
	while (*last)
		last = &(*last)->next;
	*last = waiting;
	box->waiting++;
	return 0;
}

static bool is_for(const struct waiting *waiting, uid_t uid, gid_t gid)
{
	const struct sandbox_shape *is = &waiting->sandbox.shape;
	return waiting->own_identity ? uid == 0 : uid == is->uid && gid == is->gid;
}

static bool has_policy(const struct sandbox_shape *is, const struct sandbox_shape *shape)
{
	return is->landlock == shape->landlock && is->filter.profile == shape->filter.profile &&
	       is->filter.fork == shape->filter.fork &&
	       is->filter.tcp_only == shape->filter.tcp_only &&
	       is->filter.ptrace == shape->filter.ptrace;
}

static bool is_of(const struct waiting *waiting, const struct sandbox_shape *shape)
{
	const struct sandbox_shape *is = &waiting->sandbox.shape;
	return is_for(waiting, shape->uid, shape->gid) && is->own_network == shape->own_network &&
	       is->names == shape->names && is->dns_seconds == shape->dns_seconds &&
	       is->terminal == shape->terminal &&
	       is->ends_with_command == shape->ends_with_command && is->sealed == shape->sealed &&
	       is->own_root == shape->own_root && is->home == shape->home &&
	       has_policy(is, shape) && strcmp(is->tmp_size, shape->tmp_size) == 0 &&
	       strcmp(is->terminals, shape->terminals) == 0;
}

/* One step at a time: what is of another kind makes room, what lacks is made. */
static void on_refill(void *data)
{
	struct pool *pool = data;
	unsigned count = 0;
	bool making = false;
	struct waiting *other = NULL;
	pool->held = false;
	for (struct waiting *waiting = pool->first; waiting; waiting = waiting->next) {
		if (waiting->ending || waiting->claimant)
			continue;
		count++;
		making |= !waiting->ready;
		if (!other && waiting->ready && !is_of(waiting, &pool->shape))
			other = waiting;
	}
	if (making)
		return; /* its report comes back here */
	if (count >= pool->size && other) {
		discard(other);
		count--;
	}
	if (count < pool->size && make(pool) < 0)
		hold(pool);
}

static bool have(const struct pool *pool, const struct sandbox_shape *shape)
{
	for (const struct waiting *waiting = pool->first; waiting; waiting = waiting->next)
		if (!waiting->ending && !waiting->claimant && is_of(waiting, shape))
			return true;
	return false;
}

/* Killed by somebody, of which the loop has not been told yet. */
static bool has_ended(const struct waiting *waiting)
{
	struct pollfd end = { .fd = waiting->sandbox.pidfd, .events = POLLIN };
	return poll(&end, 1, 0) != 0;
}

static struct waiting *claimed_by(const struct pool *pool, const struct mimobox_session *session)
{
	struct waiting *waiting = pool->first;
	while (waiting && waiting->claimant != session)
		waiting = waiting->next;
	return waiting;
}

/* More sessions may be created than are ever started: the oldest goes without. */
static void bound_claims(struct pool *pool)
{
	unsigned count = 0;
	struct waiting *oldest = NULL;
	for (struct waiting *waiting = pool->first; waiting; waiting = waiting->next) {
		if (waiting->ending || !waiting->claimant)
			continue;
		count++;
		oldest = oldest ? oldest : waiting;
	}
	if (count > pool->size)
		discard(oldest);
}

bool pool_claim(struct pool *pool, struct mimobox_session *session)
{
	struct waiting *waiting = pool->first;
	while (waiting && !(waiting->ready && waiting->workspace && !waiting->claimant &&
			    is_for(waiting, session->uid, session->gid)))
		waiting = waiting->next;
	if (!waiting)
		return false;
	if (workspace_rename(pool->box->keep, waiting->workspace, session->name,
			     &session->workspace) < 0) {
		discard(waiting); /* somebody has tidied up there: another takes its place */
		if (!pool->held)
			refill_in(pool, REFILL_NS);
		return false;
	}
	free(waiting->workspace);
	waiting->workspace = NULL;
	waiting->claimant = session;
	session->run_uid = waiting->sandbox.shape.uid;
	session->run_gid = waiting->sandbox.shape.gid;
	bound_claims(pool);
	/* It is about to start, and that goes first, unless others would find nothing. */
	if (!pool->held && pool_ready(pool) == 0)
		refill_in(pool, REFILL_NS);
	return true;
}

void pool_disclaim(struct pool *pool, const struct mimobox_session *session)
{
	struct waiting *waiting = claimed_by(pool, session);
	if (!waiting)
		return;
	waiting->claimant = NULL;
	if (!waiting->ending)
		discard(waiting);
	if (!pool->held)
		refill_in(pool, REFILL_NS);
}

static bool can_serve(const struct waiting *waiting, const struct sandbox_shape *shape)
{
	return waiting->ready && is_of(waiting, shape) && !has_ended(waiting);
}

/* Files in a session's workspace may have been given to the id that the workspace has. */
static bool suits(const struct waiting *waiting, const struct mimobox_session *session)
{
	return waiting->sandbox.shape.uid == session->run_uid || workspace_is_new(session);
}

/* One with a workspace is for that session alone which has it. */
static struct waiting *find(const struct pool *pool, const struct mimobox_session *session,
			    const struct sandbox_shape *shape)
{
	struct waiting *waiting = claimed_by(pool, session);
	if (shape->sealed && session->workspace)
		return waiting && can_serve(waiting, shape) ? waiting : NULL;
	for (waiting = pool->first; waiting; waiting = waiting->next)
		if (!waiting->claimant && can_serve(waiting, shape) && suits(waiting, session))
			return waiting;
	return NULL;
}

bool pool_take(struct pool *pool, const struct mimobox_session *session,
	       const struct sandbox_shape *shape, struct sandbox *out)
{
	count_mounts(pool);
	struct waiting *waiting = find(pool, session, shape);
	if (waiting) {
		stop_watching(waiting);
		unlink_waiting(waiting);
		*out = waiting->sandbox;
		pool->box->waiting--;
		free(waiting);
	}
	pool_disclaim(pool, session);
	/* Others go on waiting as long as there is one of each kind that is asked for. */
	if (waiting || !have(pool, shape))
		pool->shape = *shape;
	if (pool->size && !pool->held)
		refill_in(pool, REFILL_NS);
	return waiting != NULL;
}

void pool_close(struct pool *pool)
{
	pool->closed = true;
	loop_timer_disarm(&pool->refill);
	for (struct waiting *waiting = pool->first; waiting; waiting = waiting->next)
		if (!waiting->ending)
			discard(waiting);
}

unsigned pool_ready(const struct pool *pool)
{
	unsigned count = 0;
	for (const struct waiting *waiting = pool->first; waiting; waiting = waiting->next)
		count += waiting->ready && !waiting->claimant;
	return count;
}

bool pool_has_identity(const struct pool *pool, uid_t id)
{
	for (const struct waiting *waiting = pool ? pool->first : NULL; waiting;
	     waiting = waiting->next)
		if (waiting->sandbox.shape.uid == id)
			return true;
	return false;
}

/* A session at its own limit waits for memory, too, and that is no shortage of the machine's. */
static bool is_short_of_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t number, total = 0, available = UINT64_MAX;
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "MemTotal: %" SCNu64, &number) == 1)
			total = number;
		else if (sscanf(line, "MemAvailable: %" SCNu64, &number) == 1)
			available = number;
	}
	if (file)
		fclose(file);
	return available < total / MEMORY_SHARE;
}

static void on_pressure(void *data, uint32_t events)
{
	struct pool *pool = data;
	if (events & EPOLLERR) { /* its cgroup has gone */
		loop_remove(pool->pressure_source);
		pool->pressure_source = NULL;
		return;
	}
	if (!is_short_of_memory())
		return;
	hold(pool);
	for (struct waiting *waiting = pool->first; waiting; waiting = waiting->next)
		if (!waiting->ending)
			discard(waiting);
}

/* A kernel without it tells nothing; then there is nothing to heed. */
static void watch_pressure(struct pool *pool)
{
	static const char trigger[] = "some 200000 2000000"; /* us: a tenth of two seconds */
	pool->pressure = open("/proc/pressure/memory", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (pool->pressure >= 0 &&
	    write(pool->pressure, trigger, sizeof(trigger)) == sizeof(trigger))
		loop_add(pool->box->loop, pool->pressure, EPOLLPRI, on_pressure, pool,
			 &pool->pressure_source);
}

static int watch_mounts(struct pool *pool)
{
	pool->mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (pool->mountinfo < 0)
		return -errno;
	return loop_add(pool->box->loop, pool->mountinfo, EPOLLPRI, on_mounts, pool,
			&pool->mounts_source);
}

int pool_create(struct mimobox *box, unsigned size, struct pool **out)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	*pool = (struct pool){ .box = box, .size = size, .mountinfo = -1, .pressure = -1 };
	loop_timer_init(&pool->refill, box->loop, on_refill, pool);
	box_shape(box, &box->defaults, geteuid(), getegid(), &pool->shape);
	*out = pool;
	if (size == 0)
		return 0;
	watch_pressure(pool);
	refill_in(pool, 0);
	return watch_mounts(pool);
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	loop_timer_disarm(&pool->refill);
	loop_remove(pool->pressure_source);
	loop_remove(pool->mounts_source);
	if (pool->pressure >= 0)
		close(pool->pressure);
	if (pool->mountinfo >= 0)
		close(pool->mountinfo);
	while (pool->first) { /* those that were not waited for */
		struct waiting *waiting = pool->first;
		stop_watching(waiting);
		loop_timer_disarm(&waiting->timer);
		sandbox_finish(&waiting->sandbox);
		pool->first = waiting->next;
		drop_workspace(waiting);
		free(waiting);
	}
	free(pool);
}
