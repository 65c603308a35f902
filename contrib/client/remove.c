/* SPDX-License-Identifier: MIT */
/* mimobox rm: ends sessions, with every process they have, and removes them. */
#include "commands.h"
#include "report.h"
#include "session.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

static int remove_one(const struct place *place, const char *name)
{
	struct session session;
	int status = session_find(&session, place, name);
	if (status == 0 && rmdir(session.path) < 0)
		status = report(STATUS_CLIENT, "%s: %s", name, strerror(errno));
	return status;
}

int command_remove(int argc, char **argv)
{
	static const struct option longs[] = { { "mount", required_argument, NULL, 'm' }, { 0 } };
	const char *mount = NULL;
	int option;
	struct place place;
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option != 'm')
			return STATUS_USAGE;
		mount = optarg;
	}
	if (optind == argc)
		return report(STATUS_USAGE, "rm takes names; see mimobox --help");
	int status = place_open(&place, mount);
	if (status)
		return status;
	for (int i = optind; i < argc; i++) {
		int error = remove_one(&place, argv[i]);
		status = error ? error : status;
	}
	return status;
}
