/* SPDX-License-Identifier: MIT */
/*
 * A call that takes long holds up the process that makes it, and the session that it is for. The
 * calls of the helpers and of one session's init are delayed in turn, while another session is
 * used. The server itself makes no call that waits: each kind that it makes is listed with the
 * reason.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"
#include "pace.h"
#include "sweep.h"

enum { DELAY_MS = 800, TRIES = 3, SHARE = 12 };

static struct fault_plan *plan;

static void slow_prepare(void)
{
	outside_prepare();
	plan = sweep_plan(0);
	setenv("FAULT_PLAN", text("%s/plan-0", fixture.dir), 1);
	setenv("ASAN_OPTIONS",
	       text("%s:verify_asan_link_order=0:detect_leaks=0", getenv("ASAN_OPTIONS")), 1);
	setenv("LD_PRELOAD", getenv("FAULT"), 1);
	setenv("POOL", "0", 1);
	fixture_daemon(NULL);
	unsetenv("LD_PRELOAD");
}

static void slow_stop(void)
{
	if (plan)
		plan->target = 0;
	outside_stop();
}

TestSuite(slow, .init = slow_prepare, .fini = slow_stop, .timeout = 600);

/* All that a session is there for. */
static const char life[] =
	"mkdir $M/a && echo 'command read x; echo got $x; read x' > $M/a/config && "
	"echo start > $M/a/ctl && echo this > $M/a/input && cat \"$M/a/wait/match@0:got this\" && "
	"echo 30 90 > $M/a/size && cat $M/a/status $M/a/screen $M/stats && echo kill > $M/a/ctl && "
	"cat $M/a/exit && rmdir $M/a";

static unsigned record_life(void)
{
	unsigned count = 0;

	sh(life);
	memset(plan->sites, 0, sizeof(plan->sites));
	plan->record = true;
	sh(life);
	plan->record = false;
	cr_assert(!plan->full);
	for (unsigned i = 0; i < FAULT_SITES_MAX; i++)
		count += plan->sites[i].key != 0;
	return count;
}

static void use_other(struct stream *other, unsigned *number, uint64_t *slowest)
{
	uint64_t begun = now_ms();

	put_all("b/input", text("<%u>", ++*number));
	stream_until(other, text("<%u>", *number));
	get("b/status", NULL);
	*slowest = now_ms() - begun > *slowest ? now_ms() - begun : *slowest;
}

/* How long the other session took for one exchange, at most, while that call was delayed. */
static uint64_t slowest_beside(const struct fault_site *site, struct stream *other,
			       unsigned *number)
{
	uint64_t slowest = 0;
	int status;

	memcpy(plan->call, site->call, sizeof(plan->call));
	plan->hits = 0;
	plan->round++;
	plan->target = site->key;
	pid_t one = spawn((const char *const[]){ "sh", "-c", life, NULL });
	while (!ended(one, 0, &status))
		use_other(other, number, &slowest);
	plan->target = 0;
	cr_expect_eq(status, 0, "%s: status %d", site->call, status);
	return slowest;
}

/* The machine may be slow for a moment; a server that waits is so each time. */
static void expect_free(const struct fault_site *site, struct stream *other, unsigned *number)
{
	uint64_t slowest = UINT64_MAX;

	for (unsigned tries = 0; tries < TRIES && slowest >= plan->delay_ms / 2; tries++)
		slowest = slowest_beside(site, other, number);
	cr_expect_lt(slowest, plan->delay_ms / 2, "%s (role %u): %llu ms", site->call, site->role,
		     (unsigned long long)slowest);
}

