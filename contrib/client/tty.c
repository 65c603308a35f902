/* SPDX-License-Identifier: MIT */
#include "tty.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int tty_init(struct tty *tty, int fd)
{
	*tty = (struct tty){ .fd = fd };
	return tcgetattr(fd, &tty->modes) < 0 ? -errno : 0;
}

int tty_raw(struct tty *tty)
{
	struct termios raw = tty->modes;
	cfmakeraw(&raw);
	if (tcsetattr(tty->fd, TCSADRAIN, &raw) < 0)
		return -errno;
	tty->raw = true;
	return 0;
}

void tty_restore(struct tty *tty)
{
	if (tty->raw)
		tcsetattr(tty->fd, TCSADRAIN, &tty->modes);
	tty->raw = false;
}

void tty_rescue(const struct tty *tty)
{
	struct termios now;
	/* A shell that has taken over keeps its own: it has signals on even while it edits. */
	if (tcgetattr(tty->fd, &now) == 0 && !(now.c_lflag & (ICANON | ECHO | ISIG)))
		tcsetattr(tty->fd, TCSANOW, &tty->modes);
}

bool tty_size(char text[static 32])
{
	struct winsize size;
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
			continue;
		snprintf(text, 32, "%u %u\n", size.ws_row, size.ws_col);
		return true;
	}
	return false;
}

bool tty_may_read(int fd)
{
	pid_t foreground = tcgetpgrp(fd);
	return foreground < 0 || foreground == getpgrp();
}
