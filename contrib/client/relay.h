/* SPDX-License-Identifier: MIT */
/*
 * Stands between a session and the standard descriptors until the session ends: what is typed goes
 * in, what is printed comes out, and signals, the terminal's size and its suspension are passed on.
 */
#ifndef RELAY_H
#define RELAY_H

#include "answering.h"
#include "channel.h"
#include "session.h"
#include "tty.h"

#include <signal.h>
#include <stdint.h>

enum relay_kind {
	RELAY_RUN,    /* what is done to the client is done to the command */
	RELAY_ATTACH, /* what is done to the client detaches it */
};

enum relay_end { RELAY_ENDED, RELAY_DETACHED, RELAY_FAILED };

struct relay {
	enum relay_kind kind;
	const struct session *session;
	struct tty *tty; /* raw meanwhile; NULL: there is none to care for */
	int detach_key;  /* -1: none */
	int signal;      /* that ended it, of those that detach; 0: none */
	int status;      /* after RELAY_ENDED: the exit status, or minus the signal */
	/* After RELAY_FAILED: why, to be told when the terminal is back. */
	const char *trouble;
	/* Shows the session again, after a stop; may be NULL. */
	void (*redraw)(const struct relay *relay);

	int signals;  /* a signalfd */
	bool answers; /* what is printed goes to a terminal that can answer */
	struct answering answering;
	char unfiltered[CHANNEL_READ];
	bool follow_size;
	bool detached;
	bool ending; /* was told to end: nobody waits for a reader that doesn't read */
	bool gone;   /* and has ended */
	bool input_over;
	bool left[3]; /* of the standard descriptors: nobody has the other end any more */
	uint64_t deserted_at;
	uint64_t offset; /* in `output`, where it was opened */
	struct channel in, out, err;
};

/*
 * The signals that the relay takes are blocked from here on, so that none is lost before it runs.
 * Those that were ignored stay so. NULL and errno.
 */
struct relay *relay_create(enum relay_kind kind, const struct session *session);
void relay_destroy(struct relay *relay);

/* Opens the session's streams; what was printed before `offset` is left out. 0 or -errno. */
int relay_open(struct relay *relay, bool has_stderr, uint64_t offset);
/* The user's terminal may answer the program; before the start, so that no question is missed. */
void relay_answer(struct relay *relay);
/* The size of the user's terminal is the session's from now on. */
void relay_follow_size(struct relay *relay);
/* Until the end of the session, or of the wish to see it. */
enum relay_end relay_run(struct relay *relay);

#endif
