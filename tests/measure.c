/* SPDX-License-Identifier: MIT */
/* Prints the factor of the tests' bounds: that of the environment, or what is measured now. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pace.h"

int main(void)
{
	const char *given = getenv(PACE_VARIABLE);
	struct pace pace;
	unsigned factor;
	int error;

	if (given) {
		if (!pace_parse(given, &factor)) {
			fprintf(stderr, "%s: '%s' is no number from 1 to %d\n", PACE_VARIABLE,
				given, PACE_FACTOR_MAX);
			return 2;
		}
	} else {
		error = pace_measure(&pace);
		if (error < 0) {
			fprintf(stderr, "measure: %s\n", strerror(-error));
			return 1;
		}
		fprintf(stderr, "fork and exec %.2f ms, exchange %.1f us, computing %.0f ms\n",
			pace.spawn / 1e3, pace.exchange, pace.work / 1e3);
		factor = pace_factor(&pace);
	}
	printf("%u\n", factor);
	return 0;
}
