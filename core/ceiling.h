/* SPDX-License-Identifier: MIT */
/*
 * What other users than root may ask for, in each key and in all of their sessions together: the
 * text of `--ceiling`, parsed, and an account for each user who has sessions.
 *
 * Nothing is lowered to fit: what is above the ceiling is refused, with a reason.
 */
#ifndef CEILING_H
#define CEILING_H

#include "box.h"
#include "config.h"
#include "paths.h"

struct ceiling;

/* What is counted over a user's sessions: the keys `user-...`. */
enum ceiling_total {
	TOTAL_SESSIONS, /* from ceiling_enter(); of one that is removed, for those that start */
	TOTAL_MEMORY,   /* these from ceiling_take() */
	TOTAL_PROCESSES,
	TOTAL_CPU,
	TOTAL_TERMINALS,
	TOTAL_SPOOL,
	TOTAL_DISK, /* these two for as long as there is something there */
	TOTALS
};

/* A session's part in it; zeroed, it is that of a session that is not bounded. */
struct ceiling_share {
	struct ceiling *ceiling;
	struct ceiling_user *user;
	uint64_t held[TOTALS];
	uint64_t leaving[TOTALS]; /* the part of it that is given back soon */
};

/*
 * `key value` lines as of config, and the totals; see mimobox_options.ceiling. 0, -ENOMEM, or
 * -EINVAL, -ERANGE, with the number of the line and why.
 */
int ceiling_create(const char *text, struct ceiling **out, unsigned *line, struct reason *reason);
/*
 * A total that its text does not name: what the machine has of it, and in the refusal what to do,
 * borrowed.
 */
void ceiling_assume(struct ceiling *ceiling, enum ceiling_total total, uint64_t amount,
		    const char *advice);
/* Every share has been given back. */
void ceiling_destroy(struct ceiling *ceiling);

/* One more session of `uid`'s; `ceiling` may be NULL: 0, -ENOMEM, or -EDQUOT at user-sessions. */
int ceiling_enter(struct ceiling *ceiling, uid_t uid, struct ceiling_share *share);
/* One that there is, and what it holds: it was granted. 0 or -ENOMEM. */
int ceiling_restore(struct ceiling *ceiling, uid_t uid, const uint64_t held[static TOTALS],
		    struct ceiling_share *share);
/* Gives back all that is held, and the share. */
void ceiling_leave(struct ceiling_share *share);

/* As config_apply(); a line that asks for more is refused with -EPERM. */
size_t ceiling_apply(const struct ceiling_share *share, struct config *config,
		     const struct config *defaults, const char *text, size_t size, int *error,
		     unsigned *line, struct reason *reason);

/*
 * Its session is removed: what it holds is given back soon, and those that start may wait; but not
 * for its spool, where somebody reads that.
 */
void ceiling_remove(struct ceiling_share *share, bool read);

/*
 * Whether a session of this config may start, wherever its values come from; it then holds its
 * part of the totals. 0, or -EPERM and the reason, and nothing more is held. -ERESTART: only what
 * removed sessions hold still is in its way.
 */
int ceiling_take(struct ceiling_share *share, const struct config *config, struct reason *reason);
/* Gives back this part, if it is held. */
void ceiling_release(struct ceiling_share *share, enum ceiling_total total);

/*
 * How much of it this user may have: UNITS_NONE is any amount, and `otherwise` what there is for
 * users and keys that the ceiling does not bound. `ceiling` may be NULL.
 */
uint64_t ceiling_limit(const struct ceiling *ceiling, uid_t uid, enum ceiling_limit limit,
		       uint64_t otherwise);

/* Hosts that no session of the user's reaches are its `deny`s. NULL: no ceiling is there. */
const struct names *ceiling_names(const struct ceiling_share *share);
/* Whether all that they allow is allowed by the ceiling's: 0, or -EPERM and the reason. */
int ceiling_judge_names(const struct ceiling_share *share, const struct names *names,
			struct reason *reason);

/*
 * The directories that paths must be in, up to one that is NULL, and *count with that one; NULL
 * where any will do. Names are judged here; where they lead is judged by paths_open().
 */
const struct path_bound *ceiling_paths(const struct ceiling_share *share, unsigned *count);

#endif
