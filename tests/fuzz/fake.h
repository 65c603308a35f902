/* SPDX-License-Identifier: MIT */
/*
 * What is put in place of the kernel and of sandboxes, so that all that is above them runs in one
 * process, as fast as it can, and with the same outcome each time: a clock that stands still until
 * it is moved, and sandboxes whose terminals are in the hands of the test.
 *
 * It takes the place of core/sandbox.c, helper.c and cgroup.c, and of the functions that
 * meson.build has the linker wrap.
 */
#ifndef FAKE_H
#define FAKE_H

#include "fuzz.h"

#include <monitor.h>
#include <sandbox.h>
#include <stdbool.h>

/* Time */

#define FAKE_MS UINT64_C(1000000)

uint64_t fake_now(void); /* ns */
void fake_wait(uint64_t ns);
uint64_t fake_due(void); /* when the next timer is; 0: there is none */
/* Whether the last round of the loop found anything but the one source it is called with. */
bool fake_was_busy(const void *source);

/* Sandboxes */

enum { FAKES = 64 };

/* How a sandbox will go. */
struct fake_manner {
	int ask_error, clone_error, take_error; /* 0 or -errno */
	int start_error;                        /* positive, of a stage in the middle */
	bool slow;                              /* says nothing before fake_go_on() */
	bool stubborn;                          /* ends by SIGKILL only */
};

struct fake {
	struct sandbox *sandbox; /* NULL: free */
	struct fake_manner manner;
	void *owner; /* what the clone was asked with: the session */
	bool given, executed, ended, has_status;
	int status;     /* as of waitpid(2) */
	int in, out[2]; /* its own ends; with a terminal `in` is out[0] */
	int master;     /* the monitor's end, with a terminal; else -1 */
	struct monitor monitor;
	int bell; /* its own number of it */
	struct start_report reports[2];
	unsigned report_count;
	int last_signal;
	uint16_t rows, cols; /* that the terminal was told */
};

/* Of all that are made from now on. */
extern struct fake_manner fake_manner;
extern struct fake fakes[FAKES];

/* Told when the command runs, and when all of it has ended; the owner may be gone already. */
extern void (*fake_told)(const struct fake *fake);

struct fake *fake_of(const void *session);
void fake_go_on(struct fake *fake);
/* How many of the bytes were taken. */
size_t fake_print(struct fake *fake, int stream, const void *data, size_t size);
size_t fake_read(struct fake *fake, void *data, size_t size);
/* status: as of waitpid(2); below 0: it cannot tell any more. */
void fake_end(struct fake *fake, int status);
/* Everything as at first; what was made is gone. */
void fake_reset(void);

#endif
