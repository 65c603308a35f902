/* SPDX-License-Identifier: MIT */
/*
 * The session's init is its monitor: the one process that has the master of its terminal, or its
 * pipes. The kernel lets the program in the session hold locks of those while it waits for a page
 * of its own memory, so each call on them can wait for as long as the program likes. The server
 * makes none. It shares memory with init instead, the page. Each wakes the other by the control
 * socket.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "input.h"
#include "ring.h"

#include <poll.h>

enum { MONITOR_STREAMS = 2, MONITOR_POLLED = 3 };
/* The rings begin there, each with a page of its own, however large the machine's are. */
enum { MONITOR_OUT_PLACE = 65536 };

/* At the beginning of the page; the rings lie behind it. */
struct monitor_page {
	struct ring_shared out[MONITOR_STREAMS];
	struct input_shared in;
	_Atomic uint32_t size;  /* the server's: rows << 16 | columns that it wants; 0: any */
	_Atomic uint32_t ended; /* init's: the command has, with that status of waitpid(2) */
	int32_t status;
};

/* In the server */

/* 0 or -errno. The descriptor is not needed any more for that. */
int monitor_map(int fd, struct monitor_page **out);
/* NULL is fine. */
void monitor_unmap(struct monitor_page *page);
void monitor_take_up(struct monitor_page *page, struct ring_view rings[MONITOR_STREAMS],
		     struct input *input);

/* In the sandbox. Async-signal-safe. */

/* The page's descriptor, or -errno. */
int monitor_make(void);

struct monitor {
	struct monitor_page *page;
	struct source out[MONITOR_STREAMS];
	struct typist typist;
	bool terminal;
	int in;     /* with a terminal the same as out[0].fd; -1: none (any more) */
	int server; /* the socket */
	bool full;  /* the terminal took no more */
	uint32_t size;
};

/* `ends`: a master, or the outer ends of standard input, output and error. 0 or -errno. */
int monitor_begin(struct monitor *monitor, int page, int server, const int ends[3], bool terminal);
/* What it waits for. */
void monitor_await(const struct monitor *monitor, struct pollfd polled[MONITOR_POLLED]);
/* After that; `polled` as poll(2) has left it. */
void monitor_work(struct monitor *monitor, const struct pollfd polled[MONITOR_POLLED]);
/* Gives memory back that was used for a flood. */
void monitor_tidy(struct monitor *monitor);
/* Reads what was printed, and gives the terminal or the pipes up. */
void monitor_hang_up(struct monitor *monitor);
/* Tells the server how the command ended. */
void monitor_tell_end(struct monitor *monitor, int status);
/* Whether there may be more to read. */
bool monitor_is_open(const struct monitor *monitor);

#endif
