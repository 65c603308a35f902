/* SPDX-License-Identifier: MIT */
/*
 * What output has done to the modes of its terminal: which screen it is on, what keys and the mouse
 * send, where lines wrap and scroll. Programs set these once and then rely on them, so that they
 * are to be known of output that is no longer kept. Colours and the like, which programs set each
 * time, are not.
 *
 * Any bytes may be fed. Memory is what is in the struct; zeroed, it is a terminal's that is new.
 */
#ifndef MODES_H
#define MODES_H

#include "sequence.h"

#include <stddef.h>
#include <stdint.h>

enum { MODES_CHARSETS = 4, MODES_TEXT_MAX = 512 };

struct modes {
	struct sequence sequence;
	uint16_t alternate;            /* the mode that led to the alternate screen; 0: not on it */
	uint32_t known, on;            /* by the bits in the table of modes.c */
	char keypad;                   /* '=' or '>'; 0: never set, as everything here */
	char charsets[MODES_CHARSETS]; /* G0 to G3 */
	uint16_t top, bottom;          /* of the region that scrolls */
};

void modes_feed(struct modes *modes, const void *data, size_t size);
/* As DECRQM has it: 1 set, 2 reset, 0 not known of. */
int modes_state(const struct modes *modes, char leader, int mode);
/*
 * The bytes that set them on a new terminal, and a zero byte: none where nothing was ever set, or
 * no memory is left. Returns their count.
 */
size_t modes_text(const struct modes *modes, char text[static MODES_TEXT_MAX]);

#endif
