/* SPDX-License-Identifier: MIT */
#include "replacement.h"

#include "door.h"
#include "kept_layout.h"
#include "replace.h"
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <keep.h>
#include <loop.h>
#include <signal.h>
#include <unistd.h>

/* So many servers may die before the program before is had again. */
enum { TRIES = 3 };

static uint64_t after(unsigned milliseconds)
{
	return loop_now() + milliseconds * UINT64_C(1000000);
}

void replacement_init(struct replacement *replacement)
{
	*replacement = (struct replacement){ .caller = -1,
					     .program = -1,
					     .before = -1,
					     .trial = { .file = -1 },
					     .until = UINT64_MAX };
}

void replacement_finish(struct replacement *replacement)
{
	const int fds[] = { replacement->caller, replacement->program, replacement->before,
			    replacement->trial.file };
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	replacement_init(replacement);
}

static void end(struct replacement *replacement, int error)
{
	if (replacement->caller >= 0)
		door_answer(replacement->caller, error);
	replacement->caller = -1;
	replacement_finish(replacement);
}

/* Before */

static int try_program(struct replacement *replacement, const struct handover *facts,
		       const struct options *options)
{
	struct handover *trial = &replacement->trial;
	pid_t self = getpid();
	*trial = *facts;
	trial->trial = true;
	int error = handover_make(trial, options, NULL);
	if (error < 0)
		return error;
	replacement->child = fork();
	if (replacement->child < 0)
		return -errno;
	if (replacement->child > 0)
		return 0;
	trial_run(trial, options, replacement->program, self);
}

void replacement_ask(struct replacement *replacement, const struct door_call *call, int refused,
		     const struct handover *facts, const struct options *options)
{
	if (replacement->stage != REPLACEMENT_NONE) {
		if (call->program >= 0)
			close(call->program);
		door_answer(call->caller, -EBUSY);
		return;
	}
	replacement->stage = REPLACEMENT_TRYING;
	replacement->caller = call->caller;
	replacement->program = call->program;
	replacement->until = after(REPLACE_TRY_MS);
	bool fits = call->version == KEEP_VERSION && call->layout == kept_layout_digest();
	int error = fits ? refused : -EPROTONOSUPPORT;
	if (error == 0 && call->program < 0)
		error = -EBADF;
	if (error == 0)
		error = try_program(replacement, facts, options);
	if (error < 0)
		end(replacement, error);
}

bool replacement_tried(struct replacement *replacement, pid_t child, int refused)
{
	if (replacement->stage != REPLACEMENT_TRYING || child != replacement->child)
		return false;
	int error = handover_told(&replacement->trial);
	if (error == 0)
		error = refused;
	if (error < 0) {
		end(replacement, error);
		return false;
	}
	/* Where it may not be read, there is no way back. */
	replacement->before = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	replacement->stage = REPLACEMENT_ENDING;
	replacement->until = UINT64_MAX;
	return true;
}

static int run(const struct replacement *replacement, const struct handover *facts,
	       const struct options *options, const struct keep *keep)
{
	struct handover handover = *facts;
	handover.caller = replacement->caller;
	handover.before = replacement->before;
	handover.answer = replacement->answer;
	int error = handover_make(&handover, options, keep);
	if (error < 0)
		return error;
	error = keep_pass_on(keep, true);
	if (error == 0)
		error = handover_run(&handover, options, replacement->program);
	(void)keep_pass_on(keep, false);
	close(handover.file);
	return error;
}

void replacement_run(struct replacement *replacement, int refused, const struct handover *facts,
		     const struct options *options, const struct keep *keep)
{
	end(replacement, refused < 0 ? refused : run(replacement, facts, options, keep));
}

/* After */

void replacement_go_on(struct replacement *replacement, const struct handover *handover)
{
	replacement->stage = REPLACEMENT_GOING_ON;
	replacement->caller = handover->caller;
	replacement->before = handover->before;
	replacement->answer = handover->answer;
	replacement->until = after(REPLACE_GO_ON_MS);
}

void replacement_serves(struct replacement *replacement)
{
	if (replacement->stage == REPLACEMENT_GOING_ON)
		end(replacement, replacement->answer);
}

/* The replacement of a replacement. */
static void go_back(struct replacement *replacement, int why)
{
	replacement->program = replacement->before;
	replacement->before = -1;
	replacement->answer = why;
	replacement->stage = REPLACEMENT_ENDING;
}

static bool can_go_back(const struct replacement *replacement)
{
	return replacement->stage == REPLACEMENT_GOING_ON && replacement->before >= 0;
}

void replacement_died(struct replacement *replacement)
{
	if (can_go_back(replacement) && ++replacement->died >= TRIES)
		go_back(replacement, -ECHILD);
}

bool replacement_late(struct replacement *replacement)
{
	if (loop_now() < replacement->until)
		return false;
	replacement->until = UINT64_MAX;
	if (replacement->stage == REPLACEMENT_TRYING) {
		kill(replacement->child, SIGKILL);
		end(replacement, -ETIMEDOUT);
	}
	if (!can_go_back(replacement))
		return false;
	go_back(replacement, -ETIMEDOUT);
	return true;
}
