/* SPDX-License-Identifier: MIT */
/*
 * The environment of a sandboxed program: nine variables of its own, and what `env` lines lay
 * over them. Nothing of the daemon's.
 */
#ifndef ENVIRON_H
#define ENVIRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The overlay. Zero-initialised is empty. */
struct environ {
	char **set; /* NAME=VALUE, owned */
	size_t count;
	size_t size; /* bytes of all of them */
};

/*
 * `NAME=VALUE`; by name, a later one takes the place of an earlier one. -EINVAL: no name, or one
 * that loaders and shells act on before the program does (LD_*, DYLD_*, ENV, BASH_ENV, in any
 * case of letters). -E2BIG: too many, or too much. -ENOMEM.
 */
int environ_set(struct environ *environ, const char *assignment);
int environ_copy(struct environ *to, const struct environ *from);
void environ_finish(struct environ *environ);

/* What HOME, TMPDIR and PWD follow, unless they were set. */
struct environ_places {
	const char *cwd;
	bool home; /* there is one on disk */
};

/* Whether one of those is so without being set. */
bool environ_follows(const struct environ_places *places, const char *assignment);

/*
 * The whole environment as execve() takes it. NULL where memory is short. Free with
 * environ_free_vector().
 */
char **environ_vector(const struct environ *environ, const struct environ_places *places);
void environ_free_vector(char **vector);

#endif
