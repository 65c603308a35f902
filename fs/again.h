/* SPDX-License-Identifier: MIT */
/*
 * How a server goes on in the place of one that was killed, on the same mount.
 *
 * The kernel goes on with the connection for as long as somebody holds its descriptor. It had
 * agreed on its terms with the first server, whose first request is therefore kept, and given to
 * libfuse once more. The answer goes to a pipe that no process reads.
 *
 * The kernel does not ask again what it has no answer to. So a request is read to memory that the
 * keeper shares, and a copy is kept of each that waits (kept_waits()): what the other had in hand
 * is there, and is served before anything is read. What had been done of it is known by its number
 * (kept.h); and whether it was answered, the kernel tells.
 *
 * A request that several servers in a row have died of is answered by EIO.
 */
#ifndef AGAIN_H
#define AGAIN_H

#include <stdint.h>

struct server;

/* Where requests are read to: once, when the keep is known. */
void again_begin(struct server *server);
/* At the first request: keeps it. */
void again_keep_first(struct server *server);
/*
 * From here on another may go on; and whoever waits for the mount may use it. Idempotent. 0 or
 * -errno.
 */
int again_arm(struct server *server);

/* Makes a FUSE session of the mount's descriptor, which is taken over. 0 or -errno. */
int again_adopt(struct server *server, int fuse_fd);
/* Has everybody look again who polls, and serves what has no answer. 0 or -errno. */
int again_serve(struct server *server);

/*
 * The server works on this request from here on; 0: on none. If it dies meanwhile, the next server
 * counts that against the request.
 */
void again_works_on(struct server *server, uint64_t unique);

/* Answers it by EIO, where the kernel still waits for an answer. */
void again_fail(const struct server *server, uint64_t unique);

/* The handle that the request at hand lets go of, by its number; 0: none. */
uint64_t again_lets_go(const struct server *server);
/* Of the poll request at hand: the kernel's number for whom to tell. */
uint64_t again_poll_number(const struct server *server);
/* As fuse_lowlevel_notify_poll(). */
int again_notify_poll(struct server *server, uint64_t number);

#endif
