/* SPDX-License-Identifier: MIT */
/*
 * The user's terminal: its line discipline and its emulator. A session's program has both to itself
 * for a time. However that ends, one list of controls (tty.c) brings the emulator back.
 */
#ifndef TTY_H
#define TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct tty {
	int fd, out; /* where it is read, and where it is drawn on */
	bool raw;
	bool alternate;       /* its alternate screen is used */
	bool altered;         /* something was printed that may have changed the emulator */
	struct termios modes; /* as they were */
};

/* Of standard input and output: 0 or -errno. */
int tty_init(struct tty *tty, bool alternate);
int tty_raw(struct tty *tty);
/* The alternate screen, empty. */
void tty_enter(void);
/* These bytes are printed on it. */
void tty_note(struct tty *tty, const char *data, size_t size);
/* All as it was. Where it is not raw, it has been done. */
void tty_restore(struct tty *tty);
/* In the place of a process that was killed while it was raw. */
void tty_rescue(struct tty *tty);

/* `ROWS COLS` of whichever standard descriptor is a terminal that knows; false: none. */
bool tty_size(char text[static 32]);
/* Whether reading it would not stop this process, as one in the background. */
bool tty_may_read(int fd);

#endif
