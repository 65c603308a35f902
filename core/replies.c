/* SPDX-License-Identifier: MIT */
/*
 * Only an answer that depends on the screen has it made, up to the query's place in the output.
 * That may take many pieces of time; the queries behind it wait for their turn.
 *
 * What the terminal echoes becomes output. A program that wants an answer has switched echo off, or
 * does so in a moment, or waits at least. One that prints any bytes, some of which look like a
 * query, goes on printing, and its output stays as it is.
 */
#include "replies.h"

#include "answer.h"
#include "screen.h"
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A program that prints nothing more for so long may wait for the answer with echo on. */
#define QUIET_NS UINT64_C(20000000)

enum { QUERIES_MAX = 64, WAITING_BYTES = 8192 };

struct replies_waiting {
	size_t first, count; /* of the queries, in a ring */
	struct {
		uint64_t at; /* in the output, behind it */
		struct query query;
	} queries[QUERIES_MAX];
	uint64_t end; /* in the output, behind the last query */
	bool refused; /* with echo on */
	size_t size;  /* of the answers that are not typed yet */
	char text[WAITING_BYTES];
};

static uint64_t output_end(const struct mimobox_session *session)
{
	return session->streams[MIMOBOX_STDOUT].output.spool.end;
}

/* 0, or -EINPROGRESS: the screen is not made yet. What cannot be answered is not. */
static int answer(struct mimobox_session *session, const struct query *query, uint64_t at)
{
	struct replies_waiting *waiting = session->replies.waiting;
	struct answer_facts facts = { .rows = session->rows,
				      .cols = session->cols,
				      .modes = &session->screen_modes };
	char text[ANSWER_MAX];
	bool visible;
	if (sizeof(waiting->text) - waiting->size < ANSWER_MAX)
		return 0;
	if (answer_needs_screen(query)) {
		int error = session_screen_at(session, at);
		if (error < 0)
			return error == -EINPROGRESS ? error : 0;
		screen_cursor(session->screen, &facts.row, &facts.col, &visible);
	}
	size_t size = answer_print(query, &facts, text);
	memcpy(waiting->text + waiting->size, text, size);
	waiting->size += size;
	return 0;
}

/* What does not go yet goes on when there is room: replies_go_on(). */
static void type(struct mimobox_session *session, struct replies_waiting *waiting)
{
	while (waiting->size) {
		bool echoed = waiting->refused && output_end(session) == waiting->end;
		ssize_t typed = typing_answer(session, waiting->text, waiting->size, echoed);
		if (typed == -EMSGSIZE && !waiting->refused &&
		    loop_timer_arm(&session->replies.timer, QUIET_NS) == 0) {
			waiting->refused = true;
			return;
		}
		if (typed == -EMSGSIZE)
			typed = (ssize_t)waiting->size;
		if (typed <= 0)
			return;
		waiting->refused = false;
		waiting->size -= (size_t)typed;
		memmove(waiting->text, waiting->text + typed, waiting->size);
	}
}

static void work(struct mimobox_session *session)
{
	struct replies *replies = &session->replies;
	struct replies_waiting *waiting = replies->waiting;
	while (waiting->count) {
		size_t first = waiting->first;
		if (answer(session, &waiting->queries[first].query, waiting->queries[first].at) < 0)
			break;
		waiting->first = (first + 1) % QUERIES_MAX;
		waiting->count--;
	}
	bool screen = waiting->count != 0 && loop_timer_arm(&replies->timer, 0) == 0;
	if (waiting->size)
		type(session, waiting);
	if (screen || waiting->size)
		return;
	loop_timer_disarm(&replies->timer);
	free(waiting);
	replies->waiting = NULL;
}

void replies_go_on(struct mimobox_session *session)
{
	const struct replies *replies = &session->replies;
	if (replies->waiting && replies->waiting->size && !loop_timer_armed(&replies->timer))
		work(session);
}

static void on_timer(void *data)
{
	struct mimobox_session *session = mimobox_session_ref(data);
	work(session);
	mimobox_session_unref(session);
}

void replies_typed(struct mimobox_session *session, const char *data, size_t size)
{
	struct replies *replies = &session->replies;
	const char *at = data;
	struct query query = { 0 };
	if (!session->config.terminal)
		return;
	while (query_next(&replies->typed_scanner, &at, data + size, &query))
		replies->typed[replies->typed_count++ % REPLIES_TYPED] = query;
}

static bool is_same(const struct query *one, const struct query *other)
{
	return one->kind == other->kind && one->count == other->count &&
	       memcmp(one->numbers, other->numbers, one->count * sizeof(*one->numbers)) == 0;
}

/* Each that was typed counts once. */
static bool was_typed(struct replies *replies, const struct query *query)
{
	for (int i = 0; i < REPLIES_TYPED; i++)
		if (is_same(&replies->typed[i], query)) {
			replies->typed[i].kind = QUERY_NONE;
			return true;
		}
	return false;
}

static void ask(struct mimobox_session *session, const struct query *query, uint64_t at)
{
	struct replies *replies = &session->replies;
	struct replies_waiting *waiting = replies->waiting;
	if (replies->attached || session->config.replies == REPLIES_NEVER ||
	    query->kind == QUERY_OTHER || session->state != MIMOBOX_RUNNING ||
	    was_typed(replies, query))
		return;
	if (!waiting)
		waiting = replies->waiting = calloc(1, sizeof(*waiting));
	if (!waiting || waiting->count == QUERIES_MAX)
		return;
	waiting->end = at;
	if (waiting->count == 0 && answer(session, query, at) == 0)
		return;
	size_t last = (waiting->first + waiting->count++) % QUERIES_MAX;
	waiting->queries[last].at = at;
	waiting->queries[last].query = *query;
}

void replies_scan(struct mimobox_session *session, const char *data, size_t size)
{
	struct replies *replies = &session->replies;
	const char *at = data, *end = data + size;
	struct query query;
	if (!session->config.terminal)
		return;
	while (query_next(&replies->scanner, &at, end, &query))
		ask(session, &query, output_end(session) - (uint64_t)(end - at));
	if (replies->waiting && !loop_timer_armed(&replies->timer))
		work(session);
}

void replies_init(struct mimobox_session *session)
{
	loop_timer_init(&session->replies.timer, session->box->loop, on_timer, session);
}

void replies_finish(struct mimobox_session *session)
{
	loop_timer_disarm(&session->replies.timer);
	free(session->replies.waiting);
	session->replies.waiting = NULL;
}

/* Who answers */

int mimobox_session_answer(struct mimobox_session *session)
{
	struct replies *replies = &session->replies;
	const char *why = NULL;
	if (!session->config.terminal)
		why = "the session has no terminal";
	else if (session->config.replies == REPLIES_ALWAYS)
		why = "the session itself always does";
	else if (replies->attached)
		why = "another does";
	if (why) {
		mimobox_session_log(session, "ctl: answer: %s", why);
		return session->config.terminal ? -EBUSY : -ENOTTY;
	}
	replies->attached = true;
	replies->from = output_end(session);
	session_touch(session);
	return 0;
}

void mimobox_session_answer_no_more(struct mimobox_session *session)
{
	session->replies.attached = false;
	session_touch(session);
}
