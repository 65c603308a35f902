/* SPDX-License-Identifier: MIT */
/*
 * A recursive descent over the expression emits a program for a machine of threads (Thompson,
 * "Regular expression search algorithm", 1968): all threads go through the stream side by side, a
 * byte at a time, and no two stand at the same instruction. Nothing is ever tried again, so
 * there is no pattern that makes it slow.
 *
 * A repetition is emitted again and again from its text; the size of the program bounds that.
 */
#include "pattern.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PROGRAM_MAX = 2048, DEPTH_MAX = 64, REPEAT_MAX = 255 };

enum operation { OP_BYTES, OP_JUMP, OP_SPLIT, OP_LINE_START, OP_LINE_END, OP_MATCH };

struct instruction {
	enum operation operation;
	uint16_t to, other; /* OP_JUMP, OP_SPLIT; OP_BYTES: the index of its set in `to` */
};

struct set {
	uint64_t bits[4];
};

struct threads {
	uint16_t *at; /* room for one at each instruction */
	unsigned count;
};

struct pattern {
	struct instruction *program; /* room for PROGRAM_MAX until it is compiled */
	unsigned length;
	struct set *sets;
	unsigned set_count, set_room;
	/* The machine: */
	struct threads now, next;
	uint32_t *visited; /* by instruction: the round in which it was last stood at */
	uint32_t round;
	struct set first; /* bytes that can begin a match; all of them where that is not known */
	char before;      /* the byte that came last */
};

struct parser {
	struct pattern *pattern;
	const char *at;
	const char *why;
	unsigned depth;
	int error;
};

static void set_add(struct set *set, unsigned char byte)
{
	set->bits[byte / 64] |= UINT64_C(1) << byte % 64;
}

static bool set_has(const struct set *set, unsigned char byte)
{
	return set->bits[byte / 64] >> byte % 64 & 1;
}

/* Parsing */

static void refuse(struct parser *parser, int error, const char *why)
{
	if (parser->error)
		return;
	parser->error = error;
	parser->why = why;
}

static unsigned emit(struct parser *parser, enum operation operation, unsigned to, unsigned other)
{
	struct pattern *pattern = parser->pattern;
	if (pattern->length == PROGRAM_MAX) {
		refuse(parser, -EINVAL, "it is too large");
		return 0;
	}
	pattern->program[pattern->length] =
		(struct instruction){ operation, (uint16_t)to, (uint16_t)other };
	return pattern->length++;
}

static void emit_set(struct parser *parser, const struct set *set)
{
	struct pattern *pattern = parser->pattern;
	if (pattern->set_count == pattern->set_room) {
		unsigned room = pattern->set_room ? 2 * pattern->set_room : 16;
		struct set *sets = realloc(pattern->sets, room * sizeof(*sets));
		if (!sets) {
			refuse(parser, -ENOMEM, "out of memory");
			return;
		}
		pattern->sets = sets;
		pattern->set_room = room;
	}
	pattern->sets[pattern->set_count] = *set;
	emit(parser, OP_BYTES, pattern->set_count++, 0);
}

static void emit_byte(struct parser *parser, unsigned char byte)
{
	struct set set = { { 0 } };
	set_add(&set, byte);
	emit_set(parser, &set);
}

static const struct {
	const char *name;
	int (*has)(int byte);
} classes[] = {
	{ "alnum", isalnum }, { "alpha", isalpha }, { "blank", isblank }, { "cntrl", iscntrl },
	{ "digit", isdigit }, { "graph", isgraph }, { "lower", islower }, { "print", isprint },
	{ "punct", ispunct }, { "space", isspace }, { "upper", isupper }, { "xdigit", isxdigit },
};

