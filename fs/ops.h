/* SPDX-License-Identifier: MIT */
#ifndef OPS_H
#define OPS_H

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>
#include <stdbool.h>

/* What the kernel may ask of us; the user data is a struct server. */
extern const struct fuse_lowlevel_ops ops;

struct server;
struct handle;
/* The kernel has let go of it. */
void ops_release(struct server *server, struct handle *handle);

/* For the files of other operations. An error that changes nothing: */
void refuse(fuse_req_t req, int error);
/* An answer that is not of data: it is the same when it is asked for again. */
void reply_error(fuse_req_t req, int error);
/* What is to be done has been done before; *result is as reply_error() was, or would be, told. */
bool was_done(fuse_req_t req, ssize_t *result);

#endif
