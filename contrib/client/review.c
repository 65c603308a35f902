/* SPDX-License-Identifier: MIT */
/* mimobox diff, apply, discard. */
#include "review.h"

#include "commands.h"
#include "report.h"
#include "visible.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_CONFLICT = 1, SHOWN = 20, ANSWER = 64 };

/* Paths */

char *review_escape(const char *path)
{
	char directory[PATH_MAX] = "", *text = NULL;
	size_t size;
	if (*path != '/' && !getcwd(directory, sizeof(directory)))
		return NULL;
	FILE *to = open_memstream(&text, &size);
	if (!to)
		return NULL;
	const char *const parts[] = { directory, *directory ? "/" : "", path };
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		for (const char *at = parts[i]; *at; at++)
			if ((unsigned char)*at <= ' ' || *at == 127 || *at == '\\')
				fprintf(to, "\\%03o", (unsigned char)*at);
			else
				fputc(*at, to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

/* \ooo, and in a config also \: and \\, in place. */
static void unescape(char *text)
{
	char *to = text;
	for (const char *from = text; *from;) {
		if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
			from += 4;
		} else {
			from += from[0] == '\\' && (from[1] == ':' || from[1] == '\\');
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* Lists */

char *review_changes(const struct session *session)
{
	char *changes = session_read(session, "changes");
	if (!changes)
		report(STATUS_CLIENT, "%s: changes: %s", session_name(session), strerror(errno));
	return changes;
}

unsigned review_show(const char *changes, unsigned lines, FILE *to)
{
	unsigned count = 0;
	for (const char *line = changes; *line; count++) {
		size_t length = strcspn(line, "\n");
		char *copy = lines == 0 || count < lines ? strndup(line, length) : NULL;
		if (copy && isatty(fileno(to)))
			visible_line(copy);
		if (copy)
			fprintf(to, "%s\n", copy);
		free(copy);
		line += length + (line[length] == '\n');
	}
	return count;
}

/* Those at or below the escaped path. */
static char *select_below(const char *changes, const char *path)
{
	size_t length = strlen(path), size;
	char *text = NULL;
	FILE *to = open_memstream(&text, &size);
	for (const char *line = changes; to && *line;) {
		size_t end = strcspn(line, "\n");
		if (end >= length + 2 && strncmp(line + 2, path, length) == 0 &&
		    (end == length + 2 || line[length + 2] == '/'))
			fprintf(to, "%.*s\n", (int)end, line);
		line += end + (line[end] == '\n');
	}
	if (to && fclose(to) == 0)
		return text;
	return NULL;
}

/* Differences */

struct overlay {
	char *host, *inside, upper[PATH_MAX + 32];
};

/* The overlay that the path is in: the deepest. False: none. */
static bool find_overlay(const struct session *session, const char *config, const char *path,
			 struct overlay *out)
{
	char workspace[PATH_MAX], place[PATH_MAX + 16];
	size_t best = 0;
	unsigned number = 0;
	snprintf(place, sizeof(place), "%s/workspace", session->path);
	ssize_t size = readlink(place, workspace, sizeof(workspace) - 1);
	if (size < 0)
		return false;
	workspace[size] = '\0';
	*out = (struct overlay){ 0 };
	for (const char *line = config; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "overlay ", 8) != 0)
			continue;
		char *host = strndup(line + 8, strcspn(line + 8, "\n")), *colon = host;
		while (colon && *colon && *colon != ':')
			colon += 1 + (*colon == '\\' && colon[1] == ':');
		bool renamed = colon && *colon == ':';
		if (renamed)
			*colon++ = '\0';
		char *inside = host ? strdup(renamed ? colon : host) : NULL;
		if (host && inside) {
			unescape(host);
			unescape(inside);
		}
		size_t length = inside ? strlen(inside) : 0;
		if (length > best && strncmp(path, inside, length) == 0 &&
		    (path[length] == '/' || path[length] == '\0')) {
			best = length;
			free(out->host);
			free(out->inside);
			out->host = host;
			out->inside = inside;
			snprintf(out->upper, sizeof(out->upper), "%s.changes/%u/upper", workspace,
				 number);
		} else {
			free(host);
			free(inside);
		}
		number++;
	}
	return best > 0;
}

/* A regular file, not by a link; else nothing. */
static int open_regular(const char *directory, const char *below)
{
	char path[2 * PATH_MAX];
	struct stat status;
	snprintf(path, sizeof(path), "%s%s", directory, below);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		if (fd >= 0)
			close(fd);
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

static int run_diff(int before, int after, const char *label, int out)
{
	char from[32], to[32], diff[] = "diff", options[] = "-u", named[] = "--label";
	pid_t pid;
	posix_spawn_file_actions_t actions;
	snprintf(from, sizeof(from), "/dev/fd/%d", before);
	snprintf(to, sizeof(to), "/dev/fd/%d", after);
	char *old = NULL, *new = NULL;
	if (asprintf(&old, "a%s", label) < 0 || asprintf(&new, "b%s", label) < 0)
		return -ENOMEM;
	char *arguments[] = { diff, options, named, old, named, new, from, to, NULL };
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, before, before);
	posix_spawn_file_actions_adddup2(&actions, after, after);
	int error = -posix_spawnp(&pid, diff, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	while (error == 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(old);
	free(new);
	return error;
}

/* What it prints is shown by this process, if it is for a terminal. */
static int show_difference(int before, int after, const char *label)
{
	if (!isatty(STDOUT_FILENO)) {
		fflush(stdout);
		return run_diff(before, after, label, STDOUT_FILENO);
	}
	FILE *kept = tmpfile();
	if (!kept)
		return -errno;
	char *line = NULL;
	size_t room = 0;
	int error = run_diff(before, after, label, fileno(kept));
	rewind(kept);
	for (ssize_t size; error == 0 && (size = getline(&line, &room, kept)) > 0;) {
		line[size - (line[size - 1] == '\n')] = '\0';
		for (char *tab = line; (tab = strchr(tab, '\t'));)
			*tab = ' ';
		visible_line(line);
		puts(line);
	}
	free(line);
	fclose(kept);
	return error;
}

static int difference_of(const struct session *session, const char *config, const char *escaped)
{
	struct overlay overlay;
	char *path = strdup(escaped);
	if (!path)
		return -ENOMEM;
	unescape(path);
	int error = 0;
	if (find_overlay(session, config, path, &overlay)) {
		const char *below = path + strlen(overlay.inside);
		int before = open_regular(overlay.host, below);
		int after = open_regular(overlay.upper, below);
		error = before < 0 || after < 0 ? -errno : show_difference(before, after, escaped);
		if (before >= 0)
			close(before);
		if (after >= 0)
			close(after);
	}
	free(overlay.host);
	free(overlay.inside);
	free(path);
	return error;
}

int review_differences(const struct session *session, const char *changes)
{
	char *config = session_read(session, "config");
	int error = config ? 0 : -errno;
	for (const char *line = changes; error == 0 && *line;) {
		size_t length = strcspn(line, "\n");
		char *path = length > 2 ? strndup(line + 2, length - 2) : NULL;
		if (path)
			error = difference_of(session, config, path);
		free(path);
		line += length + (line[length] == '\n');
	}
	free(config);
	return error < 0 ? report(STATUS_CLIENT, "diff: %s", strerror(-error)) : 0;
}

/* Verbs */

/* The log's lines of that verb, from `before` on. */
static void tell_log(const struct session *session, const char *verb, size_t before)
{
	char *log = session_read(session, "log");
	size_t size = log ? strlen(log) : 0, length = strlen(verb);
	for (char *line = log ? log + (before < size ? before : 0) : NULL; line && *line;) {
		size_t end = strcspn(line, "\n");
		char *text = memchr(line, ' ', end);
		bool more = line[end] == '\n';
		line[end] = '\0';
		text += text != NULL;
		if (text && strncmp(text, "ctl: ", 5) == 0)
			text += 5;
		if (text && strncmp(text, verb, length) == 0)
			report(0, "%s", text);
		line += end + more;
	}
	free(log);
}

int review_do(const struct session *session, const char *verb, const char *path)
{
	char *line, *log = session_read(session, "log");
	size_t before = log ? strlen(log) : 0;
	free(log);
	if (asprintf(&line, "%s%s%s\n", verb, *path ? " " : "", path) < 0)
		return report(STATUS_CLIENT, "%s", strerror(ENOMEM));
	int error = session_write(session, "ctl", line);
	free(line);
	if (error == 0)
		return 0;
	tell_log(session, verb, before);
	return report(error == -ESTALE ? STATUS_CONFLICT : STATUS_CLIENT, "%s: %s",
		      session_name(session),
		      error == -ESTALE ? "nothing was applied" : strerror(-error));
}

/* The three commands */

struct options {
	struct place place;
	bool unified;
	char **rest; /* a name, and paths */
};

static int parse(int argc, char **argv, const char *shorts, struct options *out)
{
	static const struct option longs[] = { { "mount", required_argument, NULL, 'm' },
					       { "unified", no_argument, NULL, 'u' },
					       { 0 } };
	const char *mount = NULL;
	int option;
	*out = (struct options){ 0 };
	while ((option = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (option == 'm')
			mount = optarg;
		else if (option == 'u' && *shorts)
			out->unified = true;
		else
			return STATUS_USAGE;
	}
	if (optind == argc)
		return report(STATUS_USAGE, "%s takes a name; see mimobox --help", argv[0]);
	out->rest = argv + optind;
	return place_open(&out->place, mount);
}

static int show(const struct options *options, const struct session *session, const char *path)
{
	char *changes = review_changes(session);
	char *part = changes && path ? select_below(changes, path) : changes;
	int status = part ? 0 : STATUS_CLIENT;
	if (part && options->unified)
		status = review_differences(session, part);
	else if (part)
		review_show(part, 0, stdout);
	if (part != changes)
		free(part);
	free(changes);
	return status;
}

/* Once for each path, or for all. */
static int each_path(int argc, char **argv, const char *verb)
{
	struct options options;
	struct session session;
	int status = parse(argc, argv, *verb ? "" : "u", &options);
	if (status == 0)
		status = session_find(&session, &options.place, options.rest[0]);
	if (status)
		return status;
	for (char **path = options.rest + 1; status == 0 && (*path || path == options.rest + 1);) {
		char *escaped = *path ? review_escape(*path) : NULL;
		if (*path && !escaped)
			status = report(STATUS_CLIENT, "%s: %s", *path, strerror(errno));
		else if (*verb)
			status = review_do(&session, verb, escaped ? escaped : "");
		else
			status = show(&options, &session, escaped);
		free(escaped);
		if (!*path++)
			break;
	}
	return status;
}

int command_diff(int argc, char **argv)
{
	return each_path(argc, argv, "");
}

int command_apply(int argc, char **argv)
{
	return each_path(argc, argv, "apply");
}

int command_discard(int argc, char **argv)
{
	return each_path(argc, argv, "discard");
}

/* A project */

/* 'a', 'd', 'k', or 'v' to view. */
static char ask_once(void)
{
	char answer[ANSWER] = "";
	fputs("[a]pply, [d]iscard, [k]eep the session, [v]iew the differences? ", stderr);
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		return 'k';
	return strchr("adkv", answer[0]) && answer[1] == '\n' ? answer[0] : '?';
}

static const char *ask_verb(const struct session *session, const char *changes)
{
	for (;;) {
		char answer = ask_once();
		if (answer == 'a')
			return "apply";
		if (answer == 'd')
			return "discard";
		if (answer == 'k')
			return "";
		if (answer == 'v')
			(void)review_differences(session, changes);
		fflush(stdout);
	}
}

/* How many there are of each kind; and those that are not git's own, as far as there is room. */
static unsigned summarize(const struct session *session, const char *changes)
{
	unsigned counts[128] = { 0 }, count = 0, shown = 0;
	char *rest = NULL;
	size_t size;
	FILE *to = open_memstream(&rest, &size);
	for (const char *line = changes; to && *line; count++) {
		size_t length = strcspn(line, "\n");
		const char *git = strstr(line, "/.git/");
		counts[*line & 127]++;
		if ((!git || git > line + length) && shown < SHOWN) {
			fprintf(to, "%.*s\n", (int)length, line);
			shown++;
		}
		line += length + (line[length] == '\n');
	}
	if (!to || fclose(to) != 0)
		return count;
	review_show(rest, 0, stderr);
	free(rest);
	if (count)
		fprintf(stderr, "%u change%s: %u new, %u others, %u gone%s%s\n", count,
			count == 1 ? "" : "s", counts['A'], counts['M'] + counts['T'], counts['D'],
			shown < count ? "; all: mimobox diff " : "",
			shown < count ? session_name(session) : "");
	return count;
}

bool review_project(const struct session *session, const char *verb, bool ask, int *status)
{
	char *changes = review_changes(session);
	if (!changes)
		return false;
	unsigned count = summarize(session, changes);
	bool done = count == 0;
	if (count && !*verb && ask)
		verb = ask_verb(session, changes);
	if (count && *verb) {
		int result = review_do(session, verb, "");
		done = result == 0;
		if (result && *status == 0)
			*status = result;
	}
	if (!done)
		report(0, "%u change%s kept: mimobox diff|apply|discard %s", count,
		       count == 1 ? " is" : "s are", session_name(session));
	free(changes);
	return done;
}
