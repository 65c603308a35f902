/* SPDX-License-Identifier: MIT */
/*
 * How that is laid out which outlives this program: the records, what says where they are, and what
 * a server and the init of a sandbox say to each other. A program takes up only what is laid out as
 * its own, which a digest tells: of the sizes and places of all fields, and of the constants that
 * are stored by their numbers.
 *
 * What a table's rows are stored by is in their rows, and no part of it: a row may be added.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stddef.h>
#include <stdint.h>

struct layout_row {
	const char *name; /* of a field with a dot in front */
	size_t offset;    /* of a field; the number of a constant */
	size_t size;      /* 0: a constant */
	size_t align;
};

/* Fields follow their type, in their order. */
/* Versions of clang-format differ. */
/* clang-format off */
#define LAYOUT_TYPE(type) { #type, 0, sizeof(type), __alignof__(type) }
#define LAYOUT_FIELD(type, field)                                                 \
	{ "." #field, offsetof(type, field), sizeof(((type *)NULL)->field),       \
	  __alignof__(((type *)NULL)->field) }
#define LAYOUT_VALUE(constant) { #constant, (size_t)(constant), 0, 0 }
/* clang-format on */

struct layout {
	const struct layout_row *rows;
	size_t count;
};

/* The library's. */
extern const struct layout layout_core;

/* Over what came before: 0 at first. */
uint32_t layout_digest(uint32_t before, const struct layout *layout);

#endif
