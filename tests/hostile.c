/* SPDX-License-Identifier: MIT */
/*
 * hostile [NAME...]       tries all probes, or those named; one line each:
 *                             NAME: denied ERRNO [(detail)]
 *                             NAME: killed SIGNAL
 *                             NAME: ESCAPED detail
 *                             NAME: untestable why
 *                         status 1 where anything escaped, 2 for an unknown name
 * hostile --list          NAME, who gets it without a sandbox, the variable it takes, what it is
 *
 * Inside a sandbox nothing may escape. Outside it is its own control: what `--list` says `anyone`
 * gets must escape there (as root, what `root` gets too), or the probe proves nothing. Nothing
 * here does harm where it succeeds; what would is tried with an argument that fails for another
 * reason once the privilege has been checked.
 *
 * Probes that reach for something outside take it from the environment:
 *   HOSTILE_DIR         directory for scratch files; else TMPDIR, else /tmp
 *   HOSTILE_READ        a file outside, of the same owner
 *   HOSTILE_WRITE       the same; it is not changed
 *   HOSTILE_EXECUTE     a text outside that is marked executable, and is no program
 *   HOSTILE_INIT        the launcher: 1 inside; outside any process of the same owner
 *   HOSTILE_PID         a process outside, by its number there
 *   HOSTILE_NS          the namespaces outside, as in readlink /proc/self/ns/net, with spaces
 * between HOSTILE_ABSTRACT    an abstract socket outside that listens, without its leading zero
 *   HOSTILE_UNIX        the same with a path
 *   HOSTILE_TCP         a port that listens on 127.0.0.1 outside
 *   HOSTILE_UDP         a port on 127.0.0.1 outside that answers each datagram
 *   HOSTILE_SESSIONFS   where the session filesystem is mounted
 *   HOSTILE_SUID        a set-user-ID copy of this program
 *   HOSTILE_SECRET      a name that must not be in the environment
 * and their size from HOSTILE_FORKS, _MEMORY, _DISK (both MiB), _INODES, _FLOOD (MiB).
 *
 * Each probe runs in a child of its own, which may die and is ended after some seconds. Where
 * no child can be made, a probe that is asked for by name runs in the process itself.
 */
#include "hostile.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define USUAL_SECONDS 10

static const struct probe *const tables[] = { call_probes, socket_probes, reach_probes,
					      quota_probes, use_probes };

#define TABLES (sizeof(tables) / sizeof(tables[0]))

struct outcome escaped(const char *format, ...)
{
	struct outcome outcome = { .verdict = ESCAPED };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(outcome.detail, sizeof(outcome.detail), format, arguments);
	va_end(arguments);
	return outcome;
}

struct outcome denied(int error)
{
	return (struct outcome){ .verdict = DENIED, .error = error };
}

struct outcome denied_after(int error, const char *format, ...)
{
	struct outcome outcome = { .verdict = DENIED, .error = error };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(outcome.detail, sizeof(outcome.detail), format, arguments);
	va_end(arguments);
	return outcome;
}

struct outcome untestable(const char *format, ...)
{
	struct outcome outcome = { .verdict = UNTESTABLE };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(outcome.detail, sizeof(outcome.detail), format, arguments);
	va_end(arguments);
	return outcome;
}

struct outcome outcome_of(long result)
{
	return result < 0 ? denied(errno) : escaped("it was done");
}

struct outcome outcome_beyond(long result, int beyond)
{
	if (result < 0 && errno == beyond)
		return escaped("past the check, to %s", strerrorname_np(beyond));
	return outcome_of(result);
}

const char *scratch(const char *name)
{
	static char path[4096];
	const char *directory = getenv("HOSTILE_DIR");

	if (directory == NULL)
		directory = getenv("TMPDIR");
	snprintf(path, sizeof(path), "%s/hostile-%ld-%s", directory ? directory : "/tmp",
		 (long)getpid(), name);
	return path;
}

long parameter(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtol(text, NULL, 10) : otherwise;
}

static struct outcome attempt(const struct probe *probe)
{
	const char *object = NULL;

