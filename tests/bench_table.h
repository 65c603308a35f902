/* SPDX-License-Identifier: MIT */
/* Times of several contenders, taken turn by turn; as a Markdown table and as JSON. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include "bench_peer.h"

#include <stdio.h>

enum { SPANS = 4, CONTENDERS_MAX = 24 };

/* The spans of a life: to its end, start to exit, to the first byte, its removal. */
enum span { SPAN_LIFE, SPAN_START, SPAN_BYTE, SPAN_GONE };

struct contender {
	const char *name;
	/* 0, or -1 and why it is not here. */
	int (*run)(struct contender *contender, struct life *life, char *why);
	const struct peer *peer;
	struct bench_mount *mount;
	const char *config, *printed;
	char missing[PEER_WHY]; /* why; empty: it is here */
	double *times[SPANS];   /* seconds */
	unsigned counts[SPANS], tries;
	unsigned long peak_kib;
};

struct contest {
	struct contender all[CONTENDERS_MAX]; /* the first is what the others are compared to */
	unsigned count;
};

void contest_add(struct contest *contest, struct contender contender);
void contest_run(struct contest *contest, unsigned rounds);
double contender_part(struct contender *contender, enum span span, double share); /* us */
void contest_print(struct contest *contest, const enum span *spans, unsigned count);
void contest_json(struct contest *contest, const char *key, FILE *to);
void contest_finish(struct contest *contest);

void shuffle(unsigned *order, unsigned count);
void json_string(const char *text, FILE *to);

#endif
