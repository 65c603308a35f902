/* SPDX-License-Identifier: MIT */
/* The records of a set and its sessions, as session_keep.c puts and session_resume.c reads them. */
#ifndef SESSION_KEPT_H
#define SESSION_KEPT_H

#include "session.h"

enum { KEPT_MARKS = 64 }; /* of a timeline, in a record */

/* Part 0 of KEEP_BOX; part 1 is box->stats.latencies. */
struct kept_box {
	uint64_t last_id, last_group;
	uint64_t next_identity;
	uid_t identities;
	bool identities_again;
	uint64_t starts, failed_starts, pool_hits, pool_misses, bytes_in, bytes_out;
	uint64_t ends[STATS_ENDS], latency_sum;
	struct names_counters network;
};

struct kept_session {
	char name[SESSION_NAME_MAX + 1];
	uid_t uid, run_uid;
	gid_t gid, run_gid;
	bool removed, exec_seen, status_told, gone, has_cgroup, live, accounted, kept;
	bool favoured, sealed_timeline, stuck, attached;
	int state, start_result, reason, status, landlock_abi;
	uint32_t refusals;
	unsigned kill_stage;
	char failure[512];
	struct timespec created, changed, started, ended;
	uint64_t start_begun, begun;
	uint64_t held[TOTALS];
	uint16_t rows, cols;
	uint16_t first_rows, first_cols; /* of the timeline */
	uint64_t first_mark, marks;
	pid_t init, pid;
	struct sandbox_shape shape;
	struct cgroup_limits limits;
	uint64_t group;
	uint64_t host; /* 0: none */
	struct cgroup_usage usage;
	uint64_t answered_from;
	uint64_t idle_kept;
	uint64_t timeout_due, kill_due; /* on the loop's clock; 0: not armed */
};

/* A stream's; KEEP_STREAMS by its index. */
struct kept_stream {
	uint64_t start, end, punched, retain, last_output;
	uint64_t held, held_size, held_room; /* a block */
	bool has_spool, ended, open;
	int overflow;
	struct modes modes;
};

/* KEEP_STREAMS, behind those. */
struct kept_typing {
	uint64_t collected, left_key;
	int64_t left;
	bool closed;
};

#endif
