/* SPDX-License-Identifier: MIT */
/*
 * The recording: whatever is printed, and whenever, each line is JSON, the whole is UTF-8, times do
 * not go back, and who plays it sees the screen that there was. What was once read stays as it is,
 * however it is read, and in the midst of the session as well.
 *
 * The input: operations of one byte and what each takes.
 */
#include "fuzz.h"
#include "utf8_check.h"

#include <cast.h>
#include <errno.h>
#include <jansson.h>
#include <screen.h>

enum { ROWS = 4, COLS = 20, OPERATIONS = 64, SIZE = 1 << 18 };

struct recording {
	struct spool spool;
	struct timeline timeline;
	struct screen *seen; /* by who was there */
	uint64_t now;
	bool trimmed;
	struct cast live; /* read while it was made */
	size_t read_size;
};

/* What was read of it: while it was made, at once, and in pieces. */
static char texts[3][SIZE];

/* Session */

static void print(struct recording *recording, const uint8_t *bytes, size_t size)
{
	screen_feed(recording->seen, bytes, size);
	timeline_output(&recording->timeline, recording->spool.end, recording->now);
	while (size) {
		char *at;
		size_t room;
		CHECK(spool_room(&recording->spool, true, &at, &room) == 0);
		room = room < size ? room : size;
		memcpy(at, bytes, room);
		spool_commit(&recording->spool, room);
		bytes += room;
		size -= room;
	}
}

/* Always before some output: of several resizes with none in between, only the last is recorded. */
static void resize(struct recording *recording, uint16_t rows, uint16_t cols, uint8_t next)
{
	CHECK(timeline_resize(&recording->timeline, recording->spool.end, recording->now, rows,
			      cols) == 0);
	CHECK(screen_resize(recording->seen, rows, cols) == 0);
	print(recording, &next, 1);
}

static void read_on(struct recording *recording, size_t size, bool ended)
{
	ssize_t count;
	CHECK(recording->read_size + size <= SIZE);
	count = cast_read(&recording->live, texts[0] + recording->read_size, size,
			  recording->read_size, ended);
	if (count == -ESTALE && recording->trimmed) /* of an event that it had a part of */
		return;
	CHECK(count >= 0 && (size_t)count <= size);
	recording->read_size += (size_t)count;
}

static void trim(struct recording *recording, size_t part)
{
	const struct spool *spool = &recording->spool;
	uint64_t start = spool->start + (spool->end - spool->start) * part / 256;
	if (start == spool->start)
		return;
	spool_trim(&recording->spool, start);
	timeline_trim(&recording->timeline, start);
	recording->trimmed = true;
}

static void step(struct recording *recording, struct fuzz_input *input)
{
	uint8_t operation = fuzz_byte(input);
	size_t taken;
	recording->now += (uint64_t)(operation >> 3) * 1000003;
	switch (operation & 7) {
	case 0:
	case 1:
	case 2: {
		size_t size = fuzz_byte(input);
		const uint8_t *bytes = fuzz_take(input, size, &taken);
		print(recording, bytes, taken);
		break;
	}
	case 3: {
		uint8_t byte = fuzz_byte(input);
		resize(recording, (uint16_t)(byte % 16 + 1), (uint16_t)(byte / 16 + 1),
		       fuzz_byte(input));
		break;
	}
	case 4:
		recording->now += fuzz_number(input, 4);
		break;
	case 5:
		read_on(recording, fuzz_byte(input), false);
		break;
	case 6:
		if (fuzz_byte(input) > 250)
			trim(recording, fuzz_byte(input));
		break;
	default:
		timeline_seal(&recording->timeline);
	}
}

/* The recording of it */

static void read_whole(struct recording *recording, size_t piece, char *text, size_t *size)
{
	const struct cast_info info = recording->live.info;
	struct cast cast;
	ssize_t count;
	cast_init(&cast, &info);
	*size = 0;
	do {
		CHECK(*size + piece <= SIZE);
		count = cast_read(&cast, text + *size, piece, *size, true);
		CHECK(count >= 0 && (size_t)count <= piece);
		*size += (size_t)count;
	} while (count > 0);
}

