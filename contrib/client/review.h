/* SPDX-License-Identifier: MIT */
/* What a session has changed in its overlays: shown, applied, or discarded. */
#ifndef REVIEW_H
#define REVIEW_H

#include "session.h"

#include <stdbool.h>
#include <stdio.h>

/* A path as `changes` and `apply` have it, absolute; the caller's to free, or NULL. */
char *review_escape(const char *path);

/* `changes`, the caller's to free; NULL: reported. */
char *review_changes(const struct session *session);
/* As lines of which nothing acts on a terminal; at most `lines` (0: all). How many there are. */
unsigned review_show(const char *changes, unsigned lines, FILE *to);
/* Unified differences of regular files, by diff(1): 0 or an exit status, reported. */
int review_differences(const struct session *session, const char *changes);

/* `verb` with an escaped path ("": all): 0, or an exit status, reported with what the log says. */
int review_do(const struct session *session, const char *verb, const char *path);

/* After a command on a project: shows what it changed, and does `verb` ("": asks, if it can). True:
 * nothing is left that the session would have to be kept for. */
bool review_project(const struct session *session, const char *verb, bool ask, int *status);

#endif
