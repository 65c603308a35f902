/* SPDX-License-Identifier: MIT */
/*
 * What a session prints is read while there is room for it. Where nothing may be read, the
 * terminal or the pipe fills up and its own flow control pauses the program, as a slow real
 * terminal would.
 *
 * What is typed goes out at once as far as it is taken. Only while some of it waits is the way in
 * watched, by a duplicate of its descriptor: a terminal's master is one descriptor for both ways,
 * and the loop has one watcher for each.
 */
#include "resume.h"
#include "session.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define DISK_RETRY_NS UINT64_C(250000000)
/* Until what was printed is written to the spool's file. */
#define FLUSH_NS UINT64_C(50000000)
#define MOMENT_NS UINT64_C(1000000)
/* As long as that after a flood, another is expected. */
#define CALM_NS UINT64_C(50000000)

enum { FLOOD_BYTES = 4096, PIECE_BYTES = 256 * 1024, TURN_BYTES = 16 * 1024, MOMENTS_MAX = 4 };

static void close_typing(struct mimobox_session *session);

/* Out */

static void pause_stream(struct stream *stream, bool pause)
{
	if (stream->source && stream->paused != pause)
		loop_modify(stream->source, pause ? 0 : EPOLLIN | EPOLLET);
	stream->paused = pause;
}

static void set_flood(struct stream *stream, bool flood)
{
	stream->flooded = flood ? stream->session->last_output : 0;
	if (stream->flood == flood)
		return;
	stream->flood = flood;
	attention_flood(&stream->session->box->attention, flood);
	if (stream->source)
		loop_later(stream->source, flood);
}

/*
 * As terminal_read(). Where another may go on in this one's place, the bytes go by way of a pipe:
 * it says even then how many of them were had, see streams_resume().
 */
static size_t drain_staged(struct stream *stream, char *at, size_t room, bool all,
			   enum terminal_state *state)
{
	struct mimobox_session *session = stream->session;
	volatile struct keep_stage *stage = keep_stage_out(session->box->keep);
	if (!stage)
		return terminal_read(stream->fd, at, room, all, state);
	stage->id = session->id;
	stage->part = (uint32_t)(stream - session->streams);
	stage->before = stream->output.spool.end;
	stage->state = KEEP_FILLING;
	size_t size = terminal_stage(stream->fd, stage->pipe[1], room, all, state);
	stage->size = size;
	stage->state = KEEP_EMPTYING;
	if (size && read(stage->pipe[0], at, size) != (ssize_t)size)
		abort(); /* it is all there; whoever comes next has it */
	return size;
}

