/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than execve(2) takes of one argument, and not much more. */
enum { LINE_LENGTH_MAX = 196608 };

/*
 * A line may end as it does on other systems, in \r\n. Blanks at the end matter only to those whose
 * value is any text.
 */
static void trim(const char *name, char *value)
{
	bool any_text = strcmp(name, "command") == 0 || strcmp(name, "env") == 0;
	size_t length = strlen(value);
	while (length > 0 && strchr(any_text ? "\r" : " \t\r", value[length - 1]))
		value[--length] = '\0';
}

static int refuse(struct reason *reason, int error, const char *why)
{
	snprintf(reason->text, sizeof(reason->text), "%s", why);
	return error;
}

static int refuse_length(struct reason *reason)
{
	snprintf(reason->text, sizeof(reason->text), "a line of more than %d bytes",
		 LINE_LENGTH_MAX);
	return -E2BIG;
}

static int read_line(char *line, config_line_fn take, void *data, struct reason *reason)
{
	char *name = line + strspn(line, " \t");
	if (*name == '#' || name[strspn(name, " \t\r")] == '\0')
		return 0;
	size_t length = strcspn(name, " \t\r");
	char *value = name + length;
	value += strspn(value, " \t");
	name[length] = '\0';
	trim(name, value);
	return take(data, name, value, reason);
}

size_t config_read(const char *text, size_t size, config_line_fn take, void *data, int *error,
		   unsigned *line, struct reason *reason)
{
	size_t taken = 0;
	*error = 0;
	for (*line = 1; taken < size; ++*line) {
		const char *start = text + taken;
		const char *end = memchr(start, '\n', size - taken);
		size_t length = end ? (size_t)(end - start) : size - taken;
		char *copy = length <= LINE_LENGTH_MAX ? strndup(start, length) : NULL;
		if (length > LINE_LENGTH_MAX)
			*error = refuse_length(reason);
		else if (!copy)
			*error = refuse(reason, -ENOMEM, "out of memory");
		else if (strlen(copy) != length)
			*error = refuse(reason, -EINVAL, "a NUL byte");
		else
			*error = read_line(copy, take, data, reason);
		free(copy);
		if (*error < 0)
			return taken;
		taken += length + (end ? 1 : 0);
	}
	return taken;
}
