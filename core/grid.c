/* SPDX-License-Identifier: MIT */
/*
 * A grid is an array of lines, so that scrolling, by far the most frequent thing to happen to
 * many cells, turns pointers round. A line knows how much of it was ever written (`used`), so that
 * clearing costs nothing and wide terminals cost what they show.
 *
 * A character of two columns is a WIDE cell followed by a TAIL. Writing over either half leaves the
 * other alone; the printer shows a half without its other half as a blank, as terminals do.
 */
#include "grid.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define CODE UINT32_C(0x1fffff)
#define WIDE (UINT32_C(1) << 24)
#define TAIL (UINT32_C(1) << 25)
#define PROTECTED (UINT32_C(1) << 26)

struct cell {
	/* the first with flags; 0 ends them, and is a blank as the first */
	uint32_t codes[VTERM_MAX_CHARS_PER_CELL];
};

struct grid_line {
	int room, used; /* cells; those past `used` are blank */
	struct cell cells[];
};

struct grid_line **grid_lines(int rows)
{
	return calloc((size_t)rows, sizeof(struct grid_line *));
}

void grid_init(struct grid *grid, struct grid_line **lines, int rows, int cols)
{
	*grid = (struct grid){ rows, cols, lines };
}

void grid_finish(struct grid *grid)
{
	for (int row = 0; grid->lines && row < grid->rows; row++)
		free(grid->lines[row]);
	free(grid->lines);
	*grid = (struct grid){ 0 };
}

void grid_resize(struct grid *grid, struct grid_line **lines, int rows, int cols, int scroll)
{
	for (int row = 0; row < grid->rows; row++) {
		struct grid_line *line = grid->lines[row];
		int to = row - scroll;
		if (to < 0 || to >= rows) {
			free(line);
			continue;
		}
		if (line && line->used > cols)
			line->used = cols;
		lines[to] = line;
	}
	free(grid->lines);
	*grid = (struct grid){ rows, cols, lines };
}

/* Cells */

static void blank(struct grid_line *line, int from, int to)
{
	for (int col = from; col < to; col++)
		line->cells[col].codes[0] = 0;
}

/* The line with cells up to `used` in use; NULL: no memory. */
static struct grid_line *line_for(struct grid *grid, int row, int used)
{
	struct grid_line *line = grid->lines[row];
	if (!line || line->room < used) {
		int room = line && line->room ? line->room * 2 : 80;
		if (room < used)
			room = used;
		if (room > grid->cols)
			room = grid->cols;
		struct grid_line *grown =
			realloc(line, sizeof(*line) + (size_t)room * sizeof(*line->cells));
		if (!grown)
			return NULL;
		if (!line)
			grown->used = 0;
		grown->room = room;
		grid->lines[row] = line = grown;
	}
	if (line->used < used) {
		blank(line, line->used, used);
		line->used = used;
	}
	return line;
}

static struct cell *cell_at(struct grid *grid, VTermPos at)
{
	if (at.row < 0 || at.row >= grid->rows || at.col < 0 || at.col >= grid->cols)
		return NULL;
	struct grid_line *line = line_for(grid, at.row, at.col + 1);
	return line ? &line->cells[at.col] : NULL;
}

void grid_put(struct grid *grid, VTermPos at, const uint32_t *characters, int width, bool protect)
{
	struct cell *cell = cell_at(grid, at);
	if (!cell)
		return;
	for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL; i++) {
		cell->codes[i] = characters[i] & CODE;
		if (!characters[i])
			break;
	}
	if (protect)
		cell->codes[0] |= PROTECTED;
	if (width < 2)
		return;
	cell->codes[0] |= WIDE;
	at.col++;
	struct cell *tail = cell_at(grid, at);
	if (tail)
		tail->codes[0] = TAIL | (protect ? PROTECTED : 0);
}

void grid_combine(struct grid *grid, VTermPos at, uint32_t character)
{
	struct cell *cell = cell_at(grid, at);
	if (!cell || !(cell->codes[0] & CODE))
		return;
	for (int i = 1; i < VTERM_MAX_CHARS_PER_CELL; i++)
		if (!cell->codes[i]) {
			cell->codes[i] = character & CODE;
			if (i + 1 < VTERM_MAX_CHARS_PER_CELL)
				cell->codes[i + 1] = 0;
			return;
		}
}

/* Areas */

static VTermRect clip(const struct grid *grid, VTermRect area)
{
	if (area.start_row < 0)
		area.start_row = 0;
	if (area.start_col < 0)
		area.start_col = 0;
	if (area.end_row > grid->rows)
		area.end_row = grid->rows;
	if (area.end_col > grid->cols)
		area.end_col = grid->cols;
	return area;
}

