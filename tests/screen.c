/* SPDX-License-Identifier: MIT */
/* What is on the screen after what was printed: as people see it, whatever the bytes are. */
#include "screen.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "utf8.h"

TestSuite(screen, .timeout = 100);

static char *shown(const struct screen *screen)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	screen_print(screen, to);
	fclose(to);
	return text;
}

static struct screen *made(uint16_t rows, uint16_t cols)
{
	struct screen *screen;
	cr_assert_eq(screen_create(rows, cols, &screen), 0);
	return screen;
}

static void expect_shown(const struct screen *screen, const char *wanted, const char *name)
{
	char *text = shown(screen);
	cr_expect_str_eq(text, wanted, "%s: it shows\n%swanted is\n%s", name, text, wanted);
	free(text);
}

Test(screen, the_cursor)
{
	static const struct {
		const char *bytes;
		int row, col;
		bool visible;
	} rows[] = {
		{ "", 1, 1, true },
		{ "ab", 1, 3, true },
		{ "ab\r\nc\033[?25l", 2, 2, false },
		{ "\033[?25l\033[?25h", 1, 1, true },
		{ "\033[?25l\033c", 1, 1, true },
		{ "\033[?25l\033[!p", 1, 1, true },
		{ "0123456789", 1, 10, true },
		{ "0123456789a", 2, 2, true },
		{ "\033[99;99H", 4, 10, true },
		{ "x\033[?1049h\033[3;4H", 3, 4, true },
		{ "x\033[?1049h\033[3;4H\033[?1049l", 1, 2, true },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct screen *screen = made(4, 10);
		int row, col;
		bool visible;
		screen_feed(screen, rows[i].bytes, strlen(rows[i].bytes));
		screen_cursor(screen, &row, &col, &visible);
		cr_expect(row == rows[i].row && col == rows[i].col && visible == rows[i].visible,
			  "%zu: %d %d %d", i, row, col, visible);
		screen_destroy(screen);
	}
}

struct example {
	const char *name, *bytes;
	const char *wanted;
	bool tmux_differs; /* known, and xterm is as here; or tmux has no such size */
};

