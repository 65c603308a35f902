/* SPDX-License-Identifier: MIT */
/*
 * A world outside of a test's own, with DNS and servers (world.py), in network and mount namespaces
 * of the test's; and a session that tries things in it (probe_names.py).
 */
#ifndef NAMES_CASE_H
#define NAMES_CASE_H

#include <sys/types.h>

/* The .init: users, the world and a daemon of root's. */
void names_start(void);
/* The same without the daemon. */
void names_prepare(void);
/* The .fini. */
void names_stop(void);

/* A session of `user` that runs the probe with these arguments; all that it printed. */
char *names_probe(uid_t user, const char *config, const char *arguments);
/* The config of such a session, for session_start_as(). */
char *names_config(const char *config, const char *arguments);
/* Each of `lines`, up to an empty one, is a line of `output`. */
void names_expect(const char *output, const char *lines);
/* What the world has noted in that file; "": nothing. */
char *names_noted(const char *file);
/* The directory of the world, as sessions have it at /srv/world. */
const char *names_world(void);

#endif
