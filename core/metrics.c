/* SPDX-License-Identifier: MIT */
/*
 * `metrics`: the counters as OpenMetrics text, which Prometheus' older text format can be read as,
 * too. The two formats name the type of a counter in ways that exclude each other: one without
 * `_total`, the other with it. So the counters have a help line and no type, which both take as
 * `unknown`.
 *
 * The labels have values from fixed lists. Only `each` adds families with one sample a session.
 */
#include "session.h"
#include "status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Latencies are told from a millisecond (2^20 ns) to 17 seconds. */
enum { FIRST_POWER = 20, LAST_POWER = 34, STATES = MIMOBOX_EXITED + 1 };
_Static_assert((int)END_REASONS <= (int)STATS_ENDS, "a counter for each reason");

static void print_head(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP %s %s\n", name, help);
	if (type)
		fprintf(to, "# TYPE %s %s\n", name, type);
}

static void print_one(FILE *to, const char *name, const char *type, const char *help,
		      uint64_t value)
{
	print_head(to, name, type, help);
	fprintf(to, "%s %" PRIu64 "\n", name, value);
}

static void print_seconds(FILE *to, uint64_t ns)
{
	fprintf(to, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
}

/* What is summed up over the sessions that somebody sees. */
struct sums {
	uint64_t states[STATES];
	uint64_t kept, readers;
};

static bool is_seen(const struct mimobox_session *session, bool all, uid_t uid)
{
	return all || session->uid == uid;
}

static struct sums sum_up(const struct mimobox *box, bool all, uid_t uid)
{
	struct sums sums = { 0 };
	for (const struct mimobox_session *session = box->first; session; session = session->next) {
		if (!is_seen(session, all, uid))
			continue;
		sums.states[session->state]++;
		for (int i = 0; i < STREAMS; i++) {
			const struct output *output = &session->streams[i].output;
			sums.kept += output->spool.end - output->spool.start;
			sums.readers += output->reader_count;
		}
	}
	return sums;
}

static void print_sums(const struct sums *sums, FILE *to)
{
	print_head(to, "mimobox_sessions", "gauge", "Sessions by their state.");
	for (int state = 0; state < STATES; state++)
		fprintf(to, "mimobox_sessions{state=\"%s\"} %" PRIu64 "\n",
			status_state_name((enum mimobox_state)state), sums->states[state]);
	print_one(to, "mimobox_output_kept_bytes", "gauge",
		  "Output that is kept and can still be read.", sums->kept);
	print_one(to, "mimobox_output_readers", "gauge", "Open files that read output.",
		  sums->readers);
}

static void print_latencies(const struct stats *stats, FILE *to)
{
	static const char name[] = "mimobox_start_duration_seconds";
	uint64_t count = 0;
	unsigned at = 0;
	print_head(to, name, "histogram", "How long starts took that succeeded.");
	for (unsigned power = FIRST_POWER; power <= LAST_POWER; power++) {
		for (; at < stats_bucket_from(power); at++)
			count += stats->latencies[at];
		fprintf(to, "%s_bucket{le=\"", name);
		print_seconds(to, (UINT64_C(1) << power) - 1);
		fprintf(to, "\"} %" PRIu64 "\n", count);
	}
	fprintf(to, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_count %" PRIu64 "\n%s_sum ", name,
		stats->starts, name, stats->starts, name);
	print_seconds(to, stats->latency_sum);
	fputc('\n', to);
}

static void print_ends(const struct stats *stats, FILE *to)
{
	print_head(to, "mimobox_ends_total", NULL, "Sessions that have ended, by the reason.");
	for (int reason = END_NONE + 1; reason < END_REASONS; reason++)
		fprintf(to, "mimobox_ends_total{reason=\"%s\"} %" PRIu64 "\n",
			status_reason_name((enum end_reason)reason), stats->ends[reason]);
}

static void print_box(const struct mimobox *box, FILE *to)
{
	const struct stats *stats = &box->stats;
	struct statvfs disk = { 0 };
	print_latencies(stats, to);
	print_one(to, "mimobox_failed_starts_total", NULL, "Starts that have failed.",
		  stats->failed_starts);
	print_ends(stats, to);
	print_one(to, "mimobox_pool_ready", "gauge", "Sandboxes that are built ahead and wait.",
		  pool_ready(box->pool));
	print_one(to, "mimobox_pool_hits_total", NULL, "Starts that got a sandbox built ahead.",
		  stats->pool_hits);
	print_one(to, "mimobox_pool_misses_total", NULL, "Starts that had one built for them.",
		  stats->pool_misses);
	print_one(to, "mimobox_input_bytes_total", NULL, "Bytes that programs were given.",
		  stats->bytes_in);
	print_one(to, "mimobox_output_bytes_total", NULL, "Bytes that programs have printed.",
		  stats->bytes_out);
	if (box->max_sessions)
		print_one(to, "mimobox_sessions_max", "gauge", "As many sessions may be there.",
			  box->max_sessions);
	if (mimobox_disk(box, &disk) < 0)
		return;
	print_one(to, "mimobox_spool_size_bytes", "gauge", "The disk that output is kept on.",
		  (uint64_t)disk.f_blocks * disk.f_frsize);
	print_one(to, "mimobox_spool_available_bytes", "gauge", "What is free there.",
		  (uint64_t)disk.f_bavail * disk.f_frsize);
}

/* Sessions one by one */

struct fact {
	const struct mimobox_session *session;
	struct cgroup_usage usage;
};

static void print_fact(const struct fact *fact, const char *name, uint64_t value, FILE *to)
{
	if (value != UINT64_MAX)
		fprintf(to, "%s{session=\"%s\"} %" PRIu64 "\n", name, fact->session->name, value);
}

static uint64_t printed(const struct mimobox_session *session)
{
	uint64_t sum = 0;
	for (int i = 0; i < STREAMS; i++)
		sum += session->streams[i].output.spool.end;
	return sum;
}

static void print_facts(const struct fact *facts, unsigned count, FILE *to)
{
	static const char running[] = "mimobox_session_running",
			  cpu[] = "mimobox_session_cpu_seconds_total",
			  memory[] = "mimobox_session_memory_bytes",
			  processes[] = "mimobox_session_processes",
			  output[] = "mimobox_session_output_bytes_total";
	print_head(to, running, "gauge", "Whether the session runs: 1, or 0.");
	for (unsigned i = 0; i < count; i++)
		print_fact(&facts[i], running, facts[i].session->state == MIMOBOX_RUNNING, to);
	print_head(to, cpu, NULL, "Processor time that the session has used.");
	for (unsigned i = 0; i < count; i++) {
		if (facts[i].usage.cpu_ns == UINT64_MAX)
			continue;
		fprintf(to, "%s{session=\"%s\"} ", cpu, facts[i].session->name);
		print_seconds(to, facts[i].usage.cpu_ns);
		fputc('\n', to);
	}
	print_head(to, memory, "gauge", "Memory that the session has now.");
	for (unsigned i = 0; i < count; i++)
		print_fact(&facts[i], memory, facts[i].usage.memory, to);
	print_head(to, processes, "gauge", "Processes that the session has now.");
	for (unsigned i = 0; i < count; i++)
		print_fact(&facts[i], processes, facts[i].usage.processes, to);
	print_head(to, output, NULL, "Bytes that the session has printed.");
	for (unsigned i = 0; i < count; i++)
		print_fact(&facts[i], output, printed(facts[i].session), to);
}

static int print_each(const struct mimobox *box, bool all, uid_t uid, FILE *to)
{
	unsigned count = 0;
	struct fact *facts = calloc(box->count ? box->count : 1, sizeof(*facts));
	if (!facts)
		return -ENOMEM;
	for (const struct mimobox_session *session = box->first; session; session = session->next)
		if (is_seen(session, all, uid)) {
			facts[count].session = session;
			status_usage(session, &facts[count++].usage);
		}
	if (count)
		print_facts(facts, count, to);
	free(facts);
	return 0;
}

int mimobox_print_metrics(const struct mimobox *box, uid_t uid, bool each, FILE *to)
{
	bool all = uid == 0 || uid == geteuid();
	const struct sums sums = sum_up(box, all, uid);
	print_sums(&sums, to);
	if (all)
		print_box(box, to);
	int error = each ? print_each(box, all, uid, to) : 0;
	fputs("# EOF\n", to);
	return error;
}
