/* SPDX-License-Identifier: MIT */
/*
 * A JSON array of strings (RFC 8259) as an argument vector, and back.
 *
 * An argument is any bytes but NUL. JSON has no way to write a byte that is not part of UTF-8, so
 * two are added: the byte itself, and the lone surrogate \udcXX that Python (os.fsdecode()) and
 * what reads its JSON have for the byte XX.
 */
#ifndef JSON_STRINGS_H
#define JSON_STRINGS_H

#include <stdio.h>

struct json_strings_error {
	const char *why;
	size_t position; /* the byte, from 0 */
	size_t element;  /* from 0 */
};

/*
 * 0 and a vector that free() takes as one block, ended by NULL. -EINVAL: malformed, `error` says
 * why. -ENOMEM.
 */
int json_strings_parse(const char *text, char ***vector, struct json_strings_error *error);

/* As it is parsed again, without blanks and with an escape for each byte that is not of UTF-8. */
void json_strings_print(char *const *vector, FILE *to);

#endif
