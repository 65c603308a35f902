/* SPDX-License-Identifier: MIT */
/* What --json prints. Its names are documented in mimobox(1), and stay. */
#ifndef JSON_H
#define JSON_H

#include "place.h"

#include <jansson.h>
#include <stddef.h>

/* Bytes that are not UTF-8 become U+FFFD. NULL: no memory. */
json_t *json_bytes(const char *bytes, size_t size);
/* All that is known of a session; of one of another user, its name and owner. NULL: no memory. */
json_t *json_session(const struct place *place, const char *name);
/* Puts it on standard output and lets it go: 0, or an exit status and reported. */
int json_print(json_t *value);

#endif
