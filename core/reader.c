/* SPDX-License-Identifier: MIT */
/* Those who read what a session has printed. */
#include "resume.h"
#include "session.h"

#include <errno.h>
#include <stdlib.h>

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
	int error = output_attach(output_of(session, stream), reader);
	if (error < 0) {
		free(reader);
		return error;
	}
	reader->session = mimobox_session_ref(session);
	*out = reader;
	return 0;
}

void mimobox_reader_close(struct mimobox_reader *reader)
{
	if (!reader)
		return;
	output_detach(reader->output, reader);
	stream_reader_moved(reader->output);
	mimobox_session_unref(reader->session);
	free(reader);
}

ssize_t mimobox_reader_view(struct mimobox_reader *reader, void *buffer, size_t size,
			    uint64_t offset, const void **data)
{
	ssize_t count = output_view(reader->output, reader, buffer, size, offset, data);
	if (count > 0)
		stream_reader_moved(reader->output);
	return count;
}

ssize_t mimobox_reader_read(struct mimobox_reader *reader, void *data, size_t size, uint64_t offset)
{
	ssize_t count = output_read(reader->output, reader, data, size, offset);
	if (count > 0)
		stream_reader_moved(reader->output);
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
	output_move(reader, state->position);
	reader->counted = state->counted;
	reader->before_position = state->before_position;
	reader->before_counted = state->before_counted;
}

void mimobox_reader_again(struct mimobox_reader *reader, uint64_t offset)
{
	if (offset == reader->counted || offset != reader->before_counted)
		return;
	reader->counted = reader->before_counted;
	output_move(reader, reader->before_position);
}
