/* SPDX-License-Identifier: MIT */
/*
 * A terminal's screen, from the bytes that were printed on it: what a person would see, as text.
 *
 * Any bytes may be fed; nothing is ever answered. What a screen is after some bytes doesn't depend
 * on how they were cut into pieces. Memory: the characters that are on it, 24 bytes a column.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * No more than this is emulated of a larger terminal: first the columns are cut off, then the rows.
 * Rows that are not emulated are printed as empty lines.
 */
enum { SCREEN_COLUMNS_MAX = 16384, SCREEN_ROWS_MAX = 4096, SCREEN_CELLS_MAX = 1 << 19 };

struct screen;

/* An empty one of 1..65535 by 1..65535. 0, or -ENOMEM. */
int screen_create(uint16_t rows, uint16_t cols, struct screen **out);
void screen_destroy(struct screen *screen);

/* Prints `size` bytes on it. */
void screen_feed(struct screen *screen, const void *data, size_t size);

/* No more will be fed: a character that was cut short shows as what it is. */
void screen_end(struct screen *screen);

/* 0, or -ENOMEM: it has the size it had. */
int screen_resize(struct screen *screen, uint16_t rows, uint16_t cols);

/*
 * As many lines as it has rows, each ended by a newline, without blanks before that, in UTF-8. Of
 * the alternate screen while a program is on that.
 */
void screen_print(const struct screen *screen, FILE *to);

/* From 1; in the last column also when the next character goes to the next line. */
void screen_cursor(const struct screen *screen, int *row, int *col, bool *visible);

#endif
