/* SPDX-License-Identifier: MIT */
/*
 * What a keeper leaves to the program that it becomes: a sealed file in memory, whose number is in
 * the environment. That is taken out of there first of all, so that nobody else sees it.
 *
 * Before that, in a child, the program is tried: it finds what it would find, but for what is kept,
 * and writes there that it would go on. One that does not, for want of a library, say, leaves the
 * keeper as it was.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

struct keep;
struct options;

struct handover {
	int file; /* -1: none */
	bool trial;
	int32_t result; /* -ECHILD, until it is tried */
	int32_t door;   /* these are descriptors */
	int32_t caller; /* who asked; -1: nobody */
	int32_t before; /* the program until now; -1: none */
	int32_t answer; /* for the caller, once it serves */
	int32_t deaths;
	uint64_t served;
};

/* Writes it all, but for `file`, which it makes. `keep` is not needed for a trial. 0 or -errno. */
int handover_make(struct handover *handover, const struct options *options,
		  const struct keep *keep);
/* Becomes the program, with the command line that this one had. -errno: it did not. */
int handover_run(const struct handover *handover, const struct options *options, int program);

/* Before that, in the process whose child the program is tried in. 0 or -errno. */
int handover_own(const struct handover *handover);

/* In a child, after that has failed, or in the program where it is tried. */
void handover_tell(const struct handover *handover, int result);
/* In the keeper: what was told. */
int handover_told(const struct handover *handover);

/*
 * First of all. HANDOVER_OTHER: it is of another version or layout, which was told.
 * HANDOVER_UNKNOWN: it is no keeper's for this process. Neither is a reason to start on one's own.
 */
enum handover_found { HANDOVER_NONE, HANDOVER_FOUND, HANDOVER_OTHER, HANDOVER_UNKNOWN };
enum handover_found handover_find(struct handover *handover);
/* What of the options is not on the command line. 0 or -errno. */
int handover_options(const struct handover *handover, struct options *options);
/* What is kept. 0 or -errno. */
int handover_keep(const struct handover *handover, struct keep **out);

#endif
