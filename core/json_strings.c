/* SPDX-License-Identifier: MIT */
#include "json_strings.h"

#include "utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct parser {
	const char *text, *at;
	char *to; /* where the next byte of a string goes */
	struct json_strings_error *error;
};

static int refuse(struct parser *parser, const char *why)
{
	parser->error->why = why;
	parser->error->position = (size_t)(parser->at - parser->text);
	return -EINVAL;
}

static void skip_blanks(struct parser *parser)
{
	parser->at += strspn(parser->at, " \t\r\n");
}

/* The four digits of an escape; -1: they are not. */
static int32_t hex4(const char *text)
{
	char digits[5] = { 0 };
	if (strspn(text, "0123456789abcdefABCDEF") < 4)
		return -1;
	memcpy(digits, text, 4);
	return (int32_t)strtol(digits, NULL, 16);
}

/* Behind the `u`. */
static int parse_unicode(struct parser *parser)
{
	int32_t code = hex4(parser->at);
	if (code <= 0)
		return refuse(parser, code ? "not \\uXXXX" : "a NUL byte");
	int32_t low =
		code >= 0xd800 && code < 0xdc00 && parser->at[4] == '\\' && parser->at[5] == 'u'
			? hex4(parser->at + 6)
			: -1;
	if (low >= 0xdc00 && low < 0xe000) {
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		parser->at += 6;
	} else if (code >= 0xdc80 && code <= 0xdcff) {
		*parser->to++ = (char)(code - 0xdc00);
		parser->at += 4;
		return 0;
	} else if (code >= 0xd800 && code < 0xe000) {
		return refuse(parser, "half a surrogate pair");
	}
	parser->at += 4;
	parser->to += utf8_put((uint32_t)code, parser->to);
	return 0;
}

static int parse_escape(struct parser *parser)
{
	static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	char letter = *++parser->at;
	const char *found = letter ? strchr(letters, letter) : NULL;
	if (!found && letter != 'u')
		return refuse(parser, "an unknown escape");
	parser->at++;
	if (!found)
		return parse_unicode(parser);
	*parser->to++ = bytes[found - letters];
	return 0;
}

/* From the quote on. No string is longer than its text, so there is room. */
static int parse_string(struct parser *parser)
{
	int error = 0;
	parser->at++;
	while (error == 0 && *parser->at != '"') {
		if (*parser->at == '\0')
			return refuse(parser, "a string without an end");
		if ((unsigned char)*parser->at < ' ')
			return refuse(parser, "a control character that is not escaped");
		if (*parser->at == '\\')
			error = parse_escape(parser);
		else
			*parser->to++ = *parser->at++;
	}
	if (error < 0)
		return error;
	parser->at++;
	*parser->to++ = '\0';
	return 0;
}

static int parse_elements(struct parser *parser, char **vector, size_t *count)
{
	skip_blanks(parser);
	if (*parser->at++ != '[')
		return refuse(parser, "not a JSON array of strings");
	for (;;) {
		skip_blanks(parser);
		parser->error->element = *count;
		if (*parser->at != '"')
			return refuse(parser, *parser->at && !strchr("],", *parser->at)
						      ? "not a string"
						      : "not a JSON array of strings");
		vector[(*count)++] = parser->to;
		int error = parse_string(parser);
		if (error < 0)
			return error;
		skip_blanks(parser);
		if (*parser->at != ',')
			break;
		parser->at++;
	}
	if (*parser->at != ']')
		return refuse(parser, "neither ',' nor ']'");
	parser->at++;
	skip_blanks(parser);
	return *parser->at ? refuse(parser, "something behind the array") : 0;
}

int json_strings_parse(const char *text, char ***vector, struct json_strings_error *error)
{
	/* Each element has two quotes, and is as long as its text at most. */
	size_t size = strlen(text), quotes = 0;
	for (const char *at = text; (at = strchr(at, '"')); at++)
		quotes++;
	size_t pointers = (quotes / 2 + 2) * sizeof(char *);
	char *block = calloc(1, pointers + size + 1);
	if (!block)
		return -ENOMEM;
	size_t count = 0;
	struct parser parser = { text, text, block + pointers, error };
	*error = (struct json_strings_error){ 0 };
	int result = parse_elements(&parser, (char **)(void *)block, &count);
	if (result < 0) {
		free(block);
		return result;
	}
	*vector = (char **)(void *)block;
	return 0;
}

/* How many bytes at the beginning are one character; 0: they are not UTF-8. */
static size_t character(const char *text)
{
	struct utf8 decoder = { 0 };
	uint32_t codes[2];
	char again[UTF8_MAX];
	for (size_t size = 1; size <= UTF8_MAX; size++) {
		unsigned count = utf8_feed(&decoder, (unsigned char)text[size - 1], codes);
		if (count)
			return count == 1 && utf8_put(codes[0], again) == size &&
					       memcmp(again, text, size) == 0
				       ? size
				       : 0;
	}
	return 0;
}

static void print_control(char byte, FILE *to)
{
	static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
	const char *found = strchr(bytes, byte);
	if (found)
		fprintf(to, "\\%c", letters[found - bytes]);
	else
		fprintf(to, "\\u%04x", (unsigned char)byte);
}

static void print_string(const char *text, FILE *to)
{
	fputc('"', to);
	while (*text) {
		size_t size = character(text);
		if (size == 0)
			fprintf(to, "\\udc%02x", (unsigned char)*text);
		else if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			print_control(*text, to);
		else
			fwrite(text, 1, size, to);
		text += size ? size : 1;
	}
	fputc('"', to);
}

void json_strings_print(char *const *vector, FILE *to)
{
	fputc('[', to);
	for (size_t i = 0; vector[i]; i++) {
		if (i > 0)
			fputc(',', to);
		print_string(vector[i], to);
	}
	fputc(']', to);
}
