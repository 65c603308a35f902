/* SPDX-License-Identifier: MIT */
/* Several daemons at a time, and a session's life by its files. What does not work ends all. */
#ifndef BENCH_MOUNT_H
#define BENCH_MOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct bench_mount {
	const char *name; /* of its directories, and in the tables */
	unsigned pool;    /* how many sandboxes it keeps ready; 0: none */
	bool waits;       /* between sessions, until the pool is full again */
	pid_t pid;
};

/* When things happened, by now(). Zero: it was not looked at. */
struct life {
	double begin, start, byte, exit, gone;
};

/* After bench_prepare(). `config` is what every session starts from. */
void mount_start(struct bench_mount *mount, const char *config);
void mount_stop(struct bench_mount *mount);
/* A line of `stats`; 0 where there is none. */
uint64_t mount_stat(const struct bench_mount *mount, const char *key);
/* Until the pool is full, where it has one and `waits`; once it took 2 s, never again. */
void mount_settle(struct bench_mount *mount);

/*
 * mkdir, `config` (NULL: not written), `start`, `exit`, rmdir. With `printed`, output is opened
 * before the start and read to its end, and has to be just that; exit has to be 0.
 */
void mount_session(const struct bench_mount *mount, const char *name, const char *config,
		   const char *printed, struct life *life);
/* Starts one that stays. 0, or a negative errno and in `why` the last line of its log. */
int mount_keep(const struct bench_mount *mount, const char *name, const char *config, char *why,
	       size_t why_size);

#endif
