/* SPDX-License-Identifier: MIT */
/*
 * Makes the host as a session has left it, in steps that can be gone on with after a death:
 *
 *   staging      everything new is made beside its place, by a name of its own
 *   committing   each takes its place by one rename; what was there takes that name instead
 *   undoing      the same backwards, when a step of that failed
 *   clearing     what has these names is removed, and directories get their times
 *
 * The journal says what is to be done, and how far it is. In each of the last three, whether a step
 * was done shows on the host: which inode has the name. So a second process goes on where the first
 * was killed; staging is begun once more.
 */
#ifndef APPLY_H
#define APPLY_H

#include "changes.h"

/* Goes on with what another has left. 0 or -errno, also -EINPROGRESS, as the next. `base` is the
 * directory of all changes. */
int apply_recover(struct changes *changes, int base);

/*
 * Applies the changes that changes_find() has found. 0, or -errno and nothing was changed; *failed
 * is then the change that was at fault, or NULL. -EINPROGRESS: something was changed, and could not
 * be taken back; apply_recover() tries again.
 */
int apply_run(struct changes *changes, int base, const struct change **failed);

/* Removes an entry and all that is below it. 0, also if there is none, or -errno. */
int apply_clear(int directory, const char *name);

#endif
