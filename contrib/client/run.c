/* SPDX-License-Identifier: MIT */
/*
 * mimobox run: a command in a session of its own, which goes when the command has. mimobox exec:
 * the same, in the sandbox of a session that runs. Beside a terminal it is used as one; in a
 * pipeline it is a part of it: bytes, errors and status are those that the command alone would
 * give.
 */
#include "commands.h"
#include "ending.h"
#include "keeper.h"
#include "relay.h"
#include "report.h"
#include "setting.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETTINGS_MAX = 1024, REFUSALS_TOLD = 4 };

struct setting {
	const char *key, *value;
};

struct run {
	const char *mount, *name, *config;
	bool joins;       /* another session's sandbox */
	const char *host; /* that one's name */
	bool keep, terminal, terminal_set;
	struct setting settings[SETTINGS_MAX];
	size_t setting_count;
	char *const *argv;
	struct place place;
	struct session session;
	struct tty tty;
	struct keeper keeper;
};

/* The command line */

static int take_setting(struct run *run, const char *key, const char *value)
{
	if (!setting_is_line(key, value))
		return report(STATUS_USAGE, "--%s '%s': a key and a value are one line of config",
			      key, value);
	if (strcmp(key, "terminal") == 0) {
		run->terminal = strcmp(value, "yes") == 0;
		run->terminal_set = true;
		if (!run->terminal && strcmp(value, "no") != 0)
			return report(STATUS_USAGE, "--terminal '%s': neither yes nor no", value);
		return 0;
	}
	if (run->setting_count == SETTINGS_MAX)
		return report(STATUS_USAGE, "more than %d settings", SETTINGS_MAX);
	run->settings[run->setting_count++] = (struct setting){ key, value };
	return 0;
}

static int take_option(struct run *run, const char *key, const char *value)
{
	if (strcmp(key, "mount") == 0)
		run->mount = value;
	else if (strcmp(key, "name") == 0)
		run->name = value;
	else if (strcmp(key, "config") == 0)
		run->config = value;
	else
		return take_setting(run, key, value);
	return 0;
}

/* Every option but --keep has a value, after an equals sign or as the next argument. */
static int parse(struct run *run, char **argv)
{
	for (argv++; *argv && strncmp(*argv, "-", 1) == 0 && strcmp(*argv, "--") != 0; argv++) {
		char *key = *argv + 2;
		if (strncmp(*argv, "--", 2) != 0)
			return report(STATUS_USAGE, "unknown option '%s'; see mimobox --help",
				      *argv);
		if (strcmp(key, "keep") == 0) {
			run->keep = true;
			continue;
		}
		char *value = strchr(key, '=');
		if (value)
			*value++ = '\0';
		else if (!(value = *++argv))
			return report(STATUS_USAGE, "--%s needs a value", key);
		int status = take_option(run, key, value);
		if (status)
			return status;
	}
	if (run->joins) {
		run->host = *argv && strcmp(*argv, "--") != 0 ? *argv++ : "";
		if (!session_is_name(run->host))
			return report(STATUS_USAGE, "'%s' is no name of a session", run->host);
	}
	run->argv = *argv && strcmp(*argv, "--") == 0 ? argv + 1 : argv;
	if (!run->argv[0])
		return report(STATUS_USAGE, "no command to run; see mimobox --help");
	if (run->name && !session_is_name(run->name))
		return report(STATUS_USAGE, "'%s' is no name of a session", run->name);
	if (!run->terminal_set)
		run->terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	return 0;
}

/* The config */

static void print_json_string(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte == '"' || byte == '\\')
			fprintf(to, "\\%c", byte);
		else if (byte < ' ')
			fprintf(to, "\\u%04x", byte);
		else
			fputc(byte, to);
	}
	fputc('"', to);
}

/* As after `2>&1`. */
static bool errors_go_with_output(void)
{
	struct stat out, err;
	return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
	       out.st_dev == err.st_dev && out.st_ino == err.st_ino;
}

/*
 * Two streams that are to become one again have lost their order. So the command has but one from
 * the beginning, by the one program that every sandbox has for it. The caller's to free, or NULL.
 */
