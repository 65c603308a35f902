/* SPDX-License-Identifier: MIT */
#include "sequence.h"

enum { CAN = 0x18, SUB = 0x1a, ESC = 0x1b, BEL = 0x07, DEL = 0x7f };

static void begin(struct sequence *sequence, enum sequence_state state)
{
	*sequence = (struct sequence){ .state = state };
}

static enum sequence_kind end(struct sequence *sequence, enum sequence_kind kind, uint32_t final)
{
	sequence->state = SEQUENCE_GROUND;
	sequence->final = (char) final;
	return sequence->malformed ? SEQUENCE_NONE : kind;
}

static bool intermediate(struct sequence *sequence, uint32_t code)
{
	if (code < ' ' || code > '/')
		return false;
	if (sequence->intermediate)
		sequence->malformed = true; /* none with two means anything here */
	sequence->intermediate = (char)code;
	return true;
}

static enum sequence_kind in_escape(struct sequence *sequence, uint32_t code)
{
	if (intermediate(sequence, code))
		return SEQUENCE_NONE;
	if (!sequence->intermediate) {
		switch (code) {
		case '[':
			begin(sequence, SEQUENCE_IN_CSI);
			return SEQUENCE_NONE;
		case ']':
			begin(sequence, SEQUENCE_IN_OSC);
			return SEQUENCE_NONE;
		case 'P':
		case 'X':
		case '^':
		case '_':
			begin(sequence, SEQUENCE_IN_STRING);
			return SEQUENCE_NONE;
		}
	}
	return end(sequence, code < DEL ? SEQUENCE_ESCAPE : SEQUENCE_NONE, code);
}

static void digit(struct sequence *sequence, unsigned value)
{
	if (sequence->count == 0)
		sequence->parameters[sequence->count++] = -1;
	int32_t *parameter = &sequence->parameters[sequence->count - 1];
	if (sequence->full)
		return;
	*parameter = (*parameter < 0 ? 0 : *parameter) * 10 + (int32_t)value;
	if (*parameter > SEQUENCE_VALUE_MAX)
		*parameter = SEQUENCE_VALUE_MAX;
}

static void separator(struct sequence *sequence)
{
	if (sequence->count == 0)
		sequence->parameters[sequence->count++] = -1;
	if (sequence->count < SEQUENCE_PARAMETERS)
		sequence->parameters[sequence->count++] = -1;
	else
		sequence->full = true;
}

static enum sequence_kind in_csi(struct sequence *sequence, uint32_t code)
{
	if (intermediate(sequence, code))
		return SEQUENCE_NONE;
	if (code >= '@')
		return end(sequence, code < DEL ? SEQUENCE_CSI : SEQUENCE_NONE, code);
	if (code <= '9' && !sequence->intermediate)
		digit(sequence, code - '0');
	else if (code == ';' && !sequence->intermediate)
		separator(sequence);
	else if (code > ';' && !sequence->intermediate && !sequence->count && !sequence->leader)
		sequence->leader = (char)code;
	else /* ':' too: sub-parameters are of colours only */
		sequence->malformed = true;
	return SEQUENCE_NONE;
}

enum sequence_kind sequence_feed(struct sequence *sequence, uint32_t code)
{
	bool string = sequence->state == SEQUENCE_IN_OSC || sequence->state == SEQUENCE_IN_STRING;
	if (code == 0 || code == DEL)
		return SEQUENCE_NONE;
	if (code == CAN || code == SUB) {
		sequence->state = SEQUENCE_GROUND;
		return SEQUENCE_NONE;
	}
	if (code == ESC || (code >= 0x80 && code < 0xa0)) { /* ends a string as well */
		begin(sequence, SEQUENCE_IN_ESCAPE);
		return code == ESC ? SEQUENCE_NONE : in_escape(sequence, code - 0x40);
	}
	if (code == BEL && sequence->state == SEQUENCE_IN_OSC)
		sequence->state = SEQUENCE_GROUND;
	if (string)
		return SEQUENCE_NONE;
	if (code < ' ')
		return SEQUENCE_CONTROL; /* inside a sequence too, which then goes on */
	switch (sequence->state) {
	case SEQUENCE_IN_ESCAPE:
		return in_escape(sequence, code);
	case SEQUENCE_IN_CSI:
		return in_csi(sequence, code);
	default:
		return SEQUENCE_TEXT;
	}
}
