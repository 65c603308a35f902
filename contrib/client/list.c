/* SPDX-License-Identifier: MIT */
/*
 * mimobox ls: a table of the sessions. Of those that one may not open there is but the name. What
 * a session's config says was written by its owner: nothing of it acts on a terminal.
 */
#include "commands.h"
#include "json.h"
#include "labels.h"
#include "report.h"
#include "session.h"
#include "visible.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

enum { COLUMNS = 7, LABELS = 5, COMMAND = 6, CELL_MAX = 512 };

struct row {
	char cells[COLUMNS][CELL_MAX];
};

struct table {
	struct row *rows;
	size_t count;
};

/* Cells */

static void put(struct row *row, int column, const char *text)
{
	snprintf(row->cells[column], CELL_MAX, "%s", text);
}

static void put_age(struct row *row, const char *created)
{
	struct tm then = { 0 };
	if (!strptime(created, "%Y-%m-%dT%H:%M:%S", &then))
		return;
	long age = (long)(time(NULL) - timegm(&then));
	char *cell = row->cells[2];
	if (age < 60)
		snprintf(cell, CELL_MAX, "%lds", age < 0 ? 0 : age);
	else if (age < 3600)
		snprintf(cell, CELL_MAX, "%ldm%02lds", age / 60, age % 60);
	else if (age < 86400)
		snprintf(cell, CELL_MAX, "%ldh%02ldm", age / 3600, age % 3600 / 60);
	else
		snprintf(cell, CELL_MAX, "%ldd%02ldh", age / 86400, age % 86400 / 3600);
}

static void put_cpu(struct row *row, const char *seconds)
{
	snprintf(row->cells[3], CELL_MAX, "%.2fs", strtod(seconds, NULL));
}

static void put_memory(struct row *row, const char *bytes)
{
	static const char units[] = "BKMGT";
	double value = strtod(bytes, NULL);
	int unit = 0;
	for (; value >= 1024 && unit < 4; unit++)
		value /= 1024;
	snprintf(row->cells[4], CELL_MAX, unit && value < 10 ? "%.1f%c" : "%.0f%c", value,
		 units[unit]);
}

/* The strings of a JSON array, with blanks between; escapes but the plain ones stay as they are. */
static void put_argv(struct row *row, const char *json)
{
	char *to = row->cells[COMMAND], *end = to + CELL_MAX - 1;
	bool inside = false;
	for (; *json && to < end; json++) {
		bool escaped = *json == '\\' && json[1] && strchr("\"\\/", json[1]);
		if (*json == '"')
			inside = !inside;
		else if (inside)
			*to++ = escaped ? *++json : *json;
		else if (*json == ',')
			*to++ = ' ';
	}
	*to = '\0';
}

static void put_config(struct row *row, const char *config)
{
	char *command = session_value(config, "command"), *argv = session_value(config, "argv");
	if (command)
		put(row, COMMAND, command);
	else if (argv)
		put_argv(row, argv);
	visible_line(row->cells[COMMAND]);
	free(command);
	free(argv);
}

/* NAME=VALUE,...: those that find no room are left out. */
static int put_label(void *data, const char *name, const char *value, size_t size)
{
	(void)size;
	char *cell = ((struct row *)data)->cells[LABELS], text[CELL_MAX];
	bool first = strcmp(cell, "-") == 0;
	size_t used = first ? 0 : strlen(cell);
	snprintf(text, sizeof(text), "%s%s%s%s", first ? "" : ",", name, *value ? "=" : "", value);
	visible_line(text);
	if (used + strlen(text) < CELL_MAX)
		memcpy(cell + used, text, strlen(text) + 1);
	return 0;
}

static void put_status(struct row *row, const char *status)
{
	static const struct {
		const char *key;
		void (*put)(struct row *row, const char *value);
	} facts[] = {
		{ "created", put_age },
		{ "cpu", put_cpu },
		{ "memory", put_memory },
	};
	char *state = session_value(status, "state"), *code = session_value(status, "exit");
	if (state)
		snprintf(row->cells[1], CELL_MAX, "%s%s%s", state, code ? " " : "",
			 code ? code : "");
	free(state);
	free(code);
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		char *value = session_value(status, facts[i].key);
		if (value)
			facts[i].put(row, value);
		free(value);
	}
}

/* Rows */

