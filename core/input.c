/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* So much of the ring is worth giving back. */
enum { TIDY_BYTES = 65536 };

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

/* In the server */

static enum input_phase phase_of(uint64_t state)
{
	return (enum input_phase)(state & INPUT_PHASES);
}

static uint64_t number_of(uint64_t state)
{
	return state >> INPUT_NUMBER_SHIFT;
}

static uint64_t state_of(uint64_t number, enum input_phase phase)
{
	return number << INPUT_NUMBER_SHIFT | (uint64_t)phase;
}

static struct input_write *write_of(struct input_shared *shared, uint64_t state)
{
	return &shared->writes[number_of(state) % 2];
}

static uint64_t count_of(struct input_shared *shared, uint64_t state)
{
	return atomic_load(&write_of(shared, state)->count);
}

/* Where the next write begins. A write that is still asked is not counted. */
static uint64_t accepted(struct input_shared *shared, uint64_t state)
{
	uint64_t base = atomic_load(&write_of(shared, state)->base);
	return base + (phase_of(state) == INPUT_TAKEN ? count_of(shared, state) : 0);
}

static bool is_answer(const struct input *input, uint64_t state)
{
	enum input_phase phase = phase_of(state);
	return (phase == INPUT_TAKEN || phase == INPUT_REFUSED) &&
	       number_of(state) != input->collected;
}

static ssize_t collect(struct input *input, uint64_t state)
{
	input->collected = number_of(state);
	return phase_of(state) == INPUT_TAKEN ? (ssize_t)count_of(input->shared, state) : -EMSGSIZE;
}

static void enqueue(char *ring, uint64_t at, const char *data, size_t size)
{
	size_t from = at % INPUT_MAX, first = INPUT_MAX - from < size ? INPUT_MAX - from : size;
	memcpy(ring + from, data, first);
	memcpy(ring, data + first, size - first);
}

/* 0 where the counts cannot be. */
static uint64_t room_behind(struct input_shared *shared, uint64_t base)
{
	uint64_t queued = base - atomic_load(&shared->passed);
	return queued < INPUT_MAX ? INPUT_MAX - queued : 0;
}

static uint64_t find_room(struct input_shared *shared, uint64_t base)
{
	uint64_t room = room_behind(shared, base);
	if (room)
		return room;
	atomic_store(&shared->wants_room, 1);
	return room_behind(shared, base);
}

static bool lock(struct input_shared *shared, enum input_lock how)
{
	uint32_t is = INPUT_FREE;
	return atomic_compare_exchange_strong(&shared->lock, &is, (uint32_t)how);
}

static void unlock(struct input_shared *shared)
{
	atomic_store(&shared->lock, INPUT_FREE);
}

void input_resume(struct input *input)
{
	uint32_t fills = INPUT_FILLS;
	atomic_compare_exchange_strong(&input->shared->lock, &fills, INPUT_FREE);
	input->used = INPUT_MAX;
}

/* Returns the state that it has now. */
static uint64_t put_write(struct input *input, uint64_t number, const struct input_write *write,
			  const char *data)
{
	struct input_shared *shared = input->shared;
	uint64_t end = write->base + write->count;
	bool sure = write->key != INPUT_ANSWER && end <= atomic_load(&shared->sure);
	uint64_t state = state_of(number, sure ? INPUT_TAKEN : INPUT_ASKED);
	enqueue(input->data, write->base, data, write->count);
	input->used += write->count;
	*write_of(shared, state) = *write;
	atomic_store(&shared->state, state);
	input->asked = true;
	return state;
}

uint64_t input_passed(const struct input *input)
{
	return atomic_load(&input->shared->passed);
}

size_t input_room(const struct input *input)
{
	return (size_t)room_behind(input->shared, input_position(input));
}

static ssize_t ask(struct input *input, uint64_t state, uint64_t key, const char *data, size_t size)
{
	struct input_shared *shared = input->shared;
	uint64_t base = accepted(shared, state), room = find_room(shared, base);
	if (room == 0)
		return -EAGAIN;
	if (!lock(shared, INPUT_FILLS))
		return -EINPROGRESS;
	if (size > room) {
		size = (size_t)room;
		atomic_store(&shared->wants_room, 1);
	}
	state = put_write(input, number_of(state) + 1,
			  &(struct input_write){ .key = key, .base = base, .count = size }, data);
	unlock(shared);
	return phase_of(state) == INPUT_TAKEN ? collect(input, state) : -EINPROGRESS;
}

ssize_t input_ask(struct input *input, uint64_t key, const void *data, size_t size)
{
	if (size == 0)
		return 0;
	uint64_t state = atomic_load(&input->shared->state);
	if (is_answer(input, state) && input_key(input) == key)
		return collect(input, state);
	if (is_answer(input, state) || phase_of(state) == INPUT_ASKED)
		return -EINPROGRESS;
	return ask(input, state, key, data, size);
}

