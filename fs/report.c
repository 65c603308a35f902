/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong before the mount is up is told in one line on standard error. It is written in
 * one piece, so that it stays one line next to whatever else writes there.
 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void report(const char *format, ...)
{
	char line[1024] = "mimoboxfs: ";
	size_t size = strlen(line);
	va_list arguments;
	va_start(arguments, format);
	int more = vsnprintf(line + size, sizeof(line) - size - 1, format, arguments);
	va_end(arguments);
	if (more > 0)
		size += (size_t)more < sizeof(line) - size - 1 ? (size_t)more
							       : sizeof(line) - size - 2;
	line[size++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, size);
	(void)written; /* there is nobody to tell */
}
