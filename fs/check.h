/* SPDX-License-Identifier: MIT */
#ifndef CHECK_H
#define CHECK_H

struct options;

/*
 * Does all that a mount with these options does, apart from mounting at a place that somebody
 * knows, and tells of each part, a `key value` line each on standard output: `ok`, or why not and
 * what to do. Returns an exit status: the highest of all parts.
 */
int check_run(const struct options *options);

#endif
