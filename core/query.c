/* SPDX-License-Identifier: MIT */
/*
 * A sequence is held in `text` for as long as it may be a query. As soon as it cannot be one it is
 * let go, and the rest of it is passed over as text is: what is in a long string, such as a
 * picture, costs no more than that.
 */
#include "query.h"

#include <string.h>

enum { ENQ = 0x05, BEL = 0x07, CAN = 0x18, SUB = 0x1a, ESC = 0x1b, DEL = 0x7f };

enum {
	GROUND, /* a zeroed one */
	IN_ESCAPE,
	IN_CSI,
	IN_OSC,
	IN_DCS,
	IN_APC,
};

/* What is not a query; NULL: it is of no interest. */
struct sink {
	char *to;
	size_t size;
};

static void pass(struct sink *sink, const char *data, size_t size)
{
	if (!sink || size == 0)
		return;
	memcpy(sink->to + sink->size, data, size);
	sink->size += size;
}

static void begin(struct query_scanner *scanner)
{
	scanner->state = IN_ESCAPE;
	scanner->escape = scanner->cut = false;
	scanner->size = 1;
	scanner->text[0] = ESC;
}

/* A sequence that another one breaks off does nothing. */
static void forget(struct query_scanner *scanner)
{
	scanner->state = GROUND;
	scanner->cut = scanner->escape = false;
}

/* It is no query; what was cut has gone. */
static void let_go(struct query_scanner *scanner, struct sink *sink)
{
	pass(sink, scanner->text, scanner->cut ? 0 : scanner->size);
	forget(scanner);
}

/* False: there is no room. */
static bool hold(struct query_scanner *scanner, char byte)
{
	if (scanner->size == QUERY_TEXT_MAX)
		return false;
	scanner->text[scanner->size++] = byte;
	return true;
}

/* Parameters */

static void add_number(struct query *query, uint16_t number)
{
	if (query->count < QUERY_NUMBERS)
		query->numbers[query->count++] = number;
}

/* Digits at *at; false: there are none. The value stops at 65535. */
static bool take_number(const char **at, const char *end, uint16_t *number)
{
	uint32_t value = 0;
	const char *from = *at;
	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++)
		value = value < UINT16_MAX ? value * 10 + (uint32_t)(**at - '0') : value;
	*number = (uint16_t)(value < UINT16_MAX ? value : UINT16_MAX);
	return *at > from;
}

/* CSI */

static const struct csi_query {
	/* Values of the first parameter, each a character from '0' on; NULL: any. */
	const char *first;
	enum query_kind kind;
	char leader, intermediate, final;
} csi_queries[] = {
	{ "0", QUERY_DEVICE, '\0', '\0', 'c' },
	{ "0", QUERY_DEVICE_2, '>', '\0', 'c' },
	{ "0", QUERY_DEVICE_3, '=', '\0', 'c' },
	{ "5", QUERY_STATUS, '\0', '\0', 'n' },
	{ "6", QUERY_CURSOR, '\0', '\0', 'n' },
	{ "6", QUERY_CURSOR_PAGE, '?', '\0', 'n' },
	{ NULL, QUERY_OTHER, '\0', '\0', 'n' },
	{ NULL, QUERY_OTHER, '?', '\0', 'n' }, /* printer, keyboard, colour scheme */
	{ "0", QUERY_VERSION, '>', '\0', 'q' },
	{ NULL, QUERY_MODE, '\0', '$', 'p' },
	{ NULL, QUERY_PRIVATE_MODE, '?', '$', 'p' },
	{ ">@BC", QUERY_SIZE, '\0', '\0', 't' },   /* 14, 16, 18, 19 */
	{ ";=?DE", QUERY_OTHER, '\0', '\0', 't' }, /* 11, 13, 15, 20, 21 */
	{ "01", QUERY_OTHER, '\0', '\0', 'x' },    /* DECREQTPARM */
	{ NULL, QUERY_OTHER, '?', '\0', 'u' },     /* keys, as kitty has them */
	{ NULL, QUERY_OTHER, '?', '\0', 'm' },     /* XTQMODKEYS */
	{ NULL, QUERY_OTHER, '?', '\0', 'S' },     /* XTSMGRAPHICS */
	{ NULL, QUERY_OTHER, '\0', '$', 'w' },     /* DECRQPSR */
	{ NULL, QUERY_OTHER, '\0', '$', 'u' },     /* DECRQTSR */
	{ NULL, QUERY_OTHER, '\0', '&', 'u' },     /* DECRQUPSS */
	{ NULL, QUERY_OTHER, '\0', '*', 'y' },     /* DECRQCRA */
	{ NULL, QUERY_OTHER, '\0', '+', 'x' },     /* DECRQPKFM */
	{ NULL, QUERY_OTHER, '\0', '"', 'v' },     /* DECRQDE */
	{ NULL, QUERY_OTHER, '\0', '\'', '|' },    /* DECRQLP */
	{ NULL, QUERY_OTHER, '\0', '#', '|' },     /* XTREPORTSGR */
	{ NULL, QUERY_OTHER, '\0', '#', 'R' },     /* XTREPORTCOLORS */
};