static void erase_cells(struct grid_line *line, int from, int to, bool selective)
{
	if (!selective && to >= line->used) {
		if (from < line->used)
			line->used = from;
		return;
	}
	for (int col = from; col < to && col < line->used; col++)
		if (!selective || !(line->cells[col].codes[0] & PROTECTED))
			line->cells[col].codes[0] = 0;
}

void grid_erase(struct grid *grid, VTermRect area, bool selective)
{
	area = clip(grid, area);
	if (area.start_col >= area.end_col)
		return;
	for (int row = area.start_row; row < area.end_row; row++)
		if (grid->lines[row])
			erase_cells(grid->lines[row], area.start_col, area.end_col, selective);
}

static void reverse(struct grid_line **lines, int count)
{
	for (int low = 0, high = count - 1; low < high; low++, high--) {
		struct grid_line *line = lines[low];
		lines[low] = lines[high];
		lines[high] = line;
	}
}

/* Turns `count` lines round, so that the one at `by` comes first. */
static void rotate(struct grid_line **lines, int count, int by)
{
	reverse(lines, by);
	reverse(lines + by, count - by);
	reverse(lines, count);
}

static void scroll_lines(struct grid *grid, VTermRect area, int up)
{
	int count = area.end_row - area.start_row;
	int shift = up < 0 ? -up : up;
	if (shift < count)
		rotate(grid->lines + area.start_row, count, up < 0 ? count - shift : shift);
	if (shift < count && up > 0)
		area.start_row = area.end_row - shift;
	else if (shift < count)
		area.end_row = area.start_row + shift;
	grid_erase(grid, area, false);
}

static void shift_cells(struct grid *grid, int row, VTermRect area, int left)
{
	struct grid_line *line = grid->lines[row];
	int count = area.end_col - area.start_col;
	int shift = left < 0 ? -left : left;
	if (!line || line->used <= area.start_col)
		return;
	if (shift >= count) {
		erase_cells(line, area.start_col, area.end_col, false);
		return;
	}
	line = line_for(grid, row, area.end_col);
	if (!line)
		return;
	struct cell *from = line->cells + area.start_col;
	size_t size = (size_t)(count - shift) * sizeof(*from);
	if (left > 0) {
		memmove(from, from + shift, size);
		erase_cells(line, area.end_col - shift, area.end_col, false);
	} else {
		memmove(from + shift, from, size);
		blank(line, area.start_col, area.start_col + shift);
	}
}

void grid_scroll(struct grid *grid, VTermRect area, int up, int left)
{
	area = clip(grid, area);
	if (area.start_row >= area.end_row || area.start_col >= area.end_col)
		return;
	if (up && area.start_col == 0 && area.end_col == grid->cols)
		scroll_lines(grid, area, up);
	for (int row = area.start_row; left && row < area.end_row; row++)
		shift_cells(grid, row, area, left);
}

/* Text */

static bool is_blank(const struct grid_line *line, int col)
{
	const struct cell *cell = &line->cells[col];
	uint32_t code = cell->codes[0] & CODE;
	if (cell->codes[0] & WIDE)
		return col + 1 == line->used || !(cell[1].codes[0] & TAIL);
	return code == 0 || (code == ' ' && !cell->codes[1]);
}

/* How many of its cells are to be printed. */
static int extent(const struct grid_line *line)
{
	int end = line ? line->used : 0;
	while (end > 0 && is_blank(line, end - 1))
		end--;
	return end;
}

int grid_lowest(const struct grid *grid)
{
	int row = grid->rows - 1;
	while (row >= 0 && extent(grid->lines[row]) == 0)
		row--;
	return row;
}

static void print_cell(const struct cell *cell, FILE *to)
{
	char bytes[UTF8_MAX];
	for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell->codes[i]; i++)
		fwrite(bytes, 1, utf8_put(cell->codes[i] & CODE, bytes), to);
}

static void print_line(const struct grid_line *line, FILE *to)
{
	int end = extent(line);
	for (int col = 0; col < end; col++) {
		if (is_blank(line, col)) {
			fputc(' ', to);
			continue;
		}
		print_cell(&line->cells[col], to);
		if (line->cells[col].codes[0] & WIDE)
			col++;
	}
}

void grid_print(const struct grid *grid, FILE *to)
{
	for (int row = 0; row < grid->rows; row++) {
		if (grid->lines[row])
			print_line(grid->lines[row], to);
		fputc('\n', to);
	}
}
