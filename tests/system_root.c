/* SPDX-License-Identifier: MIT */
/*
 * The mounts of a sandbox, one by one: what each may not be used for, whatever else would refuse
 * that as well.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(root, .init = outside_start, .fini = outside_stop, .timeout = 60);

struct mount {
	char at[256], options[256], type[64];
};
static struct mount mounts[128];
static unsigned mount_count;

/* Of a session with these lines in its config. */
static void look_at_mounts(const char *config)
{
	int status;
	char *line, *rest = session_run_as(
			    ANN, "a",
			    text("%s\ncommand stty cols 1000; cat /proc/self/mountinfo\n", config),
			    &status);

	mount_count = 0;
	while ((line = strsep(&rest, "\n")) && *line) {
		struct mount *mount = &mounts[mount_count++];

		cr_assert_lt(mount_count, sizeof(mounts) / sizeof(*mounts));
		cr_assert_eq(sscanf(line, "%*s %*s %*s %*s %255s %255s", mount->at, mount->options),
			     2, "%s", line);
		cr_assert(has(line, " - "));
		cr_assert_eq(sscanf(strstr(line, " - "), " - %63s", mount->type), 1);
	}
	session_remove("a");
}

static bool option(const struct mount *mount, const char *name)
{
	return has(text(",%s,", mount->options), text(",%s,", name));
}

static const struct mount *mount_at(const char *at)
{
	for (unsigned i = mount_count; i > 0; i--)
		if (!strcmp(mounts[i - 1].at, at))
			return &mounts[i - 1];
	return NULL;
}

static bool is_one_of(const char *at, const char *const names[])
{
	for (; *names; names++)
		if (!strcmp(at, *names))
			return true;
	return false;
}

static const char *const devices[] = { "/dev/null",    "/dev/zero", "/dev/full", "/dev/random",
				       "/dev/urandom", "/dev/tty",  "/dev/pts",  NULL };
static const char *const writable[] = { "/tmp",  "/dev/shm", "/workspace", "/home/sandbox",
					"/proc", "/rw",      NULL };
static const char *const masked[] = {
	"kcore",     "keys",          "sysrq-trigger", "timer_list", "locks",
	"softirqs",  "interrupts",    "sched_debug",   "iomem",      "ioports",
	"key-users", "latency_stats", "config.gz",     NULL,
};
static const char *const emptied[] = {
	"driver", "acpi", "asound", "bus", "fs", "irq", "scsi", NULL
};

static bool is_emptied(const char *at)
{
	return !strncmp(at, "/proc/", 6) && is_one_of(at + 6, emptied);
}

static bool is_mask(const char *at)
{
	return !strncmp(at, "/proc/", 6) && is_one_of(at + 6, masked);
}

Test(root, mounts_are_locked_down)
{
	outside_directory(outside("d"), ANN, 0755);
	look_at_mounts(text("ro %s:/ro\nrw %s:/rw", outside("d"), outside("d")));
	cr_assert_geq(mount_count, 15);
	for (unsigned i = 0; i < mount_count; i++) {
		const struct mount *mount = &mounts[i];
		bool device = is_one_of(mount->at, devices);

		cr_expect(option(mount, "nosuid") || is_mask(mount->at), "%s: %s", mount->at,
			  mount->options);
		cr_expect(device || is_mask(mount->at) || option(mount, "nodev"), "%s: %s",
			  mount->at, mount->options);
		cr_expect(device || is_one_of(mount->at, writable) || option(mount, "ro"), "%s: %s",
			  mount->at, mount->options);
		cr_expect(strncmp(mount->type, "fuse", 4) != 0, "%s", mount->at);
	}
	cr_expect(option(mount_at("/proc"), "noexec") && option(mount_at("/dev/pts"), "noexec"));
	cr_expect(option(mount_at("/proc/sys"), "ro"));
	cr_expect(option(mount_at("/ro"), "ro") && option(mount_at("/rw"), "rw"));
	cr_expect(option(mount_at("/tmp"), "rw") && option(mount_at("/workspace"), "rw"));
}

