/* SPDX-License-Identifier: MIT */
/*
 * The helper for changes in overlays: to list, apply or discard them. It does nothing of that
 * itself, but forks a process for each request, which has the rights of the session's owner and no
 * others. That goes on by itself if the daemon ends.
 *
 * The owner's process is in a user namespace in which nothing but the owner has an id: there it may
 * also read what its owner has closed to itself, as the session could. The process for a session of
 * root's is root, with the capabilities that it takes to read what another id has written.
 */
#ifndef CHANGER_H
#define CHANGER_H

#include "helper.h"
#include "overlay.h"
#include "sandbox.h"

enum change_verb { CHANGE_LIST, CHANGE_APPLY, CHANGE_DISCARD };

struct change_request {
	uint32_t verb; /* enum change_verb */
	uint32_t overlays;
	uid_t uid; /* of the session's owner */
	gid_t gid;
	char changes[SANDBOX_WORKSPACE_MAX + sizeof(OVERLAY_SUFFIX)];
};

/* What the process says, until it has said the result. */
struct change_report {
	int32_t ended; /* else the text is a line for the log */
	int32_t error; /* 0 or -errno */
	char text[240];
};

/*
 * Fills in `kind`. Asked with a change_request, a file that holds the overlays' paths, outside and
 * inside in turn, and behind them the path that is meant ("": all), each with its NUL; and, to
 * list, one to write to. It answers with a socket on which the process reports.
 */
void changer_kind(struct helper_kind *kind);

#endif
