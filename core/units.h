/* SPDX-License-Identifier: MIT */
/*
 * Values as people write them: sizes (`512M`), durations (`150ms`), counts, cores (`0.5`).
 * Every parser takes the whole of a NUL-terminated text: 0, -EINVAL malformed, -ERANGE out of
 * bounds. What a printer writes, the parser reads back to the same value.
 */
#ifndef UNITS_H
#define UNITS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define UNITS_NONE UINT64_MAX /* the word `none` */

/* Bytes; suffixes K, M, G (1024). */
int units_parse_size(const char *text, uint64_t *bytes);
void units_print_size(FILE *to, uint64_t bytes);

/* Nanoseconds; a number, with or without a fraction, then ns, us, ms, s, m, h or d. */
int units_parse_duration(const char *text, uint64_t *ns);
void units_print_duration(FILE *to, uint64_t ns);

/* A whole number within [min, max]. */
int units_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *count);

/* Thousandths; "0.5" is 500. */
int units_parse_milli(const char *text, uint64_t *milli);
void units_print_milli(FILE *to, uint64_t milli);

/* RFC 3339 in UTC with milliseconds. */
void units_print_time(FILE *to, const struct timespec *time);

/* INT, SIGINT, 2 or RTMIN+1: 0 and the number, or -EINVAL. */
int units_parse_signal(const char *text, int *number);

#endif
