/* SPDX-License-Identifier: MIT */
/*
 * What a user may expect of the filesystem, kept beside it: the sessions, their files and what is
 * open, in plain form. It is told of each request before the server is, and says whether an answer
 * is right, and whether there has to be one. The config's meaning alone it takes from the library,
 * since another target looks after that.
 */
#ifndef MODEL_H
#define MODEL_H

#include "fake.h"
#include "wire.h"

#include <config.h>

enum {
	SESSIONS = 12,
	HANDLES = 24,
	NODES = 96,
	TOLD = 96,
	PRINTED_MAX = 40000,
	TYPED_MAX = 4 << 20
};

/* In the order of the server's rows, for which nothing depends on it. */
enum model_file {
	FILE_DEFAULTS,
	FILE_EVENTS,
	FILE_STATS,
	FILE_INPUT,
	FILE_OUTPUT,
	FILE_SIZE,
	FILE_CTL,
	FILE_EXIT,
	FILE_CONFIG,
	FILE_STATUS,
	FILE_LOG,
	FILE_SCREEN,
	FILE_SIZES,
	FILE_MODES,
	FILE_CAST,
	FILE_TRANSCRIPT,
	FILE_STDERR,
	FILE_WAIT,
	FILE_WORKSPACE,
	FILE_CURSOR,
	FILES,
	FIRST_OF_SESSION = FILE_INPUT,
	FILE_DIRECTORY = FILES + 1, /* the root, or a session's */
	FILE_QUESTION,
};

extern const struct model_row {
	const char *name;
	uint32_t mode;
} model_rows[FILES];

enum model_state { CREATED, STARTING, RUNNING, EXITED };

struct model_session {
	bool made, removed;
	char name[65];
	uint32_t uid;
	uint64_t node;
	const void *session; /* its address, and no more */
	enum model_state state;
	bool began; /* has run at some time */
	struct config config;
	uint16_t rows, cols;
	uint32_t mode, gid;
	uint32_t modes[32], gids[32]; /* of its files; 0: as at first */
	unsigned handles;

	struct fake_manner manner; /* of the start that goes on */
	bool cancelled, executed, ended, killed;
	int status, pid;
	uint64_t start_due, end_due; /* when it has to be over, at the latest; 0: not bounded */

	uint8_t *printed[2], *typed;
	size_t printed_size[2], typed_size, typed_room, typed_read;
	uint64_t printed_at;
	bool typing_over, hung_up;
};

struct model_node {
	uint64_t node, lookups;
	struct model_session *session; /* NULL: of the root */
	enum model_file file;
	char *text; /* of a question */
};

struct told {
	char line[96];
	bool seen;
};

struct model_handle {
	bool open, registered, woken; /* polled, with a handle of the kernel's; and that was told */
	uint64_t fh;
	struct model_session *session;
	enum model_file file;
	uint32_t flags, uid;
	uint64_t next;        /* where the last read ended */
	char *question;       /* its text */
	uint64_t asked, from; /* a question's time, and the output's end then */
	char *text;           /* of a file that is shown whole: as it was read at once */
	size_t text_size;
	struct told told[TOLD]; /* of `events` */
	unsigned told_count;
	char line[256];
	size_t line_size;
};

extern struct model_session sessions[SESSIONS];
extern struct model_handle handles[HANDLES];
extern struct model_node nodes[NODES];
extern struct config model_builtin, model_defaults;
extern bool model_stopping;
extern unsigned model_max_sessions;
struct mimobox;
extern struct mimobox *model_box;

void model_begin(void);
void model_finish(void);

struct model_session *model_find(const char *name);
unsigned model_count(void);
/* Its directory is there for those who know its number. */
bool model_alive(const struct model_session *session);
/* No more will come of it. */
bool model_over(const struct model_session *session);
bool model_there(const struct model_session *session, enum model_file file);

struct model_node *model_node_of(const struct model_session *session, enum model_file file);
struct model_node *model_add_node(uint64_t node, struct model_session *session,
				  enum model_file file, const char *text);

/* `NAME what`, to those who listen. */
void model_tell(const struct model_session *session, const char *what);
/* Removed, by rmdir or because the server stops. */
void model_remove(struct model_session *session);
/* What is typed from now on is typed here. */
void model_type(struct model_session *session, const void *data, size_t size);
/* How much of that the library has still to give to the terminal: the one thing it is asked for. */
size_t model_queued(const struct model_session *session);

/* A write to ctl or input is about to be sent, or a start that it waits for has ended. */
void model_write(struct call *call);
/* What has to be its result by now; INT_MIN: it has to wait. */
int model_write_result(struct call *call);

/* Nothing more happens by itself: what has happened is so from now on. */
void model_settle(void);
/* Whether a read has to wait; -1: it may. */
int model_waits(const struct call *call);
unsigned model_ready(const struct model_handle *handle);
void model_check_read(struct call *call);

#endif
