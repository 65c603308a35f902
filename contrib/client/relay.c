/* SPDX-License-Identifier: MIT */
/*
 * One loop of poll(2). A stream is read only when there is nothing of it left to write, so each way
 * is as fast as its slower end and holds up no other: a command may take its input as slowly as it
 * likes while its output goes on.
 */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* For a reader to take the rest, once the client was told to end, and for a command to notice. */
enum { PATIENCE_MS = 200, DESERTED_MS = 1000 };
/* Pieces in a row of one stream, before it is the turn of others. */
enum { TURN = 16 };

static const struct {
	const char *verbs; /* for the session that `run` has made */
	int number;
	bool ends;
} taken[] = {
	{ "signal INT\n", SIGINT, false },   { "signal QUIT\n", SIGQUIT, false },
	{ "signal USR1\n", SIGUSR1, false }, { "signal USR2\n", SIGUSR2, false },
	{ "kill\n", SIGTERM, true },         { "signal HUP\nkill\n", SIGHUP, true },
};
enum { TAKEN = sizeof(taken) / sizeof(taken[0]) };

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool is_ignored(int number)
{
	struct sigaction action;
	return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

struct relay *relay_create(enum relay_kind kind, const struct session *session)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	if (!relay)
		return NULL;
	relay->kind = kind;
	relay->session = session;
	relay->detach_key = -1;
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < TAKEN; i++)
		if (!is_ignored(taken[i].number))
			sigaddset(&set, taken[i].number);
	if (!is_ignored(SIGTSTP))
		sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	relay->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	channel_init(&relay->in, -1, -1);
	channel_init(&relay->out, -1, -1);
	channel_init(&relay->err, -1, -1);
	return relay;
}

static void close_fd(int fd)
{
	if (fd > STDERR_FILENO)
		close(fd);
}

void relay_destroy(struct relay *relay)
{
	if (!relay)
		return;
	close_fd(relay->in.to);
	close_fd(relay->out.from);
	close_fd(relay->err.from);
	close_fd(relay->signals);
	if (relay->answers)
		answering_end(&relay->answering);
	free(relay);
}

int relay_open(struct relay *relay, bool has_stderr, uint64_t offset)
{
	int in = session_open(relay->session, "input", O_WRONLY | O_NONBLOCK);
	if (in < 0)
		return in;
	channel_init(&relay->in, STDIN_FILENO, in);
	int out = session_open(relay->session, "output", O_RDONLY | O_NONBLOCK);
	if (out < 0)
		return out;
	channel_init(&relay->out, out, STDOUT_FILENO);
	relay->offset = offset;
	if (offset > 0 && lseek(out, (off_t)offset, SEEK_SET) < 0)
		return -errno;
	int err = has_stderr ? session_open(relay->session, "stderr", O_RDONLY | O_NONBLOCK) : -1;
	if (has_stderr && err < 0)
		return err;
	channel_init(&relay->err, err, STDERR_FILENO);
	relay->err.ended = !has_stderr;
	return 0;
}

/* The session may have ended meanwhile; then there is nobody to tell. */
static void tell(const struct relay *relay, const char *verbs)
{
	(void)session_write(relay->session, "ctl", verbs);
}

void relay_answer(struct relay *relay)
{
	if (!isatty(STDOUT_FILENO))
		return;
	answering_begin(&relay->answering, relay->session, relay->offset);
	relay->answers = true;
}

static void filter_questions(struct relay *relay, struct channel *out)
{
	if (out->skipped)
		answering_skipped(&relay->answering);
	out->skipped = false;
	memcpy(relay->unfiltered, out->data, out->size);
	out->size = answering_filter(&relay->answering, relay->unfiltered, out->size, out->data);
}

/* Signals */

static void pass_size(const struct relay *relay)
{
	char size[32];
	if (relay->follow_size && tty_size(size))
		(void)session_write(relay->session, "size", size);
}

