/* SPDX-License-Identifier: MIT */
/*
 * What the library that makes calls fail (fault.c) and the tests that use it share: a file that
 * both have mapped, named by $FAULT_PLAN. The processes that the daemon makes have it as well.
 *
 * A site is a call of one function from one place, as the return addresses in the program tell,
 * by a process in one role. Addresses are counted from the program's beginning.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum { FAULT_FRAMES = 5, FAULT_SITES_MAX = 8192, FAULT_CALL_MAX = 24 };

enum fault_role {
	FAULT_DAEMON,
	FAULT_FORKER,
	FAULT_SPAWNER,
	FAULT_SWEEPER,
	FAULT_REMOVER,
	FAULT_UNMOUNTER,
	FAULT_TICKER,
	FAULT_INIT,
	FAULT_BUILDER,
	FAULT_SERVER /* of a keeper's; that is then the daemon */
};

/* What becomes of the server at the first call from a site. */
enum fault_death { FAULT_LIVES, FAULT_DIES_BEFORE, FAULT_DIES_AFTER, FAULT_STOPS_AFTER };

/* As a target, of a death: each site of that call in a server. */
#define FAULT_ANY UINT64_MAX

/* As an error: the call has no reason to fail. It is a place where the server may be killed. */
enum { FAULT_NONE = 0 };

struct fault_site {
	_Atomic uint64_t key; /* 0: free */
	_Atomic uint32_t count;
	uint32_t at_start; /* of these, before the mount was up */
	uint32_t role;
	int32_t error;
	uint32_t depth;
	char call[FAULT_CALL_MAX];
	uint64_t frames[FAULT_FRAMES]; /* the innermost first */
};

struct fault_plan {
	/* What is to fail: the site with this key, at its first call or at every one. */
	_Atomic uint64_t target;
	char call[FAULT_CALL_MAX]; /* of the target: to tell most others apart at once */
	bool always;
	_Atomic bool any;      /* each site of that call is the target */
	_Atomic int32_t error; /* that it fails with, in the place of its own; 0: none */
	/* Instead of failing it takes so long; in sandboxes of this round alone. */
	_Atomic uint32_t delay_ms, round;
	_Atomic uint32_t hits;
	/* Instead of that, the server is killed there: one, or always each. */
	uint32_t death;
	/* The next target, of another server, say; 0: none. */
	uint64_t then;
	char then_call[FAULT_CALL_MAX];
	/* The process that serves, or is about to. */
	_Atomic int32_t daemon;
	/* Allocations of the daemon that are not yet freed. */
	_Atomic int64_t live;
	/* Added to what the daemon is told of the time of day; seconds. */
	_Atomic int64_t clock;
	/* The kernel knows no SO_PEERPIDFD: it is one before 6.5. Asking for it is a hit. */
	bool older;
	/* What is to be told: all sites that are reached. */
	bool record;
	_Atomic bool full;
	struct fault_site sites[FAULT_SITES_MAX];
};

#endif
