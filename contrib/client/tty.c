/* SPDX-License-Identifier: MIT */
#include "tty.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define ESC "\033"
#define CSI ESC "["
#define OSC ESC "]"
#define ST ESC "\\"

/* The title is pushed, and the cursor saved. */
#define ENTER CSI "22;0t" CSI "?1049h" CSI "H" CSI "2J"

/*
 * What a program can change, brought back to what terminals begin with. A terminal that does not
 * know one of these ignores it. None moves the cursor, but in the alternate screen, whose end
 * brings it back. What is the default of each terminal's own (such as mode 1007) cannot be known.
 */
/* The versions of clang-format differ in these. */
/* clang-format off */
#define FIRST \
	"\030" ST                        /* half a sequence, or a string */ \
	ESC "<"                          /* VT52 */ \
	CSI "?2026l" CSI "4i" CSI "?4i"  /* drawn at once, and not by a printer */ \
	CSI "?9;1000;1001;1002;1003;1004;1005;1006;1015;1016l" /* mouse, focus */ \
	CSI "?2004;2031;2048;9001l"      /* paste, other reports */ \
	CSI "<99u" CSI "=0u" CSI ">4m"   /* how keys are told */
#define ALTERNATE \
	CSI "?6l" CSI "?69l" CSI "r"     /* margins */ \
	CSI "?1049l" CSI "<99u" CSI "23;0t"
#define MAIN CSI "?1047l" CSI "<99u"
#define LAST \
	CSI "!p"                         /* DECSTR: margins, origin, protection */ \
	CSI "0m" OSC "8;;" ST            /* attributes, a link */ \
	"\017" ESC "(B" ESC ")B" CSI "?42l" /* character sets */ \
	CSI "2l" CSI "4l" CSI "12h" CSI "20l" /* lock, insert, local echo, new line */ \
	CSI "?1l" ESC ">" CSI "?66l"     /* cursor keys and keypad */ \
	CSI "?5l" CSI "?7h" CSI "?8h" CSI "?45l" /* reverse, wrap, repeat */ \
	CSI "?5W"                        /* tab stops */ \
	CSI "?12l" CSI "?25h" CSI "0 q"  /* cursor */ \
	OSC "104" ST OSC "110" ST OSC "111" ST OSC "112" ST OSC "113" ST OSC "114" ST /* colours */ \
	OSC "117" ST OSC "119" ST        /* selection */ \
	OSC "R" ST                       /* the palette of Linux's console */
/* clang-format on */
/* Linux's console would show their ends as text. */
#define NOT_LINUX ESC " F" ESC "*B" ESC "+B" /* answers in 7 bits; G2 and G3 */
#define UTF_8 ESC "%G"

/* For a terminal that is stopped, or that is not read at its other end. */
enum { PATIENCE_MS = 1000 };

int tty_init(struct tty *tty, bool alternate)
{
	*tty = (struct tty){ .fd = STDIN_FILENO, .out = STDOUT_FILENO, .alternate = alternate };
	tty->altered = alternate;
	return tcgetattr(tty->fd, &tty->modes) < 0 ? -errno : 0;
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

void tty_enter(void)
{
	(void)fputs(ENTER, stdout);
	(void)fflush(stdout);
}

/* Nothing is changed without ESC, SO, or a C1 control, which begins with 0xc2 in UTF-8. */
void tty_note(struct tty *tty, const char *data, size_t size)
{
	static const char acting[] = { '\033', '\016', '\xc2' };
	for (size_t i = 0; i < sizeof(acting) && !tty->altered; i++)
		tty->altered = memchr(data, acting[i], size) != NULL;
}

static long now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* By a description of its own, so that it may be one that does not block. */
static void print(int fd, const char *text)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int to = own < 0 ? fd : own;
	size_t left = strlen(text);
	long until = now_ms() + PATIENCE_MS, wait;
	while (left > 0 && (wait = until - now_ms()) > 0) {
		struct pollfd room = { .fd = to, .events = POLLOUT };
		ssize_t count = poll(&room, 1, (int)wait) > 0 ? write(to, text, left) : 0;
		if (count < 0 && errno != EAGAIN && errno != EINTR)
			break;
		text += count > 0 ? count : 0;
		left -= count > 0 ? (size_t)count : 0;
	}
	if (own >= 0)
		close(own);
}

static void restore_emulator(const struct tty *tty)
{
	char text[1024];
	const char *type = getenv("TERM");
	bool linux_console = type && strncmp(type, "linux", 5) == 0;
	bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	snprintf(text, sizeof(text), FIRST "%s" LAST "%s%s", tty->alternate ? ALTERNATE : MAIN,
		 linux_console ? "" : NOT_LINUX, utf8 ? UTF_8 : "");
	(void)fflush(stdout);
	print(tty->out, text);
}

/* One that says that it is no terminal to speak of would show it all as text. */
static bool takes_controls(const struct tty *tty)
{
	const char *type = getenv("TERM");
	if (!isatty(tty->out))
		return false;
	return tty->alternate || (type && *type && strcmp(type, "dumb") != 0);
}

void tty_restore(struct tty *tty)
{
	if (!tty->raw)
		return;
	if (tty->altered && takes_controls(tty))
		restore_emulator(tty);
	tcsetattr(tty->fd, TCSADRAIN, &tty->modes);
	tty->raw = false;
}

void tty_rescue(struct tty *tty)
{
	struct termios now;
	if (takes_controls(tty))
		restore_emulator(tty);
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