/* `[:alpha:]`, at its first bracket. */
static void parse_class(struct parser *parser, struct set *set)
{
	const char *name = parser->at + 2, *end = strstr(name, ":]");
	for (size_t i = 0; end && i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (strlen(classes[i].name) != (size_t)(end - name) ||
		    strncmp(classes[i].name, name, (size_t)(end - name)) != 0)
			continue;
		for (int byte = 0; byte < 128; byte++)
			if (classes[i].has(byte))
				set_add(set, (unsigned char)byte);
		parser->at = end + 2;
		return;
	}
	refuse(parser, -EINVAL, "an unknown [:class:]");
}

static void parse_range(struct parser *parser, struct set *set)
{
	unsigned char low = (unsigned char)*parser->at++, high = low;
	if (parser->at[0] == '-' && parser->at[1] != ']' && parser->at[1] != '\0') {
		high = (unsigned char)parser->at[1];
		parser->at += 2;
	}
	if (high < low)
		refuse(parser, -EINVAL, "a range that is upside down");
	for (unsigned byte = low; byte <= high; byte++)
		set_add(set, (unsigned char)byte);
}

/* Behind its `[`. A `]` that comes first, and a backslash anywhere, stand for themselves. */
static void parse_bracket(struct parser *parser)
{
	struct set set = { { 0 } };
	bool negated = *parser->at == '^';
	parser->at += negated;
	for (bool first = true; !parser->error && (first || *parser->at != ']'); first = false) {
		if (*parser->at == '\0')
			refuse(parser, -EINVAL, "a [ without its ]");
		else if (parser->at[0] == '[' && parser->at[1] == ':')
			parse_class(parser, &set);
		else if (parser->at[0] == '[' && (parser->at[1] == '.' || parser->at[1] == '='))
			refuse(parser, -EINVAL, "collating elements are not known here");
		else
			parse_range(parser, &set);
	}
	if (parser->error)
		return;
	parser->at++;
	if (negated) {
		set_add(&set, '\n');
		for (int i = 0; i < 4; i++)
			set.bits[i] = ~set.bits[i];
	}
	emit_set(parser, &set);
}

static void parse_any(struct parser *parser)
{
	struct set set = { { 0 } };
	set_add(&set, '\n');
	for (int i = 0; i < 4; i++)
		set.bits[i] = ~set.bits[i];
	emit_set(parser, &set);
}

static void parse_choice(struct parser *parser);

static void parse_escape(struct parser *parser)
{
	char byte = *parser->at;
	if (byte == '\0')
		refuse(parser, -EINVAL, "a backslash at its end");
	else if (isdigit((unsigned char)byte))
		refuse(parser, -EINVAL, "back-references are not known here");
	else if (isalpha((unsigned char)byte))
		refuse(parser, -EINVAL, "an escape that POSIX doesn't have");
	else
		emit_byte(parser, (unsigned char)byte);
	parser->at += byte != '\0';
}

static void parse_group(struct parser *parser)
{
	if (++parser->depth > DEPTH_MAX) {
		refuse(parser, -EINVAL, "it is nested too deeply");
		return;
	}
	parse_choice(parser);
	parser->depth--;
	if (!parser->error && *parser->at++ != ')')
		refuse(parser, -EINVAL, "a ( without its )");
}

static void parse_atom(struct parser *parser)
{
	char byte = *parser->at++;
	switch (byte) {
	case '(':
		parse_group(parser);
		break;
	case '[':
		parse_bracket(parser);
		break;
	case '.':
		parse_any(parser);
		break;
	case '^':
		emit(parser, OP_LINE_START, 0, 0);
		break;
	case '$':
		emit(parser, OP_LINE_END, 0, 0);
		break;
	case '\\':
		parse_escape(parser);
		break;
	case '*':
	case '+':
	case '?':
	case '{':
		refuse(parser, -EINVAL, "nothing to repeat");
		break;
	default:
		emit_byte(parser, (unsigned char)byte);
	}
}

