/* SPDX-License-Identifier: MIT */
/*
 * The session's init is its monitor: the one process that has the master of its terminal, or its
 * pipes. The kernel lets the program in the session hold locks of those while it waits for a page
 * of its own memory, so each call on them can wait for as long as the program likes. The server
 * makes none. It shares memory with init instead, the page. Each wakes the other by an eventfd, the
 * bell, whose count is never 0: the server writes to it, which is an edge of EPOLLIN, and init
 * reads from it, which is one of EPOLLOUT. So it takes one call to ring, and none to hear.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "input.h"
#include "refusals.h"
#include "ring.h"

enum { MONITOR_STREAMS = 2, MONITOR_OTHERS_MAX = 4 };
/* The rings begin there, each with a page of its own, however large the machine's are. */
enum { MONITOR_OUT_PLACE = 65536 };

/* At the beginning of the page; the rings lie behind it. */
struct monitor_page {
	struct ring_shared out[MONITOR_STREAMS];
	struct input_shared in;
	_Atomic uint64_t hold; /* the server's: nothing is to be read until then, ns */
	_Atomic uint32_t tidy; /* the server's: init is to give memory back */
	_Atomic uint64_t
		size; /* the server's: number of the request, rows, columns: 32, 16, 16 bits */
	_Atomic uint64_t sized; /* init's: number of the last one, and errno */
	_Atomic uint32_t ended; /* init's: the command has, with that status of waitpid(2) */
	int32_t status;
	struct refusals_shared refusals;
};

/* In the server */

/* 0 or -errno. The descriptor is not needed any more for that. */
int monitor_map(int fd, struct monitor_page **out);
/* NULL is fine. */
void monitor_unmap(struct monitor_page *page);
void monitor_take_up(struct monitor_page *page, struct ring_view rings[MONITOR_STREAMS],
		     struct input *input);
/* Wakes init. */
void monitor_call(int bell);

/* In the sandbox. Async-signal-safe. */

/* The page's descriptor and the bell's. 0 or -errno. */
int monitor_make(int made[2]);

/* What it waits for; those behind the last are the caller's. */
enum {
	MONITOR_OUT,
	MONITOR_ERROR,
	MONITOR_IN,
	MONITOR_OWN,
	MONITOR_BELL = MONITOR_OWN,
	MONITOR_OTHERS
};

struct monitor {
	struct monitor_page *page;
	struct source out[MONITOR_STREAMS];
	struct typist typist;
	bool terminal;
	int in; /* with a terminal the same as out[0].fd; -1: none (any more) */
	int bell, epoll;
	uint32_t watched[MONITOR_OWN]; /* events, on each of its own */
	uint32_t ready[MONITOR_OWN];   /* events that came */
	bool full;                     /* the terminal took no more */
	uint32_t sized;                /* number of the last request of a size */
};

/*
 * `ends`: a master, or the outer ends of standard input, output and error. `page` is not needed any
 * more for that. 0 or -errno.
 */
int monitor_begin(struct monitor *monitor, int page, int bell, const int ends[3], bool terminal);
/* Has monitor_wait() tell of that too, by the bit of `which`. 0 or -errno. */
int monitor_watch(struct monitor *monitor, int fd, unsigned which);
/*
 * Waits until there is something to do, `timeout` ms at most (-1: for ever). Bits of what there is
 * (0: nothing), or -errno.
 */
int monitor_wait(struct monitor *monitor, int timeout);
/* After that. */
void monitor_work(struct monitor *monitor);
/* What was typed up to there comes before what the server has sent otherwise. */
void monitor_hear(struct monitor *monitor, uint64_t typed);
/* Reads what was printed, and gives the terminal or the pipes up. */
void monitor_hang_up(struct monitor *monitor);
/* Wakes the server, which is to look at the page. */
void monitor_tell(const struct monitor *monitor);
/* Tells the server how the command ended. */
void monitor_tell_end(struct monitor *monitor, int status);
/* Whether there may be more to read. */
bool monitor_is_open(const struct monitor *monitor);

#endif
