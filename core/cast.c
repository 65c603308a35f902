/* SPDX-License-Identifier: MIT */
/*
 * The text is made a piece at a time: the header, a resize, or at most PIECE bytes of output of
 * one time. Where the pieces end depends only on the timeline and the spool, never on the reader:
 * a segment of the timeline is cut every PIECE bytes from its beginning, and the timeline is
 * sealed where a reader takes the present end for that of a segment, so that it is for everybody.
 *
 * A character whose bytes are in two pieces goes to the second. Bytes that aren't UTF-8 become
 * U+FFFD as utf8.h says, which is what a terminal shows for them.
 *
 * Where the oldest output was dropped, the recording begins at what is kept, at the size that was
 * in force there, in the modes, and with that time as 0. Output that is dropped under a reader is
 * left out.
 */
#include "cast.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PIECE = 4096,
	EVENT_MAX = 64,                   /* an event but for its data */
	TEXT_MAX = PIECE * 6 + EVENT_MAX, /* \u001b for each byte */
	FIELD_MAX = TEXT_MAX / 16,        /* of shell and term */
	SKIP_MAX = 1 << 18,               /* of text made and thrown away in one call */
};

void cast_init(struct cast *cast, const struct cast_info *info)
{
	*cast = (struct cast){ .info = *info };
}

/* Writing; there is room in cast->text */

