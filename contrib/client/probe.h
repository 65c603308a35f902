/* SPDX-License-Identifier: MIT */
/* One question each to this machine, as the user who asks. */
#ifndef PROBE_H
#define PROBE_H

#include "place.h"

#include <stdbool.h>

enum level {
	PROBE_OK,
	PROBE_WARN,    /* sessions work, but not with all that they could have */
	PROBE_MISSING, /* no session, or none with the default config */
};

/* Without a fact there is nothing to tell. */
struct finding {
	enum level level;
	char fact[256];
	char advice[512]; /* empty: nothing needs to be done */
};

struct diagnosis {
	struct place place;
	bool mounted;     /* sessions run at that place: nothing has to be mounted */
	char check[8192]; /* what `mimoboxfs --check` printed; "": it was not run */
	int ended;        /* and how it ended, as waitpid(2) has it; -1: it could not be run */
};

void finding_advise(struct finding *finding, enum level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct probe {
	const char *name;
	void (*ask)(struct finding *finding, const struct diagnosis *diagnosis);
	bool mounts; /* asked only where something has to be mounted */
};

/* In the order in which they matter, until one without a name. */
extern const struct probe probes[];

/* Whether sessions run there: this one is asked first, and once. */
void probe_mount(struct finding *finding, struct diagnosis *diagnosis);
/* Fills `check` and `ended`. */
void diagnosis_check(struct diagnosis *diagnosis);

/* Of what it found. */
void probe_device(struct finding *finding, const struct diagnosis *diagnosis);
void probe_sandbox(struct finding *finding, const struct diagnosis *diagnosis);
void probe_landlock(struct finding *finding, const struct diagnosis *diagnosis);
void probe_limits(struct finding *finding, const struct diagnosis *diagnosis);
void probe_mounting(struct finding *finding, const struct diagnosis *diagnosis);

#endif
