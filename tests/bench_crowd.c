/* SPDX-License-Identifier: MIT */
/*
 * What a start takes among many sessions that live and do nothing, and what those take. At each
 * size the contenders are run in turn, as in the other parts.
 */
#include "bench.h"
#include "bench_start.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE "argv [\"/bin/sleep\",\"infinity\"]\n"

/* SPARE: terminals, and sessions, for what is measured among the idle ones. */
enum { PIDS = 1 << 22, SPARE = 32 };

struct footprint {
	unsigned long resident_kib, inside_kib; /* the daemon's; Pss of all processes below it */
	unsigned descriptors, processes;
};

static unsigned entries(const char *name)
{
	unsigned count = 0;
	DIR *directory = opendir(name);

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count > 2 ? count - 2 : 0;
}

static unsigned long number_in(pid_t pid, const char *file, const char *format)
{
	char line[256];
	unsigned long value = 0;
	FILE *from;

	snprintf(line, sizeof(line), "/proc/%d/%s", pid, file);
	from = fopen(line, "re");
	while (from && fgets(line, sizeof(line), from) && sscanf(line, format, &value) != 1)
		;
	if (from)
		fclose(from);
	return value;
}

/* Parents may come after their children in a listing: who is below is found by going up. */
static bool is_below(const pid_t *parents, pid_t pid, pid_t top)
{
	for (int depth = 0; pid > 0 && pid < PIDS && depth < 8; depth++, pid = parents[pid])
		if (parents[pid] == top)
			return true;
	return false;
}

static void measure_below(pid_t top, struct footprint *to)
{
	pid_t *parents = calloc(PIDS, sizeof(*parents)), server = server_of(top);
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!parents || !proc)
		give_up("/proc");
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid > 0 && pid < PIDS)
			parents[pid] = (pid_t)number_in(pid, "status", "PPid: %lu");
	}
	closedir(proc);
	for (pid_t pid = 1; pid < PIDS; pid++)
		if (pid != server && is_below(parents, pid, top)) {
			to->processes++;
			to->inside_kib += number_in(pid, "smaps_rollup", "Pss: %lu");
		}
	free(parents);
}

static struct footprint footprint_of(pid_t pid)
{
	struct footprint print = { .resident_kib = daemon_kib(pid) };
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/fd", pid);
	print.descriptors = entries(name);
	if (server_of(pid)) {
		snprintf(name, sizeof(name), "/proc/%d/fd", server_of(pid));
		print.descriptors += entries(name);
	}
	measure_below(pid, &print);
	return print;
}

static int run_probe(struct contender *contender, struct life *life, char *why)
{
	(void)why;
	if (contender->peer) {
		unsigned long peak;

		return peer_run(contender->peer, NULL, life, &peak, contender->missing);
	}
	mount_settle(contender->mount);
	mount_session(contender->mount, "probe", NULL, NULL, life);
	mount_settle(contender->mount);
	return 0;
}

static unsigned pty_setting(const char *name)
{
	char file[64];
	unsigned value = 0;
	FILE *from;

	snprintf(file, sizeof(file), "/proc/sys/kernel/pty/%s", name);
	from = fopen(file, "re");
	if (!from || fscanf(from, "%u", &value) != 1)
		give_up(file);
	fclose(from);
	return value;
}

/* How many terminals there are left for devpts instances that are not the machine's own. */
static unsigned terminals_left(void)
{
	unsigned most = pty_setting("max"), taken = pty_setting("reserve") + pty_setting("nr");

	return most > taken + SPARE ? most - taken - SPARE : 0;
}

static void drop(struct daemons *daemons, unsigned *have, unsigned count)
{
	for (; count > 0 && *have > 0; count--, (*have)--)
		for (unsigned i = 0; i < daemons->count; i++)
			rmdir(path("%s/idle%u", daemons->all[i].name, *have - 1));
}

/*
 * As many as there should be, or as many as this machine has room for: then false. Those for
 * which it has no terminal are on pipes.
 */
static bool grow(struct daemons *daemons, unsigned *have, unsigned wanted)
{
	unsigned terminals = *have + terminals_left() / daemons->count;
	char name[32], why[256];

	if (terminals < wanted)
		printf("| | from %u on without a terminal: kernel.pty.max |\n", terminals + 1);
	for (; *have < wanted; (*have)++)
		for (unsigned i = 0; i < daemons->count; i++) {
			const char *config = *have < terminals ? IDLE : IDLE "terminal no\n";
			int error;

			snprintf(name, sizeof(name), "idle%u", *have);
			error = mount_keep(&daemons->all[i], name, config, why, sizeof(why));
			if (error == 0)
				continue;
			printf("| | no more than %u: %s (%s) |\n", *have, strerror(-error), why);
			(*have)++;
			drop(daemons, have, SPARE);
			return false;
		}
	return true;
}

