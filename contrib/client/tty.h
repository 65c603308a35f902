/* SPDX-License-Identifier: MIT */
/* The user's terminal. */
#ifndef TTY_H
#define TTY_H

#include <stdbool.h>
#include <termios.h>

struct tty {
	int fd;
	bool raw;
	struct termios modes; /* as they were */
};

/* 0 or -errno. */
int tty_init(struct tty *tty, int fd);
int tty_raw(struct tty *tty);
void tty_restore(struct tty *tty);
/* In the place of one that could not: only where the terminal is raw still. */
void tty_rescue(const struct tty *tty);

/* `ROWS COLS` of whichever standard descriptor is a terminal that knows; false: none. */
bool tty_size(char text[static 32]);
/* Whether reading it would not stop this process, as one in the background. */
bool tty_may_read(int fd);

#endif
