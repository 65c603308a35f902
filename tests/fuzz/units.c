/* SPDX-License-Identifier: MIT */
/*
 * Values as people write them, and the text of `size`: each parser says what a plain reading of
 * the same text says, and reads back what its printer writes.
 */
#include "fuzz.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <terminal.h>
#include <units.h>

typedef unsigned __int128 wide;

static const struct suffix {
	const char *text;
	uint64_t factor;
} sizes[] = { { "", 1 },
	      { "K", UINT64_C(1) << 10 },
	      { "M", UINT64_C(1) << 20 },
	      { "G", UINT64_C(1) << 30 },
	      { "T", UINT64_C(1) << 40 },
	      { NULL, 0 } },
  durations[] = { { "ns", 1 },
		  { "us", 1000 },
		  { "ms", 1000000 },
		  { "s", 1000000000 },
		  { "m", UINT64_C(60000000000) },
		  { "h", UINT64_C(3600000000000) },
		  { "d", UINT64_C(86400000000000) },
		  { NULL, 0 } },
  millis[] = { { "", 1000 }, { NULL, 0 } };

/* DIGITS[.DIGITS]SUFFIX, exactly; of the fraction, nine digits count. */
static int plain_reading(const char *text, const struct suffix *suffixes, uint64_t *value)
{
	wide whole = 0, part = 0, scale = 1;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0)
		return -EINVAL;
	for (size_t i = 0; i < digits; i++)
		whole = whole > UINT64_MAX ? whole : whole * 10 + (wide)(text[i] - '0');
	text += digits;
	if (*text == '.') {
		digits = strspn(++text, "0123456789");
		if (digits == 0)
			return -EINVAL;
		for (size_t i = 0; i < digits && i < 9; i++, scale *= 10)
			part = part * 10 + (wide)(text[i] - '0');
		text += digits;
	}
	while (suffixes->text && strcmp(suffixes->text, text) != 0)
		suffixes++;
	if (!suffixes->text)
		return -EINVAL;
	if (whole * suffixes->factor >= UINT64_MAX / 2)
		return -ERANGE;
	*value = (uint64_t)(whole * suffixes->factor + part * suffixes->factor / scale);
	return 0;
}

static void check_value(const char *text, const struct suffix *suffixes,
			int (*parse)(const char *text, uint64_t *value),
			void (*print)(FILE *to, uint64_t value))
{
	char printed[64] = "";
	uint64_t value = 42, wanted = 0, again;
	int error = parse(text, &value), right = plain_reading(text, suffixes, &wanted);
	if (parse == units_parse_duration && strcmp(text, "0") == 0)
		right = (wanted = 0);
	CHECK(error == right);
	if (error < 0)
		return;
	CHECK(value == wanted);
	FILE *to = fmemopen(printed, sizeof(printed), "w");
	CHECK(to);
	print(to, value);
	CHECK(fclose(to) == 0);
	CHECK(parse(printed, &again) == 0 && again == value);
}

static void check_count(const char *text)
{
	uint64_t value, whole = 0;
	size_t digits = strspn(text, "0123456789");
	int error = units_parse_count(text, 3, 65535, &value);
	if (digits == 0 || text[digits]) {
		CHECK(error == -EINVAL);
		return;
	}
	for (size_t i = 0; i < digits && whole <= 65535; i++)
		whole = whole * 10 + (uint64_t)(text[i] - '0');
	CHECK(error == (whole >= 3 && whole <= 65535 ? 0 : -ERANGE));
	CHECK(error < 0 || value == whole);
}

static void check_signal(const char *text)
{
	int number = 0, again = 0;
	char name[32];
	int error = units_parse_signal(text, &number);
	CHECK(error == 0 || error == -EINVAL);
	if (error < 0)
		return;
	CHECK(number >= 1 && number <= SIGRTMAX);
	snprintf(name, sizeof(name), "%d", number);
	CHECK(units_parse_signal(name, &again) == 0 && again == number);
}

/* Two numbers of 1 to 65535 with blanks around them, in fewer than 64 bytes. */
static void check_size(const uint8_t *data, size_t size)
{
	uint16_t rows = 7, cols = 7;
	int error = terminal_parse_size((const char *)data, size, &rows, &cols);
	CHECK(error == 0 || error == -EINVAL || error == -ERANGE);
	if (error < 0) {
		CHECK(rows == 7 && cols == 7);
		return;
	}
	char text[32], spaced[70];
	unsigned a, b;
	CHECK(rows && cols && size < 64);
	memcpy(spaced, data, size);
	spaced[size] = '\0';
	CHECK(sscanf(spaced, "%u %u", &a, &b) == 2 && a == rows && b == cols);
	int length = snprintf(text, sizeof(text), "%u %u\n", rows, cols);
	CHECK(terminal_parse_size(text, (size_t)length, &rows, &cols) == 0);
	CHECK(rows == a && cols == b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	check_size(data, size);
	while (input.size) {
		char *text = fuzz_string(&input, '\n');
		check_value(text, sizes, units_parse_size, units_print_size);
		check_value(text, durations, units_parse_duration, units_print_duration);
		check_value(text, millis, units_parse_milli, units_print_milli);
		check_count(text);
		check_signal(text);
		free(text);
	}
	return 0;
}
