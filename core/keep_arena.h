/* SPDX-License-Identifier: MIT */
/* What the files of keep share; the interface is keep.h. */
#ifndef KEEP_ARENA_H
#define KEEP_ARENA_H

#include "keep.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>

enum { KEEP_LOG_START = 64, KEEP_CLASSES = 9, KEEP_BUFFER_PLACE = 1 << 16 };

struct keep_slot {
	uint64_t id;
	uint64_t offset; /* of the newest record; 0: it was dropped */
	uint32_t kind;   /* 0: free */
	uint32_t part;
};

/* A record as it is in memory. */
struct keep_entry {
	uint32_t kind, part;
	uint64_t id;
	uint32_t size;
	uint32_t dropped;
	char data[];
};

struct keep_head {
	uint32_t version;
	_Atomic uint32_t active;
	_Atomic uint64_t tail[2];
	struct keep_work work;
	char making[PATH_MAX];
};

/* What keep_pass() writes. */
struct keep_passed {
	uint32_t version;
	int32_t memory;
	uint64_t size;
	uint64_t count; /* of struct keep_passed_descriptor, behind it */
};

struct keep_passed_descriptor {
	uint64_t id;
	uint32_t part;
	int32_t fd;
};

struct keep_places {
	uint64_t *places;
	size_t held; /* the first so many hold memory */
	size_t count, room;
};

struct keep_range {
	uint64_t place;
	size_t size;
};

/* A descriptor that the keeper has. */
struct keep_stored {
	uint64_t id;
	uint32_t part;
	int fd;
	uint32_t next; /* of the same chain, + 1 */
};

struct keep_release {
	uint64_t id;
	uint32_t part;
	bool all;
};

struct keep_now {
	uint64_t unique; /* 0: none */
	size_t before, after;
};

struct keep {
	struct keep_head *head;
	size_t size;
	int memory; /* the file that it all is in; -1: not in the keeper */
	pid_t owner;
	char name[KEEP_NAME_MAX + 1];
	int socket;
	bool again;
	bool armed; /* there will be another */
	bool cut;   /* some of what was to be stored was lost */
	struct keep_now request;

	char *regions[2];
	size_t region_size;
	uint32_t active;
	uint64_t next; /* where the next record goes */
	struct keep_slot *slots;
	size_t slot_count, slots_used, live, live_bytes;

	uint64_t blocks_start, blocks_end;
	struct keep_places free[KEEP_CLASSES];
	size_t idle;              /* bytes of those that hold memory */
	struct keep_range *freed; /* since the last commit */
	size_t freed_count, freed_room;
	struct keep_range *claimed; /* until keep_settle() */
	size_t claimed_count, claimed_room;
	bool claiming;

	struct keep_release *releases; /* since the last commit */
	size_t release_count, release_room;
	struct keep_stored *stored; /* fd -1: taken */
	size_t stored_count, stored_room;
	uint32_t *chains;
	size_t chain_count;
};

/* With nothing in it; NULL: no memory. */
struct keep *keep_new(void);
/* So much of keep->memory. 0 or -errno. */
int keep_map(struct keep *keep, size_t size);
void keep_releases_commit(struct keep *keep);
void keep_blocks_commit(struct keep *keep);
/* Room for one more in a growing array of elements of that size. */
bool keep_make_room(void **array, size_t *room, size_t count, size_t size);
void keep_blocks_settle(struct keep *keep);
/* The memory of these places; they read as zeros then. */
void keep_give_back(const struct keep *keep, uint64_t from, uint64_t to);
/* In the keeper: it has this one, which is closed where there is no memory. */
void keep_insert(struct keep *keep, uint64_t id, uint32_t part, int fd);
/* Has room for the first of them. 0 or -ENOMEM. */
int keep_store_begin(struct keep *keep);
void keep_store_finish(struct keep *keep);

#endif
