/* SPDX-License-Identifier: MIT */
#ifndef REPORT_H
#define REPORT_H

/* One line on standard error, "mimoboxfs: ...", printf-style, without newline. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
