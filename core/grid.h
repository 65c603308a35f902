/* SPDX-License-Identifier: MIT */
/*
 * The characters on a terminal's screen, and nothing but them: no colours.
 *
 * Positions and rectangles may be anything; what is outside the grid has no effect. A row has
 * memory once something was put on it; where there is none to be had, what was put is not there.
 */
#ifndef GRID_H
#define GRID_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <vterm.h>

struct grid_line;

struct grid {
	int rows, cols;
	struct grid_line **lines; /* NULL: blank */
};

/* For grid_init() and grid_resize(); NULL where there is no memory. */
struct grid_line **grid_lines(int rows);

/* Takes `lines`, of as many rows. */
void grid_init(struct grid *grid, struct grid_line **lines, int rows, int cols);
void grid_finish(struct grid *grid);

/* Takes `lines`. The uppermost `scroll` rows go; what is then outside goes too. */
void grid_resize(struct grid *grid, struct grid_line **lines, int rows, int cols, int scroll);

/*
 * A character (0-terminated: it, and what combines with it, of which as much is kept as
 * libvterm does) of one or two columns.
 */
void grid_put(struct grid *grid, VTermPos at, const uint32_t *characters, int width, bool protect);
/* One more that combines with what is there. */
void grid_combine(struct grid *grid, VTermPos at, uint32_t character);

/* `selective` spares what was put with `protect`. */
void grid_erase(struct grid *grid, VTermRect area, bool selective);

/* Moves up by `up` rows (down: below 0) or left by `left` columns; one of them is 0. */
void grid_scroll(struct grid *grid, VTermRect area, int up, int left);

/* The lowest row with something on it; -1: none. */
int grid_lowest(const struct grid *grid);

/* Exactly `rows` lines, without the blanks at their ends. */
void grid_print(const struct grid *grid, FILE *to);

#endif
