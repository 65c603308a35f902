/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* A read gives no more: one page does. */
enum { PIECE = 4096 };

static enum terminal_state state_after(ssize_t count)
{
	return count == 0 || (errno != EAGAIN && errno != ENOMEM) ? TERMINAL_ENDED : TERMINAL_EMPTY;
}

size_t terminal_read(int master, char *data, size_t size, bool all, enum terminal_state *state)
{
	size_t done = 0;
	/* A read gives 4,095 bytes at most, whatever there is. */
	while (done < size) {
		ssize_t count = read(master, data + done, size - done);
		if (count < 0 && errno == EINTR)
			continue;
		if (count > 0)
			done += (size_t)count;
		if (count <= 0 || (!all && done < size)) {
			*state = count <= 0 ? state_after(count) : TERMINAL_EMPTY;
			return done;
		}
	}
	*state = TERMINAL_MORE;
	return done;
}

size_t terminal_stage(int master, int pipe, size_t size, bool all, enum terminal_state *state)
{
	size_t done = 0;
	for (unsigned pieces = 0; done < size; pieces++) {
		size_t piece = size - done < PIECE ? size - done : PIECE;
		ssize_t count;
		while ((count = splice(master, NULL, pipe, NULL, piece, SPLICE_F_NONBLOCK)) < 0 &&
		       errno == EINTR)
			;
		if (count > 0)
			done += (size_t)count;
		if (count <= 0 || (!all && (size_t)count < piece)) {
			*state = count <= 0 ? state_after(count) : TERMINAL_EMPTY;
			/* or it is the pipe that has no room: the least has it for two */
			if (*state == TERMINAL_EMPTY && pieces >= 2)
				*state = TERMINAL_MORE;
			return done;
		}
	}
	*state = TERMINAL_MORE;
	return done;
}

int terminal_resize(int master, uint16_t rows, uint16_t cols)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };
	return ioctl(master, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

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
