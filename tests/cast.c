/* SPDX-License-Identifier: MIT */
/* The recording of a session: what it says, that it replays to the same screen, and how it grows.
 */
#include "cast.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "screen.h"

#define MS UINT64_C(1000000)

static struct spool spool;
static struct timeline timeline;
static uint64_t now;
static struct modes modes;
static struct cast_info info = { &spool, &timeline, { 1700000000, 5 }, "/bin/sh", "xterm", &modes };

static void setup(void)
{
	cr_assert_eq(spool_open(&spool, "/var/tmp"), 0);
	timeline_init(&timeline, 24, 80);
}

static void teardown(void)
{
	spool_close(&spool);
	timeline_finish(&timeline);
}

TestSuite(cast, .init = setup, .fini = teardown, .timeout = 100);

/* A session */

static void print(const void *bytes, size_t size)
{
	timeline_output(&timeline, spool.end, now);
	while (size) {
		char *at;
		size_t room;
		cr_assert_eq(spool_room(&spool, true, &at, &room), 0);
		room = room < size ? room : size;
		memcpy(at, bytes, room);
		spool_commit(&spool, room);
		bytes = (const char *)bytes + room;
		size -= room;
	}
}

static void say(uint64_t ms, const char *text)
{
	now = ms * MS;
	print(text, strlen(text));
}

static void resize(uint64_t ms, uint16_t rows, uint16_t cols)
{
	now = ms * MS;
	timeline_resize(&timeline, spool.end, now, rows, cols);
}

struct text {
	char *data;
	size_t size;
};

/* All there is now, in reads of at most `step`, 0-terminated. */
static struct text recording(size_t step, bool ended)
{
	struct text text = { 0 };
	size_t room = 0;
	struct cast cast;
	ssize_t count;
	cast_init(&cast, &info);
	do {
		if (room < text.size + step + 1)
			text.data = realloc(text.data, room = 2 * room + step + 1);
		count = cast_read(&cast, text.data + text.size, step, text.size, ended);
		cr_assert_geq(count, 0, "%zd", count);
		text.size += (size_t)count;
	} while (count > 0);
	text.data[text.size] = '\0';
	return text;
}

static void expect_recording(bool ended, const char *events)
{
	struct text text = recording(65536, ended);
	const char *end = strchr(text.data, '\n');
	cr_assert_not_null(end);
	cr_expect_str_eq(end + 1, events, "%s", text.data);
	free(text.data);
}

Test(cast, a_header_alone)
{
	struct text text = recording(100, false);
	cr_expect_str_eq(
		text.data,
		"{\"version\": 2, \"width\": 80, \"height\": 24, \"timestamp\": 1700000000, "
		"\"env\": {\"SHELL\": \"/bin/sh\", \"TERM\": \"xterm\"}}\n");
	free(text.data);
}

Test(cast, a_header_of_strange_words)
{
	info.shell = NULL;
	info.term = "\"\\\n\033\377";
	struct text text = recording(7, false);
	cr_expect_not_null(
		strstr(text.data, "\"env\": {\"TERM\": \"\\\"\\\\\\n\\u001b\uFFFD\"}}\n"), "%s",
		text.data);
	free(text.data);
}

Test(cast, times_and_sizes)
{
	resize(0, 30, 90);
	say(1, "a");
	say(1500, "b\r\n");
	resize(2000, 1, 2);
	say(123456789, "c");
	expect_recording(true, "[0.000000, \"r\", \"90x30\"]\n"
			       "[0.000000, \"o\", \"a\"]\n"
			       "[1.500000, \"o\", \"b\\r\\n\"]\n"
			       "[2.000000, \"r\", \"2x1\"]\n"
			       "[123456.789000, \"o\", \"c\"]\n");
}

static const struct {
	const char *name, *bytes, *json;
	size_t size; /* 0: to the first NUL */
} escapes[] = {
	{ "quotes", "\"\\/", "\\\"\\\\/", 0 },
	{ "controls", "\b\t\n\v\f\r\033\001", "\\b\\t\\n\\u000b\\f\\r\\u001b\\u0001", 0 },
	{ "NUL and DEL", "a\0b\177", "a\\u0000b\\u007f", 4 },
	{ "controls as UTF-8", "\302\200\302\237\302\240", "\\u0080\\u009f\302\240", 0 },
	{ "controls as bytes", "\200\233\237", "\uFFFD\uFFFD\uFFFD", 0 },
	{ "characters", "é日\U0001f600\U0010ffff", "é日\U0001f600\U0010ffff", 0 },
	{ "surrogates", "\355\240\200x", "\uFFFDx", 0 },
	{ "overlong", "\300\200\340\200\200\360\200\200\200x", "\uFFFD\uFFFD\uFFFDx", 0 },
	{ "too high", "\364\220\200\200\370\210\200\200\200\376\377", "\uFFFD\uFFFD\uFFFD\uFFFD",
	  0 },
	{ "cut short", "\342\202x\342\033[m\360\237\230", "\uFFFDx\uFFFD\\u001b[m\uFFFD", 0 },
};