static struct screen *play_header(json_t *header)
{
	struct screen *screen;
	CHECK(json_is_object(header));
	CHECK(json_integer_value(json_object_get(header, "version")) == 2);
	json_int_t rows = json_integer_value(json_object_get(header, "height"));
	json_int_t cols = json_integer_value(json_object_get(header, "width"));
	CHECK(rows >= 1 && rows <= 65535 && cols >= 1 && cols <= 65535);
	CHECK(screen_create((uint16_t)rows, (uint16_t)cols, &screen) == 0);
	return screen;
}

static void play_event(struct screen *screen, json_t *event, double *time)
{
	CHECK(json_is_array(event) && json_array_size(event) == 3);
	CHECK(json_is_real(json_array_get(event, 0)));
	double at = json_real_value(json_array_get(event, 0));
	CHECK(at >= *time);
	*time = at;
	const char *type = json_string_value(json_array_get(event, 1));
	json_t *data = json_array_get(event, 2);
	CHECK(type && json_is_string(data));
	if (strcmp(type, "o") == 0) {
		CHECK(json_string_length(data) > 0);
		screen_feed(screen, json_string_value(data), json_string_length(data));
	} else {
		unsigned rows, cols;
		CHECK(strcmp(type, "r") == 0);
		CHECK(sscanf(json_string_value(data), "%ux%u", &cols, &rows) == 2);
		CHECK(screen_resize(screen, (uint16_t)rows, (uint16_t)cols) == 0);
	}
}

static struct screen *play(const char *text, size_t size)
{
	struct screen *screen = NULL;
	double time = 0;
	while (size) {
		const char *end = memchr(text, '\n', size);
		CHECK(end);
		json_error_t error;
		json_t *line = json_loadb(text, (size_t)(end - text),
					  JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
		CHECK(line);
		if (screen)
			play_event(screen, line, &time);
		else
			screen = play_header(line);
		json_decref(line);
		size -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	CHECK(screen);
	return screen;
}

static void compare_screens(const struct screen *a, const struct screen *b)
{
	const struct screen *screens[2] = { a, b };
	char *text[2];
	size_t size[2];
	for (int i = 0; i < 2; i++) {
		FILE *to = open_memstream(&text[i], &size[i]);
		CHECK(to);
		screen_print(screens[i], to);
		fclose(to);
	}
	if (size[0] != size[1] || memcmp(text[0], text[1], size[0]) != 0) {
		fprintf(stderr, "--- there was:\n%s--- is played:\n%s", text[0], text[1]);
		abort();
	}
	free(text[0]);
	free(text[1]);
}

static void check(struct recording *recording, size_t piece)
{
	size_t size, again;
	char *text = texts[1];
	read_whole(recording, 4096, text, &size);
	read_whole(recording, piece, texts[2], &again);
	CHECK(size == again && memcmp(text, texts[2], size) == 0);
	check_utf8(text, size);
	if (!recording->trimmed) {
		CHECK(recording->read_size <= size);
		CHECK(memcmp(texts[0], text, recording->read_size) == 0);
		struct screen *played = play(text, size);
		screen_end(recording->seen);
		compare_screens(recording->seen, played);
		screen_destroy(played);
	} else {
		screen_destroy(play(text, size));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct recording recording = { .spool.fd = -1 };
	const struct cast_info info = { .spool = &recording.spool,
					.timeline = &recording.timeline,
					.started = { 1700000000, 5 },
					.shell = "/bin/sh",
					.term = "a \"quoted\" term" };
	size_t piece = (size_t)fuzz_byte(&input) + 1;
	CHECK(screen_create(ROWS, COLS, &recording.seen) == 0);
	timeline_init(&recording.timeline, ROWS, COLS);
	cast_init(&recording.live, &info);
	for (int i = 0; i < OPERATIONS && input.size; i++)
		step(&recording, &input);
	check(&recording, piece);
	screen_destroy(recording.seen);
	timeline_finish(&recording.timeline);
	spool_close(&recording.spool);
	return 0;
}
