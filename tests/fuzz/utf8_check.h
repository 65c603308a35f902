/* SPDX-License-Identifier: MIT */
/* Texts that are to be UTF-8, checked without what made them (RFC 3629). */
#ifndef UTF8_CHECK_H
#define UTF8_CHECK_H

#include "fuzz.h"

#include <stdbool.h>

/* The size of the character at `at`; 0: it is none. */
static inline size_t utf8_length(const uint8_t *at, size_t left)
{
	size_t length = at[0] < 0x80   ? 1
			: at[0] < 0xc2 ? 0
			: at[0] < 0xe0 ? 2
			: at[0] < 0xf0 ? 3
			: at[0] < 0xf5 ? 4
				       : 0;
	if (length == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}

static inline void check_utf8(const char *text, size_t size)
{
	for (size_t at = 0, length; at < size; at += length) {
		length = utf8_length((const uint8_t *)text + at, size - at);
		CHECK(length > 0);
	}
}

#endif
