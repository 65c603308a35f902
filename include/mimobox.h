/* SPDX-License-Identifier: MIT */
/*
 * mimobox: sandboxed terminal sessions, without a mount.
 *
 * A `struct mimobox` is a set of sessions and the event loop they live on. A session is a
 * program on a terminal of its own inside an OS-level sandbox. The filesystem (fs/) is one
 * client of this header; contrib/example.c is another.
 *
 * Threads: everything here belongs to the one thread that calls mimobox_dispatch().
 * Blocking: nothing here blocks, except mimobox_dispatch() within the timeout it is given,
 *   mimobox_probe() and mimobox_destroy() (each bounded, see there).
 * Errors: functions return 0 (or a count) or a negative errno value; errno is never the result.
 * Ownership: what a function returns as `struct ... *` by an `out` argument is the caller's to
 *   give back with the matching _destroy, _unref or _close; strings are borrowed unless said.
 */
#ifndef MIMOBOX_H
#define MIMOBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mimobox;
struct mimobox_session;
struct mimobox_reader;

/* What happened to a session, as bits: the second argument of mimobox_notify_fn. */
enum mimobox_event {
	MIMOBOX_OUTPUT = 1u << 0,  /* there is more to read, or output has ended */
	MIMOBOX_ROOM = 1u << 1,    /* the input queue has room again, or input has ended */
	MIMOBOX_STARTED = 1u << 2, /* a start came to its end: see mimobox_session_start_result() */
	MIMOBOX_ENDED = 1u << 3,   /* exit status known, output drained, no process left */
	MIMOBOX_ASKED = 1u << 4,   /* a name waits for an answer, or the network is settled */
	MIMOBOX_CHANGES = 1u << 5, /* apply or discard, or a list of changes, came to its end */
};

/* What a session prints. */
enum mimobox_stream {
	MIMOBOX_STDOUT, /* all of it, where there is a terminal */
	MIMOBOX_STDERR, /* with `terminal no`: standard error */
};

enum mimobox_state {
	MIMOBOX_CREATED,  /* may be configured and started */
	MIMOBOX_STARTING, /* between the start and its answer */
	MIMOBOX_RUNNING,
	MIMOBOX_DRAINING, /* no process is left; the terminal's last output is being read */
	MIMOBOX_EXITED,
};

/*
 * Called from mimobox_dispatch(), or from the call that caused the event. It may call anything
 * here but mimobox_dispatch() and mimobox_destroy(). `data` is mimobox_options.data.
 */
typedef void (*mimobox_notify_fn)(struct mimobox_session *session, unsigned events, void *data);

struct mimobox_options {
	const char *spool_dir;    /* where output is kept, in unlinked files; NULL: /var/tmp */
	const char *workspaces;   /* made where missing; /workspace of each session; NULL: there is
				     none */
	const char *defaults;     /* config text over the built-in defaults; NULL: none */
	const char *ceiling;      /* what others than root may ask for; NULL: anything */
	unsigned max_sessions;    /* 0: no limit but the machine's */
	unsigned pool;            /* sandboxes that are built ahead; 0: none */
	uid_t first_id, last_id;  /* of sessions of root's, in a set made by root; 0: usual ones */
	uint64_t patience_ns;     /* with a helper process that does not answer; 0: a minute */
	struct keep *keep;        /* of this project's own daemon (core/keep.h); NULL */
	mimobox_notify_fn notify; /* NULL: nobody is told */
	void *data;
};

/*
 * The ceiling bounds the sessions of every uid but 0, in a set made by root; in one made by
 * anybody else it bounds nothing. It is config text; a key that it does not name is not bounded.
 *
 * memory, processes, cpu, open-files, file-size, tmp-size, terminals, retain, timeout, kill-grace:
 *   at most this, `none` being more than any number.
 * network: none, names, then the ports named, then host. allow: once it is there, hosts and ports
 *   are within one of these lines. deny: no session reaches what it names, whatever it asks for.
 * seccomp: strict, essential, network, compat, as a session has it: a network that leads out brings
 *   `network` along. fork no, ptrace no: none may. landlock: at least this version, which with
 *   `auto` is the kernel's; `auto`: at least what the config needs.
 * idle-timeout: at most this.
 * ro, rw, overlay: once one is there, paths must be at or below one of those named, and for `rw`
 *   one that `rw` names, for `overlay` one that `overlay` or `rw` names, for `root` any of these or
 *   `root`; `none` names none. So `ro /` is to read anything, `ro none` to have no path. They hold
 *   for the name that is asked for, and at the start for the place it leads to.
 * device: whatever is bounded, only devices at or below one that is named.
 * user-sessions: how many a user may have (EDQUOT above it). user-memory, user-processes, user-cpu,
 *   user-terminals: the sum of these limits over the user's sessions that run; where nothing is
 * said user-terminals is three quarters of what the machine has for sandboxes. user-spool: the sum
 * of `retain` (of both streams, where there are two) from a session's start until it has been
 * removed and nobody holds it any more; the files are cut back to that in steps of 1M.
 * user-handles, user-buffers: how many files of the filesystem a user may have open, and how much
 *   memory these may hold. The filesystem keeps to them; they mean nothing here.
 *
 * Asking for more is EPERM: a line of config that could never be granted, and the start of a
 * session that is above the ceiling, by whatever its values come from, or beside others of the
 * same user. Nothing is lowered to fit.
 */

