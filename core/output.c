/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 4 };

void output_close(struct output *output)
{
	spool_close(&output->spool);
	free(output->readers);
	output->readers = NULL;
	output->reader_room = 0;
}

static void put(struct output *output, size_t place, struct mimobox_reader *reader)
{
	output->readers[place] = reader;
	reader->place = place;
}

/* To where it is not before the one above it, and not behind those below. */
static void settle(struct output *output, struct mimobox_reader *reader)
{
	struct mimobox_reader **heap = output->readers;
	size_t place = reader->place, below;
	for (; place > 0 && heap[(place - 1) / 2]->position > reader->position;
	     place = (place - 1) / 2)
		put(output, place, heap[(place - 1) / 2]);
	for (; (below = 2 * place + 1) < output->reader_count; place = below) {
		if (below + 1 < output->reader_count &&
		    heap[below + 1]->position < heap[below]->position)
			below++;
		if (heap[below]->position >= reader->position)
			break;
		put(output, place, heap[below]);
	}
	put(output, place, reader);
}

void output_move(struct mimobox_reader *reader, uint64_t position)
{
	reader->position = position;
	settle(reader->output, reader);
}

/* The oldest byte that a reader has still to read. */
static uint64_t floor_of(const struct output *output)
{
	uint64_t end = output->spool.end;
	return output->reader_count && output->readers[0]->position < end
		       ? output->readers[0]->position
		       : end;
}

size_t output_room(struct output *output)
{
	if (output->overflow == OVERFLOW_DROP || !output->reader_count)
		return SIZE_MAX;
	uint64_t unread = output->spool.end - floor_of(output);
	return unread >= output->retain ? 0 : (size_t)(output->retain - unread);
}

/* What goes leaves its mark on the terminal's modes. */
static void forget(struct output *output, uint64_t start)
{
	char piece[16384];
	struct spool *spool = &output->spool;
	for (uint64_t at = spool->start; at < start;) {
		size_t left = start - at < sizeof(piece) ? (size_t)(start - at) : sizeof(piece);
		ssize_t size = spool_read(spool, piece, left, at);
		if (size <= 0)
			break;
		modes_feed(&output->modes, piece, (size_t)size);
		at += (uint64_t)size;
	}
	spool_trim(spool, start);
}

void output_commit(struct output *output, size_t size)
{
	struct spool *spool = &output->spool;
	spool_commit(spool, size);
	if (spool->end - spool->start <= output->retain)
		return;
	uint64_t start = spool->end - output->retain;
	if (output->overflow == OVERFLOW_WAIT && floor_of(output) < start)
		start = floor_of(output);
	if (start > spool->start)
		forget(output, start);
}

int output_attach(struct output *output, struct mimobox_reader *reader)
{
	if (output->reader_count == output->reader_room) {
		unsigned room = output->reader_room ? 2 * output->reader_room : ROOM_MIN;
		struct mimobox_reader **readers =
			reallocarray(output->readers, room, sizeof(*readers));
		if (!readers)
			return -ENOMEM;
		output->readers = readers;
		output->reader_room = room;
	}
	reader->output = output;
	reader->position = output->spool.start;
	reader->counted = 0;
	reader->before_position = reader->position;
	reader->before_counted = 0;
	reader->place = output->reader_count++;
	settle(output, reader);
	return 0;
}

/* The last one takes its place. */
void output_detach(struct output *output, struct mimobox_reader *reader)
{
	struct mimobox_reader *last = output->readers[--output->reader_count];
	if (last != reader) {
		last->place = reader->place;
		settle(output, last);
	}
}

/* A read elsewhere than where the last one ended is a seek, to an absolute offset. */
static void seek(struct output *output, struct mimobox_reader *reader, uint64_t offset)
{
	reader->counted = offset;
	output_move(reader, offset < output->spool.start ? output->spool.start : offset);
}

static ssize_t look(const struct spool *spool, void *buffer, size_t size, uint64_t offset,
		    const void **data)
{
	uint64_t left = spool->end - offset;
	*data = spool_held(spool, offset);
	if (*data)
		return (ssize_t)(size < left ? size : left);
	*data = buffer;
	return spool_read(spool, buffer, size, offset);
}

ssize_t output_view(struct output *output, struct mimobox_reader *reader, void *buffer, size_t size,
		    uint64_t offset, const void **data)
{
	*data = buffer;
	if (offset != reader->counted)
		seek(output, reader, offset);
	if (reader->position < output->spool.start) {
		output_move(reader, output->spool.start);
		return -ESTALE;
	}
	if (reader->position >= output->spool.end)
		return output->ended ? 0 : -EAGAIN;
	ssize_t count = look(&output->spool, buffer, size, reader->position, data);
	if (count > 0) {
		reader->before_position = reader->position;
		reader->before_counted = offset;
		output_move(reader, reader->position + (uint64_t)count);
		reader->counted = offset + (uint64_t)count;
	}
	return count;
}

ssize_t output_read(struct output *output, struct mimobox_reader *reader, void *data, size_t size,
		    uint64_t offset)
{
	const void *at;
	ssize_t count = output_view(output, reader, data, size, offset, &at);
	if (count > 0 && at != data)
		memcpy(data, at, (size_t)count);
	return count;
}
