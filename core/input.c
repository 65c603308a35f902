/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* In one go through the pipe. */
enum { STAGE_MAX = 65536 };

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
	keep_block_free(input->keep, input->data, input->room);
	free(input->ends);
	*input = (struct input){ .keep = input->keep,
				 .keep_id = input->keep_id,
				 .steps = input->steps + 1,
				 .kept = input->kept,
				 .owner = input->owner };
}

static int grow(struct input *input, size_t size)
{
	size_t room = input->room ? input->room : 4096;
	while (room < size && room < INPUT_MAX)
		room *= 2;
	if (room == input->room)
		return 0;
	char *data = keep_block(input->keep, room);
	if (!data)
		return -ENOMEM;
	size_t first =
		input->room - input->head < input->size ? input->room - input->head : input->size;
	if (first)
		memcpy(data, input->data + input->head, first);
	if (input->size > first)
		memcpy(data + first, input->data, input->size - first);
	keep_block_free(input->keep, input->data, input->room);
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

/*
 * As write(2). Where another may go on in this one's place, the bytes go by way of a pipe, which
 * says even then how many of them the terminal has got; see settle().
 */
static ssize_t pass(const struct input *input, int master, const char *data, size_t size, bool end)
{
	volatile struct keep_stage *stage = keep_stage_in(input->keep);
	if (!stage)
		return write(master, data, size);
	/* Where it is found on its way, what it is of must be known. */
	if (input->kept)
		input->kept(input->owner);
	stage->id = input->keep_id;
	stage->part = end;
	stage->before = input->steps;
	stage->state = KEEP_FILLING;
	size = size < STAGE_MAX ? size : STAGE_MAX;
	ssize_t filled = write(stage->pipe[1], data, size);
	if (filled <= 0)
		return filled;
	stage->size = (uint64_t)filled;
	stage->state = KEEP_EMPTYING;
	return splice(stage->pipe[0], NULL, master, NULL, (size_t)filled, SPLICE_F_NONBLOCK);
}

static void empty(int pipe)
{
	char rest[4096];
	while (read(pipe, rest, sizeof(rest)) > 0)
		;
}

/* What was passed is counted: commits that, and only then forgets about what was on its way. */
static void settle(struct input *input, ssize_t passed)
{
	volatile struct keep_stage *stage = keep_stage_in(input->keep);
	int error = errno;
	if (!stage)
		return;
	input->steps++;
	if (input->kept)
		input->kept(input->owner);
	if (passed < 0 || (uint64_t)passed != stage->size)
		empty(stage->pipe[0]);
	stage->state = KEEP_NOTHING;
	errno = error;
}

static void took(struct input *input, const struct termios *modes, size_t count)
{
	line_follow(&input->taken, modes, input->data + input->head, count);
	input->head = (input->head + count) % input->room;
	input->size -= count;
	input->passed += count;
}

static int pass_piece(struct input *input, int master, size_t piece, const struct termios *modes)
{
	ssize_t count = pass(input, master, input->data + input->head, piece, false);
	if (count > 0)
		took(input, modes, (size_t)count);
	settle(input, count);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	return 0;
}

static void took_end(struct input *input)
{
	if (--input->end_left)
		return;
	input->taken = (struct line){ 0 };
	input->end_count--;
	memmove(input->ends, input->ends + 1, input->end_count * sizeof(*input->ends));
}

static int pass_end(struct input *input, int master, const struct termios *modes)
{
	char byte = (char)modes->c_cc[VEOF];
	if (modes->c_cc[VEOF] == _POSIX_VDISABLE)
		byte = 4;
	if (input->end_left == 0)
		input->end_left = (modes->c_lflag & ICANON) && input->taken.length ? 2 : 1;
	ssize_t count = pass(input, master, &byte, 1, true);
	if (count == 1)
		took_end(input);
	settle(input, count);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	return 0;
}

void input_resume(struct input *input, int master, bool terminal)
{
	volatile struct keep_stage *stage = keep_stage_in(input->keep);
	struct termios modes = { 0 };
	int left = 0;
	if (!stage || stage->state == KEEP_NOTHING || stage->id != input->keep_id)
		return;
	if (terminal && master >= 0)
		(void)tcgetattr(master, &modes);
	if (stage->state == KEEP_EMPTYING && stage->before == input->steps &&
	    ioctl(stage->pipe[0], FIONREAD, &left) == 0 && (uint64_t)left < stage->size) {
		size_t count = (size_t)(stage->size - (uint64_t)left);
		if (!stage->part && count <= input->size)
			took(input, &modes, count);
		else if (stage->part && input->end_count)
			took_end(input);
	}
	settle(input, -1);
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
		keep_block_free(input->keep, input->data, input->room);
		input->data = NULL;
		input->room = input->head = 0;
	}
	return 0;
}
