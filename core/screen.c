/* SPDX-License-Identifier: MIT */
/*
 * The terminal is libvterm's: cursor, modes, scroll regions, tabs, character sets, wrapping. What
 * is around it here makes it fit for bytes from anybody. Versions in use (0.1.4 is the oldest)
 * write outside their memory for a CSI with more than 16 parameters, for UTF-8 cut short, for REP
 * at the edge, for a scroll region or saved cursor from before a resize; never return from a REP
 * of nothing; and take ever longer for a base character with ever more combining ones. So
 *
 * - bytes become characters (utf8.h) and sequences (sequence.h) here, and libvterm gets only whole
 *   ones, of what it is known to do right, written anew with arguments in bounds. That leaves out
 *   all that doesn't change the text (colours, titles, queries), and what it does wrong: left and
 *   right margins, double-size lines, single shifts, DECALN.
 * - only its state layer is used. The characters are in grids of our own, which check every
 * position.
 * - combining characters never reach it: they go to the cell that was written last.
 * - after a resize the scroll region is reset, as xterm does, and the cursor put inside.
 *
 * Between two calls of screen_feed() libvterm is always between two sequences.
 */
#include "screen.h"

#include "grid.h"
#include "sequence.h"
#include "utf8.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { PRIMARY, ALTERNATE };
enum { RESERVE = 12, RESERVE_LARGE = 4, RESERVE_BYTES = 8192, RESERVE_BYTES_A_ROW = 8 };
enum { RUN_MAX = 256 }; /* libvterm has 4 bytes of stack for each byte of text it is given */

struct screen {
	VTerm *vt;
	void *reserve[RESERVE]; /* what libvterm gets; NULL: gone */
	size_t reserve_large;   /* bytes of each of the last RESERVE_LARGE */
	VTermState *state;
	struct grid grids[2];
	int current;   /* PRIMARY or ALTERNATE */
	uint16_t rows; /* asked for */

	struct utf8 decoder;
	struct sequence sequence;
	uint32_t repeatable; /* the character that REP repeats; 0: none */
	bool has_base;       /* a combining character would belong to `base` */
	VTermPos base;
};

/*
 * What libvterm allocates it uses without a look (0.1.4). So what it may ask for in one call is had
 * before the call, or the call isn't made: a few blocks, each of more than it ever needs; the last
 * of them have room for something about each row, and are all it may ask for at a new size.
 */

static size_t reserve_size(const struct screen *screen, int i)
{
	return i < RESERVE - RESERVE_LARGE ? RESERVE_BYTES : screen->reserve_large;
}

static void *take_reserve(size_t size, void *data)
{
	struct screen *screen = data;
	for (int i = 0; i < RESERVE; i++)
		if (screen->reserve[i] && size <= reserve_size(screen, i)) {
			void *block = screen->reserve[i], *fitted = realloc(block, size);
			screen->reserve[i] = NULL;
			return memset(fitted ? fitted : block, 0, size);
		}
	return calloc(1, size);
}

static void give_back(void *block, void *data)
{
	(void)data;
	free(block);
}

static void free_reserve(struct screen *screen)
{
	for (int i = 0; i < RESERVE; i++) {
		free(screen->reserve[i]);
		screen->reserve[i] = NULL;
	}
}

static int fill_reserve(struct screen *screen, int count, int rows)
{
	size_t large = (size_t)rows * RESERVE_BYTES_A_ROW;
	screen->reserve_large = large > RESERVE_BYTES ? large : RESERVE_BYTES;
	for (int i = RESERVE - count; i < RESERVE; i++) {
		screen->reserve[i] = malloc(reserve_size(screen, i));
		if (!screen->reserve[i]) {
			free_reserve(screen);
			return -ENOMEM;
		}
	}
	return 0;
}

static VTermAllocatorFunctions allocator = { take_reserve, give_back };

/* What libvterm asks for */

static int on_put(VTermGlyphInfo *info, VTermPos at, void *data)
{
	struct screen *screen = data;
	grid_put(&screen->grids[screen->current], at, info->chars, info->width,
		 info->protected_cell);
	screen->has_base = true;
	screen->base = at;
	return 1;
}

static int on_scroll(VTermRect area, int downward, int rightward, void *data)
{
	struct screen *screen = data;
	grid_scroll(&screen->grids[screen->current], area, downward, rightward);
	return 1;
}

static int on_erase(VTermRect area, int selective, void *data)
{
	struct screen *screen = data;
	grid_erase(&screen->grids[screen->current], area, selective);
	return 1;
}

