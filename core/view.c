/* SPDX-License-Identifier: MIT */
/*
 * Ways to look at what was printed: as the screen that it makes, as a recording, and by what others
 * need to draw that screen: the sizes, and the modes at the oldest byte that is kept. Screen and
 * recording are made from the spool and the timeline when somebody looks, so that a session that
 * nobody looks at pays for neither. A look that has much to go through does a piece of it at a
 * time.
 */
#include "cast.h"
#include "resume.h"
#include "screen.h"
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What one look may take of the time of all: hostile output can be slow to draw. */
#define LOOK_NS UINT64_C(1000000)

enum { PIECE_BYTES = 4096 };

struct mimobox_cast {
	struct mimobox_session *session; /* a reference */
	struct cast cast;
};

static const struct spool *spool_of(const struct mimobox_session *session)
{
	return &session->streams[MIMOBOX_STDOUT].output.spool;
}

static const struct modes *modes_of(const struct mimobox_session *session)
{
	return &session->streams[MIMOBOX_STDOUT].output.modes;
}

/* Screen */

static int make_screen(struct mimobox_session *session)
{
	uint64_t start = spool_of(session)->start;
	char text[MODES_TEXT_MAX];
	uint16_t rows, cols;
	timeline_size(&session->timeline, start, &rows, &cols);
	timeline_walk_init(&session->screen_walk, start);
	int error = screen_create(rows, cols, &session->screen);
	session->screen_modes = *modes_of(session);
	session->screen_rows = rows;
	session->screen_cols = cols;
	if (error == 0)
		screen_feed(session->screen, text, modes_text(modes_of(session), text));
	return error;
}

/* A piece of the segment; what had to go before anybody looked is missing on the screen. */
static int feed_piece(struct mimobox_session *session, struct timeline_segment *segment)
{
	const struct spool *spool = spool_of(session);
	char piece[PIECE_BYTES];
	if (segment->from < spool->start)
		segment->from = segment->to < spool->start ? segment->to : spool->start;
	uint64_t left = segment->to - segment->from;
	if (left == 0)
		return 0;
	ssize_t size = spool_read(spool, piece, left < sizeof(piece) ? (size_t)left : sizeof(piece),
				  segment->from);
	if (size > 0) {
		screen_feed(session->screen, piece, (size_t)size);
		modes_feed(&session->screen_modes, piece, (size_t)size);
	}
	segment->from += size > 0 ? (uint64_t)size : left;
	return size < 0 ? (int)size : 0;
}

/* xterm, too, takes its region back. */
static int resize(struct mimobox_session *session, uint16_t rows, uint16_t cols)
{
	if (rows != session->screen_rows || cols != session->screen_cols)
		session->screen_modes.top = session->screen_modes.bottom = 0;
	session->screen_rows = rows;
	session->screen_cols = cols;
	return screen_resize(session->screen, rows, cols);
}

/* 0 when it shows all up to `end`; -EINPROGRESS when a piece was done. */
static int update_screen(struct mimobox_session *session, uint64_t end)
{
	struct timeline_segment segment;
	uint64_t until = loop_now() + LOOK_NS;
	while (timeline_walk_next(&session->timeline, &session->screen_walk, end, &segment)) {
		int error = resize(session, segment.rows, segment.cols);
		while (error == 0 && segment.from < segment.to && loop_now() < until)
			error = feed_piece(session, &segment);
		if (segment.from < segment.to)
			timeline_walk_back(&session->screen_walk, segment.from);
		if (error < 0)
			return error;
		if (loop_now() >= until)
			return -EINPROGRESS;
	}
	return 0;
}

int session_screen_at(struct mimobox_session *session, uint64_t offset)
{
	int error = session->screen ? 0 : make_screen(session);
	if (error < 0 || offset < session->screen_walk.offset)
		return error;
	return update_screen(session, offset);
}

/* As it is now; a resize since the last output is seen as well. 0 or as update_screen(). */
static int bring_up_to_date(struct mimobox_session *session)
{
	int error = session_screen_at(session, spool_of(session)->end);
	if (error < 0)
		return error;
	if (session->state == MIMOBOX_EXITED)
		screen_end(session->screen);
	return resize(session, session->rows, session->cols);
}

int mimobox_session_print_screen(struct mimobox_session *session, FILE *to)
{
	int error = bring_up_to_date(session);
	if (error == 0)
		screen_print(session->screen, to);
	return error;
}

int mimobox_session_print_cursor(struct mimobox_session *session, FILE *to)
{
	int row, col, error = bring_up_to_date(session);
	bool visible;
	if (error < 0)
		return error;
	screen_cursor(session->screen, &row, &col, &visible);
	fprintf(to, "%d %d %s\n", row, col, visible ? "visible" : "hidden");
	return 0;
}

static void print_size_at(FILE *to, uint64_t offset, uint16_t rows, uint16_t cols)
{
	fprintf(to, "%" PRIu64 " %u %u\n", offset, rows, cols);
}

void mimobox_session_print_sizes(const struct mimobox_session *session, FILE *to)
{
	uint64_t start = spool_of(session)->start;
	struct timeline_mark mark = { .offset = start };
	size_t index = 0;
	timeline_size(&session->timeline, start, &mark.rows, &mark.cols);
	print_size_at(to, start, mark.rows, mark.cols);
	while (timeline_next_resize(&session->timeline, &index, &mark))
		if (mark.offset >= start)
			print_size_at(to, mark.offset, mark.rows, mark.cols);
	/* The timeline begins with the session. */
	if (mark.rows != session->rows || mark.cols != session->cols)
		print_size_at(to, spool_of(session)->end, session->rows, session->cols);
}

void mimobox_session_print_modes(const struct mimobox_session *session, FILE *to)
{
	char text[MODES_TEXT_MAX];
	modes_text(modes_of(session), text);
	(void)fputs(text, to);
}

/* Cast */

int mimobox_cast_open(struct mimobox_session *session, struct mimobox_cast **out)
{
	struct mimobox_cast *cast = calloc(1, sizeof(*cast));
	if (!cast)
		return -ENOMEM;
	cast->session = mimobox_session_ref(session);
	const struct cast_info info = {
		.spool = spool_of(session),
		.timeline = &session->timeline,
		.modes = modes_of(session),
		.started = session->started.tv_sec ? session->started : session->created,
		.shell = "/bin/sh",
		.term = "xterm-256color",
	};
	cast_init(&cast->cast, &info);
	*out = cast;
	return 0;
}

void mimobox_cast_close(struct mimobox_cast *cast)
{
	if (!cast)
		return;
	mimobox_session_unref(cast->session);
	free(cast);
}

ssize_t mimobox_cast_read(struct mimobox_cast *cast, void *data, size_t size, uint64_t offset)
{
	return cast_read(&cast->cast, data, size, offset, cast->session->state == MIMOBOX_EXITED);
}

size_t mimobox_cast_state(const struct mimobox_cast *cast, void *to)
{
	if (to)
		memcpy(to, &cast->cast, sizeof(cast->cast));
	return sizeof(cast->cast);
}

void mimobox_cast_restore(struct mimobox_cast *cast, const void *state, size_t size)
{
	struct cast_info info = cast->cast.info;
	if (size != sizeof(cast->cast))
		return;
	memcpy(&cast->cast, state, sizeof(cast->cast));
	cast->cast.info = info;
	cast->cast.text = NULL;
}
