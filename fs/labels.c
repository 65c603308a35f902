/* SPDX-License-Identifier: MIT */
#include "labels.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

static const char prefix[] = "user.";

bool label_is(const char *name)
{
	return strncmp(name, prefix, sizeof(prefix) - 1) == 0 && name[sizeof(prefix) - 1];
}

/* One of them, in the memory of all. */
struct label {
	const char *name, *value;
	size_t name_size, value_size; /* the name's with its zero byte */
	size_t from, to;              /* where it begins, and where the next does */
};

/* The one that begins at `from`; false: none does. */
static bool next(const struct labels *labels, size_t from, struct label *out)
{
	uint16_t size;
	if (from + sizeof(size) >= labels->size)
		return false;
	memcpy(&size, labels->data + from, sizeof(size));
	out->from = from;
	out->name = labels->data + from + sizeof(size);
	out->name_size = strnlen(out->name, labels->size - from - sizeof(size)) + 1;
	out->value = out->name + out->name_size;
	out->value_size = size;
	out->to = from + sizeof(size) + out->name_size + size;
	return out->to <= labels->size;
}

static bool find(const struct labels *labels, const char *name, struct label *out)
{
	for (size_t at = 0; next(labels, at, out); at = out->to)
		if (strcmp(out->name, name) == 0)
			return true;
	return false;
}

/* Of names without their zero bytes, and values. */
static size_t sum_of(const struct labels *labels)
{
	struct label label;
	size_t sum = 0;
	for (size_t at = 0; next(labels, at, &label); at = label.to)
		sum += label.name_size - 1 + label.value_size;
	return sum;
}

static void cut(struct labels *labels, const struct label *label)
{
	memmove(labels->data + label->from, labels->data + label->to, labels->size - label->to);
	labels->size -= label->to - label->from;
}

int labels_set(struct labels *labels, const char *name, const void *value, size_t size, int flags)
{
	struct label old;
	bool there = find(labels, name, &old);
	size_t name_size = strlen(name) + 1, sum = sum_of(labels) + name_size - 1;
	if (there && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!there && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (there)
		sum -= old.name_size - 1 + old.value_size;
	if (size > LABELS_MAX || sum > LABELS_MAX - size)
		return -ENOSPC;
	uint16_t head = (uint16_t)size;
	char *data = realloc(labels->data, labels->size + sizeof(head) + name_size + size);
	if (!data)
		return -ENOMEM;
	labels->data = data;
	if (there)
		cut(labels, &old);
	char *to = labels->data + labels->size;
	memcpy(to, &head, sizeof(head));
	memcpy(to + sizeof(head), name, name_size);
	if (size)
		memcpy(to + sizeof(head) + name_size, value, size);
	labels->size += sizeof(head) + name_size + size;
	return 0;
}

int labels_remove(struct labels *labels, const char *name)
{
	struct label label;
	if (!find(labels, name, &label))
		return -ENODATA;
	cut(labels, &label);
	return 0;
}

ssize_t labels_get(const struct labels *labels, const char *name, const void **value)
{
	struct label label;
	if (!find(labels, name, &label))
		return -ENODATA;
	*value = label.value;
	return (ssize_t)label.value_size;
}

size_t labels_list(const struct labels *labels, char *names)
{
	struct label label;
	size_t size = 0;
	for (size_t at = 0; next(labels, at, &label); at = label.to) {
		if (names)
			memcpy(names + size, label.name, label.name_size);
		size += label.name_size;
	}
	return size;
}

int labels_restore(struct labels *labels, const void *data, size_t size)
{
	struct labels kept = { malloc(size ? size : 1), size };
	struct label label = { 0 };
	if (!kept.data)
		return -ENOMEM;
	memcpy(kept.data, data, size);
	while (next(&kept, label.to, &label))
		;
	if (label.to != size || sum_of(&kept) > LABELS_MAX) {
		free(kept.data);
		return -EPROTO;
	}
	labels_finish(labels);
	*labels = kept;
	return 0;
}

void labels_finish(struct labels *labels)
{
	free(labels->data);
	*labels = (struct labels){ 0 };
}
