/* SPDX-License-Identifier: MIT */
/*
 * Landlock under a real kernel: for each class what it grants and what it doesn't, each refusal
 * next to the same act without a policy. Where the kernel is older, or one is played, what its
 * version lacks is not refused.
 */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/random.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

#include "child.h"
#include "older_landlock.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOBODY 65534

#define BASE "/tmp/landlock-XXXXXX"

static char base[] = BASE;

/* base/tree has a file, a program, a directory, and is what rules are about; base/out is not. */
static void tree_make(void)
{
	static const char *const directories[] = { "tree", "tree/dir", "tree/empty", "out" };
	static const char *const files[] = { "tree/file", "out/file" };

	strcpy(base, BASE);
	cr_assert_not_null(mkdtemp(base));
	cr_assert_eq(chdir(base), 0);
	for (size_t i = 0; i < COUNT(directories); i++)
		cr_assert_eq(mkdir(directories[i], 0700), 0);
	for (size_t i = 0; i < COUNT(files); i++) {
		FILE *file = fopen(files[i], "we");

		cr_assert(file != NULL && fputs("text\n", file) >= 0 && fclose(file) == 0);
	}
	cr_assert_eq(system("cp /bin/true tree/program && ln -s tree link"), 0);
}

static void tree_remove(void)
{
	char command[64];

	snprintf(command, sizeof(command), "exec rm -rf %s", base);
	if (chdir("/") < 0 || system(command) != 0)
		cr_log_warn("%s is left", base);
}

TestSuite(landlock, .init = tree_make, .fini = tree_remove, .timeout = 110);

static int open_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd < 0 ? -1 : close(fd);
}

static int run(const char *path)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execl(path, path, NULL);
		_exit(errno == EACCES ? 77 : 78);
	}
	waitpid(pid, &status, 0);
	errno = status == 77 << 8 ? EACCES : ENOEXEC;
	return status == 0 ? 0 : -1;
}

static int bind_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return r;
}

static int act_list(void)
{
	return open_close("tree/dir", O_RDONLY | O_DIRECTORY);
}

static int act_read(void)
{
	return open_close("tree/file", O_RDONLY);
}

static int act_execute(void)
{
	return run("tree/program");
}

static int act_write(void)
{
	return open_close("tree/file", O_WRONLY);
}

static int act_truncate(void)
{
	return open_close("tree/file", O_WRONLY | O_TRUNC);
}

static int act_create(void)
{
	return open_close("tree/new", O_WRONLY | O_CREAT | O_EXCL);
}

static int act_mkdir(void)
{
	return mkdir("tree/newdir", 0700);
}

static int act_mkfifo(void)
{
	return mkfifo("tree/fifo", 0600);
}

static int act_symlink(void)
{
	return symlink("/etc", "tree/symlink");
}

static int act_socket(void)
{
	return bind_unix("tree/socket");
}

static int act_move(void)
{
	return rename("tree/file", "tree/dir/file");
}

static int act_link(void)
{
	return link("tree/program", "tree/dir/program");
}

static int act_unlink(void)
{
	return unlink("tree/program");
}

static int act_rmdir(void)
{
	return rmdir("tree/empty");
}

/* The lowest class, of those in a row, that grants the act. Made in this order, each once. */
static const struct act {
	const char *name;
	int (*fn)(void);
	enum landlock_class from;
} acts[] = {
	{ "list", act_list, LANDLOCK_LIST },
	{ "read", act_read, LANDLOCK_READ },
	{ "execute", act_execute, LANDLOCK_READ_EXEC },
	{ "write", act_write, LANDLOCK_DEVICE },
	{ "truncate", act_truncate, LANDLOCK_FULL },
	{ "create", act_create, LANDLOCK_FULL },
	{ "mkdir", act_mkdir, LANDLOCK_FULL },
	{ "mkfifo", act_mkfifo, LANDLOCK_FULL },
	{ "symlink", act_symlink, LANDLOCK_FULL },
	{ "socket", act_socket, LANDLOCK_FULL },
	{ "move", act_move, LANDLOCK_FULL },
	{ "link", act_link, LANDLOCK_FULL },
	{ "unlink", act_unlink, LANDLOCK_FULL },
	{ "rmdir", act_rmdir, LANDLOCK_FULL },
};

static bool moves(const struct act *act)
{
	return act->fn == act_move || act->fn == act_link;
}

