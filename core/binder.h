/* SPDX-License-Identifier: MIT */
/*
 * The helper that binds the sockets of `ports/` (network_ports.c): on the session filesystem
 * itself, whose server must not wait for itself, and with the rights of the session's owner.
 */
#ifndef BINDER_H
#define BINDER_H

#include "helper.h"

#include <sys/types.h>

enum { BINDER_PATH_MAX = 400 };

struct bind_request {
	uid_t uid;
	gid_t gid;
	uint32_t port;
	char directory[BINDER_PATH_MAX];
};

/* Fills in `kind`. Asked with a bind_request, it answers with a socket that listens. */
void binder_kind(struct helper_kind *kind);

#endif