static void append(struct cast *cast, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append(struct cast *cast, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int size = vsnprintf(cast->text + cast->text_size, TEXT_MAX - cast->text_size, format,
			     arguments);
	va_end(arguments);
	cast->text_size += (size_t)size;
}

/* A character in a JSON string. Of controls, also those that JSON would allow. */
static void append_character(struct cast *cast, uint32_t code)
{
	static const char shorthands[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
					   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\' };
	char *to = cast->text + cast->text_size;
	if (code < sizeof(shorthands) && shorthands[code]) {
		to[0] = '\\';
		to[1] = shorthands[code];
		cast->text_size += 2;
	} else if (code < ' ' || (code >= 0x7f && code < 0xa0)) {
		append(cast, "\\u%04" PRIx32, code);
	} else {
		cast->text_size += utf8_put(code, to);
	}
}

static void append_bytes(struct cast *cast, struct utf8 *decoder, const char *data, size_t size)
{
	uint32_t codes[2];
	for (size_t i = 0; i < size; i++) {
		unsigned count = utf8_feed(decoder, (unsigned char)data[i], codes);
		for (unsigned j = 0; j < count; j++)
			append_character(cast, codes[j]);
	}
}

static void append_field(struct cast *cast, const char *name, const char *value, bool *any)
{
	struct utf8 decoder = { 0 };
	if (!value)
		return;
	append(cast, "%s\"%s\": \"", *any ? ", " : "", name);
	append_bytes(cast, &decoder, value, strnlen(value, FIELD_MAX));
	append(cast, "\"");
	*any = true;
}

static void append_header(struct cast *cast)
{
	uint64_t start = cast->info.spool->start;
	bool any = false;
	timeline_size(cast->info.timeline, start, &cast->rows, &cast->cols);
	timeline_walk_init(&cast->walk, start);
	cast->epoch = start ? timeline_time(cast->info.timeline, start) : 0;
	append(cast,
	       "{\"version\": 2, \"width\": %u, \"height\": %u, \"timestamp\": %lld, \"env\": {",
	       cast->cols, cast->rows,
	       (long long)cast->info.started.tv_sec + (long long)(cast->epoch / 1000000000));
	append_field(cast, "SHELL", cast->info.shell, &any);
	append_field(cast, "TERM", cast->info.term, &any);
	append(cast, "}}\n");
}

static void begin_event(struct cast *cast, char type)
{
	uint64_t time = cast->segment.time > cast->epoch ? cast->segment.time - cast->epoch : 0;
	append(cast, "[%" PRIu64 ".%06" PRIu64 ", \"%c\", \"", time / 1000000000,
	       time / 1000 % 1000000, type);
}

static void end_event(struct cast *cast)
{
	append(cast, "\"]\n");
}

/* What is gone has left the terminal in some modes: it begins with these. */
static void append_modes(struct cast *cast)
{
	char text[MODES_TEXT_MAX];
	struct utf8 decoder = { 0 };
	size_t size = cast->info.modes ? modes_text(cast->info.modes, text) : 0;
	if (size == 0)
		return;
	begin_event(cast, 'o');
	append_bytes(cast, &decoder, text, size);
	end_event(cast);
}

/* Pieces */

static void append_resize(struct cast *cast)
{
	cast->rows = cast->segment.rows;
	cast->cols = cast->segment.cols;
	begin_event(cast, 'r');
	append(cast, "%ux%u", cast->cols, cast->rows);
	end_event(cast);
}

/* What was dropped meanwhile is left out. */
static void skip_dropped(struct cast *cast)
{
	uint64_t start = cast->info.spool->start;
	if (cast->segment.from >= start)
		return;
	cast->decoder = (struct utf8){ 0 };
	cast->segment.from = cast->segment.to = start;
	timeline_walk_init(&cast->walk, start);
}

static int append_output(struct cast *cast)
{
	char data[PIECE];
	struct timeline_segment *segment = &cast->segment;
	uint64_t left = segment->to - segment->from;
	size_t size = left < PIECE ? (size_t)left : PIECE, done = 0;
	while (done < size) { /* all of it: or the text would depend on luck */
		ssize_t count = spool_read(cast->info.spool, data + done, size - done,
					   segment->from + done);
		if (count <= 0)
			return count < 0 ? (int)count : -EIO;
		done += (size_t)count;
	}
	segment->from += size;
	size_t before = cast->text_size;
	begin_event(cast, 'o');
	size_t empty = cast->text_size;
	append_bytes(cast, &cast->decoder, data, size);
	if (cast->text_size == empty) /* part of one character only */
		cast->text_size = before;
	else
		end_event(cast);
	return 0;
}

static void append_end(struct cast *cast)
{
	cast->finished = true;
	if (!utf8_finish(&cast->decoder))
		return;
	begin_event(cast, 'o');
	append_character(cast, UTF8_REPLACEMENT);
	end_event(cast);
}

/* The next segment as far as it is known, which is then settled. False: there is none. */
static bool next_segment(struct cast *cast)
{
	uint64_t end = cast->info.spool->end;
	bool more = timeline_walk_next(cast->info.timeline, &cast->walk, end, &cast->segment);
	if (!more || cast->segment.to == end)
		timeline_seal(cast->info.timeline);
	return more;
}

static int append_piece(struct cast *cast)
{
	switch (cast->piece.kind) {
	case CAST_HEADER:
		append_header(cast);
		append_modes(cast);
		return 0;
	case CAST_RESIZE:
		append_resize(cast);
		return 0;
	case CAST_OUTPUT:
		return append_output(cast);
	case CAST_END:
		append_end(cast);
		return 0;
	}
	return 0;
}

static int make(struct cast *cast, enum cast_kind kind)
{
	cast->text_size = cast->text_read = 0;
	cast->piece =
		(struct cast_piece){ kind, cast->segment, cast->decoder, cast->info.spool->start };
	int error = append_piece(cast);
	return error < 0 ? error : 1;
}

/* Makes some text, maybe of no size. 1; 0 at the end of what there is; or -errno. */
static int make_piece(struct cast *cast, bool ended)
{
	struct timeline_segment *segment = &cast->segment;
	if (!cast->begun) {
		int made = make(cast, CAST_HEADER);
		segment->from = segment->to = cast->info.spool->start;
		cast->begun = true;
		return made;
	}
	skip_dropped(cast);
	if (segment->from == segment->to && !next_segment(cast))
		return ended && !cast->finished ? make(cast, CAST_END) : 0;
	if (segment->rows != cast->rows || segment->cols != cast->cols)
		return make(cast, CAST_RESIZE);
	return segment->from < segment->to ? make(cast, CAST_OUTPUT) : 1;
}

/* The last piece once more, of which a part was read. */
static int make_again(struct cast *cast)
{
	struct cast is = *cast;
	uint64_t start = cast->info.spool->start;
	bool lost = cast->piece.kind == CAST_HEADER
			    ? start != cast->piece.start
			    : cast->piece.kind == CAST_OUTPUT && start > cast->piece.segment.from;
	if (lost) {
		cast->text_read = cast->text_size;
		return -ESTALE;
	}
	cast->segment = cast->piece.segment;
	cast->decoder = cast->piece.decoder;
	cast->text_size = 0;
	int error = append_piece(cast);
	*cast = is;
	return error;
}

/* Reading */

static void rewind_to_start(struct cast *cast)
{
	struct cast_info info = cast->info;
	cast_init(cast, &info);
}

/* Takes up to `size` bytes of what is made; to nowhere if `data` is NULL. */
static size_t take_text(struct cast *cast, char *data, uint64_t size)
{
	size_t left = cast->text_size - cast->text_read;
	size_t count = size < left ? (size_t)size : left;
	if (data && count)
		memcpy(data, cast->text + cast->text_read, count);
	cast->text_read += count;
	cast->position += count;
	return count;
}

static int skip_to(struct cast *cast, uint64_t offset, bool ended)
{
	uint64_t begun_at = cast->position;
	while (cast->position < offset) {
		if (take_text(cast, NULL, offset - cast->position))
			continue;
		if (cast->position - begun_at > SKIP_MAX)
			return -EINPROGRESS;
		int made = make_piece(cast, ended);
		if (made <= 0)
			return made;
	}
	return 1;
}

ssize_t cast_read(struct cast *cast, void *data, size_t size, uint64_t offset, bool ended)
{
	size_t done = 0;
	if (offset < cast->position)
		rewind_to_start(cast);
	cast->text = malloc(TEXT_MAX);
	int there = cast->text ? 1 : -ENOMEM;
	if (there > 0 && cast->text_read < cast->text_size)
		there = make_again(cast);
	if (there >= 0)
		there = skip_to(cast, offset, ended);
	while (there > 0 && done < size) {
		size_t count = take_text(cast, (char *)data + done, size - done);
		done += count;
		if (count)
			continue;
		there = make_piece(cast, ended);
	}
	free(cast->text);
	cast->text = NULL;
	return done ? (ssize_t)done : there < 0 ? there : 0;
}
