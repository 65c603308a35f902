/* SPDX-License-Identifier: MIT */
/*
 * What confine.c leaves to each of the daemon's processes, from a process that had all: the sets of
 * capabilities which nobody starts the daemon with, and the calls that others of them need.
 */
#include "confine.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "child.h"
#include "gate.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

TestSuite(confine, .timeout = 60);

static const cap_value_t some[] = { CAP_CHOWN, CAP_SYS_ADMIN, CAP_DAC_OVERRIDE, CAP_NET_RAW };

/* Some in every set that there is; each process keeps one of them, at the most three. */
static void have_all(void)
{
	cap_t caps = cap_get_proc();

	CHECK(caps != NULL);
	CHECK(cap_set_flag(caps, CAP_INHERITABLE, COUNT(some), some, CAP_SET) == 0);
	CHECK(cap_set_proc(caps) == 0);
	cap_free(caps);
	for (size_t i = 0; i < COUNT(some); i++)
		CHECK(cap_set_ambient(some[i], CAP_SET) == 0);
}

static void give_up(const void *data)
{
	cap_flag_value_t value;
	cap_t caps;

	have_all();
	CHECK(confine_rights(*(const enum confine_process *)data) == 0);
	caps = cap_get_proc();
	CHECK(caps != NULL);
	for (cap_value_t at = 0; at < cap_max_bits(); at++) {
		CHECK(cap_get_flag(caps, at, CAP_INHERITABLE, &value) == 0 && value == CAP_CLEAR);
		CHECK(cap_get_ambient(at) == 0);
	}
	CHECK(cap_get_flag(caps, CAP_NET_RAW, CAP_PERMITTED, &value) == 0 && value == CAP_CLEAR);
	CHECK(cap_get_bound(CAP_NET_RAW) == 0);
	cap_free(caps);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

Test(confine, nothing_is_inherited)
{
	static const enum confine_process all[] = { CONFINE_SERVER,  CONFINE_FORKER,
						    CONFINE_SPAWNER, CONFINE_SWEEPER,
						    CONFINE_REMOVER, CONFINE_UNMOUNTER,
						    CONFINE_TICKER };

	for (size_t i = 0; i < COUNT(all); i++)
		child_passes(give_up, &all[i]);
}

/* Then there is a call for the end, kill(2), that the others do not have otherwise. */
static bool sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return true;
#elif defined(__has_feature)
	return __has_feature(address_sanitizer);
#else
	return false;
#endif
}

/* Nobody else's calls. Where the arguments are wrong it is seen which comes first. */
static void call_others(const void *data)
{
	enum confine_process process = *(const enum confine_process *)data;

	CHECK(confine_calls(process) == 0);
	if (!sanitized())
		CHECK_ERROR(syscall(SYS_kill, getpid(), 0), EPERM);
	CHECK_ERROR(syscall(SYS_memfd_create, NULL, 0), EPERM);
	CHECK_ERROR(syscall(SYS_fchownat, -1, NULL, 0, 0, 0), EPERM);
	CHECK_ERROR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, NULL), EPERM);
	CHECK_ERROR(syscall(SYS_ioctl, -1, TIOCGWINSZ, NULL), EPERM);
	CHECK_ERROR(syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION),
		    EPERM);
	if (process != CONFINE_UNMOUNTER)
		CHECK_ERROR(syscall(SYS_umount2, NULL, 0), EPERM);
}

/* The control; and of a call that it may make only what it makes of it. */
static void call_as_server(const void *data)
{
	(void)data;
	CHECK(confine_calls(CONFINE_SERVER) == 0);
	CHECK(syscall(SYS_kill, getpid(), 0) == 0);
	CHECK_ERROR(syscall(SYS_memfd_create, NULL, 0), EFAULT);
	CHECK_ERROR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, NULL), EFAULT);
	CHECK_ERROR(syscall(SYS_ioctl, -1, TIOCGWINSZ, NULL), EBADF);
	CHECK(syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0);
	CHECK_ERROR(syscall(SYS_landlock_create_ruleset, NULL, 0, 0), EPERM);
	CHECK_ERROR(syscall(SYS_socketpair, AF_INET, SOCK_STREAM, 0, NULL), EPERM);
	CHECK_ERROR(syscall(SYS_ioctl, -1, TIOCSTI, NULL), EPERM);
	CHECK_ERROR(syscall(SYS_umount2, NULL, 0), EPERM);
}

Test(confine, each_has_its_own_calls)
{
	static const enum confine_process others[] = { CONFINE_SWEEPER, CONFINE_UNMOUNTER,
						       CONFINE_TICKER };

	child_passes(call_as_server, NULL);
	for (size_t i = 0; i < COUNT(others); i++)
		child_passes(call_others, &others[i]);
}

#if defined(__x86_64__)
/* x32: a call of another architecture ends the process. */
static void call_x32(const void *data)
{
	CHECK(confine_calls(*(const enum confine_process *)data) == 0);
	syscall(0x40000000 | SYS_getpid);
}

static void call_i386(const void *data)
{
	gate_prepare();
	CHECK(confine_calls(*(const enum confine_process *)data) == 0);
	gate_call(GATE);
}

static void call_without_gate(const void *data)
{
	gate_prepare();
	CHECK(confine_calls(*(const enum confine_process *)data) == 0);
	gate_call(NO_GATE);
}

Test(confine, other_architectures_are_killed)
{
	static const enum confine_process all[] = { CONFINE_SERVER, CONFINE_SWEEPER,
						    CONFINE_UNMOUNTER };
	const struct {
		void (*call)(const void *data);
		int signal;
	} ways[] = { { call_x32, SIGSYS },
		     { call_i386, gate_signal(GATE) },
		     { call_without_gate, SIGSEGV } };

	for (size_t i = 0; i < COUNT(all); i++)
		for (size_t j = 0; j < COUNT(ways); j++) {
			int status = child_status(ways[j].call, &all[i]);

			cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == ways[j].signal,
				  "way %zu: 0x%x", j, (unsigned)status);
			cr_expect_eq(child_failure->line, 0);
		}
}
#endif
