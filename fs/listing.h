/* SPDX-License-Identifier: MIT */
#ifndef LISTING_H
#define LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

struct node;
struct server;

/*
 * Fills `to` with entries of `directory` from `offset` on; `plus`: each with all that a look-up
 * gives, which counts as one. Returns the bytes used; 0 at the end.
 */
size_t listing_fill(struct server *server, fuse_req_t req, const struct node *directory,
		    uint64_t offset, bool plus, char *to, size_t size);

#endif