/*
 * Makes an empty set. `why`, of `why_size` bytes, has one line for people when it fails; both may
 * be NULL/0. EOPNOTSUPP: this machine lacks something, and `why` says what to do. EINVAL: malformed
 * defaults or ceiling. Everything else may be different the next time: ENOMEM, EMFILE; ENOENT: no
 * such spool directory; EPERM: the workspaces directory is not this user's alone.
 */
int mimobox_create(const struct mimobox_options *options, struct mimobox **out, char *why,
		   size_t why_size);

/*
 * Starts a sandbox of /bin/true with the defaults and waits for its end: 0 when this machine can
 * run sessions, else an errno as that of mimobox_create(), and one line in `why`. Blocks for 5 s at
 * most.
 */
int mimobox_probe(struct mimobox *box, char *why, size_t why_size);

/*
 * One `key value` a line: `landlock`, the version that the kernel has, or none and what to do;
 * `limits`, those that can be enforced; and `unlimited`, where there are others.
 */
void mimobox_print_machine(const struct mimobox *box, FILE *to);
/*
 * The limits that this machine's cgroups cannot enforce, why, and what to do; "" where there are
 * none. Where `defaults` say nothing else, sessions have none of these.
 */
const char *mimobox_unlimited(const struct mimobox *box);

/*
 * With `keep`, where another process has left sessions, before anything else is done: they are
 * there, and go on with mimobox_resume(). Until then the caller may take references to them,
 * removed ones included. Each 0 or -errno, after which the set is good for nothing; where memory is
 * wanting for one of the sessions, mimobox_resume() ends the process, for yet another to try.
 */
int mimobox_restore(struct mimobox *box);
int mimobox_resume(struct mimobox *box);
/* With `keep`: all that has changed is kept from here on. Else it does nothing. */
void mimobox_commit(struct mimobox *box);

/*
 * Ends every session (as mimobox_session_remove() does, all at once), waits for them, and frees
 * the set. Blocks for 6 s at most. With sessions and readers that are still referenced, nothing
 * may be done any more but giving them back.
 */
void mimobox_destroy(struct mimobox *box);

/* An epoll descriptor, readable when mimobox_dispatch() has something to do. Borrowed. */
int mimobox_fd(const struct mimobox *box);

/* Handles what is ready; waits up to timeout_ms for it (-1: for ever, 0: not at all). */
int mimobox_dispatch(struct mimobox *box, int timeout_ms);

/*
 * The text that each new session's config starts from. Writing follows
 * mimobox_session_configure(); printing writes every key in the same syntax.
 */
ssize_t mimobox_defaults_configure(struct mimobox *box, const char *text, size_t size);
void mimobox_defaults_print(const struct mimobox *box, FILE *to);

/*
 * Counters since the set was made, one `key value` a line: over all sessions, for uid 0 and the
 * effective user of this process; for others, how many sessions they have.
 */
void mimobox_print_stats(const struct mimobox *box, uid_t uid, FILE *to);

/*
 * The same counters as OpenMetrics text; `each`: and what each session of these uses. Else its size
 * does not depend on how many there are. 0 or -ENOMEM.
 */
int mimobox_print_metrics(const struct mimobox *box, uid_t uid, bool each, FILE *to);

/*
 * The size of the disk that output is kept on, and what is free there: f_frsize, f_blocks, f_bfree
 * and f_bavail of statvfs(3). 0 or -errno.
 */
struct statvfs;
int mimobox_disk(const struct mimobox *box, struct statvfs *out);

