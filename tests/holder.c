/* SPDX-License-Identifier: MIT */
/*
 * A program that holds locks of its terminal or its pipes for as long as it likes, and the
 * filesystem that it does that with: `holder serve MOUNTPOINT` has a file whose reads are never
 * answered; `holder read|write|modes FILE` maps that file, and gives a page of it to the kernel.
 * `holder punch FILE` needs no such filesystem: it makes FILE, of many pieces, and reads into a
 * page of it while it punches a hole into all the others, again and again, and each time into more.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define FUSE_USE_VERSION 31
#include <fuse3/fuse.h>

enum { SIZE = 65536 };

static int get_attributes(const char *path, struct stat *to, struct fuse_file_info *file)
{
	(void)file;
	memset(to, 0, sizeof(*to));
	to->st_nlink = 1;
	to->st_mode = strcmp(path, "/") == 0 ? S_IFDIR | 0755 : S_IFREG | 0644;
	to->st_size = SIZE;
	return strcmp(path, "/") == 0 || strcmp(path, "/file") == 0 ? 0 : -ENOENT;
}

static int never_read(const char *path, char *data, size_t size, off_t offset,
		      struct fuse_file_info *file)
{
	(void)path, (void)data, (void)size, (void)offset, (void)file;
	for (;;)
		pause();
	return 0;
}

/* So that who waits for a page waits in the filesystem, where SIGKILL does not reach. */
static void *begin(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)config;
	connection->want &= ~(unsigned)FUSE_CAP_ASYNC_READ;
	connection->max_readahead = 0;
	return NULL;
}

static const struct fuse_operations operations = { .init = begin,
						   .getattr = get_attributes,
						   .read = never_read };

static int serve(char *program, char *mount)
{
	char option[] = "-oallow_other", foreground[] = "-f";
	char *argv[] = { program, foreground, option, mount, NULL };

	return fuse_main(4, argv, &operations, NULL);
}

static void *set_modes(void *modes)
{
	for (;;)
		tcsetattr(0, TCSANOW, modes);
	return NULL;
}

static void go(int number)
{
	(void)number;
}

/* When it is told to: whoever reads is stopped by then, and finds this byte and the lock. */
static int hold_output(char *page)
{
	sigset_t usual, blocked;

	signal(SIGUSR1, go);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &usual);
	if (write(1, "ready", 5) != 5)
		return 1;
	sigsuspend(&usual);
	return write(1, "!", 1) == 1 && write(1, page, SIZE) > 0;
}

enum { BLOCK = 4096, PIECES_MIN = 500, PIECES_MAX = 64000 };

static struct {
	int fd;
	off_t size;
} punched;

static void *punch(void *unused)
{
	(void)unused;
	fallocate(punched.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BLOCK,
		  punched.size - BLOCK);
	return NULL;
}

/* Each second block is there, so that each is a piece of its own. */
static int make_pieces(unsigned pieces)
{
	static char block[BLOCK] = "x";

	punched.size = (off_t)2 * BLOCK * pieces;
	if (ftruncate(punched.fd, 0) < 0 || ftruncate(punched.fd, punched.size) < 0)
		return -1;
	for (unsigned i = 0; i < pieces; i++)
		if (pwrite(punched.fd, block, BLOCK, (off_t)2 * BLOCK * i) != BLOCK)
			return -1;
	return fsync(punched.fd) < 0 || posix_fadvise(punched.fd, 0, 0, POSIX_FADV_DONTNEED) != 0;
}

static int hold_by_punching(const char *path)
{
	pthread_t thread;
	char *page;

	punched.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (unsigned pieces = PIECES_MIN; pieces <= PIECES_MAX; pieces *= 2) {
		if (punched.fd < 0 || make_pieces(pieces) != 0)
			return 1;
		page = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE, punched.fd, 0);
		if (page == MAP_FAILED || write(1, "!", 1) != 1)
			return 1;
		pthread_create(&thread, NULL, punch, NULL);
		usleep(2000); /* until it punches: no event tells of that */
		if (read(0, page, BLOCK) <= 0)
			return 1;
		pthread_join(thread, NULL);
		munmap(page, BLOCK);
	}
	return 0;
}

/* One byte says that it is about to; a reader of many holds the lock while it waits for a page. */
static int hold(const char *how, char *page)
{
	static struct termios modes;
	char bytes[128];
	pthread_t thread;

	if (strcmp(how, "write") == 0)
		return hold_output(page);
	if (strcmp(how, "modes") == 0) {
		tcgetattr(0, &modes);
		cfmakeraw(&modes);
		tcsetattr(0, TCSANOW, &modes);
	}
	if (write(1, "!", 1) != 1 || read(0, bytes, 1) != 1)
		return 1;
	usleep(200000); /* until there is more to read: a page is wanted for more than one piece */
	if (strcmp(how, "modes") == 0)
		pthread_create(&thread, NULL, set_modes, &modes);
	return read(0, page, SIZE) > 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (strcmp(argv[1], "serve") == 0)
		return serve(argv[0], argv[2]);
	if (strcmp(argv[1], "punch") == 0)
		return hold_by_punching(argv[2]);
	int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	char *page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	return page == MAP_FAILED ? 2 : hold(argv[1], page);
}