/* Of 4 rows and 10 columns. */
static const struct example examples[] = {
	{ "nothing", "", "\n\n\n\n", false },
	{ "lines", "a\r\nb\nc", "a\nb\n c\n\n", false },
	{ "trailing blanks", "a b   \r\n   \r\nc", "a b\n\nc\n\n", false },
	{ "scrolling", "1\r\n2\r\n3\r\n4\r\n5\r\n6", "3\n4\n5\n6\n", false },
	{ "wrapping", "0123456789abc", "0123456789\nabc\n\n\n", false },
	{ "a full line, then CR LF", "0123456789\r\nx", "0123456789\nx\n\n\n", false },
	{ "no wrapping", "\033[?7l0123456789abc", "012345678c\n\n\n\n", false },
	{ "backspace and tab", "abc\b\bX\tY", "aXc     Y\n\n\n\n", false },
	{ "cursor", "\033[2;3Hx\033[Ay\033[2Bz\033[5Dw", "   y\n  x\nw   z\n\n", false },
	{ "cursor out of bounds", "\033[999;999Hx\033[999A\033[999Dy", "y\n\n\n         x\n",
	  false },
	{ "column, row", "\033[3d\033[5Gx\033[2`y", "\n\n y  x\n\n", false },
	{ "next and previous line", "abc\033[2Ed\033[Fe", "abc\ne\nd\n\n", false },
	{ "erase in line", "abcdef\033[3D\033[K\r\nabcdef\033[3D\033[1K", "abc\n    ef\n\n\n",
	  false },
	{ "erase in display", "a\r\nb\r\nc\r\nd\033[2;1H\033[J", "a\n\n\n\n", false },
	{ "erase above", "a\r\nb\r\nc\r\nd\033[3;1H\033[1J", "\n\n\nd\n", false },
	{ "erase all", "a\r\nb\033[2Jc", "\n c\n\n\n", false },
	{ "erase, insert, delete characters",
	  "abcdef\r\033[2C\033[2X\r\n"
	  "abcdef\r\033[2C\033[2@\r\nabcdef\r\033[2C\033[2P",
	  "ab  ef\nab  cdef\nabef\n\n", false },
	{ "insert and delete lines", "a\r\nb\r\nc\033[2;1H\033[L\033[1;1H\033[M", "\nb\nc\n\n",
	  false },
	{ "insert mode", "abc\r\033[4hxy\033[4lz", "xyzbc\n\n\n\n", false },
	{ "a scroll region", "a\r\nb\r\nc\r\nd\033[2;3r\033[3;1H\nX\nY", "a\nX\n Y\nd\n", false },
	{ "reverse index", "a\r\nb\r\nc\033[1;3r\033M\033Mx", "x\n\na\n\n", true },
	{ "scroll up and down", "a\r\nb\r\nc\r\nd\033[2S\033[T", "\nc\nd\n\n", false },
	{ "origin mode", "\033[2;3r\033[?6h\033[1;1Hx\033[9;1Hy", "\nx\ny\n\n", false },
	{ "saved cursor", "ab\0337\r\ncd\0338x", "abx\ncd\n\n\n", false },
	{ "saved cursor, the other way", "ab\033[s\r\ncd\033[ux", "abx\ncd\n\n\n", false },
	{ "alternate screen", "main\033[?1049h\033[Halt", "alt\n\n\n\n", false },
	{ "and back", "main\033[?1049h\033[Halt\033[?1049l.", "main.\n\n\n\n", false },
	{ "several modes at once", "main\033[?25;1049h\033[Halt\033[?25;1049l.", "main.\n\n\n\n",
	  false },
	{ "the old alternate screen", "main\033[?47h\033[2;2Halt\033[?47lx", "main\n    x\n\n\n",
	  true },
	{ "reset", "abc\033[?1049hdef\033c.", ".\n\n\n\n", false },
	{ "soft reset", "\033[2;3r\033[4h\033[?6h\033[!p\033[4;1Hx\033[4;1Hy", "\n\n\ny\n", true },
	{ "tab stops", "\033[3g\r\033[4C\033H\rx\ty", "x   y\n\n\n\n", false },
	{ "line drawing", "\033(0lqk\033(Bq", "┌─┐q\n\n\n\n", true },
	{ "line drawing after others", "\033(0\303\251q\033(B", "é─\n\n\n\n", true },
	{ "shift out and in", "\033)0q\016q\017q", "q─q\n\n\n\n", true },
	{ "saved character sets", "\033(0\0337\033(Bq\0338q", "─\n\n\n\n", true },
	{ "saved character sets, the other way", "\033(0\033[s\033(Bq\033[uq", "─\n\n\n\n", true },
	{ "a saved shift", "\033)0\016\0337\017\033)Bq\0338q", "─\n\n\n\n", true },
	{ "a saved locking shift", "\033*0\033n\0337\017\033*Bq\0338q", "─\n\n\n\n", true },
	{ "character sets of the other screen", "\033(0\033[?1049h\033(Bx\033[?1049lq", "─\n\n\n\n",
	  true },
	{ "character sets that were not saved", "\033(0\0338q", "q\n\n\n\n", true },
	{ "character sets saved before a reset", "\033(0\0337\033c\0338q", "q\n\n\n\n", true },
	{ "a scroll region of one line", "a\r\nb\033[2;2rc\033[9;9rd\033[4re\033[3;2rf",
	  "a\nbcdef\n\n\n", false },
	{ "a scroll region of two lines", "a\r\nb\033[3rc", "c\nb\n\n\n", false },
	{ "erasing behind a full line",
	  "\033[4Hd\033[H0123456789\033[K\r\n0123456789\033[m\033[9X\r\n0123456789\033[J",
	  "0123456789\n0123456789\n0123456789\n\n", false },
	{ "and going on", "0123456789\033[Kx", "0123456789\nx\n\n\n", false },
	{ "erasing to the beginning of a full line", "0123456789\033[1Kx", "\nx\n\n\n", true },
	{ "erasing all of a full line", "0123456789\033[2K", "\n\n\n\n", false },
	{ "erasing in the last column", "0123456789\033[1;10H\033[K", "012345678\n\n\n\n", false },
	{ "erasing in the last column, by backspace", "0123456789\b\033[C\033[X",
	  "012345678\n\n\n\n", false },
	{ "erasing where nothing wraps", "\033[?7l0123456789\033[K", "012345678\n\n\n\n", true },
	{ "repeat", "a\033[3bb", "aaaab\n\n\n\n", false },
	{ "colours", "\033[1;38;5;9ma\033[48;2;1;2;3;4:3mb\033[m", "ab\n\n\n\n", false },
	{ "colours of many parameters", "\033[1;2;3;4;5;6;7;8;9;0;1;2;3;4;5;6;7;8;9;0;31ma",
	  "a\n\n\n\n", false },
	{ "colons", "\033[4:3ma\033[38:2::1:2:3mb", "ab\n\n\n\n", false },
	{ "title", "\033]0;title\007a\033]2;title\033\\b", "ab\n\n\n\n", false },
	{ "device control", "\033P$qm\033\\a", "a\n\n\n\n", true }, /* tmux 3.5 begins a line */
	{ "messages", "a\033_apc\033\\b\033^pm\033\\c", "abc\n\n\n\n", false },
	{ "queries", "\033[c\033[>c\033[6n\033[?6n\033[5n\033[?1$p\033[18ta", "a\n\n\n\n", false },
	{ "a control inside a sequence", "abc\033[\b2Dx", "xbc\n\n\n\n", false },
	{ "a sequence called off", "\033[12\030a\033]x\032b", "ab\n\n\n\n", true },
	{ "wide", "日本語", "日本語\n\n\n\n", false },
	{ "wide at the edge", "123456789日", "123456789\n日\n\n\n", false },
	{ "half of a wide one written over", "日本\r\033[Cx", " x本\n\n\n\n", true },
	{ "the other half", "日本\rx", "x 本\n\n\n\n", false },
	{ "half of a wide one erased", "日本\033[3D\033[K", "\n\n\n\n", true },
	{ "combining", "e\u0301\u0323x", "e\u0301\u0323x\n\n\n\n", false },
	{ "combining in the last column", "123456789e\u0301x", "123456789e\u0301\nx\n\n\n", false },
	{ "combining and wide", "\u304b\u3099x", "\u304b\u3099x\n\n\n\n", true },
	{ "combining with nothing", "\u0301x\r\n\u0301y", "x\ny\n\n\n", true },
	{ "combining after a colour", "e\033[31m\u0301", "e\u0301\n\n\n\n", true },
	{ "emoji", "\U0001f600!", "\U0001f600!\n\n\n\n", false },
	{ "controls as UTF-8", "a\302\205b\302\2332Cc", "a\nb  c\n\n\n", true },
	{ "controls as bytes", "a\205b\2332Cc", "a\uFFFDb\uFFFD2Cc\n\n\n\n", true },
	{ "not UTF-8", "\377\300\200\355\240\200\364\220\200\200\370\210\200\200\200.",
	  "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD.\n\n\n\n", true },
	{ "UTF-8 cut short", "\342\202\r\n\342\202x\342\342\202\254",
	  "\uFFFD\n\uFFFDx\uFFFD€\n\n\n", true },
	{ "DEL", "a\177b", "ab\n\n\n\n", false },
	{ "line separators", "a\u2028b\u2029c", "abc\n\n\n\n", true },
	{ "unknown sequences", "\033[5;5y\033[?9999h\033[=1c\033%G\033 F\033[1 q\033[>4;1ma",
	  "a\n\n\n\n", false },
};
enum { EXAMPLES = sizeof(examples) / sizeof(*examples), ROWS = 4, COLS = 10 };