/*
 * Makes a session, not started. name: [A-Za-z0-9._-]{1,64}, not starting with a dot; EINVAL or
 * ENAMETOOLONG where it is not, EEXIST where it is taken, EAGAIN at max_sessions, EDQUOT at
 * the ceiling's user-sessions. `uid` and `gid` own the session and are the ids, outside, of what
 * runs in it; for uid 0 an id of the session's own takes its place. The reference that `out` gets
 * is the caller's.
 */
int mimobox_session_create(struct mimobox *box, const char *name, uid_t uid, gid_t gid,
			   struct mimobox_session **out);

struct mimobox_session *mimobox_session_ref(struct mimobox_session *session);
void mimobox_session_unref(struct mimobox_session *session);

/*
 * Takes the session out of the set at once: its name is free and nobody finds it any more. What
 * runs in it is ended as by `kill`; MIMOBOX_ENDED still comes to those who hold a reference.
 */
void mimobox_session_remove(struct mimobox_session *session);

/* Borrowed; NULL where there is none. Removed sessions are found by id while referenced. */
struct mimobox_session *mimobox_session_find(const struct mimobox *box, const char *name);
struct mimobox_session *mimobox_session_by_id(const struct mimobox *box, uint64_t id);
/* The session with the lowest id above `id` that is not removed: for listing, from 0. */
struct mimobox_session *mimobox_session_after(const struct mimobox *box, uint64_t id);
unsigned mimobox_session_count(const struct mimobox *box);

uint64_t mimobox_session_id(const struct mimobox_session *session); /* from 1, never reused */
const char *mimobox_session_name(const struct mimobox_session *session);
uid_t mimobox_session_uid(const struct mimobox_session *session);
gid_t mimobox_session_gid(const struct mimobox_session *session);
/* The directory that it has as /workspace; NULL where there is none (any more). */
const char *mimobox_session_workspace(const struct mimobox_session *session);
pid_t mimobox_session_pid(const struct mimobox_session *session); /* of the command; 0: not yet */
bool mimobox_session_has_terminal(const struct mimobox_session *session);
bool mimobox_session_removed(const struct mimobox_session *session);
enum mimobox_state mimobox_session_state(const struct mimobox_session *session);
/* A place for the caller's own pointer; NULL at first. */
void **mimobox_session_data(struct mimobox_session *session);
struct timespec;
void mimobox_session_times(const struct mimobox_session *session, struct timespec *created,
			   struct timespec *changed); /* CLOCK_REALTIME */

/*
 * Takes `key value` lines. The last line needs no newline. Returns the bytes taken, which are
 * all of them or those before the first line that is refused; when that is the very first, its
 * errno: EINVAL unknown or malformed, ERANGE out of bounds, EPERM above the ceiling, E2BIG too
 * long or too many, EBUSY after the start. The reason goes to the log.
 */
ssize_t mimobox_session_configure(struct mimobox_session *session, const char *text, size_t size);

/*
 * One verb, without its newline: start, kill, signal NAME, eof, hangup, stop, cont, apply [PATH],
 * discard [PATH]. Returns 0, or -EINPROGRESS for a start that has begun (MIMOBOX_STARTED tells of
 * its end), and for apply and discard (MIMOBOX_CHANGES), or an errno: EINVAL unknown, EBUSY wrong
 * state, EPERM above the ceiling, ESRCH nothing to signal. -ERESTART for a start: it would be above
 * the ceiling beside sessions of the same owner that were removed and have not ended;
 * MIMOBOX_STARTED tells when it is worth another try.
 */
int mimobox_session_ctl(struct mimobox_session *session, const char *verb, size_t size);

/*
 * How the last apply or discard ended: 0 or -errno. -EINPROGRESS while it is at work. ESTALE: the
 * host has changed meanwhile, and nothing was done; the log has the paths.
 */
int mimobox_session_change_result(const struct mimobox_session *session);

/*
 * What the session has changed in its overlays: a line for each path, `A`, `M`, `D` or `T`, a blank
 * and the path inside, escaped. EDQUOT: too many lists of this session are being made.
 */
struct mimobox_changes;
int mimobox_changes_open(struct mimobox_session *session, struct mimobox_changes **out);
void mimobox_changes_close(struct mimobox_changes *changes);
/* -EAGAIN until it is made (MIMOBOX_CHANGES tells), then as pread(2), or why it was not. */
ssize_t mimobox_changes_read(struct mimobox_changes *changes, void *data, size_t size,
			     uint64_t offset);

/* Ends a session that runs, as `kill` does: its owner has gone. */
void mimobox_session_disown(struct mimobox_session *session);

