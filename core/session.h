/* SPDX-License-Identifier: MIT */
/*
 * A session and the set it is in, as the files of core see them; the interface is mimobox.h.
 *
 * All that a session is stands in `struct mimobox_session`: settings as plain data, kernel
 * objects as descriptors in `sandbox` and `output.spool`. Nothing else in the process knows more.
 */
#ifndef SESSION_H
#define SESSION_H

#include "box.h"
#include "ceiling.h"
#include "cgroup.h"
#include "config.h"
#include "favour.h"
#include "helper.h"
#include "identity.h"
#include "idle.h"
#include "init.h"
#include "journal.h"
#include "keep.h"
#include "loop.h"
#include "mimobox.h"
#include "network.h"
#include "plan.h"
#include "pool.h"
#include "refusals.h"
#include "replies.h"
#include "review.h"
#include "root.h"
#include "sandbox.h"
#include "spawner.h"
#include "stats.h"
#include "stream.h"
#include "timeline.h"
#include "typing.h"

#include <time.h>

enum { SESSION_NAME_MAX = 64 };
/* What the forker makes, by these numbers. */
enum {
	BOX_SPAWNER,
	BOX_SWEEPER,
	BOX_REMOVER,
	BOX_TICKER,
	BOX_CHANGER,
	BOX_BINDER,
	BOX_RELAY,
	BOX_HELPERS
};
/* A path that is asked for may be on a filesystem whose server doesn't answer. */
#define START_PATIENCE_NS UINT64_C(10000000000)

/* Why a session ended. */
enum end_reason {
	END_NONE,
	END_EXIT,
	END_SIGNAL,
	END_KILL,
	END_TIMEOUT,
	END_REMOVED,
	END_OOM,
	END_LOST,
	END_IDLE,
	END_REASONS
};

struct screen;

struct mimobox_session {
	struct mimobox *box;
	unsigned references; /* the set, each caller, each reader, the live sandbox */
	void *data;

	uint64_t id;
	char name[SESSION_NAME_MAX + 1];
	uid_t uid, run_uid; /* the owner's, and what the program runs as */
	gid_t gid, run_gid;
	bool removed;
	struct mimobox_session *previous, *next; /* in the set, by id */
	struct mimobox_session *by_name, *by_id; /* in the chains of the tables */

	enum mimobox_state state;
	int start_result;
	bool exec_seen;      /* the start socket's end will mean success */
	unsigned kill_stage; /* 0: not; else the last step of a kill that was taken (session.c) */
	char failure[512];   /* of the last start: stage, thing, reason; "" */
	enum end_reason reason;
	int status; /* exit status, or minus the signal */
	struct timespec created, changed, started, ended;
	uint64_t start_begun, begun, last_output; /* ns, on the loop's clock */

	struct config config;
	struct ceiling_share share; /* of what its owner may have */
	bool awaits_share;          /* it is to be told when removed ones have given theirs back */
	char *workspace;            /* on the host; NULL: none */
	struct review change;       /* the last `apply` or `discard` */
	struct review *reviews;     /* of its changes, that are at work */
	unsigned review_count;
	bool workspace_awaits; /* their ends, to be removed */
	uint16_t rows, cols;
	uint16_t screen_rows, screen_cols; /* to where `screen` is drawn */
	struct journal journal;
	struct stream streams[STREAMS];
	struct timeline timeline; /* of the first of them */
	struct screen *screen;    /* NULL: nobody has looked yet */
	struct timeline_walk screen_walk;
	struct modes screen_modes; /* those of the screen, to where that is drawn */
	struct replies replies;
	struct typing typing;
	struct contact contact;
	struct favour favour;

