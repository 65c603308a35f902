/* SPDX-License-Identifier: MIT */
/*
 * What a session prints is taken from its init while there is room for it. If nothing may be taken,
 * the ring fills up, then the terminal or the pipe, and their own flow control pauses the program,
 * as a slow real terminal would.
 */
#include "monitor.h"
#include "resume.h"
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DISK_RETRY_NS UINT64_C(250000000)
/* Until what was printed is written to the spool's file. */
#define FLUSH_NS UINT64_C(50000000)
#define MOMENT_NS UINT64_C(1000000)
/* As long as that after a flood, another is expected. */
#define CALM_NS UINT64_C(50000000)

enum { FLOOD_BYTES = 4096, PIECE_BYTES = 256 * 1024, TURN_BYTES = 64 * 1024, MOMENTS_MAX = 4 };

/* streams_look() comes, behind others: it can always be rung. */
static void look_again(struct mimobox_session *session)
{
	if (session->contact.bell)
		loop_again(session->contact.bell);
}

/* Out */

static void pause_stream(struct stream *stream, bool pause)
{
	if (stream->paused == pause)
		return;
	stream->paused = pause;
	if (!pause)
		look_again(stream->session);
}

static void set_flood(struct stream *stream, bool flood)
{
	struct mimobox_session *session = stream->session;
	stream->flooded = flood ? session->last_output : 0;
	if (stream->flood == flood)
		return;
	stream->flood = flood;
	favour_flood(session, session->streams[0].flood || session->streams[1].flood);
	if (session->contact.bell)
		loop_later(session->contact.bell, session->favour.floods);
}

/* There is another place for what comes, or what was there was written away: that is known first.
 */
static void keep_room(struct stream *stream)
{
	if (!stream->output.spool.keep || session_keeps_room(stream))
		return;
	session_touch(stream->session);
	mimobox_commit(stream->session->box);
}

static void close_stream(struct stream *stream)
{
	set_flood(stream, false);
	stream->open = false;
}

/* What is held stays in memory, and no more is read now. */
static void disk_is_full(struct stream *stream, int error)
{
	if (!stream->disk_full)
		mimobox_session_log(stream->session, "output paused: spool: %s", strerror(-error));
	stream->disk_full = true;
	loop_timer_arm(&stream->flush, DISK_RETRY_NS);
	pause_stream(stream, true);
}

/* A flood has left memory in a ring, and init has nothing to do. */
static void tidy(struct stream *stream)
{
	struct mimobox_session *session = stream->session;
	uint64_t now = loop_now();
	if (!session->contact.page || !(input_is_untidy(&session->typing.input) ||
					(stream->open && ring_is_untidy(&stream->ring))))
		return;
	if (now - session->last_output < FLUSH_NS || now - session->favour.typed < FLUSH_NS) {
		loop_timer_arm(&stream->flush, FLUSH_NS);
		return;
	}
	session->typing.input.used = 0;
	atomic_store(&session->contact.page->tidy, 1);
	sandbox_call(&session->sandbox);
}

void stream_tidy_later(struct stream *stream)
{
	if (!loop_timer_armed(&stream->flush))
		loop_timer_arm(&stream->flush, FLUSH_NS);
}

static void on_flush(void *data)
{
	struct stream *stream = data;
	session_touch(stream->session);
	int error = spool_flush(&stream->output.spool);
	if (error < 0) {
		disk_is_full(stream, error);
		return;
	}
	tidy(stream);
	if (!stream->disk_full)
		return;
	mimobox_session_log(stream->session, "output goes on: the spool has room");
	stream->disk_full = false;
	pause_stream(stream, false);
}

void stream_reader_moved(struct output *output)
{
	struct stream *stream = (struct stream *)((char *)output - offsetof(struct stream, output));
	if (stream->paused && !stream->disk_full && output_room(output) > 0)
		pause_stream(stream, false);
}

static void tell(struct stream *stream)
{
	if (stream->flood && stream->session->last_output - stream->flooded > CALM_NS)
		set_flood(stream, false);
	stream->untold = 0;
	loop_timer_disarm(&stream->tell);
	session_notify(stream->session, MIMOBOX_OUTPUT);
	favour_answered(stream->session);
}

/* More in a moment than anybody types, or reads. */
static bool is_flood(struct stream *stream, size_t size)
{
	uint64_t now = stream->session->last_output;
	if (now - stream->moment >= MOMENT_NS) {
		stream->moment = now;
		stream->printed = 0;
	}
	stream->printed += size;
	return stream->printed >= FLOOD_BYTES || loop_timer_armed(&stream->tell);
}