static int on_property(VTermProp property, VTermValue *value, void *data)
{
	struct screen *screen = data;
	if (property == VTERM_PROP_ALTSCREEN)
		screen->current = value->boolean ? ALTERNATE : PRIMARY;
	return 1;
}

static const VTermStateCallbacks callbacks = {
	.putglyph = on_put,
	.scrollrect = on_scroll,
	.erase = on_erase,
	.settermprop = on_property,
};

/* What libvterm gets */

static void control(struct screen *screen, uint32_t code)
{
	char byte = (char)code;
	screen->has_base = false;
	vterm_input_write(screen->vt, &byte, 1);
}

static void emit(struct screen *screen, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void emit(struct screen *screen, const char *format, ...)
{
	char text[64];
	va_list arguments;
	va_start(arguments, format);
	int size = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	screen->has_base = false;
	vterm_input_write(screen->vt, text, (size_t)size);
}

static void print_ascii(struct screen *screen, const char *text, size_t size)
{
	vterm_input_write(screen->vt, text, size);
	screen->repeatable = (unsigned char)text[size - 1];
}

/*
 * For wcwidth(); 0: none to be had. One for all screens: it takes longer to make, from a file, than
 * a screen.
 */
static locale_t characters(void)
{
	static locale_t locale;
	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return locale;
}

/* glibc's idea, and besides what libvterm takes for combining: it must not get any. */
static bool combines(uint32_t code)
{
	return wcwidth((wchar_t)code) == 0 || (code >= 0x600 && code <= 0x603) || code == 0x6dd ||
	       code == 0x6de || code == 0x70f || code == 0x1734 || code == 0x302e || code == 0x302f;
}

static void print(struct screen *screen, uint32_t code)
{
	char text[UTF8_MAX];
	if (code == 0x2028 || code == 0x2029) /* separators of lines: no character, no line here */
		return;
	if (code >= 0x300 && combines(code)) {
		if (screen->has_base)
			grid_combine(&screen->grids[screen->current], screen->base, code);
		return;
	}
	vterm_input_write(screen->vt, text, utf8_put(code, text));
	screen->repeatable = code;
}

/* REP: to the end of the line, as libvterm has it; so its cost is bounded. */
static void repeat(struct screen *screen, int count)
{
	VTermPos at;
	int cols;
	vterm_get_size(screen->vt, NULL, &cols);
	vterm_state_get_cursorpos(screen->state, &at);
	for (int i = 0; screen->repeatable && i < count && i < cols - at.col; i++)
		print(screen, screen->repeatable);
}

static void go_to(struct screen *screen, VTermPos at)
{
	int rows, cols;
	vterm_get_size(screen->vt, &rows, &cols);
	at.row = at.row < 0 ? 0 : at.row >= rows ? rows - 1 : at.row;
	at.col = at.col < 0 ? 0 : at.col >= cols ? cols - 1 : at.col;
	emit(screen, "\033[%d;%dH", at.row + 1, at.col + 1);
}

/* Modes */

static void set_private_mode(struct screen *screen, int mode, char final)
{
	switch (mode) {
	case 47:
		mode = 1047;
		break;
	case 6:
	case 7:
	case 1047:
	case 1048:
	case 1049:
		break;
	default:
		return; /* of no consequence to the text */
	}
	/* libvterm would clear the alternate screen when it is entered again */
	if (final == 'h' && screen->current == ALTERNATE && mode == 1047)
		return;
	if (final == 'h' && screen->current == ALTERNATE && mode == 1049)
		mode = 1048;
	emit(screen, "\033[?%d%c", mode, final);
}

static void set_modes(struct screen *screen, const struct sequence *sequence)
{
	for (unsigned i = 0; i < sequence->count; i++) { /* libvterm knows of one at a time */
		int mode = sequence->parameters[i];
		if (sequence->leader == '?')
			set_private_mode(screen, mode, sequence->final);
		else if (mode == 4 || mode == 20)
			emit(screen, "\033[%d%c", mode, sequence->final);
	}
}

/* DECSTR, which libvterm doesn't have; and the cursor stays. */
static void soft_reset(struct screen *screen)
{
	VTermPos at;
	vterm_state_get_cursorpos(screen->state, &at);
	emit(screen, "\033[?6l\033[4l\033[?7h\033[r\033[0\"q\033(B\033)B\017");
	go_to(screen, at);
}

static void hard_reset(struct screen *screen)
{
	if (screen->current == ALTERNATE)
		emit(screen, "\033[?1047l");
	emit(screen, "\033c");
	screen->repeatable = 0;
}

/* Sequences */

static void emit_parameter(struct screen *screen, const struct sequence *sequence)
{
	const char *leader = sequence->leader ? "?" : "";
	if (sequence->count && sequence->parameters[0] >= 0)
		emit(screen, "\033[%s%d%c", leader, sequence->parameters[0], sequence->final);
	else
		emit(screen, "\033[%s%c", leader, sequence->final);
}

static void emit_pair(struct screen *screen, const struct sequence *sequence)
{
	int first = sequence->count > 0 ? sequence->parameters[0] : -1;
	int second = sequence->count > 1 ? sequence->parameters[1] : -1;
	if (first < 1)
		first = 1;
	if (second < 1) /* left out: for DECSTBM the last row */
		emit(screen, "\033[%d%c", first, sequence->final);
	else
		emit(screen, "\033[%d;%d%c", first, second, sequence->final);
}

static void plain_csi(struct screen *screen, const struct sequence *sequence)
{
	switch (sequence->final) {
	case 'H':
	case 'f':
	case 'r':
		emit_pair(screen, sequence);
		return;
	case 'T':
		if (sequence->count > 1) /* mouse highlighting */
			return;
		break;
	case 'b':
		repeat(screen, sequence->count && sequence->parameters[0] > 0
				       ? sequence->parameters[0]
				       : 1);
		return;
	case 'h':
	case 'l':
		set_modes(screen, sequence);
		return;
	case 's':
	case 'u':
		emit(screen, "\033[?1048%c", sequence->final == 's' ? 'h' : 'l');
		return;
	}
	if (strchr("@ABCDEFGIJKLMPSTXZ`adegjk", sequence->final))
		emit_parameter(screen, sequence);
}

static void do_csi(struct screen *screen, const struct sequence *sequence)
{
	char intermediate = sequence->intermediate, final = sequence->final;
	if (!sequence->leader && !intermediate)
		plain_csi(screen, sequence);
	else if (!sequence->leader && intermediate == '!' && final == 'p')
		soft_reset(screen);
	else if (!sequence->leader && intermediate == '"' && final == 'q')
		emit(screen, "\033[%d\"q", sequence->parameters[0] == 1);
	else if (sequence->leader == '?' && !intermediate && (final == 'h' || final == 'l'))
		set_modes(screen, sequence);
	else if (sequence->leader == '?' && !intermediate && (final == 'J' || final == 'K'))
		emit_parameter(screen, sequence);
}

static void do_escape(struct screen *screen, const struct sequence *sequence)
{
	char intermediate = sequence->intermediate, final = sequence->final;
	/* No others: at `[` or `P` libvterm begins a CSI or a string, here too. */
	if (intermediate >= '(' && intermediate <= '+' && strchr("0AB", final))
		emit(screen, "\033%c%c", intermediate, final);
	if (intermediate)
		return;
	if (final == 'c')
		hard_reset(screen);
	else if (final == '7' || final == '8') /* ESC 8 itself goes where there is no screen */
		emit(screen, "\033[?1048%c", final == '7' ? 'h' : 'l');
	else if (strchr("DEHMno", final))
		emit(screen, "\033%c", final);
}

static void take(struct screen *screen, uint32_t code)
{
	switch (sequence_feed(&screen->sequence, code)) {
	case SEQUENCE_NONE:
		break;
	case SEQUENCE_TEXT:
		print(screen, code);
		break;
	case SEQUENCE_CONTROL:
		control(screen, code);
		break;
	case SEQUENCE_ESCAPE:
		do_escape(screen, &screen->sequence);
		break;
	case SEQUENCE_CSI:
		do_csi(screen, &screen->sequence);
		break;
	}
}

/* Printable ASCII at the beginning of `text`, where that is text. */
static size_t ascii_run(const struct screen *screen, const char *text, size_t size)
{
	size_t run = 0;
	if (screen->decoder.left || screen->sequence.state != SEQUENCE_GROUND)
		return 0;
	while (run < size && run < RUN_MAX && text[run] >= ' ' && text[run] < 0x7f)
		run++;
	return run;
}

void screen_feed(struct screen *screen, const void *data, size_t size)
{
	const char *text = data, *end = text + size;
	locale_t before = uselocale(characters());
	while (text < end) {
		size_t run = ascii_run(screen, text, (size_t)(end - text));
		if (run) {
			print_ascii(screen, text, run);
			text += run;
			continue;
		}
		uint32_t codes[2];
		unsigned count = utf8_feed(&screen->decoder, (unsigned char)*text++, codes);
		for (unsigned i = 0; i < count; i++)
			take(screen, codes[i]);
	}
	uselocale(before);
}

void screen_end(struct screen *screen)
{
	locale_t before = uselocale(characters());
	if (utf8_finish(&screen->decoder))
		take(screen, UTF8_REPLACEMENT);
	uselocale(before);
}

/* The screen itself */

static void bound(int *rows, int *cols)
{
	if (*cols > SCREEN_COLUMNS_MAX)
		*cols = SCREEN_COLUMNS_MAX;
	if (*rows > SCREEN_ROWS_MAX)
		*rows = SCREEN_ROWS_MAX;
	if (*rows > SCREEN_CELLS_MAX / *cols)
		*rows = SCREEN_CELLS_MAX / *cols;
}

int screen_create(uint16_t asked_rows, uint16_t asked_cols, struct screen **out)
{
	int rows = asked_rows, cols = asked_cols;
	bound(&rows, &cols);
	struct screen *screen = calloc(1, sizeof(*screen));
	struct grid_line **primary = grid_lines(rows), **alternate = grid_lines(rows);
	if (!screen || !primary || !alternate ||
	    fill_reserve(screen, RESERVE, SCREEN_ROWS_MAX) < 0) {
		free(screen);
		free(primary);
		free(alternate);
		return -ENOMEM;
	}
	grid_init(&screen->grids[PRIMARY], primary, rows, cols);
	grid_init(&screen->grids[ALTERNATE], alternate, rows, cols);
	screen->rows = asked_rows;
	/* 0.3 never makes room for more rows than it began with, unless it resizes a screen too */
	VTerm *vt = vterm_new_with_allocator(SCREEN_ROWS_MAX, cols, &allocator, screen);
	screen->vt = vt;
	vterm_set_utf8(vt, 1);
	screen->state = vterm_obtain_state(vt);
	vterm_set_size(vt, rows, cols);
	vterm_state_set_callbacks(screen->state, &callbacks, screen);
	vterm_state_reset(screen->state, 1);
	free_reserve(screen);
	*out = screen;
	return 0;
}

void screen_destroy(struct screen *screen)
{
	if (!screen)
		return;
	vterm_free(screen->vt);
	grid_finish(&screen->grids[PRIMARY]);
	grid_finish(&screen->grids[ALTERNATE]);
	free(screen);
}

/*
 * How far the text moves up for fewer rows: as little as keeps its last line, or the cursor if that
 * is lower; but never so far that the cursor is lost. The alternate screen is cut off.
 */
static int scroll_for(const struct screen *screen, int which, int rows, int cursor)
{
	int lowest = grid_lowest(&screen->grids[which]);
	if (which == ALTERNATE)
		return 0;
	if (which != screen->current)
		cursor = lowest;
	int scroll = (lowest > cursor ? lowest : cursor) + 1 - rows;
	return scroll > cursor ? cursor : scroll < 0 ? 0 : scroll;
}

static void resize_grids(struct screen *screen, struct grid_line **lines[2], int rows, int cols)
{
	VTermPos at;
	vterm_state_get_cursorpos(screen->state, &at);
	for (int i = PRIMARY; i <= ALTERNATE; i++) {
		int scroll = scroll_for(screen, i, rows, at.row);
		grid_resize(&screen->grids[i], lines[i], rows, cols, scroll);
		if (i == screen->current)
			at.row -= scroll;
	}
	int row = at.row;
	vterm_set_size(screen->vt, rows, cols);
	vterm_state_get_cursorpos(screen->state, &at); /* behind a full line it has gone on */
	at.row = row;
	emit(screen, "\033[r");
	go_to(screen, at);
}

int screen_resize(struct screen *screen, uint16_t asked_rows, uint16_t asked_cols)
{
	int rows = asked_rows, cols = asked_cols;
	bound(&rows, &cols);
	const struct grid *grid = &screen->grids[PRIMARY];
	if (rows != grid->rows || cols != grid->cols) {
		struct grid_line **lines[2] = { grid_lines(rows), grid_lines(rows) };
		if (!lines[PRIMARY] || !lines[ALTERNATE] ||
		    fill_reserve(screen, RESERVE_LARGE, rows) < 0) {
			free(lines[PRIMARY]);
			free(lines[ALTERNATE]);
			return -ENOMEM;
		}
		resize_grids(screen, lines, rows, cols);
		free_reserve(screen);
	}
	screen->rows = asked_rows;
	return 0;
}

void screen_print(const struct screen *screen, FILE *to)
{
	const struct grid *grid = &screen->grids[screen->current];
	grid_print(grid, to);
	for (int row = grid->rows; row < screen->rows; row++)
		fputc('\n', to);
}
