/* SPDX-License-Identifier: MIT */
#ifndef SERVER_H
#define SERVER_H

#include "link.h"
#include "notify.h"
#include "question.h"
#include "unmounter.h"
#include "user.h"
#include "watch.h"

#include <loop.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#define FUSE_USE_VERSION 310
#include <fuse_lowlevel.h>

struct daemon;
struct dir;
struct keep_work;
struct mimobox;

/*
 * The most that one read of output gets. The kernel asks for 1 MiB at most at a time, and goes on
 * with the rest of a larger read only after an answer of full size. Ours are never that, or the
 * rest would wait for output with the first part already in hand.
 */
enum { SERVER_ANSWER_MAX = 512 * 1024 };

enum { HANDLE_CHAINS = 4096 };

struct server {
	struct keep *keep; /* NULL: nothing outlives this process */
	struct mimobox *box;
	struct loop *loop; /* the box's */
	struct fuse_session *fuse;
	struct fuse_buf buffer;          /* that requests are read into */
	uint64_t unique;                 /* the kernel's number of the request at hand */
	volatile struct keep_work *work; /* see again_works_on(); NULL: no keeper */
	bool resent;                     /* another server had it before, and was killed */
	struct loop_source *fuse_source, *signal_source;
	struct unmounter unmounter;
	struct watch watch;
	int signal_fd;
	char *answer;        /* SERVER_ANSWER_MAX bytes that answers are made in */
	struct link dirs;    /* every struct dir */
	struct link handles; /* every struct handle */
	struct handle *handle_chains[HANDLE_CHAINS]; /* by their ids */
	uint64_t last_handle;
	struct user *users[USER_CHAINS]; /* by their ids */
	unsigned listeners;              /* of all users */
	struct questions questions;
	size_t freed;      /* bytes, about, since the heap was trimmed */
	struct link turns; /* users whose turn comes */
	uint64_t round;    /* of turns */

	struct handle *carrier; /* of `defaults`: that has the beginning of a line; NULL: none */

	uid_t uid; /* of the root directory */
	gid_t gid;
	mode_t mode;
	struct timespec changed;
	unsigned max_sessions; /* 0: no limit */
	bool metrics_sessions; /* `metrics` tells of each session */

	bool usable;      /* the kernel has our answer to its first request, or is about to */
	bool stopping;    /* told to end */
	bool stop_again;  /* the one before was */
	bool armed;       /* the keeper may start another in its place */
	bool initialized; /* op_init() was here */
	bool unmounted;   /* by somebody else */
	const char *path; /* of the mount; borrowed */
	bool ended;       /* to be taken down now */
	int error;        /* why, where nobody wanted it; 0: somebody did */
	unsigned misses;  /* reads of requests that have failed in a row */
	unsigned ending;  /* sessions that the stop waits for */
	struct loop_timer stop_timer;
	struct notify notify;
};

/* Fills in what needs no box yet. 0 or -errno. */
int server_init(struct server *server);

/* From now on SIGTERM, SIGINT and SIGHUP are for server_run(). 0 or -errno. */
int server_catch_signals(struct server *server);

/* Serves the mounted `server->fuse` until it is unmounted or told to end. 0 or -errno. */
int server_run(struct server *server, struct daemon *daemon);

/* Serves what is in `server->buffer`. */
void server_process(struct server *server);

/*
 * Answers what is still parked, unmounts, ends every session and frees all that is in `server`,
 * however far it came.
 */
void server_finish(struct server *server);

/* A stop that waits for `dir` has one less to wait for. */
void server_dir_ended(struct server *server, struct dir *dir);

/* The root directory has changed. */
void server_touch(struct server *server);

#endif
