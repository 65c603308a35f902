/* SPDX-License-Identifier: MIT */
/*
 * What a sandbox may reach beyond its own: host paths, the network, and which system calls.
 * A part of `struct config`; values come from its keys `ro`, `rw`, `overlay`, `device`, `root`,
 * `network`, `allow`, `deny`, `publish`, `seccomp`, `fork`, `ptrace`, `landlock`.
 */
#ifndef ACCESS_H
#define ACCESS_H

#include "names.h"
#include "paths.h"
#include "sysfilter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* As a version of Landlock: what the config needs, see landlock_floor(). */
#define LANDLOCK_AUTO UINT64_MAX

enum { ACCESS_PUBLISHED_MAX = 32 };

enum network {
	NETWORK_NONE,  /* a network of its own, with nothing but a loopback */
	NETWORK_NAMES, /* the same, and hosts that are allowed by name (relay.h) */
	NETWORK_TCP,   /* the host's; TCP, and connecting to the ports named, only */
	NETWORK_HOST,  /* the host's */
};

struct access_path {
	char *outside; /* on the host */
	char *inside;  /* in the sandbox */
	enum path_kind kind;
};

struct access {
	struct access_path *paths; /* in the order in which they were first named */
	size_t path_count;
	enum network network;
	uint16_t *ports;
	size_t port_count;
	uint16_t published[ACCESS_PUBLISHED_MAX]; /* ports of its own network */
	unsigned published_count;
	struct names names; /* with NETWORK_NAMES; while a session runs, as they are now */
	enum sysfilter_profile seccomp;
	bool fork;
	bool ptrace;
	uint64_t landlock; /* the lowest version that will do, or LANDLOCK_AUTO; 0: none is needed
			    */
};

/* Gives a place its one name, in place; false where it is relative or has `.` or `..` in it. */
bool access_tidy(char *path);
/* By name, both tidy; a directory is below itself. */
bool access_is_below(const char *path, const char *directory);

/*
 * `PATH` or `OUTSIDE:INSIDE`; another path for the same place inside takes its place. 0, -ENOMEM,
 * or with *why -E2BIG, too many, or -EINVAL: relative, `..` in it, a place that is the sandbox's
 * own, or a second overlay of one directory.
 */
int access_add_path(struct access *access, const char *value, enum path_kind kind,
		    const char **why);
/* How many there are. */
unsigned access_count(const struct access *access, enum path_kind kind);
/* The same of overlays. */
unsigned access_overlays(const struct access *access);

/* `none`, `names`, `host`, or `tcp PORT,...`. 0, -EINVAL, -ERANGE a port out of bounds, -ENOMEM. */
int access_set_network(struct access *access, const char *value);

/* `auto`, `none`, or a version from 1 to LANDLOCK_ABI_ALL. 0, -EINVAL, -ERANGE. */
int access_set_landlock(struct access *access, const char *value);

void access_print_paths(const struct access *access, enum path_kind kind, FILE *to);

/* The name of the key. */
const char *access_kind_name(enum path_kind kind);
/* The kind that such a key is for. */
enum path_kind access_kind(const char *name);

/* A path as it is written in a value; the caller's; NULL: no memory. */
char *access_read_path(const char *text, size_t size);
/* A path as it is written in a value, with what could be taken for something else escaped. */
void access_print_path(const char *path, FILE *to);
void access_print_network(const struct access *access, FILE *to);
void access_print_names(const struct access *access, bool deny, FILE *to);
/* `none`, `names`, `tcp`, `host`. */
const char *access_network_name(enum network network);
/* Whether it is one of its own. */
static inline bool access_own_network(const struct access *access)
{
	return access->network <= NETWORK_NAMES;
}
/* `none`, or `PORT,...`. As access_set_network(). */
int access_set_published(struct access *access, const char *value);
void access_print_published(const struct access *access, FILE *to);
/* Whether there is something in its own network for the relay to do. */
static inline bool access_has_relay(const struct access *access)
{
	return access->network == NETWORK_NAMES ||
	       (access->network == NETWORK_NONE && access->published_count > 0);
}
/* Whether hosts are allowed by their addresses, which needs routes. */
bool access_has_addresses(const struct access *access);
void access_print_landlock(const struct access *access, FILE *to);

/* `to` need not be initialised. 0 or -ENOMEM, and then empty. */
int access_copy(struct access *to, const struct access *from);
void access_finish(struct access *access);

/* The filter that this comes to. */
struct sysfilter_options access_filter(const struct access *access);

#endif
