/* SPDX-License-Identifier: MIT */
/*
 * The helper that sandboxes are cloned from. Their parent is the daemon all the same
 * (CLONE_PARENT), which does not wait for a clone to be made.
 */
#ifndef SPAWNER_H
#define SPAWNER_H

#include "helper.h"
#include "init.h"

/*
 * Fills in `kind`, for helper_create(); `setup` is borrowed. Asked with a sandbox_shape and copies
 * of two sockets, start and control, it answers with the pid and a pidfd.
 */
void spawner_kind(struct helper_kind *kind, const struct init_setup *setup);

#endif
