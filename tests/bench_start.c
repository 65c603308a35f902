/* SPDX-License-Identifier: MIT */
/*
 * How long it takes to start a program and see it end, here and by others: Markdown tables on
 * standard output.
 *
 *     bench-start [--rounds N] [--seconds S] [--crowd N] [--pool N] [--no-pool-wait]
 *                 [--json FILE] [life] [byte] [rate] [crowd]
 *
 * All contenders of a table are run in turn, one of each a round, in an order that changes, so
 * that what else goes on in the machine falls on all of them alike. The first is plain fork,
 * exec and wait; of the two daemons one has no pool (unless --pool 0: then there is but that). A
 * peer that is not installed, or fails, is named with the reason. No time fails: lost bytes and a
 * wrong exit do. Run by root, in a release build. The program under test is $MIMOBOXFS.
 */
#include "bench_start.h"

#include "bench.h"
#include "mimobox.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool ended;

/* Contenders */

static int run_peer(struct contender *contender, struct life *life, char *why)
{
	unsigned long peak = 0;
	int result = peer_run(contender->peer, contender->printed, life, &peak, why);

	if (peak > contender->peak_kib)
		contender->peak_kib = peak;
	return result;
}

static int run_session(struct contender *contender, struct life *life, char *why)
{
	(void)why;
	mount_settle(contender->mount);
	mount_session(contender->mount, "life", contender->config, contender->printed, life);
	/* The next one's time is not to have the pool's work in it. */
	mount_settle(contender->mount);
	contender->peak_kib = daemon_kib(contender->mount->pid);
	return 0;
}

static void on_event(struct mimobox_session *session, unsigned events, void *data)
{
	(void)session, (void)data;
	ended = ended || (events & MIMOBOX_ENDED);
}

static struct mimobox *the_box(void)
{
	static struct mimobox *box;
	static const struct mimobox_options options = { .notify = on_event,
							.defaults = TRUE_CONFIG };
	char why[160] = "";

	if (!box && mimobox_create(&options, &box, why, sizeof(why)) < 0)
		give_up(why);
	return box;
}

static int run_library(struct contender *contender, struct life *life, char *why)
{
	struct mimobox *box = the_box();
	struct mimobox_session *session;
	int status = -1;

	(void)contender, (void)why;
	ended = false;
	life->begin = now();
	if (mimobox_session_create(box, "life", 0, 0, &session) < 0)
		give_up("create");
	life->start = now();
	if (mimobox_session_start(session) != -EINPROGRESS)
		give_up("start");
	while (!ended)
		if (mimobox_dispatch(box, 5000) < 0)
			give_up("dispatch");
	life->exit = now();
	if (mimobox_session_exit(session, &status) < 0 || status != 0)
		give_up("exit is not 0");
	mimobox_session_remove(session);
	mimobox_session_unref(session);
	life->gone = now();
	while (mimobox_dispatch(box, 0) == 0 && mimobox_session_count(box))
		;
	return 0;
}

static void add_peers(struct contest *contest, const struct peer *peer, const char *printed)
{
	for (; peer->name; peer++)
		contest_add(contest, (struct contender){ .name = peer->name,
							 .run = run_peer,
							 .peer = peer,
							 .printed = printed });
}

static void add_session(struct contest *contest, struct bench_mount *mount, const char *name,
			const char *config, const char *printed)
{
	contest_add(contest, (struct contender){ .name = name,
						 .run = run_session,
						 .mount = mount,
						 .config = config,
						 .printed = printed });
}

/* Daemons */

void daemons_start(struct daemons *daemons, const struct start_options *options, const char *config)
{
	*daemons = (struct daemons){ .count = options->pool ? 2 : 1 };
	daemons->all[0] = (struct bench_mount){ .name = "cold" };
	daemons->all[1] = (struct bench_mount){ .name = "warm",
						.pool = options->pool,
						.waits = options->pool_waits };
	for (unsigned i = 0; i < daemons->count; i++)
		mount_start(&daemons->all[i], config);
}

void daemons_stop(struct daemons *daemons)
{
	const struct bench_mount *warm = &daemons->all[1];

	if (daemons->count > 1)
		printf("\nPool of %u: %llu starts, %llu hits, %llu misses.\n", warm->pool,
		       (unsigned long long)mount_stat(warm, "starts"),
		       (unsigned long long)mount_stat(warm, "pool-hits"),
		       (unsigned long long)mount_stat(warm, "pool-misses"));
	for (unsigned i = 0; i < daemons->count; i++)
		mount_stop(&daemons->all[i]);
}

