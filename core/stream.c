/* SPDX-License-Identifier: MIT */
/*
 * The two directions of a session's terminal, between its master and the session's output and
 * input. The master is watched for reading while there is room for output, and for writing while
 * input waits. Where nothing may be read, the terminal fills up and its own flow control pauses
 * the program, as a slow real terminal would.
 */
#include "session.h"
#include "terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

#define DISK_RETRY_NS UINT64_C(250000000)

static void on_master(void *data, uint32_t events);

static void set_events(struct mimobox_session *session)
{
	uint32_t events = session->paused ? 0 : EPOLLIN;
	if (input_pending(&session->input))
		events |= EPOLLOUT;
	if (!session->master_source || events == session->master_events)
		return;
	session->master_events = events;
	loop_modify(session->master_source, events);
}

void stream_watch(struct mimobox_session *session)
{
	session->paused = false;
	session->master_events = EPOLLIN;
	if (loop_add(session->box->loop, session->sandbox.master, EPOLLIN, on_master, session,
		     &session->master_source) < 0) {
		mimobox_session_log(session, "no memory to watch the terminal: ended");
		session_kill(session, END_KILL);
	}
}

void stream_close(struct mimobox_session *session)
{
	loop_remove(session->master_source);
	session->master_source = NULL;
	if (session->sandbox.master >= 0)
		close(session->sandbox.master);
	session->sandbox.master = -1;
}

/* Output */

static void pause_output(struct mimobox_session *session)
{
	session->paused = true;
	set_events(session);
}

/* The disk took not all of it: what it did not take is in memory, and no more is read now. */
static void disk_is_full(struct mimobox_session *session, int error)
{
	if (error == -ENOMEM)
		mimobox_session_log(session, "output was lost: no room on disk, none in memory");
	else if (!session->paused)
		mimobox_session_log(session, "output paused: spool: %s", strerror(-error));
	if (session->state != MIMOBOX_RUNNING)
		return; /* the little that is still to come is held in memory as well */
	loop_timer_arm(&session->retry_timer, DISK_RETRY_NS);
	pause_output(session);
}

int stream_flush(struct mimobox_session *session)
{
	int error = session->output.spool.held_size ? spool_flush(&session->output.spool) : 0;
	if (error < 0) {
		loop_timer_arm(&session->retry_timer, DISK_RETRY_NS);
		return error;
	}
	if (session->paused) {
		mimobox_session_log(session, "output goes on: the spool has room");
		session->paused = false;
		set_events(session);
	}
	return 0;
}

void stream_reader_moved(struct mimobox_session *session)
{
	if (!session->paused || session->output.spool.held_size || !session->master_source ||
	    output_room(&session->output) == 0)
		return;
	session->paused = false;
	set_events(session);
}

/* One batch. False where there is nothing more to be had now. */
static bool drain_batch(struct mimobox_session *session, bool final)
{
	char *scratch = session->box->scratch;
	size_t room = final ? SIZE_MAX : output_room(&session->output);
	bool ended;
	if (room == 0) {
		pause_output(session);
		return false;
	}
	size_t size = terminal_drain(session->sandbox.master, scratch,
				     room < SESSION_BATCH ? room : SESSION_BATCH, &ended);
	if (size) {
		int error = output_append(&session->output, scratch, size);
		if (error < 0)
			disk_is_full(session, error);
	}
	if (ended)
		stream_close(session);
	if (size)
		session_notify(session, MIMOBOX_OUTPUT);
	return size == SESSION_BATCH && !ended;
}

/*
 * What one wake-up reads is bounded, so that a flood does not keep the loop from others; the
 * last drain, when no process is left, is bounded by what a terminal holds.
 */
void stream_drain(struct mimobox_session *session, bool final)
{
	if (final) {
		session->paused = false;
		set_events(session);
	}
	while (session->sandbox.master >= 0 && drain_batch(session, final) && final)
		;
}

/* Input */