Test(cast, bytes_in_json)
{
	for (unsigned i = 0; i < sizeof(escapes) / sizeof(*escapes); i++) {
		char wanted[256];
		teardown();
		setup();
		now = 0;
		print(escapes[i].bytes,
		      escapes[i].size ? escapes[i].size : strlen(escapes[i].bytes));
		const char *json = escapes[i].json, *cut = strstr(json, "[m\uFFFD");
		/* what is cut short at the end is an event of its own */
		snprintf(wanted, sizeof(wanted), "[0.000000, \"o\", \"%.*s\"]\n%s",
			 cut ? (int)(cut + 2 - json) : (int)strlen(json), json,
			 cut ? "[0.000000, \"o\", \"\uFFFD\"]\n" : "");
		expect_recording(true, wanted);
	}
}

Test(cast, a_character_in_two_batches)
{
	say(0, "a\342\202");
	expect_recording(false, "[0.000000, \"o\", \"a\"]\n");
	say(100, "\254b\342");
	expect_recording(false, "[0.000000, \"o\", \"a\"]\n[0.100000, \"o\", \"€b\"]\n");
	expect_recording(true, "[0.000000, \"o\", \"a\"]\n[0.100000, \"o\", \"€b\"]\n"
			       "[0.100000, \"o\", \"\uFFFD\"]\n");
}

Test(cast, it_begins_where_output_is_kept)
{
	say(1000, "aaaaa");
	resize(2000, 10, 20);
	say(3000, "bbbbb");
	say(4500, "ccccc");
	spool_trim(&spool, 7);
	timeline_trim(&timeline, 7);
	struct text text = recording(4096, true);
	cr_expect_str_eq(
		text.data,
		"{\"version\": 2, \"width\": 20, \"height\": 10, \"timestamp\": 1700000003, "
		"\"env\": {\"SHELL\": \"/bin/sh\", \"TERM\": \"xterm\"}}\n"
		"[0.000000, \"o\", \"bbb\"]\n[1.500000, \"o\", \"ccccc\"]\n");
	free(text.data);
}

Test(cast, it_begins_in_the_modes_that_were_left)
{
	say(1000, "aaaaa");
	say(2000, "bbbbb");
	modes_feed(&modes, "\033[?1049h\033[?1h", 13);
	spool_trim(&spool, 5);
	timeline_trim(&timeline, 5);
	expect_recording(true, "[0.000000, \"o\", \"\\u001b[?1049h\\u001b[?1h\"]\n"
			       "[0.000000, \"o\", \"bbbbb\"]\n");
	expect_recording(true, "[0.000000, \"o\", \"\\u001b[?1049h\\u001b[?1h\"]\n"
			       "[0.000000, \"o\", \"bbbbb\"]\n");
}

Test(cast, what_is_dropped_under_a_reader_is_left_out)
{
	struct cast cast;
	char text[4096];
	cast_init(&cast, &info);
	say(1000, "aaaaa\342\202");
	ssize_t first = cast_read(&cast, text, sizeof(text), 0, false);
	say(2000, "bbbbb");
	resize(2500, 5, 6);
	say(3000, "ccccc");
	spool_trim(&spool, 14);
	timeline_trim(&timeline, 14);
	ssize_t count = cast_read(&cast, text, sizeof(text) - 1, (uint64_t)first, true);
	cr_assert_gt(count, 0);
	text[count] = '\0';
	cr_expect_str_eq(text, "[3.000000, \"r\", \"6x5\"]\n[3.000000, \"o\", \"ccc\"]\n");
}

/* However small the reads are, no text stays in memory between them. */
Test(cast, nothing_is_held_between_reads)
{
	struct cast cast;
	char text[4096];
	size_t size = 0;

	say(1000, "aaaaa\342\202");
	resize(2500, 5, 6);
	say(3000, "\254ccccc\342");
	struct text whole = recording(65536, true);
	cast_init(&cast, &info);
	while (cast_read(&cast, text + size, 1, size, true) > 0) {
		cr_assert_null(cast.text);
		cr_assert_lt(++size, sizeof(text));
	}
	cr_expect_eq(size, whole.size);
	cr_expect_arr_eq(text, whole.data, whole.size);
	free(whole.data);
}