/* Parts */

static void measure_life(const struct start_options *options)
{
	static const enum span spans[] = { SPAN_LIFE, SPAN_START, SPAN_GONE };
	struct contest contest = { 0 };
	struct daemons daemons;

	daemons_start(&daemons, options, TRUE_CONFIG);
	add_peers(&contest, peers_of_true, NULL);
	contest_add(&contest, (struct contender){ .name = "mimobox, library", .run = run_library });
	add_session(&contest, &daemons.all[0], "mimoboxfs --pool 0", NULL, NULL);
	add_session(&contest, &daemons.all[0], "mimoboxfs --pool 0, config written", TRUE_CONFIG,
		    NULL);
	if (options->pool) {
		add_session(&contest, &daemons.all[1], "mimoboxfs --pool", NULL, NULL);
		add_session(&contest, &daemons.all[1], "mimoboxfs --pool, config written",
			    TRUE_CONFIG, NULL);
	}
	contest_run(&contest, options->rounds);
	printf("\n## Life of /bin/true, %u of each in turn\n\n"
	       "From the fork, or the mkdir, until its end is known; rmdir follows and is apart. "
	       "Memory: a peer's largest\nprocess (with posix_spawn it is ours), or the "
	       "daemon's.\n\n",
	       options->rounds);
	contest_print(&contest, spans, 3);
	if (options->json)
		contest_json(&contest, "life", options->json);
	daemons_stop(&daemons);
	contest_finish(&contest);
	mimobox_destroy(the_box());
}

static void measure_byte(const struct start_options *options)
{
	static const enum span span = SPAN_BYTE;
	struct contest contest = { 0 };
	struct daemons daemons;

	daemons_start(&daemons, options, PRINT_CONFIG);
	add_peers(&contest, peers_of_output, "!");
	add_session(&contest, &daemons.all[0], "mimoboxfs --pool 0", NULL, "!");
	if (options->pool)
		add_session(&contest, &daemons.all[1], "mimoboxfs --pool", NULL, "!");
	contest_run(&contest, options->rounds);
	printf("\n## Start to the first byte of output, %u of each in turn\n\n"
	       "From the fork, or the write of `start`, until `!` was read.\n\n",
	       options->rounds);
	contest_print(&contest, &span, 1);
	if (options->json)
		contest_json(&contest, "byte", options->json);
	daemons_stop(&daemons);
	contest_finish(&contest);
}

static void take_options(struct start_options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ "crowd", required_argument, NULL, 'c' },
		{ "pool", required_argument, NULL, 'p' },
		{ "no-pool-wait", no_argument, NULL, 'n' },
		{ "json", required_argument, NULL, 'j' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1)
		if (option == 'r')
			options->rounds = (unsigned)atoi(optarg);
		else if (option == 's')
			options->seconds = atof(optarg);
		else if (option == 'c')
			options->crowd = (unsigned)atoi(optarg);
		else if (option == 'p')
			options->pool = (unsigned)atoi(optarg);
		else if (option == 'n')
			options->pool_waits = false;
		else if (option == 'j' && (options->json = fopen(optarg, "we")))
			continue;
		else
			exit(2);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int i = optind; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return optind == argc;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*measure)(const struct start_options *options);
	} parts[] = { { "life", measure_life },
		      { "byte", measure_byte },
		      { "rate", measure_rate },
		      { "crowd", measure_crowd } };
	struct start_options options = { .rounds = setting("MIMOBOX_ROUNDS", 200),
					 .crowd = setting("MIMOBOX_CROWD", 4000),
					 .seconds = setting("MIMOBOX_SECONDS", 1),
					 .pool = setting("MIMOBOX_POOL", 8),
					 .pool_waits = true };

	take_options(&options, argc, argv);
	errno = EINVAL;
	if (options.rounds < 1)
		give_up("--rounds");
	unsetenv("TMUX");
	srand((unsigned)time(NULL));
	bench_prepare();
	peers_prepare();
	if (options.json)
		fprintf(options.json, "{\"rounds\":%u,\"pool\":%u", options.rounds, options.pool);
	for (unsigned i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (is_wanted(parts[i].name, argc, argv))
			parts[i].measure(&options);
	if (options.json)
		fprintf(options.json, "}\n");
	errno = EIO;
	if (options.json && fclose(options.json) != 0)
		give_up("--json");
	return 0;
}
