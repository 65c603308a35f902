/* SPDX-License-Identifier: MIT */
/*
 * The helper that removes workspaces, each with its home. That is left to rm(1), in a process of
 * its own: it walks a tree that somebody hostile has made, and may still be changing, without
 * following a link out of it, and it may take its time.
 */
#ifndef REMOVER_H
#define REMOVER_H

#include "helper.h"

enum { REMOVAL_NAME_MAX = 96 };

struct removal_request {
	char name[REMOVAL_NAME_MAX]; /* in the directory of all workspaces */
};

/*
 * Fills in `kind`, for the forker; the path of the directory of all workspaces is borrowed. Asked
 * with a removal_request, it answers with a pidfd that is readable when that is done, or with none
 * where it is done already; -EINVAL: no name of one.
 */
void remover_kind(struct helper_kind *kind, const char *workspaces);

#endif
