/* SPDX-License-Identifier: MIT */
/* mimobox status: what is known of a session. */
#include "commands.h"
#include "json.h"
#include "report.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int print_text(const struct session *session, const char *name)
{
	char *status = session_read(session, "status");
	if (!status)
		return report(STATUS_CLIENT, "%s: %s", name, strerror(errno));
	(void)fputs(status, stdout);
	free(status);
	return 0;
}

/* Of another user's there would be but the name: that is no answer here. */
static int print_json(const struct session *session, const struct place *place, const char *name)
{
	int fd = session_open(session, "status", O_RDONLY);
	if (fd < 0)
		return report(STATUS_CLIENT, "%s: %s", name, strerror(-fd));
	close(fd);
	return json_print(json_session(place, name));
}

int command_status(int argc, char **argv)
{
	static const struct option longs[] = { { "mount", required_argument, NULL, 'm' },
					       { "json", no_argument, NULL, 'j' },
					       { 0 } };
	const char *mount = NULL;
	bool json = false;
	int option;
	struct place place;
	struct session session;
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option != 'm' && option != 'j')
			return STATUS_USAGE;
		if (option == 'm')
			mount = optarg;
		json |= option == 'j';
	}
	if (optind != argc - 1)
		return report(STATUS_USAGE, "status takes one name; see mimobox --help");
	int status = place_open(&place, mount);
	if (status == 0)
		status = session_find(&session, &place, argv[optind]);
	if (status)
		return status;
	return json ? print_json(&session, &place, argv[optind])
		    : print_text(&session, argv[optind]);
}
