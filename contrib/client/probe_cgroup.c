/* SPDX-License-Identifier: MIT */
/*
 * Whether limits can be set: a group of this process's own in which it may make others, in one
 * hierarchy (v2), or in one for each controller (v1).
 */
#include "probe.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 2 * PATH_MAX };

/* Where this process is in the hierarchy that has `controller` ("": that of version 2). */
static bool find_own_group(const char *controller, char *path, size_t size)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char *line = NULL;
	size_t room = 0, length = strlen(controller);
	bool found = false;
	while (file && !found && getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		char *list = strchr(line, ':'), *place = list ? strchr(list + 1, ':') : NULL;
		if (!place)
			continue;
		*place++ = '\0';
		for (char *rest = list + 1, *word; !found && (word = strsep(&rest, ","));)
			found = strcmp(word, controller) == 0 && strlen(word) == length;
		if (found)
			snprintf(path, size, "%s", place);
	}
	free(line);
	if (file)
		(void)fclose(file);
	return found;
}

/*
 * The place of this process in the hierarchy that has `controller`, as it is mounted: of several
 * mounts the last. `top` is where that is mounted.
 */
static bool find_directory(const char *controller, char own[PATH_SIZE], char top[PATH_MAX])
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, path[PATH_MAX], root[PATH_MAX], mount[PATH_MAX], wanted[64];
	size_t room = 0;
	bool found = false, has_group = find_own_group(controller, path, sizeof(path));
	while (file && has_group && getline(&line, &room, file) > 0) {
		const char *type = strstr(line, " - cgroup");
		line[strcspn(line, "\n")] = '\0';
		snprintf(wanted, sizeof(wanted), *controller ? ",%s," : " - cgroup2 ", controller);
		char options[1024] = ",";
		if (type && *controller)
			snprintf(options, sizeof(options), ",%s,", strrchr(type, ' ') + 1);
		if (!type || !strstr(*controller ? options : type, wanted) ||
		    sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2)
			continue;
		/* A container may have but a part of the hierarchy mounted. */
		size_t length = strlen(root) > 1 ? strlen(root) : 0;
		const char *below = strncmp(path, root, length) == 0 ? path + length : path;
		snprintf(own, PATH_SIZE, "%s%s", mount, strcmp(below, "/") == 0 ? "" : below);
		snprintf(top, PATH_MAX, "%s", mount);
		found = true;
	}
	free(line);
	if (file)
		(void)fclose(file);
	return found;
}

static bool is_writable(const char *directory, const char *file)
{
	char path[PATH_SIZE + 64];
	snprintf(path, sizeof(path), "%s/%s", directory, file);
	return access(directory, W_OK) == 0 && access(path, W_OK) == 0;
}

/* Whether `directory` of v2 has the controller to give. */
static bool gives(const char *directory, const char *controller)
{
	char path[PATH_SIZE + 64], word[64];
	bool found = false;
	snprintf(path, sizeof(path), "%s/cgroup.controllers", directory);
	FILE *file = fopen(path, "re");
	while (file && !found && fscanf(file, "%63s", word) == 1)
		found = strcmp(word, controller) == 0;
	if (file)
		(void)fclose(file);
	return found && is_writable(directory, "cgroup.subtree_control");
}

static bool can_limit(const char *controller)
{
	char own[PATH_SIZE], top[PATH_MAX];
	if (find_directory("", own, top) &&
	    (gives(own, controller) || (geteuid() == 0 && gives(top, controller))))
		return true;
	return find_directory(controller, own, top) && is_writable(own, "cgroup.procs");
}

void probe_cgroups(struct finding *finding, const struct place *place)
{
	(void)place;
	static const char *const controllers[] = { "memory", "pids", "cpu" };
	char can[64] = "", cannot[64] = "";
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		char *to = can_limit(controllers[i]) ? can : cannot;
		size_t size = strlen(to);
		snprintf(to + size, 64 - size, " %s", controllers[i]);
	}
	if (!*cannot) {
		snprintf(finding->fact, sizeof(finding->fact), "can limit%s", can);
		return;
	}
	snprintf(finding->fact, sizeof(finding->fact), "cannot limit%s", cannot);
	finding_advise(finding, PROBE_WARN,
		       geteuid() == 0
			       ? "mount the controllers (mount -t cgroup2 none /sys/fs/cgroup); "
				 "until then sessions run without these limits"
			       : "delegate a group (systemd-run --user --scope -p Delegate=yes "
				 "mimoboxfs ...); until then sessions run without these limits");
}
