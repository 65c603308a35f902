/* SPDX-License-Identifier: MIT */
/*
 * What outlives a process that is killed: a keeper (fs/keeper.c) forks it, and when it is killed
 * the next, which goes on with what is kept here. Where there is no keeper, every `struct keep *`
 * is NULL, and all of this does nothing.
 *
 * Records: the state of things, each under a key, in memory that the keeper shares. What is put is
 * kept from keep_commit() on, all at once: a process that is killed leaves either what was before,
 * or all that was put together. So an effect, and the answer that tells of it, are committed
 * together, before anybody can see either.
 *
 * Blocks: memory of the same kind, for bytes that records say the place and the size of.
 *
 * Descriptors: the keeper has a copy of each that is stored, until it is released. Both are a
 * message, which nobody waits for.
 */
#ifndef KEEP_H
#define KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct keep;

/*
 * Another number is another program's, which cannot go on from here. It is a greater one whenever
 * the meaning changes of something that a server finds where it goes on: of what is kept (the
 * records, struct keep_head, what keep_pass() and fs/handover.c write), or of what a server and the
 * init of a sandbox say to each other. A change of its layout is told by layout.h.
 */
enum { KEEP_VERSION = 4, KEEP_NAME_MAX = 15 };

enum keep_kind {
	KEEP_BOX = 1, /* core's */
	KEEP_DEFAULTS,
	KEEP_SESSION,
	KEEP_STREAMS,
	KEEP_CONFIG,
	KEEP_WORKSPACE,
	KEEP_JOURNAL,
	KEEP_TIMELINE,
	KEEP_REMOVAL,
	KEEP_REQUEST,
	KEEP_CGROUPS,
	KEEP_NETWORK = 40,
	KEEP_SERVER = 64, /* the filesystem's */
	KEEP_MOUNT,
	KEEP_INIT,
	KEEP_DIR,
	KEEP_HANDLE,
	KEEP_TEXT,
	KEEP_CARRY,
	KEEP_CAST,
	KEEP_FEED,
	KEEP_WAITING,
	KEEP_RING,
	KEEP_LABELS = 80,
};

struct keep_record {
	uint64_t id;
	uint32_t part;
	const void *data; /* valid until the next commit */
	size_t size;
};

/* In the keeper, before it forks the first. 0 or -errno. */
int keep_create(struct keep **out);
void keep_destroy(struct keep *keep);

/*
 * In the process that was forked: `socket` leads to the keeper. `again`: another has been killed,
 * and what it has left is to be gone on with. What is kept is not in the memory of processes that
 * this one forks. 0 or -errno.
 */
int keep_enter(struct keep *keep, int socket, bool again);
bool keep_again(const struct keep *keep);
/* The keeper's process; this one where there is none. */
pid_t keep_owner(const struct keep *keep);
/* Where the keeper can be spoken to, up to KEEP_NAME_MAX bytes; "": nowhere. */
void keep_set_name(struct keep *keep, const char *name);
const char *keep_name(const struct keep *keep);

/* Nothing is kept that is as it was. Where memory is short, the process ends. */
void keep_put(struct keep *keep, enum keep_kind kind, uint64_t id, uint32_t part, const void *data,
	      size_t size);
void keep_drop(struct keep *keep, enum keep_kind kind, uint64_t id, uint32_t part);
void keep_commit(struct keep *keep);
/* Before something new is made: whether there is memory for its records. 0 or -ENOMEM. */
int keep_reserve(struct keep *keep);
/* NULL: there is none. */
const void *keep_get(const struct keep *keep, enum keep_kind kind, uint64_t id, uint32_t part,
		     size_t *size);
/* Those of a kind, by id and part; *out is the caller's to free. 0 or -ENOMEM. */
int keep_list(const struct keep *keep, enum keep_kind kind, struct keep_record **out,
	      size_t *count);

/* Of 4 KiB to 1 MiB, a power of two; without a keeper, malloc(3)'s. NULL: no memory. */
enum { KEEP_BLOCK_MIN = 4096, KEEP_BLOCK_MAX = 1 << 20 };
void *keep_block(struct keep *keep, size_t size);
/* It is given to others only after the next commit. NULL is fine. */
void keep_block_free(struct keep *keep, void *block, size_t size);
/*
 * The same memory for each server, for what a client asks and the server works on: more than one of
 * the largest blocks. NULL: no keeper.
 */
