/* SPDX-License-Identifier: MIT */
/*
 * Going on with what another process has left, in two steps. At first all is made as the records
 * say, and nothing goes on, so that whoever uses the set can find what is theirs. Then each session
 * goes on from where it was: what runs is watched again, a start is heard to its end or, where
 * nothing had begun, made anew.
 *
 * What nobody recorded had no effect that anybody has seen. A sandbox that waited, or that was
 * being cloned, has gone with the process that held it; its group is cleared away.
 */
#include "session_kept.h"

#include "workspace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Numbers that were given, perhaps, and told nobody. */
enum { NUMBERS_LEFT_OUT = 4096 };
#define CLEAR_RETRY_NS UINT64_C(50000000)

static const void *get(const struct mimobox_session *session, enum keep_kind kind, uint32_t part,
		       size_t *size)
{
	return keep_get(session->box->keep, kind, session->id, part, size);
}

/* Records of another program's would not be here: see KEEP_VERSION and layout.h. */
static const void *get_whole(const struct mimobox_session *session, enum keep_kind kind,
			     uint32_t part, size_t whole)
{
	size_t size;
	const void *data = get(session, kind, part, &size);
	return data && size == whole ? data : NULL;
}

static char *copy_text(const void *data, size_t size)
{
	char *text = malloc(size + 1);
	if (!text)
		return NULL;
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Step one */

static int restore_config(const struct mimobox *box, struct config *config, const char *text,
			  size_t size)
{
	struct reason reason;
	unsigned line;
	int error = 0;
	config_finish(config);
	if (config_copy(config, &box->builtin) < 0)
		return -ENOMEM;
	config_apply(config, &box->builtin, text, size, &error, &line, &reason);
	return error;
}

static void restore_facts(struct mimobox_session *session, const struct kept_session *kept)
{
	memcpy(session->name, kept->name, sizeof(session->name));
	session->uid = kept->uid;
	session->run_uid = kept->run_uid;
	session->gid = kept->gid;
	session->run_gid = kept->run_gid;
	session->removed = kept->removed;
	session->exec_seen = kept->exec_seen;
	session->status_told = kept->status_told;
	session->gone = kept->gone;
	session->has_cgroup = kept->has_cgroup;
	session->accounted = kept->accounted;
	session->stuck = kept->stuck;
	session->refusals = kept->refusals;
	session->state = (enum mimobox_state)kept->state;
	session->start_result = kept->start_result;
	session->reason = (enum end_reason)kept->reason;
	session->status = kept->status;
	session->landlock_abi = kept->landlock_abi;
	session->kill_stage = kept->kill_stage;
	memcpy(session->failure, kept->failure, sizeof(session->failure));
	session->created = kept->created;
	session->changed = kept->changed;
	session->started = kept->started;
	session->ended = kept->ended;
	session->start_begun = kept->start_begun;
	session->begun = kept->begun;
	session->rows = kept->rows;
	session->cols = kept->cols;
	session->usage = kept->usage;
	session->replies.attached = kept->attached;
	session->replies.from = kept->answered_from;
	session->idle.kept = kept->idle_kept;
	session->live = kept->live ||
			(session->state >= MIMOBOX_STARTING && session->state <= MIMOBOX_DRAINING);
	struct sandbox *sandbox = &session->sandbox;
	sandbox->init = kept->init;
	sandbox->pid = kept->pid;
	sandbox->shape = kept->shape;
	sandbox->limits = kept->limits;
	sandbox->group = kept->group;
	sandbox->kept = kept->kept;
}

static int restore_timeline(struct mimobox_session *session, const struct kept_session *kept)
{
	struct timeline *timeline = &session->timeline;
	size_t end = kept->first_mark + kept->marks, room = 16, size;
	timeline->rows = kept->first_rows;
	timeline->cols = kept->first_cols;
	timeline->sealed = kept->sealed_timeline;
	if (kept->marks == 0)
		return 0;
	while (room < end)
		room *= 2;
	timeline->marks = calloc(room, sizeof(*timeline->marks));
	if (!timeline->marks)
		return -ENOMEM;
	for (size_t from = 0; from < end; from += KEPT_MARKS) {
		const void *marks =
			get(session, KEEP_TIMELINE, (uint32_t)(from / KEPT_MARKS), &size);
		if (marks && from + size / sizeof(*timeline->marks) <= room)
			memcpy(timeline->marks + from, marks, size);
	}
	timeline->first = kept->first_mark;
	timeline->count = kept->marks;
	timeline->room = room;
	return 0;
}

static void restore_stream(struct mimobox_session *session, uint32_t part)
{
	struct output *output = &session->streams[part].output;
	struct spool *spool = &output->spool;
	const struct kept_stream *kept =
		get_whole(session, KEEP_STREAMS, part, sizeof(struct kept_stream));
	if (!kept)
		return;
	session->last_output = kept->last_output;
	output->retain = kept->retain;
	output->overflow = (enum overflow)kept->overflow;
	output->ended = kept->ended;
	output->modes = kept->modes;
	if (!kept->has_spool)
		return;
	*spool = (struct spool){ .fd = keep_take(session->box->keep, session_keep_spool_id(session),
						 part),
				 .directory = session->box->spool_dir,
				 .start = kept->start,
				 .end = kept->end,
				 .punched = kept->punched,
				 .safe = kept->start,
				 .saved = kept->start };
	spool_keep(spool, session->box->keep, session_keep_spool_id(session), part);
	spool->held = keep_block_claim(session->box->keep, kept->held, kept->held_room);
	spool->held_size = kept->held_size;
	spool->held_room = spool->held ? kept->held_room : 0;
}

static void restore_typing(struct mimobox_session *session)
{
	struct typing *typing = &session->typing;
	const struct kept_typing *kept =
		get_whole(session, KEEP_STREAMS, STREAMS, sizeof(struct kept_typing));
	if (!kept)
		return;
	typing->input.collected = kept->collected;
	typing->left_key = kept->left_key;
	typing->left = (ssize_t)kept->left;
	typing->closed = kept->closed;
}

static int restore_texts(struct mimobox_session *session)
{
	size_t size;
	const char *text = get(session, KEEP_CONFIG, 0, &size);
	int error = text ? restore_config(session->box, &session->config, text, size) : -ENOMEM;
	if (error == 0 && (text = get(session, KEEP_WORKSPACE, 0, &size)) &&
	    !(session->workspace = copy_text(text, size)))
		error = -ENOMEM;
	return error < 0 ? error
			 : journal_restore(&session->journal, session->box->keep, session->id);
}

/* What tables are looked up by. */
static bool is_sound(const struct keep_record *record)
{
	const struct kept_session *kept = record->data;
	return record->size == sizeof(*kept) && kept->state >= MIMOBOX_CREATED &&
	       kept->state <= MIMOBOX_EXITED && kept->reason >= END_NONE &&
	       kept->reason < END_REASONS && kept->shape.filter.profile < SYSFILTER_PROFILES &&
	       kept->first_mark <= TIMELINE_MAX && kept->marks <= TIMELINE_MAX - kept->first_mark &&
	       memchr(kept->name, 0, sizeof(kept->name)) &&
	       memchr(kept->failure, 0, sizeof(kept->failure));
}

static int restore_session(struct mimobox *box, const struct keep_record *record)
{
	const struct kept_session *kept = record->data;
	if (!is_sound(record))
		return -EPROTO;
	struct mimobox_session *session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->box = box;
	session->id = record->id;
	session_init(session);
	restore_facts(session, kept);
	int error = restore_texts(session);
	if (error == 0)
		error = restore_timeline(session, kept);
	for (uint32_t i = 0; i < STREAMS; i++)
		restore_stream(session, i);
	restore_typing(session);
	if (error == 0)
		error = network_restore(session);
	if (error == 0)
		error = ceiling_restore(box->ceiling, session->uid, kept->held, &session->share);
	if (error == 0 && session->removed)
		session_leave_share(session);
	if (error == 0 && kept->timeout_due)
		error = loop_timer_arm_at(&session->timeout, kept->timeout_due);
	if (error == 0 && kept->kill_due)
		error = loop_timer_arm_at(&session->kill_timer, kept->kill_due);
	if (error < 0)
		return error; /* and with it the process */
	/* The set's, if it is in it, that of its life, and this one's until mimobox_resume(). */
	session->references = (unsigned)!session->removed + session->live + 1;
	box_link(box, session);
	box->live += session->live;
	box->lingering += session->removed && session->live;
	return 0;
}

static int restore_box(struct mimobox *box)
{
	size_t size, others;
	const struct kept_box *kept = keep_get(box->keep, KEEP_BOX, 0, 0, &size);
	const void *latencies = keep_get(box->keep, KEEP_BOX, 0, 1, &others);
	if ((kept && size != sizeof(*kept)) ||
	    (latencies && others != sizeof(box->stats.latencies)))
		return -EPROTO;
	if (kept) {
		box->last_id = kept->last_id;
		box->last_group = kept->last_group + NUMBERS_LEFT_OUT;
		identities_resume(box->keep, kept->identities,
				  kept->next_identity + NUMBERS_LEFT_OUT, kept->identities_again,
				  &box->identities);
		box->stats = (struct stats){ .starts = kept->starts,
					     .failed_starts = kept->failed_starts,
					     .pool_hits = kept->pool_hits,
					     .pool_misses = kept->pool_misses,
					     .bytes_in = kept->bytes_in,
					     .bytes_out = kept->bytes_out,
					     .latency_sum = kept->latency_sum,
					     .network = kept->network };
		memcpy(box->stats.ends, kept->ends, sizeof(box->stats.ends));
	}
	if (latencies)
		memcpy(box->stats.latencies, latencies, sizeof(box->stats.latencies));
	const char *text = keep_get(box->keep, KEEP_DEFAULTS, 0, 0, &size);
	return text ? restore_config(box, &box->defaults, text, size) : 0;
}

int mimobox_restore(struct mimobox *box)
{
	struct keep_record *records = NULL;
	size_t count;
	int error = restore_box(box);
	if (error == 0)
		error = keep_list(box->keep, KEEP_SESSION, &records, &count);
	for (size_t i = 0; error == 0 && i < count; i++)
		error = restore_session(box, &records[i]);
	/* They are as the records say, which tell more than they do until they are resumed. */
	while (box->dirty) {
		box->dirty->dirty = false;
		box->dirty = box->dirty->next_dirty;
	}
	free(records);
	return error;
}

/* Step two */

static bool take_descriptors(struct mimobox_session *session)
{
	struct keep *keep = session->box->keep;
	uint64_t id = session_keep_sandbox_id(session);
	struct sandbox *sandbox = &session->sandbox;
	if (!sandbox->kept)
		return false;
	sandbox->pidfd = keep_take(keep, id, SESSION_PIDFD);
	sandbox->control = keep_take(keep, id, SESSION_CONTROL);
	if (session->state == MIMOBOX_STARTING)
		sandbox->start = keep_take(keep, id, SESSION_START);
	sandbox->page = keep_take(keep, id, SESSION_PAGE);
	sandbox->bell = keep_take(keep, id, SESSION_BELL);
	network_take_ends(session);
	if (session->state != MIMOBOX_STARTING && !sandbox_has_page(sandbox))
		return false;
	return sandbox->pidfd >= 0 && sandbox->control >= 0;
}

/* Those that had been closed stay so. */
static void resume_streams(struct mimobox_session *session)
{
	bool open[STREAMS];
	for (uint32_t i = 0; i < STREAMS; i++) {
		const struct kept_stream *kept =
			get_whole(session, KEEP_STREAMS, i, sizeof(struct kept_stream));
		open[i] = kept && kept->open;
	}
	streams_resume(session, open);
}

/* Nothing that it was to run has begun: it is begun once more. */
static void start_anew(struct mimobox_session *session)
{
	struct mimobox *box = session->box;
	sandbox_finish(&session->sandbox);
	session->sandbox.kept = false;
	session->has_cgroup = false; /* cleared with those that nobody has */
	session_leave_host(session);
	session->live = false;
	box->live--;
	box->lingering -= session->removed;
	session->state = MIMOBOX_CREATED;
	loop_timer_disarm(&session->kill_timer);
	int error = mimobox_session_start(session);
	if (error != -EINPROGRESS) {
		session->start_result = error;
		session_notify(session, MIMOBOX_STARTED);
	}
	mimobox_session_unref(session);
}

static void resume_start(struct mimobox_session *session, bool has_sandbox)
{
	if (!has_sandbox && session->start_result == -EINPROGRESS && !session->removed) {
		start_anew(session);
		return;
	}
	if (!has_sandbox || session_watch(session) < 0) {
		session_lost(session);
		return;
	}
	if (!loop_timer_armed(&session->kill_timer))
		loop_timer_arm(&session->kill_timer, START_PATIENCE_NS);
	/* Where it had been told already, it does not listen any more. */
	if (session->start_result != -EINPROGRESS || start_again(session) == -ENOMEM)
		sandbox_kill(&session->sandbox);
}

/* That one may be gone. */
static void resume_host(struct mimobox_session *session)
{
	const struct kept_session *kept =
		get_whole(session, KEEP_SESSION, 0, sizeof(struct kept_session));
	struct mimobox_session *host =
		kept && kept->host ? mimobox_session_by_id(session->box, kept->host) : NULL;
	session->host = host ? mimobox_session_ref(host) : NULL;
}

static void resume_session(struct mimobox_session *session)
{
	resume_host(session);
	session_touch(session);
	if (session->favour.on)
		session->favour.on = false;
	if (session->state == MIMOBOX_CREATED)
		return;
	if (session->state == MIMOBOX_EXITED) {
		if (session->live && loop_timer_arm(&session->retry_timer, 0) < 0)
			keep_take_up_anew(session->box->keep);
		return;
	}
	if (session->has_cgroup)
		cgroup_favour(session->box->cgroups, session->sandbox.group, false);
	bool has_sandbox = take_descriptors(session);
	if (session->state == MIMOBOX_STARTING) {
		resume_start(session, has_sandbox);
		return;
	}
	if (has_sandbox)
		resume_streams(session);
	if (has_sandbox && session->state == MIMOBOX_RUNNING)
		network_open(session);
	if (!has_sandbox || session_watch(session) < 0)
		session_lost(session);
	else if (session->state == MIMOBOX_DRAINING)
		session_drain(session);
	else
		session_hear(session); /* init may have rung for the other server */
	idle_resume(session);
}

static bool is_wanted(void *data, uint64_t id)
{
	const struct mimobox *box = data;
	if (id > box->left_groups)
		return true;
	for (size_t i = 0; i < box->buckets; i++)
		for (const struct mimobox_session *session = box->ids[i]; session;
		     session = session->by_id)
			if (session->has_cgroup && session->sandbox.group == id)
				return true;
	return false;
}

static void clear_groups(void *data)
{
	struct mimobox *box = data;
	box->clearing = cgroups_clear(box->cgroups, is_wanted, box) == -EBUSY &&
			loop_timer_arm(&box->clear_timer, CLEAR_RETRY_NS) == 0;
}

/* A directory that was being made, for whom is not recorded. */
static void clear_workspaces(struct mimobox *box)
{
	struct keep_record *records;
	size_t count;
	bool known = false;
	const char *made = keep_made(box->keep);
	for (size_t i = 0; i < box->buckets; i++)
		for (const struct mimobox_session *session = box->ids[i]; session;
		     session = session->by_id)
			known |= session->workspace && strcmp(session->workspace, made) == 0;
	if (*made && !known)
		workspace_discard(made);
	if (keep_list(box->keep, KEEP_REMOVAL, &records, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		char *path = copy_text(records[i].data, records[i].size);
		if (path)
			workspace_clear(box, records[i].id, path);
	}
	free(records);
}

static void resume_by_id(struct mimobox *box, uint64_t id)
{
	struct mimobox_session *session = mimobox_session_by_id(box, id);
	if (!session)
		return;
	resume_session(session);
	mimobox_session_unref(session); /* restore_session()'s */
}

int mimobox_resume(struct mimobox *box)
{
	struct keep_record *records;
	size_t count;
	if (!keep_again(box->keep))
		return 0;
	/* Records move when others are added. */
	int error = keep_list(box->keep, KEEP_SESSION, &records, &count);
	uint64_t *ids = error == 0 ? calloc(count + 1, sizeof(*ids)) : NULL;
	for (size_t i = 0; ids && i < count; i++)
		ids[i] = records[i].id;
	free(records);
	if (!ids)
		return error < 0 ? error : -ENOMEM;
	box->left_groups = box->last_group;
	clear_workspaces(box);
	for (size_t i = 0; i < count; i++)
		resume_by_id(box, ids[i]);
	free(ids);
	loop_timer_init(&box->clear_timer, box->loop, clear_groups, box);
	box->clearing = loop_timer_arm(&box->clear_timer, 0) == 0;
	mimobox_commit(box);
	keep_settle(box->keep);
	return 0;
}
