/* SPDX-License-Identifier: MIT */
/*
 * Landlock by its own system calls: the oldest distribution that is supported has a header from
 * before most of what is used here, and a policy built against it would silently leave out rights
 * that the running kernel knows. So rights, structures and numbers are written down below, each
 * with the version of the ABI that brought it, and what is handled is everything that the running
 * version knows.
 *
 * "Handled" means refused unless a rule grants it. A right that isn't handled is free: hence the
 * policy's floor, below which nothing is applied at all rather than part of it. Rights of versions
 * after those are not handled, because no rule here could grant them.
 */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on all architectures. */
#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446

#define CREATE_RULESET_VERSION (1u << 0)
#define RULE_PATH_BENEATH 1
#define RULE_NET_PORT 2
#define RESTRICT_SELF_LOG_SUBDOMAINS_OFF (1u << 2) /* ABI 7 */

#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_CHAR (UINT64_C(1) << 6)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_MAKE_SOCK (UINT64_C(1) << 9)
#define FS_MAKE_FIFO (UINT64_C(1) << 10)
#define FS_MAKE_BLOCK (UINT64_C(1) << 11)
#define FS_MAKE_SYM (UINT64_C(1) << 12)
#define FS_REFER (UINT64_C(1) << 13)        /* ABI 2: link and rename to other directories */
#define FS_TRUNCATE (UINT64_C(1) << 14)     /* ABI 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15)    /* ABI 5 */
#define FS_RESOLVE_UNIX (UINT64_C(1) << 16) /* ABI 9: connect to sockets of outside by path */

#define NET_BIND_TCP (UINT64_C(1) << 0)    /* ABI 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1) /* ABI 4 */

#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0) /* ABI 6 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1)               /* ABI 6 */

#define ABI_LOG_FLAGS 7
#define ABI_RESOLVE_UNIX 9

/* All of version 5. */
#define FS_ALL ((FS_IOCTL_DEV << 1) - 1)
/* What a rule for anything but a directory may have; more is EINVAL. */
#define FS_OF_FILES \
	(FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV | FS_RESOLVE_UNIX)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

struct net_port_attr {
	uint64_t allowed_access;
	uint64_t port;
};

static const uint64_t class_rights[] = {
	[LANDLOCK_LIST] = FS_READ_DIR,
	[LANDLOCK_READ] = FS_READ_FILE | FS_READ_DIR,
	[LANDLOCK_READ_EXEC] = FS_READ_FILE | FS_READ_DIR | FS_EXECUTE,
	[LANDLOCK_IMAGE] = FS_READ_FILE | FS_READ_DIR | FS_EXECUTE,
	[LANDLOCK_DEVICE] = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE,
	[LANDLOCK_TERMINAL] = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_IOCTL_DEV,
	[LANDLOCK_FULL] =
		(FS_ALL | FS_RESOLVE_UNIX) & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV),
};

static uint64_t rights_known(int abi)
{
	if (abi >= ABI_RESOLVE_UNIX)
		return FS_ALL | FS_RESOLVE_UNIX;
	if (abi >= 5)
		return FS_ALL;
	return FS_ALL & ~(FS_IOCTL_DEV | (abi < 3 ? FS_TRUNCATE : 0) | (abi < 2 ? FS_REFER : 0));
}

int landlock_abi(void)
{
	long abi = syscall(CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : (int)abi;
}

static int ruleset_create(const struct landlock_policy *policy)
{
	bool net = policy->net && policy->abi >= LANDLOCK_ABI_NET;
	const struct ruleset_attr attr = {
		.handled_access_fs = rights_known(policy->abi),
		.handled_access_net = net ? NET_BIND_TCP | NET_CONNECT_TCP : 0,
		.scoped = policy->abi >= LANDLOCK_ABI_ALL
				  ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL
				  : 0,
	};
	long fd;

	if (policy->abi == -ENOMEM) /* the kernel could not say */
		return -ENOMEM;
	if (policy->abi < policy->floor || (policy->port_count && !net))
		return -EOPNOTSUPP;
	fd = syscall(CREATE_RULESET, &attr, sizeof(attr), 0);
	return fd < 0 ? -errno : (int)fd;
}

/* A symlink would let whoever can write beside it choose what the rule is for. */
static int path_open(const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int path_add(int ruleset, int abi, const struct landlock_rule *rule)
{
	struct path_beneath_attr attr = {
		.allowed_access = class_rights[rule->access] & rights_known(abi),
	};
	struct stat status;
	int fd = path_open(rule->path);
	int r = 0;

	if (rule->access == LANDLOCK_IMAGE && (fd == -ENOENT || fd == -ELOOP))
		return 0;
	if (fd < 0)
		return fd;
	attr.parent_fd = fd;
	if (fstat(fd, &status) < 0)
		r = -errno;
	else if (!S_ISDIR(status.st_mode))
		attr.allowed_access &= FS_OF_FILES;
	if (r == 0 && syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &attr, 0) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int port_add(int ruleset, uint16_t port)
{
	const struct net_port_attr attr = { .allowed_access = NET_CONNECT_TCP, .port = port };

	return syscall(ADD_RULE, ruleset, RULE_NET_PORT, &attr, 0) < 0 ? -errno : 0;
}

static int rules_add(int ruleset, const struct landlock_policy *policy, unsigned *failed)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < policy->rule_count; i++) {
		*failed = i;
		r = path_add(ruleset, policy->abi, &policy->rules[i]);
	}
	for (unsigned i = 0; r == 0 && policy->net && i < policy->port_count; i++) {
		*failed = policy->rule_count + i;
		r = port_add(ruleset, policy->connect_ports[i]);
	}
	return r;
}

int landlock_apply(const struct landlock_policy *policy, unsigned *failed)
{
	/* Without the flag a program could fill the host's audit log with denials of domains of its
	 * own. */
	unsigned flags = policy->abi >= ABI_LOG_FLAGS ? RESTRICT_SELF_LOG_SUBDOMAINS_OFF : 0;
	int ruleset = ruleset_create(policy);
	int r;

	*failed = UINT_MAX;
	if (ruleset < 0)
		return ruleset;
	r = rules_add(ruleset, policy, failed);
	if (r == 0) {
		*failed = UINT_MAX;
		if (syscall(RESTRICT_SELF, ruleset, flags) < 0)
			r = -errno;
	}
	close(ruleset);
	return r;
}

int landlock_bound_writes(const int *directories, unsigned count)
{
	const uint64_t reads = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
	int abi = landlock_abi();
	const struct ruleset_attr attr = { .handled_access_fs = rights_known(abi) & ~reads };
	int r = 0;

	if (abi < 2)
		return 0;
	int ruleset = (int)syscall(CREATE_RULESET, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0)
		return -errno;
	for (unsigned i = 0; r == 0 && i < count; i++) {
		const struct path_beneath_attr rule = {
			.allowed_access = attr.handled_access_fs & class_rights[LANDLOCK_FULL],
			.parent_fd = directories[i],
		};
		if (syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
			r = -errno;
	}
	if (r == 0 && syscall(RESTRICT_SELF, ruleset, 0) < 0)
		r = -errno;
	close(ruleset);
	return r;
}