static bool grants(enum landlock_class class, const struct act *act)
{
	if (act->from == LANDLOCK_READ_EXEC)
		return class == LANDLOCK_READ_EXEC || class == LANDLOCK_FULL;
	if (moves(act) && landlock_abi() < 2)
		return false;
	if (act->fn == act_truncate && landlock_abi() < 3)
		return class >= LANDLOCK_DEVICE; /* it is to open for writing */
	return class >= act->from;
}

/* Version 1 says EXDEV before it looks for rules. */
static bool is_refusal(const struct act *act)
{
	return errno == EACCES || (moves(act) && landlock_abi() < 2 && errno == EXDEV);
}

static void apply(const struct landlock_rule *rules, unsigned count, bool net,
		  const uint16_t *ports, unsigned port_count)
{
	const struct landlock_policy policy = {
		.abi = landlock_abi(),
		.floor = landlock_abi(),
		.rules = rules,
		.rule_count = count,
		.net = net,
		.connect_ports = ports,
		.port_count = port_count,
	};
	unsigned failed = 0;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(landlock_apply(&policy, &failed) == 0);
}

/* The parts of the system that a program needs to be started at all. */
#define SYSTEM_RULES                    \
	{ "/usr", LANDLOCK_READ_EXEC }, \
	{                               \
		"/etc", LANDLOCK_READ   \
	}

static void act_under_class(const void *data)
{
	enum landlock_class class = *(const enum landlock_class *)data;
	char path[64];
	const struct landlock_rule rules[] = { SYSTEM_RULES, { path, class } };

	snprintf(path, sizeof(path), "%s/tree", base);
	apply(rules, COUNT(rules), true, NULL, 0);
	for (size_t i = 0; i < COUNT(acts); i++) {
		if (grants(class, &acts[i]))
			CHECK(acts[i].fn() == 0);
		else
			CHECK(acts[i].fn() < 0 && is_refusal(&acts[i]));
	}
	CHECK_ERROR(open_close("out/file", O_RDONLY), EACCES);
	CHECK_ERROR(open_close("out", O_RDONLY | O_DIRECTORY), EACCES);
	CHECK_ERROR(open_close("tree/../out/file", O_RDONLY), EACCES);
	CHECK(link("out/file", "tree/stolen") < 0 &&
	      (errno == (class == LANDLOCK_FULL ? EXDEV : EACCES) ||
	       (landlock_abi() < 2 && errno == EXDEV)));
}

static void act_freely(const void *data)
{
	(void)data;
	for (size_t i = 0; i < COUNT(acts); i++)
		CHECK(acts[i].fn() == 0);
	CHECK(open_close("out/file", O_RDONLY) == 0);
	CHECK(link("out/file", "tree/stolen") == 0);
}

#define CLASS_TEST(name, value)                            \
	Test(landlock, name)                               \
	{                                                  \
		const enum landlock_class class = (value); \
		child_passes(act_under_class, &class);     \
	}

CLASS_TEST(list_lists, LANDLOCK_LIST)
CLASS_TEST(read_reads, LANDLOCK_READ)
CLASS_TEST(read_exec_executes, LANDLOCK_READ_EXEC)
CLASS_TEST(device_writes_what_there_is, LANDLOCK_DEVICE)
CLASS_TEST(terminal_too, LANDLOCK_TERMINAL)
CLASS_TEST(full_does_all, LANDLOCK_FULL)

Test(landlock, classes_of_older_versions)
{
	for (older_landlock = 1; older_landlock < LANDLOCK_ABI_ALL; older_landlock++)
		for (int i = LANDLOCK_LIST; i <= LANDLOCK_FULL; i++) {
			const enum landlock_class class = (enum landlock_class)i;

			tree_remove();
			tree_make();
			child_passes(act_under_class, &class);
		}
}

Test(landlock, without_a_policy_all_is_done)
{
	child_passes(act_freely, NULL);
}

static void make_device(const void *data)
{
	char path[64];
	const struct landlock_rule rules[] = { { path, LANDLOCK_FULL } };

	(void)data;
	snprintf(path, sizeof(path), "%s/tree", base);
	CHECK(mknod("tree/null", S_IFCHR | 0600, 0x0103) == 0);
	apply(rules, COUNT(rules), false, NULL, 0);
	CHECK_ERROR(mknod("tree/null2", S_IFCHR | 0600, 0x0103), EACCES);
	CHECK_ERROR(mknod("tree/loop", S_IFBLK | 0600, 0x0700), EACCES);
}

