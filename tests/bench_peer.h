/* SPDX-License-Identifier: MIT */
/* Other programs that run a program, each as it would be called. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "bench_mount.h"

enum peer_needs {
	PEER_VFORK = 1 << 0,  /* posix_spawn instead of fork and exec */
	PEER_FILTER = 1 << 1, /* our seccomp filter as descriptor 9 */
	PEER_BUNDLE = 1 << 2, /* in an OCI bundle, which is the current directory */
	PEER_PTY = 1 << 3,    /* on a terminal; else standard output is a pipe or /dev/null */
	PEER_TMUX = 1 << 4,   /* a tmux server that runs already */
};

struct peer {
	const char *name;
	const char *argv[28];
	unsigned needs;
};

enum { PEER_WHY = 160 };

extern const struct peer peers_of_true[];   /* ends with no name; the first is plain fork, exec */
extern const struct peer peers_of_output[]; /* the same, for a program that prints one `!` */

void peers_prepare(void); /* after bench_prepare() */
void peers_finish(void);
/*
 * Runs it to its end. With `printed`, its output is read, which has to have that in it, and
 * life->byte is when it was there. Memory is that of its largest process. 0, or -1 and why not.
 */
int peer_run(const struct peer *peer, const char *printed, struct life *life,
	     unsigned long *peak_kib, char *why);

#endif
