/* SPDX-License-Identifier: MIT */
/*
 * The keeper's socket, at which it can be asked to be another program: unix(7), SOCK_SEQPACKET, by
 * an abstract name that the kernel picks, so that nobody has it before.
 *
 * Whoever gets through has the keeper run what they like. So that is the user alone that the keeper
 * is, and no sandbox or container of that user's: a process of the same user and PID namespaces.
 * Nobody else is listened to, and nobody is waited for.
 */
#ifndef DOOR_H
#define DOOR_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DOOR_CALLERS = 4, DOOR_POLLED = 1 + DOOR_CALLERS };

struct door_caller {
	int fd;         /* -1: none */
	uint64_t until; /* they have to say what they want, loop_now() */
};

struct door {
	int fd;
	uint64_t closed; /* until then, loop_now(); 0: it is open */
	struct door_caller callers[DOOR_CALLERS];
};

/* What is asked for; both descriptors are whose it is. */
struct door_call {
	uint32_t version, layout; /* as in struct replace_request; 0: it said none */
	int caller;
	int program; /* -1: none came along */
};

void door_init(struct door *door);
/* `name`, of `size` bytes, gets what others call it by. 0 or -errno. */
int door_open(struct door *door, char *name, size_t size);
/* One that has been opened, by another program. `name` as above. 0 or -errno. */
int door_take_up(struct door *door, int fd, char *name, size_t size);
void door_close(struct door *door);

/* What to wait for, and until when (UINT64_MAX: for ever). */
uint64_t door_polled(const struct door *door, struct pollfd polled[DOOR_POLLED]);
/* Never waits. True: somebody has said what they want; it is to be called again. */
bool door_look(struct door *door, struct door_call *call);
/* Closes the caller's descriptor. */
void door_answer(int caller, int error);

#endif
