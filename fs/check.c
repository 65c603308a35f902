/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "daemon.h"
#include "mount.h"
#include "options.h"
#include "report.h"

#include <confine.h>
#include <mimobox.h>
#include <privileges.h>
#include <stdio.h>
#include <string.h>

static int tell(const char *part, int status, const char *why)
{
	printf("%s %s\n", part, status == 0 ? "ok" : why);
	(void)fflush(stdout); /* what follows forks */
	return status;
}

/* As main.c has it, with the same rights. */
static int try_sandbox(const struct options *options)
{
	char why[WHY_MAX] = "", workspaces[64];
	struct mimobox_options settings;
	struct mimobox *box = NULL;
	options_for_box(options, workspaces, &settings);
	settings.pool = 0;
	privileges_set_turns(PRIVILEGES_SHORT_TURN);
	int status = daemon_drop_groups(why, sizeof(why));
	if (status)
		return tell("sandbox", status, why);
	int error = mimobox_create(&settings, &box, why, sizeof(why));
	if (error == 0)
		error = confine_rehearse();
	if (error == 0)
		error = mimobox_probe(box, why, sizeof(why));
	status = tell("sandbox", error < 0 ? status_of(error) : 0, why[0] ? why : strerror(-error));
	if (box)
		mimobox_print_machine(box, stdout);
	(void)fflush(stdout);
	confine_recover();
	mimobox_destroy(box);
	return status;
}

int check_run(const struct options *options)
{
	char why[WHY_MAX] = "";
	int device = tell("device", mount_try_device(why, sizeof(why)), why);
	int sandbox = try_sandbox(options);
	int mount = device ? 0 : tell("mount", mount_try(why, sizeof(why)), why);
	int status = device > sandbox ? device : sandbox;
	return mount > status ? mount : status;
}
