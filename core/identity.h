/* SPDX-License-Identifier: MIT */
/*
 * Ids, outside, of sessions whose owner is root. Each daemon has a block of them for as long as one
 * of its processes lives: two daemons never give the same id. It begins with a random block, so
 * that a later daemon rarely gives an id that an earlier one gave, and so do daemons that cannot
 * see each other's locks (in containers).
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct keep;

/*
 * Above what SSSD maps by default (to 2,000,200,000), and below systemd's foreign range (from
 * 0x7ffe0000): https://systemd.io/UIDS-GIDS.
 */
#define IDENTITY_FIRST 0x78000000u
#define IDENTITY_LAST 0x7ffdffffu

enum { IDENTITY_BLOCK = 65536 };

struct identities {
	uid_t first;   /* of the block; 0: there is none */
	uint32_t next; /* the offset of the id that is given next */
	bool again;    /* all were given once */
	int lock;
};

/* "FIRST-LAST", with at least one whole block that may be used. 0 or -EINVAL. */
int identity_parse_range(const char *text, uid_t *first, uid_t *last);

/* 0 or -errno: -EUSERS: no block is left in the range. The keeper has the lock as well. */
int identities_create(struct keep *keep, uid_t first, uid_t last, struct identities *out);
/* In a process that goes on in another's place; `next` may skip ids that it gave. */
void identities_resume(struct keep *keep, uid_t first, uint64_t next, bool again,
		       struct identities *out);
void identities_finish(struct identities *identities);

/* The next one; that it is free is for the caller to see, where all were given once. */
uid_t identities_give(struct identities *identities);

/* Whether this user namespace has a block that is in the range. */
bool identities_are_mapped(uid_t first, uid_t last);

#endif