enum { KEEP_BUFFER_SIZE = KEEP_BLOCK_MAX + KEEP_BLOCK_MIN };
void *keep_buffer(struct keep *keep);
/* How a record tells of it; 0: NULL. */
uint64_t keep_block_place(const struct keep *keep, const void *block);
void *keep_block_at(struct keep *keep, uint64_t place);
/* The same, and what the record told of is in use. */
void *keep_block_claim(struct keep *keep, uint64_t place, size_t size);

/* Has the keeper have copies as well. 0 or -errno. */
int keep_store(struct keep *keep, uint64_t id, const uint32_t *parts, const int *descriptors,
	       unsigned count);
/* The keeper closes all of them, or one: after the next commit. */
void keep_release(struct keep *keep, uint64_t id);
void keep_release_part(struct keep *keep, uint64_t id, uint32_t part);
/* The caller's own; -1: there is none (any more). */
int keep_take(struct keep *keep, uint64_t id, uint32_t part);
/* When all was taken up: closes what nobody took, and frees the blocks that nobody claimed. */
void keep_settle(struct keep *keep);

/*
 * A client's request that is being worked on, so that its effect and how far it came are kept
 * together; it may be asked again by those who have not heard the answer.
 */
struct keep_request {
	int64_t result;    /* bytes of it that have taken effect; or -errno */
	uint32_t starting; /* it waits for a start */
	uint32_t says;     /* a word to a sandbox, which may have heard it */
	uint32_t final;    /* the result is the answer */
};
/* From here on: `before` of its bytes had taken effect, and with what is done now `after`. */
void keep_request_begin(struct keep *keep, uint64_t unique, size_t before, size_t after);
void keep_request_end(struct keep *keep);
/* A number for what is being done: the same when it is done again. 0: nobody has asked for it. */
uint64_t keep_request_key(const struct keep *keep);
/* Whether keep_request_says() was committed for it by another. */
bool keep_request_said(const struct keep *keep);
/*
 * Core's word, before it commits: what was asked for is done; is a start; is a word that is about
 * to be said; took so many bytes.
 */
void keep_request_done(struct keep *keep);
void keep_request_starts(struct keep *keep);
void keep_request_says(struct keep *keep);
void keep_request_took(struct keep *keep, ssize_t count);

/*
 * The request that the server works on, so that one that kills each server can be found. Volatile:
 * the next server reads what this one wrote last. NULL: no keeper.
 */
struct keep_work {
	uint64_t unique;  /* the kernel's number; 0: none */
	uint64_t suspect; /* the last that a server died of */
	uint64_t deaths;  /* in a row, of that one */
};
volatile struct keep_work *keep_work(struct keep *keep);

/* The path of a directory that is about to be made, before anything else tells of it. */
void keep_making(struct keep *keep, const char *path);
const char *keep_made(const struct keep *keep);

/* For the keeper */

/*
 * Armed: it serves, and there is enough to go on with, should it be killed. Ready: whoever started
 * the keeper may go on.
 */
enum keep_message { KEEP_ARMED = 1, KEEP_READY };
int keep_tell(struct keep *keep, enum keep_message message);
/* Ends the process, for another to go on with what is committed; returns where none would. */
void keep_begin_anew(const struct keep *keep);
/* The same, but it returns once all that another has left is taken up. */
void keep_take_up_anew(const struct keep *keep);

/*
 * In the keeper: takes what is to be stored or released off the socket, up to the next of these
 * messages, which it returns; 0 at the end of the socket, -EAGAIN where there is no more now.
 */
int keep_hear(struct keep *keep, int socket);
/* Whether it had a descriptor of its own for each that was to be stored. */
bool keep_has_all(const struct keep *keep);

/* In the keeper: closes what is stored under it. */
void keep_discard(struct keep *keep, uint64_t id);

/*
 * In a keeper that is to be another program in the same process (execve(2)), while it has no
 * server. keep_pass() writes to `file` what keep_take_up() reads there, and keep_pass_on() has all
 * of it outlive that, or not. 0 or -errno: -EPROTONOSUPPORT is another version's.
 */
int keep_pass(const struct keep *keep, int file);
int keep_pass_on(const struct keep *keep, bool on);
int keep_take_up(int file, struct keep **out);

#endif
