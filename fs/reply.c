/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include "again.h"

#include <errno.h>

enum { KERNELS_OWN = 512, ENOTSUPP_OF_KERNEL = 524 };

int reply_errno(int error)
{
	int number = -error;
	if (number < KERNELS_OWN)
		return number;
	return number == ENOTSUPP_OF_KERNEL ? EOPNOTSUPP : EIO;
}

int reply_sent(struct server *server, uint64_t unique, int result)
{
	/* ENOENT: the kernel has no such request any more. */
	if (result < 0 && result != -ENOENT)
		again_fail(server, unique);
	return result;
}

void reply_result(struct server *server, uint64_t unique, fuse_req_t req, int error)
{
	(void)reply_sent(server, unique, fuse_reply_err(req, reply_errno(error)));
}