static bool has_value(const char *values, uint16_t value)
{
	for (; values && *values; values++)
		if (*values - '0' == value)
			return true;
	return !values;
}

/* From behind `ESC [` to the final byte. */
static void classify_csi(const char *at, const char *end, struct query *query)
{
	char leader = *at >= '<' && *at <= '?' ? *at++ : '\0';
	char intermediate = '\0', final = *--end;
	uint16_t number;
	do {
		(void)take_number(&at, end, &number);
		add_number(query, number);
	} while (at < end && *at == ';' && at++);
	if (at < end && *at >= ' ' && *at <= '/')
		intermediate = *at++;
	for (size_t i = 0; at == end && i < sizeof(csi_queries) / sizeof(*csi_queries); i++) {
		const struct csi_query *row = &csi_queries[i];
		if (row->leader != leader || row->intermediate != intermediate ||
		    row->final != final || !has_value(row->first, query->numbers[0]))
			continue;
		query->kind = row->kind;
		return;
	}
}

/* OSC */

/* Those in which a parameter can be a question mark: not in titles and other texts. */
static bool osc_can_ask(uint16_t number)
{
	static const uint16_t numbers[] = { 3, 4, 5, 21, 22, 50, 52, 60, 61, 99, 1337 };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (numbers[i] == number)
			return true;
	return number >= 10 && number <= 19;
}

static bool has_question(const char *at, const char *end)
{
	for (; at < end; at++)
		if (*at == '?' && (at[-1] == ';' || at[-1] == '=') &&
		    (at + 1 == end || at[1] == ';' || at[1] == ':'))
			return true;
	return false;
}

static bool begins_with(const char *at, const char *end, const char *text)
{
	size_t size = strlen(text);
	return (size_t)(end - at) >= size && memcmp(at, text, size) == 0;
}

static bool iterm_asks(const char *at, const char *end)
{
	static const char *const questions[] = { ";ReportCellSize", ";ReportVariable=",
						 ";RequestUpload=", ";Capabilities" };
	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++)
		if (begins_with(at, end, questions[i]))
			return true;
	return false;
}

/* `;INDEX;?` or `;?`, any number of times. */
static void find_colours(const char *at, const char *end, uint16_t number, struct query *query)
{
	bool palette = number == 4;
	query->count = 0;
	query->kind = palette ? QUERY_PALETTE : QUERY_COLOUR;
	for (; at < end && *at == ';'; number++) {
		uint16_t index = number;
		bool whole = true;
		at++;
		if (palette)
			whole = take_number(&at, end, &index) && at < end && *at++ == ';';
		const char *next = memchr(at, ';', (size_t)(end - at));
		next = next ? next : end;
		if (whole && next - at == 1 && *at == '?' && (palette || index <= 12))
			add_number(query, index);
		at = next;
	}
	if (query->count == 0)
		query->kind = QUERY_OTHER;
}

/* From behind `ESC ]` to what ends it. */
static void classify_osc(const char *at, const char *end, struct query *query)
{
	uint16_t number;
	if (!take_number(&at, end, &number) || !osc_can_ask(number) || at == end)
		return;
	if (number == 1337 ? !iterm_asks(at, end) : !has_question(at, end))
		return;
	if (number == 4 || (number >= 10 && number <= 12))
		find_colours(at, end, number, query);
	else
		query->kind = QUERY_OTHER;
}

