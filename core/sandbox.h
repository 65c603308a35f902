/* SPDX-License-Identifier: MIT */
/*
 * A sandbox, seen from outside: how it is launched and what is held of it.
 *
 * sandbox_launch() makes the namespaces with one clone3(2) and lets the child go once it has its
 * identity and its cgroup; the child (init.c) builds the rest and reports on the start socket.
 * What it is made from is a `struct sandbox_plan`: data, complete before the clone, so that the
 * child needs no allocation.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "cgroup.h"
#include "config.h"
#include "landlock.h"
#include "paths.h"
#include "root.h"

#include <stdint.h>
#include <sys/capability.h>
#include <sys/types.h>

/* The ids that a sandboxed program sees itself as. */
enum { SANDBOX_UID = 1000, SANDBOX_GID = 1000 };

/* The steps of a start, in order. */
enum stage {
	STAGE_CGROUP,
	STAGE_CLONE,
	STAGE_IDENTITY,
	STAGE_NAMESPACES,
	STAGE_PATHS,
	STAGE_ROOT,
	STAGE_TERMINAL,
	STAGE_LIMITS,
	STAGE_PRIVILEGES,
	STAGE_FORK,
	STAGE_CWD,
	STAGE_LANDLOCK,
	STAGE_SECCOMP,
	STAGE_EXEC, /* with error 0: the command is about to be exec'd */
};

/* What the child says on the start socket: one message a step that failed or is worth telling. */
struct start_report {
	int32_t stage;
	int32_t error;  /* positive errno; 0: well */
	char what[120]; /* the thing that failed, or "" */
};

/* What the parent says on the control socket. */
enum control_verb {
	CONTROL_FOREGROUND, /* signal the terminal's foreground process group */
	CONTROL_TERMINATE,  /* SIGTERM to the command's process group and to the foreground one */
	CONTROL_ALL,        /* signal every process but init */
	CONTROL_HANGUP,     /* give up the terminal; where there is none, tell the command */
};

struct control_message {
	int32_t verb;
	int32_t signal;
};

/* What init says on the control socket, once: wait status of the command, as waitpid(2). */
struct exit_report {
	int32_t status;
};

struct sandbox_plan {
	char **candidates; /* where to look for the command; owned, as are the next three */
	char **argv;
	char **envp;
	char *cwd;
	uid_t uid; /* outside; never 0 */
	gid_t gid;
	uint16_t rows, cols;
	uint64_t open_files, file_size;
	char tmp_size[24], tmp_inodes[24]; /* as tmpfs(5) options take them */
	bool terminal, ends_with_command;
	bool own_network;
	bool owner_is_root;         /* whose rights its paths are opened with */
	struct sandbox_path *paths; /* owned; the strings in it are the config's */
	unsigned path_count;
	unsigned own_paths; /* the first of them: the daemon's own, opened with its rights */
	struct landlock_policy landlock;
	struct landlock_rule *rules; /* owned: what `landlock` borrows */
	/* Borrowed: */
	const struct root_layout *layout;
	const struct sysfilter *filter;
	cap_t no_capabilities;
};

/* Everything that is held of a live sandbox; all of it can be handed to another process. */
struct sandbox {
	pid_t init; /* PID 1 of the sandbox, as seen from here */
	pid_t pid;  /* the command, as seen from here; 0 until it is known */
	int pidfd;  /* of init: readable when no process of the sandbox is left */
	int start;  /* socket; -1 once the start is over */
	int control;
	/*
	 * The other ends of its standard input, output and error, until somebody takes them over;
	 * -1: not known yet, or none. With a terminal the first two are its master.
	 */
	int ends[3];
};

/*
 * Takes what it needs of `config`, and borrows its paths and ports; `extra` are further paths of
 * the session's own. 0 or -ENOMEM.
 */
int sandbox_plan_init(struct sandbox_plan *plan, const struct config *config,
		      const struct root_layout *layout, const struct sandbox_path *extra,
		      unsigned extra_count);
void sandbox_plan_finish(struct sandbox_plan *plan);

/*
 * Starts one. On failure nothing is left, and `report` says which stage and thing. `cgroup` is
 * the id of a group that exists. Does not wait for the child.
 */
int sandbox_launch(struct sandbox *sandbox, struct sandbox_plan *plan, struct cgroups *cgroups,
		   uint64_t cgroup, struct start_report *report);

/*
 * Takes one message from the start socket: 1 and the report (master and pid are kept in
 * `sandbox`), 0 at the end of messages, -EAGAIN none now.
 */
int sandbox_receive(struct sandbox *sandbox, struct start_report *report);

/* 0 or -errno; -ESRCH where init has gone. Does not wait for the effect. */
int sandbox_control(const struct sandbox *sandbox, enum control_verb verb, int signal);

/* SIGKILL to init, and with it to all. */
void sandbox_kill(const struct sandbox *sandbox);

/* The same, and waits for its end: for one that nobody will watch. */
void sandbox_abandon(const struct sandbox *sandbox);

/* After pidfd is readable: takes init off the process table, if it is this process's to take. */
void sandbox_reap(const struct sandbox *sandbox);
/* The command's wait status, if init told it. */
bool sandbox_exit_status(const struct sandbox *sandbox, int *status);

/* Closes what is held. */
void sandbox_finish(struct sandbox *sandbox);

const char *stage_name(int stage);

#endif
