/* SPDX-License-Identifier: MIT */
/* One question each to this machine, as the user who asks. */
#ifndef PROBE_H
#define PROBE_H

#include "place.h"

enum level {
	PROBE_OK,
	PROBE_WARN,    /* sessions work, but not with all that they could have */
	PROBE_MISSING, /* no session, or none with the default config */
};

struct finding {
	enum level level;
	char fact[160];
	char advice[320]; /* empty: nothing needs to be done */
};

void finding_advise(struct finding *finding, enum level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct probe {
	const char *name;
	void (*ask)(struct finding *finding, const struct place *place);
};

/* In the order in which they matter, until one without a name. */
extern const struct probe probes[];

void probe_cgroups(struct finding *finding, const struct place *place);

#endif
