/* SPDX-License-Identifier: MIT */
/* A mimoboxfs to be measured, and what measures it. What does not work ends the program. */
#ifndef BENCH_H
#define BENCH_H

#include <sys/types.h>

enum { NAME = 512 };

/* The daemon, 0: none. $MIMOBOXFS in the foreground, in a directory of its own; $M is the mount. */
extern pid_t daemon_pid;
void bench_prepare(void);
void start_daemon(void);
void stop_daemon(void);

_Noreturn void give_up(const char *what); /* with errno */

/* In the benchmark's directory; eight calls later it is overwritten. */
const char *path(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A number from the environment. */
unsigned setting(const char *name, unsigned otherwise);
double now(void); /* seconds */
/* The value below which that share of them is; sorts them. */
double part(double *values, unsigned count, double share);

pid_t run_later(const char *const argv[]);
void must_end(pid_t pid);
double cpu_of(pid_t pid); /* seconds */
unsigned long resident_kib(pid_t pid);

/* Of a keeper the process that serves; 0: it has none. */
pid_t server_of(pid_t daemon);
/* With its server. */
double daemon_cpu(void);
unsigned long daemon_kib(pid_t daemon);

/* A session: mkdir and its command, which further lines of config may follow; `start`; rmdir. */
void make(const char *name, const char *command);
void start(const char *name);
void end(const char *name);

#endif