static unsigned parse_number(struct parser *parser)
{
	unsigned number = 0;
	if (!isdigit((unsigned char)*parser->at))
		refuse(parser, -EINVAL, "a repetition that is not {m}, {m,} or {m,n}");
	while (isdigit((unsigned char)*parser->at) && number <= REPEAT_MAX)
		number = 10 * number + (unsigned)(*parser->at++ - '0');
	if (number > REPEAT_MAX)
		refuse(parser, -EINVAL, "a repetition of more than 255");
	return number;
}

enum { UNBOUNDED = REPEAT_MAX + 1 };

/* The `*`, `+`, `?` or `{m,n}` that is next; false: none is. */
static bool parse_count(struct parser *parser, unsigned *least, unsigned *most)
{
	char byte = *parser->at;
	if (byte == '\0' || !strchr("*+?{", byte))
		return false;
	parser->at++;
	*least = byte == '+';
	*most = byte == '?' ? 1 : UNBOUNDED;
	if (byte != '{')
		return true;
	*least = *most = parse_number(parser);
	if (*parser->at == ',') {
		parser->at++;
		*most = *parser->at == '}' ? UNBOUNDED : parse_number(parser);
	}
	if (!parser->error && (*parser->at++ != '}' || *most < *least))
		refuse(parser, -EINVAL, "a repetition that is not {m}, {m,} or {m,n}");
	return true;
}

/* Another copy of the instructions [start, end): what they refer to is among them. */
static void copy(struct parser *parser, unsigned start, unsigned end)
{
	struct pattern *pattern = parser->pattern;
	unsigned shift = pattern->length - start;
	for (unsigned i = start; i < end && !parser->error; i++) {
		struct instruction instruction = pattern->program[i];
		bool moves = instruction.operation == OP_JUMP || instruction.operation == OP_SPLIT;
		emit(parser, instruction.operation, instruction.to + (moves ? shift : 0),
		     instruction.other + (moves ? shift : 0));
	}
}

/* Makes room for one instruction before [start, length). */
static void insert_split(struct parser *parser, unsigned start)
{
	struct pattern *pattern = parser->pattern;
	emit(parser, OP_JUMP, 0, 0);
	if (parser->error)
		return;
	memmove(pattern->program + start + 1, pattern->program + start,
		(pattern->length - 1 - start) * sizeof(pattern->program[0]));
	for (unsigned i = start + 1; i < pattern->length; i++) {
		struct instruction *instruction = &pattern->program[i];
		if (instruction->operation != OP_JUMP && instruction->operation != OP_SPLIT)
			continue;
		instruction->to++;
		instruction->other++;
	}
	pattern->program[start] = (struct instruction){ OP_SPLIT, (uint16_t)(start + 1), 0 };
}

/* [start, length) becomes optional. */
static void make_optional(struct parser *parser, unsigned start)
{
	insert_split(parser, start);
	if (!parser->error)
		parser->pattern->program[start].other = (uint16_t)parser->pattern->length;
}

/* [start, length) is repeated from `least` to `most` times. */
static void repeat(struct parser *parser, unsigned start, unsigned least, unsigned most)
{
	struct pattern *pattern = parser->pattern;
	unsigned end = pattern->length, last = start;
	if (most == 0) {
		pattern->length = start;
		return;
	}
	for (unsigned i = 1; i < least && !parser->error; i++) {
		last = pattern->length;
		copy(parser, start, end);
	}
	if (most == UNBOUNDED) {
		emit(parser, OP_SPLIT, last, pattern->length + 1);
		if (least == 0)
			make_optional(parser, start);
		return;
	}
	/* The original, untouched till the end, is what all copies are made of. */
	for (unsigned i = least > 1 ? least : 1; i < most && !parser->error; i++) {
		unsigned one = pattern->length;
		copy(parser, start, end);
		make_optional(parser, one);
	}
	if (least == 0 && !parser->error)
		make_optional(parser, start);
}

static void parse_sequence(struct parser *parser)
{
	while (!parser->error && *parser->at != '\0' && *parser->at != '|' &&
	       (*parser->at != ')' || parser->depth == 0)) {
		unsigned start = parser->pattern->length, least, most;
		parse_atom(parser);
		while (!parser->error && parse_count(parser, &least, &most))
			if (!parser->error)
				repeat(parser, start, least, most);
	}
}