static uint64_t moments(const struct stream *stream)
{
	size_t readers = stream->output.reader_count;
	return MOMENT_NS * (readers < 1 ? 1 : readers < MOMENTS_MAX ? readers : MOMENTS_MAX);
}

/*
 * A little is told of at once: somebody is typing. In a flood, each answer to a reader is a pause
 * for the program, whose terminal holds but a few kilobytes; so that is done when there is a good
 * piece to give, or when a moment has passed for each of them.
 */
static void tell_in_time(struct stream *stream, size_t size)
{
	stream->untold += size;
	bool flood = is_flood(stream, size);
	if (flood)
		set_flood(stream, true);
	if (!flood || stream->untold >= PIECE_BYTES || !stream->open)
		tell(stream);
	else if (!loop_timer_armed(&stream->tell) &&
		 loop_timer_arm(&stream->tell, moments(stream)) < 0)
		tell(stream);
}

/* For the recording: when what comes now came. What was dropped is forgotten there as well. */
static void note_time(struct stream *stream)
{
	struct mimobox_session *session = stream->session;
	const struct spool *spool = &stream->output.spool;
	if (stream != &session->streams[MIMOBOX_STDOUT])
		return;
	timeline_output(&session->timeline, spool->end, loop_now() - session->begun);
	if (spool->start > 0)
		timeline_trim(&session->timeline, spool->start);
}

/* What init says cannot be: nothing more is believed of it. */
static void distrust(struct stream *stream)
{
	mimobox_session_log(stream->session, "output: init's numbers are wrong: ended");
	close_stream(stream);
	session_kill_now(stream->session);
}

/* They are where they are kept; only when that is known do they leave the ring. */
static void took(struct stream *stream, const char *at, size_t size)
{
	struct mimobox_session *session = stream->session;
	note_time(stream);
	output_commit(&stream->output, size);
	session->last_output = loop_now();
	session_touch(session);
	mimobox_commit(session->box);
	if (ring_took(&stream->ring, size))
		sandbox_call(&session->sandbox);
	if (stream == &session->streams[MIMOBOX_STDOUT])
		replies_scan(session, at, size);
	session->box->stats.bytes_out += size;
	stream_tidy_later(stream);
	tell_in_time(stream, size);
}

/* How many bytes there are to take; closes the stream where there will be no more. */
static size_t look(struct stream *stream)
{
	size_t there = 0;
	if (!stream->open)
		return 0;
	bool last = stream->session->gone || ring_has_ended(&stream->ring);
	int error = ring_look(&stream->ring, &there);
	typing_hear_of_size(stream->session); /* what was printed behind that comes behind it */
	if (error < 0)
		distrust(stream);
	else if (there == 0 && last)
		close_stream(stream);
	return there;
}

/*
 * One batch, straight to where it is kept. False if there is nothing more to take, or no room for
 * it.
 */
static bool drain_batch(struct stream *stream, bool final, size_t *total)
{
	size_t room, there = look(stream), allowed;
	char *at;
	if (there == 0)
		return false;
	allowed = final ? SIZE_MAX : output_room(&stream->output);
	if (allowed == 0) {
		pause_stream(stream, true);
		return false;
	}
	int error = spool_room(&stream->output.spool, final, &at, &room);
	keep_room(stream);
	if (error < 0) {
		disk_is_full(stream, error);
		return false;
	}
	room = room < allowed ? room : allowed;
	room = room < TURN_BYTES ? room : TURN_BYTES;
	size_t size = there < room ? there : room;
	ring_copy(&stream->ring, at, size);
	took(stream, at, size);
	*total += size;
	return true;
}

/* In a flood there is a timer that looks. */
static void await(struct stream *stream)
{
	if (stream->open && !stream->paused &&
	    !ring_await(&stream->ring, loop_timer_armed(&stream->tell) ? RING_SIZE / 2 : 1))
		look_again(stream->session);
}

/* A writer that keeps up could go on for ever; then it is the turn of others. */
static void take_turn(struct stream *stream, bool final)
{
	size_t total = 0;
	bool more = true;
	while (more && total < TURN_BYTES)
		more = drain_batch(stream, final, &total);
	await(stream);
}

static void on_tell(void *data)
{
	struct stream *stream = data;
	struct mimobox_session *session = mimobox_session_ref(stream->session);
	if (stream->open && !stream->paused)
		take_turn(stream, false);
	tell(stream);
	await(stream);
	mimobox_session_unref(session);
}

