/* SPDX-License-Identifier: MIT */
/*
 * `mimoboxfs --replace`: the keeper of a mount is asked to be this program from now on. A message
 * each way, over the keeper's socket (door.h); with the first comes a descriptor of the program.
 */
#ifndef REPLACE_H
#define REPLACE_H

#include <stdint.h>

struct replace_request {
	uint32_t version; /* KEEP_VERSION of the program, and its layout; in each version first */
	uint32_t layout;
};

struct replace_answer {
	int32_t error;    /* 0: it is done; -errno: all is as it was */
	uint32_t version; /* the keeper's */
};

/* How long it takes at most, in the keeper: to try the program, and to go on with it. */
enum { REPLACE_TRY_MS = 12000, REPLACE_GO_ON_MS = 18000 };

/* Before its name in `stats`. */
#define REPLACE_KEY "keeper-socket"

/* The exit status; what is wrong is reported. */
int replace_run(const char *mountpoint);

#endif
