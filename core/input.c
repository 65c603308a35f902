/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is(const struct termios *modes, int index, char byte)
{
	return modes->c_cc[index] != _POSIX_VDISABLE && (char)modes->c_cc[index] == byte;
}

static bool ends_line(const struct termios *modes, char byte)
{
	if (byte == '\r' && (modes->c_iflag & (ICRNL | IGNCR)))
		return (modes->c_iflag & IGNCR) == 0;
	if (byte == '\n')
		return (modes->c_iflag & INLCR) == 0;
	return is(modes, VEOF, byte) || is(modes, VEOL, byte) ||
	       (is(modes, VEOL2, byte) && (modes->c_lflag & IEXTEN));
}

static bool flushes(const struct termios *modes, char byte)
{
	if (!(modes->c_lflag & ISIG) || (modes->c_lflag & NOFLSH))
		return is(modes, VKILL, byte);
	return is(modes, VINTR, byte) || is(modes, VQUIT, byte) || is(modes, VSUSP, byte) ||
	       is(modes, VKILL, byte);
}

static void follow_byte(struct line *line, const struct termios *modes, char byte)
{
	if (line->literal) {
		line->literal = false;
		line->length++;
	} else if (is(modes, VLNEXT, byte) && (modes->c_lflag & IEXTEN)) {
		line->literal = true;
	} else if (ends_line(modes, byte) || flushes(modes, byte)) {
		line->length = 0;
	} else if (is(modes, VERASE, byte)) {
		line->length -= line->length > 0;
	} else {
		line->length++;
	}
}

size_t line_follow(struct line *line, const struct termios *modes, const char *data, size_t size)
{
	if (!(modes->c_lflag & ICANON)) {
		*line = (struct line){ 0 };
		return 0;
	}
	size_t longest = 0;
	for (size_t i = 0; i < size; i++) {
		follow_byte(line, modes, data[i]);
		longest = line->length > longest ? line->length : longest;
	}
	return longest;
}

void input_finish(struct input *input)
{
	free(input->data);
	free(input->ends);
	*input = (struct input){ 0 };
}

static int grow(struct input *input, size_t size)
{
	size_t room = input->room ? input->room : 4096;
	while (room < size && room < INPUT_MAX)
		room *= 2;
	if (room == input->room)
		return 0;
	char *data = malloc(room);
	if (!data)
		return -ENOMEM;
	size_t first =
		input->room - input->head < input->size ? input->room - input->head : input->size;
	if (first)
		memcpy(data, input->data + input->head, first);
	if (input->size > first)
		memcpy(data + first, input->data, input->size - first);
	free(input->data);
	input->data = data;
	input->room = room;
	input->head = 0;
	return 0;
}

static void enqueue(struct input *input, const char *data, size_t size)
{
	size_t tail = (input->head + input->size) % input->room;
	size_t first = input->room - tail < size ? input->room - tail : size;
	memcpy(input->data + tail, data, first);
	memcpy(input->data, data + first, size - first);
	input->size += size;
}

ssize_t input_put(struct input *input, const struct termios *modes, const void *data, size_t size)
{
	if (size == 0)
		return 0;
	size_t left = INPUT_MAX - input->size;
	size_t count = size < left ? size : left;
	if (count == 0)
		return -EAGAIN;
	struct line line = input->typed;
	if (line_follow(&line, modes, data, count) > INPUT_LINE_MAX)
		return -EMSGSIZE;
	if (grow(input, input->size + count) < 0)
		return -ENOMEM;
	enqueue(input, data, count);
	input->typed = line;
	return (ssize_t)count;
}

int input_end(struct input *input)
{
	if (input->end_count == INPUT_ENDS_MAX)
		return -EAGAIN;
	uint64_t *ends = realloc(input->ends, (input->end_count + 1) * sizeof(*ends));
	if (!ends)
		return -ENOMEM;
	input->ends = ends;
	ends[input->end_count++] = input->passed + input->size;
	input->typed = (struct line){ 0 };
	return 0;
}

/* How much may go out before the next end-of-file, in one piece of the ring. */
static size_t next_piece(const struct input *input)
{
	size_t piece = input->room - input->head;
	if (piece > input->size)
		piece = input->size;
	if (input->end_count && input->ends[0] - input->passed < piece)
		piece = (size_t)(input->ends[0] - input->passed);
	return piece;
}

static int pass_piece(struct input *input, int master, size_t piece, const struct termios *modes)
{
	ssize_t count = write(master, input->data + input->head, piece);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	line_follow(&input->taken, modes, input->data + input->head, (size_t)count);
	input->head = (input->head + (size_t)count) % input->room;
	input->size -= (size_t)count;
	input->passed += (uint64_t)count;
	return 0;
}

static int pass_end(struct input *input, int master, const struct termios *modes)
{
	char byte = (char)modes->c_cc[VEOF];
	if (modes->c_cc[VEOF] == _POSIX_VDISABLE)
		byte = 4;
	if (input->end_left == 0)
		input->end_left = (modes->c_lflag & ICANON) && input->taken.length ? 2 : 1;
	ssize_t count = write(master, &byte, 1);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	if (--input->end_left)
		return 0;
	input->taken = (struct line){ 0 };
	input->end_count--;
	memmove(input->ends, input->ends + 1, input->end_count * sizeof(*input->ends));
	return 0;
}

int input_pass_pipe(struct input *input, int fd)
{
	static const struct termios raw;
	while (input->size) {
		int error = pass_piece(input, fd, next_piece(input), &raw);
		if (error < 0)
			return error;
	}
	return 0;
}

int input_pass(struct input *input, int master)
{
	while (input_pending(input)) {
		struct termios modes;
		if (tcgetattr(master, &modes) < 0)
			return -errno;
		size_t piece = next_piece(input);
		int error = piece ? pass_piece(input, master, piece, &modes)
				  : pass_end(input, master, &modes);
		if (error < 0)
			return error;
	}
	if (input->room > 65536) { /* a paste is over: give its memory back */
		free(input->data);
		input->data = NULL;
		input->room = input->head = 0;
	}
	return 0;
}
