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
 * - DECSC and DECRC keep the character sets, which it does not: they are set again from here.
 * - a scroll region of one line, with which it homes the cursor, is ignored.
 * - it tells nobody that a wrap is pending, which is known here: erasing leaves that column alone.
 * - after a resize the scroll region is reset, as xterm does, and the cursor put inside.
 *
 * Between two calls of screen_feed() libvterm is always between two sequences.
 */
#include "screen.h"

#include "grid.h"
#include "reserve.h"
#include "sequence.h"
#include "utf8.h"
#include "width.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PRIMARY, ALTERNATE };
enum { BEL = 7, SO = 14, SI = 15 };
enum { RUN_MAX = 256 }; /* libvterm has 4 bytes of stack for each byte of text it is given */

/* By their final bytes, and which of them text is in: 0 to 3. */
struct charsets {
	char designated[4], locked;
};
static const struct charsets initial_charsets = { "BBBB", 0 };

struct screen {
	VTerm *vt;
	struct reserve reserve; /* what libvterm gets */
	VTermState *state;
	struct grid grids[2];
	int current;   /* PRIMARY or ALTERNATE */
	uint16_t rows; /* asked for */

	struct utf8 decoder;
	struct sequence sequence;
	uint32_t repeatable; /* the character that REP repeats; 0: none */
	bool has_base;       /* a combining character would belong to `base` */
	VTermPos base;
	bool wraps;   /* DECAWM */
	bool pending; /* the cursor is behind the last column: the next character wraps */
	bool hidden;  /* the cursor */
	struct charsets charsets, saved_charsets;
};

/* What libvterm asks for */