static void parse_choice(struct parser *parser)
{
	struct pattern *pattern = parser->pattern;
	unsigned start = pattern->length;
	parse_sequence(parser);
	while (!parser->error && *parser->at == '|') {
		parser->at++;
		insert_split(parser, start);
		unsigned jump = emit(parser, OP_JUMP, 0, 0);
		if (parser->error)
			return;
		pattern->program[start].other = (uint16_t)pattern->length;
		parse_sequence(parser);
		if (parser->error)
			return;
		pattern->program[jump].to = (uint16_t)pattern->length;
	}
}

/* The machine */

/* Puts a thread at `at`, through all that takes no byte. True when that is a match. */
static bool add(struct pattern *pattern, struct threads *threads, unsigned at, bool line_start,
		bool line_end)
{
	uint16_t stack[PROGRAM_MAX];
	unsigned depth = 0;
	bool matched = false;
	stack[depth++] = (uint16_t)at;
	while (depth) {
		at = stack[--depth];
		if (pattern->visited[at] == pattern->round)
			continue;
		pattern->visited[at] = pattern->round;
		const struct instruction *instruction = &pattern->program[at];
		switch (instruction->operation) {
		case OP_JUMP:
			stack[depth++] = instruction->to;
			break;
		case OP_SPLIT:
			stack[depth++] = instruction->other;
			stack[depth++] = instruction->to;
			break;
		case OP_LINE_START:
			if (line_start)
				stack[depth++] = (uint16_t)(at + 1);
			break;
		case OP_LINE_END:
			/* It stays, to be looked at again when the next byte is known. */
			if (line_end)
				stack[depth++] = (uint16_t)(at + 1);
			else
				threads->at[threads->count++] = (uint16_t)at;
			break;
		case OP_BYTES:
			threads->at[threads->count++] = (uint16_t)at;
			break;
		case OP_MATCH:
			matched = true;
			break;
		}
	}
	return matched;
}

/* Threads that wait for the end of a line go on where `byte` ends one. */
static bool end_lines(struct pattern *pattern)
{
	bool matched = false;
	unsigned count = pattern->now.count;
	for (unsigned i = 0; i < count; i++) {
		unsigned at = pattern->now.at[i];
		if (pattern->program[at].operation == OP_LINE_END)
			matched |=
				add(pattern, &pattern->now, at + 1, pattern->before == '\n', true);
	}
	return matched;
}

static bool step(struct pattern *pattern, unsigned char byte)
{
	bool matched = false;
	/* No thread stands anywhere, so what was visited, maybe bytes ago, says nothing. */
	if (pattern->now.count == 0)
		pattern->round++;
	/* A match may begin here. */
	matched |= add(pattern, &pattern->now, 0, pattern->before == '\n', false);
	if (byte == '\n' || byte == '\r')
		matched |= end_lines(pattern);
	if (matched)
		return true;
	pattern->round++;
	pattern->next.count = 0;
	pattern->before = (char)byte;
	for (unsigned i = 0; i < pattern->now.count; i++) {
		const struct instruction *instruction = &pattern->program[pattern->now.at[i]];
		if (instruction->operation == OP_BYTES &&
		    set_has(&pattern->sets[instruction->to], byte))
			matched |= add(pattern, &pattern->next, pattern->now.at[i] + 1u,
				       byte == '\n', false);
	}
	struct threads *now = &pattern->now;
	now->count = pattern->next.count;
	memcpy(now->at, pattern->next.at, now->count * sizeof(now->at[0]));
	return matched;
}

