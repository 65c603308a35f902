/* SPDX-License-Identifier: MIT */
/* What goes wrong is told in one line on standard error, in which nothing that it quotes acts. */
#ifndef REPORT_H
#define REPORT_H

/* The exit statuses that are not a command's own, as those of env(1) and timeout(1). */
enum {
	STATUS_USAGE = 2,
	STATUS_CLIENT = 125, /* the client or the mount failed */
	STATUS_CANNOT_EXEC = 126,
	STATUS_NOT_FOUND = 127,
};

/* What programs stumble over, and the keys for it. */
#define TROUBLE_PAGE "mimobox-trouble(7)"

/* Returns `status`. */
int report(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
