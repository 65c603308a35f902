/* SPDX-License-Identifier: MIT */
/*
 * A ceiling and what users ask for below it: whatever is granted is at or below it, alone and in
 * sum; what is refused has an errno of the documented ones and a reason; and what was taken is
 * given back to the last byte.
 *
 * The input: the ceiling; then, each behind a NUL byte, the config text of a session of one user.
 */
#include "fuzz.h"

#include <ceiling.h>
#include <errno.h>
#include <units.h>

enum { SESSIONS = 6, USER = 1000 };

static int parse_terminals(const char *text, uint64_t *value)
{
	return units_parse_count(text, 0, UNITS_NONE - 1, value);
}

static const struct number {
	const char *name;
	size_t offset;
	int (*parse)(const char *text, uint64_t *value);
} numbers[] = {
	{ "memory", offsetof(struct config, memory), units_parse_size },
	{ "file-size", offsetof(struct config, file_size), units_parse_size },
	{ "tmp-size", offsetof(struct config, tmp_size), units_parse_size },
	{ "disk", offsetof(struct config, disk), units_parse_size },
	{ "terminals", offsetof(struct config, terminals), parse_terminals },
	{ "retain", offsetof(struct config, retain), units_parse_size },
	{ "timeout", offsetof(struct config, timeout_ns), units_parse_duration },
	{ "idle-timeout", offsetof(struct config, idle_timeout_ns), units_parse_duration },
	{ "kill-grace", offsetof(struct config, kill_grace_ns), units_parse_duration },
	{ "cpu", offsetof(struct config, cpu_milli), units_parse_milli },
};

static const struct number sums[] = {
	{ "user-memory", offsetof(struct config, memory), units_parse_size },
	{ "user-terminals", offsetof(struct config, terminals), parse_terminals },
	{ "user-cpu", offsetof(struct config, cpu_milli), units_parse_milli },
};

static int parse_version(const char *text, uint64_t *value)
{
	return units_parse_count(text, 1, 6, value);
}

/* The least, not the most; `auto` is more than any number. */
static const struct number version = { "landlock", offsetof(struct config, access.landlock),
				       parse_version };

static uint64_t field(const struct config *config, const struct number *number)
{
	uint64_t value;
	memcpy(&value, (const char *)config + number->offset, sizeof(value));
	return value;
}

/* The value that a key has last in a text that was taken; UNITS_NONE: none. A plain reading. */
static uint64_t bound_in(const char *text, const struct number *number)
{
	uint64_t bound = UNITS_NONE;
	while (*text) {
		size_t length = strcspn(text, "\n");
		char *line = strndup(text, length), *rest = NULL;
		CHECK(line);
		const char *key = strtok_r(line, " \t\r", &rest);
		const char *value = key ? strtok_r(NULL, " \t\r", &rest) : NULL;
		if (value && strcmp(key, number->name) == 0 && number->parse(value, &bound) < 0)
			bound = UNITS_NONE;
		free(line);
		text += length + (text[length] == '\n');
	}
	return bound;
}

static void check_reason(int error, const struct reason *reason)
{
	CHECK(error == -EINVAL || error == -ERANGE || error == -E2BIG || error == -EPERM);
	CHECK(memchr(reason->text, '\0', sizeof(reason->text)) && reason->text[0]);
}

struct session {
	struct ceiling_share share;
	struct config config;
	bool taken;
};

static void ask(struct session *session, const char *text)
{
	struct reason reason;
	unsigned line;
	int error;
	CHECK(config_init(&session->config) == 0);
	for (size_t size = strlen(text); size;) {
		size_t done = ceiling_apply(&session->share, &session->config, NULL, text, size,
					    &error, &line, &reason);
		CHECK(done <= size && (error < 0) == (done < size));
		if (error < 0) {
			check_reason(error, &reason);
			done += strcspn(text + done, "\n");
			done += text[done] == '\n';
		}
		text += done;
		size -= done;
	}
	error = ceiling_take(&session->share, &session->config, &reason);
	CHECK(error == 0 || error == -EPERM);
	session->taken = error == 0;
	if (error < 0)
		check_reason(error, &reason);
}

static void check_bounds(const char *ceiling, const struct session *sessions, size_t count)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t bound = bound_in(ceiling, &numbers[i]);
		for (size_t j = 0; j < count; j++)
			CHECK(!sessions[j].taken ||
			      field(&sessions[j].config, &numbers[i]) <= bound);
	}
	uint64_t least = bound_in(ceiling, &version);
	for (size_t j = 0; j < count && least != UNITS_NONE; j++)
		CHECK(!sessions[j].taken || field(&sessions[j].config, &version) >= least);
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		unsigned __int128 sum = 0;
		uint64_t bound = bound_in(ceiling, &sums[i]);
		for (size_t j = 0; j < count; j++)
			if (sessions[j].taken)
				sum += field(&sessions[j].config, &sums[i]);
		CHECK(bound == UNITS_NONE || sum <= bound);
	}
}

static void run_sessions(struct ceiling *ceiling, const char *text, struct fuzz_input *input)
{
	struct session sessions[SESSIONS];
	struct ceiling_share free_share;
	size_t count = 0;
	while (count < SESSIONS && input->size) {
		char *wish = fuzz_string(input, '\0');
		int error = ceiling_enter(ceiling, USER, &sessions[count].share);
		CHECK(error == 0 || error == -EDQUOT);
		if (error == 0)
			ask(&sessions[count++], wish);
		free(wish);
	}
	check_bounds(text, sessions, count);
	/* Root is not bounded. */
	CHECK(ceiling_enter(ceiling, 0, &free_share) == 0 && !free_share.user);
	for (size_t i = 0; i < count; i++) {
		ceiling_release(&sessions[i].share, TOTAL_MEMORY);
		ceiling_leave(&sessions[i].share);
		ceiling_leave(&sessions[i].share);
		config_finish(&sessions[i].config);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct ceiling *ceiling;
	struct reason reason;
	unsigned line;
	char *text = fuzz_string(&input, '\0');
	int error = ceiling_create(text, &ceiling, &line, &reason);
	if (error < 0) {
		check_reason(error, &reason);
		CHECK(line >= 1);
	} else {
		run_sessions(ceiling, text, &input);
		ceiling_destroy(ceiling);
	}
	free(text);
	return 0;
}
