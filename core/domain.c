/* SPDX-License-Identifier: MIT */
/*
 * The thread has no thread-local memory of its own, errno above all: it works only while the other
 * one waits for it. What it forks goes on as the other one, on that one's stack, of which it has
 * its own copy.
 */
#include "domain.h"

#include "landlock.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK_SIZE = 65536 };
enum turn { THREADS, CALLERS };

static struct {
	_Atomic uint32_t turn;
	const struct landlock_policy *policy;
	unsigned failed;
	int error, signal;
	pid_t traced; /* to be let go, instead of a fork; 0: none */
	long forked;
	bool is_child;
	ucontext_t caller;
} domain;

static _Alignas(64) char stack[STACK_SIZE];

static void await(enum turn turn)
{
	uint32_t is;
	while ((is = atomic_load(&domain.turn)) != turn)
		syscall(SYS_futex, &domain.turn, FUTEX_WAIT_PRIVATE, is, NULL, NULL, 0);
}

static void pass(enum turn turn)
{
	atomic_store(&domain.turn, turn);
	syscall(SYS_futex, &domain.turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void fork_caller(void)
{
	struct clone_args args = { .exit_signal = (uint64_t)domain.signal };
	domain.forked = syscall(SYS_clone3, &args, sizeof(args));
	if (domain.forked < 0)
		domain.forked = -errno;
	if (domain.forked == 0) {
		domain.is_child = true;
		setcontext(&domain.caller);
	}
}

_Noreturn static int run(void *unused)
{
	(void)unused;
	const struct landlock_policy *policy = domain.policy;
	/* Where there is none, it was asked for by name. */
	if (policy->floor != 0 || policy->abi >= 1)
		domain.error = landlock_apply(policy, &domain.failed);
	for (;;) {
		pass(CALLERS);
		await(THREADS);
		if (domain.traced)
			syscall(SYS_ptrace, PTRACE_DETACH, domain.traced, NULL,
				(long)domain.signal);
		else
			fork_caller();
	}
}

int domain_begin(const struct landlock_policy *policy, enum stage *stage, unsigned *failed)
{
	const int flags =
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	domain.policy = policy;
	domain.error = 0;
	domain.failed = policy->rule_count;
	domain.turn = THREADS;
	*stage = STAGE_FORK;
	if (clone(run, stack + STACK_SIZE, flags, NULL) < 0)
		return -errno;
	await(CALLERS);
	*stage = STAGE_LANDLOCK;
	*failed = domain.failed;
	return domain.error;
}

pid_t domain_fork(int signal)
{
	domain.signal = signal;
	domain.traced = 0;
	domain.is_child = false;
	if (getcontext(&domain.caller) < 0)
		return -errno;
	if (domain.is_child)
		return 0;
	pass(THREADS);
	await(CALLERS);
	return (pid_t)domain.forked;
}

void domain_let_go(pid_t pid, int signal)
{
	domain.traced = pid;
	domain.signal = signal;
	pass(THREADS);
	await(CALLERS);
}