/* Which bytes can be the first of a match: most of a stream is then passed over quickly. */
static void find_first(struct pattern *pattern)
{
	struct threads *threads = &pattern->next;
	bool any = add(pattern, threads, 0, true, false);
	for (unsigned i = 0; i < threads->count; i++) {
		const struct instruction *instruction = &pattern->program[threads->at[i]];
		any |= instruction->operation == OP_LINE_END;
		for (int j = 0; j < 4 && instruction->operation == OP_BYTES; j++)
			pattern->first.bits[j] |= pattern->sets[instruction->to].bits[j];
	}
	if (any)
		memset(&pattern->first, 0xff, sizeof(pattern->first));
	threads->count = 0;
	pattern->round++;
}

/* Many patterns may wait at a time, so none keeps more room than its program takes. */
static int fit(struct pattern *pattern)
{
	unsigned length = pattern->length, sets = pattern->set_count;
	struct instruction *program = realloc(pattern->program, length * sizeof(*program));
	struct set *fitting = sets ? realloc(pattern->sets, sets * sizeof(*fitting)) : NULL;
	pattern->program = program ? program : pattern->program;
	pattern->sets = fitting ? fitting : pattern->sets;
	pattern->now.at = calloc(length, sizeof(*pattern->now.at));
	pattern->next.at = calloc(length, sizeof(*pattern->next.at));
	pattern->visited = calloc(length, sizeof(*pattern->visited));
	return pattern->now.at && pattern->next.at && pattern->visited ? 0 : -ENOMEM;
}

int pattern_compile(const char *text, struct pattern **out, const char **why)
{
	struct pattern *pattern = calloc(1, sizeof(*pattern));
	struct parser parser = { .pattern = pattern, .at = text, .why = "out of memory" };
	*why = parser.why;
	if (pattern)
		pattern->program = malloc(PROGRAM_MAX * sizeof(*pattern->program));
	if (!pattern || !pattern->program) {
		free(pattern);
		return -ENOMEM;
	}
	pattern->before = '\n';
	pattern->round = 1;
	parse_choice(&parser);
	emit(&parser, OP_MATCH, 0, 0);
	int error = parser.error;
	if (error < 0)
		*why = parser.why;
	else
		error = fit(pattern);
	if (error < 0) {
		pattern_free(pattern);
		return error;
	}
	find_first(pattern);
	*out = pattern;
	return 0;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	free(pattern->program);
	free(pattern->sets);
	free(pattern->now.at);
	free(pattern->next.at);
	free(pattern->visited);
	free(pattern);
}

size_t pattern_memory(const struct pattern *pattern)
{
	return sizeof(*pattern) +
	       pattern->length * (sizeof(*pattern->program) + sizeof(*pattern->now.at) +
				  sizeof(*pattern->next.at) + sizeof(*pattern->visited)) +
	       pattern->set_count * sizeof(*pattern->sets);
}

void pattern_reset(struct pattern *pattern)
{
	pattern->now.count = 0;
	pattern->before = '\n';
	pattern->round++;
}

size_t pattern_size(const struct pattern *pattern)
{
	return pattern->length;
}

bool pattern_feed(struct pattern *pattern, const char *data, size_t size, size_t *used)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)data[i];
		if (pattern->now.count == 0 && !set_has(&pattern->first, byte)) {
			pattern->before = (char)byte;
			continue;
		}
		if (step(pattern, byte)) {
			*used = i + 1;
			return true;
		}
	}
	*used = size;
	return false;
}

bool pattern_at_end(struct pattern *pattern)
{
	bool line_start = pattern->before == '\n';
	pattern->round++;
	pattern->next.count = 0;
	bool matched = add(pattern, &pattern->next, 0, line_start, true);
	for (unsigned i = 0; i < pattern->now.count; i++) {
		unsigned at = pattern->now.at[i];
		if (pattern->program[at].operation == OP_LINE_END)
			matched |= add(pattern, &pattern->next, at + 1, line_start, true);
	}
	/* The threads stand where they stood. */
	pattern->next.count = 0;
	pattern->round++;
	for (unsigned i = 0; i < pattern->now.count; i++)
		pattern->visited[pattern->now.at[i]] = pattern->round;
	return matched;
}