/* Also where the host has mounted more below, whatever that may be used for there. */
Test(root, mounts_below_are_locked_down)
{
	static const char *const below[] = { "/ro/below", "/rw/below", "/usr/local/games" };

	outside_directory(outside("d"), ANN, 0755);
	outside_directory(outside("d/below"), ANN, 0755);
	sh("mount -t tmpfs none $M/../d/below && mount -t tmpfs none /usr/local/games");
	for (unsigned kind = 0; kind < 2; kind++) {
		look_at_mounts(kind ? ""
				    : text("ro %s:/ro\nrw %s:/rw", outside("d"), outside("d")));
		for (unsigned i = kind ? 2 : 0; i < 3; i++) {
			const struct mount *mount = mount_at(below[i]);

			cr_assert(mount != NULL, "%s is not there", below[i]);
			cr_expect(option(mount, "nosuid") && option(mount, "nodev") &&
					  option(mount, i == 1 ? "rw" : "ro"),
				  "%s: %s", below[i], mount->options);
		}
	}
	sh("umount $M/../d/below /usr/local/games");
}

/* Who the host's users are is nobody's business. */
Test(root, accounts_are_the_sandboxs_own)
{
	const char *const configs[] = { "", text("%snetwork host\n", outside_landlock(false)) };
	int status;

	for (unsigned i = 0; i < 2; i++) {
		char *output = session_run_as(
			ANN, "a",
			text("%scommand cut -d: -f1 /etc/passwd /etc/group; "
			     "getent passwd mimo-ann mimo-bob; getent group mimo-ann\n",
			     configs[i]),
			&status);

		cr_expect_str_eq(output, "root\nsandbox\nnobody\nroot\nsandbox\nnogroup\n", "%s",
				 output);
		session_remove("a");
	}
	/* the control */
	cr_expect(has(sh("getent passwd mimo-ann; getent group mimo-ann"), "mimo-ann"));
}

/* What tells of the machine, where this kernel has it. */
Test(root, proc_is_masked)
{
	unsigned there = 0;

	look_at_mounts("");
	for (unsigned i = 0; masked[i]; i++) {
		const char *path = text("/proc/%s", masked[i]);

		if (access(path, F_OK) < 0)
			continue;
		there++;
		cr_expect(mount_at(path) && option(mount_at(path), "ro"), "%s: %s", path,
			  mount_at(path) ? mount_at(path)->options : "not masked");
	}
	cr_expect_gt(there, 0);
	for (unsigned i = 0; emptied[i]; i++) {
		const char *path = text("/proc/%s", emptied[i]);

		if (access(path, F_OK) == 0)
			cr_expect(mount_at(path) != NULL, "%s is not masked", path);
	}
}

/* Of cgroups, read-only: what is there is in system_sizes.c. */
static bool is_own_group(const struct mount *mount)
{
	return !strncmp(mount->at, "/sys/fs/cgroup", 14) && option(mount, "ro") &&
	       option(mount, "nosuid") && option(mount, "nodev") && option(mount, "noexec");
}

Test(root, of_the_host_only_the_system_is_there)
{
	static const char *const places[] = {
		"/",        "/usr",       "/etc",        "/bin",       "/sbin",         "/lib",
		"/lib32",   "/lib64",     "/libx32",     "/proc",      "/proc/sys",     "/tmp",
		"/dev/shm", "/workspace", "/etc/passwd", "/etc/group", "/home/sandbox", NULL
	};
	int status;
	char *output;

	look_at_mounts("");
	for (unsigned i = 0; i < mount_count; i++) {
		const char *at = mounts[i].at;

		cr_expect(is_one_of(at, places) || is_one_of(at, devices) || is_mask(at) ||
				  is_emptied(at) || !strncmp(at, "/etc/", 5) ||
				  !strncmp(at, "/usr/", 5) || is_own_group(&mounts[i]),
			  "%s", at);
	}
	output = session_run("b", "command ls -A / | tr '\\n' ' '\n", &status);
	cr_expect(!has(output, "root") && !has(output, "boot"), "%s", output);
	cr_expect_str_eq(session_run("c", "command ls -A /home\n", &status), "sandbox\n");
}

/* The whole mount namespace is of the sandbox: nothing of the host's lies outside of its root. */
Test(root, the_old_root_is_nowhere)
{
	struct stream output;
	char *list;

	session_start_as(ANN, "a", "command echo READY; read x\n");
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	list = sh(text("nsenter --mount=/proc/%d/ns/mnt ls -A / | tr '\\n' ' '", session_pid("a")));
	cr_expect(has(list, "usr ") && has(list, "workspace ") && !has(list, "root ") &&
			  !has(list, "boot "),
		  "%s", list);
	/* the control */
	cr_expect(has(sh("ls -A / | tr '\\n' ' '"), "root "));
	put_all("a/input", "\n");
	session_exit("a");
	stream_close(&output);
}

