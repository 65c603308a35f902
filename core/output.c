/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <string.h>

void output_close(struct output *output)
{
	spool_close(&output->spool);
}

/* The walk over all readers is made only when the old floor comes to stand in the way. */
static uint64_t raise_floor(struct output *output)
{
	uint64_t floor = output->spool.end;
	for (struct mimobox_reader *reader = output->readers; reader; reader = reader->next)
		if (reader->position < floor)
			floor = reader->position;
	output->floor = floor;
	return floor;
}

size_t output_room(struct output *output)
{
	if (output->overflow == OVERFLOW_DROP || !output->readers)
		return SIZE_MAX;
	uint64_t unread = output->spool.end - output->floor;
	if (unread > output->retain / 2)
		unread = output->spool.end - raise_floor(output);
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
	if (output->overflow == OVERFLOW_WAIT && output->readers && output->floor < start) {
		uint64_t floor = raise_floor(output);
		start = floor < start ? floor : start;
	}
	if (start > spool->start)
		forget(output, start);
}

void output_attach(struct output *output, struct mimobox_reader *reader)
{
	reader->output = output;
	reader->position = output->spool.start;
	reader->counted = 0;
	reader->before_position = reader->position;
	reader->before_counted = 0;
	reader->previous = NULL;
	reader->next = output->readers;
	if (reader->next)
		reader->next->previous = reader;
	else
		output->floor = reader->position;
	output->readers = reader;
	output->reader_count++;
	if (reader->position < output->floor)
		output->floor = reader->position;
}

void output_detach(struct output *output, struct mimobox_reader *reader)
{
	if (reader->next)
		reader->next->previous = reader->previous;
	if (reader->previous)
		reader->previous->next = reader->next;
	else
		output->readers = reader->next;
	output->reader_count--;
}

/* A read elsewhere than where the last one ended is a seek, to an absolute offset. */
static void seek(struct output *output, struct mimobox_reader *reader, uint64_t offset)
{
	reader->counted = offset;
	reader->position = offset < output->spool.start ? output->spool.start : offset;
	if (reader->position < output->floor)
		output->floor = reader->position;
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
		reader->position = output->spool.start;
		return -ESTALE;
	}
	if (reader->position >= output->spool.end)
		return output->ended ? 0 : -EAGAIN;
	ssize_t count = look(&output->spool, buffer, size, reader->position, data);
	if (count > 0) {
		reader->before_position = reader->position;
		reader->before_counted = offset;
		reader->position += (uint64_t)count;
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
