/* SPDX-License-Identifier: MIT */
/*
 * Processes of a test: commands run with a deadline, clients left to run, a look at /proc.
 *
 * What is returned as text is terminated by a zero byte and lives until process_finish(). Nothing
 * waits without a bound: what outlives its deadline fails the test. A bound is that of a quick
 * machine, and these functions multiply it by the factor of pace.h.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pace.h"

/* The bound where a test has no reason for another one; under sanitizers. */
#define SECONDS 20

/* As asprintf(), kept until process_finish(). */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Keeps `memory`, from malloc(), until process_finish(). */
void *keep(void *memory);
bool has(const char *whole, const char *part);
uint64_t now_ms(void);

/* A command that has ended. */
struct run {
	int status; /* of exit, or minus the signal */
	char *out, *err;
	size_t out_size, err_size;
};
/*
 * Runs argv (until NULL) in a process group of its own, with M=mount point in its environment and
 * nothing as its input, until its end and that of its output and errors.
 */
struct run run(const char *const argv[]);
struct run run_for(unsigned seconds, const char *const argv[]);
/* `shell` is sh, bash, dash ... */
struct run run_shell(const char *shell, const char *script);
/* As run_shell("sh"), which must succeed: what it printed. */
char *sh(const char *script);
/* The cgroups whose path has a component that begins so. */
void groups_remove(const char *name);

/* A command or a function in a process of its own, killed at process_finish(). */
pid_t spawn(const char *const argv[]);
pid_t spawn_function(int (*function)(const void *data), const void *data);
bool was_spawned(pid_t pid);
/* Waits for it up to `milliseconds`, by the factor: true, and its status (or minus the signal). */
bool ended(pid_t pid, unsigned milliseconds, int *status);
/* As poll(2) for one descriptor, up to `milliseconds`, by the factor: what came, or 0. */
short poll_one(int fd, short events, unsigned milliseconds);

/*
 * The one place that polls, for what sends no event (the state of a process, say): asks
 * condition(data) every 2 ms until it is true or `milliseconds` (by the factor) have gone.
 */
bool await(bool (*condition)(const void *data), const void *data, unsigned milliseconds);
/* Lets time go by, not by the factor, where a test shows that something does not happen. */
void pause_ms(unsigned milliseconds);

/* The letter in /proc/PID/stat, or 0 where there is no such process. */
char process_state(pid_t pid);
/* The value after `key:` in /proc/PID/status, or NULL. */
char *process_fact(pid_t pid, const char *key);
/* How many processes of the machine have `part` in their command line. */
unsigned processes_with(const char *part);
/* For await(): `data` is a pid_t, or the text for processes_with(). */
bool process_waits(const void *pid); /* S or D: it has nothing to do but wait */
bool process_reads(const void *pid); /* it waits in read(2) for what is not there */
bool process_gone(const void *pid);
bool none_with(const void *part);
bool any_with(const void *part);
bool process_stopped(const void *pid);
/* A number that no other test uses, for `sleep NUMBER`. */
unsigned marker(void);
/* The children of this process: how many, and `room` of them. */
unsigned children(pid_t pids[], unsigned room);

/* Kills what was spawned and frees what was returned. */
void process_finish(void);

#endif
