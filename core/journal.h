/* SPDX-License-Identifier: MIT */
/* A session's log: one line, with its time, for each thing that happened. Bounded. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct keep;

struct journal {
	char *text;
	size_t size, room;
	unsigned long dropped; /* lines that made room for newer ones */
	uint64_t base;         /* bytes of those lines */
	uint64_t kept;         /* so many bytes of all were put by journal_keep() */
};

/* The records: one of these, and behind it pieces of the text by absolute offsets. */
struct kept_journal {
	uint64_t dropped, base, size;
};
struct kept_journal_piece {
	uint64_t from;
	char data[4096];
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

/* As KEEP_JOURNAL of `id`. What was put before costs nothing. */
void journal_keep(struct journal *journal, struct keep *keep, uint64_t id);
/* Of a zeroed one: 0, -ENOMEM or -EPROTO. */
int journal_restore(struct journal *journal, const struct keep *keep, uint64_t id);
void journal_keep_nothing(struct keep *keep, uint64_t id);

#endif
