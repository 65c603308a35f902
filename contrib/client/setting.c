/* SPDX-License-Identifier: MIT */
#include "setting.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool setting_is_line(const char *key, const char *value)
{
	if (key[0] == '\0' || key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
		return false;
	for (; *value; value++)
		if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
			return false;
	return true;
}

/* The last name of an absolute path. */
static void leave(char *path)
{
	char *slash = strrchr(path, '/');
	slash[slash == path] = '\0';
}

/*
 * As paths are written in a config. A name that is given there as a value is written so already,
 * this process's own directory is not.
 */
static void print_path(FILE *to, const char *path, bool escaped)
{
	for (; *path; path++) {
		unsigned char byte = (unsigned char)*path;
		if (escaped && (byte <= ' ' || byte == 0x7f || byte == ':' || byte == '\\'))
			fprintf(to, "\\%03o", byte);
		else
			fputc(byte, to);
	}
}

/* The next name; its length, or 0. */
static size_t next_name(const char **at, const char *end)
{
	size_t length = 0;
	while (*at < end && **at == '/')
		(*at)++;
	while (*at + length < end && (*at)[length] != '/')
		length++;
	return length;
}

/*
 * Without `.` and `..`, which a config does not take. `..` behind a name is left to be refused: the
 * name may be a link.
 */
static int print_absolute(FILE *to, const char *relative, size_t size, bool escaped)
{
	char path[PATH_MAX];
	const char *at = relative, *end = relative + size;
	bool inside = false;
	if (!getcwd(path, sizeof(path)))
		return -errno;
	for (size_t length; (length = next_name(&at, end)) > 0; at += length) {
		if (length == 1 && *at == '.')
			continue;
		if (!inside && length == 2 && strncmp(at, "..", 2) == 0) {
			leave(path);
			continue;
		}
		if (!inside)
			print_path(to, strcmp(path, "/") == 0 ? "" : path, escaped);
		fprintf(to, "/%.*s", (int)length, at);
		inside = true;
	}
	if (!inside)
		print_path(to, path, escaped);
	return 0;
}

/* Up to a colon that is not escaped. */
static size_t outside_length(const char *value)
{
	size_t length = 0;
	while (value[length] && value[length] != ':')
		length += value[length] == '\\' && value[length + 1] ? 2 : 1;
	return length;
}

static int print_line(FILE *to, const char *key, const char *value)
{
	bool shared = strcmp(key, "ro") == 0 || strcmp(key, "rw") == 0;
	size_t size = shared ? outside_length(value) : strlen(value);
	int error = 0;
	fprintf(to, "%s ", key);
	if ((shared || strcmp(key, "cwd") == 0) && value[0] != '/' && size > 0) {
		error = print_absolute(to, value, size, shared);
		value += size;
	}
	fprintf(to, "%s\n", value);
	return error;
}

char *setting_line(const char *key, const char *value)
{
	char *line = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&line, &size);
	if (!to)
		return NULL;
	int error = print_line(to, key, value);
	if (fclose(to) < 0)
		error = -errno;
	/* The directory of a `cwd` may have a name that no line can hold. */
	if (error == 0 && strcspn(line, "\n") + 1 != size)
		error = -EINVAL;
	if (error == 0)
		return line;
	free(line);
	errno = -error;
	return NULL;
}