static int on_put(VTermGlyphInfo *info, VTermPos at, void *data)
{
	struct screen *screen = data;
	grid_put(&screen->grids[screen->current], at, info->chars, info->width,
		 info->protected_cell);
	screen->has_base = true;
	screen->base = at;
	screen->pending =
		screen->wraps && at.col + info->width >= screen->grids[screen->current].cols;
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
	if (code == SO || code == SI)
		screen->charsets.locked = code == SO;
	else if (code != BEL)
		screen->pending = false;
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

static void print(struct screen *screen, uint32_t code)
{
	char text[UTF8_MAX];
	if (code == 0x2028 || code == 0x2029) /* separators of lines: no character, no line here */
		return;
	if (code >= 0x300 && width_combines(code)) {
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
	screen->pending = false;
	emit(screen, "\033[%d;%dH", at.row + 1, at.col + 1);
}

/* Character sets */

static void designate(struct screen *screen, char intermediate, char final)
{
	screen->charsets.designated[intermediate - '('] = final;
	emit(screen, "\033%c%c", intermediate, final);
}

/* LS0 to LS3. */
static void lock(struct screen *screen, int set)
{
	static const char *const shifts[] = { "\017", "\016", "\033n", "\033o" };
	screen->charsets.locked = (char)set;
	emit(screen, "%s", shifts[set]);
}

static void restore_charsets(struct screen *screen)
{
	const struct charsets saved = screen->saved_charsets;
	for (int i = 0; i < 4; i++)
		designate(screen, (char)('(' + i), saved.designated[i]);
	lock(screen, saved.locked);
}

/* DECSC and DECRC, which libvterm has as a mode for the cursor alone. */
static void save_cursor(struct screen *screen, bool save)
{
	screen->pending = false;
	emit(screen, "\033[?1048%c", save ? 'h' : 'l');
	if (save)
		screen->saved_charsets = screen->charsets;
	else
		restore_charsets(screen);
}

/* Modes */

static void set_private_mode(struct screen *screen, int mode, char final)
{
	switch (mode) {
	case 47:
		mode = 1047;
		break;
	case 7:
		screen->wraps = final == 'h';
		break;
	case 25:
		screen->hidden = final == 'l';
		return;
	case 1048:
		save_cursor(screen, final == 'h');
		return;
	case 6:
	case 1047:
	case 1049:
		break;
	default:
		return; /* of no consequence to the text */
	}
	screen->pending = false;
	/* libvterm would clear the alternate screen when it is entered again */
	if (final == 'h' && screen->current == ALTERNATE && mode == 1047)
		return;
	if (final == 'h' && screen->current == ALTERNATE && mode == 1049)
		mode = 1048;
	if (final == 'h' && (mode == 1048 || mode == 1049))
		screen->saved_charsets = screen->charsets;
	emit(screen, "\033[?%d%c", mode, final);
	if (mode == 1049 && final == 'l')
		restore_charsets(screen);
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
	screen->charsets.designated[0] = screen->charsets.designated[1] = 'B';
	screen->charsets.locked = 0;
	screen->wraps = true;
	screen->hidden = false;
	go_to(screen, at);
}

/* What is known here of a terminal that was just switched on. */
static void start_anew(struct screen *screen)
{
	screen->charsets = screen->saved_charsets = initial_charsets;
	screen->wraps = true;
	screen->hidden = screen->pending = false;
}

static void hard_reset(struct screen *screen)
{
	if (screen->current == ALTERNATE)
		emit(screen, "\033[?1047l");
	emit(screen, "\033c");
	screen->repeatable = 0;
	start_anew(screen);
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

/* DECSTBM of less than two lines is ignored. */
static void set_region(struct screen *screen, const struct sequence *sequence)
{
	int rows;
	vterm_get_size(screen->vt, &rows, NULL);
	int top = sequence->count > 0 ? sequence->parameters[0] : -1;
	int bottom = sequence->count > 1 ? sequence->parameters[1] : -1;
	if (bottom < 1 || bottom > rows)
		bottom = rows;
	if ((top < 1 ? 1 : top) < bottom)
		emit_pair(screen, sequence);
}

/* EL, ED, ECH. Behind the last column only the lines below are left to be erased. */
static void erase(struct screen *screen, const struct sequence *sequence)
{
	struct grid *grid = &screen->grids[screen->current];
	VTermPos at;
	if (!screen->pending ||
	    (sequence->final != 'X' && sequence->count && sequence->parameters[0] > 0)) {
		emit_parameter(screen, sequence);
		return;
	}
	screen->has_base = false;
	vterm_state_get_cursorpos(screen->state, &at);
	if (sequence->final == 'J')
		grid_erase(grid, (VTermRect){ at.row + 1, grid->rows, 0, grid->cols },
			   sequence->leader == '?');
}

static void plain_csi(struct screen *screen, const struct sequence *sequence)
{
	switch (sequence->final) {
	case 'J':
	case 'K':
	case 'X':
		erase(screen, sequence);
		return;
	case 'h':
	case 'l':
		set_modes(screen, sequence);
		return;
	}
	/* Others leave the cursor where it is. */
	if (strchr("@ABCDEFGHILMPZ`adefjkrsu", sequence->final))
		screen->pending = false;
	switch (sequence->final) {
	case 'H':
	case 'f':
		emit_pair(screen, sequence);
		return;
	case 'r':
		set_region(screen, sequence);
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
	case 's':
	case 'u':
		save_cursor(screen, sequence->final == 's');
		return;
	}
	if (strchr("@ABCDEFGILMPSTZ`adegjk", sequence->final))
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
		erase(screen, sequence);
}

static void do_escape(struct screen *screen, const struct sequence *sequence)
{
	char intermediate = sequence->intermediate, final = sequence->final;
	/* No others: at `[` or `P` libvterm begins a CSI or a string, here too. */
	if (intermediate >= '(' && intermediate <= '+' && strchr("0AB", final))
		designate(screen, intermediate, final);
	if (intermediate)
		return;
	if (final == 'c')
		hard_reset(screen);
	else if (final == '7' || final == '8') /* ESC 8 itself goes where there is no screen */
		save_cursor(screen, final == '7');
	else if (final == 'n' || final == 'o')
		lock(screen, final == 'n' ? 2 : 3);
	else if (strchr("DEHM", final)) {
		screen->pending = false;
		emit(screen, "\033%c", final);
	}
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
	locale_t before = uselocale(width_locale());
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
	locale_t before = uselocale(width_locale());
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
	    reserve_fill(&screen->reserve, SCREEN_ROWS_MAX) < 0) {
		free(screen);
		free(primary);
		free(alternate);
		return -ENOMEM;
	}
	grid_init(&screen->grids[PRIMARY], primary, rows, cols);
	grid_init(&screen->grids[ALTERNATE], alternate, rows, cols);
	screen->rows = asked_rows;
	/* 0.3 never makes room for more rows than it began with, unless it resizes a screen too */
	VTerm *vt = vterm_new_with_allocator(SCREEN_ROWS_MAX, cols, &reserve_allocator,
					     &screen->reserve);
	screen->vt = vt;
	vterm_set_utf8(vt, 1);
	screen->state = vterm_obtain_state(vt);
	vterm_set_size(vt, rows, cols);
	vterm_state_set_callbacks(screen->state, &callbacks, screen);
	vterm_state_reset(screen->state, 1);
	reserve_free(&screen->reserve);
	start_anew(screen);
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
		    reserve_fill_large(&screen->reserve, rows) < 0) {
			free(lines[PRIMARY]);
			free(lines[ALTERNATE]);
			return -ENOMEM;
		}
		resize_grids(screen, lines, rows, cols);
		reserve_free(&screen->reserve);
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

void screen_cursor(const struct screen *screen, int *row, int *col, bool *visible)
{
	VTermPos at;
	vterm_state_get_cursorpos(screen->state, &at);
	*row = at.row + 1;
	*col = at.col + 1;
	*visible = !screen->hidden;
}