/*
 * Somebody shows the output on a terminal that answers programs, from the next byte on: the session
 * itself does not answer what ends there or later. 0, -EBUSY: another does, or the session always
 * does, by its config; -ENOTTY: it has no terminal.
 */
int mimobox_session_answer(struct mimobox_session *session);
/* That is over. */
void mimobox_session_answer_no_more(struct mimobox_session *session);

/* As the verb `start`. */
int mimobox_session_start(struct mimobox_session *session);
/*
 * How the last start ended: 0, or the errno of what failed. -EINPROGRESS while it runs. After a
 * failed start the session is MIMOBOX_CREATED again and nothing of the sandbox is left.
 */
int mimobox_session_start_result(const struct mimobox_session *session);

/*
 * Gives bytes to the terminal as typed. The session's init has the terminal, so the answer takes a
 * moment: EINPROGRESS means to call again after MIMOBOX_ROOM, with the same bytes and the same
 * `key`, a number of the caller's that no other write has (and not 0). Returns how many bytes were
 * taken (all, or some where there is not more room), or: EAGAIN no room now (MIMOBOX_ROOM tells),
 * EPIPE after the end, EMSGSIZE a line longer than a canonical terminal takes, EBUSY before the
 * start.
 */
ssize_t mimobox_session_input(struct mimobox_session *session, uint64_t key, const void *data,
			      size_t size);
/*
 * Instead of calling again: the answer if there is one, or EAGAIN, and nothing of the write will be
 * taken. Each EINPROGRESS is followed by an answer of either function.
 */
ssize_t mimobox_session_withdraw(struct mimobox_session *session, uint64_t key);

/*
 * "ROWS COLS", 1..65535 each. EINVAL malformed, ERANGE out of bounds. After the end: no effect.
 * EINPROGRESS means to call again after MIMOBOX_ROOM with the same text and the same `key`, as for
 * input, or mimobox_session_resize_not() instead: then the size stays as it was.
 */
int mimobox_session_resize(struct mimobox_session *session, uint64_t key, const char *text,
			   size_t size);
void mimobox_session_resize_not(struct mimobox_session *session, uint64_t key);

/*
 * The end: 0 and the exit status in `status`, or minus the signal. -EAGAIN before the end;
 * -ESRCH where the session was removed without ever having been started.
 */
int mimobox_session_exit(const struct mimobox_session *session, int *status);

