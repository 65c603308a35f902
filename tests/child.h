/* SPDX-License-Identifier: MIT */
/*
 * Checks inside a forked child, for policies that nobody can take off again.
 *
 * The child says where it failed through memory that it shares with the test; the test then fails
 * with that line. A child that hangs is ended by an alarm.
 */
#ifndef CHILD_H
#define CHILD_H

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pace.h"

#define CHILD_SECONDS 10

struct child_failure {
	const char *what; /* a literal: at the same address in parent and child */
	int line;
	int error;
};

static struct child_failure *child_failure;

/* In a child: the condition holds, or the child ends and its test fails. */
#define CHECK(condition)                                  \
	do {                                              \
		errno = 0;                                \
		if (!(condition)) {                       \
			child_failure->error = errno;     \
			child_failure->line = __LINE__;   \
			child_failure->what = #condition; \
			_exit(1);                         \
		}                                         \
	} while (0)

/* In a child: the call fails with this errno. */
#define CHECK_ERROR(call, expected) CHECK((call) < 0 && errno == (expected))

/* Runs `fn` in a child and returns how that ended, as waitpid(2) tells it. */
static inline int child_status(void (*fn)(const void *), const void *data)
{
	int status;
	pid_t pid;

	if (child_failure == NULL)
		child_failure = mmap(NULL, sizeof(*child_failure), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*child_failure = (struct child_failure){ NULL, 0, 0 };
	pid = fork();
	if (pid == 0) {
		alarm(scaled(CHILD_SECONDS));
		fn(data);
		_exit(0);
	}
	cr_assert_gt(pid, 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* Runs `fn` in a child, and fails the test where one of its checks did. */
static inline void child_passes(void (*fn)(const void *), const void *data)
{
	int status = child_status(fn, data);

	cr_assert_eq(child_failure->line, 0, "in the child, line %d: %s (errno %d: %s)",
		     child_failure->line, child_failure->what, child_failure->error,
		     strerror(child_failure->error));
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with status 0x%x",
		  (unsigned)status);
}

#endif