Test(slow, others_go_on)
{
	static struct fault_site sites[FAULT_SITES_MAX];
	unsigned count = 0, number = 0, hit = 0;
	struct stream other;

	session_start("b", "command stty raw -echo; echo ready; exec cat\n");
	stream_open(&other, "b/output");
	stream_until(&other, "ready");
	record_life();
	for (unsigned i = 0; i < FAULT_SITES_MAX; i++)
		if (plan->sites[i].key && plan->sites[i].role != FAULT_SERVER &&
		    plan->sites[i].role != FAULT_DAEMON)
			sites[count++] = plan->sites[i];
	cr_assert_geq(count, 100);
	plan->delay_ms = scaled(DELAY_MS);
	for (unsigned i = 0; i < count; i += getenv("SLOW") ? 1 : SHARE) {
		expect_free(&sites[i], &other, &number);
		hit += plan->hits > 0;
	}
	cr_expect_gt(hit, 0);
	stream_close(&other);
}

/*
 * Each call of the server's in the life of a session. A disk is one that the machine cannot do
 * without; that of a user is never asked.
 */
static const struct {
	const char *call, *function, *reason;
} known[] = {
	{ "epoll_wait", "loop_dispatch", "here it waits for all" },
	{ "read", "loop_dispatch", "of a timer, not blocking" },
	{ "read", "on_fuse", "of /dev/fuse, not blocking" },
	{ "writev", NULL, "an answer: the kernel copies it" },
	{ "epoll_ctl", "loop_add", "a lock of its own alone" },
	{ "epoll_ctl", "loop_remove", "the same" },
	{ "epoll_ctl", "loop_modify", "the same" },
	{ "socketpair", "make_sockets", "memory" },
	{ "setsockopt", "make_sockets", "the same" },
	{ "memfd_create", "plan_pack", "the same" },
	{ "write", "plan_pack", "the same" },
	{ "madvise", "monitor_map", "the same" },
	{ "sendmsg", "helper_ask", "MSG_DONTWAIT" },
	{ "sendmsg", "sandbox_give", "the same" },
	{ "sendmsg", "keep_store", "to the keeper, which waits for nothing but messages" },
	{ "sendmsg", "keep_releases_commit", "the same" },
	{ "recvmsg", "message_receive", "MSG_DONTWAIT" },
	{ "recv", "sandbox_received", "MSG_DONTWAIT" },
	{ "send", "sandbox_control", "MSG_DONTWAIT" },
	{ "write", "monitor_call", "an eventfd, not blocking" },
	{ "poll", "count_mounts", "a timeout of 0" },
	{ "openat64", "cgroup_read", "a file of the kernel's" },
	{ "read", "cgroup_read", "the same" },
	{ "openat64", "cgroup_favour", "the same" },
	{ "write", "cgroup_favour", "the same" },
	{ "open64", "machine_core_socket", "the same" },
	{ "read", "machine_core_socket", "the same" },
	{ "fopen64", "mimobox_session_print_status", "of /proc, without the lock of its memory" },
	{ "readlink", "mimobox_session_print_status", "the same" },
	{ "lstat64", "workspace_renew", "the disk of the workspaces" },
	{ "lstat64", "renew_home", "the same" },
	{ "mkdir", "make_both", "the same" },
	{ "chown", "make_both", "the same" },
	{ "rmdir", "workspace_remove", "the same" },
	{ "open64", "spool_flush", "the disk of the spool" },
	{ "pwrite64", "spool_flush", "the same" },
};

/* Memory, and what the library itself has made up. */
static bool is_no_call(const char *call)
{
	return strstr(call, "alloc") || strcmp(call, "recvmsg_cut") == 0;
}

static bool is_known(const struct fault_site *site, const char *functions)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].call, site->call) == 0 &&
		    (!known[i].function || has(functions, text("\n%s\n", known[i].function))))
			return true;
	return false;
}

Test(slow, no_call_of_the_servers_waits)
{
	unsigned count = 0;

	record_life();
	for (unsigned i = 0; i < FAULT_SITES_MAX; i++) {
		const struct fault_site *site = &plan->sites[i];

		if (!site->key || site->role != FAULT_SERVER || is_no_call(site->call))
			continue;
		const char *functions = functions_of(site);
		cr_expect(is_known(site, functions), "%s: why does it not wait?%s", site->call,
			  functions);
		count++;
	}
	cr_expect_gt(count, 30);
}