/* Its rest cannot be made any more. */
Test(cast, an_event_that_is_dropped_in_the_middle)
{
	struct cast cast;
	char text[4096];

	cast_init(&cast, &info);
	say(1000, "aaaaa");
	say(2000, "bbbbb");
	ssize_t whole = cast_read(&cast, text, sizeof(text), 0, true);
	uint64_t half = (uint64_t)whole - 3;
	cast_init(&cast, &info);
	cr_assert_eq(cast_read(&cast, text, half, 0, true), (ssize_t)half);
	say(3000, "ccccc");
	spool_trim(&spool, 8);
	timeline_trim(&timeline, 8);
	cr_expect_eq(cast_read(&cast, text, sizeof(text), half, true), -ESTALE);
	ssize_t count = cast_read(&cast, text, sizeof(text) - 1, half, true);
	cr_assert_gt(count, 0);
	text[count] = '\0';
	cr_expect_str_eq(text, "[3.000000, \"o\", \"ccccc\"]\n");
}

Test(cast, a_far_offset_takes_several_calls)
{
	static char block[65536];
	struct cast cast;
	char text[100];
	unsigned calls = 0;
	ssize_t count;
	memset(block, 'x', sizeof(block));
	for (unsigned i = 0; i < 100; i++)
		print(block, sizeof(block));
	cast_init(&cast, &info);
	while ((count = cast_read(&cast, text, 100, 6000000, true)) == -EINPROGRESS)
		calls++;
	cr_expect_eq(count, 100);
	cr_expect_geq(calls, 4);
	cr_expect_eq(cast_read(&cast, text, 10, 6000000, true), -EINPROGRESS, "it begins anew");
	while ((count = cast_read(&cast, text, 100, 1u << 30, true)) == -EINPROGRESS)
		;
	cr_expect_eq(count, 0, "past the end");
}

/* Any output */

static uint64_t random_state = 88172645463325252u;

static unsigned random_below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)((random_state >> 16) % limit);
}

static const char *const words[] = {
	"hello",
	"\r\n",
	"\033[2;5H",
	"\033[31m",
	"\033[?1049h",
	"\033[?1049l",
	"\033[J",
	"\033[3;5r",
	"\033[M",
	"\033]0;x\007",
	"\033P1",
	"\033\\",
	"é",
	"日本",
	"e\u0301",
	"\u0301",
	"\342",
	"\202",
	"\254",
	"\377",
	"\200",
	"\233",
	"\302\233",
	"\302\205",
	"\355\240\200",
	"\300\200",
	"\364\220\200\200",
	"\177",
	"\"",
	"\\",
	"\b",
	"\033",
	"[",
	"\033[4h",
	"\t",
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	"\033[",
	"5",
	"A",
	"\U0001f600",
};

/*
 * Some batch of output, a resize, or time; the same calls as a session would make. Of two resizes
 * with nothing between, the first would be lost, and with it what it cuts off: there are none.
 */
static void something_happens(struct screen *direct)
{
	static uint64_t resized_at = UINT64_MAX;
	char batch[512];
	size_t size = 0;
	now += random_below(3) ? random_below(1000000) : random_below(2000000000);
	if (random_below(8) == 0 && resized_at != spool.end) {
		resized_at = spool.end;
		uint16_t rows = (uint16_t)(1 + random_below(12)),
			 cols = (uint16_t)(1 + random_below(30));
		timeline_resize(&timeline, spool.end, now, rows, cols);
		screen_resize(direct, rows, cols);
		return;
	}
	while (random_below(10) && size < 400) {
		const char *word = words[random_below(sizeof(words) / sizeof(*words))];
		size_t length = strlen(word);
		memcpy(batch + size, word, length);
		size += length;
		if (random_below(4) == 0)
			batch[size++] = (char)random_below(256);
	}
	if (random_below(200) == 0) { /* a flood */
		for (unsigned i = 0; i < 100; i++)
			print(batch, size), screen_feed(direct, batch, size);
	} else if (size) {
		print(batch, size);
		screen_feed(direct, batch, size);
	}
}

static char *shown(const struct screen *screen)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	screen_print(screen, to);
	fclose(to);
	return text;
}

/* As a player does. Returns the time of the event. */
static double play(struct screen *screen, const char *line, size_t size)
{
	json_error_t error;
	unsigned rows, cols;
	json_t *event = json_loadb(line, size, JSON_ALLOW_NUL, &error);
	cr_assert_not_null(event, "%s: %.*s", error.text, (int)size, line);
	const char *type = json_string_value(json_array_get(event, 1));
	const json_t *data = json_array_get(event, 2);
	if (*type == 'r') {
		cr_assert_eq(sscanf(json_string_value(data), "%ux%u", &cols, &rows), 2);
		screen_resize(screen, (uint16_t)rows, (uint16_t)cols);
	} else {
		cr_assert_eq(*type, 'o');
		screen_feed(screen, json_string_value(data), json_string_length(data));
	}
	double time = json_real_value(json_array_get(event, 0));
	json_decref(event);
	return time;
}

