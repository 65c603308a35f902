/* SPDX-License-Identifier: MIT */
#ifndef OPS_H
#define OPS_H

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

/* What the kernel may ask of us; the user data is a struct server. */
extern const struct fuse_lowlevel_ops ops;

struct server;
struct handle;
/* The kernel has let go of it. */
void ops_release(struct server *server, struct handle *handle);

#endif
