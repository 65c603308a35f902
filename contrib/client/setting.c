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

/* `part` is one name below `path`, which is absolute and has room for it. */
static void enter(char *path, const char *part, size_t size)
{
	size_t length = strlen(path);
	snprintf(path + length, size + 2, "%s%.*s", length > 1 ? "/" : "", (int)size, part);
}

static void leave(char *path)
{
	char *slash = strrchr(path, '/');
	slash[slash == path] = '\0';
}

/*
 * Without `.` and `..`, which a config does not take. `..` behind a name is left to be refused: the
 * name may be a link.
 */
static int resolve(char path[static 2 * PATH_MAX], const char *relative, size_t size)
{
	bool inside = false;
	if (size >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!getcwd(path, PATH_MAX))
		return -errno;
	for (size_t length; size > 0; relative += length, size -= length) {
		length = strspn(relative, "/");
		if (length > 0)
			continue;
		while (length < size && relative[length] != '/')
			length++;
		if (length == 1 && *relative == '.')
			continue;
		bool up = length == 2 && strncmp(relative, "..", 2) == 0;
		if (up && !inside) {
			leave(path);
			continue;
		}
		enter(path, relative, length);
		inside = true;
	}
	return 0;
}

char *setting_line(const char *key, const char *value)
{
	char path[2 * PATH_MAX] = "", *line = NULL;
	bool shared = strcmp(key, "ro") == 0 || strcmp(key, "rw") == 0 ||
		      strcmp(key, "overlay") == 0 || strcmp(key, "device") == 0;
	size_t size = shared ? strcspn(value, ":") : strlen(value);
	int error = 0;
	if ((shared || strcmp(key, "cwd") == 0 || strcmp(key, "root") == 0) && value[0] != '/' &&
	    size > 0) {
		error = resolve(path, value, size);
		/* What follows a colon would be its name inside. */
		if (error == 0 && shared && strchr(path, ':'))
			error = -EINVAL;
		value += size;
	}
	if (error == 0 && !setting_is_line(key, path))
		error = -EINVAL;
	if (error == 0 && asprintf(&line, "%s %s%s\n", key, path, value) < 0)
		error = -ENOMEM;
	if (error == 0)
		return line;
	errno = -error;
	return NULL;
}
