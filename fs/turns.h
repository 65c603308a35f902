/* SPDX-License-Identifier: MIT */
/*
 * How users share the one thread.
 *
 * What has to be done once more (requests that an event woke, requests whose work is long, polls
 * that are to be told) waits in a list of the user whose turn it takes. Each round of the loop
 * gives each of these users a turn of bounded time, and all of them together a bounded time; who
 * had no turn is first in the next round. A user who has had as much in this round by requests that
 * came in waits as well. So one user's ten thousand readers, or one hundred that make the server
 * draw a screen, delay the others by one turn.
 */
#ifndef TURNS_H
#define TURNS_H

#include "link.h"

#include <stdbool.h>
#include <stdint.h>

struct handle;
struct server;
struct user;

/* A user's part of it. */
struct turn {
	struct link link;     /* in the server's list, while there is something to do */
	struct link requests; /* that are to be tried again */
	struct link wakes;    /* handles whose polls are to be told */
	uint64_t round;       /* in which `spent` was counted */
	uint64_t spent;       /* ns */
};

void turn_init(struct turn *turn);

/* All of these requests and watched handles are due. Either may be NULL. */
void turns_add(struct user *user, struct link *requests, struct link *watched);
/* The same of one. */
void turns_add_request(struct user *user, struct link *request);
void turns_add_handle(struct handle *handle);

/* One round. */
void turns_take(struct server *server);

/* Whether the user has had a turn's time in this round. */
bool turns_over(const struct user *user);
/* The user has had it since `begin`. */
void turns_spend(struct user *user, uint64_t begin);

#endif