ssize_t input_withdraw(struct input *input, uint64_t key)
{
	struct input_shared *shared = input->shared;
	uint64_t state = atomic_load(&shared->state);
	if (write_of(shared, state)->key != key)
		return -EAGAIN;
	if (phase_of(state) == INPUT_ASKED &&
	    atomic_compare_exchange_strong(&shared->state, &state,
					   state_of(number_of(state), INPUT_IDLE)))
		return -EAGAIN;
	return is_answer(input, state) ? collect(input, state) : -EAGAIN;
}

bool input_has_end_of(const struct input *input, uint64_t key)
{
	uint64_t asked = atomic_load(&input->shared->ends_asked);
	return key && asked && input->shared->ends[(asked - 1) % INPUT_ENDS_MAX].key == key;
}

uint64_t input_key(const struct input *input)
{
	return write_of(input->shared, atomic_load(&input->shared->state))->key;
}

uint32_t input_dropped(const struct input *input)
{
	return atomic_exchange(&input->shared->dropped, 0);
}

uint64_t input_position(const struct input *input)
{
	return input->shared ? accepted(input->shared, atomic_load(&input->shared->state)) : 0;
}

void input_said(struct input *input)
{
	if (input->shared)
		atomic_fetch_add(&input->shared->said, 1);
}

int input_end(struct input *input, uint64_t key)
{
	struct input_shared *shared = input->shared;
	uint64_t asked = atomic_load(&shared->ends_asked);
	if (input_has_end_of(input, key))
		return 0; /* by a server that was killed since */
	if (asked - atomic_load(&shared->ends_passed) >= INPUT_ENDS_MAX)
		return -EAGAIN;
	shared->ends[asked % INPUT_ENDS_MAX] =
		(struct input_end){ accepted(shared, atomic_load(&shared->state)), key };
	atomic_store(&shared->ends_asked, asked + 1);
	input->asked = true;
	return 0;
}

bool input_has_end(const struct input *input)
{
	return input->shared && atomic_load(&input->shared->ends_asked) != 0;
}

bool input_has_news(const struct input *input)
{
	return phase_of(atomic_load(&input->shared->state)) != INPUT_ASKED &&
	       atomic_load(&input->shared->lock) != INPUT_TIDIES;
}

bool input_is_untidy(const struct input *input)
{
	return input->used >= TIDY_BYTES && input->shared;
}

/* In init */

/*
 * A state and where the writes accepted by then end. The server goes on meanwhile: what was read of
 * a write counts if its number is still the last.
 */
static uint64_t look(struct input_shared *shared, uint64_t *end)
{
	uint64_t state, now = atomic_load(&shared->state);
	do {
		state = now;
		*end = accepted(shared, state);
		now = atomic_load(&shared->state);
	} while (number_of(now) != number_of(state));
	return state;
}

bool input_is_new(const struct typist *typist)
{
	uint64_t end, state = look(typist->shared, &end);
	return phase_of(state) == INPUT_ASKED || end != typist->accepted ||
	       atomic_load(&typist->shared->ends_asked) != typist->ends_seen;
}

static size_t follow(struct line *line, const struct termios *modes, const char *ring, uint64_t at,
		     size_t size)
{
	size_t from = at % INPUT_MAX, first = INPUT_MAX - from < size ? INPUT_MAX - from : size;
	if (!modes)
		return 0;
	size_t longest = line_follow(line, modes, ring + from, first);
	size_t rest = line_follow(line, modes, ring, size - first);
	return longest > rest ? longest : rest;
}

/* No more than the ring has is looked at. */
static void accept(struct typist *typist, const struct termios *modes, uint64_t end)
{
	uint64_t size = end - typist->accepted;
	if (size > INPUT_MAX)
		return;
	follow(&typist->typed, modes, typist->data, typist->accepted, size);
	typist->accepted = end;
}

/* What the server has accepted up to there. End-of-file begins a line. */
static void catch_up(struct typist *typist, const struct termios *modes, uint64_t end)
{
	struct input_shared *shared = typist->shared;
	while (typist->ends_seen != atomic_load(&shared->ends_asked)) {
		uint64_t at = shared->ends[typist->ends_seen % INPUT_ENDS_MAX].at;
		if (at > end)
			break;
		if (at > typist->accepted)
			accept(typist, modes, at);
		typist->typed = (struct line){ 0 };
		typist->ends_seen++;
	}
	if (end > typist->accepted)
		accept(typist, modes, end);
}

/* Bytes make a line longer by one each, at most. */
static void tell_what_is_sure(const struct typist *typist, const struct termios *modes)
{
	size_t line = typist->typed.length;
	uint64_t more = line < INPUT_LINE_MAX ? INPUT_LINE_MAX - line : 0;
	atomic_store(&typist->shared->sure, modes ? typist->accepted + more : UINT64_MAX);
}

static bool would_be_echoed(const struct typist *typist, const struct termios *modes,
			    uint64_t state)
{
	return modes && (modes->c_lflag & ECHO) &&
	       write_of(typist->shared, state)->key == INPUT_ANSWER;
}

