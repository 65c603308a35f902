/* SPDX-License-Identifier: MIT */
/*
 * A program is tried in a child of the keeper's. Another process is between the two, to which all
 * comes that the program leaves: it ends that too, however the program took what it found there.
 */
#ifndef TRIAL_H
#define TRIAL_H

struct handover;
struct options;

/* How long the program may take, and then the end of what it leaves. */
enum { TRIAL_MS = 8000, TRIAL_END_MS = 3000 }; /* see REPLACE_TRY_MS */

/* In that process, a child of `keeper`'s. */
_Noreturn void trial_run(const struct handover *trial, const struct options *options, int program,
			 int keeper);

#endif
