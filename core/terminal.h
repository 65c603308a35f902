/* SPDX-License-Identifier: MIT */
/* The master side of a session's terminal: pty(7), ioctl_tty(2). */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum terminal_state {
	TERMINAL_MORE,  /* there may be */
	TERMINAL_EMPTY, /* there is nothing more now */
	TERMINAL_ENDED, /* no process has the slave open any more, and all was read */
};

/*
 * Reads, without blocking, what the terminal has: until it has nothing more now (`all`) or once,
 * and `size` at most.
 *
 * Less than `size` from the one read means that there was nothing more. To ask an empty terminal
 * for more, by read(2) or by poll(2), is not as free as it looks: the kernel first waits for the
 * work that moves bytes from the slave to the master (tty_buffer_flush_work()), which goes on for
 * as long as somebody prints.
 */
size_t terminal_read(int master, char *data, size_t size, bool all, enum terminal_state *state);

/* The same to a pipe, by splice(2); `size` may be more than it holds. */
size_t terminal_stage(int master, int pipe, size_t size, bool all, enum terminal_state *state);

/* Its foreground process group gets SIGWINCH. 0 or -errno. */
int terminal_resize(int master, uint16_t rows, uint16_t cols);

/* "ROWS COLS". 0, -EINVAL or -ERANGE. */
int terminal_parse_size(const char *text, size_t size, uint16_t *rows, uint16_t *cols);

#endif
