/* SPDX-License-Identifier: MIT */
/*
 * Landlock: what the sandbox may do to files, TCP ports, and processes outside, as data that the
 * parent prepares and the child applies to itself.
 */
#ifndef LANDLOCK_H
#define LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The first version with everything that a config can ask for: scopes (Linux 6.12). A lower one has
 * no signal and abstract socket scopes, below 5 no say over ioctl on devices, below 4 none over
 * the network, below 3 none over truncation, and 1 lets nothing be linked or renamed to another
 * directory. Which of them will do is landlock_floor.h's to say.
 */
#define LANDLOCK_ABI_ALL 6
#define LANDLOCK_ABI_NET 4

/*
 * What may be done beneath a directory, or to one file. Each is cut down to what fits the inode.
 * What no rule grants is refused with EACCES: listing, opening, executing, making, removing,
 * truncating, moving between directories, and ioctl on devices. Landlock does not see stat, chdir,
 * chmod, chown, utime and setxattr (landlock(7)): for those the mounts must be read-only.
 */
enum landlock_class {
	LANDLOCK_LIST,      /* list directories: for the root itself */
	LANDLOCK_READ,      /* and open for reading */
	LANDLOCK_READ_EXEC, /* and execute */
	LANDLOCK_DEVICE,    /* open what there is for reading and writing; no device's own ioctl */
	LANDLOCK_TERMINAL,  /* and its ioctl */
	LANDLOCK_FULL,      /* all but device nodes and devices' ioctl */
	LANDLOCK_IMAGE,     /* as READ_EXEC, if it is there and no symlink */
};

/* `path` is absolute, has no symlink in it, and is looked up when the policy is applied. */
struct landlock_rule {
	const char *path;
	enum landlock_class access;
};

/* Borrowed throughout. */
struct landlock_policy {
	int abi;   /* of landlock_abi() */
	int floor; /* the lowest that will do; below 1: any, but for ports */
	const struct landlock_rule *rules;
	unsigned rule_count;
	bool net; /* no TCP port may be bound, and none connected to but these; else TCP is free */
	const uint16_t *connect_ports;
	unsigned port_count;
};

/*
 * The version of the running kernel, which may be above all that is known here; or -ENOSYS (not
 * built in), -EOPNOTSUPP (switched off: the boot parameter `lsm=` lacks it).
 */
int landlock_abi(void);

/*
 * Applies the policy to the calling thread and all that it will start, for good; signals to
 * processes, and abstract UNIX sockets, of outside are out of reach from then on. Needs
 * no_new_privs. After it nothing can be mounted any more.
 *
 * 0, or -errno with `failed` set to the index of the rule that was at fault, or rule_count and up
 * for a port, or UINT_MAX for the whole: -EOPNOTSUPP below `floor`, -ENOENT no such
 * path, -ELOOP a symlink in one, -EPERM without no_new_privs, -E2BIG 16 policies already in force
 * (landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2)). Nothing is in
 * force after a failure. Async-signal-safe; it opens, and closes, two descriptors at most.
 */
int landlock_apply(const struct landlock_policy *policy, unsigned *failed);

/*
 * From now on the calling thread can make, change and remove files below these directories only. A
 * second wall, for a process that keeps to them anyway: before version 2, which would keep it from
 * linking files, it does nothing. Needs no_new_privs. 0 or -errno.
 */
int landlock_bound_writes(const int *directories, unsigned count);

#endif
