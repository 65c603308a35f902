/* SPDX-License-Identifier: MIT */
/*
 * The process that outlives the server. It is what the command becomes; the server is its child,
 * and so is every sandbox, and all of them go with it. It reads nothing of a client's: it holds
 * memory and descriptors that the server gives it (keep.h), reaps, and when the server is killed
 * forks another.
 *
 * It can be asked to be another program (replacement.h).
 */
#ifndef KEEPER_H
#define KEEPER_H

struct daemon;
struct handover;
struct keep;
struct options;

typedef int (*keeper_serve_fn)(const struct options *options, struct daemon *daemon,
			       struct keep *keep);

/*
 * `serve` is run in a child, again in another when that is killed, until one ends by itself.
 * `handover`: this was another program until now; NULL.
 * Returns the exit status: in the child that of `serve`, here that of the last child.
 */
int keeper_run(const struct options *options, struct daemon *daemon, keeper_serve_fn serve,
	       const struct handover *handover);

#endif
