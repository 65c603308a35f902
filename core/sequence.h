/* SPDX-License-Identifier: MIT */
/*
 * Control sequences of a terminal (ECMA-48, DEC), put together from characters.
 *
 * Memory is what is in the struct: parameters past the last one that fits are left out, values
 * stop at 65535, and strings (OSC, DCS, SOS, PM, APC), which change nothing on the screen, are
 * skipped without being kept, however long.
 */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

enum { SEQUENCE_PARAMETERS = 16, SEQUENCE_VALUE_MAX = 65535 };

enum sequence_kind {
	SEQUENCE_NONE,    /* nothing, or not yet */
	SEQUENCE_TEXT,    /* a character to print: the one that was fed */
	SEQUENCE_CONTROL, /* a C0 control to execute: the one that was fed */
	SEQUENCE_ESCAPE,  /* ESC intermediate final; C1 controls come so as well */
	SEQUENCE_CSI,
};

enum sequence_state {
	SEQUENCE_GROUND,
	SEQUENCE_IN_ESCAPE,
	SEQUENCE_IN_CSI,
	SEQUENCE_IN_OSC,
	SEQUENCE_IN_STRING,
};

/* Zeroed: at the ground. The rest is of the sequence that was completed last. */
struct sequence {
	enum sequence_state state;
	bool malformed;                          /* it will be nothing, once complete */
	bool full;                               /* further parameters are left out */
	char leader, intermediate, final;        /* 0: none */
	unsigned count;                          /* of parameters */
	int32_t parameters[SEQUENCE_PARAMETERS]; /* -1: left out */
};

/* Takes a character: U+0000 to U+10FFFF. */
enum sequence_kind sequence_feed(struct sequence *sequence, uint32_t code);

#endif
