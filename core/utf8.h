/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 from a terminal, byte by byte, and what is shown for bytes that are not UTF-8.
 *
 * One malformed sequence is one U+FFFD, as in xterm and libvterm: a stray continuation byte, FE or
 * FF; a sequence cut short by any other byte, which then counts by itself; and a whole sequence
 * that is overlong, a surrogate or above U+10FFFF. Raw bytes 80-9F are therefore never C1 controls;
 * U+0080 to U+009F written as UTF-8 are.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT UINT32_C(0xFFFD)

enum { UTF8_MAX = 4 }; /* bytes of one character */

/* Zeroed: at the start of a character. */
struct utf8 {
	uint32_t code, least; /* so far; below `least` it is overlong */
	unsigned left;        /* continuation bytes to come */
};

/* Takes a byte. Returns how many characters (0, 1 or 2) it completed, and stores them. */
unsigned utf8_feed(struct utf8 *decoder, unsigned char byte, uint32_t codes[2]);

/* No more bytes will come: true where that leaves a U+FFFD. */
bool utf8_finish(struct utf8 *decoder);

/* Writes a character that is not a surrogate, at most U+10FFFF; returns its size. */
size_t utf8_put(uint32_t code, char bytes[UTF8_MAX]);

#endif
