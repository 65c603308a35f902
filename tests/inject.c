/* SPDX-License-Identifier: MIT */
#include "inject.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

#if defined(__x86_64__)
#define INSTRUCTION 0x050f /* syscall */
#define INSTRUCTION_SIZE 2
#elif defined(__aarch64__)
#define INSTRUCTION 0xd4000001 /* svc #0 */
#define INSTRUCTION_SIZE 4
#endif

struct inject {
	pid_t pid;
	struct user_regs_struct before;
	long at, code; /* what is overwritten by the instruction, and where */
	long text;
};

static void get(pid_t pid, struct user_regs_struct *registers)
{
	struct iovec part = { registers, sizeof(*registers) };
	cr_assert_eq(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part), 0, "%s", strerror(errno));
}

static void set(pid_t pid, struct user_regs_struct *registers)
{
	struct iovec part = { registers, sizeof(*registers) };
	cr_assert_eq(ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part), 0, "%s", strerror(errno));
}

static void poke(pid_t pid, long at, long word)
{
	cr_assert_eq(ptrace(PTRACE_POKETEXT, pid, at, word), 0, "%s", strerror(errno));
}

/* Waits for a stop of the tracee's; the suite's own time is the bound. */
static int wait_for_stop(pid_t pid)
{
	int status;
	cr_assert_eq(waitpid(pid, &status, __WALL), pid);
	cr_assert(WIFSTOPPED(status), "it ended: 0x%x", (unsigned)status);
	return WSTOPSIG(status);
}

struct inject *inject_begin(pid_t pid)
{
	struct inject *inject = keep(calloc(1, sizeof(*inject)));
	inject->pid = pid;
	cr_assert(await(process_waits, &pid, 5000));
	cr_assert_eq(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0, "%s", strerror(errno));
	cr_assert_eq(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	wait_for_stop(pid);
	get(pid, &inject->before);
#if defined(__x86_64__)
	inject->at = (long)inject->before.rip;
	inject->text = (long)inject->before.rsp - 4096;
#else
	inject->at = (long)inject->before.pc;
	inject->text = (long)inject->before.sp - 4096;
#endif
	errno = 0;
	inject->code = ptrace(PTRACE_PEEKTEXT, pid, inject->at, NULL);
	cr_assert_eq(errno, 0);
	const uint64_t mask = (UINT64_C(1) << 8 * INSTRUCTION_SIZE) - 1;
	poke(pid, inject->at, (long)(((uint64_t)inject->code & ~mask) | INSTRUCTION));
	return inject;
}

static long result_of(const struct user_regs_struct *registers)
{
#if defined(__x86_64__)
	return (long)registers->rax;
#else
	return (long)registers->regs[0];
#endif
}

static void prepare(struct user_regs_struct *registers, long number, const long arguments[6])
{
#if defined(__x86_64__)
	registers->orig_rax = (unsigned long long)-1; /* nothing to restart */
	registers->rax = (unsigned long long)number;
	registers->rdi = (unsigned long long)arguments[0];
	registers->rsi = (unsigned long long)arguments[1];
	registers->rdx = (unsigned long long)arguments[2];
	registers->r10 = (unsigned long long)arguments[3];
	registers->r8 = (unsigned long long)arguments[4];
	registers->r9 = (unsigned long long)arguments[5];
#else
	registers->regs[8] = (unsigned long long)number;
	for (int i = 0; i < 6; i++)
		registers->regs[i] = (unsigned long long)arguments[i];
#endif
}

long inject_call(struct inject *inject, long number, const long arguments[6])
{
	struct user_regs_struct registers = inject->before;
	prepare(&registers, number, arguments);
	set(inject->pid, &registers);
	/* One instruction; a signal that comes meanwhile is for later. */
	do {
		cr_assert_eq(ptrace(PTRACE_SINGLESTEP, inject->pid, NULL, NULL), 0);
	} while (wait_for_stop(inject->pid) != SIGTRAP);
	get(inject->pid, &registers);
	return result_of(&registers);
}

long inject_text(struct inject *inject, const char *text)
{
	struct iovec from = { (void *)(uintptr_t)text, strlen(text) + 1 };
	struct iovec to = { (void *)inject->text, from.iov_len };
	cr_assert_eq(process_vm_writev(inject->pid, &from, 1, &to, 1, 0), (ssize_t)from.iov_len);
	return inject->text;
}

void inject_end(struct inject *inject)
{
	poke(inject->pid, inject->at, inject->code);
	set(inject->pid, &inject->before);
	cr_assert_eq(ptrace(PTRACE_DETACH, inject->pid, NULL, NULL), 0);
}
