/* SPDX-License-Identifier: MIT */
#include "attributes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define NOTES "user.overlay."
#define ESCAPE "overlay."

/* What it is called on the host; NULL: it does not go there. */
static const char *carried_name(const char *name, bool upper, char *buffer, size_t size)
{
	if (strcmp(name, "system.posix_acl_access") == 0 ||
	    strcmp(name, "system.posix_acl_default") == 0)
		return name;
	if (strncmp(name, "user.", 5) != 0)
		return NULL;
	if (!upper || strncmp(name, NOTES, strlen(NOTES)) != 0)
		return name;
	name += strlen(NOTES);
	if (strncmp(name, ESCAPE, strlen(ESCAPE)) != 0)
		return NULL;
	snprintf(buffer, size, NOTES "%s", name + strlen(ESCAPE));
	return buffer;
}

static int read_value(int fd, const char *name, struct attribute *out)
{
	ssize_t size = fgetxattr(fd, name, NULL, 0);
	if (size < 0)
		return -errno;
	out->value = malloc((size_t)size + 1);
	if (!out->value)
		return -ENOMEM;
	size = fgetxattr(fd, name, out->value, (size_t)size);
	if (size < 0)
		return -errno;
	out->size = (size_t)size;
	return 0;
}

static int add(struct attributes *attributes, int fd, const char *name, const char *carried)
{
	struct attribute *list = realloc(attributes->list, (attributes->count + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	attributes->list = list;
	struct attribute *attribute = &list[attributes->count++];
	*attribute = (struct attribute){ .name = strdup(carried) };
	return attribute->name ? read_value(fd, name, attribute) : -ENOMEM;
}

static int by_name(const void *a, const void *b)
{
	const struct attribute *one = a, *other = b;
	return strcmp(one->name, other->name);
}

static int list_names(int fd, char **out, size_t *size)
{
	ssize_t room = flistxattr(fd, NULL, 0);
	*size = 0;
	*out = NULL;
	if (room <= 0)
		return room < 0 && errno != EOPNOTSUPP ? -errno : 0;
	*out = malloc((size_t)room + 1);
	if (!*out)
		return -ENOMEM;
	room = flistxattr(fd, *out, (size_t)room);
	if (room < 0)
		return -errno;
	(*out)[room] = '\0';
	*size = (size_t)room;
	return 0;
}

int attributes_read(struct attributes *attributes, int fd, bool upper)
{
	char *names, buffer[512];
	size_t size;
	*attributes = (struct attributes){ 0 };
	int error = list_names(fd, &names, &size);
	for (size_t at = 0; error == 0 && at < size; at += strlen(names + at) + 1) {
		const char *carried = carried_name(names + at, upper, buffer, sizeof(buffer));
		if (carried)
			error = add(attributes, fd, names + at, carried);
	}
	free(names);
	if (error == 0 && attributes->count)
		qsort(attributes->list, attributes->count, sizeof(*attributes->list), by_name);
	return error;
}

static bool same(const struct attribute *a, const struct attribute *b)
{
	return strcmp(a->name, b->name) == 0 && a->size == b->size &&
	       memcmp(a->value, b->value, a->size) == 0;
}

bool attributes_same(const struct attributes *a, const struct attributes *b)
{
	bool equal = a->count == b->count;
	for (size_t i = 0; equal && i < a->count; i++)
		equal = same(&a->list[i], &b->list[i]);
	return equal;
}

static bool has(const struct attributes *attributes, const char *name)
{
	for (size_t i = 0; i < attributes->count; i++)
		if (strcmp(attributes->list[i].name, name) == 0)
			return true;
	return false;
}

int attributes_write(const struct attributes *attributes, int fd)
{
	struct attributes before;
	int error = attributes_read(&before, fd, false);
	for (size_t i = 0; error == 0 && i < before.count; i++)
		if (!has(attributes, before.list[i].name) &&
		    fremovexattr(fd, before.list[i].name) < 0)
			error = -errno;
	for (size_t i = 0; error == 0 && i < attributes->count; i++) {
		const struct attribute *attribute = &attributes->list[i];
		if (fsetxattr(fd, attribute->name, attribute->value, attribute->size, 0) < 0)
			error = -errno;
	}
	attributes_finish(&before);
	return error;
}

void attributes_finish(struct attributes *attributes)
{
	for (size_t i = 0; i < attributes->count; i++) {
		free(attributes->list[i].name);
		free(attributes->list[i].value);
	}
	free(attributes->list);
	*attributes = (struct attributes){ 0 };
}

bool attributes_overlay_has(int fd, const char *note)
{
	char name[64], value;
	snprintf(name, sizeof(name), NOTES "%s", note);
	return fgetxattr(fd, name, &value, 1) == 1 && value == 'y';
}