static int add_row(struct table *table, const struct place *place, const char *name)
{
	struct row *rows = realloc(table->rows, (table->count + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	table->rows = rows;
	struct row *row = &rows[table->count++];
	for (int i = 0; i < COLUMNS; i++)
		put(row, i, i == 0 ? name : "-");
	struct session session;
	if (!place || session_at(&session, place, name) < 0)
		return 0;
	char *status = session_read(&session, "status"), *config = session_read(&session, "config");
	if (status)
		put_status(row, status);
	if (status)
		(void)labels_each(&session, put_label, row);
	if (config)
		put_config(row, config);
	free(status);
	free(config);
	return 0;
}

static int by_name(const void *one, const void *other)
{
	return strcmp(((const struct row *)one)->cells[0], ((const struct row *)other)->cells[0]);
}

static int fill(struct table *table, const struct place *place, bool names_only)
{
	DIR *directory = opendir(place->path);
	if (!directory)
		return -errno;
	struct dirent *entry;
	int error = 0;
	while (error == 0 && (entry = readdir(directory)))
		if (entry->d_type == DT_DIR && session_is_name(entry->d_name))
			error = add_row(table, names_only ? NULL : place, entry->d_name);
	closedir(directory);
	if (table->count > 0)
		qsort(table->rows, table->count, sizeof(*table->rows), by_name);
	return error;
}

/* Output */

/* What takes a place on the screen, of up to `width` columns; all else is a question mark. */
static void print_command(const char *text, int width)
{
	mbstate_t state = { 0 };
	while (*text) {
		wchar_t wide;
		size_t size = mbrtowc(&wide, text, strlen(text), &state);
		int columns = size <= strlen(text) && iswprint((wint_t)wide) ? wcwidth(wide) : -1;
		if (columns < 0) {
			state = (mbstate_t){ 0 };
			columns = 1;
		}
		width -= columns;
		if (width < 0)
			return;
		if (size <= strlen(text) && iswprint((wint_t)wide)) {
			(void)fwrite(text, 1, size, stdout);
			text += size;
		} else {
			putchar('?');
			text++;
		}
	}
}

static int screen_width(void)
{
	struct winsize size;
	bool known = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
	return known && size.ws_col > 0 ? size.ws_col : INT_MAX;
}

static const char *colour(const struct row *row, int column)
{
	if (!isatty(STDOUT_FILENO) || column != 1)
		return "";
	const char *state = row->cells[1];
	return strcmp(state, "running") == 0    ? "\033[32m"
	       : strcmp(state, "exited 0") == 0 ? "\033[2m"
	       : strncmp(state, "exited", 6)    ? ""
						: "\033[31m";
}

/* A column of no width is left out. */
static void print_row(const struct row *row, const int widths[COLUMNS])
{
	int left = screen_width();
	for (int i = 0; i < COMMAND; i++) {
		if (widths[i] == 0)
			continue;
		const char *begin = colour(row, i);
		printf("%s%-*s%s  ", begin, widths[i], row->cells[i], *begin ? "\033[0m" : "");
		left -= left == INT_MAX ? 0 : widths[i] + 2;
	}
	print_command(row->cells[COMMAND], left);
	putchar('\n');
}

static void print_table(const struct table *table)
{
	static const struct row head = {
		{ "NAME", "STATE", "AGE", "CPU", "MEMORY", "LABELS", "COMMAND" },
	};
	int widths[COLUMNS];
	bool labelled = false;
	for (size_t i = 0; i < table->count; i++)
		labelled |= strcmp(table->rows[i].cells[LABELS], "-") != 0;
	for (int i = 0; i < COLUMNS; i++) {
		widths[i] = (int)strlen(head.cells[i]);
		for (size_t j = 0; j < table->count; j++)
			if ((int)strlen(table->rows[j].cells[i]) > widths[i])
				widths[i] = (int)strlen(table->rows[j].cells[i]);
	}
	if (!labelled)
		widths[LABELS] = 0;
	print_row(&head, widths);
	for (size_t i = 0; i < table->count; i++)
		print_row(&table->rows[i], widths);
}

static int print_json(const struct table *table, const struct place *place)
{
	json_t *all = json_array();
	for (size_t i = 0; i < table->count; i++)
		json_array_append_new(all, json_session(place, table->rows[i].cells[0]));
	return json_print(all);
}

static int print(const struct table *table, const struct place *place, bool quiet, bool json)
{
	if (json)
		return print_json(table, place);
	if (!quiet)
		print_table(table);
	for (size_t i = 0; quiet && i < table->count; i++)
		puts(table->rows[i].cells[0]);
	return 0;
}

int command_list(int argc, char **argv)
{
	static const struct option longs[] = { { "mount", required_argument, NULL, 'm' },
					       { "json", no_argument, NULL, 'j' },
					       { 0 } };
	const char *mount = NULL;
	bool quiet = false, json = false;
	int option;
	struct place place;
	struct table table = { 0 };
	while ((option = getopt_long(argc, argv, "q", longs, NULL)) != -1) {
		if (option != 'm' && option != 'q' && option != 'j')
			return STATUS_USAGE;
		if (option == 'm')
			mount = optarg;
		quiet |= option == 'q';
		json |= option == 'j';
	}
	if (optind < argc)
		return report(STATUS_USAGE, "ls takes no names; see mimobox --help");
	int status = place_open(&place, mount);
	if (status)
		return status;
	int error = fill(&table, &place, quiet || json);
	if (error < 0)
		status = report(STATUS_CLIENT, "%s: %s", place.path, strerror(-error));
	else
		status = print(&table, &place, quiet, json);
	free(table.rows);
	return status;
}
