/* SPDX-License-Identifier: MIT */
/*
 * What a terminal printed, on `screen`: any bytes, at any sizes, give as many lines as there are
 * rows, of UTF-8 without controls, and the same ones however the bytes were cut.
 *
 * The input: the size; how many resizes there are, and for each how much is printed before it, and
 * the size; the bytes.
 */
#include "fuzz.h"
#include "utf8_check.h"

#include <screen.h>
#include <stdbool.h>

enum { RESIZES = 8, LARGE = 16 };

struct text {
	char *data;
	size_t size;
};

/*
 * Mostly small, for the sake of speed; for one input in LARGE as large as there is. (All of them
 * could: libFuzzer takes thousands of rows for news, and would come back to such inputs for ever.)
 */
static uint16_t take_size(struct fuzz_input *input, bool large)
{
	uint8_t byte = fuzz_byte(input);
	if (byte < 255)
		return (uint16_t)(byte % 80 + 1);
	return (uint16_t)(1u << fuzz_byte(input) % (large ? 16 : 8));
}

static struct text print(const struct screen *screen)
{
	struct text text;
	FILE *to = open_memstream(&text.data, &text.size);
	CHECK(to);
	screen_print(screen, to);
	CHECK(fclose(to) == 0);
	return text;
}

static void check_text(struct text text, uint16_t rows)
{
	size_t lines = 0;
	for (size_t i = 0; i < text.size; i++) {
		uint8_t byte = (uint8_t)text.data[i];
		CHECK(byte == '\n' || (byte >= ' ' && byte != 0x7f));
		if (byte != '\n')
			continue;
		lines++;
		CHECK(i == 0 || text.data[i - 1] != ' ');
	}
	CHECK(lines == rows && text.data[text.size - 1] == '\n');
	check_utf8(text.data, text.size);
}

/* Both show the same. */
static void compare(struct screen *const screens[2], uint16_t rows)
{
	struct text one = print(screens[0]), other = print(screens[1]);
	check_text(one, rows);
	CHECK(one.size == other.size && memcmp(one.data, other.data, one.size) == 0);
	free(one.data);
	free(other.data);
}

static void feed(struct screen *const screens[2], const uint8_t *bytes, size_t size, size_t piece)
{
	screen_feed(screens[0], bytes, size);
	for (size_t done = 0; done < size; done += piece)
		screen_feed(screens[1], bytes + done, size - done < piece ? size - done : piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct screen *screens[2];
	struct {
		size_t printed;
		uint16_t rows, cols;
	} resizes[RESIZES];
	bool large = fuzz_hash(data, size) % LARGE == 0;
	uint16_t rows = take_size(&input, large), cols = take_size(&input, large);
	uint8_t byte = fuzz_byte(&input);
	size_t count = byte % RESIZES, piece = (size_t)(byte / RESIZES) + 1, taken;
	for (size_t i = 0; i < count; i++) {
		resizes[i].printed = fuzz_byte(&input);
		resizes[i].rows = take_size(&input, large);
		resizes[i].cols = take_size(&input, large);
	}
	for (int i = 0; i < 2; i++)
		CHECK(screen_create(rows, cols, &screens[i]) == 0);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *bytes = fuzz_take(&input, resizes[i].printed, &taken);
		feed(screens, bytes, taken, piece);
		rows = resizes[i].rows;
		for (int j = 0; j < 2; j++)
			CHECK(screen_resize(screens[j], rows, resizes[i].cols) == 0);
	}
	feed(screens, input.data, input.size, piece);
	compare(screens, rows);
	for (int i = 0; i < 2; i++) {
		screen_end(screens[i]);
		screen_end(screens[i]); /* once is enough */
	}
	compare(screens, rows);
	screen_destroy(screens[0]);
	screen_destroy(screens[1]);
	return 0;
}
