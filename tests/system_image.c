/* SPDX-License-Identifier: MIT */
/* `root`, the system's directories from somewhere else, and `device`. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(image, .init = outside_start, .fini = outside_stop, .timeout = 120);

static const uid_t users[] = { ROOT, ANN };

/* A system of one program, and what that is linked to, with a link that leads out of it. */
static const char lay_image[] =
	"cd $M/..; mkdir -p i/usr/bin i/etc i/usr/lib; cp $(command -v busybox) i/usr/bin/busybox; "
	"for l in $(ldd i/usr/bin/busybox | grep -o '/[^ ]*'); do mkdir -p i$(dirname $l); "
	"cp $l i$l; done; for a in sh ls cat id grep touch; do ln -s busybox i/usr/bin/$a; done; "
	"ln -s usr/bin i/bin; ln -s ../../../../../../../etc/ssh i/sbin; echo image > i/etc/name; "
	"echo secret > i/etc/closed; chmod 600 i/etc/closed; touch i/etc/passwd i/etc/group "
	"i/etc/hosts; "
	"mkdir i/srv; touch i/srv/other";

static char *run_in(uid_t user, const char *config, const char *command, int *status)
{
	return session_run_as(
		user, "a",
		text("root %s\n%sterminal no\ncommand %s\n", outside("i"), config, command),
		status);
}

Test(image, the_system_is_another)
{
	int status;

	if (run_shell("sh", "command -v busybox").status != 0)
		cr_skip_test("there is no busybox");
	sh(lay_image);
	for (unsigned i = 0; i < 2; i++) {
		char *output = run_in(users[i], "",
				      "cat /etc/name; grep -c sandbox /etc/passwd; grep mimobox "
				      "/etc/hosts; ls /srv /etc/ssh /sbin/ /usr/lib/python3 || "
				      "echo 1; cat /etc/closed || echo 2; touch /usr/x || echo 3; "
				      "touch /etc/x || echo 4; touch /tmp/x /workspace/x && "
				      "echo 5; id; ls -a /run /proc/driver",
				      &status);

		cr_expect_str_eq(output,
				 "image\n1\n127.0.0.1\tmimobox\n1\n2\n3\n4\n5\n"
				 "uid=1000(sandbox) gid=1000(sandbox)\n/proc/driver:\n.\n..\n\n"
				 "/run:\n.\n..\n");
		cr_expect_eq(status, 0);
		session_remove("a");
	}
}

Test(image, an_overlay_of_it)
{
	int status;

	if (run_shell("sh", "command -v busybox").status != 0)
		cr_skip_test("there is no busybox");
	sh(lay_image);
	sh("chown -hR 23461 $M/../i");
	char *output = run_in(ANN, text("overlay %s:/usr\n", outside("i/usr")),
			      "touch /usr/x && ls /usr; touch /etc/x || echo no", &status);
	cr_expect_str_eq(output, "bin\nlib\nx\nno\n");
	cr_expect_str_eq(get("a/changes", NULL), "A /usr/x\n");
	cr_expect(access(outside("i/usr/x"), F_OK) < 0);
	session_remove("a");
}

/* Its resolver is the session's then, as where the system is the machine's. */
Test(image, with_a_network_of_names)
{
	int status;

	if (run_shell("sh", "command -v busybox").status != 0)
		cr_skip_test("there is no busybox");
	sh(lay_image);
	sh("echo 'nameserver 192.0.2.1' > $M/../i/etc/resolv.conf");
	for (unsigned i = 0; i < 2; i++) {
		char *output = run_in(
			users[i],
			text("network names\nallow example.org\noverlay %s:/x\n", outside("i/etc")),
			"cat /etc/resolv.conf /x/name; ls /run", &status);

		cr_expect_str_eq(output, "nameserver 127.0.0.1\nimage\n");
		session_remove("a");
	}
}

Test(image, refused)
{
	outside_directory(outside("closed"), BOB, 0700);
	outside_directory(outside("closed/i"), BOB, 0755);
	outside_file(outside("f"), "", ANN, 0644);
	start_refused(ANN, "a", text("root %s\ncommand true\n", outside("none")), ENOENT, "none");
	session_remove("a");
	start_refused(ANN, "a", text("root %s\ncommand true\n", outside("f")), ENOTDIR, "/f");
	session_remove("a");
	start_refused(ANN, "a", text("root %s\ncommand true\n", outside("closed/i")), EACCES,
		      "closed");
	session_remove("a");
	session_make("b");
	put_refused("b/config", "root /\n", EINVAL);
	put_refused("b/config", "root x\n", EINVAL);
	put_refused("b/config", "device /dev/null:/null\n", EINVAL);
	put_refused("b/config", "device /etc/passwd\n", EINVAL);
	session_remove("b");
}

/* Devices of the test's own, of the same numbers as those that each sandbox has. */
static void lay_device(const char *name, uid_t owner, mode_t mode)
{
	cr_assert_eq(mknod(outside("%s", name), S_IFCHR | 0600, makedev(1, 8)), 0);
	cr_assert_eq(chmod(outside("%s", name), mode), 0);
	cr_assert_eq(chown(outside("%s", name), owner, owner), 0);
}

/* It is opened, and has its ioctls: RNDGETENTCNT, which Landlock refuses without that key. */
static const char open_it[] =
	"argv [\"python3\",\"-c\",\"import fcntl,os,struct\\nfor n in ('own','random'):\\n try:\\n "
	" "
	"fd=os.open('/dev/'+n,os.O_RDWR)\\n  "
	"print(n,len(fcntl.ioctl(fd,0x80045200,b'0000')))\\n except OSError as e: "
	"print(n,e.errno)\"]\n";

Test(image, a_device)
{
	int status;

	lay_device("own", ROOT, 0600);
	lay_device("anns", ANN, 0600);
	for (unsigned i = 0; i < 2; i++) {
		char *output = session_run_as(users[i], "a",
					      text("device %s:/dev/own\nterminal no\n%s",
						   outside(i ? "anns" : "own"), open_it),
					      &status);

		cr_expect_str_eq(output, "own 4\nrandom 13\n");
		session_remove("a");
	}
	/* what is not the owner's to open is not the session's */
	char *output = session_run_as(
		ANN, "a", text("device %s:/dev/own\nterminal no\n%s", outside("own"), open_it),
		&status);
	cr_expect_str_eq(output, "own 13\nrandom 13\n");
	session_remove("a");
	start_refused(ROOT, "a", text("device %s:/dev/own\ncommand true\n", outside("bobs")),
		      ENOENT, "bobs");
	session_remove("a");
	lay_device("bobs", BOB, 0600);
	start_refused(ROOT, "a", text("device %s:/dev/own\ncommand true\n", outside("bobs")),
		      EACCES, "bobs");
	session_remove("a");
	outside_file(outside("f"), "", ANN, 0644);
	start_refused(ANN, "a", text("device %s:/dev/own\ncommand true\n", outside("f")), ENODEV,
		      "/f");
	session_remove("a");
	/* without the key there is none */
	output = session_run_as(ROOT, "a", text("terminal no\n%s", open_it), &status);
	cr_expect_str_eq(output, "own 2\nrandom 13\n");
	session_remove("a");
}
