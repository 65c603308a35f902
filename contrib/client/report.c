/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "visible.h"

#include <stdarg.h>
#include <stdio.h>

int report(int status, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	visible_line(line);
	(void)fprintf(stderr, "mimobox: %s\n", line);
	return status;
}
