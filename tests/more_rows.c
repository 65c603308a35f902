/* SPDX-License-Identifier: MIT */
/*
 * The program as it would be with one file more, in the middle of the table: a keeper is replaced
 * by it. What the program has for the table is called listed_files here, see meson.build.
 */
#include <files.h>
#include <string.h>

#undef session_files

enum { ROWS_MAX = 64, BEFORE = 1, ID = FILE_ID_MAX };

struct file session_files[ROWS_MAX];

static int show_more(const struct handle *handle, FILE *to)
{
	(void)handle;
	(void)fputs("more\n", to);
	return 0;
}

__attribute__((constructor)) static void fill(void)
{
	const struct file more = { ID, "more", 0400, .show = show_more };
	struct file *row = session_files;

	for (const struct file *from = listed_files; from->name; from++) {
		if (from == listed_files + BEFORE)
			memcpy(row++, &more, sizeof(more));
		memcpy(row++, from, sizeof(*from));
	}
}