/* Whether what is held may become a query. */
static bool osc_may_ask(const struct query_scanner *scanner)
{
	const char *at = scanner->text + 2, *end = scanner->text + scanner->size;
	uint16_t number;
	if (at == end || (*at >= '0' && *at <= '9' && !memchr(at, ';', (size_t)(end - at))))
		return scanner->size < 10;
	if (!take_number(&at, end, &number) || *at != ';' || !osc_can_ask(number))
		return false;
	/* the clipboard may be long */
	const char *what = memchr(at + 1, ';', (size_t)(end - at - 1));
	return number != 52 || !what || what + 1 == end || what[1] == '?';
}

/* DCS and APC */

static void classify_dcs(const char *at, const char *end, struct query *query)
{
	query->kind = QUERY_OTHER;
	query->count = 0;
	if (begins_with(at, end, "+q"))
		query->kind = QUERY_CAPABILITY;
	else if (begins_with(at, end, "$q") && end - at <= 4)
		query->kind = QUERY_SETTING;
	for (at += 2; query->kind == QUERY_SETTING && at < end; at++)
		add_number(query, (unsigned char)*at);
}

static bool string_may_ask(const struct query_scanner *scanner, bool filters)
{
	const char *at = scanner->text + 2;
	size_t size = (size_t)scanner->size - 2;
	if (scanner->state == IN_OSC)
		return osc_may_ask(scanner);
	if (scanner->state == IN_APC) /* pictures, as kitty has them, are acknowledged */
		return filters && (size < 1 || *at == 'G');
	return (size < 1 || *at == '$' || *at == '+') && (size < 2 || (at[1] | 0x20) == 'q');
}

/* The sequence is complete. */
static void classify(struct query_scanner *scanner, bool bell, struct query *query)
{
	const char *at = scanner->text + 2, *end = scanner->text + scanner->size;
	*query = (struct query){ .bell = bell };
	if (scanner->cut || scanner->state == IN_APC)
		query->kind = scanner->size >= 3 ? QUERY_OTHER : QUERY_NONE;
	else if (scanner->state == IN_ESCAPE)
		query->kind = QUERY_OTHER;
	else if (scanner->state == IN_CSI)
		classify_csi(at, end, query);
	else if (scanner->state == IN_OSC)
		classify_osc(at, end, query);
	else if (end - at >= 2)
		classify_dcs(at, end, query);
}

/* Bytes. True: a sequence that may be a query has come to its end. */

static bool take_in_escape(struct query_scanner *scanner, struct sink *sink, char byte)
{
	static const char introducers[] = "[]P_";
	static const uint8_t states[] = { IN_CSI, IN_OSC, IN_DCS, IN_APC };
	const char *found = byte ? strchr(introducers, byte) : NULL;
	hold(scanner, byte);
	if (found)
		scanner->state = states[found - introducers];
	else if (byte != 'Z')
		let_go(scanner, sink);
	return byte == 'Z';
}

static bool take_in_csi(struct query_scanner *scanner, struct sink *sink, char byte)
{
	if (!hold(scanner, byte)) {
		let_go(scanner, sink);
		pass(sink, &byte, 1);
		return false;
	}
	if ((unsigned char)byte >= 0x80)
		let_go(scanner, sink);
	return byte >= '@' && byte < DEL;
}

static bool take_in_string(struct query_scanner *scanner, struct sink *sink, char byte)
{
	if (byte == BEL && scanner->state == IN_OSC)
		return true;
	if (hold(scanner, byte)) {
		if (!string_may_ask(scanner, sink != NULL))
			let_go(scanner, sink);
	} else if (scanner->state == IN_OSC) { /* too long for a question */
		let_go(scanner, sink);
		pass(sink, &byte, 1);
	} else {
		scanner->cut = true;
	}
	return false;
}