Test(landlock, full_makes_no_devices)
{
	/* Only root makes devices. cr_skip() would leave the tree behind. */
	if (getuid() == 0)
		child_passes(make_device, NULL);
}

/* Files take other rights than directories do; each class fits both. */
static void file_under_class(const void *data)
{
	enum landlock_class class = *(const enum landlock_class *)data;
	char path[64];
	const struct landlock_rule rules[] = { { path, class } };

	snprintf(path, sizeof(path), "%s/tree/file", base);
	apply(rules, COUNT(rules), true, NULL, 0);
	CHECK(act_read() == 0);
	CHECK(act_write() == (class >= LANDLOCK_DEVICE ? 0 : -1));
	CHECK(act_truncate() ==
	      (class >= (landlock_abi() < 3 ? LANDLOCK_DEVICE : LANDLOCK_FULL) ? 0 : -1));
	CHECK_ERROR(open_close("tree/program", O_RDONLY), EACCES);
}

static const int versions[] = { 0, 5, 4, 3, 2, 1 }; /* 0: the running one */

Test(landlock, rules_for_single_files)
{
	for (size_t v = 0; v < COUNT(versions); v++)
		for (int i = LANDLOCK_READ; i <= LANDLOCK_FULL; i++) {
			const enum landlock_class class = (enum landlock_class)i;

			older_landlock = versions[v];
			child_passes(file_under_class, &class);
		}
}

static int terminal_ioctl(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct winsize size;
	int r = ioctl(fd, TIOCGWINSZ, &size);

	CHECK(fd >= 0);
	return r;
}

static void use_devices(const void *data)
{
	char master[PATH_MAX]; /* in a container a link to pts/ptmx */
	const struct landlock_rule rules[] = {
		{ "/dev/null", LANDLOCK_DEVICE },  { "/dev/full", LANDLOCK_DEVICE },
		{ "/dev/random", LANDLOCK_FULL },  { master, LANDLOCK_TERMINAL },
		{ "/dev/pts", LANDLOCK_TERMINAL },
	};
	int other = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int own, bits;
	bool kept = landlock_abi() >= 5;
	struct termios mode;

	(void)data;
	CHECK(realpath("/dev/ptmx", master) != NULL);
	CHECK(other >= 0 && tcgetattr(other, &mode) == 0);
	CHECK(ioctl(open("/dev/zero", O_RDONLY | O_CLOEXEC), TCGETS, &mode) < 0);
	CHECK(ioctl(open("/dev/random", O_RDONLY | O_CLOEXEC), RNDGETENTCNT, &bits) == 0);
	apply(rules, COUNT(rules), true, NULL, 0);
	CHECK(open_close("/dev/null", O_WRONLY | O_TRUNC | O_CREAT) == 0);
	CHECK(open_close("/dev/full", O_RDWR) == 0);
	CHECK_ERROR(open_close("/dev/zero", O_RDONLY), EACCES);
	CHECK_ERROR(ioctl(open("/dev/null", O_RDONLY | O_CLOEXEC), TCGETS, &mode),
		    kept ? EACCES : ENOTTY);
	CHECK(ioctl(open("/dev/random", O_RDONLY | O_CLOEXEC), RNDGETENTCNT, &bits) ==
	      (kept ? -1 : 0));
	own = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(own >= 0 && grantpt(own) == 0 && unlockpt(own) == 0);
	CHECK(terminal_ioctl(ptsname(own)) == 0);
}

Test(landlock, devices_and_terminals)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		older_landlock = versions[v];
		child_passes(use_devices, NULL);
	}
}

