/* SPDX-License-Identifier: MIT */
/* What `status` and `metrics` have in common. */
#ifndef STATUS_H
#define STATUS_H

#include "session.h"

const char *status_state_name(enum mimobox_state state);
/* Of END_NONE there is none. */
const char *status_reason_name(enum end_reason reason);
/* What the session uses now and has used; UINT64_MAX: nobody knows. */
void status_usage(const struct mimobox_session *session, struct cgroup_usage *out);

#endif