static char *command_line(char *const *argv, bool one_stream)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	if (!to)
		return NULL;
	fputs("argv [", to);
	if (one_stream)
		fputs("\"/bin/sh\",\"-c\",\"exec \\\"$@\\\" 2>&1\",\"sh\",", to);
	for (size_t i = 0; argv[i]; i++) {
		if (i > 0)
			fputc(',', to);
		print_json_string(to, argv[i]);
	}
	fputs("]\n", to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

/* `what` was refused by the session, whose log says why; `more` is said behind that. */
static int refused(const struct run *run, const char *what, int error, const char *more)
{
	char *reason = session_reason(&run->session);
	const char *why = reason ? reason : strerror(-error);
	/* What was given as an option has no line that anybody knows of. */
	if (strncmp(why, "config line 1: ", 15) == 0 && what != run->config)
		why += 15;
	int status = error == -EINVAL || error == -ERANGE ? STATUS_USAGE : STATUS_CLIENT;
	report(status, "%s%s%s%s", what, *what ? ": " : "", why, more);
	free(reason);
	return status;
}

static int configure(const struct run *run, const char *key, const char *value)
{
	char option[64], *line = setting_line(key, value);
	if (!line)
		return report(STATUS_CLIENT, "--%s '%s': %s", key, value,
			      errno == EINVAL ? "a config cannot name the directory that this is in"
					      : strerror(errno));
	snprintf(option, sizeof(option), "--%s", key);
	int error = session_write(&run->session, "config", line);
	free(line);
	return error < 0 ? refused(run, option, error, "") : 0;
}

static int configure_from_file(const struct run *run)
{
	char *text = session_read_file(run->config);
	if (!text)
		return report(STATUS_CLIENT, "%s: %s", run->config, strerror(errno));
	int error = session_write(&run->session, "config", text);
	free(text);
	return error < 0 ? refused(run, run->config, error, "") : 0;
}

static bool is_locale_variable(const char *assignment)
{
	static const char *const names[] = {
		"LANG=",    "LANGUAGE=",   "LC_ALL=",       "LC_CTYPE=",       "LC_NUMERIC=",
		"LC_TIME=", "LC_COLLATE=", "LC_MONETARY=",  "LC_MESSAGES=",    "LC_PAPER=",
		"LC_NAME=", "LC_ADDRESS=", "LC_TELEPHONE=", "LC_MEASUREMENT=", "LC_IDENTIFICATION=",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(assignment, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* The command has the system's locales: one that this process cannot load it cannot load either. */
static int configure_locale(const struct run *run)
{
	locale_t locale = getenv("LOCPATH") ? (locale_t)0 : newlocale(LC_ALL_MASK, "", (locale_t)0);
	int status = 0;
	if (!locale)
		return 0;
	freelocale(locale);
	for (char **variable = environ; *variable && status == 0; variable++)
		if (is_locale_variable(*variable) && !strchr(*variable, '\n'))
			status = configure(run, "env", *variable);
	return status;
}

/* The terminal that it is shown on is the one it draws for. */
static int configure_terminal(const struct run *run)
{
	const char *type = getenv("TERM");
	char variable[256];
	int status = configure(run, "terminal", run->terminal ? "yes" : "no");
	if (status || !run->terminal || !type || !*type || !setting_is_line("env", type))
		return status;
	snprintf(variable, sizeof(variable), "TERM=%s", type);
	return configure(run, "env", variable);
}

static int configure_all(const struct run *run)
{
	int status = configure_locale(run);
	if (status == 0 && run->config)
		status = configure_from_file(run);
	if (status == 0)
		status = configure_terminal(run);
	for (size_t i = 0; i < run->setting_count && status == 0; i++)
		status = configure(run, run->settings[i].key, run->settings[i].value);
	if (status == 0 && run->joins)
		status = configure(run, "in", run->host);
	if (status)
		return status;
	char *line = command_line(run->argv, !run->terminal && errors_go_with_output());
	int error = line ? session_write(&run->session, "config", line) : -ENOMEM;
	free(line);
	return error < 0 ? refused(run, "the command", error, "") : 0;
}

/* The session */

static int make_session(struct run *run)
{
	const struct tty *tty = run->tty.fd >= 0 ? &run->tty : NULL;
	int error = session_at(&run->session, &run->place, run->name ? run->name : "run-XXXXXX");
	if (error == 0)
		error = keeper_start(&run->keeper, &run->session, run->keep, tty);
	if (error == -EEXIST)
		return report(STATUS_CLIENT, "there is a session '%s' already", run->name);
	if (error < 0)
		return report(STATUS_CLIENT, "cannot make a session at %s: %s", run->place.path,
			      strerror(-error));
	return 0;
}

/* As a shell tells it, where it is the command that cannot be run. */
static int not_started(const struct run *run, int error)
{
	char *status = session_read(&run->session, "status");
	char *stage = session_value(status, "start-failed");
	bool command = stage && strncmp(stage, "exec: ", 6) == 0;
	refused(run, "", error, "; see " TROUBLE_PAGE);
	free(stage);
	free(status);
	if (!command)
		return STATUS_CLIENT;
	return error == -ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXEC;
}

/*
 * The keeper may be killed together with this process. Then the server ends the session, when the
 * kernel closes this file. An older server does not know the word.
 */
static int own(const struct session *session)
{
	static const char verb[] = "own\n";
	int fd = session_open(session, "ctl", O_WRONLY);
	if (fd >= 0 && write(fd, verb, strlen(verb)) < 0 && errno != EINVAL) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd < 0 ? fd : 0; /* it stays open */
}

static int start(struct run *run, struct relay *relay)
{
	int error = run->keep ? 0 : own(&run->session);
	if (error == 0)
		error = relay_open(relay, !run->terminal, 0);
	if (error < 0)
		return report(STATUS_CLIENT, "cannot open the session: %s", strerror(-error));
	if (run->terminal)
		relay_follow_size(relay);
	if (run->tty.fd >= 0)
		relay_answer(relay);
	error = session_write(&run->session, "ctl", "start\n");
	if (error < 0)
		return not_started(run, error);
	if (run->tty.fd >= 0) {
		relay->tty = &run->tty;
		tty_raw(&run->tty);
	}
	return 0;
}

/* A shell says no more than "Killed", and the session goes with its account of the reason. */
static void tell_limit(const struct run *run)
{
	char *status = session_read(&run->session, "status");
	char *config = session_read(&run->session, "config");
	char *reason = session_value(status, "reason"), *kills = session_value(status, "oom-kills");
	char *forks = session_value(status, "refused-forks");
	char *timeout = session_value(config, "timeout"), *memory = session_value(config, "memory");
	char *processes = session_value(config, "processes");
	if (reason && timeout && strcmp(reason, "timeout") == 0)
		report(0, "ended by its timeout of %s (--timeout); see " TROUBLE_PAGE, timeout);
	else if (reason && memory &&
		 (strcmp(reason, "oom") == 0 || (kills && strcmp(kills, "0") != 0)))
		report(0,
		       "a process was killed at the limit of memory, %s (--memory); "
		       "see " TROUBLE_PAGE,
		       memory);
	else if (forks && processes && strcmp(forks, "0") != 0)
		report(0,
		       "forks were refused at the limit of processes, %s (--processes); "
		       "see " TROUBLE_PAGE,
		       processes);
	free(status);
	free(config);
	free(reason);
	free(kills);
	free(forks);
	free(timeout);
	free(memory);
	free(processes);
}

/* And of the system calls that were refused, which programs often tell nothing of. */
static void tell_refusals(const struct run *run)
{
	char *log = session_read(&run->session, "log"), *rest = log, *line;
	unsigned count = 0;
	while (count < REFUSALS_TOLD && (line = strsep(&rest, "\n"))) {
		line += strcspn(line, " ");
		if (strncmp(line, " refused: ", strlen(" refused: ")) == 0) {
			report(0, "%s", line + 1);
			count++;
		}
	}
	free(log);
}

/* The command says "Permission denied" of a path that it was given to change. */
static void tell_paths(const struct run *run)
{
	static const char mark[] = " path: rw ";
	char *log = session_read(&run->session, "log"), *rest = log, *line;
	while (rest && (line = strsep(&rest, "\n"))) {
		char *path = strstr(line, mark);
		if (path)
			report(0, "%s", path + strlen(" path: "));
	}
	free(log);
}

/* Until its end: the exit status, or minus the signal. */
static int relay_session(struct run *run, struct relay *relay)
{
	enum relay_end end = relay_run(relay);
	tty_restore(&run->tty);
	if (end != RELAY_ENDED)
		return report(STATUS_CLIENT, "%s", relay->trouble);
	if (relay->status != 0) {
		tell_limit(run);
		tell_refusals(run);
		tell_paths(run);
	}
	return relay->status;
}

static int run_session(struct run *run, struct relay *relay)
{
	int status = make_session(run);
	if (status)
		return status;
	status = configure_all(run);
	if (status == 0)
		status = start(run, relay);
	bool started = status == 0;
	if (started)
		status = relay_session(run, relay);
	tty_restore(&run->tty);
	keeper_end(&run->keeper);
	if (run->keep && !started)
		rmdir(run->session.path);
	else if (run->keep && !run->name)
		report(0, "kept as %s", session_name(&run->session));
	return status;
}

static int run_command(bool joins, char **argv)
{
	struct run run = { .tty.fd = -1, .joins = joins };
	int status = parse(&run, argv);
	if (status == 0)
		status = place_open(&run.place, run.mount);
	if (status)
		return status;
	if (run.terminal && tty_init(&run.tty, false) < 0)
		run.tty.fd = -1;
	struct relay *relay = relay_create(RELAY_RUN, &run.session);
	if (!relay)
		return report(STATUS_CLIENT, "%s", strerror(errno));
	status = run_session(&run, relay);
	relay_destroy(relay);
	return ending_as(status);
}

int command_run(int argc, char **argv)
{
	(void)argc;
	return run_command(false, argv);
}

int command_exec(int argc, char **argv)
{
	(void)argc;
	return run_command(true, argv);
}