static void apply_wrongly(const void *data)
{
	char link[64];
	char beyond[64];
	const struct landlock_rule missing[] = { { "/usr", LANDLOCK_READ },
						 { "/nowhere", LANDLOCK_READ } };
	const struct landlock_rule symlinks[] = { { link, LANDLOCK_FULL },
						  { beyond, LANDLOCK_FULL } };
	struct landlock_policy policy = {
		.abi = landlock_abi(), .floor = 1, .rules = missing, .rule_count = 2
	};
	unsigned failed = 9;

	(void)data;
	snprintf(link, sizeof(link), "%s/link", base);
	snprintf(beyond, sizeof(beyond), "%s/link/dir", base);
	CHECK(landlock_apply(&policy, &failed) == -ENOENT && failed == 1);
	policy.rules = symlinks;
	CHECK(landlock_apply(&policy, &failed) == -ELOOP && failed == 0);
	policy.rules++;
	policy.rule_count = 1;
	CHECK(landlock_apply(&policy, &failed) == -ELOOP && failed == 0);
	policy.rule_count = 0;
	policy.floor = policy.abi + 1;
	CHECK(landlock_apply(&policy, &failed) == -EOPNOTSUPP && failed == UINT_MAX);
	/* Ports that the version can say nothing of. */
	policy.abi = policy.floor = LANDLOCK_ABI_NET - 1;
	policy.net = true;
	policy.connect_ports = &(const uint16_t){ 80 };
	policy.port_count = 1;
	CHECK(landlock_apply(&policy, &failed) == -EOPNOTSUPP && failed == UINT_MAX);
	policy.net = false;
	policy.port_count = 0;
	policy.abi = policy.floor = landlock_abi();
	if (getuid() == 0)
		CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(landlock_apply(&policy, &failed) == -EPERM && failed == UINT_MAX);
	/* After all these failures nothing is in force, and nothing is left open. */
	CHECK(open_close("/etc/passwd", O_RDONLY) == 0);
	CHECK(dup(0) == *(const int *)data);
}

Test(landlock, failures_name_their_rule)
{
	int next = dup(0);

	close(next);
	child_passes(apply_wrongly, &next);
}

/* A newer kernel takes an older version's rules: what that one had is in force, and no more. */
static void act_under_older_version(const void *data)
{
	int abi = *(const int *)data;
	const struct landlock_rule rules[] = { { "/usr", LANDLOCK_READ_EXEC } };
	const struct landlock_policy policy = {
		.abi = abi, .floor = abi, .rules = rules, .rule_count = 1, .net = true
	};
	unsigned failed;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(open_close("/etc/passwd", O_RDONLY) == 0);
	CHECK(landlock_apply(&policy, &failed) == 0);
	CHECK_ERROR(open_close("/etc/passwd", O_RDONLY), EACCES);
	CHECK(open_close("/usr/bin/env", O_RDONLY) == 0);
}

Test(landlock, lower_versions_are_in_force_when_asked_for)
{
	for (int abi = 1; abi < LANDLOCK_ABI_ALL && abi <= landlock_abi(); abi++)
		child_passes(act_under_older_version, &abi);
}

/* An older kernel takes no flag and no right that it does not know; so this is its own policy. */
Test(landlock, versions_that_are_played)
{
	for (older_landlock = 1; older_landlock < LANDLOCK_ABI_ALL; older_landlock++) {
		int abi = landlock_abi(), newer = LANDLOCK_ABI_ALL;

		cr_assert_leq(abi, older_landlock);
		child_passes(act_under_older_version, &abi);
		cr_assert_neq(child_status(act_under_older_version, &newer), 0);
	}
}

static void signal_outside(const void *data)
{
	pid_t child;
	int status;

	(void)data;
	CHECK(kill(getppid(), 0) == 0);
	apply(NULL, 0, false, NULL, 0);
	CHECK(kill(getppid(), 0) == (landlock_abi() < LANDLOCK_ABI_ALL ? 0 : -1));
	CHECK(kill(getpid(), 0) == 0);
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	CHECK(kill(child, SIGTERM) == 0);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

Test(landlock, signals_stay_inside)
{
	child_passes(signal_outside, NULL);
}

/* An abstract socket of this process's own; its name in `address`. */
static int listen_abstract(struct sockaddr_un *address, socklen_t *length)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*length = sizeof(*address);
	/* Bound without a name, it gets one from the kernel. */
	if (bind(fd, (struct sockaddr *)address, sizeof(address->sun_family)) < 0 ||
	    listen(fd, 4) < 0 || getsockname(fd, (struct sockaddr *)address, length) < 0)
		return -1;
	return fd;
}

static int connect_unix(const struct sockaddr_un *address, socklen_t length)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = connect(fd, (const struct sockaddr *)address, length);

	close(fd);
	return r;
}

struct abstract {
	struct sockaddr_un address;
	socklen_t length;
};

