/* SPDX-License-Identifier: MIT */
/*
 * Clients that use sessions while something is done to the daemon, each a process: they check all
 * that they get, and what they find wrong fails the test by their exit status, and they have said
 * what it was. And sessions that print streams which are known.
 */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#if defined(__SANITIZE_ADDRESS__)
enum { CREW_SESSIONS = 20 };
#else
enum { CREW_SESSIONS = 100 };
#endif

/* A client that has to give up says why. */
#define NEED(condition, ...)                                               \
	do {                                                               \
		if (!(condition)) {                                        \
			fprintf(stderr, "%d: %s: ", __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__);                      \
			fprintf(stderr, "\n");                             \
			exit(1);                                           \
		}                                                          \
	} while (0)

/* Set when nothing is done to it any more: clients come to their end. */
extern volatile bool *over;

/* Nobody works yet, and it is not over. */
void crew_begin(void);
void crew_work(int (*function)(const void *), const void *data);
/* All but the first so many. */
void crew_ended(unsigned but);

struct printer {
	unsigned number, words, piece;
	bool polls; /* reads without blocking */
	bool pipes;
};

/* So many sessions p1, p2 ... print; each is read, and of some the status is waited for. */
void crew_print(void);
/* They were right, and are removed. */
void crew_printed(void);

/* A session that answers each line with its number; the next is `number`. */
void counter_start(const char *name);
void counter_counts(const char *name, unsigned number);
void counter_end(const char *name);

#endif
