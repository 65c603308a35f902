/* SPDX-License-Identifier: MIT */
/*
 * What a session prints, between its init, which reads it from the terminal or a pipe, and the
 * server, which takes it. Both have the memory. Offsets are absolute: bytes since the start.
 */
#ifndef RING_H
#define RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RING_SIZE = 256 * 1024 };

struct ring_shared {
	_Atomic uint64_t written; /* init's */
	_Atomic uint64_t taken;   /* the server's */
	_Atomic uint64_t ring_at; /* init rings once `written` is as much; UINT64_MAX: it has */
	_Atomic uint32_t full;    /* init waits for room */
	_Atomic uint32_t ended;   /* init has read all that there will be */
	_Atomic uint32_t untidy;  /* the ring holds memory that init can give back */
};

/* In the server. It believes no number of init's that cannot be. */

struct ring_view {
	struct ring_shared *shared; /* NULL: there is none (any more) */
	const char *data;
	uint64_t taken;
};

/* All up to there was taken by another server. */
void ring_resume(struct ring_view *ring, uint64_t taken);
/* What there is. -EPROTO: init's numbers cannot be. */
int ring_look(const struct ring_view *ring, size_t *size);
/* Copies so much of that. */
void ring_copy(const struct ring_view *ring, char *to, size_t size);
/* That is kept elsewhere now. True: init waits for that. */
bool ring_took(struct ring_view *ring, size_t size);
/* Has init ring when there is so much. False: there is as much already. */
bool ring_await(const struct ring_view *ring, size_t size);
bool ring_is_untidy(const struct ring_view *ring);
bool ring_has_ended(const struct ring_view *ring);

/* In init. Async-signal-safe. */

enum ring_state {
	RING_MORE,  /* there may be */
	RING_EMPTY, /* there is nothing more now */
	RING_FULL,
	RING_ENDED, /* no process has the other end open any more, and all was read */
};

struct source {
	struct ring_shared *shared;
	char *data;
	int fd;      /* -1: none (any more) */
	size_t used; /* bytes of the ring that may hold memory */
};

/* Room for the next read; 0: it waits for the server, which is told. */
size_t ring_room(const struct source *source);
/* One read. *rings: the server has to be told. */
enum ring_state ring_fill(struct source *source, bool *rings);
/* No more will come. */
void ring_end(struct source *source);
/* Gives the ring's memory back, if nothing is in it. */
void ring_tidy(struct source *source);

#endif
