/* SPDX-License-Identifier: MIT */
#include "bench_table.h"

#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { WARM_UP = 2 };

static const char *const span_names[SPANS] = { "life", "start to exit", "first byte", "rmdir" };
static const char *const span_keys[SPANS] = { "life", "start", "byte", "gone" };

void contest_add(struct contest *contest, struct contender contender)
{
	if (contest->count < CONTENDERS_MAX)
		contest->all[contest->count++] = contender;
}

void shuffle(unsigned *order, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		order[i] = i;
	for (unsigned i = count - 1; i > 0; i--) {
		unsigned other = (unsigned)rand() % (i + 1), held = order[i];

		order[i] = order[other];
		order[other] = held;
	}
}

static void keep(struct contender *contender, enum span span, double from, double to)
{
	if (from > 0 && to > 0)
		contender->times[span][contender->counts[span]++] = to - from;
}

static void run_once(struct contender *contender, bool counts)
{
	struct life life = { 0 };

	contender->tries++;
	if (contender->run(contender, &life, contender->missing) < 0) {
		size_t length = strlen(contender->missing);

		snprintf(contender->missing + length, PEER_WHY - length, " (run %u)",
			 contender->tries);
		return;
	}
	if (!counts)
		return;
	keep(contender, SPAN_LIFE, life.begin, life.exit);
	keep(contender, SPAN_START, life.start, life.exit);
	keep(contender, SPAN_BYTE, life.start > 0 ? life.start : life.begin, life.byte);
	keep(contender, SPAN_GONE, life.exit, life.gone);
}

/* One that has failed is not run again. */
void contest_run(struct contest *contest, unsigned rounds)
{
	unsigned order[CONTENDERS_MAX];

	for (unsigned i = 0; i < contest->count; i++)
		for (unsigned span = 0; span < SPANS; span++) {
			contest->all[i].times[span] = calloc(rounds, sizeof(double));
			if (!contest->all[i].times[span])
				give_up("memory");
		}
	for (unsigned round = 0; round < rounds + WARM_UP; round++) {
		shuffle(order, contest->count);
		for (unsigned i = 0; i < contest->count; i++)
			if (!contest->all[order[i]].missing[0])
				run_once(&contest->all[order[i]], round >= WARM_UP);
	}
}

double contender_part(struct contender *contender, enum span span, double share)
{
	unsigned count = contender->counts[span];

	return count ? 1e6 * part(contender->times[span], count, share) : 0;
}

static void print_span(struct contest *contest, struct contender *contender, enum span span)
{
	double plain = contender_part(&contest->all[0], span, 0.5);
	double p50 = contender_part(contender, span, 0.5);

	if (contender->counts[span] == 0)
		printf(" | |");
	else
		printf(" %.0f | %.0f |", p50, contender_part(contender, span, 0.99));
	if (plain > 0 && p50 > 0)
		printf(" %.2f |", p50 / plain);
	else if (plain > 0)
		printf(" |");
}

static void print_row(struct contest *contest, struct contender *contender, const enum span *spans,
		      unsigned count)
{
	if (contender->missing[0]) {
		printf("| %s | not here: %s |\n", contender->name, contender->missing);
		return;
	}
	printf("| %s |", contender->name);
	for (unsigned i = 0; i < count; i++)
		print_span(contest, contender, spans[i]);
	if (contender->peak_kib)
		printf(" %.1f |\n", (double)contender->peak_kib / 1024);
	else
		printf(" |\n");
}

void contest_print(struct contest *contest, const enum span *spans, unsigned count)
{
	printf("| what |");
	for (unsigned i = 0; i < count; i++)
		printf(" %s p50 us | p99 |%s", span_names[spans[i]],
		       contest->all[0].counts[spans[i]] ? " of plain |" : "");
	printf(" memory MiB |\n|---|");
	for (unsigned i = 0; i < count; i++)
		printf("---|---|%s", contest->all[0].counts[spans[i]] ? "---|" : "");
	printf("---|\n");
	for (unsigned i = 0; i < contest->count; i++)
		print_row(contest, &contest->all[i], spans, count);
	(void)fflush(stdout);
}

void json_string(const char *text, FILE *to)
{
	fputc('"', to);
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fprintf(to, "\\u%04x", *text);
		else
			fputc(*text, to);
	fputc('"', to);
}

static void contender_json(struct contender *contender, FILE *to)
{
	fprintf(to, "{\"name\":");
	json_string(contender->name, to);
	fprintf(to, ",\"ours\":%s,\"missing\":", contender->peer ? "false" : "true");
	json_string(contender->missing, to);
	fprintf(to, ",\"peak_kib\":%lu", contender->peak_kib);
	for (unsigned span = 0; span < SPANS; span++)
		if (contender->counts[span] && !contender->missing[0])
			fprintf(to, ",\"%s\":{\"count\":%u,\"p10\":%.1f,\"p50\":%.1f,\"p99\":%.1f}",
				span_keys[span], contender->counts[span],
				contender_part(contender, span, 0.1),
				contender_part(contender, span, 0.5),
				contender_part(contender, span, 0.99));
	fprintf(to, "}");
}

void contest_json(struct contest *contest, const char *key, FILE *to)
{
	fprintf(to, ",\n\"%s\":[", key);
	for (unsigned i = 0; i < contest->count; i++) {
		fprintf(to, i ? ",\n  " : "\n  ");
		contender_json(&contest->all[i], to);
	}
	fprintf(to, "]");
}

void contest_finish(struct contest *contest)
{
	for (unsigned i = 0; i < contest->count; i++)
		for (unsigned span = 0; span < SPANS; span++)
			free(contest->all[i].times[span]);
}
