/* SPDX-License-Identifier: MIT */
/* Of apply.h: what is to be done, and how far it is, in a file beside the upper layers. */
#ifndef APPLY_JOURNAL_H
#define APPLY_JOURNAL_H

#include "apply_stage.h"

enum apply_state {
	APPLY_STAGING = 'S',
	APPLY_COMMITTING = 'C',
	APPLY_UNDOING = 'U',
	APPLY_CLEARING = 'R'
};

struct apply_journal {
	int base; /* the directory; borrowed */
	int fd;
	char state; /* enum apply_state */
	char id[APPLY_ID + 1];
};

/* Writes one for these changes, with the times of all directories that will be written to. */
int apply_journal_create(struct apply_journal *journal, int base, struct changes *changes);
/* Reads the one that is there into `changes`. 0 or -errno: -ENOENT, there is none. */
int apply_journal_open(struct apply_journal *journal, int base, struct changes *changes);
int apply_journal_advance(struct apply_journal *journal, enum apply_state state);
int apply_journal_remove(struct apply_journal *journal);
void apply_journal_close(struct apply_journal *journal);

/* Notes the change times of directories that apply itself has changed. */
void apply_journal_own(const struct changes *changes, const struct apply_journal *journal);
/* A function for changes.is_own; the file is read at the first call. */
bool apply_journal_is_own(const struct changes *changes, unsigned overlay, const char *path,
			  const struct timespec *changed);

#endif
