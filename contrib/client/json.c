/* SPDX-License-Identifier: MIT */
#include "json.h"

#include "labels.h"
#include "report.h"
#include "session.h"
#include "visible.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

json_t *json_bytes(const char *bytes, size_t size)
{
	static const char unknown[] = "\xef\xbf\xbd";
	char *text = malloc(3 * size + 1);
	size_t length = 0;
	if (!text)
		return NULL;
	for (size_t at = 0; at < size;) {
		uint32_t code;
		size_t part = visible_decode(bytes + at, size - at, &code);
		/* A surrogate is none of UTF-8's. */
		bool known = part > 0 && !(code >= 0xd800 && code <= 0xdfff);
		memcpy(text + length, known ? bytes + at : unknown, known ? part : 3);
		length += known ? part : 3;
		at += known ? part : 1;
	}
	json_t *value = json_stringn(text, length);
	free(text);
	return value;
}

static json_t *text_of(const char *text)
{
	return json_bytes(text, strlen(text));
}

/* Facts of `status` */

static json_t *integer_of(const char *text)
{
	return json_integer(strtoll(text, NULL, 10));
}

static json_t *real_of(const char *text)
{
	return json_real(strtod(text, NULL));
}

static json_t *truth_of(const char *text)
{
	return json_boolean(strcmp(text, "yes") == 0 || strcmp(text, "1") == 0);
}

/* A number, or `yes` where the machine does not tell it. */
static json_t *stuck_of(const char *text)
{
	return strcmp(text, "yes") == 0 ? json_true() : integer_of(text);
}

static json_t *words_of(const char *text)
{
	json_t *words = json_array();
	while (words && *(text += strspn(text, " "))) {
		size_t size = strcspn(text, " ");
		json_array_append_new(words, json_bytes(text, size));
		text += size;
	}
	return words;
}

/* Those that are no text. */
static const struct {
	const char *key;
	json_t *(*read)(const char *text);
} facts[] = {
	{ "pid", integer_of },
	{ "exit", integer_of },
	{ "output-start", integer_of },
	{ "output-end", integer_of },
	{ "output-paused", truth_of },
	{ "stderr-start", integer_of },
	{ "stderr-end", integer_of },
	{ "stderr-paused", truth_of },
	{ "readers", integer_of },
	{ "idle", real_of },
	{ "cpu", real_of },
	{ "memory", integer_of },
	{ "memory-peak", integer_of },
	{ "processes", integer_of },
	{ "oom-kills", integer_of },
	{ "refused-forks", integer_of },
	{ "uid", integer_of },
	{ "gid", integer_of },
	{ "stuck", stuck_of },
	{ "no-new-privs", truth_of },
	{ "ptrace", truth_of },
	{ "namespaces", words_of },
	{ "landlock-stands-in", words_of },
	{ "landlock-lacks", words_of },
};

static json_t *read_fact(const char *key, const char *text)
{
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (strcmp(facts[i].key, key) == 0)
			return facts[i].read(text);
	return text_of(text);
}

/* With `_` for `-`, as programs like their names. */
static void set(json_t *to, const char *key, json_t *value)
{
	char name[64];
	snprintf(name, sizeof(name), "%s", key);
	for (char *at = name; *at; at++)
		if (*at == '-')
			*at = '_';
	json_object_set_new(to, name, value);
}

static void add_status(json_t *to, char *status)
{
	char *rest = NULL;
	for (char *line = strtok_r(status, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *value = strchr(line, ' ');
		if (value)
			*value++ = '\0';
		set(to, line, read_fact(line, value ? value : ""));
	}
}

/* What it runs, and where: `argv` is JSON as it stands. */
static void add_command(json_t *to, const char *config)
{
	char *command = session_value(config, "command"), *argv = session_value(config, "argv");
	char *in = session_value(config, "in");
	if (in)
		json_object_set_new(to, "in", text_of(in));
	json_t *list = argv ? json_loads(argv, JSON_ALLOW_NUL, NULL) : NULL;
	if (command)
		json_object_set_new(to, "command", text_of(command));
	else if (list)
		json_object_set(to, "argv", list);
	json_decref(list);
	free(command);
	free(argv);
	free(in);
}

static int add_label(void *data, const char *name, const char *value, size_t size)
{
	json_t *key = text_of(name);
	int error = key ? json_object_set_new(data, json_string_value(key), json_bytes(value, size))
			: -1;
	json_decref(key);
	return error < 0 ? -ENOMEM : 0;
}

json_t *json_session(const struct place *place, const char *name)
{
	struct session session;
	struct stat attributes;
	json_t *to = json_object();
	if (!to)
		return NULL;
	json_object_set_new(to, "name", text_of(name));
	if (session_at(&session, place, name) < 0 || stat(session.path, &attributes) < 0)
		return to;
	json_object_set_new(to, "owner", json_integer(attributes.st_uid));
	char *status = session_read(&session, "status"), *config = session_read(&session, "config");
	json_t *labels = status ? json_object() : NULL;
	if (status)
		add_status(to, status);
	if (config)
		add_command(to, config);
	if (labels && labels_each(&session, add_label, labels) == 0)
		json_object_set(to, "labels", labels);
	json_decref(labels);
	free(status);
	free(config);
	return to;
}

int json_print(json_t *value)
{
	int error = value ? json_dumpf(value, stdout, JSON_INDENT(2)) : -1;
	json_decref(value);
	if (error < 0)
		return report(STATUS_CLIENT, "cannot print JSON: %s",
			      value ? "write error" : strerror(ENOMEM));
	putchar('\n');
	return 0;
}
