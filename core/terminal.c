/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include "units.h"

#include <errno.h>
#include <string.h>

int terminal_parse_size(const char *text, size_t size, uint16_t *rows, uint16_t *cols)
{
	char copy[64], *rest = copy;
	const char *words[3] = { NULL, NULL, NULL };
	uint64_t numbers[2];
	if (size >= sizeof(copy) || memchr(text, '\0', size))
		return -EINVAL;
	memcpy(copy, text, size);
	copy[size] = '\0';
	for (int i = 0; i < 3; i++)
		words[i] = strtok_r(i ? NULL : rest, " \t\r\n", &rest);
	if (!words[1] || words[2])
		return -EINVAL;
	int error = 0;
	for (int i = 0; i < 2; i++) {
		int one = units_parse_count(words[i], 1, 65535, &numbers[i]);
		error = one == -EINVAL || error == 0 ? one : error;
	}
	if (error < 0)
		return error;
	*rows = (uint16_t)numbers[0];
	*cols = (uint16_t)numbers[1];
	return 0;
}
