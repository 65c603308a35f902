/* SPDX-License-Identifier: MIT */
/*
 * Patterns over a stream: what matches and where it is first known, compared with regexec(3) on
 * generated patterns and texts, whole and byte by byte; what is refused; and what it costs.
 */
#include "pattern.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct pattern *compile(const char *text)
{
	struct pattern *pattern = NULL;
	const char *why = "";
	cr_assert_eq(pattern_compile(text, &pattern, &why), 0, "'%s': %s", text, why);
	return pattern;
}

/* How many bytes of `data` it takes until it matches; -1: it never does. */
static long first_match(const char *text, const char *data, size_t size, size_t piece)
{
	struct pattern *pattern = compile(text);
	long found = -1;
	for (size_t at = 0; at < size && found < 0; at += piece) {
		size_t used, length = size - at < piece ? size - at : piece;
		if (pattern_feed(pattern, data + at, length, &used))
			found = (long)(at + used);
	}
	if (found < 0 && pattern_at_end(pattern))
		found = (long)size;
	pattern_free(pattern);
	return found;
}

Test(pattern, where_it_first_matches)
{
	static const struct {
		const char *pattern, *text;
		long at;
	} rows[] = {
		{ "abc", "xxabcxx", 5 },
		{ "a|bc", "xbc", 3 },
		{ "(foo|bar)[0-9]+", "foo bar7x", 8 },
		{ "a{2,3}b", "ab aab", 6 },
		{ "a{3}", "aa aaa", 6 },
		{ "a{0,2}b", "b", 1 },
		{ "x(ab)*y", "xababy", 6 },
		{ "x(ab)+y", "xy xaby", 7 },
		{ "(a|b|cd){2}e", "xcdae", 5 },
		{ "^b", "ab\nb", 4 },
		{ "a$", "ab a\nb", 5 },
		{ "a$", "a\r\n", 2 },
		{ "\\$ $", "x$ y\nu$ ", 8 },
		{ "^$", "a\n\nb", 3 },
		{ "[]x]y", "]y", 2 },
		{ "[^a-c]", "abcd", 4 },
		{ "[a\\]b", "\\b", 2 },
		{ "[[:digit:]]{2}[[:upper:]]", "12a34B", 6 },
		{ "a.c", "a\nc abc", 7 },
		{ "\\.\\*", "x.*", 3 },
		{ "\xc3\xa9+", "caf\xc3\xa9", 5 },
		{ "nothing", "not here", -1 },
		{ "a}", "a}", 2 },
		{ "", "x", 1 },
		{ "login: $", "Debian\r\nlogin: ", 15 },
		{ "()", "x", 1 },
		{ "(|a)b", "b", 1 },
		{ "(a|)^b", "a\nb", 3 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece < 9; piece += 7) {
			long at = first_match(rows[i].pattern, rows[i].text, strlen(rows[i].text),
					      piece);
			cr_expect_eq(at, rows[i].at, "'%s' in '%s': %ld, not %ld", rows[i].pattern,
				     rows[i].text, at, rows[i].at);
		}
}

Test(pattern, what_is_refused)
{
	static const char *const rows[] = { "(a",        "[a",      "a{2",    "a{3,2}",
					    "*a",        "(a)\\1",  "a\\",    "\\d",
					    "[[:foo:]]", "[[.a.]]", "a{256}", "[b-a]",
					    "+",         "a|*",     "(?:a)",  "((a{99}){99}){99}" };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pattern *pattern = NULL;
		const char *why = NULL;
		cr_expect_eq(pattern_compile(rows[i], &pattern, &why), -EINVAL, "'%s'", rows[i]);
		cr_expect(why && *why);
	}
}

static unsigned long seed = 7;

static unsigned pick(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

static void generate(char *to, size_t size)
{
	static const char *const parts[] = {
		"a", "b", "c", ".",   "[ab]", "[^a]",  "(",  ")", "|",
		"*", "+", "?", "{2}", "{1,}", "{0,2}", "\n", "^", "$"
	};
	*to = '\0';
	for (unsigned i = 1 + pick(8); i > 0 && strlen(to) + 8 < size; i--)
		strcat(to, parts[pick(18)]);
}

/* The shortest prefix in which regexec() finds something: what a stream can know. */
static long by_regexec(const regex_t *regex, char *text, size_t size)
{
	for (size_t length = 0; length <= size; length++) {
		/* `$` holds before the next byte only if that ends a line. */
		bool line_end = length == size || text[length] == '\n';
		char kept = text[length];
		text[length] = '\0';
		int result = regexec(regex, text, 0, NULL, line_end ? 0 : REG_NOTEOL);
		text[length] = kept;
		if (result == 0)
			return (long)length;
	}
	return -1;
}

Test(pattern, it_agrees_with_regexec)
{
	unsigned compared = 0;
	for (int i = 0; i < 60000; i++) {
		char text[16], expression[64];
		regex_t regex;
		const char *why;
		struct pattern *pattern;
		generate(expression, sizeof(expression));
		if (pattern_compile(expression, &pattern, &why) < 0)
			continue;
		pattern_free(pattern);
		if (regcomp(&regex, expression, REG_EXTENDED | REG_NEWLINE | REG_NOSUB) != 0)
			continue;
		size_t size = 1 + pick(12);
		for (size_t j = 0; j < size; j++)
			text[j] = "abc\n"[pick(4)];
		text[size] = '\0';
		long expected = by_regexec(&regex, text, size);
		long got = first_match(expression, text, size, 1 + pick(4));
		/* A match of nothing is told with the byte that comes after it. */
		bool same = got == expected || (got == expected + 1 && expected < (long)size);
		cr_expect(same, "'%s' in '%s': %ld, regexec %ld", expression, text, got, expected);
		compared++;
		regfree(&regex);
	}
	cr_expect_gt(compared, 10000);
}

static double seconds_over(const char *expression, const char *data, size_t size)
{
	struct timespec start, end;
	struct pattern *pattern = compile(expression);
	size_t used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	cr_expect(!pattern_feed(pattern, data, size, &used));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	pattern_free(pattern);
	return (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
}

/* Such patterns take other matchers a time that doubles with each byte. */
Test(pattern, no_pattern_makes_it_slow, .timeout = 60)
{
	static char data[200000];
	memset(data, 'a', sizeof(data));
	double easy = seconds_over("a*b", data, sizeof(data));
	double hard = seconds_over("((a*)*)*b", data, sizeof(data));
	double long_one = seconds_over("(a|aa|aaa){1,60}b", data, sizeof(data));
	cr_log_info("%.3f s, %.3f s, %.3f s for %zu bytes", easy, hard, long_one, sizeof(data));
}
