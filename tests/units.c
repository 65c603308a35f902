/* SPDX-License-Identifier: MIT */
/* Values as people write them: what is taken, what is refused, and that printing reads back. */
#include "units.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

typedef int (*parse_fn)(const char *text, uint64_t *value);

struct row {
	const char *text;
	int error;
	uint64_t value;
};

static void check(parse_fn parse, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 0;
		int error = parse(rows[i].text, &value);
		cr_expect_eq(error, rows[i].error, "'%s' gives %d", rows[i].text, error);
		if (error == 0)
			cr_expect_eq(value, rows[i].value, "'%s' is %llu", rows[i].text,
				     (unsigned long long)value);
	}
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

Test(units, sizes)
{
	static const struct row rows[] = {
		{ "0", 0, 0 },
		{ "512M", 0, UINT64_C(512) << 20 },
		{ "1K", 0, 1024 },
		{ "1.5G", 0, UINT64_C(3) << 29 },
		{ "7", 0, 7 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1k", -EINVAL, 0 },
		{ "1MB", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ ".5G", -EINVAL, 0 },
		{ "none", -EINVAL, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999G", -ERANGE, 0 },
	};
	check(units_parse_size, rows, COUNT(rows));
}

Test(units, durations)
{
	static const struct row rows[] = {
		{ "150ms", 0, 150000000 },
		{ "30s", 0, UINT64_C(30000000000) },
		{ "0.5s", 0, 500000000 },
		{ "2h", 0, UINT64_C(7200000000000) },
		{ "1d", 0, UINT64_C(86400000000000) },
		{ "1m", 0, UINT64_C(60000000000) },
		{ "0s", 0, 0 },
		{ "30", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "1sec", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1e3s", -EINVAL, 0 },
		{ "9999999999d", -ERANGE, 0 },
	};
	check(units_parse_duration, rows, COUNT(rows));
}

Test(units, cores)
{
	static const struct row rows[] = {
		{ "0.5", 0, 500 },    { "1", 0, 1000 },   { "2.25", 0, 2250 },
		{ "1M", -EINVAL, 0 }, { "", -EINVAL, 0 }, { "a", -EINVAL, 0 },
	};
	check(units_parse_milli, rows, COUNT(rows));
}

static void reads_back(parse_fn parse, void (*print)(FILE *, uint64_t), uint64_t value)
{
	char *text = NULL;
	size_t size;
	uint64_t again = ~value;
	FILE *to = open_memstream(&text, &size);
	print(to, value);
	fclose(to);
	cr_expect_eq(parse(text, &again), 0, "'%s'", text);
	cr_expect_eq(again, value, "'%s'", text);
	free(text);
}

Test(units, what_is_printed_reads_back)
{
	static const uint64_t values[] = { 0,
					   1,
					   999,
					   1000,
					   1024,
					   1536,
					   500,
					   250,
					   1001,
					   65536,
					   1000000,
					   150000000,
					   UINT64_C(3600000000000),
					   UINT64_C(123456789012345) };
	for (size_t i = 0; i < COUNT(values); i++) {
		reads_back(units_parse_size, units_print_size, values[i]);
		reads_back(units_parse_duration, units_print_duration, values[i]);
		reads_back(units_parse_milli, units_print_milli, values[i]);
	}
}

Test(units, counts_have_bounds)
{
	uint64_t value = 42;
	cr_expect_eq(units_parse_count("65536", 1, 65535, &value), -ERANGE);
	cr_expect_eq(units_parse_count("0", 1, 65535, &value), -ERANGE);
	cr_expect_eq(units_parse_count("99999999999999999999", 1, 65535, &value), -ERANGE);
	cr_expect_eq(units_parse_count("1x", 1, 65535, &value), -EINVAL);
	cr_expect_eq(value, 42, "a refused value changes nothing");
	cr_expect_eq(units_parse_count("65535", 1, 65535, &value), 0);
	cr_expect_eq(value, 65535);
}

Test(units, signals)
{
	static const struct {
		const char *text;
		int number;
	} rows[] = { { "INT", SIGINT },   { "SIGUSR1", SIGUSR1 }, { "10", 10 },
		     { "term", SIGTERM }, { "Winch", SIGWINCH },  { "SIGRTMIN", 0 } };
	int number = 0;
	for (size_t i = 0; i + 1 < COUNT(rows); i++) {
		cr_expect_eq(units_parse_signal(rows[i].text, &number), 0, "%s", rows[i].text);
		cr_expect_eq(number, rows[i].number, "%s is %d", rows[i].text, number);
	}
	cr_expect_eq(units_parse_signal("SIGRTMIN+2", &number), 0);
	cr_expect_eq(number, SIGRTMIN + 2);
	static const char *const refused[] = {
		"", "0", "65", "-1", "NOPE", "SIG", "RTMIN+99", "9x"
	};
	for (size_t i = 0; i < COUNT(refused); i++)
		cr_expect_eq(units_parse_signal(refused[i], &number), -EINVAL, "'%s'", refused[i]);
}

Test(units, times_are_rfc_3339_in_utc)
{
	struct timespec time = { .tv_sec = 86399, .tv_nsec = 7000000 };
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	units_print_time(to, &time);
	fclose(to);
	cr_expect_str_eq(text, "1970-01-01T23:59:59.007Z");
	free(text);
}
