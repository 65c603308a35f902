/* SPDX-License-Identifier: MIT */
/*
 * What is typed at a session. The server and the session's init share the memory. The server puts
 * a write behind those that were accepted and asks; init looks at the terminal's modes and answers,
 * then gives the terminal what it takes. One write is asked at a time.
 *
 * Init follows the line that the terminal is putting together, because a canonical terminal
 * silently drops what comes after 4,095 bytes without a newline, and because the end-of-file
 * character has two meanings: at the start of a line it ends the file, in the middle it only passes
 * the line on (termios(3)).
 *
 * All of it is in memory that outlives the server. A write has its client's key, so that the next
 * server finds the answer if the same client asks again.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

enum { INPUT_MAX = 1 << 20, INPUT_LINE_MAX = 4095, INPUT_ENDS_MAX = 64 };

struct line {
	size_t length; /* bytes since the line began */
	bool literal;  /* the last byte was VLNEXT */
};

/*
 * Follows `line` through `size` bytes as a terminal of these modes would. Returns the longest
 * that the line became; 0 in raw mode.
 */
size_t line_follow(struct line *line, const struct termios *modes, const char *data, size_t size);

enum input_phase {
	INPUT_IDLE,
	INPUT_ASKED,   /* init is to answer, or the server withdraws it */
	INPUT_TAKEN,   /* the answers */
	INPUT_REFUSED, /* a line would be cut */
};

/* What else is in the word that tells the phase. */
enum {
	INPUT_PHASES = 7,
	INPUT_TIDIES = 8, /* init gives the ring's memory back: nothing may be put there */
	INPUT_NUMBER_SHIFT = 4
};

/* Where in the stream end-of-file was asked for, and by whose request. */
struct input_end {
	uint64_t at, key;
};

/* Offsets are absolute: bytes since the start. */
struct input_shared {
	_Atomic uint64_t state; /* number of the write, and phase */
	uint64_t key, base;     /* the server's: of the write, and where it begins */
	uint64_t count;
	_Atomic uint64_t passed;      /* init's: the terminal has taken that much */
	_Atomic uint32_t wants_room;  /* the server's: init is to ring when `passed` grows */
	_Atomic uint32_t dropped;     /* init's: an errno with which the terminal refused bytes */
	_Atomic uint64_t ends_asked;  /* the server's: a count */
	_Atomic uint64_t ends_passed; /* init's */
	struct input_end ends[INPUT_ENDS_MAX];
};

/* In the server */

struct input {
	struct input_shared *shared; /* NULL: there is none (any more) */
	char *data;                  /* the ring of INPUT_MAX bytes */
	uint64_t collected;          /* the number of the last write whose answer was told */
	bool asked;                  /* something was put there that init does not know of */
};

/*
 * Asks for a write of up to `size` bytes, or collects the answer to that of the same key: how many
 * bytes were taken, -EMSGSIZE a line would be cut (then nothing is taken), -EAGAIN there is no
 * room, -EINPROGRESS call again when init has rung.
 */
ssize_t input_ask(struct input *input, uint64_t key, const void *data, size_t size);
/* Instead of waiting longer: how many bytes were taken, or -EAGAIN, and none will be. */
ssize_t input_withdraw(struct input *input, uint64_t key);
/* Asks for end-of-file after what is accepted now. 0, or -EAGAIN too many are asked for. */
int input_end(struct input *input, uint64_t key);
/* Whether end-of-file was ever asked for; and last by that client. */
bool input_has_end(const struct input *input);
bool input_has_end_of(const struct input *input, uint64_t key);
/* Whether the last write is that client's. */
bool input_is_of(const struct input *input, uint64_t key);
/* Once: the errno with which the terminal refused what was accepted; 0: none. */
uint32_t input_dropped(const struct input *input);
/* Whether somebody who waits should call again. */
bool input_has_news(const struct input *input);

/* In init. Async-signal-safe. */

struct typist {
	struct input_shared *shared;
	char *data;
	uint64_t accepted;  /* bytes */
	uint64_t ends_seen; /* of ends_asked */
	uint64_t used;      /* bytes of the ring that may hold memory */
	struct line typed;  /* after the last byte accepted */
	struct line taken;  /* after the last byte that the terminal took */
	unsigned end_left;  /* end-of-file characters that the next end still has to send */
};

/* Looks at what is asked. True: there is an answer to ring for. */
bool input_answer(struct typist *typist, const struct termios *modes);
/* Whether a write waits for an answer; the modes are not needed where it is false. */
bool input_is_asked(const struct typist *typist);
/* Gives the terminal what it takes. 0 all, -EAGAIN it is full, or another errno of write(2). */
int input_pass(struct typist *typist, int master);
/* The same for a pipe, up to where its end was asked for: then -EPIPE, and the caller closes it. */
int input_pass_pipe(struct typist *typist, int fd);
/* Forgets what is not passed. */
void input_drop(struct typist *typist, int error);
bool input_pending(const struct typist *typist);
/* Gives the ring's memory back, if nothing is in it. True: there may be somebody to ring for. */
bool input_tidy(struct typist *typist);

#endif