static bool decide(struct typist *typist, const struct termios *modes, uint64_t state)
{
	struct input_shared *shared = typist->shared;
	uint64_t base = accepted(shared, state), count = count_of(shared, state);
	if (count > INPUT_MAX)
		return false;
	struct line line = typist->typed;
	bool refused = follow(&line, modes, typist->data, base, count) > INPUT_LINE_MAX ||
		       would_be_echoed(typist, modes, state);
	enum input_phase phase = refused ? INPUT_REFUSED : INPUT_TAKEN;
	if (!atomic_compare_exchange_strong(&shared->state, &state,
					    state_of(number_of(state), phase)))
		return false;
	if (refused)
		return true;
	typist->typed = line;
	typist->accepted = base + count;
	return true;
}

/* A message may have been sent, and not counted, by a server that was killed. */
static bool has_to_hear(const struct typist *typist)
{
	return (int64_t)(atomic_load(&typist->shared->said) - typist->heard) > 0;
}

bool input_hear(struct typist *typist, uint64_t typed)
{
	typist->heard++;
	return (int64_t)(typed - typist->accepted) > 0;
}

void input_accept(struct typist *typist, const struct termios *modes, uint64_t typed)
{
	catch_up(typist, modes, typed);
	tell_what_is_sure(typist, modes);
}

bool input_answer(struct typist *typist, const struct termios *modes)
{
	uint64_t end, state = look(typist->shared, &end);
	if (has_to_hear(typist))
		return false;
	catch_up(typist, modes, end);
	bool news = phase_of(state) == INPUT_ASKED && decide(typist, modes, state);
	tell_what_is_sure(typist, modes);
	return news;
}

bool input_pending(const struct typist *typist)
{
	const struct input_shared *shared = typist->shared;
	return typist->accepted != atomic_load(&shared->passed) ||
	       typist->ends_seen != atomic_load(&shared->ends_passed);
}

/* How much may go out before the next end-of-file, in one piece of the ring. */
static size_t next_piece(const struct typist *typist)
{
	const struct input_shared *shared = typist->shared;
	uint64_t passed = atomic_load(&shared->passed), until = typist->accepted;
	uint64_t ends = atomic_load(&shared->ends_passed);
	if (ends != typist->ends_seen && shared->ends[ends % INPUT_ENDS_MAX].at < until)
		until = shared->ends[ends % INPUT_ENDS_MAX].at;
	if (until < passed) /* what was asked for at the same time was faster */
		until = passed;
	uint64_t whole = INPUT_MAX - passed % INPUT_MAX;
	return (size_t)(until - passed < whole ? until - passed : whole);
}

static int pass_piece(struct typist *typist, int master, size_t piece, const struct termios *modes)
{
	uint64_t passed = atomic_load(&typist->shared->passed);
	const char *data = typist->data + passed % INPUT_MAX;
	ssize_t count = write(master, data, piece);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	line_follow(&typist->taken, modes, data, (size_t)count);
	atomic_store(&typist->shared->passed, passed + (uint64_t)count);
	return 0;
}

static int pass_end(struct typist *typist, int master, const struct termios *modes)
{
	char byte = (char)modes->c_cc[VEOF];
	if (modes->c_cc[VEOF] == _POSIX_VDISABLE)
		byte = 4;
	if (typist->end_left == 0)
		typist->end_left = (modes->c_lflag & ICANON) && typist->taken.length ? 2 : 1;
	if (write(master, &byte, 1) != 1)
		return errno == EINTR ? 0 : -errno;
	if (--typist->end_left)
		return 0;
	typist->taken = (struct line){ 0 };
	atomic_fetch_add(&typist->shared->ends_passed, 1);
	return 0;
}

int input_pass(struct typist *typist, int master, struct termios *modes)
{
	while (input_pending(typist)) {
		size_t piece = next_piece(typist);
		int error = piece ? pass_piece(typist, master, piece, modes)
				  : pass_end(typist, master, modes);
		if (error < 0)
			return error;
		if (input_pending(typist) && tcgetattr(master, modes) < 0)
			return -errno;
	}
	return 0;
}

int input_pass_pipe(struct typist *typist, int fd)
{
	static const struct termios raw;
	while (input_pending(typist)) {
		size_t piece = next_piece(typist);
		if (piece == 0)
			return -EPIPE;
		int error = pass_piece(typist, fd, piece, &raw);
		if (error < 0)
			return error;
	}
	return 0;
}

void input_drop(struct typist *typist, int error)
{
	atomic_store(&typist->shared->dropped, (uint32_t)-error);
	atomic_store(&typist->shared->passed, typist->accepted);
	atomic_store(&typist->shared->ends_passed, typist->ends_seen);
	typist->typed = typist->taken = (struct line){ 0 };
	typist->end_left = 0;
}

void input_tidy(struct typist *typist)
{
	struct input_shared *shared = typist->shared;
	uint64_t end;
	if (!lock(shared, INPUT_TIDIES))
		return;
	look(shared, &end);
	if (end == atomic_load(&shared->passed) && !input_is_new(typist))
		madvise(typist->data, INPUT_MAX, MADV_REMOVE);
	unlock(shared);
}
