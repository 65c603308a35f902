/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <stdio.h>

#define ESC "\033"
#define CSI ESC "["
#define OSC ESC "]"
#define DCS ESC "P"
#define ST ESC "\\"

enum { CELL_ROWS = 16, CELL_COLS = 8 };
enum { FOREGROUND = 0xe5e5e5, BACKGROUND = 0x000000 };

static bool asks_region(const struct query *query)
{
	return query->kind == QUERY_SETTING && query->count == 1 && query->numbers[0] == 'r';
}

bool answer_needs_screen(const struct query *query)
{
	switch (query->kind) {
	case QUERY_CURSOR:
	case QUERY_CURSOR_PAGE:
	case QUERY_MODE:
	case QUERY_PRIVATE_MODE:
		return true;
	default:
		return asks_region(query);
	}
}

static void get_region(const struct answer_facts *facts, int *top, int *bottom)
{
	*top = facts->modes->top ? facts->modes->top : 1;
	*bottom = facts->modes->bottom ? facts->modes->bottom : facts->rows;
	if (*bottom > facts->rows)
		*bottom = facts->rows;
	if (*top >= *bottom) {
		*top = 1;
		*bottom = facts->rows;
	}
}

/* In origin mode rows count from the top of the region. */
static void print_cursor(const struct answer_facts *facts, const char *leader, const char *page,
			 FILE *to)
{
	int top, bottom, row = facts->row;
	get_region(facts, &top, &bottom);
	if (modes_state(facts->modes, '?', 6) == 1)
		row = row > top ? row - top + 1 : 1;
	fprintf(to, CSI "%s%d;%d%sR", leader, row, facts->col, page);
}

static void print_setting(const struct query *query, const struct answer_facts *facts, FILE *to)
{
	int top, bottom;
	if (asks_region(query)) {
		get_region(facts, &top, &bottom);
		fprintf(to, DCS "1$r%d;%dr" ST, top, bottom);
	} else if (query->count == 2 && query->numbers[0] == '"' && query->numbers[1] == 'p') {
		fputs(DCS "1$r62;1\"p" ST, to); /* DECSCL */
	} else {
		fputs(DCS "0$r" ST, to);
	}
}

static void print_size(int what, const struct answer_facts *facts, FILE *to)
{
	if (what == 14)
		fprintf(to, CSI "4;%d;%dt", facts->rows * CELL_ROWS, facts->cols * CELL_COLS);
	else if (what == 16)
		fprintf(to, CSI "6;%d;%dt", CELL_ROWS, CELL_COLS);
	else
		fprintf(to, CSI "%d;%d;%dt", what - 10, facts->rows, facts->cols);
}

/* Colours */

static unsigned cube_level(unsigned step)
{
	return step ? 55 + 40 * step : 0;
}

static unsigned palette_colour(unsigned index)
{
	static const unsigned first[] = {
		0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5,
		0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
	};
	if (index < 16)
		return first[index];
	if (index >= 232)
		return (8 + 10 * (index - 232)) * 0x010101;
	index -= 16;
	return cube_level(index / 36) << 16 | cube_level(index / 6 % 6) << 8 |
	       cube_level(index % 6);
}

static void print_colour(unsigned colour, bool bell, FILE *to)
{
	unsigned red = colour >> 16, green = colour >> 8 & 0xff, blue = colour & 0xff;
	fprintf(to, "rgb:%02x%02x/%02x%02x/%02x%02x%s", red, red, green, green, blue, blue,
		bell ? "\007" : ST);
}

static void print_colours(const struct query *query, FILE *to)
{
	for (unsigned i = 0; i < query->count; i++) {
		unsigned number = query->numbers[i];
		if (query->kind == QUERY_COLOUR) {
			fprintf(to, OSC "%u;", number);
			print_colour(number == 11 ? BACKGROUND : FOREGROUND, query->bell, to);
		} else if (number < 256) {
			fprintf(to, OSC "4;%u;", number);
			print_colour(palette_colour(number), query->bell, to);
		}
	}
}

static void print_mode(const struct query *query, const char *leader,
		       const struct answer_facts *facts, FILE *to)
{
	int mode = query->numbers[0];
	fprintf(to, CSI "%s%d;%d$y", leader, mode, modes_state(facts->modes, *leader, mode));
}

static void print(const struct query *query, const struct answer_facts *facts, FILE *to)
{
	switch (query->kind) {
	case QUERY_NONE:
	case QUERY_OTHER:
		break;
	case QUERY_STATUS:
		fputs(CSI "0n", to);
		break;
	case QUERY_CURSOR:
		print_cursor(facts, "", "", to);
		break;
	case QUERY_CURSOR_PAGE:
		print_cursor(facts, "?", ";1", to);
		break;
	case QUERY_DEVICE:
		fputs(CSI "?62;22c", to);
		break;
	case QUERY_DEVICE_2:
		fputs(CSI ">1;276;0c", to);
		break;
	case QUERY_DEVICE_3:
		fputs(DCS "!|00000000" ST, to);
		break;
	case QUERY_VERSION:
		fputs(DCS ">|mimobox(" MIMOBOX_VERSION ")" ST, to);
		break;
	case QUERY_MODE:
		print_mode(query, "", facts, to);
		break;
	case QUERY_PRIVATE_MODE:
		print_mode(query, "?", facts, to);
		break;
	case QUERY_SETTING:
		print_setting(query, facts, to);
		break;
	case QUERY_CAPABILITY:
		fputs(DCS "0+r" ST, to);
		break;
	case QUERY_SIZE:
		print_size(query->numbers[0], facts, to);
		break;
	case QUERY_PALETTE:
	case QUERY_COLOUR:
		print_colours(query, to);
		break;
	}
}

size_t answer_print(const struct query *query, const struct answer_facts *facts,
		    char to[static ANSWER_MAX])
{
	FILE *file = fmemopen(to, ANSWER_MAX, "w");
	if (!file)
		return 0;
	print(query, facts, file);
	long size = ftell(file);
	return fclose(file) == 0 && size > 0 ? (size_t)size : 0;
}