static void pass_input(struct mimobox_session *session)
{
	size_t before = session->input.size;
	int error = input_pass(&session->input, session->sandbox.master);
	if (error < 0 && error != -EAGAIN) {
		mimobox_session_log(session, "input was dropped: %s", strerror(-error));
		input_finish(&session->input);
	}
	set_events(session);
	if (session->input.size < before)
		session_notify(session, MIMOBOX_ROOM);
}

static int check_input(struct mimobox_session *session)
{
	if (session->state == MIMOBOX_CREATED || session->state == MIMOBOX_STARTING)
		return session->removed ? -EPIPE : -EBUSY;
	if (session->state != MIMOBOX_RUNNING || session->sandbox.master < 0)
		return -EPIPE;
	return 0;
}

ssize_t mimobox_session_input(struct mimobox_session *session, const void *data, size_t size)
{
	struct termios modes;
	int error = check_input(session);
	if (error == 0 && tcgetattr(session->sandbox.master, &modes) < 0)
		error = -EPIPE;
	if (error == -EPIPE)
		mimobox_session_log(session, "input refused: the session has ended");
	if (error < 0)
		return error;
	ssize_t count = input_put(&session->input, &modes, data, size);
	if (count == -EMSGSIZE)
		mimobox_session_log(session,
				    "input refused: the terminal is canonical, and a line of more "
				    "than %d bytes would be cut",
				    INPUT_LINE_MAX);
	if (count > 0)
		pass_input(session);
	return count;
}

int stream_end_input(struct mimobox_session *session)
{
	int error = check_input(session);
	if (error == 0)
		error = input_end(&session->input);
	if (error == 0)
		pass_input(session);
	return error;
}

/* The terminal is taken away; what the program had printed is read before. */
void stream_hang_up(struct mimobox_session *session)
{
	drain_batch(session, true); /* more than a terminal holds */
	sandbox_control(&session->sandbox, CONTROL_HANGUP, 0);
	stream_close(session);
	input_finish(&session->input);
	session_notify(session, MIMOBOX_ROOM);
}

static void on_master(void *data, uint32_t events)
{
	struct mimobox_session *session = data;
	mimobox_session_ref(session);
	if (events & EPOLLOUT)
		pass_input(session);
	if (session->master_source && (events & EPOLLIN) && !session->paused)
		stream_drain(session, session->state == MIMOBOX_DRAINING);
	/* Always reported, also when nothing is asked for: then the end will read the rest. */
	if (session->master_source && (events & (EPOLLHUP | EPOLLERR)) &&
	    (session->paused || !(events & EPOLLIN))) {
		loop_remove(session->master_source);
		session->master_source = NULL;
	}
	if (session->state == MIMOBOX_DRAINING && session->sandbox.master < 0)
		session_drained(session);
	mimobox_session_unref(session);
}

/* Readers */

int mimobox_reader_open(struct mimobox_session *session, struct mimobox_reader **out)
{
	struct mimobox_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->session = mimobox_session_ref(session);
	output_attach(&session->output, reader);
	*out = reader;
	return 0;
}

void mimobox_reader_close(struct mimobox_reader *reader)
{
	if (!reader)
		return;
	output_detach(reader->output, reader);
	stream_reader_moved(reader->session);
	mimobox_session_unref(reader->session);
	free(reader);
}

ssize_t mimobox_reader_read(struct mimobox_reader *reader, void *data, size_t size, uint64_t offset)
{
	ssize_t count = output_read(reader->output, reader, data, size, offset);
	if (count > 0)
		stream_reader_moved(reader->session);
	return count;
}

void mimobox_session_output_range(const struct mimobox_session *session, uint64_t *start,
				  uint64_t *end)
{
	*start = session->output.spool.start;
	*end = session->output.spool.end;
}

ssize_t mimobox_session_peek(struct mimobox_session *session, void *data, size_t size,
			     uint64_t offset)
{
	const struct spool *spool = &session->output.spool;
	if (offset < spool->start)
		return -ESTALE;
	return offset >= spool->end ? 0 : spool_read(spool, data, size, offset);
}
