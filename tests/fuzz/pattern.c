/* SPDX-License-Identifier: MIT */
/*
 * Patterns of wait/match, beside regexec(3): where both take an expression, both find it in a text
 * or both do not, and the match is complete at the same byte. However the text is cut, and however
 * often the end is asked about, the answer is the same.
 *
 * The input: the pattern, a NUL byte, the text.
 */
#include "fuzz.h"

#include <errno.h>
#include <pattern.h>
#include <regex.h>
#include <stdbool.h>

enum { PATTERN_LENGTH = 200, TEXT_SIZE = 256 };

struct text {
	char bytes[TEXT_SIZE + 1];
	size_t size;
};

/*
 * Not where regcomp(3) takes an escape in a sense of its own. Nor where its time or memory would
 * know no bounds: a repetition of a repetition, and what is to be repeated often.
 */
static bool is_comparable(const char *pattern)
{
	unsigned copied = 0;
	for (const char *at = pattern; *at; at++) {
		copied += *at == '+' || *at == '{';
		if (at[0] == '\\' && at[1] && strchr("<>`'", at[1]))
			return false;
		if (strchr("*+?}", *at) && at[1] && strchr("*+?{", at[1]))
			return false;
		if (*at == '{' && strspn(at + 1, "0123456789") > 1)
			return false;
		if (*at == ',' && strspn(at + 1, "0123456789") > 1)
			return false;
		if (at[0] == '\\' && at[1])
			at++;
	}
	return copied <= 4;
}

static bool matches(const regex_t *regex, const struct text *text, size_t size)
{
	regmatch_t range = { 0, (regoff_t)size };
	bool line_end = size == text->size || text->bytes[size] == '\n';
	return regexec(regex, text->bytes, 1, &range, REG_STARTEND | (line_end ? 0 : REG_NOTEOL)) ==
	       0;
}

/* The shortest beginning with a match in it; text->size + 1: none. */
static size_t first_match(const regex_t *regex, const struct text *text)
{
	size_t low = 0, high = text->size + 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (middle <= text->size && !matches(regex, text, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Feeds it in pieces of `piece`; where the match was complete, or text->size + 1. */
static size_t run(struct pattern *pattern, const struct text *text, size_t piece, bool ask)
{
	size_t used, done = 0;
	pattern_reset(pattern);
	while (done < text->size) {
		size_t size = text->size - done < piece ? text->size - done : piece;
		bool matched = pattern_feed(pattern, text->bytes + done, size, &used);
		CHECK(used <= size && (matched || used == size));
		done += used;
		if (matched)
			return done;
		if (ask)
			(void)pattern_at_end(pattern);
	}
	return pattern_at_end(pattern) ? done : text->size + 1;
}

static void compare(const char *source, const struct text *text, size_t found)
{
	regex_t regex;
	if (!is_comparable(source) || regcomp(&regex, source, REG_EXTENDED | REG_NEWLINE) != 0)
		return;
	size_t first = first_match(&regex, text);
	regfree(&regex);
	/* What is complete before a byte, an empty match or a `$`, is told with that byte. */
	if (found != first && !(found == first + 1 && first < text->size)) {
		fprintf(stderr, "'%s' in '%.*s': at %zu, regexec has %zu\n", source,
			(int)text->size, text->bytes, found, first);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct pattern *pattern;
	struct text text;
	const char *why = NULL;
	char *source = fuzz_string(&input, '\0');
	if (strlen(source) > PATTERN_LENGTH)
		source[PATTERN_LENGTH] = '\0';
	int error = pattern_compile(source, &pattern, &why);
	CHECK(error == 0 || (error == -EINVAL && why && *why));
	if (error == 0) {
		const uint8_t *rest = fuzz_take(&input, TEXT_SIZE, &text.size);
		CHECK(pattern_size(pattern) > 0 && pattern_size(pattern) <= 2048);
		/* `.` is no NUL to regexec(), and only here does a line end at a CR, too. */
		for (size_t i = 0; i < text.size; i++)
			text.bytes[i] = rest[i] && rest[i] != '\r' ? (char)rest[i] : 'a';
		size_t found = run(pattern, &text, TEXT_SIZE, false);
		CHECK(run(pattern, &text, 1, false) == found);
		CHECK(run(pattern, &text, 7, true) == found);
		compare(source, &text, found);
		pattern_free(pattern);
	}
	free(source);
	return 0;
}
