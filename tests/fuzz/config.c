/* SPDX-License-Identifier: MIT */
/*
 * Config text: what is taken line by line, printed, and taken again is the same configuration; a
 * line that is refused has an errno of the documented ones and one line of reason, and has changed
 * nothing.
 */
#include "fuzz.h"

#include <config.h>
#include <errno.h>

struct text {
	char *data;
	size_t size;
};

static struct text print(const struct config *config)
{
	struct text text;
	FILE *to = open_memstream(&text.data, &text.size);
	CHECK(to);
	config_print(config, to);
	CHECK(fclose(to) == 0);
	return text;
}

static void check_same(struct text a, struct text b)
{
	if (a.size != b.size || memcmp(a.data, b.data, a.size) != 0) {
		fprintf(stderr, "--- one:\n%.*s--- the other:\n%.*s", (int)a.size, a.data,
			(int)b.size, b.data);
		abort();
	}
}

static void check_refusal(int error, const struct reason *reason)
{
	CHECK(error == -EINVAL || error == -ERANGE || error == -E2BIG);
	CHECK(memchr(reason->text, '\0', sizeof(reason->text)));
	CHECK(reason->text[0]);
}

/* Goes on behind each line that is refused. */
static void apply_all(struct config *config, const char *text, size_t size)
{
	size_t done = 0;
	bool compared = false;
	while (done < size) {
		struct text before = { 0 };
		struct reason reason;
		unsigned line;
		int error;
		size_t taken = config_apply(config, NULL, text + done, size - done, &error, &line,
					    &reason);
		CHECK(taken <= size - done && (error < 0) == (taken < size - done));
		done += taken;
		if (error == 0)
			return;
		CHECK(taken == 0 || text[done - 1] == '\n');
		check_refusal(error, &reason);
		if (!compared) {
			before = print(config);
			CHECK(config_apply(config, NULL, text + done, size - done, &error, &line,
					   &reason) == 0);
			CHECK(line == 1);
			struct text after = print(config);
			check_same(before, after);
			free(before.data);
			free(after.data);
			compared = true;
		}
		const char *newline = memchr(text + done, '\n', size - done);
		done = newline ? (size_t)(newline + 1 - text) : size;
	}
}

/* What is printed is taken, and is printed so again. */
static void check_printed(struct text printed)
{
	struct config config;
	struct reason reason;
	unsigned line;
	int error;
	CHECK(config_init(&config) == 0);
	size_t taken =
		config_apply(&config, NULL, printed.data, printed.size, &error, &line, &reason);
	if (taken != printed.size)
		fprintf(stderr, "line %u: %s\n%.*s", line, reason.text, (int)printed.size,
			printed.data);
	CHECK(taken == printed.size);
	struct text again = print(&config);
	check_same(printed, again);
	free(again.data);
	config_finish(&config);
}

/* The texts that were checked lately: three inputs of four come down to one of them. */
enum { CHECKED = 4096 };

static bool was_checked(struct text text)
{
	static struct text checked[CHECKED];
	struct text *known = &checked[fuzz_hash(text.data, text.size) % CHECKED];
	if (known->size == text.size && memcmp(known->data, text.data, text.size) == 0)
		return true;
	free(known->data);
	*known = (struct text){ malloc(text.size), text.size };
	CHECK(known->data);
	memcpy(known->data, text.data, text.size);
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config, again;
	CHECK(config_init(&config) == 0);
	apply_all(&config, (const char *)data, size);
	struct text first = print(&config);
	if (!was_checked(first))
		check_printed(first);
	free(first.data);
	CHECK(config_copy(&again, &config) == 0);
	config_finish(&config);
	config_finish(&again);
	return 0;
}
