/* SPDX-License-Identifier: MIT */
/*
 * A hierarchy of cgroup v2 in a directory, which answers as the kernel does: what is written to
 * cgroup.procs and cgroup.subtree_control is judged by the rules of kernel/cgroup/cgroup.c. It
 * replaces write(2), mkdirat(2), unlinkat(2), getxattr(2), access(2) and geteuid(2) of the code
 * under test (ld's --wrap); everything outside of the directory goes to the real calls.
 */
#ifndef CGROUP_KERNEL_H
#define CGROUP_KERNEL_H

#include <stdbool.h>
#include <sys/types.h>

/* Makes the top, which gives these controllers ("cpu memory pids") to the groups below it. */
void cgroup_kernel_begin(const char *controllers);
void cgroup_kernel_end(void);
/* Of a path below the top; "" is the top. Valid until the next but seven. */
const char *cgroup_kernel_path(const char *group);
/* Makes a group as mkdir(2) does. */
void cgroup_kernel_make(const char *group);
/* As a process that writes there. 0 or -errno. */
int cgroup_kernel_write(const char *group, const char *file, const char *text);
/* The whole tree, one line a group: its path, type, controllers given, processes. */
const char *cgroup_kernel_tree(void);

/* A process comes to the group, by whatever way: "0" is one of another PID namespace. */
void cgroup_kernel_enter(const char *group, const char *pid);

struct cgroup_kernel {
	uid_t uid;             /* geteuid(2) */
	bool systemd;          /* runs the machine */
	const char *delegated; /* the group that systemd has marked; NULL: none */
	const char *comes_to;  /* one comes to this group when controllers are asked for; NULL */
	const char *full;      /* in this group mkdir(2) is refused, as in those below; NULL */
	int room;              /* after so many more groups */
};
extern struct cgroup_kernel cgroup_kernel;

#endif
