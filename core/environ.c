/* SPDX-License-Identifier: MIT */
#include "environ.h"

#include "home.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const base[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm-256color",
	"USER=sandbox",
	"LOGNAME=sandbox",
	"SHELL=/bin/sh",
	"LANG=C.UTF-8",
};

/* A client's words are kept by a daemon that serves others as well. */
enum { COUNT_MAX = 512, SIZE_MAX_ALL = 131072 };

#define BASE_COUNT (sizeof(base) / sizeof(base[0]))

/* Those that follow other keys, unless they are set. */
enum { FOLLOWING = 3 };
static const char *const following[FOLLOWING] = { "HOME=", "TMPDIR=", "PWD=" };

static const char *value_of(size_t which, const struct environ_places *places)
{
	if (which == 0)
		return places->home ? HOME_INSIDE : "/tmp";
	if (which == 1)
		return places->home ? HOME_TEMPORARY : "/tmp";
	return places->cwd;
}

static bool valid_name(const char *name, size_t length)
{
	if (length == 0 || isdigit((unsigned char)name[0]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
			return false;
	return true;
}

/* Read by ld.so, dyld, sh and bash before the program's first instruction. */
static bool acted_on_early(const char *name, size_t length)
{
	return strncasecmp(name, "LD_", 3) == 0 || strncasecmp(name, "DYLD_", 5) == 0 ||
	       (length == 3 && strncasecmp(name, "ENV", 3) == 0) ||
	       (length == 8 && strncasecmp(name, "BASH_ENV", 8) == 0);
}

static bool same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");
	return strcspn(b, "=") == length && memcmp(a, b, length) == 0;
}

static char **find(const struct environ *environ, const char *assignment)
{
	for (size_t i = 0; i < environ->count; i++)
		if (same_name(environ->set[i], assignment))
			return &environ->set[i];
	return NULL;
}

/* As it is anyway. */
static bool is_base(const char *assignment)
{
	for (size_t i = 0; i < BASE_COUNT; i++)
		if (strcmp(base[i], assignment) == 0)
			return true;
	return false;
}

int environ_set(struct environ *environ, const char *assignment)
{
	size_t length = strcspn(assignment, "=");
	if (assignment[length] != '=' || !valid_name(assignment, length) ||
	    acted_on_early(assignment, length))
		return -EINVAL;
	char **place = find(environ, assignment);
	/* It counts for nothing, so that what was listed whole can be read back whole. */
	if (!place && is_base(assignment))
		return 0;
	size_t size = environ->size + strlen(assignment) - (place ? strlen(*place) : 0);
	if (size > SIZE_MAX_ALL || (!place && environ->count == COUNT_MAX))
		return -E2BIG;
	char *copy = strdup(assignment);
	if (!copy)
		return -ENOMEM;
	environ->size = size;
	if (place) {
		free(*place);
		*place = copy;
		return 0;
	}
	char **set = realloc(environ->set, (environ->count + 1) * sizeof(*set));
	if (!set) {
		environ->size -= strlen(copy);
		free(copy);
		return -ENOMEM;
	}
	environ->set = set;
	set[environ->count++] = copy;
	return 0;
}

int environ_copy(struct environ *to, const struct environ *from)
{
	*to = (struct environ){ 0 };
	for (size_t i = 0; i < from->count; i++) {
		int error = environ_set(to, from->set[i]);
		if (error < 0) {
			environ_finish(to);
			return error;
		}
	}
	return 0;
}

void environ_finish(struct environ *environ)
{
	for (size_t i = 0; i < environ->count; i++)
		free(environ->set[i]);
	free(environ->set);
	*environ = (struct environ){ 0 };
}

static int append(char **vector, size_t *count, const char *assignment)
{
	vector[*count] = strdup(assignment);
	return vector[*count] ? (*count)++, 0 : -ENOMEM;
}

/* A variable of its own, or what was laid over it. */
static int append_own(char **vector, size_t *count, const struct environ *environ,
		      const char *assignment)
{
	char **set = find(environ, assignment);
	return append(vector, count, set ? *set : assignment);
}

static bool is_own(const char *assignment)
{
	for (size_t i = 0; i < BASE_COUNT; i++)
		if (same_name(base[i], assignment))
			return true;
	for (size_t i = 0; i < FOLLOWING; i++)
		if (same_name(following[i], assignment))
			return true;
	return false;
}

bool environ_follows(const struct environ_places *places, const char *assignment)
{
	for (size_t i = 0; i < FOLLOWING; i++) {
		size_t length = strlen(following[i]);
		if (strncmp(assignment, following[i], length) == 0)
			return strcmp(assignment + length, value_of(i, places)) == 0;
	}
	return false;
}

static int append_following(char **vector, size_t *count, const struct environ *environ,
			    const struct environ_places *places)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < FOLLOWING; i++) {
		char *own;
		if (asprintf(&own, "%s%s", following[i], value_of(i, places)) < 0)
			return -ENOMEM;
		error = append_own(vector, count, environ, own);
		free(own);
	}
	return error;
}

static int fill(char **vector, const struct environ *environ, const struct environ_places *places)
{
	size_t count = 0;
	int error = 0;
	for (size_t i = 0; error == 0 && i < BASE_COUNT; i++)
		error = append_own(vector, &count, environ, base[i]);
	if (error == 0)
		error = append_following(vector, &count, environ, places);
	for (size_t i = 0; error == 0 && i < environ->count; i++)
		if (!is_own(environ->set[i]))
			error = append(vector, &count, environ->set[i]);
	return error;
}

char **environ_vector(const struct environ *environ, const struct environ_places *places)
{
	char **vector = calloc(BASE_COUNT + FOLLOWING + environ->count + 1, sizeof(*vector));
	if (vector && fill(vector, environ, places) < 0) {
		environ_free_vector(vector);
		vector = NULL;
	}
	return vector;
}

void environ_free_vector(char **vector)
{
	for (size_t i = 0; vector[i]; i++)
		free(vector[i]);
	free(vector);
}
