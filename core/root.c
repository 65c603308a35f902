/* SPDX-License-Identifier: MIT */
/*
 * Everything is done by descriptor: a source is cloned with open_tree(2), gets its attributes
 * while it hangs nowhere, and is moved onto a target that was opened below the new root without
 * following links. No path is looked up twice, so none can be bent in between.
 *
 * One tmpfs serves as the root (read-only at the end) and, by clones of two of its directories
 * with attributes of their own, as /tmp and /dev/shm: one superblock to make, one size to bound.
 */
#include "root.h"

#include "home.h"
#include "mounts.h"
#include "paths.h"
#include "quotas.h"
#include "root_cgroup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const devices[] = { "null", "zero", "full", "random", "urandom", "tty" };

static const struct {
	const char *name, *target;
} links[] = {
	{ "dev/ptmx", "pts/ptmx" },
	{ "dev/fd", "/proc/self/fd" },
	{ "dev/stdin", "/proc/self/fd/0" },
	{ "dev/stdout", "/proc/self/fd/1" },
	{ "dev/stderr", "/proc/self/fd/2" },
	{ "var/tmp", "../tmp" },
	{ "var/run", "../run" },
};

/*
 * They tell of, or act on, the whole machine. The counts of interrupts tell when somebody types;
 * locks and keys are those of all users.
 */
static const char *const masked[] = {
	"proc/kcore",     "proc/keys",     "proc/sysrq-trigger", "proc/timer_list",
	"proc/locks",     "proc/softirqs", "proc/interrupts",    "proc/sched_debug",
	"proc/iomem",     "proc/ioports",  "proc/key-users",     "proc/latency_stats",
	"proc/config.gz",
};
/* Likewise. Each kernel has the first. */
static const char *const emptied[] = { "proc/driver", "proc/acpi", "proc/asound", "proc/bus",
				       "proc/fs",     "proc/irq",  "proc/scsi" };

#define ACCOUNTS(home)                                     \
	"root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n" \
	"sandbox:x:1000:1000:sandbox:" home ":/bin/sh\n"   \
	"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"

static const struct {
	const char *hidden, *path, *text, *with_home; /* NULL: the same */
} own_files[] = {
	{ "proc/passwd", "etc/passwd", ACCOUNTS("/tmp"), ACCOUNTS(HOME_INSIDE) },
	{ "proc/group", "etc/group", "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n", NULL },
	{ "proc/hostname", "etc/hostname", ROOT_HOST_NAME "\n", NULL },
};

/* Two lines, so that 127.0.0.1 is localhost by the first, and either name is its own full one. */
#define OWN_NAME "127.0.0.1\t" ROOT_HOST_NAME "\n"
static const char own_hosts[] =
	"127.0.0.1\tlocalhost\n" OWN_NAME "::1\tlocalhost ip6-localhost ip6-loopback\n";
