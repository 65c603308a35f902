/* SPDX-License-Identifier: MIT */
/*
 * One program that tries to get out of a sandbox by every way we know of, and says of each what
 * came of it. See hostile.c for how it is used.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>

enum verdict {
	DENIED,     /* with an errno */
	ESCAPED,    /* got what a sandbox must not give */
	UNTESTABLE, /* the machine or the caller lacks what it takes to try */
};

struct outcome {
	enum verdict verdict;
	int error;
	char detail[160];
};

/* Who gets it without any sandbox: where they don't, the probe proves nothing there. */
enum need {
	ANYONE,
	ROOT,
	MACHINE, /* depends on the kernel's configuration */
	OBJECT,  /* anyone, given the object outside that the probe's `object` names */
};

struct probe {
	const char *name;
	enum need need;
	const char *object; /* environment variable; NULL: none is needed */
	bool alone;         /* only when asked for by name: it ends this process, or floods */
	unsigned seconds;   /* 0: the usual time */
	struct outcome (*fn)(const char *object);
	const char *what;
};

/* Each ends with a row without a name. */
extern const struct probe call_probes[];   /* the kernel, by system calls */
extern const struct probe socket_probes[]; /* sockets */
extern const struct probe reach_probes[];  /* files and processes outside */
extern const struct probe quota_probes[];  /* what the machine has once for all */
extern const struct probe use_probes[];    /* more than one's share */

struct outcome escaped(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct outcome denied(int error);
struct outcome denied_after(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
struct outcome untestable(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Of a call that returns less than 0 and sets errno. Call it first thing after that. */
struct outcome outcome_of(long result);
/* Likewise; the errno `beyond` comes only from behind the check for privileges. */
struct outcome outcome_beyond(long result, int beyond);

/* A path in the directory for scratch files (HOSTILE_DIR, TMPDIR or /tmp), in a static buffer. */
const char *scratch(const char *name);
/* The number in an environment variable, or `otherwise`. */
long parameter(const char *name, long otherwise);

#endif
