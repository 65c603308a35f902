/* SPDX-License-Identifier: MIT */
/*
 * What is typed at a session. The server and the session's init share the memory. The server puts
 * a write behind those that were accepted. Init tells beforehand up to where no line can become too
 * long, whatever the terminal's modes are; the server accepts a write that ends before. For another
 * it asks: init looks at the modes and answers. One write is asked at a time. Init gives the
 * terminal what it takes.
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

/*
 * The keys of what the session itself types; no client has them. An answer is refused where the
 * terminal would echo it into the output.
 */
#define INPUT_ANSWER UINT64_MAX
#define INPUT_ECHOED_ANSWER (UINT64_MAX - 1)

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
	INPUT_REFUSED, /* a line would be cut, or an answer be echoed */
};

/* The word of the state: the phase, and the number of the write. */
enum { INPUT_PHASES = 3, INPUT_NUMBER_SHIFT = 2 };

/* Who changes the memory of the ring now. */
enum input_lock {
	INPUT_FREE,
	INPUT_FILLS,  /* the server: it puts a write there */
	INPUT_TIDIES, /* init: it gives the memory back */
};

/* The server's: of the write, and where it begins. */
struct input_write {
	uint64_t key;
	_Atomic uint64_t base, count;
};

/* Where in the stream end-of-file was asked for, and by whose request. */
struct input_end {
	uint64_t at, key;
};

/* Offsets are absolute: bytes since the start. */
struct input_shared {
	_Atomic uint64_t state;
	/*
	 * By the number of the write: the last one stays as it is while the next one is put there,
	 * since the server can be killed at any moment.
	 */
	struct input_write writes[2];
	_Atomic uint64_t passed;      /* init's: the terminal has taken that much */
	_Atomic uint64_t sure;        /* init's: up to there it takes all, whatever it is */
	_Atomic uint64_t said;        /* the server's: a count of what it has sent otherwise */
	_Atomic uint32_t lock;        /* enum input_lock */
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
	uint64_t used;               /* bytes of the ring that may hold memory */
	bool asked;                  /* something was put there that init does not know of */
};

/* For what another server has begun: its last write is answered, or withdrawn. */
void input_resume(struct input *input);

/*
 * Asks for a write of up to `size` bytes, or collects the answer to that of the same key: how many
 * bytes were taken, -EMSGSIZE init has refused it (then nothing is taken), -EAGAIN there is no
 * room, -EINPROGRESS call again when init has rung.
 */
ssize_t input_ask(struct input *input, uint64_t key, const void *data, size_t size);
/* Instead of waiting longer: how many bytes were taken, or -EAGAIN, and none will be. */
ssize_t input_withdraw(struct input *input, uint64_t key);
/* How much is accepted. */
uint64_t input_position(const struct input *input);
/* How much has gone on to the program's terminal, and how much more can be asked for now. */
uint64_t input_passed(const struct input *input);
size_t input_room(const struct input *input);
/* Something was sent to init otherwise, behind that and before what is typed from now on. */
void input_said(struct input *input);
/* Asks for end-of-file after what is accepted now. 0, or -EAGAIN too many are asked for. */
int input_end(struct input *input, uint64_t key);
/* Whether end-of-file was ever asked for; and last by that client. */
bool input_has_end(const struct input *input);
bool input_has_end_of(const struct input *input, uint64_t key);
/* The key of the last write. */
uint64_t input_key(const struct input *input);
/* Once: the errno with which the terminal refused what was accepted; 0: none. */
uint32_t input_dropped(const struct input *input);
/* Whether somebody who waits should call again. */
bool input_has_news(const struct input *input);
/* Whether init can give memory back. */
bool input_is_untidy(const struct input *input);

/* In init. Async-signal-safe. */

struct typist {
	struct input_shared *shared;
	char *data;
	uint64_t accepted;  /* bytes */
	uint64_t ends_seen; /* of ends_asked */
	uint64_t heard;     /* of `said` */
	struct line typed;  /* after the last byte accepted */
	struct line taken;  /* after the last byte that the terminal took */
	unsigned end_left;  /* end-of-file characters that the next end still has to send */
};

/*
 * Something came otherwise. True: what was typed up to `typed` comes before that, and is to be
 * accepted first.
 */
bool input_hear(struct typist *typist, uint64_t typed);
void input_accept(struct typist *typist, const struct termios *modes, uint64_t typed);
/* Whether there is something that it has not looked at. */
bool input_is_new(const struct typist *typist);
/*
 * Looks at what was put there and what is asked. `modes` NULL: it goes to a pipe, where there are
 * no lines. Nothing is accepted while there is something to hear, which comes before. True: there
 * is an answer to ring for.
 */
bool input_answer(struct typist *typist, const struct termios *modes);
/*
 * Gives the terminal, whose modes are `modes`, what it takes. 0 all, -EAGAIN it is full, or another
 * errno of write(2).
 */
int input_pass(struct typist *typist, int master, struct termios *modes);
/* The same for a pipe, up to where its end was asked for: then -EPIPE, and the caller closes it. */
int input_pass_pipe(struct typist *typist, int fd);
/* Forgets what is not passed. */
void input_drop(struct typist *typist, int error);
bool input_pending(const struct typist *typist);
/* Gives the ring's memory back, if nothing is in it. */
void input_tidy(struct typist *typist);

#endif
