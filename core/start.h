/* SPDX-License-Identifier: MIT */
/* The first part of a start, up to the clone; what follows comes from the loop (session.c). */
#ifndef START_H
#define START_H

#include "session.h"

/* 0: session->sandbox is on its way. -errno: nothing of it is left, and the log says why. */
int start_launch(struct mimobox_session *session);

/* Of a start that failed: a line in the log, and session->failure. */
void start_log_failure(struct mimobox_session *session, const struct start_report *report);

/* Of a path that is to be changed, and that the session may not: a line in the log. */
void start_log_path(struct mimobox_session *session, const struct start_report *report);

#endif
