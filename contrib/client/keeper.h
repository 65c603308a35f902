/* SPDX-License-Identifier: MIT */
/*
 * A small process that outlives the client by a moment. It makes the session and removes it, and
 * gives the terminal back where the client was killed before it could. Being the one that makes the
 * session, it knows of it from the first moment on.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "session.h"
#include "tty.h"

#include <sys/types.h>

struct keeper {
	pid_t pid;
	int fd;
};

/*
 * Makes the session's directory, where `session` is not NULL; XXXXXX at the end of its path is
 * replaced, as by mkdtemp(3). It goes in the end, unless `stays`. `tty` may be NULL.
 * 0 or -errno, and then there is no keeper.
 */
int keeper_start(struct keeper *keeper, struct session *session, bool stays, const struct tty *tty);
/* Waits until it has tidied. The caller has brought the terminal back. */
void keeper_end(struct keeper *keeper);

#endif
