/* SPDX-License-Identifier: MIT */
/* The memory that labels are in, against a plain list of names and values. */
#include <labels.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

enum { NAMES = 12, STEPS = 20000 };

static struct {
	bool there;
	size_t size;
	unsigned char fill;
} model[NAMES];

static const char *name_of(unsigned i)
{
	static char name[32];

	snprintf(name, sizeof(name), "user.%.*s", (int)i + 1, "abcdefghijklmnopq");
	return name;
}

static size_t model_sum(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < NAMES; i++)
		sum += model[i].there ? strlen(name_of(i)) + model[i].size : 0;
	return sum;
}

static void check(const struct labels *labels)
{
	size_t names = 0;

	for (unsigned i = 0; i < NAMES; i++) {
		const void *value = NULL;
		ssize_t size = labels_get(labels, name_of(i), &value);

		cr_assert_eq(size, model[i].there ? (ssize_t)model[i].size : -ENODATA);
		for (ssize_t at = 0; at < size; at++)
			cr_assert_eq(((const unsigned char *)value)[at], model[i].fill);
		names += model[i].there ? strlen(name_of(i)) + 1 : 0;
	}
	cr_assert_eq(labels_list(labels, NULL), names);
}

static int set(struct labels *labels, unsigned i, size_t size, unsigned char fill, int flags)
{
	static unsigned char value[2 * LABELS_MAX];
	size_t sum = model_sum() - (model[i].there ? strlen(name_of(i)) + model[i].size : 0) +
		     strlen(name_of(i)) + size;
	int expected = (flags & XATTR_CREATE) && model[i].there     ? -EEXIST
		       : (flags & XATTR_REPLACE) && !model[i].there ? -ENODATA
		       : sum > LABELS_MAX                           ? -ENOSPC
								    : 0;

	memset(value, fill, size);
	cr_assert_eq(labels_set(labels, name_of(i), value, size, flags), expected);
	if (expected == 0) {
		model[i].there = true;
		model[i].size = size;
		model[i].fill = fill;
	}
	return expected;
}

Test(labels, are_as_a_list_says)
{
	struct labels labels = { 0 };
	unsigned refused = 0, state = 1;

	for (unsigned step = 0; step < STEPS; step++) {
		state = state * 1103515245u + 12345u;
		unsigned i = (state >> 8) % NAMES, what = (state >> 16) % 8;
		size_t size = (state >> 20) % (what == 0 ? 5000 : 700);

		if (what < 6) {
			refused += set(&labels, i, size, (unsigned char)step,
				       what == 4   ? XATTR_CREATE
				       : what == 5 ? XATTR_REPLACE
						   : 0) == -ENOSPC;
		} else {
			cr_assert_eq(labels_remove(&labels, name_of(i)),
				     model[i].there ? 0 : -ENODATA);
			model[i].there = false;
		}
		check(&labels);
	}
	cr_assert_gt(refused, 100);
	labels_finish(&labels);
}

Test(labels, are_restored_whole_or_not)
{
	struct labels labels = { 0 }, other = { 0 };
	char names[64], before[64];

	cr_assert_eq(labels_set(&labels, "user.a", "one", 3, 0), 0);
	cr_assert_eq(labels_set(&labels, "user.b", "", 0, 0), 0);
	cr_assert_eq(labels_restore(&other, labels.data, labels.size), 0);
	cr_assert_eq(labels_list(&other, names), labels_list(&labels, before));
	cr_assert_eq(memcmp(names, before, labels_list(&labels, NULL)), 0);
	for (size_t size = 1; size < labels.size; size++)
		if (size != 2 + 7 + 3) /* the first alone */
			cr_assert_eq(labels_restore(&other, labels.data, size), -EPROTO, "%zu",
				     size);
	cr_assert_eq(labels_list(&other, NULL), 14, "it is as it was");
	labels_finish(&labels);
	labels_finish(&other);
}

Test(labels, names)
{
	cr_assert(label_is("user.a"));
	cr_assert(!label_is("user."));
	cr_assert(!label_is("users.a"));
	cr_assert(!label_is("security.selinux"));
	cr_assert(!label_is(""));
}