	struct mimobox_session *host;    /* in whose sandbox it is, a reference; NULL: its own */
	struct session_network *network; /* NULL: it has none, by names */
	struct sandbox sandbox;
	int plan;               /* for the sandbox, while it is being cloned; -1 */
	int landlock_abi;       /* in force in it; below 1: none */
	uint32_t refusals;      /* so many of refusals_shared are in the log */
	bool status_told, gone; /* by init; and its end was seen */
	bool stuck;             /* it was killed, and the kernel does not end it */
	bool has_cgroup, swept;
	bool live;           /* of box->live, and with a reference of its own */
	bool dirty;          /* in the box's list */
	bool config_changed; /* since it was kept */
	struct mimobox_session *next_dirty;
	size_t kept_marks; /* of the timeline, that are put */
	unsigned kept_rewrites;
	struct cgroup_usage usage; /* of the whole life, once `accounted` */
	bool accounted;
	int mounts; /* the namespace of a sandbox that is no more, to be swept; -1 */
	struct loop_source *start_source, *end_source;
	struct loop_timer timeout;
	struct idle idle;
	struct loop_timer kill_timer;  /* patience with each step of a kill */
	struct loop_timer retry_timer; /* a cgroup that is still busy */
};

struct mimobox {
	struct loop *loop;
	struct keep *keep;             /* NULL: nothing outlives this process */
	struct mimobox_session *dirty; /* what has changed since it was put there last */
	struct loop_timer clear_timer; /* of groups that another has left */
	uint64_t left_groups;          /* those have numbers up to this */
	bool clearing;                 /* there may be some still */
	mimobox_notify_fn notify;
	void *data;
	char *spool_dir;
	bool projects;    /* the filesystem of the workspaces bounds these (disk.h) */
	char *workspaces; /* the directory of all of them; NULL: none */
	unsigned max_sessions;
	uint64_t patience_ns;            /* with helpers, and with sandboxes that are built ahead */
	struct ceiling *ceiling;         /* NULL: none */
	struct config builtin, defaults; /* `reset` in defaults goes back to builtin */
	struct cgroups *cgroups;
	struct root_layout layout;
	char *resolver; /* where /etc/resolv.conf leads, if that is outside /etc */
	struct sysfilters filters;
	struct init_setup setup;
	struct spawner spawner_state;
	struct helper_kind spawner_kind, sweeper_kind, remover_kind, ticker_kind, changer_kind,
		relay_kind, binder_kind;
	struct forker *forker;
	struct helper *spawner, *sweeper, *remover, *ticker, *changer, *binder;
	struct pool *pool;
	struct network_relay *relays;
	struct network_binding *bindings; /* that the binder was asked for */
	char *mount;                      /* NULL: none */
	unsigned waiting;                 /* sandboxes of the pool's, until their ends */

	char unlimited[320]; /* which limits cannot be enforced, and what to do; "": all can */
	struct start_report *probed; /* mimobox_probe() is to be told of a start that fails */

	struct stats stats;
	struct attention attention;
	uint64_t last_id, last_group;
	struct identities identities;
	unsigned awaiting;  /* sessions that are to be told of shares */
	unsigned count;     /* sessions in the set */
	unsigned lingering; /* those removed whose sandboxes have not come to their end */
	unsigned live; /* sandboxes, and removals of workspaces, that have not come to their end */
	struct mimobox_session *first, *last;
	struct mimobox_session **names, **ids; /* tables of `buckets` chains */
	size_t buckets;
	size_t referenced; /* sessions in the table of ids: also the removed ones */
};

/* Dispatches until `done`, or until the time is over: false. */
bool box_dispatch_until(struct mimobox *box, bool (*done)(void *), void *data, uint64_t ns);

