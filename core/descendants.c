/* SPDX-License-Identifier: MIT */
#include "descendants.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* As many as are looked at in one go. */
enum { PROCESSES_MAX = 2048, ENTRIES_SIZE = 4096, STAT_SIZE = 512 };

static struct process {
	pid_t pid, parent;
	bool ours;
} processes[PROCESSES_MAX];
static unsigned process_count;

static pid_t number_of(const char *text)
{
	pid_t number = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		number = 10 * number + (*text - '0');
	return *text == '\0' || *text == ' ' ? number : 0;
}

/* The fourth field of proc_pid_stat(5); the second may have anything in it. */
static pid_t parent_of(int proc, const char *pid)
{
	char path[32], text[STAT_SIZE];
	if (strlen(pid) > sizeof(path) - sizeof("/stat"))
		return 0;
	strcat(strcpy(path, pid), "/stat");
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[size > 0 ? size : 0] = '\0';
	const char *end = strrchr(text, ')');
	return end && strlen(end) > 4 ? number_of(end + 4) : 0;
}

static void add(int proc, const char *name)
{
	pid_t pid = number_of(name);
	if (pid == 0 || process_count == PROCESSES_MAX)
		return;
	processes[process_count++] =
		(struct process){ .pid = pid, .parent = parent_of(proc, name) };
}

static void list_processes(void)
{
	_Alignas(struct dirent64) char entries[ENTRIES_SIZE];
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long size;
	process_count = 0;
	while (proc >= 0 && (size = syscall(SYS_getdents64, proc, entries, sizeof(entries))) > 0)
		for (long at = 0; at < size;) {
			const struct dirent64 *entry = (const void *)(entries + at);
			add(proc, entry->d_name);
			at += entry->d_reclen;
		}
	if (proc >= 0)
		close(proc);
}

/* True: there was one more. */
static bool mark(pid_t own)
{
	bool more = false;
	for (unsigned i = 0; i < process_count; i++) {
		struct process *process = &processes[i];
		bool ours = process->parent == own;
		for (unsigned k = 0; k < process_count && !ours; k++)
			ours = processes[k].ours && processes[k].pid == process->parent;
		more |= ours && !process->ours;
		process->ours |= ours;
	}
	return more;
}

void descendants_signal(int number)
{
	list_processes();
	while (mark(getpid()))
		;
	for (unsigned i = 0; i < process_count; i++)
		if (processes[i].ours)
			kill(processes[i].pid, number);
}
