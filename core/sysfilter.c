/* SPDX-License-Identifier: MIT */
/*
 * How a filter is made. Two programs come from libseccomp and are joined into one:
 *
 *   guard   its default is to allow; it refuses combinations of arguments (sysfilter_guard.c)
 *   list    its default is ENOSYS; it allows and refuses by number (sysfilter_lists.c)
 *
 * In one program of libseccomp both could not be: it has no "allow, unless" (of two rules for one
 * call the wider swallows the narrower, or the order is its own affair). Loaded one after the other
 * the kernel would run both; joined, every `allow` of the guard becomes a jump to the list. Both
 * begin by killing the process for another architecture, and for x32, whose calls come with the
 * architecture of x86_64 and bit 30 set in the number.
 *
 * Each is a binary tree over the numbers, so a call takes some 15 instructions; and for calls whose
 * arguments nobody looks at, the kernel (since 5.11) notes "always allowed" in a bitmap when the
 * filter is loaded, and runs nothing at all.
 */
#include "sysfilter.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sysfilter_guard.h"
#include "sysfilter_lists.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "the order of clone's arguments and the list of calls have not been checked for this machine"
#endif

#define NAME_SIZE 32

static const char *const profile_names[SYSFILTER_PROFILES] = {
	[SYSFILTER_STRICT] = "strict",
	[SYSFILTER_ESSENTIAL] = "essential",
	[SYSFILTER_NETWORK] = "network",
	[SYSFILTER_COMPAT] = "compat",
};