enum { HOSTS_MAX = 16384 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const system_names[] = { "/usr", "/etc",   "/bin",   "/sbin",
					    "/lib", "/lib32", "/lib64", "/libx32" };
/* A link of one step; a resolver that takes more goes without a file, and asks 127.0.0.1. */
static void find_resolver(struct root_layout *layout)
{
	char link[sizeof(layout->resolver) - sizeof("/etc/")];
	ssize_t size = readlink("/etc/resolv.conf", link, sizeof(link) - 1);
	if (size <= 0)
		return;
	link[size] = '\0';
	const char *to = link;
	const char *from = *to == '/' ? "" : strncmp(to, "../", 3) == 0 ? "/" : "/etc/";
	to += strncmp(to, "../", 3) == 0 ? 3 : 0;
	if (!strstr(to, ".."))
		snprintf(layout->resolver, sizeof(layout->resolver), "%s%s", from, to);
}

/* What nproc, lscpu and C libraries count by. The rest of /sys is the machine's. */
static const char *const processors[] = { "possible", "present", "online" };
#define PROCESSORS "sys/devices/system/cpu/"

static void read_processors(struct root_layout *layout)
{
	char path[64];
	static_assert(COUNT(processors) == COUNT(layout->processors), "one each");
	for (size_t i = 0; i < COUNT(processors); i++) {
		snprintf(path, sizeof(path), "/" PROCESSORS "%s", processors[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t size =
			fd < 0 ? -1
			       : read(fd, layout->processors[i], sizeof(layout->processors[i]) - 1);
		layout->processors[i][size > 0 ? size : 0] = '\0';
		if (fd >= 0)
			close(fd);
	}
}

int root_layout_init(struct root_layout *layout)
{
	*layout = (struct root_layout){ 0 };
	find_resolver(layout);
	read_processors(layout);
	for (size_t i = 0; i < COUNT(system_names); i++) {
		struct root_directory *directory = &layout->directories[layout->count];
		struct stat status;
		if (lstat(system_names[i], &status) < 0) {
			if (errno != ENOENT)
				return -errno;
			continue;
		}
		snprintf(directory->path, sizeof(directory->path), "%s", system_names[i]);
		if (S_ISLNK(status.st_mode) &&
		    readlink(system_names[i], directory->target, sizeof(directory->target) - 1) < 0)
			return -errno;
		layout->count++;
	}
	return 0;
}

/* And what may be done there. */
static const struct landlock_rule rules_of_own[] = {
	{ "/", LANDLOCK_LIST },
	{ "/proc", LANDLOCK_READ }, /* not to write: mem, uid_map, ... */
	{ "/sys", LANDLOCK_READ },
	{ "/dev/null", LANDLOCK_DEVICE },
	{ "/dev/zero", LANDLOCK_DEVICE },
	{ "/dev/full", LANDLOCK_DEVICE },
	{ "/dev/random", LANDLOCK_DEVICE },
	{ "/dev/urandom", LANDLOCK_DEVICE },
	{ "/dev/tty", LANDLOCK_TERMINAL },
	{ "/dev/pts", LANDLOCK_TERMINAL },
	{ "/dev/shm", LANDLOCK_FULL },
	{ "/tmp", LANDLOCK_FULL },
};

unsigned root_rules(const struct root_layout *layout, struct landlock_rule rules[ROOT_RULES_MAX])
{
	unsigned count = 0;
	static_assert(COUNT(rules_of_own) + COUNT(layout->directories) <= ROOT_RULES_MAX, "room");
	for (size_t i = 0; i < COUNT(rules_of_own); i++)
		rules[count++] = rules_of_own[i];
	for (size_t i = 0; !layout && i < COUNT(system_names); i++)
		rules[count++] = (struct landlock_rule){ system_names[i], LANDLOCK_IMAGE };
	for (unsigned i = 0; layout && i < layout->count; i++)
		if (!layout->directories[i].target[0])
			rules[count++] = (struct landlock_rule){ layout->directories[i].path,
								 LANDLOCK_READ_EXEC };
	return count;
}

bool root_resolver_rule(const struct root_layout *layout, struct landlock_rule *rule)
{
	*rule = (struct landlock_rule){ "/run", LANDLOCK_READ };
	return strncmp(layout->resolver, "/run/", 5) == 0;
}

static int bind(int root, int directory, const char *source, const char *target,
		uint64_t attributes)
{
	int mount = mount_clone(directory, source, attributes);
	return mount < 0 ? mount : mount_attach(root, mount, target);
}

/*
 * Until it is pivoted to, the new root is mounted over the old one's: whoever is in that stays
 * there, and nothing of it is hidden.
 */
static int make_root(const char *size, const char *inodes)
{
	const struct mount_option options[] = {
		{ "size", size }, { "nr_inodes", inodes }, { "mode", "755" }, { NULL, NULL }
	};
	if (mount_make_private() < 0)
		return -errno;
	int root = mount_new("tmpfs", options, MOUNT_LOCKED_DOWN);
	if (root >= 0 && move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		int error = -errno;
		close(root);
		return error;
	}
	return root;
}

static int add_skeleton(int root, const char **what)
{
	static const struct {
		const char *path;
		mode_t mode;
	} directories[] = { { "proc", 0555 },    { "proc/empty", 0555 }, { "dev", 0755 },
			    { "dev/pts", 0755 }, { "dev/shm", 01777 },   { "tmp", 01777 },
			    { "run", 0755 },     { "var", 0755 } };
	int error = 0;
	for (size_t i = 0; error == 0 && i < COUNT(directories); i++)
		error = mount_make_directory(root, *what = directories[i].path,
					     directories[i].mode);
	for (size_t i = 0; error == 0 && i < COUNT(links); i++)
		if (symlinkat(links[i].target, root, *what = links[i].name) < 0)
			error = -errno;
	return error;
}

static int add_system(int root, const struct root_layout *layout, const char **what)
{
	for (unsigned i = 0; i < layout->count; i++) {
		const struct root_directory *directory = &layout->directories[i];
		const char *name = directory->path + 1;
		int error;
		*what = directory->path;
		if (directory->target[0]) {
			if (symlinkat(directory->target, root, name) < 0)
				return -errno;
			continue;
		}
		error = mount_make_directory(root, name, 0755);
		if (error == 0)
			error = bind(root, AT_FDCWD, directory->path, name,
				     MOUNT_LOCKED_DOWN | MOUNT_ATTR_RDONLY);
		if (error < 0)
			return error;
	}
	return 0;
}

/*
 * Over the host's file, which is at `path`. It keeps a name below /proc, where the mount that comes
 * there hides it: nothing can be mounted on a file without a name, and `ro` and `rw` may have to.
 */
static int cover_file(int root, const char *hidden, const char *path, const char *text)
{
	int error = mount_make_file(root, hidden, text);
	return error < 0 ? error
			 : bind(root, root, hidden, path, MOUNT_LOCKED_DOWN | MOUNT_ATTR_RDONLY);
}

static const char *text_of(size_t file, bool home)
{
	const char *text = home ? own_files[file].with_home : NULL;
	return text ? text : own_files[file].text;
}

/* The host's accounts and name are nobody's business inside; what is seen is one user. */
static int add_own_files(int root, bool home, const char **what)
{
	for (size_t i = 0; i < COUNT(own_files); i++) {
		*what = own_files[i].path;
		int target = mount_open_below(root, own_files[i].path, O_PATH);
		if (target == -ENOENT || target == -ELOOP)
			continue; /* a host without that file needs none here */
		if (target < 0)
			return target;
		close(target);
		int error =
			cover_file(root, own_files[i].hidden, own_files[i].path, text_of(i, home));
		if (error < 0)
			return error;
	}
	return 0;
}

/*
 * The host's file with a line for the sandbox's own name: what it names can be reached over the
 * host's network. It is read with the rights of the session's owner. One that the owner may not
 * read, or that is too large for the root, stays as it is, without that line.
 */
static int copy_hosts(int root, const char *path)
{
	char text[HOSTS_MAX + sizeof("\n" OWN_NAME)];
	struct stat status;
	size_t size = 0;
	int fd = mount_open_below(root, path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd == -EACCES || fd == -EPERM ? 0 : fd;
	ssize_t count = fstat(fd, &status) == 0 ? S_ISREG(status.st_mode) : -1;
	bool regular = count != 0;
	while (count > 0 && size <= HOSTS_MAX) {
		count = read(fd, text + size, HOSTS_MAX + 1 - size);
		size += count > 0 ? (size_t)count : 0;
	}
	int error = count < 0 ? -errno : 0;
	close(fd);
	if (error < 0 || !regular || size > HOSTS_MAX || memchr(text, '\0', size))
		return error;
	strcpy(text + size, size && text[size - 1] != '\n' ? "\n" OWN_NAME : OWN_NAME);
	return cover_file(root, "proc/hosts", path, text);
}

/* Without the host's network, its names lead nowhere, and are the host's business. */
static int add_hosts(int root, bool own_network, const char **what)
{
	static const char path[] = "etc/hosts";
	*what = path;
	int target = mount_open_below(root, path, O_PATH);
	if (target == -ENOENT || target == -ELOOP)
		return 0;
	if (target < 0)
		return target;
	close(target);
	return own_network ? cover_file(root, "proc/hosts", path, own_hosts)
			   : copy_hosts(root, path);
}

static int make_parents(int root, const char *path)
{
	char directory[sizeof(((struct root_layout *)0)->resolver)];
	int error = 0;
	for (const char *at = strchr(path, '/'); at && error == 0; at = strchr(at + 1, '/')) {
		memcpy(directory, path, (size_t)(at - path));
		directory[at - path] = '\0';
		error = mount_make_directory(root, directory, 0755);
		if (error == -EEXIST)
			error = 0;
	}
	return error;
}

/* Over the host's, or where the host has a link to. Without either, programs ask 127.0.0.1. */
static int cover_resolver(int root, const char *link, const char *text)
{
	static const char path[] = "etc/resolv.conf", hidden[] = "proc/resolv.conf";
	int target = mount_open_below(root, path, O_PATH);
	if (target >= 0) {
		close(target);
		return cover_file(root, hidden, path, text);
	}
	if (!link[0] || (target != -ELOOP && target != -ENOENT))
		return target == -ENOENT || target == -ELOOP ? 0 : target;
	target = mount_open_below(root, link + 1, O_PATH);
	if (target >= 0) {
		close(target);
		return cover_file(root, hidden, link + 1, text);
	}
	int error = make_parents(root, link + 1);
	error = error == 0 ? mount_make_file(root, link + 1, text) : error;
	return error == -EROFS
		       ? 0
		       : error; /* a link that leads to nothing, in a directory of the host's */
}

/*
 * All that asks for names asks the relay. Its answers come at once, but where somebody is asked
 * first; then programs wait for as long.
 */
static const char sources[] = "passwd: files\ngroup: files\nhosts: files dns\n"
			      "services: files\nprotocols: files\n";

enum { RESOLVER_TEXT = 96 };

static void print_resolver(unsigned seconds, char text[RESOLVER_TEXT])
{
	strcpy(text, "nameserver 127.0.0.1\n");
	if (seconds > 0) {
		char number[] = { (char)('0' + seconds / 10 % 10), (char)('0' + seconds % 10), 0 };
		strcat(text, "options timeout:");
		strcat(text, number);
		strcat(text, " attempts:5\n");
	}
}

static int add_resolver(int root, const struct root_layout *layout, unsigned seconds,
			const char **what)
{
	char text[RESOLVER_TEXT];
	print_resolver(seconds, text);
	*what = "etc/resolv.conf";
	int error = cover_resolver(root, layout->resolver, text);
	int target =
		error < 0 ? error : mount_open_below(root, *what = "etc/nsswitch.conf", O_PATH);
	if (error < 0 || target == -ENOENT || target == -ELOOP)
		return error;
	if (target < 0)
		return target;
	close(target);
	return cover_file(root, "proc/nsswitch.conf", "etc/nsswitch.conf", sources);
}

static int add_devices(int root, const char **what)
{
	char path[24], source[24];
	int error = 0;
	for (size_t i = 0; error == 0 && i < COUNT(devices); i++) {
		strcpy(path, "dev/");
		strcat(path, devices[i]);
		strcpy(source, "/");
		strcat(source, path);
		*what = devices[i];
		error = mount_make_file(root, path, "");
		if (error == 0)
			error = bind(root, AT_FDCWD, source, path, MOUNT_ATTR_NOSUID);
	}
	return error;
}

static int add_terminals(int root, const char *most, const char **what)
{
	const struct mount_option options[] = {
		{ "mode", "0620" },
		{ "ptmxmode", "0666" },
		{ "max", most }, /* all sandboxes share what the machine has */
		{ NULL, NULL },
	};
	*what = "devpts";
	int mount = mount_new("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	return mount < 0 ? mount : mount_attach(root, mount, "dev/pts");
}

static int add_sys(int root, const struct root_layout *layout, const struct root_options *options,
		   const char **what)
{
	static const char *const directories[] = { "sys/devices", "sys/devices/system",
						   "sys/devices/system/cpu" };
	char path[64];
	int error = root_add_cgroup(root, options->view, options->group, what);
	for (size_t i = 0; error == 0 && i < COUNT(directories); i++)
		error = mount_make_directory(root, *what = directories[i], 0555);
	for (size_t i = 0; error == 0 && i < COUNT(processors); i++) {
		strcpy(path, PROCESSORS);
		strcat(path, *what = processors[i]);
		if (layout->processors[i][0])
			error = mount_make_file(root, path, layout->processors[i]);
	}
	return error;
}

static int add_writable(int root, const char **what)
{
	int error = bind(root, root, *what = "tmp", "tmp", MOUNT_LOCKED_DOWN);
	return error < 0 ? error
			 : bind(root, root, *what = "dev/shm", "dev/shm", MOUNT_LOCKED_DOWN);
}

static int write_proc(int root, const char *path, const char *text)
{
	int fd = mount_open_below(root, path, O_WRONLY);
	if (fd < 0)
		return fd;
	int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return error;
}

static int mask(int root, const char *by, const char *path, uint64_t attributes)
{
	int error = bind(root, root, by, path, attributes | MOUNT_ATTR_RDONLY);
	return error == -ENOENT ? 0 : error; /* this kernel has none */
}

/* `empty` is a mount of an empty directory, and is consumed. */
static int mask_proc(int root, int empty, const char **what)
{
	int error = mount_attach(root, empty, *what = emptied[0]);
	for (size_t i = 1; error == 0 && i < COUNT(emptied); i++)
		error = mask(root, emptied[0], *what = emptied[i], MOUNT_LOCKED_DOWN);
	for (size_t i = 0; error == 0 && i < COUNT(masked); i++)
		error = mask(root, "dev/null", *what = masked[i], 0);
	return error;
}

/* Of the sandbox's user namespace: none below it, and a part of what is counted for its maker. */
static int set_counts(int root, const struct quotas *quotas, const char **what)
{
	const struct {
		const char *path, *text;
	} counts[] = {
		{ "proc/sys/user/max_user_namespaces", "0" },
		{ "proc/sys/user/max_inotify_instances", quotas->inotify_instances },
		{ "proc/sys/user/max_inotify_watches", quotas->inotify_watches },
	};
	int error = 0;
	for (size_t i = 0; error == 0 && i < COUNT(counts); i++)
		if (counts[i].text[0])
			error = write_proc(root, *what = counts[i].path, counts[i].text);
	return error;
}

/* So that the session's own network has all ports for what listens there, and for the relay. */
static int free_ports(int root, const char **what)
{
	return write_proc(root, *what = "proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}

/* By the /proc of the sandbox, which is of its network. */
static int bound_network(int root, const struct quotas *quotas, const char **what)
{
	int proc = mount_open_below(root, "proc", O_PATH | O_DIRECTORY);
	if (proc < 0)
		return proc;
	int error = quotas_bound_network(quotas, proc, what);
	close(proc);
	return error;
}

static int add_proc(int root, const struct quotas *quotas, const struct root_options *options,
		    const char **what)
{
	*what = "proc";
	/* The mount of proc(5) covers it from now on. */
	int empty = mount_clone(root, "proc/empty", MOUNT_LOCKED_DOWN | MOUNT_ATTR_RDONLY);
	if (empty < 0)
		return empty;
	int mount = mount_new("proc", NULL, MOUNT_LOCKED_DOWN | MOUNT_ATTR_NOEXEC);
	int error = mount < 0 ? mount : mount_attach(root, mount, "proc");
	if (error == 0)
		error = set_counts(root, quotas, what);
	if (error == 0 && options->new_network)
		error = bound_network(root, quotas, what);
	if (error == 0 && options->names)
		error = free_ports(root, what);
	if (error == 0)
		error = bind(root, root, *what = "proc/sys", "proc/sys",
			     MOUNT_LOCKED_DOWN | MOUNT_ATTR_RDONLY);
	if (error == 0)
		return mask_proc(root, empty, what);
	close(empty);
	return error;
}

/* pivot_root(2): stacked on itself, the old root is what "." then unmounts. */
static int enter(int root)
{
	struct mount_attr attr = { .attr_set = MOUNT_LOCKED_DOWN | MOUNT_ATTR_RDONLY };
	if (mount_setattr(root, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 || fchdir(root) < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

/*
 * Of one that is furnished later, when the mount of proc(5) hides these files already: each is a
 * mount in /run until then.
 */
static const struct {
	const char *hidden, *kept, *path;
} kept_files[] = {
	{ "proc/passwd", "run/passwd", "etc/passwd" },
	{ "proc/group", "run/group", "etc/group" },
	{ "proc/hostname", "run/hostname", "etc/hostname" },
	{ "proc/hosts", "run/hosts", "etc/hosts" },
	/* Where names lead out of it. */
	{ "proc/resolv.conf", "run/resolv.conf", "etc/resolv.conf" },
	{ "proc/nsswitch.conf", "run/nsswitch.conf", "etc/nsswitch.conf" },
};
enum { KEPT_ALWAYS = COUNT(kept_files) - 2 };

static int keep_own_files(int root, const struct root_options *options, const char **what)
{
	static_assert(KEPT_ALWAYS == COUNT(own_files) + 1, "and the hosts");
	char resolver[RESOLVER_TEXT];
	print_resolver(options->dns_seconds, resolver);
	const char *const others[] = { own_hosts, resolver, sources };
	size_t count = options->names ? COUNT(kept_files) : KEPT_ALWAYS;
	int error = 0;
	for (size_t i = 0; error == 0 && i < count; i++) {
		const char *text = i < COUNT(own_files) ? text_of(i, options->home)
							: others[i - COUNT(own_files)];
		*what = kept_files[i].path;
		error = mount_make_file(root, kept_files[i].kept, "");
		if (error == 0)
			error = cover_file(root, kept_files[i].hidden, kept_files[i].kept, text);
	}
	return error;
}

static int add_machines_system(int root, const struct root_layout *layout,
			       const struct root_options *options, const char **what)
{
	int error = add_system(root, layout, what);
	if (error == 0)
		error = add_own_files(root, options->home, what);
	if (error == 0)
		error = add_hosts(root, options->own_network, what);
	if (error == 0 && options->names)
		error = add_resolver(root, layout, options->dns_seconds, what);
	return error;
}

int root_make(const struct root_layout *layout, const struct quotas *quotas,
	      const struct root_options *options, const char **what)
{
	*what = "tmpfs";
	umask(0);
	int root = make_root(options->tmp_size, options->tmp_inodes);
	if (root < 0)
		return root;
	int error = add_skeleton(root, what);
	if (error == 0)
		error = options->own_system ? keep_own_files(root, options, what)
					    : add_machines_system(root, layout, options, what);
	if (error == 0)
		error = add_devices(root, what);
	if (error == 0)
		error = add_terminals(root, options->terminals, what);
	if (error == 0)
		error = add_sys(root, layout, options, what);
	if (error == 0)
		error = add_writable(root, what);
	if (error == 0)
		error = add_proc(root, quotas, options, what);
	umask(022);
	if (error == 0)
		return root;
	close(root);
	return error;
}

/* One of them: a link stays one, to a place inside. */
static int furnish_one(int root, int directory, const char *name)
{
	char target[PATH_MAX];
	struct stat status;
	int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int error = fstat(fd, &status) < 0 ? -errno : 0;
	if (error == 0 && S_ISLNK(status.st_mode)) {
		ssize_t length = readlinkat(fd, "", target, sizeof(target) - 1);
		target[length < 0 ? 0 : length] = '\0';
		if (length < 0 || symlinkat(target, root, name) < 0)
			error = -errno;
	} else if (error == 0) {
		error = mount_make_directory(root, name, 0755);
		if (error == 0)
			error = bind(root, fd, "", name, MOUNT_LOCKED_DOWN | MOUNT_ATTR_RDONLY);
	}
	close(fd);
	return error;
}

/* From where it was kept; a system without that file needs none. */
static int take_kept_file(int root, const char *kept, const char *path)
{
	char name[MOUNT_NAME];
	int place = mount_open_below(root, path, O_PATH);
	int fd = mount_open_below(root, kept, O_PATH);
	if (place >= 0)
		close(place);
	if (fd < 0)
		return fd;
	int error = place == -ENOENT || place == -ELOOP ? 0 : place < 0 ? place : 1;
	if (error == 1)
		error = bind(root, fd, "", path, 0);
	mount_name(fd, name);
	if (error == 0 && umount2(name, MNT_DETACH) < 0)
		error = -errno;
	close(fd);
	return error == 0 && unlinkat(root, kept, 0) < 0 ? -errno : error;
}

int root_furnish(int root, int directory, const char **what)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < COUNT(system_names); i++)
		error = furnish_one(root, directory, (*what = system_names[i]) + 1);
	for (size_t i = 0; error == 0 && i < COUNT(kept_files); i++) {
		error = take_kept_file(root, kept_files[i].kept, *what = kept_files[i].path);
		if (error == -ENOENT && i >= KEPT_ALWAYS)
			error = 0;
	}
	return error;
}

int root_enter(int root, const struct sandbox_path *paths, unsigned count, int changes,
	       const char **what)
{
	int error = paths_attach(root, paths, count, changes, what);
	if (error < 0)
		return error;
	*what = "pivot_root";
	return enter(root);
}