/* A line of the caller's own in the session's log, printf-style, without newline. */
void mimobox_session_log(struct mimobox_session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The texts of the files of the same names. */
void mimobox_session_print_config(const struct mimobox_session *session, FILE *to);
void mimobox_session_print_status(struct mimobox_session *session, FILE *to);
void mimobox_session_print_log(struct mimobox_session *session, FILE *to);
/*
 * The same piece by piece, as it grows: *start and *end of it, as offsets in all that it ever had;
 * and up to `size` bytes from one of them on: the count, 0 at the end, -ESTALE: dropped.
 */
void mimobox_session_log_range(struct mimobox_session *session, uint64_t *start, uint64_t *end);
ssize_t mimobox_session_log_read(struct mimobox_session *session, void *data, size_t size,
				 uint64_t offset);
void mimobox_session_print_size(const struct mimobox_session *session, FILE *to);

/*
 * With `network names`: whether a session has that; its lines as they are now, with what went
 * through by each; and one line more, `allow HOST` or `deny HOST`, which counts before those that
 * were there. EINVAL malformed, E2BIG too many, EPERM above the ceiling, EOPNOTSUPP a session
 * without it, or an address that was not allowed at the start.
 */
bool mimobox_session_has_names(const struct mimobox_session *session);
void mimobox_session_print_network(const struct mimobox_session *session, FILE *to);
int mimobox_session_change_network(struct mimobox_session *session, const char *line, size_t size);
/*
 * Ports of the session's own network that are to be had as UNIX sockets in its directory: whether
 * there are any; whether one is; the next one behind another, 0: none. The filesystem tells of each
 * that is being bound: 0, EPERM, EEXIST.
 */
bool mimobox_session_has_ports(const struct mimobox_session *session);
bool mimobox_session_port_is_bound(const struct mimobox_session *session, uint16_t port);
uint16_t mimobox_session_port_after(const struct mimobox_session *session, uint16_t port);
int mimobox_session_port_bind(struct mimobox_session *session, uint16_t port);
/*
 * Whether lines that were written are in force: nothing gets through by those before. MIMOBOX_ASKED
 * tells. And cuts all that is open, where that takes too long: then they are.
 */
bool mimobox_session_network_is_settled(const struct mimobox_session *session);
void mimobox_session_reset_network(struct mimobox_session *session);
/*
 * The names that wait for an answer, one a line, as they come: where those that still wait begin in
 * all that there were; and what there is from an offset on, in *data until the next call: the
 * count, 0 at the session's end, EAGAIN where there is nothing yet, ESTALE: dropped.
 */
uint64_t mimobox_session_asks_open(struct mimobox_session *session);
ssize_t mimobox_session_asks_read(struct mimobox_session *session, uint64_t offset,
				  const char **data);

/*
 * Output is an absolute log of bytes, kept from `start` (0, until more than `retain` was
 * printed) to `end`. While a reader is open, `overflow wait` keeps what it has not read.
 */
void mimobox_session_output_range(const struct mimobox_session *session, enum mimobox_stream stream,
				  uint64_t *start, uint64_t *end);
int mimobox_reader_open(struct mimobox_session *session, enum mimobox_stream stream,
			struct mimobox_reader **out);
void mimobox_reader_close(struct mimobox_reader *reader);
/*
 * Reads at `offset`; one below `start` begins at `start`, and the reader that goes on from
 * there by its own count is understood. Returns the bytes read; 0 at the end of an ended
 * session's output; EAGAIN where there is nothing yet; ESTALE, once, where `overflow drop` has
 * dropped what the reader would have got next.
 */
ssize_t mimobox_reader_read(struct mimobox_reader *reader, void *data, size_t size,
			    uint64_t offset);
/*
 * The same without a copy where it takes none: *data is where the bytes are, `buffer` (of `size`
 * bytes) or memory of the session's, which stays as it is until the next call that is given the
 * session, or mimobox_dispatch().
 */
ssize_t mimobox_reader_view(struct mimobox_reader *reader, void *buffer, size_t size,
			    uint64_t offset, const void **data);
/* Reads what is kept at the absolute `offset`, which must not be below `start`; never EAGAIN. */
ssize_t mimobox_session_peek(struct mimobox_session *session, enum mimobox_stream stream,
			     void *data, size_t size, uint64_t offset);

/*
 * The terminal as a person would see it now: as many lines as it has rows. Reads what was printed
 * since the last look. 0; -EINPROGRESS, and nothing is printed: there is much to go through, and
 * a piece of it was done, so call again; -ENOMEM.
 */
int mimobox_session_print_screen(struct mimobox_session *session, FILE *to);
/* ROW COL visible|hidden, from 1: where its cursor is. Likewise. */
int mimobox_session_print_cursor(struct mimobox_session *session, FILE *to);

/*
 * At which sizes that was printed: a line `OFFSET ROWS COLS` for the oldest byte of output kept,
 * and one for each offset from which on it was another. The last is the present size.
 */
void mimobox_session_print_sizes(const struct mimobox_session *session, FILE *to);

/*
 * The bytes that bring a new terminal into the modes (alternate screen, cursor keys, mouse ...)
 * that are in force at the oldest byte of output kept. None as long as all is kept.
 */
void mimobox_session_print_modes(const struct mimobox_session *session, FILE *to);

/*
 * The session as an asciicast v2 recording: a text that grows with the output, and of which what
 * was once read does not change. Reads at `offset` of it: the count; 0 at its present end;
 * -EINPROGRESS call again; -ENOMEM.
 */
struct mimobox_cast;
int mimobox_cast_open(struct mimobox_session *session, struct mimobox_cast **out);
void mimobox_cast_close(struct mimobox_cast *cast);
ssize_t mimobox_cast_read(struct mimobox_cast *cast, void *data, size_t size, uint64_t offset);

/*
 * A question about a session: `exit`, `idle:DURATION` (nothing was printed for that long, from
 * when it was asked on), `match:REGEX` (POSIX extended, over what is printed from now on) or
 * `match@OFFSET:REGEX` (from there on). -EINVAL or -ERANGE with a line in the log, -ENOMEM.
 */
struct mimobox_wait;
int mimobox_wait_open(struct mimobox_session *session, const char *text, struct mimobox_wait **out);
void mimobox_wait_close(struct mimobox_wait *wait);
/*
 * Looks for the answer: 0, with `reason` (exit, idle, match; also where the end came before what
 * was asked for) and the offset of the output's end, or behind the match. -EAGAIN: look again at
 * the next MIMOBOX_OUTPUT or MIMOBOX_ENDED. -ESRCH where the session was removed without ever
 * having been started.
 */
int mimobox_wait_answer(struct mimobox_wait *wait, const char **reason, uint64_t *offset);

#ifdef __cplusplus
}
#endif

#endif
