/* SPDX-License-Identifier: MIT */
/*
 * What is put of a session: all that would otherwise be known to this process alone. It is gathered
 * anew from every session that was touched, before each commit; records that say what is kept
 * already cost a comparison.
 */
#include "session_kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void session_touch(struct mimobox_session *session)
{
	struct mimobox *box = session->box;
	if (!box || !box->keep || session->dirty)
		return;
	session->dirty = true;
	session->next_dirty = box->dirty;
	box->dirty = session;
}

static void put(const struct mimobox_session *session, enum keep_kind kind, uint32_t part,
		const void *data, size_t size)
{
	keep_put(session->box->keep, kind, session->id, part, data, size);
}

static uint64_t due(const struct loop_timer *timer)
{
	return loop_timer_armed(timer) ? timer->due : 0;
}

static void fill_sandbox(struct kept_session *kept, const struct mimobox_session *session)
{
	const struct sandbox *sandbox = &session->sandbox;
	kept->kept = sandbox->kept;
	kept->init = sandbox->init;
	kept->pid = sandbox->pid;
	kept->shape = sandbox->shape;
	kept->limits = sandbox->limits;
	kept->group = sandbox->group;
	kept->host = session->host ? session->host->id : 0;
}

static void put_session(const struct mimobox_session *session)
{
	struct kept_session kept;
	memset(&kept, 0, sizeof(kept)); /* what lies between the members is compared, too */
	memcpy(kept.name, session->name, sizeof(kept.name));
	kept.uid = session->uid;
	kept.run_uid = session->run_uid;
	kept.gid = session->gid;
	kept.run_gid = session->run_gid;
	kept.removed = session->removed;
	kept.exec_seen = session->exec_seen;
	kept.status_told = session->status_told;
	kept.gone = session->gone;
	kept.has_cgroup = session->has_cgroup;
	kept.live = session->live;
	kept.accounted = session->accounted;
	kept.favoured = session->favour.on;
	kept.sealed_timeline = session->timeline.sealed;
	kept.attached = session->replies.attached;
	kept.answered_from = session->replies.from;
	kept.stuck = session->stuck;
	kept.state = (int)session->state;
	kept.start_result = session->start_result;
	kept.reason = (int)session->reason;
	kept.status = session->status;
	kept.landlock_abi = session->landlock_abi;
	kept.refusals = session->refusals;
	kept.kill_stage = session->kill_stage;
	memcpy(kept.failure, session->failure, sizeof(kept.failure));
	kept.created = session->created;
	kept.changed = session->changed;
	kept.started = session->started;
	kept.ended = session->ended;
	kept.start_begun = session->start_begun;
	kept.begun = session->begun;
	memcpy(kept.held, session->share.held, sizeof(kept.held));
	kept.rows = session->rows;
	kept.cols = session->cols;
	kept.first_rows = session->timeline.rows;
	kept.first_cols = session->timeline.cols;
	kept.first_mark = session->timeline.first;
	kept.marks = session->timeline.count;
	fill_sandbox(&kept, session);
	kept.usage = session->usage;
	kept.idle_kept = session->idle.kept;
	kept.timeout_due = due(&session->timeout);
	kept.kill_due = due(&session->kill_timer);
	put(session, KEEP_SESSION, 0, &kept, sizeof(kept));
}

static void put_stream(struct mimobox_session *session, uint32_t part)
{
	struct kept_stream kept;
	struct stream *stream = &session->streams[part];
	struct spool *spool = &stream->output.spool;
	memset(&kept, 0, sizeof(kept));
	kept.start = spool->start;
	kept.end = spool->end;
	kept.punched = spool->punched;
	kept.retain = stream->output.retain;
	kept.last_output = session->last_output;
	kept.held = keep_block_place(session->box->keep, spool->held);
	kept.held_size = spool->held_size;
	kept.held_room = spool->held_room;
	kept.has_spool = spool->directory != NULL;
	kept.ended = stream->output.ended;
	kept.open = stream->open;
	kept.overflow = (int)stream->output.overflow;
	kept.modes = stream->output.modes;
	put(session, KEEP_STREAMS, part, &kept, sizeof(kept));
	/* What the last time put was committed since. */
	spool->safe = spool->saved;
	spool->saved = spool->start;
}

bool session_keeps_room(const struct stream *stream)
{
	const struct mimobox_session *session = stream->session;
	const struct spool *spool = &stream->output.spool;
	const struct kept_stream *kept = keep_get(session->box->keep, KEEP_STREAMS, session->id,
						  (uint32_t)(stream - session->streams), NULL);
	return kept && kept->held == keep_block_place(session->box->keep, spool->held) &&
	       kept->held_size == spool->held_size;
}

static void put_typing(const struct mimobox_session *session)
{
	struct kept_typing kept;
	const struct typing *typing = &session->typing;
	memset(&kept, 0, sizeof(kept));
	kept.collected = typing->input.collected;
	kept.left_key = typing->left_key;
	kept.left = typing->left;
	kept.closed = typing->closed;
	put(session, KEEP_STREAMS, STREAMS, &kept, sizeof(kept));
}

static void put_config(const struct mimobox_session *session)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	if (!to)
		return;
	config_print(&session->config, to);
	if (fclose(to) == 0)
		put(session, KEEP_CONFIG, 0, text, size);
	free(text);
}

