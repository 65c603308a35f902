/* SPDX-License-Identifier: MIT */
/*
 * Numbers are read digit by digit: strtoull() would take a sign, leading blanks and the locale's
 * ideas, none of which belongs in a control file.
 */
#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit durations[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60 * UINT64_C(1000000000) },
	{ "h", 3600 * UINT64_C(1000000000) },
	{ "d", 86400 * UINT64_C(1000000000) },
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "K", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 },
	{ "T", UINT64_C(1) << 40 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int parse_digits(const char **text, uint64_t *number)
{
	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	uint64_t value = 0;
	bool over = false;
	for (; isdigit((unsigned char)**text); (*text)++)
		over |= __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(**text - '0'), &value);
	*number = value;
	return over ? -ERANGE : 0;
}

static int scale(uint64_t value, uint64_t factor, uint64_t *out)
{
	if (__builtin_mul_overflow(value, factor, out) || *out >= UNITS_NONE / 2)
		return -ERANGE;
	return 0;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *suffix)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(units[i].suffix, suffix) == 0)
			return &units[i];
	return NULL;
}

/* `.5` of a unit of `factor`; digits below a whole base unit must be zero to be exact. */
static int parse_fraction(const char **text, uint64_t *numerator, uint64_t *denominator)
{
	*numerator = 0;
	*denominator = 1;
	if (**text != '.')
		return 0;
	(*text)++;
	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	for (; isdigit((unsigned char)**text); (*text)++) {
		if (*denominator >= 1000000000) /* finer than any unit here */
			continue;
		*numerator = *numerator * 10 + (uint64_t)(**text - '0');
		*denominator *= 10;
	}
	return 0;
}

static int parse_scaled(const char *text, const struct unit *units, size_t unit_count,
			uint64_t *out)
{
	uint64_t whole, numerator, denominator, base;
	int range = parse_digits(&text, &whole);
	if (range == -EINVAL)
		return -EINVAL;
	if (parse_fraction(&text, &numerator, &denominator) < 0)
		return -EINVAL;
	const struct unit *unit = find_unit(units, unit_count, text);
	if (!unit)
		return -EINVAL;
	if (range < 0 || scale(whole, unit->factor, &base) < 0)
		return -ERANGE;
	unsigned __int128 part = (unsigned __int128)unit->factor * numerator / denominator;
	*out = base + (uint64_t)part;
	return 0;
}

int units_parse_size(const char *text, uint64_t *bytes)
{
	return parse_scaled(text, sizes, COUNT(sizes), bytes);
}

int units_parse_duration(const char *text, uint64_t *ns)
{
	if (strcmp(text, "0") == 0) { /* the one that is the same in any unit */
		*ns = 0;
		return 0;
	}
	return parse_scaled(text, durations, COUNT(durations), ns);
}

static void print_largest_exact(FILE *to, uint64_t value, const struct unit *units, size_t count)
{
	size_t i = count - 1;
	while (i > 0 && (value == 0 || value % units[i].factor != 0))
		i--;
	fprintf(to, "%" PRIu64 "%s", value / units[i].factor, units[i].suffix);
}

void units_print_size(FILE *to, uint64_t bytes)
{
	print_largest_exact(to, bytes, sizes, COUNT(sizes));
}

void units_print_duration(FILE *to, uint64_t ns)
{
	print_largest_exact(to, ns, durations, COUNT(durations));
}

int units_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *count)
{
	uint64_t value;
	int error = parse_digits(&text, &value);
	if (*text != '\0')
		return -EINVAL;
	if (error == 0 && (value < min || value > max))
		error = -ERANGE;
	if (error == 0)
		*count = value;
	return error;
}

int units_parse_milli(const char *text, uint64_t *milli)
{
	static const struct unit unit = { "", 1000 };
	return parse_scaled(text, &unit, 1, milli);
}

void units_print_milli(FILE *to, uint64_t milli)
{
	if (milli % 1000 == 0)
		fprintf(to, "%" PRIu64, milli / 1000);
	else if (milli % 100 == 0)
		fprintf(to, "%" PRIu64 ".%" PRIu64, milli / 1000, milli % 1000 / 100);
	else
		fprintf(to, "%" PRIu64 ".%03" PRIu64, milli / 1000, milli % 1000);
}

void units_print_time(FILE *to, const struct timespec *time)
{
	struct tm utc;
	char text[32];
	gmtime_r(&time->tv_sec, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(to, "%s.%03ldZ", text, time->tv_nsec / 1000000);
}

static int parse_realtime_signal(const char *text, int *number)
{
	uint64_t offset = 0;
	if (strncasecmp(text, "RTMIN", 5) != 0)
		return -EINVAL;
	text += 5;
	uint64_t span = (uint64_t)(SIGRTMAX - SIGRTMIN);
	if (*text != '\0' && (*text != '+' || units_parse_count(text + 1, 0, span, &offset) < 0))
		return -EINVAL;
	*number = SIGRTMIN + (int)offset;
	return 0;
}

int units_parse_signal(const char *text, int *number)
{
	uint64_t value = 0;
	if (isdigit((unsigned char)*text)) {
		if (units_parse_count(text, 1, (uint64_t)SIGRTMAX, &value) < 0)
			return -EINVAL;
		*number = (int)value;
		return 0;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int signal = 1; signal < SIGRTMIN; signal++) {
		const char *name = sigabbrev_np(signal);
		if (name && strcasecmp(name, text) == 0) {
			*number = signal;
			return 0;
		}
	}
	return parse_realtime_signal(text, number);
}