/* All of it, whatever the limit is: a ring, and what init has still to read. */
static void drain(struct stream *stream)
{
	size_t total = 0;
	while (drain_batch(stream, true, &total))
		;
	await(stream);
}

void streams_look(struct mimobox_session *session)
{
	if (!session->contact.page)
		return;
	mimobox_session_ref(session);
	session_touch(session);
	typing_hear(session);
	typing_hear_of_size(session);
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &session->streams[i];
		if (session->state == MIMOBOX_DRAINING)
			drain(stream);
		else if (!stream->paused || session->typing.closed)
			take_turn(stream, session->typing.closed);
	}
	if (session->state == MIMOBOX_DRAINING && !streams_open_still(session))
		session_drained(session);
	mimobox_session_unref(session);
}

void streams_drain(struct mimobox_session *session)
{
	for (int i = 0; i < STREAMS; i++) {
		pause_stream(&session->streams[i], false);
		drain(&session->streams[i]);
	}
}

bool streams_open_still(const struct mimobox_session *session)
{
	return session->streams[0].open || session->streams[1].open;
}

/* All of them */

void streams_init(struct mimobox_session *session)
{
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &session->streams[i];
		stream->session = session;
		stream->output = (struct output){ .spool.fd = -1, .retain = UINT64_MAX };
		loop_timer_init(&stream->tell, session->box->loop, on_tell, stream);
		loop_timer_init(&stream->flush, session->box->loop, on_flush, stream);
	}
}

static void on_bell(void *data, uint32_t events)
{
	(void)events;
	session_hear(data);
}

/* The page stays open: the server runs out of descriptors before the keeper, which has one, too. */
static int make_contact(struct mimobox_session *session)
{
	struct contact *contact = &session->contact;
	struct sandbox *sandbox = &session->sandbox;
	int error = monitor_map(sandbox->page, &contact->page);
	if (error == 0)
		error = loop_add(session->box->loop, sandbox->bell, EPOLLOUT | EPOLLET, on_bell,
				 session, &contact->bell);
	if (error < 0) {
		monitor_unmap(contact->page);
		contact->page = NULL;
	}
	return error;
}

void streams_open(struct mimobox_session *session)
{
	struct ring_view rings[STREAMS];
	int error = make_contact(session);
	if (error < 0) {
		keep_take_up_anew(session->box->keep);
		mimobox_session_log(session, "no use of the terminal: %s: ended", strerror(-error));
		session_kill_now(session);
		return;
	}
	monitor_take_up(session->contact.page, rings, &session->typing.input);
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &session->streams[i];
		stream->ring = rings[i];
		stream->paused = false;
		stream->open = i == 0 || !session->config.terminal;
		await(stream);
	}
}

void streams_resume(struct mimobox_session *session, const bool *open)
{
	streams_open(session);
	if (!session->contact.page)
		return;
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &session->streams[i];
		stream->open = stream->open && open[i];
		ring_resume(&stream->ring, stream->output.spool.end);
		loop_timer_arm(&stream->flush, 0);
		output_room(&stream->output); /* its readers are known by now */
	}
	typing_resume(session);
	sandbox_call(&session->sandbox); /* the other may have been killed before it did */
}

bool streams_exit_status(const struct mimobox_session *session, int *status)
{
	const struct monitor_page *page = session->contact.page;
	if (!page || !atomic_load(&page->ended))
		return false;
	*status = page->status;
	return true;
}

void streams_close(struct mimobox_session *session)
{
	struct contact *contact = &session->contact;
	for (int i = 0; i < STREAMS; i++) {
		close_stream(&session->streams[i]);
		session->streams[i].ring = (struct ring_view){ 0 };
	}
	loop_remove(contact->bell);
	contact->bell = NULL;
	if (contact->page)
		typing_keep_answer(&session->typing);
	session->typing.input.shared = NULL;
	monitor_unmap(contact->page);
	contact->page = NULL;
}

void streams_end(struct mimobox_session *session)
{
	for (int i = 0; i < STREAMS; i++)
		session->streams[i].output.ended = true;
}

void streams_finish(struct mimobox_session *session)
{
	for (int i = 0; i < STREAMS; i++) {
		loop_timer_disarm(&session->streams[i].tell);
		loop_timer_disarm(&session->streams[i].flush);
		output_close(&session->streams[i].output);
	}
}

/* What the program had printed is read before: that takes room. */
void streams_hang_up(struct mimobox_session *session)
{
	session_touch(session);
	session->typing.closed = true;
	look_again(session);
	session_notify(session, MIMOBOX_ROOM);
}