Test(screen, examples)
{
	for (unsigned i = 0; i < EXAMPLES; i++) {
		struct screen *screen = made(ROWS, COLS);
		screen_feed(screen, examples[i].bytes, strlen(examples[i].bytes));
		expect_shown(screen, examples[i].wanted, examples[i].name);
		screen_destroy(screen);
	}
}

Test(screen, examples_byte_by_byte_with_looks)
{
	for (unsigned i = 0; i < EXAMPLES; i++) {
		struct screen *screen = made(ROWS, COLS);
		for (const char *byte = examples[i].bytes; *byte; byte++) {
			screen_feed(screen, byte, 1);
			free(shown(screen));
		}
		expect_shown(screen, examples[i].wanted, examples[i].name);
		screen_destroy(screen);
	}
}

/* What tmux shows for some bytes; NULL where it isn't installed. */
static char *tmux_shows(const char *bytes)
{
	char path[] = "/tmp/mimobox-screen-XXXXXX", command[1024];
	static char text[4096];
	int fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
	close(fd);
	snprintf(command, sizeof(command),
		 "export LC_ALL=C.UTF-8; t='tmux -S %s.socket -f /dev/null'; "
		 "$t new-session -d -x %d -y %d 'stty raw -echo; cat %s; touch %s.done; sleep 9' "
		 "\\; set -g status off \\; resize-window -x %d -y %d 2>/dev/null || exit; "
		 "i=0; while [ ! -e %s.done ] && [ $i -lt 50 ]; do sleep .05; i=$((i+1)); done; "
		 "sleep .1; $t capture-pane -p; $t kill-server; rm -f %s.done %s.socket",
		 path, COLS, ROWS, path, path, COLS, ROWS, path, path, path);
	FILE *from = popen(command, "r");
	cr_assert_not_null(from);
	size_t size = fread(text, 1, sizeof(text) - 1, from);
	pclose(from);
	unlink(path);
	text[size] = '\0';
	return size ? text : NULL;
}