/* probe.c. One line for people; `why` may be NULL. */
void box_explain(char *why, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds what to do about a start that failed so. */
void box_append_advice(const struct start_report *report, char *why, size_t why_size);
/* Fills box->unlimited. */
void box_note_unlimited(struct mimobox *box, unsigned can);
/* What to do about the limit that `reason` begins with; NULL: this machine can enforce it. */
const char *box_advice_for_limit(const struct mimobox *box, const char *reason);

/* session.c, for box.c: of a zeroed one whose box, id, names and ids are set. */
void session_init(struct mimobox_session *session);
void session_free(struct mimobox_session *session);
/* Of the owner's totals, what it has no more use for. */
void session_give_back(struct mimobox_session *session);
/* It is removed. */
void session_leave_share(struct mimobox_session *session);
/* It waits for shares of others, or no more. */
void session_await_share(struct mimobox_session *session, bool awaits);
void session_orphan(struct mimobox_session *session);
/* True when there is none any more; false while the kernel is busy with it. */
bool session_drop_cgroup(struct mimobox_session *session);
void session_kill_now(struct mimobox_session *session);
void session_end_unstarted(struct mimobox_session *session);
void session_kill(struct mimobox_session *session, enum end_reason reason);

/*
 * view.c: has the screen, and screen_modes, show the output up to that offset, or further where
 * somebody has looked. 0, -EINPROGRESS when a piece was done, or another -errno.
 */
int session_screen_at(struct mimobox_session *session, uint64_t offset);

/* What the keeper has of a session, by two numbers: its sandbox's, and its output's. */
enum { SESSION_PIDFD, SESSION_START, SESSION_CONTROL, SESSION_PAGE, SESSION_BELL };
/* And behind them, as many as INSIDE_ENDS, and as are published. */
enum { SESSION_INSIDE = 16, SESSION_PORT = 32 };
static inline uint64_t session_keep_sandbox_id(const struct mimobox_session *session)
{
	return 2 * session->id;
}
static inline uint64_t session_keep_spool_id(const struct mimobox_session *session)
{
	return 2 * session->id + 1;
}

/* session_keep.c: something of it has changed, or is about to. */
void session_touch(struct mimobox_session *session);
/* Whether it is known where the stream's next bytes are put. */
bool session_keeps_room(const struct stream *stream);
/* Its sandbox is known from here on to whoever goes on in this process's place. */
void session_keep_sandbox(struct mimobox_session *session);
/* Nothing of it is kept any more. */
void session_keep_nothing(struct mimobox_session *session);
void box_keep_defaults(struct mimobox *box);
void box_keep_removal(struct mimobox *box, uint64_t id, const char *path);

/* session.c, for session_end.c */
void session_unwatch(struct loop_source **source);
/* Lets go of the sandbox; the cgroup goes when the kernel is done with it. */
void session_drop_sandbox(struct mimobox_session *session);
/* The sandbox is on its way out; session_on_end() completes the failure when nothing is left. */
void session_fail_start(struct mimobox_session *session, const struct start_report *report);
/* Takes what the sandbox has to say of its start. */
void session_hear_start(struct mimobox_session *session);

/* session_end.c, for session.c */
void session_on_kill_timer(void *data);
void session_on_end(void *data, uint32_t events);

/* session.c and session_end.c, for session_resume.c */
int session_watch(struct mimobox_session *session);
void session_settle(struct mimobox_session *session);
void session_drain(struct mimobox_session *session);
void session_lost(struct mimobox_session *session);
/* session.c, for stream.c: the terminal has that size now. */
void session_resized(struct mimobox_session *session, uint16_t rows, uint16_t cols);
/* What init has to say. */
void session_hear(struct mimobox_session *session);
/* start.c: of a session in another's sandbox, which has it now. */
void start_joined(struct mimobox_session *session);
/* session.c: the session has no use for another's sandbox any more. */
void session_leave_host(struct mimobox_session *session);
/* start.c: tells the sandbox once more what for. */
int start_again(struct mimobox_session *session);
/* A word to the sandbox, which does it once even where it is said again. 0 or -errno. */
int session_say(struct mimobox_session *session, enum control_verb verb, int signal);

/* box.c: into the tables and, where it isn't removed, the list. */
void box_link(struct mimobox *box, struct mimobox_session *session);

/* box.c, for session.c: out of the table of ids, when its last reference has gone. */
void box_forget(struct mimobox *box, struct mimobox_session *session);

/* session_end.c, for status.c: what is only looked up when it has ended, or when somebody asks. */
void session_account(struct mimobox_session *session);

/* session_end.c, for stream.c: the terminal of a session without processes was read to its end. */
void session_drained(struct mimobox_session *session);

/* An id, outside, that nobody else has. */
uid_t box_identity(struct mimobox *box);
/* What a sandbox is to be for somebody's session of that config; uid 0 stands for box_identity().
 */
void box_shape(const struct mimobox *box, const struct config *config, uid_t uid, gid_t gid,
	       struct sandbox_shape *out);
void box_limits(const struct config *config, struct cgroup_limits *out);

/* session.c, for start.c: a helper_fn, for a clone. */
void session_cloned(void *data, int result, const int *descriptors);

void session_notify(struct mimobox_session *session, unsigned events);

#endif
