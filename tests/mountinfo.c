/* SPDX-License-Identifier: MIT */
/* The table of mounts: what of each line is told, of lines of any length too. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <mountinfo.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEEN_MAX = 16 };

struct seen {
	unsigned count;
	struct mountinfo mounts[SEEN_MAX];
};

static int see(const struct mountinfo *mount, void *data)
{
	struct seen *seen = data;

	if (seen->count < SEEN_MAX)
		seen->mounts[seen->count++] = *mount;
	return 0;
}

static FILE *begin(void)
{
	int fd = memfd_create("mountinfo", 0);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	cr_assert(file);
	return file;
}

static int read_text(FILE *file, mountinfo_visit_fn visit, void *data)
{
	cr_assert_eq(fflush(file), 0);
	cr_assert_eq(lseek(fileno(file), 0, SEEK_SET), 0);
	int result = mountinfo_read(fileno(file), visit, data);
	(void)fclose(file);
	return result;
}

static void is(const struct mountinfo *mount, uint64_t id, const char *root, const char *place,
	       const char *type, const char *options)
{
	cr_expect_eq(mount->id, id);
	cr_expect_str_eq(mount->root, root);
	cr_expect_str_eq(mount->place, place);
	cr_expect_str_eq(mount->type, type);
	cr_expect_str_eq(mount->options, options);
	cr_expect(!mount->root_cut && !mount->place_cut && !mount->type_cut && !mount->options_cut);
}

Test(mountinfo, lines)
{
	static struct seen seen;
	FILE *file = begin();

	(void)fputs("22 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/a\n"
		    "36 22 98:0 /sub /mnt/a\\040b\\134c rw shared:1 master:2 - ext3 /dev/root rw\n"
		    "37 36 0:44 / /-/x rw unbindable - fuse.mimoboxfs mimoboxfs rw,user_id=7\n"
		    "38 36 0:45 / /y rw -  none rw\n",
		    file);
	cr_assert_eq(read_text(file, see, &seen), 0);
	cr_assert_eq(seen.count, 4);
	is(&seen.mounts[0], 22, "/", "/", "overlay", "rw,lowerdir=/a");
	is(&seen.mounts[1], 36, "/sub", "/mnt/a b\\c", "ext3", "rw");
	is(&seen.mounts[2], 37, "/", "/-/x", "fuse.mimoboxfs", "rw,user_id=7");
	is(&seen.mounts[3], 38, "/", "/y", "", "rw");
	cr_expect_eq(seen.mounts[2].parent, 36);
}

/* What is behind it is found all the same, wherever a piece of it begins. */
Test(mountinfo, lines_of_any_length)
{
	static const size_t lengths[] = { 4000, 4090, 4094, 4095, 4096, 45180, 10000000 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		static struct seen seen;
		FILE *file = begin();

		seen.count = 0;
		(void)fputs("1 0 0:1 / /", file);
		for (size_t at = 1; at < lengths[i]; at++)
			(void)fputs("\\040", file);
		(void)fputs(" rw - fuse.long long rw\n2 1 0:2 / /next rw - tmpfs none rw\n", file);
		cr_assert_eq(read_text(file, see, &seen), 0);
		cr_assert_eq(seen.count, 2);
		cr_expect_eq(seen.mounts[0].place_cut, lengths[i] >= PATH_MAX, "%zu", lengths[i]);
		cr_expect_eq(strlen(seen.mounts[0].place),
			     lengths[i] < PATH_MAX ? lengths[i] : PATH_MAX - 1);
		cr_expect_str_eq(seen.mounts[0].type, "fuse.long");
		is(&seen.mounts[1], 2, "/", "/next", "tmpfs", "rw");
	}
}

static int stop_at_second(const struct mountinfo *mount, void *data)
{
	(void)mount;
	return ++*(int *)data == 2 ? -E2BIG : 0;
}

Test(mountinfo, a_visit_can_end_it)
{
	int count = 0;
	FILE *file = begin();

	(void)fputs("1 0 0:1 / / rw - a a rw\n1 0 0:1 / / rw - a a rw\n1 0 0:1 / / rw - a a rw\n",
		    file);
	cr_expect_eq(read_text(file, stop_at_second, &count), -E2BIG);
	cr_expect_eq(count, 2);
	cr_expect_lt(mountinfo_read(-1, stop_at_second, &count), 0);
}

/* Those of this machine. */

enum { DEEP = 40 };

static char top[] = "/tmp/mountinfo-XXXXXX";

/* A mount at m below, whose path grows after that to some 10,000 bytes. */
static void lay(void)
{
	char name[5 + 250] = "new/";

	memset(name + 4, ' ', sizeof(name) - 5);
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert(mkdtemp(top));
	cr_assert_eq(mount("none", top, "tmpfs", 0, NULL), 0);
	cr_assert_eq(chdir(top), 0);
	cr_assert(mkdir("d", 0755) == 0 && mkdir("d/m", 0755) == 0 && mkdir("a b\\c", 0755) == 0);
	cr_assert_eq(mount("none", "d/m", "tmpfs", 0, "size=64k"), 0);
	cr_assert_eq(mount("none", "a b\\c", "tmpfs", 0, "size=128k"), 0);
	for (int i = 0; i < DEEP; i++) {
		cr_assert_eq(mkdir("new", 0755), 0);
		cr_assert_eq(rename("d", name), 0);
		cr_assert_eq(rename("new", "d"), 0);
	}
}

static void tidy(void)
{
	cr_assert_eq(chdir("/"), 0);
	umount2(top, MNT_DETACH);
	rmdir(top);
}

struct own {
	unsigned count, cut, odd;
	bool asked;
};

static int look_at(const struct mountinfo *mount, void *data)
{
	struct own *own = data;

	if (strncmp(mount->place, top, strlen(top)) == 0 && strstr(mount->place, "/a b\\c"))
		own->odd += strcmp(mount->type, "tmpfs") == 0 &&
			    strstr(mount->options, "size=128k") != NULL;
	own->count++;
	own->cut += mount->place_cut;
	/* By number, it is not known at all. */
	if (mount->place_cut)
		cr_expect_eq(mount->place[0] == '\0', own->asked);
	return 0;
}

Test(mountinfo, of_this_machine, .fini = tidy)
{
	struct own read = { 0 }, asked = { .asked = true };

	lay();
	cr_assert_eq(mountinfo_read_own(look_at, &read), 0);
	cr_expect(read.count >= 3 && read.cut == 1 && read.odd == 1, "%u %u %u", read.count,
		  read.cut, read.odd);
	int error = mountinfo_ask(look_at, &asked);
	if (error == -ENOSYS)
		cr_skip("this kernel has no statmount(2) that tells subtypes");
	cr_assert_eq(error, 0);
	cr_expect_eq(asked.count, read.count);
	cr_expect(asked.cut == 1 && asked.odd == 1, "%u %u", asked.cut, asked.odd);
}
