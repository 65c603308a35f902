/* SPDX-License-Identifier: MIT */
/* A session's log: one line, with its time, for each thing that happened. Bounded. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct journal {
	char *text;
	size_t size, room;
	uint64_t dropped; /* lines that made room for newer ones */
	uint64_t end;     /* bytes that were ever added; those in `text` are the last of them */
};

void journal_finish(struct journal *journal);
/* Where memory is short the line is left out. What is not printable is shown as `?`. */
void journal_add(struct journal *journal, const char *format, va_list arguments);
void journal_print(const struct journal *journal, FILE *to);
/*
 * Up to `size` bytes of the text from the one at `at` on, of those ever added. The count, 0 at the
 * end, or -ESTALE where it is no longer there.
 */
ssize_t journal_read(const struct journal *journal, char *to, size_t size, uint64_t at);

#endif