Test(screen, tmux_shows_the_same)
{
	if (system("command -v tmux >/dev/null"))
		cr_skip_test("no tmux here");
	for (unsigned i = 0; i < EXAMPLES; i++) {
		if (examples[i].tmux_differs)
			continue;
		const char *text = tmux_shows(examples[i].bytes);
		cr_assert_not_null(text);
		cr_expect_str_eq(text, examples[i].wanted, "%s: tmux shows\n%s", examples[i].name,
				 text);
	}
}

/* Sizes */

static const struct {
	const char *name, *before;
	uint16_t rows, cols;
	const char *after, *wanted;
} resizes[] = {
	{ "larger", "ab\r\ncd", 6, 20, "e", "ab\ncde\n\n\n\n\n" },
	{ "fewer rows, blank ones below", "ab\r\ncd", 2, 10, "e", "ab\ncde\n" },
	{ "fewer rows than lines", "a\r\nb\r\nc\r\nd", 2, 10, "e", "c\nde\n" },
	{ "the cursor is above", "a\r\nb\r\nc\r\nd\033[1;1H", 2, 10, "e", "e\nb\n" },
	{ "fewer columns", "abcdef", 4, 3, "x", "abx\n\n\n\n" },
	{ "a full line, then wider", "0123456789", 4, 20, "x", "0123456789x\n\n\n\n" },
	{ "on the alternate screen", "a\r\nb\r\nc\r\nd\033[?1049hx", 2, 10, "\033[?1049ly",
	  "c\ndy\n" },
	{ "the scroll region is gone", "\033[2;3r\033[4;1H", 6, 10, "x\r\n\ny", "\n\n\nx\n\ny\n" },
	{ "a scroll region below", "\033[3;4r", 2, 10, "\033[99S\033[99Tx\033M\033My", " y\n\n" },
	{ "a saved cursor outside", "\033[4;10H\0337", 1, 1, "\0338x", "x\n" },
	{ "one cell", "abc", 1, 1, "日\033[99bx", "x\n" },
};