static bool take(struct query_scanner *scanner, struct sink *sink, char byte)
{
	if (scanner->escape && byte == '\\')
		return true;
	if (scanner->escape)
		begin(scanner);
	if (byte == CAN || byte == SUB) {
		let_go(scanner, sink);
		pass(sink, &byte, 1);
	} else if (byte == ESC && scanner->state > IN_CSI) {
		scanner->escape = true;
	} else if (byte == ESC) {
		begin(scanner);
	} else if (scanner->state <= IN_CSI && ((unsigned char)byte < ' ' || byte == DEL)) {
		pass(sink, &byte, byte == ENQ ? 0 : 1); /* executed within the sequence */
	} else if (scanner->state == IN_ESCAPE) {
		return take_in_escape(scanner, sink, byte);
	} else if (scanner->state == IN_CSI) {
		return take_in_csi(scanner, sink, byte);
	} else {
		return take_in_string(scanner, sink, byte);
	}
	return false;
}

/* What ends a string is not in `text`. */
static void let_go_whole(struct query_scanner *scanner, struct sink *sink, bool bell)
{
	bool string = scanner->state > IN_CSI, escape = scanner->escape;
	let_go(scanner, sink);
	if (string && bell)
		pass(sink, "\007", 1);
	else if (escape)
		pass(sink, "\033\\", 2);
}

/*
 * Behind the CSI sequence that begins at `at` with its ESC, if it is complete and its last byte is
 * none of a query's; else NULL. Most of them are so, colours above all.
 */
static const char *end_of_plain_csi(const char *at, const char *end)
{
	const char *begin = at;
	if (end - at < 3 || at[1] != '[')
		return NULL;
	for (at += 2; at < end && *at >= ' ' && *at < '@'; at++)
		;
	if (at == end || at - begin >= QUERY_TEXT_MAX || *at < '@' || *at == DEL)
		return NULL;
	if (*at == 'm' ? begin[2] == '?' : strchr("RScnpqtuvwxy|", *at) != NULL)
		return NULL;
	return at + 1;
}

/* Where the next sequence begins that may be a query; `end`: there is none. */
static const char *find_sequence(const char *at, const char *end)
{
	while (at < end && (at = memchr(at, ESC, (size_t)(end - at)))) {
		const char *behind = end_of_plain_csi(at, end);
		if (!behind)
			return at;
		at = behind;
	}
	return end;
}

/* Up to the next byte that counts. */
static void pass_text(struct query_scanner *scanner, struct sink *sink, const char **at,
		      const char *end)
{
	const char *until = find_sequence(*at, end);
	bool found = until < end;
	const char *enq = sink ? memchr(*at, ENQ, (size_t)(until - *at)) : NULL;
	until = enq ? enq : until;
	pass(sink, *at, (size_t)(until - *at));
	*at = until;
	if (enq || !found)
		return;
	begin(scanner);
	(*at)++;
}

static bool next(struct query_scanner *scanner, struct sink *sink, const char **at, const char *end,
		 struct query *query)
{
	while (*at < end) {
		if (scanner->state == GROUND) {
			pass_text(scanner, sink, at, end);
			if (scanner->state != GROUND || *at == end)
				continue;
			(*at)++;
			*query = (struct query){ .kind = QUERY_OTHER };
			return true;
		}
		char byte = *(*at)++;
		if (!take(scanner, sink, byte))
			continue;
		classify(scanner, byte == BEL, query);
		if (query->kind == QUERY_NONE) {
			let_go_whole(scanner, sink, byte == BEL);
			continue;
		}
		forget(scanner);
		return true;
	}
	return false;
}

bool query_next(struct query_scanner *scanner, const char **at, const char *end,
		struct query *query)
{
	return next(scanner, NULL, at, end, query);
}

bool query_filter_next(struct query_filter *filter, const char **at, const char *end,
		       struct query *query)
{
	struct sink sink = { filter->to, filter->size };
	bool found = next(&filter->scanner, &sink, at, end, query);
	filter->size = sink.size;
	return found;
}

void query_filter_flush(struct query_filter *filter)
{
	struct query_scanner *scanner = &filter->scanner;
	struct sink sink = { filter->to, filter->size };
	bool escape = scanner->escape;
	if (scanner->state == GROUND)
		return;
	let_go(scanner, &sink);
	if (escape)
		pass(&sink, "\033", 1);
	filter->size = sink.size;
}
