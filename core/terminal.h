/* SPDX-License-Identifier: MIT */
/* A terminal's size, as text. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stddef.h>
#include <stdint.h>

/* "ROWS COLS". 0, -EINVAL or -ERANGE. */
int terminal_parse_size(const char *text, size_t size, uint16_t *rows, uint16_t *cols);

#endif
