/* SPDX-License-Identifier: MIT */
/*
 * mimoboxfs: sandboxed terminal sessions as directories. Everything that can be wrong with the
 * command line or the machine is found, and told in one line, before anything is mounted. Exit
 * status: 0; 1 the machine lacks something; 2 a wrong option.
 */
#include "daemon.h"
#include "dir.h"
#include "mount.h"
#include "options.h"
#include "report.h"
#include "server.h"

#include <box.h>
#include <confine.h>
#include <errno.h>
#include <limits.h>
#include <mimobox.h>
#include <privileges.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysfilter.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20 };

/* The whole file as a string, the caller's to free; NULL and reported. */
static char *read_text(const char *path, const char *what)
{
	FILE *file = fopen(path, "re");
	char *text = malloc(TEXT_MAX + 1);
	size_t size = file && text ? fread(text, 1, TEXT_MAX, file) : 0;
	int error = 0;
	if (!file || !text || ferror(file))
		error = errno;
	else if (fgetc(file) != EOF)
		error = EFBIG;
	else if (memchr(text, '\0', size))
		error = EINVAL;
	if (file)
		(void)fclose(file);
	if (error || !text) {
		report("cannot read the %s in %s: %s", what, path, strerror(error));
		free(text);
		return NULL;
	}
	text[size] = '\0';
	return text;
}

/*
 * Once more a path for the library, made here for want of one that was given. A user's own is
 * where others can make names as well; that it is nobody else's is checked by the library.
 */
static void default_workspaces(char *path, size_t size)
{
	if (geteuid() == 0)
		snprintf(path, size, "/var/lib/mimobox/workspaces");
	else
		snprintf(path, size, "/var/tmp/mimobox-%u", (unsigned)geteuid());
}

/* What is below the mount would have the daemon wait for itself. */
static bool is_in_mount(const struct mount *mount, const char *option, const char *path)
{
	char *real = realpath(path, NULL);
	size_t length = strlen(mount->path);
	bool inside = real && strncmp(real, mount->path, length) == 0 &&
		      (real[length] == '/' || real[length] == '\0');
	free(real);
	if (inside)
		report("the %s directory %s is in the mount point; name another: --%s DIR", option,
		       path, option);
	return inside;
}

/* What of the options is read from files; the texts are the caller's to free. */
static bool read_texts(const struct options *options, char **defaults, char **ceiling)
{
	if (options->defaults && !(*defaults = read_text(options->defaults, "defaults")))
		return false;
	return !options->ceiling || (*ceiling = read_text(options->ceiling, "ceiling"));
}

static int make_box(struct server *server, const struct mount *mount, const struct options *options)
{
	char workspaces[64];
	default_workspaces(workspaces, sizeof(workspaces));
	char *defaults = NULL, *ceiling = NULL;
	if (!read_texts(options, &defaults, &ceiling)) {
		free(defaults);
		return 1;
	}
	struct mimobox_options box = {
		.spool_dir = options->spool ? options->spool : "/var/tmp",
		.workspaces = options->workspaces ? options->workspaces : workspaces,
		.defaults = defaults,
		.ceiling = ceiling,
		.max_sessions = options->max_sessions,
		.pool = options->pool,
		.notify = dir_notify,
		.data = server,
	};
	char why[512] = "";
	int error = mimobox_create(&box, &server->box, why, sizeof(why));
	free(defaults);
	free(ceiling);
	if (error == 0 && (is_in_mount(mount, "spool", box.spool_dir) ||
			   is_in_mount(mount, "workspaces", box.workspaces)))
		return 2;
	if (error == 0)
		error = confine_rehearse(); /* what the server may not do shows now */
	if (error == 0)
		error = mimobox_probe(server->box, why, sizeof(why));
	if (error == 0)
		error = confine_recover();
	if (error < 0) {
		report("%s", why[0] ? why : strerror(-error));
		return 1;
	}
	server->loop = mimobox_loop(server->box);
	server->max_sessions = options->max_sessions;
	return 0;
}

static int prepare(struct server *server, struct mount *mount, const struct options *options)
{
	int error = server_init(server);
	if (error < 0) {
		report("%s", strerror(-error));
		return 1;
	}
	int status = mount_check_options(server, options);
	if (status)
		return status;
	daemon_raise_file_limit();
	privileges_set_turns(PRIVILEGES_SHORT_TURN); /* everybody's keys come through here */
	error = daemon_drop_groups();
	if (error < 0) {
		report("cannot give up root's groups: %s", strerror(-error));
		return 1;
	}
	status = mount_check_machine(mount, options->mountpoint);
	if (status)
		return status;
	status = make_box(server, mount, options);
	if (status)
		return status;
	error = server_catch_signals(server);
	if (error < 0) {
		report("cannot catch signals: %s", strerror(-error));
		return 1;
	}
	error = unmounter_begin(&server->unmounter, mount->path);
	if (error < 0) {
		report("cannot make the unmounter: %s", strerror(-error));
		return 1;
	}
	return mount_do(mount, server, options);
}

/* From here on it reads what clients send. */
static int confine(void)
{
	int error = confine_rights(CONFINE_SERVER);
	if (error == 0)
		error = confine_calls(CONFINE_SERVER);
	if (error < 0)
		report("cannot give up privileges: %s", strerror(-error));
	return error;
}

static int serve(const struct options *options, struct daemon *daemon)
{
	struct server server;
	struct mount mount = { 0 };
	int status = prepare(&server, &mount, options);
	if (status == 0) {
		notify_init(&server.notify, server.loop, mount.path);
		int error = confine();
		if (error == 0 && (error = server_run(&server, daemon)) < 0)
			report("cannot serve the mount: %s", strerror(-error));
		status = error < 0;
	}
	bool broken = status == 0 && !server.stopping;
	server_finish(&server);
	if (broken) /* or unmounted, and then there is nothing */
		unmounter_detach_dead(&server.unmounter);
	unmounter_end(&server.unmounter);
	mount_finish(&mount);
	return status;
}

static int dump_filter(const char *name)
{
	struct sysfilter_options options = { .fork = true };
	struct sysfilter filter = { 0 };
	char why[256] = "";
	if (sysfilter_profile_parse(name, &options.profile) < 0) {
		report("unknown profile '%s': essential, network or compat", name);
		return 2;
	}
	int error = sysfilter_build(&options, &filter, why, sizeof(why));
	if (error == 0)
		error = sysfilter_dump(&filter, STDOUT_FILENO);
	sysfilter_finish(&filter);
	if (error < 0)
		report("%s", why[0] ? why : strerror(-error));
	return error < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options options;
	int status = 0;
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_HELP:
		options_print_help();
		break;
	case OPTIONS_VERSION:
		options_print_version();
		break;
	case OPTIONS_DUMP:
		status = dump_filter(options.dump);
		break;
	case OPTIONS_WRONG:
		status = 2;
		break;
	case OPTIONS_SERVE: {
		struct daemon daemon;
		(void)signal(SIGPIPE, SIG_IGN); /* the library's writes tell by errno */
		(void)signal(SIGUSR1, SIG_IGN); /* that mean nothing are no reason to end */
		(void)signal(SIGUSR2, SIG_IGN);
		if (daemon_begin(&daemon, options.foreground, &status))
			status = serve(&options, &daemon);
		break;
	}
	}
	options_finish(&options);
	return status;
}