Test(screen, resizes)
{
	for (unsigned i = 0; i < sizeof(resizes) / sizeof(*resizes); i++) {
		struct screen *screen = made(ROWS, COLS);
		screen_feed(screen, resizes[i].before, strlen(resizes[i].before));
		cr_expect_eq(screen_resize(screen, resizes[i].rows, resizes[i].cols), 0);
		screen_feed(screen, resizes[i].after, strlen(resizes[i].after));
		expect_shown(screen, resizes[i].wanted, resizes[i].name);
		screen_destroy(screen);
	}
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;
	while ((text = strchr(text, '\n'))) {
		text++;
		lines++;
	}
	return lines;
}

Test(screen, huge_ones_are_bounded)
{
	static const uint16_t sizes[][2] = { { 65535, 65535 }, { 65535, 1 }, { 1, 65535 },
					     { 4097, 129 },    { 1, 1 },     { 24, 10000 } };
	static const char fill[] = "\033[1;1Hx\033[70000bfirst\033[99999;99999Hlast\r\n\n\n"
				   "\033[2J\033[99999L\033[99999M\033[99999@\033[99999P\033Ex";
	struct screen *screen = made(24, 80);
	struct rlimit limit = { 0 };
	for (unsigned i = 0; i < 60; i++) {
		const uint16_t *size = sizes[i % 6];
		cr_assert_eq(screen_resize(screen, size[0], size[1]), 0);
		screen_feed(screen, fill, sizeof(fill) - 1);
		char *text = shown(screen);
		cr_expect_eq(count_lines(text), size[0]);
		cr_expect_leq(strlen(text), SCREEN_CELLS_MAX + 65535);
		free(text);
	}
	screen_destroy(screen);
	getrlimit(RLIMIT_AS, &limit);
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	cr_expect_lt(usage.ru_maxrss, 400 * 1024, "%ld KiB, sanitizers included", usage.ru_maxrss);
}

Test(screen, wide_terminals_do_not_wrap_early)
{
	struct screen *screen = made(3, 10000);
	char line[9000];
	memset(line, 'x', sizeof(line));
	screen_feed(screen, line, sizeof(line));
	char *text = shown(screen);
	cr_expect_eq(strlen(text), sizeof(line) + 3);
	free(text);
	screen_destroy(screen);
}

/* Hostile bytes */

Test(screen, endless_things_use_no_memory)
{
	static const char *const endless[][2] = {
		{ "\033]0;", "x" },       { "\033P", "x" },       { "\033[", "1;" },
		{ "\033[", "999999999" }, { "e", "\u0301" },      { "\033(", "(" },
		{ "\u0600", "\u0600" },   { "\u200b", "\u200b" }, { "\033[?", "?" },
	};
	for (unsigned i = 0; i < sizeof(endless) / sizeof(*endless); i++) {
		struct screen *screen = made(24, 80);
		struct rusage before, after;
		screen_feed(screen, endless[i][0], strlen(endless[i][0]));
		/* What is made once, by the library or a sanitizer. */
		for (unsigned j = 0; j < 100000; j++)
			screen_feed(screen, endless[i][1], strlen(endless[i][1]));
		getrusage(RUSAGE_SELF, &before);
		for (unsigned j = 0; j < 2000000; j++)
			screen_feed(screen, endless[i][1], strlen(endless[i][1]));
		getrusage(RUSAGE_SELF, &after);
		cr_expect_leq(after.ru_maxrss - before.ru_maxrss, 1024, "%u", i);
		free(shown(screen));
		screen_destroy(screen);
	}
}

