/* SPDX-License-Identifier: MIT */
/*
 * mimobox: a client over nothing but the files of a mounted mimobox. All that it does can be done
 * with a shell as well; it does it with a terminal in raw mode, exact exit statuses, and nothing
 * left behind.
 */
#include "commands.h"
#include "report.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*act)(int argc, char **argv);
} commands[] = {
	{ "run", command_run },       { "exec", command_exec },
	{ "attach", command_attach }, { "ls", command_list },
	{ "status", command_status }, { "diff", command_diff },
	{ "apply", command_apply },   { "discard", command_discard },
	{ "rm", command_remove },     { "forward", command_forward },
	{ "doctor", command_doctor },
};

static int help(void)
{
	puts("usage: mimobox COMMAND [--mount DIR] ...\n"
	     "Sandboxed sessions, through the files of a mounted mimobox.\n"
	     "\n"
	     "  run [--name NAME] [--keep] [--terminal yes|no] [--config FILE] [--KEY VALUE]...\n"
	     "      [--project DIR [--apply|--discard]]\n"
	     "      [--] COMMAND [ARG]...    run a command in a session of its own; a project is\n"
	     "                               copied on write, and what was changed is shown\n"
	     "  exec [--KEY VALUE]... NAME [--] COMMAND [ARG]...\n"
	     "                               run a command in the sandbox of a session\n"
	     "  attach [-e KEY] NAME         use a session's terminal; KEY (^\\) detaches\n"
	     "  ls [-q | --json]             list the sessions; -q: names alone\n"
	     "  status [--json] NAME         what is known of a session\n"
	     "  diff [-u] NAME [PATH]...     what a session has changed in its overlays\n"
	     "  apply NAME [PATH]...         bring that to the host\n"
	     "  discard NAME [PATH]...       drop it\n"
	     "  rm NAME...                   end and remove sessions\n"
	     "  forward NAME PORT[:LOCAL]    a port that a session publishes, at 127.0.0.1:LOCAL\n"
	     "  doctor [--json]              what this machine has and lacks, and what to do\n"
	     "\n"
	     "The mount is at DIR, $MIMOBOX, $XDG_RUNTIME_DIR/mimobox or /run/mimobox. The KEYs "
	     "are\n"
	     "those of a session's config. run ends with its command's status, or by its signal;\n"
	     "125: mimobox itself failed; 126: the command cannot be run; 127: it is not found.");
	return 0;
}

/* A file opened in the place of a standard one would get what is meant for that. */
static void fill_standard_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	int status = -1;
	fill_standard_descriptors();
	(void)setlocale(LC_CTYPE, "");
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		status = help();
	else if (strcmp(name, "--version") == 0)
		status = printf("mimobox " MIMOBOX_VERSION "\n") < 0;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			status = commands[i].act(argc - 1, argv + 1);
	if (status < 0 && argc < 2)
		return report(STATUS_USAGE, "no command given; see mimobox --help");
	if (status < 0)
		return report(STATUS_USAGE, "unknown command '%s'; see mimobox --help", name);
	if (fflush(stdout) != 0 && status == 0)
		return report(STATUS_CLIENT, "standard output: write error");
	return status;
}
