/* SPDX-License-Identifier: MIT */
/*
 * The directory of the host's that a session has as /workspace: made with the session, owned by
 * the id that its program runs as, removed with it; and so is its home (home.h).
 */
#ifndef WORKSPACE_H
#define WORKSPACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct keep;
struct mimobox;
struct mimobox_session;

/*
 * Where all of them are: made where it is missing, to be passed through by all. Those that nobody
 * had claimed when their daemon was killed are swept, and those of `again`, which lives (0: none).
 * 0 or -errno.
 */
int workspace_prepare(const char *directory, pid_t again);
/* Those that nobody had claimed, of daemons that were killed and of `own`: they are empty. */
void workspace_sweep(const char *directory, pid_t own);

/* Sets session->workspace, if the box has a place for it. 0 or -errno. */
int workspace_create(struct mimobox_session *session);

/*
 * Makes what of them somebody has removed. 1: something was made, 0: nothing had to be; -errno.
 */
int workspace_renew(struct mimobox_session *session);

/* Nothing has been put into it; or there is none. */
bool workspace_is_new(const struct mimobox_session *session);

/* To whatever id the session runs as by now. 0 or -errno. */
int workspace_give(const struct mimobox_session *session);

/* One for a session to come, of which nothing is known; *out is the caller's. 0 or -errno. */
int workspace_create_ahead(const struct mimobox *box, uid_t uid, gid_t gid, char **out);
/* Takes such a one away again, which nobody has used. */
void workspace_discard(const char *workspace);
/* Gives such a one its session's name; the same. */
int workspace_rename(struct keep *keep, const char *ahead, const char *name, char **out);

/* One that no session has any more; `workspace` is taken over. As the next. */
void workspace_clear(struct mimobox *box, uint64_t id, char *workspace);
/* Removes it, in the background: it may hold any number of files. The box counts it as live. */
void workspace_remove(struct mimobox_session *session);

#endif
