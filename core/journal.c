/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A client that only ever writes nonsense must not fill the daemon's memory with reasons. */
enum { JOURNAL_MAX = 65536, LINE_MAX_SIZE = 512 };

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
	int size = snprintf(line, sizeof(line), "# %" PRIu64 " older lines were dropped\n",
			    journal->dropped);
	cut -= (size_t)size;
	memcpy(journal->text + cut, line, (size_t)size);
	memmove(journal->text, journal->text + cut, journal->size - cut);
	journal->size -= cut;
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
	journal->end += size + 1;
}

void journal_print(const struct journal *journal, FILE *to)
{
	if (journal->size)
		fwrite(journal->text, 1, journal->size, to);
}

ssize_t journal_read(const struct journal *journal, char *to, size_t size, uint64_t at)
{
	uint64_t start = journal->end - journal->size;
	if (at < start)
		return -ESTALE;
	if (at >= journal->end)
		return 0;
	size_t left = (size_t)(journal->end - at);
	if (size > left)
		size = left;
	memcpy(to, journal->text + (at - start), size);
	return (ssize_t)size;
}
