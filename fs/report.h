/* SPDX-License-Identifier: MIT */
#ifndef REPORT_H
#define REPORT_H

/* One line on standard error, "mimoboxfs: ...", printf-style, without newline. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, of what is no failure. */
void report_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

enum { WHY_MAX = 960 }; /* for what report() then tells */

/* Exit statuses: as mimoboxfs(8) says. */
enum {
	STATUS_AGAIN = 1, /* what may be different the next time */
	STATUS_OPTION = 2,
	/*
	 * What the next try would meet, too. mount(8) hands a status on to those that take it for a
	 * sum of bits, of which 64 would be "some mounts succeeded": hence none of sysexits(3).
	 */
	STATUS_LACKS = 3,
};
/* That of an error of mimobox_create() or mimobox_probe(). */
int status_of(int error);

#endif
