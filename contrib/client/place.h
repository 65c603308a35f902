/* SPDX-License-Identifier: MIT */
/* Where the sessions are: the mount point. */
#ifndef PLACE_H
#define PLACE_H

#include <limits.h>

struct place {
	char path[PATH_MAX];
};

/*
 * `given` (NULL: nothing), else $MIMOBOX, else mimobox below $XDG_RUNTIME_DIR, or if that is not
 * set below the user's own /run/user/UID, if one is mounted there, else /run/mimobox.
 * -ENAMETOOLONG.
 */
int place_find(struct place *place, const char *given);
/* 0 if a mimobox answers there; ENOENT: nothing is mounted; ENOTCONN: its daemon has died. */
int place_check(const struct place *place);
/* Both: 0, or an exit status and reported. */
int place_open(struct place *place, const char *given);

#endif
