/* SPDX-License-Identifier: MIT */
#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Lines of /proc */

static int next_byte(struct lines *lines)
{
	if (lines->at == lines->end) {
		ssize_t size = read(lines->fd, lines->bytes, sizeof(lines->bytes));
		lines->at = 0;
		lines->end = size > 0 ? (size_t)size : 0;
	}
	return lines->at < lines->end ? (unsigned char)lines->bytes[lines->at++] : -1;
}

/* False at the end. What does not fit is dropped. */
bool lines_next(struct lines *lines, char *line, size_t size)
{
	size_t length = 0;
	int byte;
	while ((byte = next_byte(lines)) >= 0 && byte != '\n')
		if (length + 1 < size)
			line[length++] = (char)byte;
	line[length] = '\0';
	return byte >= 0;
}

uint64_t text_number(const char *text)
{
	uint64_t number = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (uint64_t)(*text - '0');
	return number;
}

/* Field `n` of a line of fields that are parted by blanks. */
const char *text_field(const char *line, unsigned n)
{
	for (;;) {
		line += strspn(line, " \t");
		if (n-- == 0)
			return line;
		line += strcspn(line, " \t");
	}
}

void text_append(char *text, unsigned number)
{
	char digits[12], *at = digits + sizeof(digits) - 1;
	*at = '\0';
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	strcat(text, at);
}

bool lines_open(struct lines *lines, const char *path)
{
	lines->fd = open(path, O_RDONLY | O_CLOEXEC);
	lines->at = lines->end = 0;
	return lines->fd >= 0;
}

/* The caller's */

/* Of a thread; 0 where it has ended. */
static pid_t process_of(pid_t thread)
{
	char path[48] = "/proc/", line[64];
	struct lines lines;
	pid_t process = 0;
	text_append(path, (unsigned)thread);
	strcat(path, "/status");
	if (!lines_open(&lines, path))
		return 0;
	while (process == 0 && lines_next(&lines, line, sizeof(line)))
		if (strncmp(line, "Tgid:", 5) == 0)
			process = (pid_t)text_number(text_field(line, 1));
	close(lines.fd);
	return process;
}

/* While its caller waits, a number is that of no other process. */
static bool still_waits(int listener, const struct seccomp_notif *call)
{
	uint64_t id = call->id;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

int caller_borrow(int listener, const struct seccomp_notif *call, int number, pid_t *process)
{
	*process = process_of((pid_t)call->pid);
	int pidfd = *process ? (int)syscall(SYS_pidfd_open, *process, 0) : -1;
	if (pidfd < 0 || !still_waits(listener, call)) {
		if (pidfd >= 0)
			close(pidfd);
		return -ESRCH;
	}
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	int error = fd < 0 ? -errno : 0;
	close(pidfd);
	return error < 0 ? error : fd;
}

bool caller_read(pid_t process, uint64_t from, void *to, size_t size)
{
	const struct iovec local = { to, size }, remote = { (void *)(uintptr_t)from, size };
	return syscall(SYS_process_vm_readv, process, &local, 1, &remote, 1, 0) == (long)size;
}

bool caller_write(pid_t process, uint64_t to, const void *from, size_t size)
{
	const struct iovec local = { (void *)(uintptr_t)from, size };
	const struct iovec remote = { (void *)(uintptr_t)to, size };
	return size == 0 ||
	       syscall(SYS_process_vm_writev, process, &local, 1, &remote, 1, 0) == (long)size;
}
