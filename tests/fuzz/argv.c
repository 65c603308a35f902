/* SPDX-License-Identifier: MIT */
/*
 * `argv`, as JSON, and `env`: what is taken is what a plain reading of the text is, and the
 * environment of a program has each name once, with the value given last.
 *
 * The input: the JSON text; then, each behind a NUL byte, assignments.
 */
#include "fuzz.h"

#include <config.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <strings.h>

/* What JSON has no way to write, and `argv` has. */
static bool has_bytes(const char *text)
{
	for (const char *at = text; *at; at++)
		if (*at & 0x80)
			return true;
	return strcasestr(text, "\\udc") != NULL;
}

static void check_reads_back(const struct config *config)
{
	struct config again;
	struct reason reason;
	unsigned line;
	int error;
	char *text;
	size_t size, i = 0;
	FILE *to = open_memstream(&text, &size);
	CHECK(to);
	config_print(config, to);
	CHECK(fclose(to) == 0);
	CHECK(config_init(&again) == 0);
	CHECK(config_apply(&again, NULL, text, size, &error, &line, &reason) == size);
	for (; config->argv[i]; i++)
		CHECK(again.argv[i] && strcmp(again.argv[i], config->argv[i]) == 0);
	CHECK(!again.argv[i]);
	config_finish(&again);
	free(text);
}

static bool is_array_of_strings(const json_t *array)
{
	bool is = json_is_array(array) && json_array_size(array) > 0;
	for (size_t i = 0; is && i < json_array_size(array); i++)
		is = json_is_string(json_array_get(array, i));
	return is && json_string_length(json_array_get(array, 0)) > 0;
}

static void check_argv(const char *text)
{
	struct config config;
	struct reason reason;
	json_t *array = json_loads(text, 0, NULL);
	CHECK(config_init(&config) == 0);
	int error = config_set(&config, NULL, "argv", text, &reason);
	CHECK(error == 0 || error == -EINVAL);
	if (error < 0) {
		CHECK(!is_array_of_strings(array));
		CHECK(strcmp(config.argv[0], "/bin/sh") == 0 && !config.argv[1]);
		CHECK(memchr(reason.text, '\0', sizeof(reason.text)));
	} else if (array) {
		size_t count = 0;
		while (config.argv[count]) {
			CHECK(strcmp(config.argv[count],
				     json_string_value(json_array_get(array, count))) == 0);
			count++;
		}
		CHECK(count == json_array_size(array) && count > 0 && *config.argv[0]);
	} else {
		CHECK(has_bytes(text));
	}
	if (error == 0)
		check_reads_back(&config);
	json_decref(array);
	config_finish(&config);
}

static bool is_good(const char *assignment)
{
	static const char *const early[] = { "ENV=", "BASH_ENV=" };
	size_t length = strcspn(assignment, "=");
	if (!assignment[length] || !length || isdigit((unsigned char)*assignment) ||
	    strncasecmp(assignment, "LD_", 3) == 0 || strncasecmp(assignment, "DYLD_", 5) == 0)
		return false;
	for (size_t i = 0; i < 2; i++)
		if (strncasecmp(assignment, early[i], strlen(early[i])) == 0)
			return false;
	return strspn(assignment, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789_.-") == length;
}

/* Not by strncmp(3): libFuzzer takes notes of each call, and there are thousands. */
static bool has_name(const char *variable, const char *assignment, size_t length)
{
	size_t i = 0;
	while (i < length && variable[i] == assignment[i])
		i++;
	return i == length;
}

static size_t count_name(char **vector, const char *assignment, const char **value)
{
	size_t length = strcspn(assignment, "=") + 1, count = 0;
	for (; *vector; vector++)
		if (has_name(*vector, assignment, length)) {
			*value = *vector + length;
			count++;
		}
	return count;
}

/* The last good assignment of each name is what the program gets, and nothing else. */
static void check_environment(const struct environ *environ, char **given, size_t count)
{
	const char *value;
	char **vector = environ_vector(environ, &(struct environ_places){ "/some/where", false });
	CHECK(vector);
	for (size_t i = count; i > 0; i--) {
		size_t length = strcspn(given[i - 1], "=") + 1;
		bool later = false;
		for (size_t j = i; j < count; j++)
			later |= has_name(given[j], given[i - 1], length);
		CHECK(count_name(vector, given[i - 1], &value) == 1);
		CHECK(later || strcmp(value, given[i - 1] + length) == 0);
	}
	for (char **at = vector; *at; at++)
		CHECK(count_name(vector, *at, &value) == 1);
	CHECK(count_name(vector, "PATH=", &value) == 1);
	CHECK(count_name(vector, "PWD=", &value) == 1);
	environ_free_vector(vector);
}

enum { ASSIGNMENTS = 64 };

static void check_assignments(struct fuzz_input *input)
{
	struct environ environ = { 0 }, copy;
	char *given[ASSIGNMENTS];
	size_t count = 0;
	while (input->size && count < ASSIGNMENTS) {
		char *assignment = fuzz_string(input, '\0');
		int error = environ_set(&environ, assignment);
		CHECK(error == (is_good(assignment) ? 0 : -EINVAL) || error == -E2BIG);
		if (error == 0)
			given[count++] = assignment;
		else
			free(assignment);
	}
	check_environment(&environ, given, count);
	CHECK(environ_copy(&copy, &environ) == 0);
	environ_finish(&environ);
	check_environment(&copy, given, count);
	environ_finish(&copy);
	while (count)
		free(given[--count]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	char *text = fuzz_string(&input, '\0');
	if (*text)
		check_argv(text);
	free(text);
	check_assignments(&input);
	return 0;
}
