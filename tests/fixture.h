/* SPDX-License-Identifier: MIT */
/*
 * A real mimoboxfs on a mount point of its own, for one test.
 *
 * fixture_start() and fixture_stop() are the .init and .fini of a Criterion suite. A test that
 * starts the daemon in its own way begins with fixture_prepare(). Everything lies in one new
 * directory, `fixture.dir`: the mount point m, the spool, workspaces, the sanitizers' logs.
 *
 * The daemon is started as a user does it, in the background. The test's process is a subreaper,
 * so the daemon becomes its child, and so does whatever the daemon leaves behind.
 *
 * A guardian, forked at first, holds a pipe. When the test's process goes without having said that
 * all is tidied, or when it takes far too long, the guardian kills the daemon (its sandboxes die
 * with it), detaches the mount, and removes the directory.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stdbool.h>
#include <sys/types.h>

struct fixture {
	char dir[64];
	char mount[80];
	char spool[80];
	char workspaces[80];
	unsigned seconds; /* that a test may take, set before it is prepared; 0: as most */
	bool crashed;     /* a test killed the daemon: what its sessions had in workspaces stays */
	pid_t daemon;     /* 0: none */
	pid_t server;     /* the first one that serves: the keeper's child, or the daemon itself */
	pid_t guardian;
	int guardian_pipe;
};
extern struct fixture fixture;

/* The program under test. */
const char *mimoboxfs(void);

void fixture_start(void);
void fixture_stop(void);

/* The directory and the guardian, without a daemon. */
void fixture_prepare(void);
/*
 * Runs mimoboxfs with `options` (until NULL; NULL: none) before those for the spool, the workspaces
 * and the mount point.
 */
void fixture_daemon(const char *const options[]);
/* Takes a daemon that a test's command has started: the one child that is neither ours. */
void fixture_adopt(void);
/* SIGTERM, where `signal` is not 0. Exit status 0, and nothing may be left. */
void fixture_daemon_ended(int signal);
/* Nothing but the mount point itself may be left of the daemon `pid`. */
void fixture_nothing_left(pid_t pid);

bool fixture_mounted(void);
/* The version of Landlock that the daemon finds: the kernel's, or the older one that is played. */
int fixture_landlock(void);
/* How many sandboxes the daemon is told to build ahead: $POOL, or 4. */
unsigned fixture_pool(void);
/* Waits until they are there. */
void fixture_pool_filled(void);
/*
 * With a keeper, the process that serves: a child of the daemon's, and another when it was killed.
 * 0: none now.
 */
pid_t fixture_server(void);
/* For await(): another than the one that `before` points to is there, and stopped. */
bool fixture_next_is_stopped(const void *before);
/* The same: nothing is mounted; and what was left of a keeper was this process's to reap. */
bool fixture_unmounted(const void *unused);
bool fixture_alone(const void *unused);
/* A child of `parent` of that name; 0: none now. */
pid_t fixture_child(pid_t parent, const char *name);
/* Descriptors that the daemon has open, and its server; some are for sandboxes built ahead. */
unsigned fixture_descriptors(void);
/* A mount namespace of the test's own: what it mounts is seen by nobody else, and goes with it. */
void fixture_private_mounts(void);

#endif