static void connect_abstract(const void *data)
{
	const struct abstract *outside = data;
	struct abstract inside;

	CHECK(connect_unix(&outside->address, outside->length) == 0);
	apply(NULL, 0, false, NULL, 0);
	CHECK(connect_unix(&outside->address, outside->length) ==
	      (landlock_abi() < LANDLOCK_ABI_ALL ? 0 : -1));
	CHECK(listen_abstract(&inside.address, &inside.length) >= 0);
	CHECK(connect_unix(&inside.address, inside.length) == 0);
}

Test(landlock, abstract_sockets_stay_inside)
{
	struct abstract outside;
	int fd = listen_abstract(&outside.address, &outside.length);

	cr_assert_geq(fd, 0);
	child_passes(connect_abstract, &outside);
	close(fd);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int listen_tcp(uint16_t *port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -1;
	*port = ntohs(address.sin_port);
	return fd;
}

static int bind_tcp(uint16_t port)
{
	const struct sockaddr_in address = loopback(port);

	return bind(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		    (const struct sockaddr *)&address, sizeof(address));
}

static int connect_tcp(uint16_t port)
{
	const struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = connect(fd, (const struct sockaddr *)&address, sizeof(address));

	close(fd);
	return r;
}

struct network {
	uint16_t ports[2]; /* where somebody listens */
	bool net;
	unsigned allowed; /* how many of the ports, from the first */
};

static void use_network(const void *data)
{
	const struct network *network = data;
	uint16_t port;

	for (unsigned i = 0; i < 2; i++)
		CHECK(connect_tcp(network->ports[i]) == 0);
	apply(NULL, 0, network->net, network->ports, network->allowed);
	for (unsigned i = 0; i < 2; i++) {
		if (!network->net || i < network->allowed)
			CHECK(connect_tcp(network->ports[i]) == 0);
		else
			CHECK_ERROR(connect_tcp(network->ports[i]), EACCES);
	}
	if (network->net)
		CHECK_ERROR(listen_tcp(&port), EACCES);
	else
		CHECK(listen_tcp(&port) >= 0);
	/* Nor is one that may be connected to: somebody has it, and that is told only afterwards.
	 */
	for (unsigned i = 0; i < 2; i++)
		CHECK_ERROR(bind_tcp(network->ports[i]), network->net ? EACCES : EADDRINUSE);
}

Test(landlock, tcp_ports)
{
	struct network network = { { 0, 0 }, false, 0 };
	if (landlock_abi() < LANDLOCK_ABI_NET)
		return; /* refused: failures_name_their_rule */
	int fds[2] = { listen_tcp(&network.ports[0]), listen_tcp(&network.ports[1]) };

	cr_assert(fds[0] >= 0 && fds[1] >= 0);
	for (network.allowed = 0; network.allowed <= 2; network.allowed++) {
		network.net = true;
		child_passes(use_network, &network);
	}
	network.allowed = 0;
	network.net = false;
	child_passes(use_network, &network);
	close(fds[0]);
	close(fds[1]);
}

/*
 * What Landlock doesn't see, so that nobody takes the filters off who refuse it instead: a connect
 * by sendto, and a listener that was never bound.
 */
static void go_round(const void *data)
{
	const struct network *network = data;
	const struct sockaddr_in address = loopback(network->ports[0]);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	apply(NULL, 0, true, NULL, 0);
	CHECK_ERROR(connect_tcp(network->ports[0]), EACCES);
	CHECK(sendto(fd, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&address,
		     sizeof(address)) == 1);
	CHECK(listen(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 1) == 0);
}

Test(landlock, ways_round_that_filters_must_close)
{
	struct network network = { { 0, 0 }, false, 0 };
	if (landlock_abi() < LANDLOCK_ABI_NET)
		return;
	int fd = listen_tcp(&network.ports[0]);
	int status = child_status(go_round, &network);

	close(fd);
	if (status != 0)
		cr_log_warn("the kernel has closed one (line %d): sysfilter_guard.c may do less",
			    child_failure->line);
}

/*
 * What is told of denials nobody could see here; so a filter refuses the call that is without the
 * flag, and the policy is not in force then.
 */
static void apply_without_a_log(const void *data)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 446, 0, 3), /* landlock_restrict_self */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1u << 2, 1, 0), /* LOG_SUBDOMAINS_OFF */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { COUNT(code), (struct sock_filter *)code };

	(void)data;
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	apply(NULL, 0, true, NULL, 0);
}

Test(landlock, its_own_domains_are_not_logged)
{
	if (landlock_abi() >= 7)
		child_passes(apply_without_a_log, NULL);
}
