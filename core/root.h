/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's root: a small tmpfs with the host's system directories bound read-only, /proc,
 * /dev and a terminal filesystem of its own.
 */
#ifndef ROOT_H
#define ROOT_H

#include "landlock.h"

#include <stdbool.h>
#include <stdint.h>

struct cgroup_view;
struct quotas;
struct sandbox_path;

/* What programs inside have for the machine's name; /etc/hosts there has it. */
#define ROOT_HOST_NAME "mimobox"

/* What the host has of the directories that a system is spread over: prepared once. */
struct root_layout {
	struct root_directory {
		char path[16];    /* "/usr", "/bin", ... */
		char target[112]; /* where it is a symbolic link to; "" where it is a directory */
	} directories[10];
	unsigned count;
	char resolver[112]; /* where /etc/resolv.conf is a link to; "" where it is none */
	/* Of /sys/devices/system/cpu: which processors there are. "": it cannot be read. */
	char processors[3][128];
};

/* 0 or -errno. */
int root_layout_init(struct root_layout *layout);

enum { ROOT_RULES_MAX = 24 };

/*
 * What may be done in it: fills in `rules`, whose paths are borrowed. Returns how many. `layout` is
 * NULL for one that root_furnish() furnishes.
 */
unsigned root_rules(const struct root_layout *layout, struct landlock_rule rules[ROOT_RULES_MAX]);

/* With names: one more, where the resolver's file is at another place than /etc. */
bool root_resolver_rule(const struct root_layout *layout, struct landlock_rule *rule);

/* The first three as mount options take them. */
struct root_options {
	const char *tmp_size, *tmp_inodes;
	const char *terminals; /* how many its devpts may have */
	bool own_network;      /* the host's is not there */
	bool own_system;       /* root_furnish() adds the system's directories later */
	bool names;            /* and names lead out of it: inside.h */
	unsigned dns_seconds;  /* then: that programs wait for an answer */
	bool home;             /* there is one on disk */
	bool new_network;      /* and what is there has no bounds yet */
	const struct cgroup_view *view;
	uint64_t group; /* its own */
};

/*
 * Builds the root, all but the session's own paths, over the old one's. For a process of new user,
 * mount and PID namespaces, with all capabilities there; async-signal-safe. Returns a descriptor of
 * it, or -errno with *what naming the thing that failed.
 */
int root_make(const struct root_layout *layout, const struct quotas *quotas,
	      const struct root_options *options, const char **what);

/*
 * Adds the system's directories from those of another system, whose root is `directory`. Likewise:
 * 0 or -errno.
 */
int root_furnish(int root, int directory, const char **what);

/*
 * Adds `paths`, opened before (paths.h), and moves every process of the mount namespace that is in
 * the old root into this one, the old one out of reach. `changes`: see paths_attach().
 * Likewise.
 */
int root_enter(int root, const struct sandbox_path *paths, unsigned count, int changes,
	       const char **what);

#endif
