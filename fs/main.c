/* SPDX-License-Identifier: MIT */
/*
 * mimoboxfs: sandboxed terminal sessions as directories. Everything that can be wrong with the
 * command line or the machine is found, and told in one line, before anything is mounted.
 */
#include "again.h"
#include "check.h"
#include "daemon.h"
#include "dir.h"
#include "handover.h"
#include "keeper.h"
#include "kept.h"
#include "mount.h"
#include "options.h"
#include "replace.h"
#include "report.h"
#include "server.h"

#include <box.h>
#include <confine.h>
#include <errno.h>
#include <fcntl.h>
#include <keep.h>
#include <limits.h>
#include <machine.h>
#include <mimobox.h>
#include <privileges.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysfilter.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20 };

/* A fifo may never have a writer, and would be waited for. 0 or -errno. */
static int open_text(const char *path, FILE **out)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), error = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		error = -errno;
	else if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode))
		error = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
	*out = error == 0 ? fdopen(fd, "r") : NULL;
	if (error == 0 && !*out)
		error = -errno;
	if (error < 0)
		close(fd);
	return error;
}

/* The whole file as a string in *out, which is finished with the options. 0, or a reported status.
 */
static int read_text(const char *path, const char *what, char **out)
{
	FILE *file = NULL;
	int opened = open_text(path, &file);
	if (opened == -EINVAL) {
		report("the %s in %s: not a regular file", what, path);
		return STATUS_OPTION;
	}
	char *text = malloc(TEXT_MAX + 1);
	size_t size = file && text ? fread(text, 1, TEXT_MAX, file) : 0;
	int error = -opened;
	if (file && (!text || ferror(file)))
		error = errno;
	else if (file && fgetc(file) != EOF)
		error = EFBIG;
	else if (file && memchr(text, '\0', size))
		error = EINVAL;
	if (file)
		(void)fclose(file);
	if (error || !text) {
		report("cannot read the %s in %s: %s", what, path, strerror(error));
		free(text);
		return error == EFBIG || error == EINVAL ? STATUS_OPTION : STATUS_AGAIN;
	}
	text[size] = '\0';
	*out = text;
	return 0;
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

/* What of the options is read from files. 0, or a reported status. */
static int read_texts(struct options *options)
{
	int status = 0;
	if (options->defaults)
		status = read_text(options->defaults, "defaults", &options->defaults_text);
	if (status == 0 && options->ceiling)
		status = read_text(options->ceiling, "ceiling", &options->ceiling_text);
	return status;
}

/* What the server may not do shows before it has to. */
static int rehearse(struct server *server, char *why, size_t why_size)
{
	int error = confine_rehearse();
	if (error == 0)
		error = mimobox_probe(server->box, why, why_size);
	return error == 0 ? confine_recover() : error;
}

static int make_box(struct server *server, const struct mount *mount, const struct options *options)
{
	char why[WHY_MAX] = "", workspaces[64];
	struct mimobox_options box;
	options_for_box(options, workspaces, &box);
	box.keep = server->keep;
	box.notify = dir_notify;
	box.data = server;
	int error = mimobox_create(&box, &server->box, why, sizeof(why));
	bool again = keep_again(server->keep);
	if (error == 0 && !again &&
	    (is_in_mount(mount, "spool", box.spool_dir) ||
	     is_in_mount(mount, "workspaces", box.workspaces)))
		return STATUS_OPTION;
	if (error == 0 && !again)
		error = rehearse(server, why, sizeof(why));
	if (error < 0) {
		report("%s", why[0] ? why : strerror(-error));
		return again ? STATUS_AGAIN : status_of(error);
	}
	if (!again && mimobox_unlimited(server->box)[0])
		report_warning("sessions have no limit of %s", mimobox_unlimited(server->box));
	server->loop = mimobox_loop(server->box);
	mimobox_set_mount(server->box, server->path);
	server->max_sessions = options->max_sessions;
	server->metrics_sessions = options->metrics_sessions;
	return 0;
}

/* In the place of a server that was killed. */
static int take_over(struct server *server, struct mount *mount, const struct options *options)
{
	size_t size;
	const char *path = keep_get(server->keep, KEEP_MOUNT, 0, 0, &size);
	mount->path = path ? strndup(path, size) : NULL;
	int error = mount->path ? unmounter_begin(&server->unmounter, mount->path) : -ENOMEM;
	server->path = server->watch.path = mount->path;
	const uint64_t *known = keep_get(server->keep, KEEP_MOUNT, 0, 1, &size);
	if (known && size == 2 * sizeof(*known)) {
		server->watch.id = known[0];
		server->watch.device = known[1];
	}
	if (error == 0)
		return make_box(server, mount, options);
	report("cannot make the unmounter: %s", strerror(-error));
	return STATUS_AGAIN;
}

/* What that one has kept it may have been made to keep: it is read with no more rights than it had.
 */
static int go_on(struct server *server)
{
	int fuse_fd = keep_take(server->keep, KEPT_MOUNT, KEPT_FUSE);
	/* That one had come to its end, and let go of the mount: the rest of that is to be done. */
	server->ended = fuse_fd < 0;
	int error = server->ended ? 0 : again_adopt(server, fuse_fd);
	if (error == 0)
		error = mimobox_restore(server->box);
	if (error == 0 && !server->ended)
		error = kept_restore(server);
	if (error == 0)
		error = server_catch_signals(server);
	if (error == 0)
		error = mimobox_resume(server->box);
	if (error < 0)
		report("cannot go on from what is kept: %s", strerror(-error));
	return error < 0 ? STATUS_AGAIN : 0;
}

static int prepare(struct server *server, struct mount *mount, const struct options *options)
{
	int status = mount_check_options(server, options);
	if (status)
		return status;
	privileges_set_turns(PRIVILEGES_SHORT_TURN); /* everybody's keys come through here */
	char why[WHY_MAX];
	status = daemon_drop_groups(why, sizeof(why));
	if (status) {
		report("%s", why);
		return status;
	}
	if (keep_again(server->keep))
		return take_over(server, mount, options);
	status = mount_check_machine(mount, options->mountpoint);
	if (status)
		return status;
	server->path = mount->path;
	status = make_box(server, mount, options);
	if (status)
		return status;
	int error = server_catch_signals(server);
	if (error < 0) {
		report("cannot catch signals: %s", strerror(-error));
		return STATUS_AGAIN;
	}
	error = unmounter_begin(&server->unmounter, mount->path);
	if (error < 0) {
		report("cannot make the unmounter: %s", strerror(-error));
		return STATUS_AGAIN;
	}
	status = mount_do(mount, server, options);
	if (status == 0)
		watch_learn(&server->watch, mount->path);
	return status;
}

/* From here on it reads what clients send. 0, or a reported status. */
static int confine(const struct keep *keep)
{
	int error = confine_rights(CONFINE_SERVER);
	if (error == 0)
		error = confine_calls(CONFINE_SERVER);
	if (error < 0)
		report("cannot give up privileges: %s", strerror(-error));
	if (error == 0)
		return 0;
	return !keep_again(keep) && machine_refuses(error) ? STATUS_LACKS : STATUS_AGAIN;
}

static int serve(const struct options *options, struct daemon *daemon, struct keep *keep)
{
	struct server server;
	struct mount mount = { 0 };
	int error = server_init(&server);
	if (error < 0)
		report("%s", strerror(-error));
	server.keep = keep;
	again_begin(&server);
	int status = error < 0 ? STATUS_AGAIN : prepare(&server, &mount, options);
	if (status == 0) {
		notify_init(&server.notify, server.loop, mount.path, keep_owner(keep));
		status = confine(keep);
	}
	if (status == 0 && keep_again(keep))
		status = go_on(&server);
	if (status)
		keep_begin_anew(keep); /* the next may have what is wanting */
	if (status == 0 && !server.ended) {
		error = server_run(&server, daemon);
		if (error < 0) {
			report("cannot serve the mount: %s", strerror(-error));
			keep_begin_anew(keep);
		}
		status = error < 0 ? STATUS_AGAIN : 0;
	}
	bool broken = status == 0 && !server.stopping;
	server_finish(&server);
	if (broken) /* or unmounted, and then there is nothing */
		unmounter_detach_dead(&server.unmounter);
	unmounter_end(&server.unmounter);
	mount_finish(&mount);
	return status;
}

/* In the process that stays. */
static int stay(struct options *options, struct daemon *daemon)
{
	daemon_raise_file_limit();
	int status = options_make_absolute(options) ? read_texts(options) : STATUS_AGAIN;
	if (status == 0)
		status = daemon_close_others(daemon);
	if (status)
		return status;
	return options->keeper ? keeper_run(options, daemon, serve, NULL)
			       : serve(options, daemon, NULL);
}

/* In a process that was another program of this kind, or where it is tried to be. */
static int succeed(struct options *options, const struct handover *handover)
{
	struct daemon daemon;
	daemon_go_on(&daemon);
	prctl(PR_SET_NAME, "mimoboxfs"); /* of a descriptor, it has the number for a name */
	int error = handover_options(handover, options);
	if (handover->trial)
		handover_tell(handover, error);
	else if (error == 0)
		return keeper_run(options, &daemon, serve, handover);
	else
		report("cannot go on: %s", strerror(-error));
	return error < 0 ? STATUS_AGAIN : 0;
}

static int start(struct options *options, const struct handover *handover)
{
	struct daemon daemon;
	int status;
	(void)signal(SIGPIPE, SIG_IGN); /* the library's writes tell by errno */
	(void)signal(SIGUSR1, SIG_IGN); /* that mean nothing are no reason to end */
	(void)signal(SIGUSR2, SIG_IGN);
	if (handover)
		return succeed(options, handover);
	return daemon_begin(&daemon, options->foreground, &status) ? stay(options, &daemon)
								   : status;
}

static int dump_filter(const char *name)
{
	struct sysfilter_options options = { .fork = true, .own_network = true };
	struct sysfilter filter = { 0 };
	char why[256] = "";
	if (sysfilter_profile_parse(name, &options.profile) < 0) {
		report("unknown profile '%s': strict, essential, network or compat", name);
		return STATUS_OPTION;
	}
	int error = sysfilter_build(&options, &filter, why, sizeof(why));
	if (error == 0)
		error = sysfilter_dump(&filter, STDOUT_FILENO);
	sysfilter_finish(&filter);
	if (error < 0)
		report("%s", why[0] ? why : strerror(-error));
	if (error == 0)
		return 0;
	return machine_refuses(error) ? STATUS_LACKS : STATUS_AGAIN;
}

/* In the foreground, and alone. */
static int check(struct options *options)
{
	daemon_raise_file_limit();
	int status = read_texts(options);
	return status ? status : check_run(options);
}

int main(int argc, char **argv)
{
	struct options options;
	struct handover handover;
	enum handover_found found = handover_find(&handover);
	int status = 0;
	if (found == HANDOVER_UNKNOWN)
		report("no keeper hands anything over; unset MIMOBOX_HANDOVER");
	if (found == HANDOVER_OTHER || found == HANDOVER_UNKNOWN)
		return STATUS_AGAIN;
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
		status = STATUS_OPTION;
		break;
	case OPTIONS_CHECK:
		status = check(&options);
		break;
	case OPTIONS_REPLACE:
		status = replace_run(options.mountpoint);
		break;
	case OPTIONS_SERVE:
		status = start(&options, found == HANDOVER_FOUND ? &handover : NULL);
		break;
	}
	options_finish(&options);
	return status;
}