/* What was drained is counted. */
static void drained_staged(struct stream *stream, size_t size)
{
	volatile struct keep_stage *stage = keep_stage_out(stream->session->box->keep);
	if (!stage)
		return;
	if (size) {
		session_touch(stream->session);
		mimobox_commit(stream->session->box);
	}
	stage->state = KEEP_NOTHING;
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
	loop_remove(stream->source);
	stream->source = NULL;
	if (stream->fd >= 0) {
		if (stream->session->typing.fd == stream->fd)
			close_typing(stream->session);
		close(stream->fd);
	}
	stream->fd = -1;
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

static void on_flush(void *data)
{
	struct stream *stream = data;
	session_touch(stream->session);
	int error = spool_flush(&stream->output.spool);
	if (error < 0) {
		disk_is_full(stream, error);
		return;
	}
	if (!stream->disk_full)
		return;
	mimobox_session_log(stream->session, "output goes on: the spool has room");
	stream->disk_full = false;
	pause_stream(stream, false);
}

static void reader_moved(struct output *output)
{
	struct stream *stream = (struct stream *)((char *)output - offsetof(struct stream, output));
	if (stream->paused && !stream->disk_full && output_room(output) > 0)
		pause_stream(stream, false);
}

static void tell(void *data)
{
	struct stream *stream = data;
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
	if (!flood || stream->untold >= PIECE_BYTES || stream->fd < 0)
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

/*
 * One batch, straight to where it is kept; all that there is of it, or what there is at once. False
 * where there is nothing more to be had now.
 */
static bool drain_batch(struct stream *stream, bool final, bool all, size_t *total)
{
	struct mimobox_session *session = stream->session;
	size_t room, allowed = final ? SIZE_MAX : output_room(&stream->output);
	char *at;
	enum terminal_state state;
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
	size_t size = drain_staged(stream, at, room, all, &state);
	if (size)
		note_time(stream);
	output_commit(&stream->output, size);
	if (size)
		session->last_output = loop_now();
	drained_staged(stream, size);
	if (state == TERMINAL_ENDED)
		close_stream(stream);
	if (size) {
		session->box->stats.bytes_out += size;
		if (!loop_timer_armed(&stream->flush))
			loop_timer_arm(&stream->flush, FLUSH_NS);
		tell_in_time(stream, size);
	}
	*total += size;
	return state == TERMINAL_MORE;
}

/* A writer that keeps up could go on for ever; then it is the turn of others. */
static void take_turn(struct stream *stream, bool final, bool all)
{
	size_t total = 0;
	bool more = true;
	while (more && total < TURN_BYTES)
		more = drain_batch(stream, final, all, &total);
	/* One that had nothing may have failed for want of memory: it is looked at again. */
	if ((more || total == 0) && stream->source && !stream->paused)
		loop_again(stream->source);
}

static void drain(struct stream *stream)
{
	size_t total = 0;
	while (drain_batch(stream, true, true, &total))
		;
}

/*
 * What one wake-up reads is bounded, so that a flood does not keep the loop from others; the last
 * drain, when no process is left, is bounded by what a terminal or a pipe holds.
 */
static void on_stream(void *data, uint32_t events)
{
	struct stream *stream = data;
	struct mimobox_session *session = mimobox_session_ref(stream->session);
	session_touch(session);
	const struct attention *attention = &session->box->attention;
	if (session->state == MIMOBOX_DRAINING) {
		drain(stream);
	} else if ((events & (EPOLLIN | EPOLLHUP)) && !stream->paused) {
		take_turn(stream, false, (events & EPOLLHUP) || !attention_lately(attention));
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		/* Reported also when nothing is asked for: then the end will read the rest. */
		loop_remove(stream->source);
		stream->source = NULL;
	}
	if (session->state == MIMOBOX_DRAINING && !streams_open_still(session))
		session_drained(session);
	mimobox_session_unref(session);
}

void streams_drain(struct mimobox_session *session)
{
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &session->streams[i];
		if (stream->fd < 0)
			continue;
		pause_stream(stream, false);
		drain(stream);
	}
}

bool streams_open_still(const struct mimobox_session *session)
{
	return session->streams[0].fd >= 0 || session->streams[1].fd >= 0;
}

/* In */

static void on_typing(void *data, uint32_t events);

static void watch_typing(struct mimobox_session *session, bool watch)
{
	struct typing *typing = &session->typing;
	if (watch == (typing->source != NULL))
		return;
	if (!watch) {
		loop_remove(typing->source);
		typing->source = NULL;
		close(typing->watched);
		typing->watched = -1;
		return;
	}
	typing->watched = fcntl(typing->fd, F_DUPFD_CLOEXEC, 3);
	if (typing->watched >= 0 && loop_add(session->box->loop, typing->watched, EPOLLOUT,
					     on_typing, session, &typing->source) < 0) {
		close(typing->watched);
		typing->watched = -1;
	}
	if (typing->watched < 0)
		mimobox_session_log(session, "input waits: no descriptor to watch for room");
}

static void close_typing(struct mimobox_session *session)
{
	struct typing *typing = &session->typing;
	watch_typing(session, false);
	if (typing->fd >= 0 && typing->fd != session->streams[0].fd)
		close(typing->fd);
	typing->fd = -1;
	input_finish(&typing->input);
}

/* Without a terminal, the end of input is the end of the pipe. */
static int pass_pipe(struct mimobox_session *session)
{
	struct typing *typing = &session->typing;
	int error = input_pass_pipe(&typing->input, typing->fd);
	if (error == 0 && typing->input.end_count) {
		close_typing(session);
		keep_release_part(session->box->keep, session_keep_sandbox_id(session), SESSION_IN);
	}
	return error;
}

static void pass_input(struct mimobox_session *session)
{
	struct typing *typing = &session->typing;
	session_touch(session);
	size_t before = typing->input.size;
	int error = session->config.terminal ? input_pass(&typing->input, typing->fd)
					     : pass_pipe(session);
	if (error < 0 && error != -EAGAIN && error != -ENOMEM) {
		mimobox_session_log(session, "input was dropped: %s", strerror(-error));
		input_finish(&typing->input);
	}
	watch_typing(session, typing->fd >= 0 && input_pending(&typing->input));
	if (typing->input.size < before)
		session_notify(session, MIMOBOX_ROOM);
}

static void on_typing(void *data, uint32_t events)
{
	(void)events;
	pass_input(data);
}

static int check_input(struct mimobox_session *session)
{
	if (session->state == MIMOBOX_CREATED || session->state == MIMOBOX_STARTING)
		return session->removed ? -EPIPE : -EBUSY;
	if (session->state != MIMOBOX_RUNNING || session->typing.fd < 0 ||
	    (!session->config.terminal && session->typing.input.end_count))
		return -EPIPE;
	return 0;
}

ssize_t mimobox_session_input(struct mimobox_session *session, const void *data, size_t size)
{
	struct termios modes = { 0 }; /* a pipe is as raw as can be */
	int error = check_input(session);
	if (error == 0 && session->config.terminal && tcgetattr(session->typing.fd, &modes) < 0)
		error = -EPIPE;
	if (error == -EPIPE)
		mimobox_session_log(session, "input refused: it has come to its end");
	if (error < 0)
		return error;
	ssize_t count = input_put(&session->typing.input, &modes, data, size);
	if (count == -EMSGSIZE)
		mimobox_session_log(session,
				    "input refused: the terminal is canonical, and a line of more "
				    "than %d bytes would be cut",
				    INPUT_LINE_MAX);
	if (count > 0) {
		idle_use(session);
		session->box->stats.bytes_in += (uint64_t)count;
		if (session->state == MIMOBOX_RUNNING)
			favour_typed(session);
		keep_request_took(session->box->keep, count);
		pass_input(session);
	}
	return count;
}

int streams_end_input(struct mimobox_session *session)
{
	/* it has ended with the session: a client that says so need not be the faster one */
	if (session->state == MIMOBOX_DRAINING || session->state == MIMOBOX_EXITED)
		return 0;
	int error = check_input(session);
	if (error == 0)
		error = input_end(&session->typing.input);
	if (error == 0) {
		keep_request_done(session->box->keep);
		pass_input(session);
	}
	return error;
}

/* All of them */

/* What was typed has gone on its way. */
static void keep_input(void *owner)
{
	struct mimobox_session *session = owner;
	session_touch(session);
	mimobox_commit(session->box);
}

void streams_init(struct mimobox_session *session)
{
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &session->streams[i];
		stream->session = session;
		stream->fd = -1;
		stream->output = (struct output){ .spool.fd = -1, .retain = UINT64_MAX };
		loop_timer_init(&stream->tell, session->box->loop, tell, stream);
		loop_timer_init(&stream->flush, session->box->loop, on_flush, stream);
	}
	session->typing.fd = session->typing.watched = -1;
	session->typing.input.keep = session->box->keep;
	session->typing.input.keep_id = session->id;
	session->typing.input.kept = keep_input;
	session->typing.input.owner = session;
}