static void row_json(FILE *json, struct contender *contender, unsigned have,
		     const struct footprint *print)
{
	static bool more;

	fprintf(json, "%s\n  {\"sessions\":%u,\"name\":\"%s\"", more ? "," : "", have,
		contender->name);
	more = true;
	fprintf(json, ",\"p50\":%.1f,\"p99\":%.1f", contender_part(contender, SPAN_LIFE, 0.5),
		contender_part(contender, SPAN_LIFE, 0.99));
	if (contender->mount)
		fprintf(json,
			",\"start_p50\":%.1f,\"start_p99\":%.1f,\"rss_kib\":%lu,\"pss_kib\":%lu,"
			"\"fds\":%u,\"processes\":%u",
			contender_part(contender, SPAN_START, 0.5),
			contender_part(contender, SPAN_START, 0.99), print->resident_kib,
			print->inside_kib, print->descriptors, print->processes);
	fprintf(json, "}");
}

static void print_probe(struct contender *contender, unsigned have, FILE *json)
{
	struct footprint print = { 0 };

	printf("| %u | %s | %.0f | %.0f |", have, contender->name,
	       contender_part(contender, SPAN_LIFE, 0.5),
	       contender_part(contender, SPAN_LIFE, 0.99));
	if (contender->mount) {
		print = footprint_of(contender->mount->pid);
		printf(" %.0f | %.0f | %.1f | %.1f | %u | %u |\n",
		       contender_part(contender, SPAN_START, 0.5),
		       contender_part(contender, SPAN_START, 0.99),
		       (double)print.resident_kib / 1024, (double)print.inside_kib / 1024,
		       print.descriptors, print.processes);
	} else {
		printf(" | | | | | |\n");
	}
	if (json)
		row_json(json, contender, have, &print);
}

static void probe(struct daemons *daemons, unsigned have, const struct start_options *options)
{
	static const char *const names[] = { "mimoboxfs --pool 0", "mimoboxfs --pool" };
	struct contest contest = { 0 };

	contest_add(&contest, (struct contender){ .name = peers_of_true[0].name,
						  .run = run_probe,
						  .peer = &peers_of_true[0] });
	for (unsigned i = 0; i < daemons->count; i++)
		contest_add(&contest, (struct contender){ .name = names[i],
							  .run = run_probe,
							  .mount = &daemons->all[i] });
	contest_run(&contest, options->rounds / 2 + 1);
	for (unsigned i = 0; i < contest.count; i++)
		print_probe(&contest.all[i], have, options->json);
	(void)fflush(stdout);
	contest_finish(&contest);
}

static void first_of_all(struct daemons *daemons, FILE *json)
{
	for (unsigned i = 0; i < daemons->count; i++) {
		struct life life;

		mount_settle(&daemons->all[i]);
		mount_session(&daemons->all[i], "first", NULL, NULL, &life);
		printf("The very first of the `%s` daemon: %.0f us to its exit.\n",
		       daemons->all[i].name, 1e6 * (life.exit - life.begin));
		if (json)
			fprintf(json, ",\n\"first_%s\":%.1f", daemons->all[i].name,
				1e6 * (life.exit - life.begin));
	}
}

void measure_crowd(const struct start_options *options)
{
	static const unsigned sizes[] = { 0, 1, 10, 100, 1000, 4000 };
	struct daemons daemons;
	unsigned have = 0;
	bool room = true;

	daemons_start(&daemons, options, TRUE_CONFIG);
	printf("\n## Life of /bin/true among idle sessions, %u of each in turn\n\n",
	       options->rounds / 2 + 1);
	first_of_all(&daemons, options->json);
	printf("\n| idle | what | life p50 us | p99 | start to exit p50 | p99 | daemon RSS MiB | "
	       "sandboxes Pss MiB | descriptors | processes |\n"
	       "|---|---|---|---|---|---|---|---|---|---|\n");
	if (options->json)
		fprintf(options->json, ",\n\"crowd\":[");
	for (unsigned i = 0; room && i < sizeof(sizes) / sizeof(*sizes); i++) {
		unsigned wanted = sizes[i] < options->crowd ? sizes[i] : options->crowd;

		if (i > 0 && wanted == have)
			break;
		room = grow(&daemons, &have, wanted);
		probe(&daemons, have, options);
	}
	if (options->json)
		fprintf(options->json, "]");
	daemons_stop(&daemons);
}
