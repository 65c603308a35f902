/* SPDX-License-Identifier: MIT */
/* The filesystem's records, as kept.c puts and kept_restore.c reads them. */
#ifndef KEPT_RECORDS_H
#define KEPT_RECORDS_H

#include "dir.h"
#include "files.h"
#include "handle.h"
#include "server.h"

#include <keep.h>
#include <mimobox.h>
#include <resume.h>
#include <time.h>

enum { KEPT_PIECE = 4096, KEPT_HEAD = 128 };

struct kept_server {
	uid_t uid;
	gid_t gid;
	mode_t mode;
	bool stopping;
	struct timespec changed;
	uint64_t last_handle;
	uint64_t last_question; /* that may have been given */
};

/* Part 1 is an array of struct dir_rights. */
struct kept_dir {
	mode_t mode;
	gid_t gid;
	bool input_full;
};

/* Of a user's listeners; behind it are the pieces of the ring, see kept.c. */
struct kept_ring {
	uint64_t base, size;
};

struct kept_handle {
	uint64_t session; /* 0: a file of the root */
	uint32_t file;    /* its id */
	uid_t opener;
	uint64_t next, base;
	bool stale, polled, dropped, owns, answers;
	uint64_t poll, text_size, digest, question;
	struct reader_state reader;
	struct wait_state wait;
};

/* A request as the kernel has asked it; what is written is in a block. */
struct kept_waiting {
	uint64_t place;
	uint32_t size;
	uint32_t head_size;
	char head[KEPT_HEAD];
};

#endif
