/* SPDX-License-Identifier: MIT */
/* The master side of a session's terminal: pty(7), ioctl_tty(2). */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads what the terminal has, until `size` or until it has nothing more now; non-blocking. Sets
 * *ended where no process has the slave open any more and all was read.
 */
size_t terminal_drain(int master, char *data, size_t size, bool *ended);

/* Its foreground process group gets SIGWINCH. 0 or -errno. */
int terminal_resize(int master, uint16_t rows, uint16_t cols);

/* "ROWS COLS". 0, -EINVAL or -ERANGE. */
int terminal_parse_size(const char *text, size_t size, uint16_t *rows, uint16_t *cols);

#endif
