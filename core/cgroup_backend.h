/* SPDX-License-Identifier: MIT */
/* What cgroup.c and its two backends share. */
#ifndef CGROUP_BACKEND_H
#define CGROUP_BACKEND_H

#include "cgroup.h"

#define CGROUP_ROOT_MAX 4096

/* One mounted hierarchy and this process's place in it. */
struct cgroup_hierarchy {
	char controllers[128]; /* "memory", "cpu,cpuacct", ... ; "" for v2 */
	char mount[1024];      /* where it is mounted */
	char own[2048];        /* the directory of the group this process is in */
};

enum { CGROUP_NAME_MAX = 32 };
enum { CGROUP_HIERARCHIES_MAX = 24 };

/* A directory mimobox-PID that was made. */
struct cgroup_base {
	int fd;     /* of the directory */
	int parent; /* of the one above */
};

enum { CGROUP_BASES = CGROUP_V1_MAX + 1 };

/* For who goes on in this process's place. */
struct cgroups_kept {
	unsigned can;
	int version; /* 0: there are none */
	int emptied;
	char name[CGROUP_NAME_MAX];
};

struct cgroups {
	const struct cgroup_backend *backend; /* NULL: nothing can be enforced */
	unsigned can;
	int error; /* a shortage that kept something from being found out; 0: none */
	struct cgroup_base bases[CGROUP_BASES]; /* indices are the backend's */
	char name[CGROUP_NAME_MAX];             /* mimobox-PID, or mimobox-PID.N */
	pid_t owner;                            /* that PID */
	struct keep *keep;                      /* NULL: no other process goes on with them */
	bool emptied; /* v2: the processes of the group above the base are in a leaf */
};

struct cgroup_backend {
	int (*limit)(struct cgroups *cgroups, const char *id, const struct cgroup_limits *from,
		     const struct cgroup_limits *to, const char **what);
	void (*usage)(struct cgroups *cgroups, const char *id, struct cgroup_usage *usage);
	uint64_t (*cpu_time)(struct cgroups *cgroups, const char *id);
	int cpu;     /* the base of that controller */
	int unified; /* that of v2 */
};

/* Each returns true where it can enforce something, its bases made; false leaves nothing. */
bool cgroup_v1_detect(struct cgroups *cgroups, const struct cgroup_hierarchy *found, size_t count);
bool cgroup_v2_detect(struct cgroups *cgroups, const struct cgroup_hierarchy *found, size_t count);
extern const struct cgroup_backend cgroup_v1, cgroup_v2;

/* The hierarchies that are mounted, in `found`, which has room for the most; returns how many. */
size_t cgroup_find_hierarchies(struct cgroups *cgroups, struct cgroup_hierarchy *found);
/* Of these hierarchies, what a sandbox is to see. */
struct cgroup_view;
void cgroup_v1_view(const struct cgroups *cgroups, const struct cgroup_hierarchy *found,
		    size_t count, struct cgroup_view *view);
/* Whether a list with commas has the name. */
bool cgroup_has(const char *list, const char *name);

/* v1 uses this one too, for cgroup.kill and cpu.stat. */
const struct cgroup_hierarchy *cgroup_find_v2(const struct cgroup_hierarchy *found, size_t count);

/*
 * Notes `error`, of something that may fail where it can't be done, if the reason is a shortage of
 * memory, descriptors or the like: that must not be taken for a machine that can't. Returns it.
 */
int cgroup_note(struct cgroups *cgroups, int error);

/* Undoes what was done to the group above the base, which has been removed. */
void cgroup_v2_give_back(struct cgroups *cgroups, int above);

/* Makes base `index` in the directory `above` and sweeps what dead daemons left there. */
int cgroup_base_make(struct cgroups *cgroups, int index, const char *above);
int cgroup_base_make_at(struct cgroups *cgroups, int index, int above);
void cgroup_base_remove(struct cgroups *cgroups, int index);

/* Files of a session's group in base `index`. 0 or -errno. */
int cgroup_write(struct cgroups *cgroups, int index, const char *id, const char *file,
		 const char *value);
/* The first number in the file, or the one behind `key` (NULL: none); UINT64_MAX: unknown. */
uint64_t cgroup_read(struct cgroups *cgroups, int index, const char *id, const char *file,
		     const char *key);

#endif
