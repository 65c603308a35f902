/* SPDX-License-Identifier: MIT */
/*
 * What a command has as standard input, output and error, and the other ends of it, which are
 * close-on-exec and do not block. The caller's descriptors 0 to 2 become the command's, and init
 * keeps them too, so that there is no end before it closes them. Async-signal-safe.
 */
#ifndef ENDS_H
#define ENDS_H

/* A terminal of the devpts at /dev/pts of that root. 0 or -errno, and `what` was not to be had. */
int ends_make_terminal(int root, int *master, const char **what);
/* Three pipes: the outer ends of input, output and error. */
int ends_make_pipes(int outer[3], const char **what);

#endif
