/* SPDX-License-Identifier: MIT */
/* Of apply.h: everything new is made on the host, beside its place. */
#ifndef APPLY_STAGE_H
#define APPLY_STAGE_H

#include "changes.h"

enum { APPLY_NAME = 40, APPLY_ID = 16 };

/* A place on the host, and the name beside it. */
struct apply_place {
	int directory;
	char *path; /* owned */
	const char *name;
	char staged[APPLY_NAME];
};

/* 0 or -errno. */
int apply_place_open(const struct changes *changes, unsigned overlay, const char *path,
		     const char *id, size_t index, struct apply_place *out);
void apply_place_close(struct apply_place *place);

/* Makes what the change at `index` is to put there, if it is to put anything. 0 or -errno. */
int apply_stage(struct changes *changes, size_t index, const char *id);

#endif