void relay_follow_size(struct relay *relay)
{
	relay->follow_size = true;
	pass_size(relay);
}

static void suspend(struct relay *relay)
{
	if (relay->tty)
		tty_restore(relay->tty);
	if (relay->answers)
		answering_end(&relay->answering);
	if (relay->kind == RELAY_RUN)
		tell(relay, "stop\n");
	raise(SIGSTOP);
}

static void go_on(struct relay *relay)
{
	if (relay->kind == RELAY_RUN)
		tell(relay, "cont\n");
	bool away = relay->tty && !relay->tty->raw;
	if (away)
		tty_raw(relay->tty);
	if (away && relay->answers)
		answering_begin_again(&relay->answering);
	if (away && relay->redraw)
		relay->redraw(relay);
	pass_size(relay);
}

static void take_end(struct relay *relay, int number)
{
	for (size_t i = 0; i < TAKEN; i++) {
		if (taken[i].number != number)
			continue;
		if (relay->kind == RELAY_RUN) {
			tell(relay, taken[i].verbs);
			relay->ending |= taken[i].ends;
		} else {
			relay->signal = number;
			relay->detached = true;
		}
	}
}

static void take_signals(struct relay *relay)
{
	struct signalfd_siginfo info;
	while (read(relay->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			pass_size(relay);
		else if (info.ssi_signo == SIGTSTP)
			suspend(relay);
		else if (info.ssi_signo == SIGCONT)
			go_on(relay);
		else
			take_end(relay, (int)info.ssi_signo);
	}
}

/* In */

static void look_for_detach(struct relay *relay)
{
	struct channel *in = &relay->in;
	char *key = relay->detach_key < 0 ? NULL : memchr(in->data, relay->detach_key, in->size);
	if (!key)
		return;
	in->size = (size_t)(key - in->data);
	relay->detached = true;
}

/* Where the terminal itself has gone, that is what SIGHUP is about. */
static void end_input(struct relay *relay)
{
	relay->input_over = true;
	if (relay->tty)
		take_end(relay, SIGHUP);
	else if (!relay->in.deserted)
		tell(relay, "eof\n");
}

static int pump_in(struct relay *relay, const struct pollfd fds[2])
{
	struct channel *in = &relay->in;
	int error = 0;
	if (fds[0].revents) {
		/* EIO: a terminal that was hung up. */
		if (channel_read(in) < 0)
			in->ended = true;
		look_for_detach(relay);
	}
	if (fds[0].revents || fds[1].revents)
		error = channel_write(in);
	if (error == -EMSGSIZE && relay->tty) /* too much was pasted at once */
		error = 0;
	if (in->deserted) /* the command has no input any more; its output goes on */
		in->ended = true;
	if (channel_finished(in) && !relay->input_over)
		end_input(relay);
	return error == -EPIPE ? 0 : error;
}

/* Out */

/*
 * As when a pipe is closed in front of the command itself. One that would rather not know goes on
 * in silence, or is ended when it prints.
 */
static void desert(struct relay *relay)
{
	if (relay->deserted_at == 0) {
		relay->deserted_at = now_ms();
		tell(relay, "signal PIPE\n");
	} else if (now_ms() - relay->deserted_at > DESERTED_MS) {
		tell(relay, "kill\n");
	}
}

static int pump_out(struct relay *relay, struct channel *out, const struct pollfd fds[2])
{
	int error = 0;
	if (!fds[0].revents && !fds[1].revents)
		return 0;
	for (int i = 0; i < TURN && error == 0; i++) {
		if (out->size == 0) {
			error = channel_read(out);
			if (relay->answers && out == &relay->out)
				filter_questions(relay, out);
			if (relay->tty)
				tty_note(relay->tty, out->data, out->size);
		}
		if (out->size == 0)
			break;
		error = channel_write(out);
		if (error == -EPIPE) {
			desert(relay);
			error = 0;
		}
		if (out->size > 0)
			break;
	}
	return error;
}

/* The user */

/*
 * A connection of ssh(1) without a terminal that has gone gives no signal: it closes the other ends
 * of all three. Where one of them has somebody still, as in a pipeline, the command goes on.
 */
static void watch_ends(const struct relay *relay, struct pollfd fds[3])
{
	bool watched = relay->kind == RELAY_RUN && !relay->tty;
	for (int fd = 0; fd < 3; fd++)
		fds[fd] = (struct pollfd){ .fd = watched && !relay->left[fd] ? fd : -1 };
}

static void look_at_ends(struct relay *relay, const struct pollfd fds[3])
{
	bool before = relay->left[0] && relay->left[1] && relay->left[2];
	for (int fd = 0; fd < 3; fd++)
		relay->left[fd] |= (fds[fd].revents & (POLLHUP | POLLERR)) != 0;
	if (!before && relay->left[0] && relay->left[1] && relay->left[2])
		take_end(relay, SIGHUP);
}

/* All of it */

enum { IN = 1, OUT = 3, ERR = 5, EXIT = 7, ENDS = 8, WATCHED = 11 };

static bool may_read_input(const struct relay *relay)
{
	return relay->in.from >= 0 && (relay->tty || tty_may_read(relay->in.from));
}

/* 0; 1 when there is nothing more to be done; -errno. */
static int turn(struct relay *relay, int exit_fd)
{
	struct pollfd fds[WATCHED] = { { .fd = relay->signals, .events = POLLIN } };
	channel_watch(&relay->in, fds + IN);
	channel_watch(&relay->out, fds + OUT);
	channel_watch(&relay->err, fds + ERR);
	watch_ends(relay, fds + ENDS);
	fds[EXIT] = (struct pollfd){ .fd = relay->ending && !relay->gone ? exit_fd : -1,
				     .events = POLLIN };
	if (!may_read_input(relay))
		fds[IN].fd = -1;
	int ready = poll(fds, WATCHED, relay->gone ? PATIENCE_MS : -1);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	if (ready == 0)
		return 1;
	if (fds[0].revents)
		take_signals(relay);
	look_at_ends(relay, fds + ENDS);
	relay->gone |= fds[EXIT].revents != 0;
	int error = pump_out(relay, &relay->out, fds + OUT);
	if (error == 0)
		error = pump_out(relay, &relay->err, fds + ERR);
	if (error == 0)
		error = pump_in(relay, fds + IN);
	if (error < 0)
		return error;
	return relay->detached || (channel_finished(&relay->out) && channel_finished(&relay->err));
}

static const char *explain(int error)
{
	const char *what = error == -ENOTCONN || error == -ECONNABORTED
				   ? "the mimoboxfs of this session has died"
				   : strerror(-error);
	if (error == -ESRCH)
		what = "the session was removed";
	if (error == -EMSGSIZE)
		what = "a line of input is longer than a terminal takes; see --terminal";
	return what;
}

/* Once the streams have ended, it is known. Nothing is told of one that never ran. */
static int read_status(struct relay *relay, int exit_fd)
{
	char text[32] = "";
	if (read(exit_fd, text, sizeof(text) - 1) < 0)
		return -errno;
	return sscanf(text, "%d", &relay->status) == 1 ? 0 : -ESRCH;
}

enum relay_end relay_run(struct relay *relay)
{
	int exit_fd = session_open(relay->session, "exit", O_RDONLY | O_NONBLOCK);
	int error = exit_fd < 0 ? exit_fd : relay->signals < 0 ? -EMFILE : 0;
	while (error == 0)
		error = turn(relay, exit_fd);
	if (error > 0 && !relay->detached)
		error = read_status(relay, exit_fd);
	close_fd(exit_fd);
	relay->trouble = error < 0 ? explain(error) : NULL;
	if (error < 0)
		return RELAY_FAILED;
	return relay->detached ? RELAY_DETACHED : RELAY_ENDED;
}