void streams_open(struct mimobox_session *session, const int ends[3])
{
	session->typing.fd = ends[0];
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &session->streams[i];
		stream->fd = ends[1 + i];
		stream->paused = false;
		if (stream->fd >= 0 && loop_add(session->box->loop, stream->fd, EPOLLIN | EPOLLET,
						on_stream, stream, &stream->source) < 0) {
			keep_take_up_anew(session->box->keep);
			mimobox_session_log(session, "no memory to watch the output: ended");
			session_kill(session, END_KILL);
		}
	}
}

/* What another had taken from the terminal when it was killed. */
static void resume_staged(struct stream *stream, volatile struct keep_stage *stage)
{
	struct spool *spool = &stream->output.spool;
	char *at;
	size_t room, had = 0;
	int left = 0;
	if (stage->before != spool->end || ioctl(stage->pipe[0], FIONREAD, &left) < 0)
		return; /* it was counted */
	if (stage->state == KEEP_EMPTYING)
		had = (size_t)stage->size - (size_t)left;
	if (had + (size_t)left == 0)
		return;
	if (spool_room(spool, true, &at, &room) < 0 || room < had + (size_t)left) {
		keep_take_up_anew(stream->session->box->keep);
		return;
	}
	/* `had` bytes are there already. In case that this process is killed, too: */
	stage->size = had + (size_t)left;
	stage->state = KEEP_EMPTYING;
	if (left && read(stage->pipe[0], at + had, (size_t)left) != left)
		abort(); /* as in drain_staged() */
	note_time(stream);
	output_commit(&stream->output, had + (size_t)left);
	stream->session->last_output = loop_now();
	stream->session->box->stats.bytes_out += had + (size_t)left;
}

