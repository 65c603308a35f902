/* SPDX-License-Identifier: MIT */
/*
 * `mimoboxfs --check` does what a mount does: it opens the device, builds a sandbox in cgroups that
 * it has made, and mounts. It is another program with a reason: rules of AppArmor, and the like,
 * are for that one.
 */
#include "probe.h"

#include "session.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_SECONDS = 90, NOT_FOUND = 127 };

/* The one that was installed with this program; else that on the PATH. */
static void execute(void)
{
	char path[PATH_MAX + 32];
	ssize_t size = readlink("/proc/self/exe", path, PATH_MAX);
	char *end = size > 0 ? memrchr(path, '/', (size_t)size) : NULL;
	if (end) {
		strcpy(end, "/mimoboxfs");
		execl(path, "mimoboxfs", "--check", (char *)NULL);
	}
	execlp("mimoboxfs", "mimoboxfs", "--check", (char *)NULL);
	_exit(NOT_FOUND);
}

/* What it prints, in `text`; how it ended, as waitpid(2) has it, or -1. */
static int run(char *text, size_t size)
{
	int ends[2], status;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		alarm(DEADLINE_SECONDS);
		execute();
	}
	close(ends[1]);
	size_t used = 0;
	ssize_t count = child < 0 ? 0 : 1;
	while (count > 0 && used < size - 1) {
		count = read(ends[0], text + used, size - 1 - used);
		used += count > 0 ? (size_t)count : 0;
	}
	text[used] = '\0';
	close(ends[0]);
	return child < 0 || waitpid(child, &status, 0) < 0 ? -1 : status;
}

void diagnosis_check(struct diagnosis *diagnosis)
{
	diagnosis->ended = run(diagnosis->check, sizeof(diagnosis->check));
}

static void split(struct finding *finding, const char *reason)
{
	static const char start[] = "start failed: ";
	if (strncmp(reason, start, strlen(start)) == 0)
		reason += strlen(start);
	int length = (int)strcspn(reason, ";");
	snprintf(finding->fact, sizeof(finding->fact), "%.*s", length, reason);
	finding_advise(finding, PROBE_MISSING, "%s",
		       reason + length + strspn(reason + length, "; "));
}

static void ask(struct finding *finding, const struct diagnosis *diagnosis, const char *key,
		const char *fine)
{
	char *value = session_value(diagnosis->check, key);
	if (value && strcmp(value, "ok") == 0)
		snprintf(finding->fact, sizeof(finding->fact), "%s", fine);
	else if (value)
		split(finding, value);
	free(value);
}

void probe_device(struct finding *finding, const struct diagnosis *diagnosis)
{
	ask(finding, diagnosis, "device", "can be opened");
}

void probe_mounting(struct finding *finding, const struct diagnosis *diagnosis)
{
	ask(finding, diagnosis, "mount", "a filesystem was mounted, and unmounted");
}

/* This one also says why there is no answer at all. */
void probe_sandbox(struct finding *finding, const struct diagnosis *diagnosis)
{
	int ended = diagnosis->ended;
	ask(finding, diagnosis, "sandbox", "one was made, and ran /bin/true");
	if (finding->fact[0])
		return;
	if (ended >= 0 && WIFEXITED(ended) && WEXITSTATUS(ended) == NOT_FOUND) {
		snprintf(finding->fact, sizeof(finding->fact), "mimoboxfs is not found");
		finding_advise(finding, PROBE_MISSING, "install it, or have it on the PATH");
	} else if (ended >= 0 && WIFSIGNALED(ended) && WTERMSIG(ended) == SIGALRM) {
		snprintf(finding->fact, sizeof(finding->fact), "none was made in %d s",
			 DEADLINE_SECONDS);
		finding_advise(finding, PROBE_MISSING, "is the machine short of memory?");
	} else {
		snprintf(finding->fact, sizeof(finding->fact), "%.*s",
			 (int)strcspn(diagnosis->check, "\n"), diagnosis->check);
		finding_advise(finding, PROBE_MISSING, "mimoboxfs --check says more");
	}
}

void probe_landlock(struct finding *finding, const struct diagnosis *diagnosis)
{
	char *value = session_value(diagnosis->check, "landlock");
	const char *advice = value ? strchr(value, ';') : NULL;
	if (advice) {
		snprintf(finding->fact, sizeof(finding->fact), "there is none");
		finding_advise(finding, PROBE_WARN, "%s", advice + 2);
	} else if (value) {
		snprintf(finding->fact, sizeof(finding->fact), "version %s", value);
	}
	free(value);
}

/* The sandbox that was made had all of these limits. */
void probe_limits(struct finding *finding, const struct diagnosis *diagnosis)
{
	char *sandbox = session_value(diagnosis->check, "sandbox");
	char *limits = session_value(diagnosis->check, "limits");
	char *unlimited = session_value(diagnosis->check, "unlimited");
	char *advice = unlimited ? strstr(unlimited, ": ") : NULL;
	if (advice) {
		snprintf(finding->fact, sizeof(finding->fact), "cannot limit %.*s",
			 (int)(advice - unlimited), unlimited);
		finding_advise(finding, PROBE_WARN, "sessions run without; %s", advice + 2);
	} else if (limits && sandbox && strcmp(sandbox, "ok") == 0) {
		snprintf(finding->fact, sizeof(finding->fact), "can limit %s", limits);
	}
	free(sandbox);
	free(limits);
	free(unlimited);
}
