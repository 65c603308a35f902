/* SPDX-License-Identifier: MIT */
/* The FUSE operations on labels (labels.h). */
#ifndef LABEL_OPS_H
#define LABEL_OPS_H

#include <stddef.h>

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
