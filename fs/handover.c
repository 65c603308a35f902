/* SPDX-License-Identifier: MIT */
#include "handover.h"

#include "kept_layout.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <keep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define VARIABLE "MIMOBOX_HANDOVER"
#define MAGIC "mimobox"

enum { TEXTS = 4 };

struct image {
	/* Of every version. */
	char magic[8];
	uint32_t version;
	int32_t owner; /* the process that goes on */
	int32_t result;
	uint32_t layout;
	/* Of this one. The texts follow, and what is kept. */
	struct handover handover;
	int64_t sizes[TEXTS]; /* -1: NULL */
};

/* What was read when the first program began, or found from where that was. */
static void texts_of(struct options *options, char **texts[TEXTS])
{
	texts[0] = &options->defaults_text;
	texts[1] = &options->ceiling_text;
	texts[2] = &options->spool;
	texts[3] = &options->workspaces;
}

static int put(int file, const void *data, size_t size)
{
	ssize_t done = write(file, data, size);
	return done == (ssize_t)size ? 0 : done < 0 ? -errno : -EIO;
}

static int write_all(const struct handover *handover, const struct options *options,
		     const struct keep *keep)
{
	struct image image = { .magic = MAGIC,
			       .version = KEEP_VERSION,
			       .owner = getpid(),
			       .result = -ECHILD,
			       .layout = kept_layout_digest(),
			       .handover = *handover };
	char **texts[TEXTS];
	texts_of((struct options *)options, texts);
	for (int i = 0; i < TEXTS; i++)
		image.sizes[i] = *texts[i] ? (int64_t)strlen(*texts[i]) : -1;
	int error = put(handover->file, &image, sizeof(image));
	for (int i = 0; error == 0 && i < TEXTS; i++)
		if (*texts[i])
			error = put(handover->file, *texts[i], strlen(*texts[i]));
	return error == 0 && keep ? keep_pass(keep, handover->file) : error;
}

int handover_make(struct handover *handover, const struct options *options, const struct keep *keep)
{
	handover->file = memfd_create("mimobox-handover", MFD_CLOEXEC);
	if (handover->file < 0)
		return -errno;
	int error = write_all(handover, options, keep);
	if (error < 0) {
		close(handover->file);
		handover->file = -1;
	}
	return error;
}

/* For a trial, all but the file stay behind. */
static int outlive(const struct handover *handover, bool on)
{
	const int fds[] = { handover->file, handover->door, handover->caller, handover->before };
	int count = handover->trial ? 1 : (int)(sizeof(fds) / sizeof(*fds)), error = 0;
	for (int i = 0; i < count; i++)
		if (fds[i] >= 0 && fcntl(fds[i], F_SETFD, on ? 0 : FD_CLOEXEC) < 0)
			error = -errno;
	return error;
}

int handover_run(const struct handover *handover, const struct options *options, int program)
{
	char number[16];
	snprintf(number, sizeof(number), "%d", handover->file);
	int error = setenv(VARIABLE, number, 1) < 0 ? -errno : outlive(handover, true);
	if (error == 0) {
		execveat(program, "", options->command_line, environ, AT_EMPTY_PATH);
		error = -errno;
	}
	unsetenv(VARIABLE);
	(void)outlive(handover, false);
	return error;
}

int handover_own(const struct handover *handover)
{
	const int32_t owner = getpid();
	ssize_t done = pwrite(handover->file, &owner, sizeof(owner), offsetof(struct image, owner));
	return done == (ssize_t)sizeof(owner) ? 0 : done < 0 ? -errno : -EIO;
}

void handover_tell(const struct handover *handover, int result)
{
	const int32_t told = result;
	(void)!pwrite(handover->file, &told, sizeof(told), offsetof(struct image, result));
}

int handover_told(const struct handover *handover)
{
	int32_t told;
	return pread(handover->file, &told, sizeof(told), offsetof(struct image, result)) ==
			       sizeof(told)
		       ? told
		       : -EIO;
}

/* In the program */

static bool is_for_us(int file, struct image *image)
{
	return pread(file, image, sizeof(*image), 0) >= (ssize_t)offsetof(struct image, handover) &&
	       memcmp(image->magic, MAGIC, sizeof(MAGIC)) == 0 &&
	       (image->owner == getpid() || image->owner == getppid());
}

enum handover_found handover_find(struct handover *handover)
{
	const char *number = getenv(VARIABLE);
	int file = number ? atoi(number) : -1;
	struct image image = { 0 };
	unsetenv(VARIABLE);
	if (!number)
		return HANDOVER_NONE;
	if (file <= STDERR_FILENO || !is_for_us(file, &image))
		return HANDOVER_UNKNOWN;
	*handover = image.handover;
	handover->file = file;
	if (image.version != KEEP_VERSION || image.layout != kept_layout_digest()) {
		handover_tell(handover, -EPROTONOSUPPORT);
		return HANDOVER_OTHER;
	}
	(void)outlive(handover, false);
	return HANDOVER_FOUND;
}

static int read_text(int file, int64_t size, char **to)
{
	free(*to);
	*to = size >= 0 ? malloc((size_t)size + 1) : NULL;
	if (size < 0)
		return 0;
	if (!*to)
		return -ENOMEM;
	ssize_t got = read(file, *to, (size_t)size);
	(*to)[got > 0 ? got : 0] = '\0';
	return got == size ? 0 : got < 0 ? -errno : -EPROTO;
}

int handover_options(const struct handover *handover, struct options *options)
{
	struct image image;
	char **texts[TEXTS];
	texts_of(options, texts);
	if (lseek(handover->file, 0, SEEK_SET) < 0)
		return -errno;
	int error = read(handover->file, &image, sizeof(image)) == sizeof(image) ? 0 : -EPROTO;
	for (int i = 0; error == 0 && i < TEXTS; i++)
		error = read_text(handover->file, image.sizes[i], texts[i]);
	return error;
}

int handover_keep(const struct handover *handover, struct keep **out)
{
	return keep_take_up(handover->file, out);
}