int sysfilter_profile_parse(const char *text, enum sysfilter_profile *out)
{
	for (int i = 0; i < SYSFILTER_PROFILES; i++) {
		if (strcmp(text, profile_names[i]) == 0) {
			*out = (enum sysfilter_profile)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *sysfilter_profile_name(enum sysfilter_profile profile)
{
	return profile_names[profile];
}

int sysfilter_number(const char *name, int *out)
{
	int number = seccomp_syscall_resolve_name(name);

	for (const struct sysfilter_number *newer = sysfilter_newer; newer->name != NULL; newer++)
		if (number == __NR_SCMP_ERROR && strcmp(newer->name, name) == 0)
			number = newer->number;
	if (number == __NR_SCMP_ERROR)
		return -EINVAL;
	*out = number;
	return 0;
}

static uint32_t action_of(enum sysfilter_verdict verdict, const struct sysfilter_options *options)
{
	const uint32_t refused = SCMP_ACT_ERRNO(EPERM);

	switch (verdict) {
	case SYSFILTER_ALLOW:
		return SCMP_ACT_ALLOW;
	case SYSFILTER_ALLOW_FORK:
		return options->fork ? SCMP_ACT_ALLOW : refused;
	case SYSFILTER_ALLOW_COMPAT:
		return options->profile == SYSFILTER_COMPAT ? SCMP_ACT_ALLOW : refused;
	case SYSFILTER_ALLOW_PTRACE:
		return options->ptrace ? SCMP_ACT_ALLOW : refused;
	case SYSFILTER_REFUSE:
		return refused;
	case SYSFILTER_ABSENT:
		break;
	}
	return SCMP_ACT_ERRNO(ENOSYS);
}

/* One rule for each call of a group. What is absent is the default, and needs none. */
static int list_group(scmp_filter_ctx context, const struct sysfilter_group *group, uint32_t action)
{
	const char *next = group->calls;
	int r = 0;

	while (r == 0 && *next != '\0') {
		size_t length = strcspn(next, " ");
		char name[NAME_SIZE];
		int number;

		if (length >= sizeof(name))
			return -EINVAL;
		memcpy(name, next, length);
		name[length] = '\0';
		r = sysfilter_number(name, &number);
		if (r == 0 && number >= 0 && action != SCMP_ACT_ERRNO(ENOSYS))
			r = seccomp_rule_add_exact(context, action, number, 0);
		next += length;
		next += *next == ' ';
	}
	return r;
}

static int list_all(scmp_filter_ctx context, const struct sysfilter_options *options)
{
	int r = 0;

	for (const struct sysfilter_group *group = sysfilter_groups; r == 0 && group->calls;
	     group++)
		r = list_group(context, group, action_of(group->verdict, options));
	return r;
}

/* Takes the program over that was written to `fd`. */
static int read_program(int fd, struct sysfilter *out)
{
	struct stat status;
	size_t size;

	if (fstat(fd, &status) < 0)
		return -errno;
	size = (size_t)status.st_size;
	if (size == 0)
		return -EIO;
	if (size > BPF_MAXINSNS * sizeof(*out->code))
		return -E2BIG;
	out->code = malloc(size);
	if (out->code == NULL)
		return -ENOMEM;
	out->length = (unsigned short)(size / sizeof(*out->code));
	return pread(fd, out->code, size, 0) == (ssize_t)size ? 0 : -EIO;
}

/* libseccomp gives a program to a descriptor only. */
static int export_program(scmp_filter_ctx context, struct sysfilter *out)
{
	int fd = memfd_create("sysfilter", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(context, fd);
	if (r == 0)
		r = read_program(fd, out);
	close(fd);
	return r;
}

int sysfilter_begin(uint32_t default_action, void **out)
{
	scmp_filter_ctx context = seccomp_init(default_action);
	int r;

	if (context == NULL)
		return -ENOMEM;
	/* The library asks the kernel whether it has the action. */
	r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == -EINVAL)
		r = -ENOSYS;
	if (r == 0)
		r = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r < 0)
		seccomp_release(context);
	else
		*out = context;
	return r;
}

static int build_guard(const struct sysfilter_options *options, struct sysfilter *out)
{
	scmp_filter_ctx context = NULL;
	int r = sysfilter_begin(SCMP_ACT_ALLOW, &context);

	if (r == 0)
		r = sysfilter_guard(context, options);
	if (r == 0)
		r = export_program(context, out);
	seccomp_release(context);
	return r;
}

static int build_list(const struct sysfilter_options *options, struct sysfilter *out)
{
	scmp_filter_ctx context = NULL;
	int r = sysfilter_begin(SCMP_ACT_ERRNO(ENOSYS), &context);

	if (r == 0)
		r = list_all(context, options);
	if (r == 0)
		r = export_program(context, out);
	seccomp_release(context);
	return r;
}

static int join(const struct sysfilter *guard, const struct sysfilter *list, struct sysfilter *out)
{
	size_t length = (size_t)guard->length + list->length;

	if (length > BPF_MAXINSNS)
		return -E2BIG;
	assert(guard->code != NULL && list->code != NULL);
	out->code = calloc(length, sizeof(*out->code));
	if (out->code == NULL)
		return -ENOMEM;
	out->length = (unsigned short)length;
	memcpy(out->code, guard->code, guard->length * sizeof(*out->code));
	memcpy(out->code + guard->length, list->code, list->length * sizeof(*out->code));
	for (unsigned i = 0; i < guard->length; i++) {
		struct sock_filter *at = &out->code[i];

		/* A jump counts from the instruction after it. */
		if (at->code == (BPF_RET | BPF_K) && at->k == SECCOMP_RET_ALLOW)
			*at = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, guard->length - i - 1);
	}
	return 0;
}

int sysfilter_build(const struct sysfilter_options *options, struct sysfilter *out, char *why,
		    size_t why_size)
{
	struct sysfilter guard = { 0 };
	struct sysfilter list = { 0 };
	const char *what = "arguments";
	int r;

	*out = (struct sysfilter){ 0 };
	r = build_guard(options, &guard);
	if (r == 0) {
		what = "calls";
		r = build_list(options, &list);
	}
	if (r == 0)
		r = join(&guard, &list, out);
	if (r < 0)
		snprintf(why, why_size, "system call filter '%s', list of %s: %s",
			 sysfilter_profile_name(options->profile), what, strerror(-r));
	sysfilter_finish(&guard);
	sysfilter_finish(&list);
	return r;
}

void sysfilter_finish(struct sysfilter *filter)
{
	free(filter->code);
	*filter = (struct sysfilter){ 0 };
}

int sysfilters_get(struct sysfilters *filters, const struct sysfilter_options *options,
		   const struct sysfilter **out, char *why, size_t why_size)
{
	struct sysfilter *filter = &filters->by[options->profile][options->fork][options->tcp_only]
					       [options->own_network][options->ptrace];

	*out = filter;
	return filter->code ? 0 : sysfilter_build(options, filter, why, why_size);
}

void sysfilters_finish(struct sysfilters *filters)
{
	for (int profile = 0; profile < SYSFILTER_PROFILES; profile++)
		for (int i = 0; i < 16; i++)
			sysfilter_finish(&filters->by[profile][i / 8][i / 4 % 2][i / 2 % 2][i % 2]);
}

int sysfilter_load(const struct sysfilter *filter)
{
	const struct sock_fprog program = { .len = filter->length, .filter = filter->code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

int sysfilter_dump(const struct sysfilter *filter, int fd)
{
	const char *at = (const char *)filter->code;
	size_t left = filter->length * sizeof(*filter->code);

	while (left > 0) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		left -= (size_t)n;
	}
	return 0;
}
