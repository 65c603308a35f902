/* SPDX-License-Identifier: MIT */
/*
 * The kernel's end of /dev/fuse: one request at a time goes to the server as bytes, what it writes
 * is taken apart, and what is so for any filesystem is checked: one reply for each request, of a
 * known unique number, an errno or a payload of the size that its kind has and no more than was
 * asked for, attributes and directory entries that make sense.
 */
#ifndef WIRE_H
#define WIRE_H

#include "fuzz.h"

#include <linux/fuse.h>
#include <stdbool.h>

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

enum { CALLS = 64, PAYLOAD = 1 << 17 };

struct call {
	bool used, answered;
	bool interrupted; /* told so; then EINTR is among the answers */
	uint64_t unique;
	uint32_t opcode, uid;
	uint64_t node;
	size_t size;     /* asked for, or of what is written */
	uint64_t offset; /* or flags, of an open */
	int expect;      /* the model's: the result, or 0 or -errno */
	int32_t error;   /* of the answer: 0 or -errno */
	const uint8_t *payload;
	size_t payload_size; /* both only until the next answer */
	struct model_handle *handle;
	char *data; /* of a write */
	size_t done;
	bool nonblock, starting;
	bool full;     /* an input that finds no room */
	uint64_t sent; /* ns */
	size_t mark;   /* of the log, when it was sent */
};

/* Its pointers are to be set before any request; `idle` is asked for the next one. */
struct wire {
	void (*idle)(void); /* nothing more will happen by itself: wire_send(), or end */
	void (*answered)(struct call *call); /* it is free again after that */
	void (*polled)(uint64_t kh);         /* a poll handle was told */
	const void *const *source;           /* the loop's source of the requests */
	bool (*busy)(void);                  /* whether the server has work left */
	bool ended;                          /* the filesystem is unmounted */
};

extern struct wire wire;
extern const struct fuse_custom_io wire_io;

void wire_reset(void);
/* All that is waited for has been answered, but for what the kernel need not be told. */
void wire_check_end(void);

/* Opens the connection. */
void wire_send_init(void);
/* The call is to be filled in by the caller; NULL: there are too many. */
struct call *wire_send(uint32_t opcode, uint64_t node, uint32_t uid, const void *head,
		       size_t head_size, const void *tail, size_t tail_size);
/* Exactly these bytes behind a header of that length; at most one answer comes, or none. */
void wire_send_raw(uint32_t opcode, uint64_t node, const void *data, size_t size);
/* Of a request that there is, or will be. */
void wire_interrupt(uint64_t unique);
/* Interrupts that found nothing may be answered with the requests that follow: how many. */
unsigned wire_interrupts(void);
uint64_t wire_next_unique(void);

extern struct call calls[CALLS];

void wire_check_attributes(const struct fuse_attr *attributes, uint64_t node);

#endif
