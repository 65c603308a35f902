/* SPDX-License-Identifier: MIT */
/*
 * The steps from a process of the sandbox's to the command, as the first one (init.c) and later
 * ones (join.c) take them. What fails is told on the start socket, and ends the process.
 *
 * Async-signal-safe.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "sandbox.h"

struct plan;
struct sysfilter;

/* Where the descriptors are. The command keeps those up to HANDED until it is executed. */
enum {
	START = 3,
	HANDED, /* the command's end, by which its listener comes (refusals.h) */
	CONTROL,
	IN, /* the terminal's master, or the outer end of standard input */
	OUT,
	ERROR,
	PAGE,
	BELL,
	SIGNALS,
	HANDING, /* the other end of HANDED */
	ROOT,
	INSIDE, /* where the relay asks for sockets (inside.h); its place is not kept */
	MAPPER, /* see mapper.h */
	FREE
};

void command_report(enum stage stage, int error, const char *what, const int *descriptors,
		    unsigned count);
_Noreturn void command_fail(enum stage stage, int error, const char *what);

/* Waits for a byte that comes with a descriptor. -1: the other end has gone. */
int command_receive(int socket);
/* Waits until there is something to read; ends the process where SIGNALS has something instead. */
void command_wait_for(int fd);
/* Moves it to where its place was kept. */
void command_take_slot(int fd, int slot, enum stage stage);

/* SIGNALS of these signals, and HANDING and HANDED; the places from IN on are kept. */
void command_prepare(const sigset_t *signals);
/* Standard input, output and error, and IN, OUT and ERROR, in that root. */
void command_open_ends(const struct sandbox_shape *shape, int root);
/* PAGE and BELL: what the monitor and the server share. */
void command_open_page(void);
/* With what was opened. PAGE is closed. */
void command_begin_to_monitor(const struct sandbox_shape *shape);

/*
 * When a session's leader ends, its terminal is hung up for all. So that is the command, as at a
 * real terminal, unless others are to go on printing after it: then it is the monitor. Called by
 * either of them.
 */
void command_lead_session(const struct sandbox_shape *shape);

/* In the command's process. Its own settings and layers are in force already, but for these. */
_Noreturn void command_run(const struct sandbox_shape *shape, const struct plan *plan);
/* The filter first, and the rest once the plan comes. */
_Noreturn void command_run_sealed(const struct sandbox_shape *shape,
				  const struct sysfilter *filter);

#endif
