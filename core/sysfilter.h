/* SPDX-License-Identifier: MIT */
/*
 * System call filters: seccomp programs, built by libseccomp when the daemon starts, loaded raw in
 * the child of a fork. (Named so because libseccomp owns both `seccomp.h` and `seccomp_load`.)
 */
#ifndef SYSFILTER_H
#define SYSFILTER_H

#include <stdbool.h>
#include <stddef.h>

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
	bool own_network; /* a network namespace of its own */
};

/* Owned by whoever built it; read-only from then on, and the same in every child. */
struct sysfilter {
	struct sock_filter *code;
	unsigned short length; /* in instructions */
	bool asks;             /* some calls wait for an answer of init's, see broker.h */
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
	struct sysfilter by[SYSFILTER_PROFILES][2][2][2]; /* fork, tcp_only, own_network */
};

/* Borrowed. As sysfilter_build(); one that is there already costs nothing, nor allocates. */
int sysfilters_get(struct sysfilters *filters, const struct sysfilter_options *options,
		   const struct sysfilter **out, char *why, size_t why_size);
void sysfilters_finish(struct sysfilters *filters);

/*
 * Puts the calling thread, and all that it will start, under the filter, for good. 0 or -errno:
 * EACCES without no_new_privs, ENOSYS a kernel without seccomp (seccomp(2)).
 * Async-signal-safe; must be the last layer, for much of what sets up the others is refused then.
 * *listener is where its questions come, or -1: it has none, or a filter around the daemon has a
 * listener already, and the kernel takes only one. Such calls get ENOSYS then.
 */
int sysfilter_load(const struct sysfilter *filter, int *listener);

/* Writes the raw program, as scmp_bpf_disasm(1) reads it. 0 or -errno. */
int sysfilter_dump(const struct sysfilter *filter, int fd);

#endif