/*
 * Landlock, where the mounts would let it pass: somebody outside makes them writable, and lays a
 * file where there is none. It says EACCES; a device that is not a terminal has no ioctl, which an
 * older Landlock leaves to the device.
 */
static const char intruder[] =
	"import fcntl, os, sys\n"
	"def says(what, do):\n"
	"    try: do(); print(what, 'done')\n"
	"    except OSError as e: print(what, e.errno)\n"
	"print('READY'); sys.stdin.readline()\n"
	"for place in ['/run', '/usr/local/games'] + sys.argv[1:]:\n"
	"    says('make ' + place, lambda: open(place + '/new', 'w'))\n"
	"    says('write ' + place, lambda: open(place + '/laid', 'a'))\n"
	"    says('remove ' + place, lambda: os.unlink(place + '/laid'))\n"
	"says('read /run', lambda: open('/run/laid'))\n"
	"says('read /usr/local/games', lambda: open('/usr/local/games/laid'))\n"
	"says('write /proc', lambda: open('/proc/self/comm', 'w'))\n"
	"for device in 'null', 'zero', 'full', 'random', 'urandom':\n"
	"    says('ioctl ' + device, lambda: fcntl.ioctl(open('/dev/' + device), 0x80045200, "
	"b'1234'))\n"
	"says('ioctl tty', lambda: fcntl.ioctl(open('/dev/tty'), 0x5413, b'12345678'))\n"
	"says('make /tmp', lambda: open('/tmp/new', 'w'))\n";

static void intrude(const char *config, const char *places, unsigned paths)
{
	char *expected = text("%s", ""), *inside;
	struct stream output;

	session_start_as(ANN, "a",
			 text("%sargv [\"python3\",\"-c\",\"import os; "
			      "exec(os.environ['INTRUDER'].replace('|',chr(10)))\"%s]\n",
			      config, paths ? ",\"/ro\"" : ""));
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	inside = text("nsenter --mount=/proc/%d/ns/mnt --pid=/proc/%d/ns/pid", session_init("a"),
		      session_init("a"));
	sh(text("for p in %s; do %s mount -o remount,bind,rw $p; done; for p in /run%s; do "
		"%s setpriv --reuid %d --regid %d --clear-groups sh -c "
		"\"echo secret > $p/laid; chmod 666 $p/laid\"; done",
		places, inside, paths ? " /ro" : "", inside, ANN, ANN));
	put_all("a/input", "\n");
	session_exit("a");
	stream_rest(&output);
	for (unsigned i = 0; i < 2 + paths; i++) {
		static const char *const names[] = { "/run", "/usr/local/games", "/ro" };

		expected = text("%smake %s 13\nwrite %s 13\nremove %s 13\n", expected, names[i],
				names[i], names[i]);
	}
	expected = text("%sread /run 13\nread /usr/local/games done\nwrite /proc 13\n%s"
			"ioctl tty done\nmake /tmp done\n",
			expected,
			fixture_landlock() < 5 ? "ioctl null 25\nioctl zero 25\nioctl full 25\n"
						 "ioctl random done\nioctl urandom done\n"
					       : "ioctl null 13\nioctl zero 13\nioctl full 13\n"
						 "ioctl random 13\nioctl urandom 13\n");
	cr_expect(has(plain(output.data), expected), "%s: '%s' and not '%s'", config,
		  plain(output.data), expected);
	stream_close(&output);
	session_remove("a");
}

Test(root, landlock_is_behind_the_mounts)
{
	char *program = text("%s", intruder);

	for (char *at = program; *at; at++)
		if (*at == '\n')
			*at = '|';
	outside_directory(outside("d"), ANN, 0755);
	sh("mount -t tmpfs -o mode=777 none /usr/local/games && echo > /usr/local/games/laid && "
	   "chmod 666 /usr/local/games/laid");
	intrude(text("env INTRUDER=%s\n", program), "/ /usr/local/games", 0);
	intrude(text("env INTRUDER=%s\nro %s:/ro\n", program, outside("d")),
		"/ /usr/local/games /ro", 1);
	sh("umount /usr/local/games");
}
