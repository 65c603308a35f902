/* SPDX-License-Identifier: MIT */
/* The verbs of `ctl`: one row each. */
#include "session.h"
#include "units.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

typedef int (*verb_fn)(struct mimobox_session *session, const char *argument);

static int refuse(struct mimobox_session *session, int error, const char *verb, const char *why)
{
	mimobox_session_log(session, "ctl: %s: %s", verb, why);
	return error;
}

/* Signals go to what runs; before and after there is nothing to signal. */
static int tell(struct mimobox_session *session, const char *verb, enum control_verb control,
		int number)
{
	/* Heard already, it may have been the end. */
	bool said = keep_request_said(session->box->keep);
	if (session->state != MIMOBOX_RUNNING)
		return said ? 0 : refuse(session, -ESRCH, verb, "nothing runs");
	keep_request_says(session->box->keep);
	mimobox_commit(session->box);
	int error = session_say(session, control, number);
	if (error == -ESRCH && said)
		return 0;
	return error < 0 ? refuse(session, error, verb, strerror(-error)) : 0;
}

static int do_start(struct mimobox_session *session, const char *argument)
{
	(void)argument;
	return mimobox_session_start(session);
}

static int do_kill(struct mimobox_session *session, const char *argument)
{
	(void)argument;
	if (session->state == MIMOBOX_CREATED)
		return refuse(session, -ESRCH, "kill", "nothing runs");
	session_kill(session, END_KILL);
	return 0;
}

void mimobox_session_disown(struct mimobox_session *session)
{
	if (session->removed || session->state == MIMOBOX_CREATED ||
	    session->state == MIMOBOX_EXITED)
		return;
	mimobox_session_log(session, "the file that owned it was closed");
	session_kill(session, END_KILL);
}

static int do_signal(struct mimobox_session *session, const char *argument)
{
	int number;
	if (units_parse_signal(argument, &number) < 0)
		return refuse(session, -EINVAL, "signal", "no such signal");
	return tell(session, "signal", CONTROL_FOREGROUND, number);
}

static int do_eof(struct mimobox_session *session, const char *argument)
{
	(void)argument;
	int error = typing_end(session);
	return error < 0 ? refuse(session, error, "eof", strerror(-error)) : 0;
}

static int do_hangup(struct mimobox_session *session, const char *argument)
{
	(void)argument;
	if (session->state == MIMOBOX_CREATED || session->state == MIMOBOX_STARTING)
		return refuse(session, -ESRCH, "hangup", "nothing runs");
	if (session->state != MIMOBOX_RUNNING || session->typing.closed)
		return 0;
	int error = tell(session, "hangup", CONTROL_HANGUP, 0);
	if (error == 0)
		streams_hang_up(session);
	return error;
}

static int do_stop(struct mimobox_session *session, const char *argument)
{
	(void)argument;
	return tell(session, "stop", CONTROL_ALL, SIGSTOP);
}

static int do_cont(struct mimobox_session *session, const char *argument)
{
	(void)argument;
	return tell(session, "cont", CONTROL_ALL, SIGCONT);
}

static const struct {
	const char *name;
	verb_fn act;
	bool takes_argument;
} verbs[] = {
	{ "start", do_start, false }, { "kill", do_kill, false },     { "signal", do_signal, true },
	{ "eof", do_eof, false },     { "hangup", do_hangup, false }, { "stop", do_stop, false },
	{ "cont", do_cont, false },
};

int mimobox_session_ctl(struct mimobox_session *session, const char *verb, size_t size)
{
	char line[128], *rest = line;
	if (size >= sizeof(line) || memchr(verb, '\0', size))
		return refuse(session, -EINVAL, "unknown verb", "too long, or not text");
	memcpy(line, verb, size);
	line[size] = '\0';
	const char *name = strtok_r(line, " \t\r\n", &rest);
	const char *argument = name ? strtok_r(NULL, " \t\r\n", &rest) : NULL;
	if (!name)
		return 0; /* an empty line asks for nothing */
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, name) != 0)
			continue;
		if (verbs[i].takes_argument != (argument != NULL) ||
		    (argument && strtok_r(NULL, " \t\r\n", &rest)))
			return refuse(session, -EINVAL, name, "wrong number of arguments");
		return verbs[i].act(session, argument);
	}
	mimobox_session_log(session, "ctl: unknown verb '%s'", name);
	return -EINVAL;
}
