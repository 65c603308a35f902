/* SPDX-License-Identifier: MIT */
/*
 * Sessions a second, by clients at a time: each makes a session, runs a program that prints a
 * text of its own, reads the output to its end, compares it, reads exit, and removes it.
 */
#include "bench.h"
#include "bench_start.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEVELS = 5, KINDS = 4, TURNS = 2 };

static const unsigned levels[LEVELS] = { 1, 2, 4, 8, 16 };

struct kind {
	const char *name;
	const char *wrapper[16]; /* in front of the program; without a mount */
	struct bench_mount *mount;
};

static void by_fork(const struct kind *kind, const char *text)
{
	struct peer peer = { .name = kind->name };
	char why[PEER_WHY];
	unsigned long peak;
	struct life life;
	unsigned count = 0;

	for (; kind->wrapper[count]; count++)
		peer.argv[count] = kind->wrapper[count];
	peer.argv[count++] = "/usr/bin/printf";
	peer.argv[count] = text;
	if (peer_run(&peer, text, &life, &peak, why) < 0) {
		fprintf(stderr, "%s: %s\n", kind->name, why);
		_exit(1);
	}
}

static _Noreturn void be_a_client(const struct kind *kind, unsigned number, double end, int to)
{
	unsigned done = 0;
	char name[32], config[96];
	struct life life;

	for (; now() < end; done++) {
		snprintf(name, sizeof(name), "c%u-%u", number, done);
		snprintf(config, sizeof(config), "argv [\"/usr/bin/printf\",\"%s\"]\n", name);
		if (kind->mount)
			mount_session(kind->mount, name, config, name, &life);
		else
			by_fork(kind, name);
	}
	_exit(write(to, &done, sizeof(done)) == sizeof(done) ? 0 : 1);
}

static double rate(const struct kind *kind, unsigned clients, double seconds)
{
	double begin = now(), end = begin + seconds;
	unsigned all = 0, done;
	pid_t pids[16];
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		give_up("pipe");
	for (unsigned i = 0; i < clients; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			be_a_client(kind, i, end, ends[1]);
	}
	for (unsigned i = 0; i < clients; i++) {
		must_end(pids[i]);
		if (read(ends[0], &done, sizeof(done)) != sizeof(done))
			give_up("a client's count");
		all += done;
	}
	close(ends[0]);
	close(ends[1]);
	return all / (now() - begin);
}

static void print_level(const struct kind *kinds, unsigned count, const double *rates,
			unsigned clients, FILE *json)
{
	printf("| %u |", clients);
	for (unsigned i = 0; i < count; i++) {
		printf(" %.0f |", rates[i]);
		if (i > 0)
			printf(" %.2f |", rates[i] / rates[0]);
		if (!json)
			continue;
		fprintf(json, clients == 1 && i == 0 ? "\n  " : ",\n  ");
		fprintf(json, "{\"clients\":%u,\"name\":\"%s\",\"rate\":%.1f}", clients,
			kinds[i].name, rates[i]);
	}
	printf("\n");
	(void)fflush(stdout);
}

static void measure_level(const struct kind *kinds, unsigned count, unsigned level,
			  const struct start_options *options)
{
	double rates[KINDS] = { 0 };
	unsigned order[KINDS];

	for (unsigned turn = 0; turn < TURNS; turn++) {
		shuffle(order, count);
		for (unsigned i = 0; i < count; i++) {
			const struct kind *kind = &kinds[order[i]];

			rates[order[i]] += rate(kind, level, options->seconds) / TURNS;
			if (kind->mount)
				mount_settle(kind->mount);
		}
	}
	print_level(kinds, count, rates, level, options->json);
}

void measure_rate(const struct start_options *options)
{
	struct kind kinds[KINDS] = { { .name = "fork, exec, wait" } };
	struct daemons daemons;
	unsigned count = 1;

	daemons_start(&daemons, options, TRUE_CONFIG);
	if (system("bwrap --ro-bind / / /bin/true 2>/dev/null") == 0)
		kinds[count++] = (struct kind){
			.name = "bwrap --unshare-all",
			.wrapper = { "bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev",
				     "/dev", "--proc", "/proc" },
		};
	kinds[count++] = (struct kind){ .name = "mimoboxfs --pool 0", .mount = &daemons.all[0] };
	if (daemons.count > 1)
		kinds[count++] =
			(struct kind){ .name = "mimoboxfs --pool", .mount = &daemons.all[1] };
	printf("\n## Programs a second, by clients at a time\n\n"
	       "Each prints a text of its own, which is read and compared. %d turns of %.1f s "
	       "each.%s\n\n| clients |",
	       TURNS, options->seconds,
	       strcmp(kinds[1].name, "mimoboxfs --pool 0") ? "" : " bwrap is not here.");
	for (unsigned i = 0; i < count; i++)
		printf(" %s |%s", kinds[i].name, i ? " of plain |" : "");
	printf("\n|---|");
	for (unsigned i = 0; i < 2 * count - 1; i++)
		printf("---|");
	printf("\n");
	if (options->json)
		fprintf(options->json, ",\n\"rate\":[");
	for (unsigned i = 0; i < LEVELS; i++)
		measure_level(kinds, count, levels[i], options);
	if (options->json)
		fprintf(options->json, "]");
	daemons_stop(&daemons);
}
