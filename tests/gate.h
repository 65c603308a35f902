/* SPDX-License-Identifier: MIT */
/*
 * The gate of 32-bit programs, `int $0x80`. Not each machine has it: a kernel without the emulation
 * of such programs, or a host below it, makes a fault of the instruction before any filter is
 * asked.
 */
#ifndef GATE_H
#define GATE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)

enum gate {
	GATE,
	NO_GATE, /* its double: an interrupt that no machine has a gate for */
};

/* A sanitizer's handler would make an exit status of the fault. */
static inline void gate_prepare(void)
{
	signal(SIGSEGV, SIG_DFL);
}

/* getpid. */
static inline int gate_call(enum gate gate)
{
	int result;

	if (gate == NO_GATE)
		__asm__ volatile("int $0x81"
				 : "=a"(result)
				 : "a"(20)
				 : "memory", "r8", "r9", "r10", "r11");
	else
		__asm__ volatile("int $0x80"
				 : "=a"(result)
				 : "a"(20)
				 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

/* Tried in a child, without any filter. */
static inline bool gate_is_there(enum gate gate)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		gate_prepare();
		_exit(gate_call(gate) == getpid() ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* What ends a program that calls through it below a filter: the filter, or the machine. */
static inline int gate_signal(enum gate gate)
{
	return gate_is_there(gate) ? SIGSYS : SIGSEGV;
}

#endif
#endif
