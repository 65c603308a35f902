/* SPDX-License-Identifier: MIT */
/*
 * Text is passed over as fast as memchr() finds the next ESC. C1 controls of one byte would be in
 * the midst of UTF-8, and no program sets modes by them.
 */
#include "modes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ESC = 0x1b };

/*
 * As far as xterm and its like have them and something depends on them. The bits are kept for other
 * programs: none is ever another mode's. The order is that in which they are set.
 */
static const struct {
	uint8_t bit;
	char leader;
	uint16_t mode;
} table[] = {
	{ 0, '?', 1 },     { 1, '?', 5 },     { 2, '?', 6 },     { 3, '?', 7 },
	{ 4, '?', 25 },    { 5, '?', 45 },    { 6, '?', 66 },    { 7, '?', 1000 },
	{ 8, '?', 1002 },  { 9, '?', 1003 },  { 10, '?', 1004 }, { 11, '?', 1005 },
	{ 12, '?', 1006 }, { 13, '?', 1015 }, { 14, '?', 1016 }, { 15, '?', 2004 },
	{ 16, '\0', 4 },   { 17, '\0', 20 },
};
enum { COUNT = sizeof(table) / sizeof(*table) };
_Static_assert(COUNT <= 32, "each has a bit");

static void set(struct modes *modes, char leader, int mode, bool on)
{
	if (leader == '?' && (mode == 47 || mode == 1047 || mode == 1049))
		modes->alternate = on ? (uint16_t)mode : 0;
	for (unsigned i = 0; i < COUNT; i++) {
		if (table[i].leader != leader || table[i].mode != mode)
			continue;
		uint32_t bit = UINT32_C(1) << table[i].bit;
		modes->known |= bit;
		modes->on = on ? modes->on | bit : modes->on & ~bit;
	}
}

/* RIS; and DECSTR, after which the screen is still the same one. */
static void reset(struct modes *modes, bool soft)
{
	*modes = (struct modes){ .alternate = soft ? modes->alternate : 0 };
}

static uint16_t parameter(const struct sequence *sequence, unsigned index)
{
	bool given = index < sequence->count && sequence->parameters[index] > 0;
	return given ? (uint16_t)sequence->parameters[index] : 0;
}

static void take_csi(struct modes *modes, const struct sequence *sequence)
{
	char leader = sequence->leader, final = sequence->final;
	if (sequence->intermediate) {
		if (!leader && sequence->intermediate == '!' && final == 'p')
			reset(modes, true);
		return;
	}
	if (final == 'h' || final == 'l') {
		for (unsigned i = 0; i < sequence->count; i++)
			set(modes, leader, sequence->parameters[i], final == 'h');
	} else if (!leader && final == 'r') {
		modes->top = parameter(sequence, 0);
		modes->bottom = parameter(sequence, 1);
	}
}

static void take_escape(struct modes *modes, const struct sequence *sequence)
{
	char intermediate = sequence->intermediate, final = sequence->final;
	if (intermediate >= '(' && intermediate <= '+')
		modes->charsets[intermediate - '('] = final;
	else if (!intermediate && final == 'c')
		reset(modes, false);
	else if (!intermediate && (final == '=' || final == '>'))
		modes->keypad = final;
}

void modes_feed(struct modes *modes, const void *data, size_t size)
{
	const unsigned char *at = data, *end = at + size;
	while (at < end) {
		if (modes->sequence.state == SEQUENCE_GROUND &&
		    !(at = memchr(at, ESC, (size_t)(end - at))))
			return;
		uint32_t code = *at < 0x80 ? *at : 0xfffd;
		at++;
		enum sequence_kind kind = sequence_feed(&modes->sequence, code);
		if (kind == SEQUENCE_CSI)
			take_csi(modes, &modes->sequence);
		else if (kind == SEQUENCE_ESCAPE)
			take_escape(modes, &modes->sequence);
	}
}

int modes_state(const struct modes *modes, char leader, int mode)
{
	if (leader == '?' && (mode == 47 || mode == 1047 || mode == 1049))
		return modes->alternate ? 1 : 2;
	for (unsigned i = 0; i < COUNT; i++) {
		if (table[i].leader != leader || table[i].mode != mode)
			continue;
		uint32_t bit = UINT32_C(1) << table[i].bit;
		bool initially = leader == '?' && (mode == 7 || mode == 25);
		return (modes->known & bit ? (modes->on & bit) != 0 : initially) ? 1 : 2;
	}
	return 0;
}

/* The screen first, for that clears it; the region moves the cursor, which is therefore kept. */
static void print(const struct modes *modes, FILE *to)
{
	if (modes->alternate)
		fprintf(to, "\033[?%uh", modes->alternate);
	if (modes->top && modes->bottom)
		fprintf(to, "\0337\033[%u;%ur\0338", modes->top, modes->bottom);
	else if (modes->top)
		fprintf(to, "\0337\033[%ur\0338", modes->top);
	for (unsigned i = 0; i < COUNT; i++)
		if (modes->known & UINT32_C(1) << table[i].bit)
			fprintf(to, "\033[%s%u%c", table[i].leader ? "?" : "", table[i].mode,
				modes->on & UINT32_C(1) << table[i].bit ? 'h' : 'l');
	for (unsigned i = 0; i < MODES_CHARSETS; i++)
		if (modes->charsets[i])
			fprintf(to, "\033%c%c", '(' + i, modes->charsets[i]);
	if (modes->keypad)
		fprintf(to, "\033%c", modes->keypad);
}

size_t modes_text(const struct modes *modes, char text[static MODES_TEXT_MAX])
{
	text[0] = '\0';
	FILE *to = fmemopen(text, MODES_TEXT_MAX, "w");
	if (to) {
		print(modes, to);
		(void)fclose(to);
	}
	return strlen(text);
}
