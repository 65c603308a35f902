/* SPDX-License-Identifier: MIT */
/*
 * System call filters: seccomp programs, built by libseccomp when the daemon starts, loaded raw in
 * the child of a fork. (Named so because libseccomp owns both `seccomp.h` and `seccomp_load`.)
 */
#ifndef SYSFILTER_H
#define SYSFILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seccomp_data;
struct sock_filter;

/* Each allows all that the one before it does. */
enum sysfilter_profile {
	SYSFILTER_STRICT,    /* shells, coreutils, Python, Node, git, gcc, make; only AF_UNIX */
	SYSFILTER_ESSENTIAL, /* and AF_INET, AF_INET6: TCP and UDP; NETLINK_ROUTE */
	SYSFILTER_NETWORK,   /* the same, for a network that is not the sandbox's own */
	SYSFILTER_COMPAT, /* and calls of odd programs: SysV IPC, NUMA, setting ids, own filters */
	SYSFILTER_PROFILES,
};

struct sysfilter_options {
	enum sysfilter_profile profile;
	bool fork;     /* may make processes; threads it may always */
	bool tcp_only; /* INET sockets are TCP, for Landlock's port rules know no other protocol */
	bool ptrace;   /* may trace its own processes: debuggers, leak checkers */
	bool own_network; /* a network namespace of its own */
};

/* Owned by whoever built it; read-only from then on, and the same in every child. */
struct sysfilter {
	struct sock_filter *code;
	unsigned short length; /* in instructions */
};

/* "strict", "essential", "network" or "compat"; -EINVAL. */
int sysfilter_profile_parse(const char *text, enum sysfilter_profile *out);
const char *sysfilter_profile_name(enum sysfilter_profile profile);

/*
 * Builds a program; takes a millisecond or two. On failure, -errno and one line in `why`: -EINVAL
 * a name in the lists that nobody knows, -ENOMEM, or what libseccomp says. sysfilter_finish()
 * gives back what it made, and may be called on a zeroed or failed one.
 */
int sysfilter_build(const struct sysfilter_options *options, struct sysfilter *out, char *why,
		    size_t why_size);
void sysfilter_finish(struct sysfilter *filter);

/* Of each kind one, built when it is first asked for. Zeroed at first. */
struct sysfilters {
	struct sysfilter by[SYSFILTER_PROFILES][2][2][2]
			   [2]; /* fork, tcp_only, own_network, ptrace */
};

/* Borrowed. As sysfilter_build(); one that is there already costs nothing, nor allocates. */
int sysfilters_get(struct sysfilters *filters, const struct sysfilter_options *options,
		   const struct sysfilter **out, char *why, size_t why_size);
void sysfilters_finish(struct sysfilters *filters);

/*
 * Puts the calling thread, and all that it will start, under the filter, for good. 0 or -errno:
 * EACCES without no_new_privs, ENOSYS a kernel without seccomp (seccomp(2)).
 * Async-signal-safe; must be the last layer, for much of what sets up the others is refused then.
 * Calls that wait for an answer of init's (broker.h) get ENOSYS.
 */
int sysfilter_load(const struct sysfilter *filter);

/*
 * What the filter answers to a call, as the kernel would have it (seccomp(2)).
 * Async-signal-safe.
 */
uint32_t sysfilter_answer(const struct sysfilter *filter, const struct seccomp_data *call);
/* The architecture of this program, as in seccomp_data. */
uint32_t sysfilter_architecture(void);

/* Writes the raw program, as scmp_bpf_disasm(1) reads it. 0 or -errno. */
int sysfilter_dump(const struct sysfilter *filter, int fd);

#endif
