/* SPDX-License-Identifier: MIT */
/*
 * The kernel refuses an answer with an errno from 512 on, which is its own affair, and a request
 * that is not answered stays for good: so does its client. Calls of the kernel's give such errnos
 * all the same: seccomp(2) ENOTSUPP (524), where there is no memory for filters.
 */
#ifndef REPLY_H
#define REPLY_H

#include <stdint.h>

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

struct server;

/* Of a worker's result, 0 or -errno: the errno that a client can be told. */
int reply_errno(int error);

/* Answers by it. `unique` is the request's. */
void reply_result(struct server *server, uint64_t unique, fuse_req_t req, int error);

/*
 * After any other answer, with what fuse_reply_*() returned, which this returns: where the kernel
 * refused it, the answer is EIO.
 */
int reply_sent(struct server *server, uint64_t unique, int result);

#endif
