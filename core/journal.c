/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include "keep.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A client that only ever writes nonsense must not fill the daemon's memory with reasons. */
enum { JOURNAL_MAX = 65536, LINE_MAX_SIZE = 512 };
/* A piece takes the record of the piece that is so many before it, of which nothing is left. */
enum { PIECE = sizeof(((struct kept_journal_piece *)0)->data), PIECES = JOURNAL_MAX / PIECE + 1 };

void journal_finish(struct journal *journal)
{
	free(journal->text);
	*journal = (struct journal){ 0 };
}

/* A line that says so takes their place, and is the first of those that go the next time. */
static void drop_older_half(struct journal *journal)
{
	char line[64];
	size_t cut = journal->size / 2, lines = 0;
	while (cut < journal->size && journal->text[cut - 1] != '\n')
		cut++;
	for (size_t i = 0; i < cut; i++)
		lines += journal->text[i] == '\n';
	journal->dropped += lines - (journal->dropped != 0);
	int size =
		snprintf(line, sizeof(line), "# %lu older lines were dropped\n", journal->dropped);
	cut -= (size_t)size;
	memcpy(journal->text + cut, line, (size_t)size);
	memmove(journal->text, journal->text + cut, journal->size - cut);
	journal->size -= cut;
	journal->base += cut;
	journal->kept = journal->base; /* that line is not what was put there */
}

static int reserve(struct journal *journal, size_t size)
{
	if (journal->size + size > JOURNAL_MAX)
		drop_older_half(journal);
	size_t room = journal->room ? journal->room : 512;
	while (room < journal->size + size)
		room *= 2;
	char *text = room == journal->room ? journal->text : realloc(journal->text, room);
	if (!text)
		return -1;
	journal->text = text;
	journal->room = room;
	return 0;
}

void journal_add(struct journal *journal, const char *format, va_list arguments)
{
	char line[LINE_MAX_SIZE];
	struct timespec now;
	FILE *to = fmemopen(line, sizeof(line) - 1, "w");
	if (!to)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	units_print_time(to, &now);
	fputc(' ', to);
	vfprintf(to, format, arguments);
	fputc('\0', to);
	fclose(to);
	line[sizeof(line) - 1] = '\0';
	size_t size = strlen(line);
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	if (reserve(journal, size + 1) < 0)
		return;
	memcpy(journal->text + journal->size, line, size);
	journal->text[journal->size + size] = '\n';
	journal->size += size + 1;
}

void journal_print(const struct journal *journal, FILE *to)
{
	if (journal->size)
		fwrite(journal->text, 1, journal->size, to);
}

ssize_t journal_read(const struct journal *journal, char *to, size_t size, uint64_t at)
{
	if (at < journal->base)
		return -ESTALE;
	if (at >= journal->base + journal->size)
		return 0;
	size_t left = (size_t)(journal->base + journal->size - at);
	if (size > left)
		size = left;
	memcpy(to, journal->text + (at - journal->base), size);
	return (ssize_t)size;
}

/* Keeping it */

static uint32_t part_of(uint64_t number)
{
	return 1 + (uint32_t)(number % PIECES);
}

static void put_piece(const struct journal *journal, struct keep *keep, uint64_t id,
		      uint64_t number)
{
	struct kept_journal_piece piece;
	uint64_t end = journal->base + journal->size, to = (number + 1) * PIECE;
	piece.from = number * PIECE > journal->base ? number * PIECE : journal->base;
	to = to < end ? to : end;
	memcpy(piece.data, journal->text + (piece.from - journal->base), to - piece.from);
	keep_put(keep, KEEP_JOURNAL, id, part_of(number), &piece,
		 offsetof(struct kept_journal_piece, data) + (to - piece.from));
}

void journal_keep(struct journal *journal, struct keep *keep, uint64_t id)
{
	const struct kept_journal kept = { journal->dropped, journal->base, journal->size };
	uint64_t end = journal->base + journal->size;
	uint64_t from = journal->kept > journal->base ? journal->kept : journal->base;
	if (!keep)
		return;
	for (uint64_t number = from / PIECE; from < end && number <= (end - 1) / PIECE; number++)
		put_piece(journal, keep, id, number);
	journal->kept = end;
	keep_put(keep, KEEP_JOURNAL, id, 0, &kept, sizeof(kept));
}

static void restore_piece(struct journal *journal, const struct keep *keep, uint64_t id,
			  uint64_t number)
{
	size_t size, head = offsetof(struct kept_journal_piece, data);
	uint64_t end = journal->base + journal->size;
	const struct kept_journal_piece *piece =
		keep_get(keep, KEEP_JOURNAL, id, part_of(number), &size);
	if (!piece || size < head || piece->from / PIECE != number || piece->from > end)
		return;
	uint64_t from = piece->from > journal->base ? piece->from : journal->base;
	uint64_t to = piece->from + (size - head) < end ? piece->from + (size - head) : end;
	if (from < to)
		memcpy(journal->text + (from - journal->base), piece->data + (from - piece->from),
		       to - from);
}

int journal_restore(struct journal *journal, const struct keep *keep, uint64_t id)
{
	size_t size;
	const struct kept_journal *kept = keep_get(keep, KEEP_JOURNAL, id, 0, &size);
	if (!kept)
		return 0;
	if (size != sizeof(*kept) || kept->size > JOURNAL_MAX)
		return -EPROTO;
	journal->dropped = kept->dropped;
	journal->base = kept->base;
	journal->kept = kept->base + kept->size;
	journal->text = calloc(1, kept->size + 1);
	if (!journal->text)
		return -ENOMEM;
	journal->size = journal->room = kept->size;
	for (uint64_t number = journal->base / PIECE; number * PIECE < journal->kept; number++)
		restore_piece(journal, keep, id, number);
	return 0;
}

void journal_keep_nothing(struct keep *keep, uint64_t id)
{
	for (uint32_t part = 0; part <= PIECES; part++)
		keep_drop(keep, KEEP_JOURNAL, id, part);
}