	if (probe->object != NULL) {
		object = getenv(probe->object);
		if (object == NULL)
			return untestable("%s is not set", probe->object);
	}
	return probe->fn(object);
}

/* In this process, what a probe leaves open would be a leak to the next one. */
static struct outcome attempt_here(const struct probe *probe)
{
	int first = dup(2);
	struct outcome outcome;

	close(first);
	outcome = attempt(probe);
	if (first > 2)
		close_range((unsigned)first, ~0u, 0);
	return outcome;
}

/* Returns whether it escaped. */
static bool report(const struct probe *probe, const struct outcome *outcome)
{
	switch (outcome->verdict) {
	case DENIED:
		printf("%s: denied %s", probe->name,
		       outcome->error != 0 ? strerrorname_np(outcome->error) : "by state");
		printf(outcome->detail[0] != '\0' ? " (%s)\n" : "%s\n", outcome->detail);
		break;
	case ESCAPED:
		printf("%s: ESCAPED %s\n", probe->name, outcome->detail);
		break;
	case UNTESTABLE:
		printf("%s: untestable %s\n", probe->name, outcome->detail);
		break;
	}
	fflush(stdout);
	return outcome->verdict == ESCAPED;
}

static bool report_end(const struct probe *probe, int status, const struct outcome *outcome)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		return report(probe, &(struct outcome){ UNTESTABLE, 0, "took too long" });
	if (!WIFSIGNALED(status))
		return report(probe, outcome);
	printf("%s: killed SIG%s\n", probe->name, sigabbrev_np(WTERMSIG(status)));
	fflush(stdout);
	return false;
}

static bool try_in_child(const struct probe *probe, bool by_name)
{
	struct outcome *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool result = false;
	int status;
	pid_t pid;

	if (shared == MAP_FAILED)
		return report(probe, &(struct outcome){ UNTESTABLE, 0, "no memory" });
	*shared = (struct outcome){ UNTESTABLE, 0, "the probe ended without a word" };
	pid = fork();
	if (pid == 0) {
		alarm(probe->seconds != 0 ? probe->seconds : USUAL_SECONDS);
		*shared = attempt(probe);
		_exit(0);
	}
	if (pid > 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		result = report_end(probe, status, shared);
	} else if (by_name) {
		*shared = attempt_here(probe);
		result = report(probe, shared);
	} else {
		result = report(probe, &(struct outcome){ UNTESTABLE, 0, "no child; ask by name" });
	}
	munmap(shared, sizeof(*shared));
	return result;
}

static const struct probe *find(const char *name)
{
	for (size_t i = 0; i < TABLES; i++)
		for (const struct probe *probe = tables[i]; probe->name != NULL; probe++)
			if (strcmp(probe->name, name) == 0)
				return probe;
	return NULL;
}

static void list(void)
{
	static const char *const needs[] = { "anyone", "root", "machine", "object" };

	for (size_t i = 0; i < TABLES; i++)
		for (const struct probe *probe = tables[i]; probe->name != NULL; probe++)
			printf("%s %s%s %s %s\n", probe->name, needs[probe->need],
			       probe->alone ? ",alone" : "", probe->object ? probe->object : "-",
			       probe->what);
}

static int try_named(char *const *names)
{
	bool any = false;

	for (; *names != NULL; names++) {
		const struct probe *probe = find(*names);

		if (probe == NULL) {
			fprintf(stderr, "hostile: no probe '%s'; try --list\n", *names);
			return 2;
		}
		any |= try_in_child(probe, true);
	}
	return any;
}

int main(int argc, char **argv)
{
	bool any = false;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--euid") == 0) /* what HOSTILE_SUID is run for */
		return geteuid() == 0 && getuid() != 0 ? 42 : 0;
	if (argc > 1)
		return try_named(argv + 1);
	for (size_t i = 0; i < TABLES; i++)
		for (const struct probe *probe = tables[i]; probe->name != NULL; probe++)
			if (!probe->alone)
				any |= try_in_child(probe, false);
	return any;
}