/* Marks are added behind, and the last of them may change. */
static void put_timeline(struct mimobox_session *session)
{
	const struct timeline *timeline = &session->timeline;
	size_t end = timeline->first + timeline->count, from = session->kept_marks;
	if (session->kept_rewrites != timeline->rewrites)
		from = 0;
	from = from ? (from - 1) / KEPT_MARKS * KEPT_MARKS : 0;
	for (; from < end; from += KEPT_MARKS) {
		size_t count = end - from < KEPT_MARKS ? end - from : KEPT_MARKS;
		put(session, KEEP_TIMELINE, (uint32_t)(from / KEPT_MARKS), timeline->marks + from,
		    count * sizeof(*timeline->marks));
	}
	session->kept_marks = end;
	session->kept_rewrites = timeline->rewrites;
}

static void save(struct mimobox_session *session)
{
	struct keep *keep = session->box->keep;
	put_session(session);
	for (uint32_t i = 0; i < (session->config.terminal ? 1 : STREAMS); i++)
		put_stream(session, i);
	put_typing(session);
	/* It does not change after that, but for the network. */
	if (session->state == MIMOBOX_CREATED || session->config_changed ||
	    !keep_get(keep, KEEP_CONFIG, session->id, 0, NULL))
		put_config(session);
	session->config_changed = false;
	network_keep(session);
	journal_keep(&session->journal, keep, session->id);
	put_timeline(session);
	if (session->workspace)
		put(session, KEEP_WORKSPACE, 0, session->workspace, strlen(session->workspace));
	else
		keep_drop(keep, KEEP_WORKSPACE, session->id, 0);
}

static void put_box(struct mimobox *box)
{
	struct kept_box kept;
	const struct stats *stats = &box->stats;
	size_t size;
	memset(&kept, 0, sizeof(kept));
	kept.last_id = box->last_id;
	kept.last_group = box->last_group;
	kept.identities = box->identities.first;
	kept.next_identity = box->identities.next;
	kept.identities_again = box->identities.again;
	kept.starts = stats->starts;
	kept.failed_starts = stats->failed_starts;
	kept.pool_hits = stats->pool_hits;
	kept.pool_misses = stats->pool_misses;
	kept.bytes_in = stats->bytes_in;
	kept.bytes_out = stats->bytes_out;
	memcpy(kept.ends, stats->ends, sizeof(kept.ends));
	kept.latency_sum = stats->latency_sum;
	kept.network = stats->network;
	const struct kept_box *was = keep_get(box->keep, KEEP_BOX, 0, 0, &size);
	if (!was || was->starts != kept.starts)
		keep_put(box->keep, KEEP_BOX, 0, 1, stats->latencies, sizeof(stats->latencies));
	keep_put(box->keep, KEEP_BOX, 0, 0, &kept, sizeof(kept));
}

void mimobox_commit(struct mimobox *box)
{
	if (!box->keep)
		return;
	while (box->dirty) {
		struct mimobox_session *session = box->dirty;
		box->dirty = session->next_dirty;
		session->dirty = false;
		save(session);
	}
	put_box(box);
	keep_commit(box->keep);
}

void box_keep_defaults(struct mimobox *box)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = box->keep ? open_memstream(&text, &size) : NULL;
	if (!to)
		return;
	config_print(&box->defaults, to);
	if (fclose(to) == 0)
		keep_put(box->keep, KEEP_DEFAULTS, 0, 0, text, size);
	free(text);
}

void box_keep_removal(struct mimobox *box, uint64_t id, const char *path)
{
	if (path)
		keep_put(box->keep, KEEP_REMOVAL, id, 0, path, strlen(path));
	else
		keep_drop(box->keep, KEEP_REMOVAL, id, 0);
}

void session_keep_nothing(struct mimobox_session *session)
{
	struct mimobox *box = session->box;
	if (!box->keep)
		return;
	for (struct mimobox_session **at = &box->dirty; session->dirty; at = &(*at)->next_dirty)
		if (*at == session) {
			*at = session->next_dirty;
			session->dirty = false;
			break;
		}
	static const enum keep_kind single[] = { KEEP_SESSION, KEEP_CONFIG, KEEP_WORKSPACE };
	for (size_t i = 0; i < sizeof(single) / sizeof(*single); i++)
		keep_drop(box->keep, single[i], session->id, 0);
	for (uint32_t part = 0; part <= STREAMS; part++)
		keep_drop(box->keep, KEEP_STREAMS, session->id, part);
	journal_keep_nothing(box->keep, session->id);
	network_keep_nothing(session);
	for (uint32_t part = 0; part < TIMELINE_MAX / KEPT_MARKS &&
				keep_get(box->keep, KEEP_TIMELINE, session->id, part, NULL);
	     part++)
		keep_drop(box->keep, KEEP_TIMELINE, session->id, part);
	for (int i = 0; i < STREAMS; i++)
		if (session->streams[i].output.spool.fd >= 0) {
			keep_release(box->keep, session_keep_spool_id(session));
			break;
		}
}

void session_keep_sandbox(struct mimobox_session *session)
{
	static const uint32_t parts[] = { SESSION_PIDFD, SESSION_START, SESSION_CONTROL,
					  SESSION_PAGE, SESSION_BELL };
	struct sandbox *sandbox = &session->sandbox;
	if (!session->box->keep)
		return;
	const int descriptors[] = { sandbox->pidfd, sandbox->start, sandbox->control, sandbox->page,
				    sandbox->bell };
	int error = keep_store(session->box->keep, session_keep_sandbox_id(session), parts,
			       descriptors, sizeof(parts) / sizeof(*parts));
	if (error == 0)
		error = network_keep_ends(session);
	if (error < 0 && !sandbox->kept)
		return; /* it ends with this process */
	sandbox->kept = true;
	session_touch(session);
	mimobox_commit(session->box);
}
