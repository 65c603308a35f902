/* SPDX-License-Identifier: MIT */
/* The parts of bench-start. */
#ifndef BENCH_START_H
#define BENCH_START_H

#include "bench_table.h"

struct start_options {
	unsigned rounds; /* of each contender */
	unsigned crowd;  /* the largest number of live sessions */
	double seconds;  /* of each rate */
	unsigned pool;   /* of the warm daemon; 0: this mimoboxfs has none */
	bool pool_waits;
	FILE *json; /* NULL: none */
};

#define TRUE_CONFIG "argv [\"/bin/true\"]\n"
#define PRINT_CONFIG "argv [\"/usr/bin/printf\",\"!\"]\n"

/* Daemons whose sessions start from `config`: the cold one, and the warm one where there is one. */
struct daemons {
	struct bench_mount all[2];
	unsigned count;
};
void daemons_start(struct daemons *daemons, const struct start_options *options,
		   const char *config);
/* Says what came of the pool, and ends them. */
void daemons_stop(struct daemons *daemons);

void measure_rate(const struct start_options *options);
void measure_crowd(const struct start_options *options);

#endif
