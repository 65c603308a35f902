/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong before the mount is up is told in one line on standard error. It is written in
 * one piece, so that it stays one line next to whatever else writes there. The journal is told
 * the level as well, in front of the line, as sd-daemon(3) has it.
 */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* $JOURNAL_STREAM is inherited also by who has standard error elsewhere by now. */
static bool to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat there;
	return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &there) == 0 && there.st_dev == device && there.st_ino == inode;
}

__attribute__((format(printf, 2, 0))) static void report_at(const char *level, const char *format,
							    va_list arguments)
{
	char line[1024];
	size_t size =
		(size_t)snprintf(line, sizeof(line), "%smimoboxfs: ", to_journal() ? level : "");
	int more = vsnprintf(line + size, sizeof(line) - size - 1, format, arguments);
	if (more > 0)
		size += (size_t)more < sizeof(line) - size - 1 ? (size_t)more
							       : sizeof(line) - size - 2;
	line[size++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, size);
	(void)written; /* there is nobody to tell */
}

void report(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	report_at("<3>", format, arguments); /* LOG_ERR */
	va_end(arguments);
}

void report_warning(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	report_at("<4>", format, arguments); /* LOG_WARNING */
	va_end(arguments);
}

int status_of(int error)
{
	return error == -EOPNOTSUPP ? STATUS_LACKS
	       : error == -EINVAL   ? STATUS_OPTION
				    : STATUS_AGAIN;
}