void streams_resume(struct mimobox_session *session, const int ends[3])
{
	volatile struct keep_stage *stage = keep_stage_out(session->box->keep);
	streams_open(session, ends);
	if (stage->state != KEEP_NOTHING && stage->id == session->id) {
		resume_staged(&session->streams[stage->part], stage);
		drained_staged(&session->streams[stage->part], 1);
	}
	for (int i = 0; i < STREAMS; i++) {
		loop_timer_arm(&session->streams[i].flush, 0);
		output_room(&session->streams[i].output); /* its readers are known by now */
	}
	input_resume(&session->typing.input, session->typing.fd, session->config.terminal);
	if (session->typing.fd >= 0 && input_pending(&session->typing.input))
		pass_input(session);
}

void streams_close(struct mimobox_session *session)
{
	close_typing(session);
	for (int i = 0; i < STREAMS; i++)
		close_stream(&session->streams[i]);
}

void streams_end(struct mimobox_session *session)
{
	input_finish(&session->typing.input);
	for (int i = 0; i < STREAMS; i++)
		session->streams[i].output.ended = true;
}

void streams_finish(struct mimobox_session *session)
{
	input_finish(&session->typing.input);
	for (int i = 0; i < STREAMS; i++) {
		loop_timer_disarm(&session->streams[i].tell);
		loop_timer_disarm(&session->streams[i].flush);
		output_close(&session->streams[i].output);
	}
}

/* What the program had printed is read before: a turn is more than a terminal holds. */
void streams_hang_up(struct mimobox_session *session)
{
	for (int i = 0; i < STREAMS; i++)
		if (session->streams[i].fd >= 0)
			take_turn(&session->streams[i], true, true);
	session_say(session, CONTROL_HANGUP, 0);
	streams_close(session);
	for (uint32_t part = SESSION_IN; part <= SESSION_ERROR; part++)
		keep_release_part(session->box->keep, session_keep_sandbox_id(session), part);
	session_notify(session, MIMOBOX_ROOM);
}

/* Readers */

static struct output *output_of(struct mimobox_session *session, enum mimobox_stream stream)
{
	return &session->streams[stream].output;
}

int mimobox_reader_open(struct mimobox_session *session, enum mimobox_stream stream,
			struct mimobox_reader **out)
{
	struct mimobox_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->session = mimobox_session_ref(session);
	output_attach(output_of(session, stream), reader);
	*out = reader;
	return 0;
}

void mimobox_reader_close(struct mimobox_reader *reader)
{
	if (!reader)
		return;
	output_detach(reader->output, reader);
	reader_moved(reader->output);
	mimobox_session_unref(reader->session);
	free(reader);
}

ssize_t mimobox_reader_view(struct mimobox_reader *reader, void *buffer, size_t size,
			    uint64_t offset, const void **data)
{
	idle_use(reader->session);
	ssize_t count = output_view(reader->output, reader, buffer, size, offset, data);
	if (count > 0)
		reader_moved(reader->output);
	return count;
}

ssize_t mimobox_reader_read(struct mimobox_reader *reader, void *data, size_t size, uint64_t offset)
{
	if (size) /* else it is asked what a read would do */
		idle_use(reader->session);
	ssize_t count = output_read(reader->output, reader, data, size, offset);
	if (count > 0)
		reader_moved(reader->output);
	return count;
}

void mimobox_session_output_range(const struct mimobox_session *session, enum mimobox_stream stream,
				  uint64_t *start, uint64_t *end)
{
	const struct spool *spool = &session->streams[stream].output.spool;
	*start = spool->start;
	*end = spool->end;
}

ssize_t mimobox_session_peek(struct mimobox_session *session, enum mimobox_stream stream,
			     void *data, size_t size, uint64_t offset)
{
	const struct spool *spool = &output_of(session, stream)->spool;
	idle_use(session);
	if (offset < spool->start)
		return -ESTALE;
	return offset >= spool->end ? 0 : spool_read(spool, data, size, offset);
}

void mimobox_reader_state(const struct mimobox_reader *reader, struct reader_state *out)
{
	*out = (struct reader_state){ reader->position, reader->counted, reader->before_position,
				      reader->before_counted };
}

void mimobox_reader_restore(struct mimobox_reader *reader, const struct reader_state *state)
{
	reader->position = state->position;
	reader->counted = state->counted;
	reader->before_position = state->before_position;
	reader->before_counted = state->before_counted;
	reader->output->floor = 0; /* it is found anew */
}

void mimobox_reader_again(struct mimobox_reader *reader, uint64_t offset)
{
	if (offset == reader->counted || offset != reader->before_counted)
		return;
	reader->counted = reader->before_counted;
	reader->position = reader->before_position;
	if (reader->position < reader->output->floor)
		reader->output->floor = reader->position;
}
