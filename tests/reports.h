/* SPDX-License-Identifier: MIT */
/* Failures that Criterion would not count: those after the test proper, in its .fini. */
#ifndef REPORTS_H
#define REPORTS_H

/* Counts as a failed test, and is printed at the end of the run. */
void report_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
