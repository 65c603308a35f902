/* SPDX-License-Identifier: MIT */
/* A session's log: one line, with its time, for each thing that happened. Bounded. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct journal {
	char *text;
	size_t size, room;
	unsigned long dropped; /* lines that made room for newer ones */
};

void journal_finish(struct journal *journal);
/* Where memory is short the line is left out. What is not printable is shown as `?`. */
void journal_add(struct journal *journal, const char *format, va_list arguments);
void journal_print(const struct journal *journal, FILE *to);

#endif
