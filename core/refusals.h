/* SPDX-License-Identifier: MIT */
/*
 * The system calls that a session's filter refuses, for its `log`: the first of each kind.
 *
 * The filter that is loaded has the kernel tell init of a refused call
 * (SECCOMP_RET_USER_NOTIF, seccomp_unotify(2)), and init answers with the errno of the filter
 * that was asked for. So a call costs more only if it is refused, and it is never made: not even
 * when init has ended, for the kernel then answers with ENOSYS. What is answered with ENOSYS or
 * with 0 anyway is not told, since programs try such calls as a matter of course. Calls that the
 * filter itself has wait for init come by the same way, since the kernel takes one listener only.
 */
#ifndef REFUSALS_H
#define REFUSALS_H

#include "broker.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sysfilter;

enum { REFUSALS_MAX = 16 };

struct refusal {
	int32_t number, error;
	uint64_t arguments[6];
};

/* Init's, for the server to read. An entry does not change once it is counted. */
struct refusals_shared {
	_Atomic uint32_t count;
	struct refusal list[REFUSALS_MAX];
};

/* In the sandbox. Async-signal-safe. */

struct refusals {
	int listener;                   /* -1: none (any more) */
	const struct sysfilter *filter; /* that says what is answered */
	struct refusals_shared *shared;
	struct broker broker; /* of the calls that are not refused, and yet wait for init */
};

/*
 * Puts the calling thread, and all that it will start, under the filter, for good, as
 * sysfilter_load() does. *listener: what init answers by; -1 where the kernel gives none, as in a
 * container whose runtime has one.
 */
int refusals_load(const struct sysfilter *filter, int *listener);

/* Answers what there is, if anything. True: something of a new kind was refused. */
bool refusals_answer(struct refusals *refusals);

/* In the server */

struct mimobox_session;

/* Into its log, what was not yet. */
void refusals_log(struct mimobox_session *session);

#endif
