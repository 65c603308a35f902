/* SPDX-License-Identifier: MIT */
/*
 * The directory of the host's that a session has as /workspace: made with the session, owned by
 * the id that its program runs as, removed with it.
 */
#ifndef WORKSPACE_H
#define WORKSPACE_H

struct mimobox;
struct mimobox_session;

/* Where all of them are: made where it is missing, to be passed through by all. 0 or -errno. */
int workspace_prepare(const char *directory);

/* Sets session->workspace, if the box has a place for it. 0 or -errno. */
int workspace_create(struct mimobox_session *session);

/* To whatever id the session runs as by now. 0 or -errno. */
int workspace_give(const struct mimobox_session *session);

/* Removes it, in the background: it may hold any number of files. The box counts it as live. */
void workspace_remove(struct mimobox_session *session);

#endif
