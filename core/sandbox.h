/* SPDX-License-Identifier: MIT */
/*
 * A sandbox, seen from outside: how it is made and what is held of it.
 *
 * sandbox_ask() has the spawner make it, in a cgroup of its own; it builds itself (init.c) as far
 * as that can be done for anybody of its shape; sandbox_give() tells it what for. It reports on the
 * start socket.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "cgroup.h"
#include "helper.h"
#include "inside.h"
#include "sysfilter.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct plan;

/* The ids that a sandboxed program sees itself as. */
enum { SANDBOX_UID = 1000, SANDBOX_GID = 1000 };

/* The steps of a start, in order. */
enum stage {
	STAGE_CGROUP,
	STAGE_CLONE,
	STAGE_IDENTITY,
	STAGE_NAMESPACES,
	STAGE_NETWORK,
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
	CONTROL_JOIN,       /* another session is in it; with its start and control sockets */
};

/* What the other session has. */
enum control_join { CONTROL_JOIN_TERMINAL = 1, CONTROL_JOIN_ENDS_WITH_COMMAND = 2 };

struct control_message {
	uint64_t key; /* what was told before with the same is not done again; 0: nothing was */
	int32_t verb;
	int32_t signal; /* of CONTROL_JOIN: bits of enum control_join */
	uint64_t typed; /* so much was typed before */
};

/* What a sandbox is from the beginning, whoever gets it. */
struct sandbox_shape {
	uid_t uid; /* outside; never 0 */
	gid_t gid;
	bool own_network, terminal, ends_with_command;
	bool names;                        /* of hosts lead out of its own network (inside.h) */
	uint32_t dns_seconds;              /* that its programs wait for an answer */
	bool home;                         /* beside the workspace */
	char tmp_size[24], tmp_inodes[24]; /* as tmpfs(5) options take them */
	char terminals[8];                 /* as an option of devpts */
	/*
	 * Sealed before it is told what for: there are no paths of the session's own in it but its
	 * workspace. These are for such a one alone.
	 */
	bool sealed;
	bool own_root; /* the system's directories are not the host's, and come with the plan */
	bool mapped; /* its init can ask for mounts in which root's files are its own (mapper.h) */
	struct sysfilter_options filter;
	int landlock; /* the lowest version of Landlock that will do */
};

enum { SANDBOX_WORKSPACE_MAX = 200 };

/* Everything that is held of a live sandbox; all of it can be handed to another process. */
struct sandbox {
	pid_t init; /* PID 1 of the sandbox, as seen from here */
	pid_t pid;  /* the command, as seen from here; 0 until it is known */
	int pidfd;  /* of init: readable when no process of the sandbox is left; -1: not cloned yet
		     */
	int start;  /* socket; -1 once the start is over */
	int control;
	int mounts; /* its mount namespace, so that the last process to go need not clear it away */
	int page;   /* see monitor.h, until somebody takes it over; -1: not known yet */
	int bell;   /* see there */
	int inside[INSIDE_ENDS]; /* of its network, where names lead out of it; -1: not known yet */
	struct sandbox_shape shape;
	uint64_t group;              /* the number of its cgroup, which outlives it; 0: none */
	struct cgroup_limits limits; /* in force there */
	uint64_t key, typed;         /* of the next word to it, see control_message */
	bool kept; /* a process that goes on in this one's place may have to hear it all again */
};

void sandbox_init(struct sandbox *sandbox);

/*
 * Asks for one of that shape and those limits, in that group, which is made with it, and with that
 * workspace ("": none; for sealed ones, and where there are projects) and its home. 0 or
 * -errno; `fn` hands the answer to sandbox_take().
 */
int sandbox_ask(struct sandbox *sandbox, const char *workspace, uint64_t disk,
		struct helper *spawner, helper_fn fn, void *data);

/*
 * Takes the spawner's answer. On failure nothing is left but, perhaps, the group, and `report` says
 * which stage it was. What fails later is told like any report.
 */
int sandbox_take(struct sandbox *sandbox, int result, const int *descriptors,
		 struct start_report *report);

/*
 * Asks for another session in `host`, of that shape. What is wrong is told like any report. 0 or
 * -errno. It has no pidfd before sandbox_receive() has one.
 */
int sandbox_join(struct sandbox *sandbox, const struct sandbox *host);

/* Whether all came of what it was to send. */
bool sandbox_has_page(const struct sandbox *sandbox);
/* Tells it what for: the image of a plan, see plan_pack(). 0 or -errno. Does not wait. */
int sandbox_give(const struct sandbox *sandbox, int plan);

/*
 * Takes one message from the start socket: 1 and the report (page and pid are kept in
 * `sandbox`), 0 at the end of messages, -EAGAIN none now.
 */
int sandbox_receive(struct sandbox *sandbox, struct start_report *report);
/* Of a kept one: it will not be needed again. Without this, the same is received once more. */
void sandbox_received(const struct sandbox *sandbox);

/* 0 or -errno; -ESRCH where init has gone. Does not wait for the effect. */
int sandbox_control(const struct sandbox *sandbox, enum control_verb verb, int signal);

/* Has init look at the page. */
void sandbox_call(const struct sandbox *sandbox);
/* SIGKILL to the children of init, for one that does not do what it is told. */
void sandbox_kill_inside(const struct sandbox *sandbox);
/* SIGKILL to init, and with it to all. */
void sandbox_kill(const struct sandbox *sandbox);

/* The same, and waits for its end, but not for long: for one that nobody will watch. */
void sandbox_abandon(const struct sandbox *sandbox);

/* After pidfd is readable: takes init off the process table, if it is this process's to take. */
void sandbox_reap(const struct sandbox *sandbox);
/* Closes what is held. */
void sandbox_finish(struct sandbox *sandbox);

const char *stage_name(int stage);

#endif
