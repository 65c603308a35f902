/* SPDX-License-Identifier: MIT */
/*
 * From one program to the next, in the keeper's process: the memory is a file, and its descriptors
 * have the numbers there that they have here. Addresses are others, but nothing that is kept has
 * any.
 */
#include "keep_arena.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int put(int file, const void *data, size_t size)
{
	ssize_t done = write(file, data, size);
	return done == (ssize_t)size ? 0 : done < 0 ? -errno : -EIO;
}

static int get(int file, void *data, size_t size)
{
	ssize_t done = read(file, data, size);
	return done == (ssize_t)size ? 0 : done < 0 ? -errno : -EPROTO;
}

int keep_pass(const struct keep *keep, int file)
{
	struct keep_passed passed = { .version = KEEP_VERSION,
				      .memory = keep->memory,
				      .size = keep->size,
				      .count = keep->stored_count };
	int error = put(file, &passed, sizeof(passed));
	for (size_t i = 0; error == 0 && i < keep->stored_count; i++) {
		const struct keep_stored *is = &keep->stored[i];
		error = put(file,
			    &(struct keep_passed_descriptor){
				    .id = is->id, .part = is->part, .fd = is->fd },
			    sizeof(struct keep_passed_descriptor));
	}
	return error;
}

static int outlive(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC) < 0 ? -errno : 0;
}

/* All of them, also where it fails for one. */
int keep_pass_on(const struct keep *keep, bool on)
{
	int error = outlive(keep->memory, on);
	for (size_t i = 0; i < keep->stored_count; i++) {
		int now = outlive(keep->stored[i].fd, on);
		error = error < 0 ? error : now;
	}
	return error;
}

static int take_all(struct keep *keep, int file, uint64_t count)
{
	int error = 0;
	for (uint64_t i = 0; error == 0 && i < count; i++) {
		struct keep_passed_descriptor passed;
		error = get(file, &passed, sizeof(passed));
		if (error == 0)
			keep_insert(keep, passed.id, passed.part, passed.fd);
	}
	return error;
}

static int take_up(struct keep *keep, int file)
{
	struct keep_passed passed;
	int error = get(file, &passed, sizeof(passed));
	if (error < 0)
		return error;
	if (passed.version != KEEP_VERSION)
		return -EPROTONOSUPPORT;
	keep->memory = passed.memory;
	error = keep_map(keep, passed.size);
	if (error == 0)
		error = take_all(keep, file, passed.count);
	return error == 0 ? keep_pass_on(keep, false) : error;
}

int keep_take_up(int file, struct keep **out)
{
	struct keep *keep = keep_new();
	int error = keep ? take_up(keep, file) : -ENOMEM;
	if (error < 0)
		keep_destroy(keep);
	else
		*out = keep;
	return error;
}
