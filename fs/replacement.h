/* SPDX-License-Identifier: MIT */
/*
 * How a keeper becomes another program. That is tried in a child, where it may hang or crash; then
 * the server is killed, as by anybody, and the keeper executes the program. It is still the parent
 * of the sandboxes then, which would end with it, and the process that a service manager knows. A
 * program whose server does not come to serve makes way for the one before.
 */
#ifndef REPLACEMENT_H
#define REPLACEMENT_H

#include "handover.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct door_call;
struct keep;
struct options;

enum replacement_stage {
	REPLACEMENT_NONE,
	REPLACEMENT_TRYING,
	REPLACEMENT_ENDING,   /* the server is to be killed, or is dead */
	REPLACEMENT_GOING_ON, /* this is the program; it does not serve yet */
};

struct replacement {
	enum replacement_stage stage;
	int caller, program, before; /* the program until now; -1: none */
	int answer;                  /* for the caller, once it serves */
	struct handover trial;
	pid_t child;    /* of the trial */
	unsigned died;  /* servers, since */
	uint64_t until; /* loop_now(); UINT64_MAX: for ever */
};

void replacement_init(struct replacement *replacement);
/* Whoever has asked hears nothing. */
void replacement_finish(struct replacement *replacement);

/*
 * Somebody asks: `refused`, -errno, is why they may not; 0. Takes what is in `call`. Of `facts`,
 * what is the keeper's is filled in, here as below.
 */
void replacement_ask(struct replacement *replacement, const struct door_call *call, int refused,
		     const struct handover *facts, const struct options *options);
/* A child has ended. True: it was the trial, and now the server is to be killed. */
bool replacement_tried(struct replacement *replacement, pid_t child, int refused);
/* There is no server. Returns only where it fails: then all is as it was, and that was told. */
void replacement_run(struct replacement *replacement, int refused, const struct handover *facts,
		     const struct options *options, const struct keep *keep);

/* In the program. */
void replacement_go_on(struct replacement *replacement, const struct handover *handover);
void replacement_serves(struct replacement *replacement);
/* A server has died. The stage may be another. */
void replacement_died(struct replacement *replacement);

/* When time is up. True: the server is to be killed. */
bool replacement_late(struct replacement *replacement);

#endif
