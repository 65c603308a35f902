/* SPDX-License-Identifier: MIT */
/*
 * Which version of Landlock a config needs. What an older version lacks, another layer refuses as
 * well, or it does not: that depends on the config.
 */
#ifndef LANDLOCK_FLOOR_H
#define LANDLOCK_FLOOR_H

#include "access.h"

#include <stddef.h>
#include <stdio.h>

/*
 * The lowest version that will do: the one that is asked for; with `auto` the first of which each
 * right that it lacks is refused by another layer. 0: none is needed.
 */
int landlock_floor(const struct access *access);

/* What `auto` comes to. */
int landlock_floor_of_network(enum network network);

/*
 * For `status`: the version `abi` in force (below 1: none), what stands in for each right that it
 * lacks, and for what nothing does.
 */
void landlock_print(const struct access *access, int abi, FILE *to);

/*
 * Why a start is refused where landlock_abi() says `abi`, and what to do: a few words that fit into
 * parentheses. "" where `abi` will do.
 */
void landlock_explain(const struct access *access, int abi, char *text, size_t size);

#endif