/* Whatever a character set is called, what follows is text. */
Test(screen, unknown_character_sets_begin_nothing)
{
	for (const char *final = "[]PX^_"; *final; final++) {
		struct screen *screen = made(3, 80);
		char bytes[64];
		snprintf(bytes, sizeof(bytes), "\033)%c%s", *final, ";;;;;;;;;;;;;;;;;;;;;;;;mm");
		screen_feed(screen, bytes, strlen(bytes));
		expect_shown(screen, ";;;;;;;;;;;;;;;;;;;;;;;;mm\n\n\n", bytes);
		screen_destroy(screen);
	}
}

Test(screen, repeating_nothing_returns)
{
	struct screen *screen = made(24, 80);
	for (unsigned i = 0; i < 100; i++)
		screen_feed(screen, "\033[2147483647b\033[b\u0301\033[65535b", 27);
	expect_shown(screen, "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "nothing");
	screen_destroy(screen);
}

static uint64_t random_state = 88172645463325252u;

static unsigned random_below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)((random_state >> 16) % limit);
}

/* Examples, whole or spoiled, and numbers in them replaced; some kilobytes. */
static size_t random_output(char *bytes, size_t room)
{
	size_t size = 0;
	for (;;) {
		const char *example = examples[random_below(EXAMPLES)].bytes;
		size_t length = strlen(example);
		if (size + length > room)
			return size;
		memcpy(bytes + size, example, length);
		for (size_t i = 0; i < length; i++) {
			if (random_below(40) == 0)
				bytes[size + i] = (char)random_below(256);
			else if (bytes[size + i] >= '0' && bytes[size + i] <= '9' &&
				 random_below(3) == 0)
				bytes[size + i] = (char)('0' + random_below(10));
		}
		size += length;
	}
}

static uint16_t random_size(void)
{
	return (uint16_t)(1 + random_below(random_below(3) ? 40 : 3));
}

/* However the bytes are cut, the screen is the same, and has as many lines as it should. */
Test(screen, any_bytes_in_any_pieces)
{
	static char bytes[4096];
	for (unsigned run = 0; run < 300; run++) {
		uint16_t rows = random_size(), cols = random_size();
		struct screen *whole = made(rows, cols), *cut = made(rows, cols);
		for (unsigned i = 0; i < 6; i++) {
			size_t size = random_output(bytes, sizeof(bytes)), step;
			screen_feed(whole, bytes, size);
			for (size_t at = 0; at < size; at += step) {
				step = 1 + random_below(9);
				if (step > size - at)
					step = size - at;
				screen_feed(cut, bytes + at, step);
			}
			rows = random_size();
			cols = random_size();
			screen_resize(whole, rows, cols);
			screen_resize(cut, rows, cols);
		}
		screen_end(whole);
		screen_end(cut);
		char *text = shown(whole);
		cr_assert_eq(count_lines(text), rows);
		expect_shown(cut, text, "cut");
		free(text);
		screen_destroy(whole);
		screen_destroy(cut);
	}
}

/* Characters */

Test(screen, every_character_goes_through_utf8)
{
	char bytes[UTF8_MAX];
	uint32_t codes[2];
	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		struct utf8 decoder = { 0 };
		unsigned count = 0;
		if (code >= 0xd800 && code <= 0xdfff)
			continue;
		size_t size = utf8_put(code, bytes);
		for (size_t i = 0; i < size; i++) {
			cr_assert_eq(count, 0);
			count = utf8_feed(&decoder, (unsigned char)bytes[i], codes);
		}
		cr_assert_eq(count, 1);
		cr_assert_eq(codes[0], code);
		cr_assert_not(utf8_finish(&decoder));
	}
}

Test(screen, all_characters_can_be_printed)
{
	struct screen *screen = made(24, 80);
	char bytes[UTF8_MAX];
	for (uint32_t code = 0xa0; code <= 0x10ffff; code++)
		if (code < 0xd800 || code > 0xdfff)
			screen_feed(screen, bytes, utf8_put(code, bytes));
	char *text = shown(screen);
	cr_expect_eq(count_lines(text), 24);
	free(text);
	screen_destroy(screen);
}
