/* SPDX-License-Identifier: MIT */
/*
 * `idle-timeout`: what ends an idle session, that no use of any kind lets it end, and that it ends
 * in time when the server was killed. A use comes each fifth of the time, so a machine that is
 * four times too slow for that still passes: the time is multiplied by the factor of pace.h.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

enum { IDLE_MS = 1000, PIECES = 5, ROUNDS = 10 };

TestSuite(idle, .init = fixture_start, .fini = fixture_stop, .timeout = 120);

static unsigned idle_ms(void)
{
	return IDLE_MS * factor();
}

static void start(const char *name, const char *command)
{
	session_start(name, text("idle-timeout %ums\ncommand %s\n", idle_ms(), command));
}

static bool runs(const char *name)
{
	return !strcmp(get_value(text("%s/status", name), "state"), "running");
}

/* The last line of the log before that of the end. */
static void ended_idle(const char *name)
{
	cr_expect_eq(session_exit(name), -SIGTERM);
	cr_expect_str_eq(get_value(text("%s/status", name), "reason"), "idle");
	cr_expect(has(get(text("%s/log", name), NULL), "idle-timeout: not used for "), "%s",
		  get(text("%s/log", name), NULL));
}

Test(idle, ends_one_that_is_not_used)
{
	uint64_t begin = now_ms();

	start("a", "exec sleep 1000");
	session_start("b", "command exec sleep 1000\n");
	cr_expect(get_value("a/status", "idle") != NULL);
	cr_expect(get_value("b/status", "idle") == NULL);
	ended_idle("a");
	cr_expect_geq(now_ms() - begin, idle_ms());
	cr_expect(runs("b"), "no such time by default");
	cr_expect_str_eq(get_value("a/config", "idle-timeout"), text("%us", idle_ms() / 1000));
}

/* Each in a loop of its own; what is not used meanwhile, or only looked at, ends. */
static const struct {
	const char *name, *command, *use;
} used[] = {
	{ "typed", "stty -echo; cat > /dev/null", "printf x >> $M/typed/input" },
	{ "resized", "exec sleep 1000", "echo 30 90 > $M/resized/size" },
	{ "told", "exec sleep 1000", "echo cont > $M/told/ctl" },
	{ "read", "exec sleep 1000", "timeout 0.01 cat $M/read/output; :" },
	{ "seen", "exec sleep 1000", "cat $M/seen/screen" },
	{ "copied", "echo x; exec sleep 1000", "cat $M/copied/transcript" },
	{ "recorded", "echo x; exec sleep 1000", "cat $M/recorded/cast" },
	{ "prints", "while echo x; do sleep 0.05; done", ":" },
	{ "watched", "exec sleep 1000", "cat $M/watched/status $M/watched/log $M/stats" },
	{ "asked", "exec sleep 1000", "timeout 0.01 cat $M/asked/wait/exit; :" },
};
enum { USED = sizeof(used) / sizeof(*used), KEPT = USED - 2 };

Test(idle, leaves_alone_what_is_used)
{
	for (unsigned i = 0; i < USED; i++)
		start(used[i].name, used[i].command);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < USED; i++)
			(void)run_shell("sh", used[i].use);
		pause_ms(idle_ms() / PIECES);
	}
	for (unsigned i = 0; i < KEPT; i++)
		cr_expect(runs(used[i].name), "%s: %s", used[i].name,
			  get(text("%s/log", used[i].name), NULL));
	for (unsigned i = KEPT; i < USED; i++)
		ended_idle(used[i].name);
	for (unsigned i = 0; i < KEPT; i++)
		if (strcmp(used[i].name, "prints") != 0)
			ended_idle(used[i].name);
}

/* By a session in it, that is typed to or prints; one that does nothing is no use. */
Test(idle, leaves_alone_one_whose_sandbox_is_used)
{
	static const char *const kinds[] = { "typed", "prints", "quiet" };
	static const char *const commands[] = { "stty -echo; cat > /dev/null",
						"while echo x; do sleep 0.05; done",
						"exec sleep 1000" };

	for (unsigned i = 0; i < 3; i++) {
		start(kinds[i], "exec sleep 1000");
		session_start(text("in-%s", kinds[i]),
			      text("in %s\ncommand %s\n", kinds[i], commands[i]));
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		put_all("in-typed/input", "x");
		pause_ms(idle_ms() / PIECES);
	}
	cr_expect(runs("typed"));
	cr_expect(runs("prints"));
	ended_idle("quiet");
	(void)session_exit("in-quiet");
	cr_expect(has(get("in-quiet/log", NULL), "the sandbox of quiet has ended"));
	put_all("in-prints/ctl", "kill\n");
	ended_idle("prints");
	ended_idle("typed");
}

/* So a command that hangs is ended while `mimobox run` waits for it. */
Test(idle, a_read_that_waits_is_no_use)
{
	const char *client = getenv("CLIENT");
	struct run done;

	cr_assert(client != NULL);
	done = run((const char *const[]){ client, "run", "--mount", fixture.mount, "--idle-timeout",
					  text("%ums", idle_ms()), "--", "sleep", "1000", NULL });
	cr_expect_neq(done.status, 0);
	cr_expect(has(done.err, "(--idle-timeout)"), "%s", done.err);
}

static bool is_another(const void *before)
{
	pid_t now = fixture_server();

	return now && now != *(const pid_t *)before;
}

/* The death of a server is no use, and takes none away. */
Test(idle, goes_on_when_the_server_is_killed)
{
	uint64_t begin = now_ms(), last = 0;

	start("a", "exec sleep 1000");
	start("b", "exec sleep 1000");
	for (unsigned round = 0; round < ROUNDS; round++) {
		pid_t server = fixture_server();

		(void)get("b/screen", NULL);
		last = now_ms();
		if (round % PIECES == 0) {
			cr_assert_eq(kill(server, SIGKILL), 0);
			cr_assert(await(is_another, &server, 10000));
		}
		pause_ms(idle_ms() / PIECES);
	}
	ended_idle("a");
	cr_expect_geq(now_ms() - begin, idle_ms());
	ended_idle("b");
	cr_expect_geq(now_ms() - last, idle_ms());
}

Test(idle, is_bounded_and_parsed)
{
	session_make("a");
	put_refused("a/config", "idle-timeout 0\n", ERANGE);
	put_refused("a/config", "idle-timeout soon\n", EINVAL);
	put_all("a/config", "idle-timeout 90s\n");
	cr_expect_str_eq(get_value("a/config", "idle-timeout"), "90s");
	put_all("a/config", "idle-timeout none\n");
	cr_expect_str_eq(get_value("a/config", "idle-timeout"), "none");
}