static char *replay(struct text text, uint16_t rows, uint16_t cols)
{
	struct screen *screen;
	double last = 0;
	const char *line = strchr(text.data, '\n') + 1;
	cr_assert_eq(screen_create(rows, cols, &screen), 0);
	while (*line) {
		const char *end = strchr(line, '\n');
		double time = play(screen, line, (size_t)(end - line));
		cr_assert_geq(time, last);
		last = time;
		line = end + 1;
	}
	char *shows = shown(screen);
	screen_destroy(screen);
	return shows;
}

Test(cast, it_replays_to_the_same_screen_and_grows)
{
	for (unsigned run = 0; run < 60; run++) {
		struct screen *direct;
		struct cast follower;
		struct text followed = { malloc(1 << 24), 0 };
		teardown();
		setup();
		now = 0;
		screen_create(24, 80, &direct);
		cast_init(&follower, &info);
		for (unsigned i = 0; i < 300; i++) {
			something_happens(direct);
			while (random_below(3) == 0)
				followed.size += (size_t)cast_read(
					&follower, followed.data + followed.size,
					1 + random_below(random_below(2) ? 20 : 5000),
					followed.size, false);
		}
		screen_end(direct);
		ssize_t count;
		while ((count = cast_read(&follower, followed.data + followed.size, 65536,
					  followed.size, true)) > 0)
			followed.size += (size_t)count;
		followed.data[followed.size] = '\0';
		struct text whole = recording(1 + random_below(10000), true);
		cr_assert_eq(whole.size, followed.size);
		cr_assert_str_eq(whole.data, followed.data, "who came early got other bytes");
		char *replayed = replay(whole, 24, 80), *wanted = shown(direct);
		cr_assert_str_eq(replayed, wanted);
		for (unsigned i = 0; i < 5; i++) { /* anywhere */
			char piece[50];
			size_t at = random_below((unsigned)whole.size - 50);
			while ((count = cast_read(&follower, piece, 50, at, true)) == -EINPROGRESS)
				;
			cr_assert_eq(count, 50);
			cr_assert_arr_eq(piece, whole.data + at, 50);
		}
		free(replayed);
		free(wanted);
		free(whole.data);
		free(followed.data);
		screen_destroy(direct);
	}
}

/* The screen, as a session keeps it: the timeline walked, the spool read. */
static void follow(struct screen *screen)
{
	struct timeline_walk walk;
	struct timeline_segment segment;
	char data[100];
	timeline_walk_init(&walk, spool.start);
	while (timeline_walk_next(&timeline, &walk, spool.end, &segment)) {
		screen_resize(screen, segment.rows, segment.cols);
		while (segment.from < segment.to) {
			uint64_t left = segment.to - segment.from;
			ssize_t count = spool_read(&spool, data, left < 100 ? (size_t)left : 100,
						   segment.from);
			screen_feed(screen, data, (size_t)count);
			segment.from += (uint64_t)count;
		}
	}
}

Test(cast, a_late_look_is_the_same_screen)
{
	struct screen *direct, *late;
	screen_create(24, 80, &direct);
	screen_create(24, 80, &late);
	for (unsigned i = 0; i < 5000; i++)
		something_happens(direct);
	follow(late);
	char *wanted = shown(direct), *got = shown(late);
	cr_expect_str_eq(got, wanted);
	free(wanted);
	free(got);
	screen_destroy(direct);
	screen_destroy(late);
}

Test(cast, asciinema_takes_it)
{
	static char got[65536];
	char path[] = "/tmp/mimobox-cast-XXXXXX", command[200];
	if (system("command -v asciinema >/dev/null && command -v script >/dev/null"))
		cr_skip_test("no asciinema here");
	resize(0, 10, 40);
	say(1, "$ ls\r\n\033[1mé日\033[0m \"quoted\" \\ \302\205\200\r\n");
	resize(20, 20, 50);
	say(30, "\342\202");
	say(40, "\254 done\r\n");
	struct text text = recording(1000, true);
	int fd = mkstemp(path);
	cr_assert_eq(write(fd, text.data, text.size), (ssize_t)text.size);
	close(fd);
	free(text.data);
	snprintf(command, sizeof(command),
		 "LC_ALL=C.UTF-8 script -qec 'asciinema cat %s >%s.out' /dev/null 2>&1 && "
		 "cat %s.out; rm -f %s.out",
		 path, path, path, path);
	FILE *from = popen(command, "r");
	cr_assert_not_null(from);
	got[fread(got, 1, sizeof(got) - 1, from)] = '\0';
	cr_expect_eq(pclose(from), 0);
	unlink(path);
	cr_expect_str_eq(got,
			 "$ ls\r\n\033[1mé日\033[0m \"quoted\" \\ \302\205\uFFFD\r\n€ done\r\n");
}
